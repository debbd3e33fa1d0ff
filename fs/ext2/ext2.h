/*
 * ext2 in memory: the file system, its inodes and its transactions.
 *
 * 1. Metadata is blocks of the device: superblock, group descriptors, bitmaps, inode tables,
 *    indirect blocks, directories, extended attributes. Each block that is in memory is one page of
 *    fs->metadata, whose index is the block's number. Files' bytes are in the files' own page
 *    caches.
 * 2. Metadata changes in operations. ext2_begin() takes fs->lock, ext2_edit() changes bytes of a
 *    block, and ext2_end() releases the lock. If an operation fails, ext2_end() puts the old bytes
 *    back. So an operation happens as a whole or not at all, and nobody sees a part of it.
 * 3. The operations since the last commit are the running transaction. A commit closes it: it
 *    stores the inodes that have changed, lends the pages of all blocks that have changed, and
 *    starts a new transaction. This takes fs->lock, so a transaction has whole operations only.
 *    Whoever changes a lent block gets a copy of it, like any writer of a lent page, so operations
 *    never wait for a commit.
 * 4. A commit then writes the bytes of the files whose inodes it has stored, and the lent blocks,
 *    to the journal if there is one, and flushes the disk. The journal's commit block, or without a
 *    journal the blocks, are not written before the bytes. A block that is freed is not used again
 *    before the commit has ended, because the disk may still say until then that it belongs to its
 *    old file.
 * 5. Only the kernel task of a file system commits: when somebody waits for it (fsync), when the
 *    transaction has become large, and every COMMIT_SECONDS if there are changes.
 * 6. An inode without links that is still in use, or a file whose end is being freed, is in the
 *    list of orphans. A commit brings the list on the disk up to date, so an orphan that comes and
 *    goes within a transaction costs nothing there. After a crash, mounting the file system frees
 *    what the orphans have.
 * 7. Lock order: inode->lock < page lock of a file < fs->lock < page lock of metadata <
 *    fs->changed_lock. A task that waits for a commit holds neither fs->lock nor a page lock.
 * 8. After an error of the disk in a commit, nothing is written any more (fs->error). Operations
 *    return -EROFS, and fsync -EIO. The log says so.
 */
#ifndef FS_EXT2_EXT2_H
#define FS_EXT2_EXT2_H

#include "fs/cache/writeback.h"
#include "fs/ext2/format.h"
#include "fs/ext2/name_table.h"
#include "fs/file/open_file.h"
#include "kernel/time.h"
#include "mm/radix.h"

struct ext2_transaction {
	uint32_t id;
	struct list blocks; /* struct ext2_block: the blocks that have changed */
	unsigned int nr_blocks;
	/*
	 * By group: two blocks of bits. The first one has a bit for each block that has been freed,
	 * and the second one for those that were metadata, which the journal has to revoke.
	 */
	struct radix_tree freed;
	unsigned int nr_freed, nr_revoked;
	/* ext2_inode.committing: the inodes that its commit has stored, with a reference to each */
	struct list inodes;
};

#define EXT2_LOG_PAGES 3u /* a descriptor, a revoke block and the commit block */

/* The journal, if the file system has one: fs/ext2/journal.h. */
struct ext2_log {
	struct inode *inode;	  /* NULL: there is none */
	bool active;		  /* transactions go through it */
	uint32_t first, blocks;	  /* the log is [first, blocks) of the inode's blocks */
	uint32_t start, sequence; /* as they were on the disk when it was found */
	uint32_t head, used;	  /* the next block, and how many before it are needed */
	uint8_t uuid[16];
	/* The run of the log's blocks that was looked up last: where on the disk its blocks are. */
	uint32_t run_block, run_place;
	unsigned int run_len;
	struct page *pages[EXT2_LOG_PAGES]; /* see new_block() in fs/ext2/journal.c */
	struct radix_tree
		places; /* struct ext2_block by number: committed, and not in their places yet */
	unsigned int nr_places;
};

#define EXT2_GIVEN_MAX 64u /* blocks that one operation gives to a file */

/*
 * The old bytes of what the running operation has changed. The most edits are those that give a
 * file blocks which lie apart: a bitmap, a group and a pointer for each, and 16 for the indirect
 * blocks. Freeing as many blocks takes fewer: their pointers are cleared at once.
 */
struct ext2_undo {
	struct {
		uint32_t block;
		uint16_t offset, len;
	} edits[3 * EXT2_GIVEN_MAX + 16];
	char bytes[3072 + 2 * 4096]; /* and both lists of attributes, or the target of a link */
	uint32_t made[12];	     /* blocks that were made */
	unsigned int nr_edits, nr_bytes, nr_made;
	uint32_t free_blocks, free_inodes;
};

/* A block that operations have used lately. */
struct ext2_visit {
	uint32_t block;
	struct page *page; /* with a reference */
};
#define EXT2_VISITS 8u

/* A call that has found no space: see ext2_space_comes(). */
struct ext2_lack {
	bool inodes;   /* it may have lacked an inode */
	uint32_t seen; /* fs->blocks_came, and if so the sum of both counts, before it looked */
	struct room_wait wait;
};

struct ext2_fs { /* super_block.private */
	struct super_block *sb;
	struct ext2_layout layout;
	struct inode *metadata; /* see 1. Belongs to no file system */
	struct atomic damages;	/* lines in the log about them */
	/* The blocks of the journal's file, whose room no other file gets. 0: there is none */
	uint32_t journal_blocks;

	struct mutex lock;
	/* Guarded by lock. */
	bool writable;
	bool was_clean;			       /* when it was mounted */
	uint32_t free_blocks, free_inodes;     /* stored with each commit */
	uint32_t stored_blocks, stored_inodes; /* what the superblock has */
	/* They count what has become free: commits with blocks that were given back, and inodes. */
	uint32_t blocks_came, inodes_came;
	struct list orphans; /* ext2_inode.orphan, the newest first */
	unsigned int nr_unstored_orphans;
	bool orphans_changed;			       /* since the last commit */
	bool reading_orphans;			       /* an inode that is read may have no links */
	struct ext2_transaction *running, *committing; /* the second one: NULL if there is none */
	struct ext2_transaction transactions[2];
	struct ext2_undo undo;
	struct ext2_visit visits[EXT2_VISITS];
	unsigned int nr_visits, next_visit; /* the latter: which one is given up for another */
	struct task *only; /* if it is not NULL, others cannot begin operations any more */

	spinlock_t changed_lock; /* plain */
	struct list changed;	 /* ext2_inode.changed: with a reference to each */
	unsigned int nr_changed;
	uint32_t
		left; /* the last full transaction, which has left changed inodes to the next one. Read without the lock */

	/* Commits. Read without a lock; written by the task, but for `wanted` and `stop`. */
	volatile uint32_t wanted, committed; /* numbers of transactions */
	volatile uint32_t dropped;	     /* the last one whose inodes the task has let go of */
	volatile int error;		     /* see 8 */
	volatile bool stop, stopped;
	struct wait_queue task_queue, commit_queue; /* the task; those who wait for it */
	volatile bool close_log;		    /* the task is to close the journal */
	volatile bool due;  /* COMMIT_SECONDS have passed: the task is to commit what has changed */
	struct timer timer; /* sets `due`, again and again */
	/* The task's own. */
	struct ext2_log log;
	struct task *volatile task;
	struct list done; /* ext2_inode.committing: committed, with a reference to each */
	bool told;	  /* the log has a line about the error */
};

struct ext2_inode { /* inode.private */
	struct inode *inode;
	uint32_t block[EXT2_POINTERS]; /* guarded by fs->lock; read without it */
	/* How often a hole has freed indirect blocks: see ext2_lookup_block(). Guarded likewise. */
	unsigned int detached;
	uint32_t flags; /* those that are not in inode->flags */
	uint32_t deleted, generation;
	/* See fs/ext2/xattr.c. Guarded by inode->lock and fs->lock. */
	uint32_t file_acl;    /* the block of extended attributes, or 0 */
	unsigned int extra;   /* bytes of extra fields of a large inode; 0: the rest is not used */
	uint32_t next_orphan; /* as it was on the disk when the inode was read */
	uint32_t space_seen;  /* fs->blocks_came when a write last found no block */
	bool leaving;	      /* it is being deleted, and nothing stores it any more */
	bool unwritten;	      /* its place on the disk may have what is left of an old inode */
	bool fast_symlink;    /* block holds the target */
	uint32_t table_block; /* where the inode is on the disk */
	unsigned int table_offset;
	uint32_t goal;		/* the block after the last one that the file has got; 0: none */
	file_off_t reach;	/* blocks have been given up to here, beyond the size; or 0 */
	struct list changed;	/* in fs->changed, guarded by fs->changed_lock */
	struct list committing; /* of the task */
	volatile uint32_t transaction; /* the last one that has a change of it */
	bool tied; /* an operation has changed it: it must be stored with that transaction */
	struct list orphan; /* in fs->orphans */
	/* Of a directory, guarded by inode->lock. */
	struct ext2_name_table *names; /* or NULL */
	unsigned int room_from;	       /* in bytes: its first entry that may have room behind it */
	bool unstored_orphan; /* the commit has to store its place in the list of orphans */
};

static inline struct ext2_fs *ext2_fs(const struct inode *inode)
{
	return inode->sb->private;
}
static inline struct ext2_inode *ext2_own(const struct inode *inode)
{
	return inode->private;
}

/* ---- fs/ext2/metadata.c: blocks and operations ---- */

/* Make fs->metadata. Returns 0 or -ENOMEM. */
int ext2_metadata_init(struct ext2_fs *fs);
/* Report damage in the log, and return -EIO. Only the first lines of each mount are written. */
int ext2_damaged(const struct super_block *sb, uint64_t inode_number, const char *what);
/*
 * Returns the page of a block with a reference, in order to read it, or ERR_PTR(-EIO, -ENOMEM,
 * -ERESTARTSYS). May sleep. fs->lock need not be held.
 */
struct page *ext2_page(struct ext2_fs *fs, uint32_t block);
/* Copy bytes of a block. Returns 0 or an error of ext2_page(). Otherwise the same. */
int ext2_read(struct ext2_fs *fs, uint32_t block, unsigned int offset, void *to, unsigned int len);
/*
 * Begin an operation: lock fs->lock. Waits for a commit first if the running transaction is large,
 * or if blocks are short that a commit would free. Returns 0, -EROFS, or -ERESTARTSYS after a
 * SIGKILL. No page lock is held. May sleep.
 */
int ext2_begin(struct ext2_fs *fs);
/* The same for a caller that holds the lock of a file's page. Waits for no commit. */
int ext2_begin_in_page(struct ext2_fs *fs);
/* ext2_begin() for a caller that cannot fail because it is killed. Returns 0 or -EROFS. */
int ext2_begin_always(struct ext2_fs *fs);
/* mapping_ops.balance: wait for a commit, as ext2_begin() does, but begin nothing. */
void ext2_balance(struct mapping *mapping);
/* How many of the free blocks cannot be used before a commit. fs->lock need not be held. */
unsigned int ext2_blocks_waiting(const struct ext2_fs *fs);
/*
 * End an operation. If `error` is not 0, put back what it has changed. Returns `error`.
 */
int ext2_end(struct ext2_fs *fs, int error);
/*
 * Change bytes of a block in an operation. Returns 0, -EIO, -ENOMEM or -ERESTARTSYS, and then the
 * operation has to end with that error. May sleep.
 */
int ext2_edit(struct ext2_fs *fs, uint32_t block, unsigned int offset, const void *from,
	      unsigned int len);
/*
 * The same for bytes that the caller changes in their place: returns their address, which
 * kunmap_local() gives back, or ERR_PTR of these errors.
 */
void *ext2_edit_begin(struct ext2_fs *fs, uint32_t block, unsigned int offset, unsigned int len);
/*
 * Let go of the pages that operations have used. fs->lock is held, or nobody else uses the file
 * system.
 */
void ext2_end_visits(struct ext2_fs *fs);
/* Make a block that has just been allocated a block of metadata, all zeros. Otherwise the same. */
int ext2_make_block(struct ext2_fs *fs, uint32_t block);
/*
 * Name a feature in the superblock, if it is not there already: a bit of its word at the offset
 * `word`. A part of an operation. Returns 0 or an error. May sleep.
 */
int ext2_note_feature(struct ext2_fs *fs, unsigned int word, uint32_t feature);
/*
 * A block of metadata has been freed, in this operation, which cannot fail any more: its bytes need
 * not be written.
 */
void ext2_forget(struct ext2_fs *fs, uint32_t block);

/* ---- fs/ext2/commit.c ---- */

/* Start the task that commits. Returns 0 or -ENOMEM. May sleep. */
int ext2_commit_start(struct ext2_fs *fs);
/* Commit what is left, and end the task. Returns fs->error. Sleeps until that is done. */
int ext2_commit_stop(struct ext2_fs *fs);
/*
 * Wait until transaction `id` has been committed. Returns 0, -EIO, or -ERESTARTSYS after a SIGKILL.
 */
int ext2_commit_wait(struct ext2_fs *fs, uint32_t id);
/*
 * Wait until the bytes are written of the files whose inodes a transaction has stored. What cannot
 * be written is tried once more. Of a file without a name, only writes that have begun are waited
 * for: the transaction may have freed their blocks. Returns 0 or -EIO. Called by the task.
 */
int ext2_finish_data(const struct ext2_transaction *transaction);
/* Have the task close the journal, and wait for it. Returns fs->error. */
int ext2_commit_close_log(struct ext2_fs *fs);
/* Have the task commit transaction `id`. Never sleeps. */
void ext2_commit_want(struct ext2_fs *fs, uint32_t id);
/*
 * Has something changed since the last commit began? While one closes its transaction, only the
 * task and holders of fs->lock can tell.
 */
bool ext2_has_changes(struct ext2_fs *fs);
/* Nobody will read the bytes of a file without a name after a crash. */
bool ext2_data_lasts(const struct inode *inode);

/* ---- fs/ext2/sync.c ---- */

/*
 * Part of an operation: it has changed the inode in memory, which is stored in the same
 * transaction.
 */
void ext2_changed(struct inode *inode);
/* super_ops.changed, fsync and sync */
void ext2_touched(struct inode *inode);
/*
 * The inode has been stored, and needs no commit of its own any more. The caller holds a reference.
 */
void ext2_unchanged(struct inode *inode);
int ext2_fsync(struct inode *inode);
/*
 * Commit what has changed so far, and wait until the task has let go of those inodes. So what had
 * no name and no other user has been deleted. Returns 1, 0 if there was nothing to commit, -EIO, or
 * -ERESTARTSYS after a SIGKILL.
 */
int ext2_commit_all(struct ext2_fs *fs);
int ext2_sync(struct super_block *sb);
/*
 * super_ops.settle: commit all that has changed, and the deletions that follow from it. Nobody uses
 * the file system any more. Sleeps until that is done; no SIGKILL ends it.
 */
void ext2_settle(struct super_block *sb);

/* ---- fs/ext2/space.c: free blocks and inodes. All are parts of an operation ---- */

/*
 * Allocate up to `max` consecutive blocks, from `goal` on if these are free. Returns how many, and
 * their first one in *first. -ENOSPC: there is none. Other errors are those of ext2_edit().
 */
int ext2_take_blocks(struct ext2_fs *fs, uint32_t goal, unsigned int max, uint32_t *first);
/* Free consecutive blocks. Returns 0 or an error of ext2_edit(). */
int ext2_give_blocks(struct ext2_fs *fs, uint32_t first, unsigned int nr);
/*
 * Allocate an inode for a new file in `dir`. Writes its number to *number, and to *place where it
 * is on the disk. Returns 0, -ENOSPC or an error of ext2_edit().
 */
int ext2_take_inode(struct ext2_fs *fs, const struct inode *dir, bool directory, uint32_t *number,
		    struct ext2_place *place);
int ext2_give_inode(struct ext2_fs *fs, uint32_t number, bool directory);
/* For a call that is about to look for a block, or for an inode and a block. Needs no lock. */
struct ext2_lack ext2_lack(const struct ext2_fs *fs, bool inodes);
/*
 * An operation has found no space. Wait for what becomes free by itself: blocks that wait for a
 * commit, and files without names that only commits still keep in memory. Returns true if the
 * operation is to be tried again: something has become free since lack->seen, and SPACE_SECONDS
 * have not passed, or there have been few tries, because the disk is slow. Others may take what has
 * come. May sleep. The caller is in no operation and has locked no page.
 */
bool ext2_space_comes(struct ext2_fs *fs, struct ext2_lack *lack);
/* The first block of an inode's group, near which its blocks should be. */
uint32_t ext2_group_goal(const struct ext2_fs *fs, uint32_t number);
/* Note that a block, which this operation has given back, was metadata. Cannot fail. */
void ext2_note_revoked(struct ext2_fs *fs, uint32_t block);
/* The first block from `block` on that the transaction has to revoke. There is one. */
uint32_t ext2_next_revoked(const struct ext2_fs *fs, const struct ext2_transaction *transaction,
			   uint32_t block);
/* The transaction has been committed: the blocks that it freed can be used again. */
void ext2_freed_are_free(struct ext2_fs *fs, struct ext2_transaction *transaction);

/* ---- fs/ext2/map.c: the blocks of a file ---- */

/*
 * The block_lookup of fs/cache/pageio.h. The caller has the lock of the page whose bytes are in the
 * block, or the lock of the inode.
 */
int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first);
/*
 * Part of an operation: give the file its blocks [block, block + nr), where it has none yet. With
 * `metadata` they become blocks of zeros. *added is the number of blocks that are new, for data.
 * Returns 0, -ENOSPC, -EFBIG or an error of ext2_edit(). After an error the caller restores
 * own->block and inode->blocks.
 */
int ext2_add_blocks(struct inode *inode, uint64_t block, unsigned int nr, bool metadata,
		    unsigned int *added);
/*
 * Free the blocks of a file from `block` on, in as many operations as it takes. Stops at an error,
 * after which the file has some of them still. The inode is locked, or leaves memory. May sleep.
 */
int ext2_free_from(struct inode *inode, uint64_t block);
/*
 * Free the blocks [block, end) of a file, and the indirect blocks that lead to nothing after that,
 * in as many operations as it takes. Stops at an error, which is one of ext2_begin_in_page() or
 * ext2_edit(), or -EIO. The file has some of the blocks still then. The inode is locked, and the
 * caller has the lock of each page that has bytes in these blocks, so nobody else looks for them or
 * gives the file blocks there. Waits for no commit. May sleep.
 */
int ext2_free_range(struct inode *inode, uint64_t block, uint64_t end);

/* ---- fs/ext2/inode.c ---- */

/* super_ops.read_inode, generation, check_handle, free_inode and delete_inode */
int ext2_read_inode(struct inode *inode);
uint32_t ext2_generation(const struct inode *inode);
int ext2_check_handle(struct super_block *sb, uint64_t number, const uint32_t *generation,
		      bool in_memory);
void ext2_free_inode(struct inode *inode);
void ext2_delete_inode(struct inode *inode);
/* Part of an operation: store an inode. Returns 0 or an error of ext2_edit(). */
int ext2_store_inode(struct inode *inode);
/*
 * Part of an operation: make an inode for a new file in `dir`, which is not stored yet. Returns it
 * with one reference, or ERR_PTR. If the operation fails later, the caller calls ext2_drop_new().
 */
struct inode *ext2_new_inode(struct inode *dir, unsigned int mode, unsigned int rdev);
/*
 * Do a step that has to be completed although the current process may be killed. When memory is
 * short, wait and repeat the step. Returns 0 or another error. May sleep.
 */
int ext2_complete(struct inode *inode, int (*step)(struct inode *inode));
/* Free an inode in memory whose operation has failed. */
void ext2_drop_new(struct inode *inode);
/*
 * Part of an operation: enter an inode into the list of orphans, or take it out. The commit of the
 * transaction stores the list, and the inode with it. Does nothing if that is so already. Cannot
 * fail, and nothing undoes it, so no later step of the operation may fail.
 */
void ext2_add_orphan(struct inode *inode);
void ext2_remove_orphan(struct inode *inode);
/*
 * For a commit: store the orphans whose place in the list has changed, and the first one's number.
 * Returns 0 or an error of ext2_edit(), and may be called again then. fs->lock is held.
 */
int ext2_store_orphans(struct ext2_fs *fs);
/* Free what the orphans on the disk have, after the file system has become writable. */
void ext2_free_orphans(struct ext2_fs *fs, uint32_t first);

/* ---- fs/ext2/dir.c: the names in a directory, whose lock is held ---- */

/* inode_ops.readdir */
int ext2_readdir(struct dentry *dentry, struct dir_context *context);
/*
 * Parts of an operation: add a name for an inode, remove a name, let it lead to another inode.
 * Return 0, -ENOSPC, -EIO if the name is not there, or an error of ext2_edit().
 */
int ext2_add_name(struct inode *dir, const char *name, unsigned int len, const struct inode *inode);
int ext2_remove_name(struct inode *dir, const char *name, unsigned int len);
int ext2_change_name(struct inode *dir, const char *name, unsigned int len,
		     const struct inode *inode);
/*
 * A later part of an operation that has added or removed names has failed: forget where the names
 * are.
 */
void ext2_forget_names(struct inode *dir);
/* Part of an operation: fill a new directory with "." and "..". */
int ext2_fill_directory(struct inode *dir, const struct inode *parent);
/* Are "." and ".." the only names? Returns 1, 0 or an error. */
int ext2_is_empty(struct inode *dir);

/* ---- fs/ext2/holes.c, fs/ext2/extents.c ---- */

/*
 * Returns the first block of [block, end) that is data, or is in a hole; `end` if there is none; an
 * error of ext2_lookup_block(), or -EINTR after a SIGKILL. The inode is locked. May sleep.
 */
int64_t ext2_find_block(struct inode *inode, int64_t block, int64_t end, bool data);
/* file_ops.llseek. Takes inode->lock for SEEK_DATA and SEEK_HOLE. */
file_off_t ext2_llseek(struct file *file, file_off_t offset, int whence);
/* inode_ops.allocate: PUNCH_HOLE with KEEP_SIZE. */
int ext2_allocate(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end);
extern const struct extent_ops ext2_extent_ops;

/* ---- fs/ext2/xattr.c ---- */

extern const struct xattr_ops ext2_xattr_ops; /* of all inodes */
/* Part of super_ops.read_inode. Returns 0, -EIO, -ENOMEM or -ERESTARTSYS. */
int ext2_xattr_read_inode(struct inode *inode);
/*
 * Part of an operation: give up the inode's share of its block of attributes. own->file_acl and
 * inode->blocks change, and the caller restores them if the operation fails later. *freed is the
 * block if it is free now. Before the operation ends, it is to be forgotten (ext2_forget). Returns
 * 0 or an error of ext2_edit().
 */
int ext2_xattr_leave_block(struct inode *inode, uint32_t *freed);
/*
 * Find the place of the attributes: those in the inode, or else the block. *len is 0 if there are
 * none. Returns 0 or an error of ext2_page().
 */
int ext2_xattr_place(struct inode *inode, struct ext2_place *place, unsigned int *len);

/* ---- fs/ext2/names.c, fs/ext2/file.c ---- */

extern const struct inode_ops ext2_inode_ops; /* of all inodes */
extern const struct file_ops ext2_file_ops;
/* mapping_ops for blocks as large as a page, and for smaller ones */
extern const struct mapping_ops ext2_mapping_ops, ext2_small_mapping_ops;
/* inode_ops.truncate, truncated and readlink */
int ext2_truncate(struct inode *inode, file_off_t size);
void ext2_truncated(struct inode *inode);
ssize_t ext2_readlink(struct inode *inode, char *buf, size_t size);

#endif
