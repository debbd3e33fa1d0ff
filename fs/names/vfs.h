/*
 * Files: inodes, directory entries, super blocks.
 *
 * 1. An inode is a file. Its file system provides its operations. An inode with references stays in
 *    memory, and the last inode_put() of an inode without links deletes it.
 * 2. A dentry is a cached name in a directory. If its inode is NULL, the name does not exist (a
 *    negative dentry). Dentries form a tree below the root of their file system. A mount shows such
 *    a tree, or a part of it, at a place in another tree (fs/names/mount.h). dcache_lock guards the
 *    trees. Unused dentries stay until memory is short or their file system is unmounted.
 * 3. An open file (fs/file/open_file.h) has a position, flags and operations. File tables
 *    (fs/file/file.h) hold open files.
 * 4. inode->lock (a mutex) is held for writes, for changes of the size and for changes of a
 *    directory. The lock of a parent directory is taken before that of a child. Reading file data
 *    takes no lock, and page faults do not take inode->lock.
 * 5. Lock order: pipe consumer < pipe producer < inode.lock < mm.lock < page lock < page tables.
 */
#ifndef FS_NAMES_VFS_H
#define FS_NAMES_VFS_H

#include "lib/list.h"
#include "kernel/mutex.h"
#include "kernel/time.h"
#include "fs/names/mode.h"
#include "fs/cache/pagecache.h"

struct super_block;
struct pipe;
struct text;
struct socket;
struct extent_ops;
struct xattr_ops;

#define AT_FDCWD	    (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS	    0x200 /* faccessat2 */
#define AT_REMOVEDIR	    0x200 /* unlinkat */
#define AT_SYMLINK_FOLLOW   0x400 /* linkat */
#define AT_NO_AUTOMOUNT	    0x800
#define AT_EMPTY_PATH	    0x1000

/* For inode_permission(). */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4

struct dentry;
struct inode;
struct file;
struct mount;

//BOOK: mount-path
/*
 * A place in the tree of names: a dentry, and the mount through which it is seen. The same dentry
 * may be seen through several mounts, so only both together say what is above it. A path that is
 * kept has a reference to each (path_get). A path whose dentry is NULL is no place, and then its
 * mount is NULL too.
 */
struct path {
	struct mount *mount;
	struct dentry *dentry;
};

/*
 * The arguments of readdir. The file system sets pos to the cookie of an entry before it emits the
 * entry, and to a place beyond the last entry at the end. It emits "." and ".." itself. The
 * directory's lock is held.
 */
struct dir_context {
	/* Called for each entry. Returns false if the buffer is full, and then readdir stops. */
	bool (*emit)(struct dir_context *, const char *name, size_t len, uint64_t ino,
		     unsigned int type);
	file_off_t pos;		   /* where to go on; the file system's own cookie */
	const struct name *wanted; /* NULL, or the only name that is looked for: a hint */
};

/*
 * The operations of a directory or symbolic link. All of them may sleep, and they return 0 or an
 * error unless the entry says otherwise. The VFS calls those of a directory with dir->lock held.
 * link, remove, rename and exchange are called with the locks of the inodes that lose or gain a
 * name as well. If one of create, link, remove and rename is NULL, the call fails with -EPERM.
 *
 * There is no lookup operation: the VFS finds a name with readdir, and reads its inode by number
 * (super_ops.read_inode). The file system updates link counts and the times of the directory. The
 * VFS moves and drops the dentries.
 */
#define FIXED_MODE  1u /* chmod(2) */
#define FIXED_OWNER 2u /* chown(2) */
#define FIXED_USE   4u /* the mode holds for root, too */

struct inode_ops {
	/* Emit the names from context->pos on. Every directory must have this. */
	int (*readdir)(struct dentry *dir, struct dir_context *context);
	/*
	 * Create the inode of a negative dentry, of the type and permissions in `mode`. `rdev` is
	 * for device nodes, and `target` is the text of a symbolic link. Returns the inode with one
	 * reference, which the dentry takes over, or ERR_PTR.
	 */
	struct inode *(*create)(struct inode *dir, struct dentry *dentry, unsigned int mode,
				unsigned int rdev, const char *target);
	/* Give the inode another name, that of a negative dentry. */
	int (*link)(struct inode *dir, struct dentry *dentry, struct inode *inode);
	/* Remove a file or a directory. A directory with names in it is -ENOTEMPTY. */
	int (*remove)(struct inode *dir, struct dentry *dentry);
	/*
	 * Move a name. If new_dentry has an inode, that name is replaced. If `whiteout` is not
	 * NULL, the old name leads to a new whiteout afterwards: a character device with the number
	 * 0 and mode 0, which marks a name of a lower layer as removed. Its inode, with one
	 * reference, is written to *whiteout.
	 */
	int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		      struct dentry *new_dentry, struct inode **whiteout);
	/*
	 * Copy the target and a NUL to buf, which has PATH_MAX bytes. Returns the target's length.
	 */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/*
	 * For a directory whose names come and go by themselves (/proc). Called each time that a
	 * name is found, with the inode to which the name leads. Returns false if the name is no
	 * longer valid. dir->lock may or may not be held. NULL: a name is valid until a call
	 * changes it.
	 */
	bool (*revalidate)(struct inode *inode);
	/*
	 * For a symbolic link that leads to an open file or a directory rather than to a name
	 * (/proc/self/fd/N, /proc/self/exe). Writes the path, with references, to `result`. Returns
	 * 0 or an error. NULL: the walk follows the text from readlink.
	 */
	int (*follow)(struct inode *inode, struct path *result);
	/*
	 * Change the size, in two steps. Both are called with inode->lock held, and NULL means that
	 * nothing needs to be done. `truncate` is called first. It checks whether the new size is
	 * possible, and changes nothing that a reader of the file can see. The caller then sets the
	 * size and removes the pages beyond it from the cache. `truncated` is called last, even if
	 * the size could not be changed after all, and when a write has failed. It frees what lies
	 * beyond the size, and cannot fail.
	 */
	int (*truncate)(struct inode *inode, file_off_t size);
	void (*truncated)(struct inode *inode);
	/*
	 * fallocate(2) for the bytes [start, end), with FALLOC_* of fs/file/allocate.h in `mode`.
	 * inode->lock is held. Returns 0, 1 if the file has not changed and keeps its times,
	 * -EOPNOTSUPP for a mode that the file system lacks, -EFBIG beyond file_size_limit(),
	 * -ENOSPC, -ENOMEM, -EIO, -EROFS, -EINTR or -ERESTARTSYS. An error in the middle of a hole
	 * leaves some of it punched. After other errors the file has the same bytes as before.
	 * NULL: -EOPNOTSUPP.
	 */
	int (*allocate)(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end);
	/*
	 * Make the inode of a regular file that has no name yet (O_TMPFILE). dir->lock is held.
	 * Returns the inode with one reference and no links, or ERR_PTR. NULL: -EOPNOTSUPP.
	 */
	struct inode *(*nameless)(struct inode *dir, unsigned int mode);
	/*
	 * For files that the kernel makes: which of their attributes nobody changes, not even root.
	 * Returns FIXED_*. NULL: 0. Never sleeps.
	 */
	unsigned int (*fixed)(const struct inode *inode);
	/* Let the two names change places. NULL: -EINVAL. */
	int (*exchange)(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			struct dentry *new_dentry);
	/* Where a file lies on its disk: fs/file/extents.h. NULL: nobody can say. */
	const struct extent_ops *extents;
	/* Its extended attributes: fs/names/xattr.h. NULL: it can have none. */
	const struct xattr_ops *xattrs;
};

struct file_lock;
struct file_ops;
struct inode_watch;

struct inode {
	struct super_block *sb;
	uint64_t number;
	uint16_t mode;		/* type and permissions */
	uint8_t flags;		/* fs/names/inode_flags.h; set under `lock` */
	bool deleted : 1;	/* a removed directory, which takes no new names; guarded by lock */
	bool linkable : 1;	/* O_TMPFILE: it may get a first name; guarded by lock */
	uint8_t write_hint : 3; /* of F_SET_RW_HINT; set under lock */
	unsigned int nr_links;
	uint32_t uid, gid;
	unsigned int rdev; /* of a device node: MAKEDEV(major, minor) */
	file_off_t size;   /* set under `lock` by inode_set_size(); read with inode_size() */
	uint64_t blocks;   /* in units of 512 bytes */
	struct timespec64 atime, mtime, ctime; /* fs/names/times.h */
	struct atomic refs;
	struct mutex lock;
	const struct inode_ops *ops;
	const struct file_ops *file_ops;
	struct mapping mapping; /* its page cache */
	union {
		struct pipe *pipe;     /* of a FIFO that is open; guarded by pipes_lock */
		struct socket *socket; /* bound to this node (S_IFSOCK); guarded by sockets_lock */
		uint32_t access_round; /* of others: fs/names/times.h */
	};
	void *private;	       /* belongs to the file system */
	struct list hash_link; /* in the hash by (sb, number); guarded by inode_lock */
	struct list sb_link;   /* in sb->inodes; guarded by inode_lock */
	union {
		const char *kind;      /* of an anonymous inode: "pipe", "socket", "[eventfd]" */
		struct atomic readers; /* of a regular file: open files that only read it */
	};
	struct file_lock *locks;     /* fs/file/lock.h */
	struct inode_watch *watches; /* fs/names/notify.h */
	struct atomic busy; /* number of open files that write to it, or minus the number of
				 * address spaces that run it as a program */
};

/*
 * Returns the size in bytes. Needs no lock and never sees half of an update: a plain load of 64
 * bits takes two instructions on this CPU, but a locked compare-and-exchange is one.
 */
static inline file_off_t inode_size(struct inode *inode)
{
	return __sync_val_compare_and_swap(&inode->size, 0, 0);
}
/*
 * Set the size in one step, so that inode_size() sees the old or the new one. inode->lock is held.
 */
void inode_set_size(struct inode *inode, file_off_t size);

#define NAME_MAX 255
#define PATH_MAX 4096

struct dentry {
	struct super_block *sb; /* never changes */
	struct atomic refs;
	unsigned int mounts; /* how many mounts are attached here; guarded by mount_lock */
	/* Guarded by dcache_lock. */
	struct dentry *parent; /* a root is its own parent */
	struct inode *inode;   /* NULL: the name does not exist */
	char *name;
	unsigned int name_len, hash;
	struct list children, sibling;
	struct list hash_link;
	bool unhashed;	   /* the name was removed: path_text() appends " (deleted)" */
	struct list lru;   /* in the list of unused dentries while refs is 0 */
	file_off_t cookie; /* position for readdir; parent->children are sorted by it */
};

struct super_block {
	const struct file_system *type;
	const struct super_ops *ops;
	struct block_device *device; /* NULL: none */
	unsigned int block_size;     /* bytes */
	file_off_t size_max;	     /* bytes; no file is larger. At most FILE_SIZE_MAX */
	/*
	 * Number of open files and calls that write to it, or -1: it is read-only. Changed by
	 * fs/names/mount.c, and by a file system that cannot write, when it is mounted.
	 */
	struct atomic writers;
	bool has_flags;	   /* its inodes have flags that can be set */
	bool strict_times; /* a mount of it sets the access time at each read, or has done so */
	bool makes_names;  /* the file system alone does: looking up another one is -ENOENT */
	bool was_detached; /* by MNT_DETACH, so it may be in use without being attached */
	bool names_stay;   /* names exist only as dentries, which stay until removed or unmounted */
	struct dentry *root;
	struct list inodes;   /* those in memory; guarded by inode_lock */
	struct mutex reading; /* held while an inode is looked up by number and read */
	void *private;	      /* the file system's, from kmalloc; freed with the super block */
	unsigned int dev;     /* st_dev */
	struct atomic mounts; /* number of mounts that show it */
	struct list link;     /* among those with a disk: fs/names/super.c */
	struct mapping *
		metadata; /* pages that hold no file's bytes, and that unmounting waits for; or NULL */
};

struct fs_statistics {
	uint64_t blocks, free;	    /* in units of super_block.block_size */
	uint64_t kept;		    /* free ones that only root gets */
	uint64_t files, files_free; /* inodes */
};

struct super_ops {
	/*
	 * Fill in an inode, whose number is set. Returns 0 or an error. NULL: all inodes are in
	 * memory.
	 */
	int (*read_inode)(struct inode *inode);
	/*
	 * What programs see in place of an inode's number, in 32 bits, because old ones have no
	 * room for more. Never sleeps. NULL: they see the number.
	 */
	uint32_t (*shown_number)(uint64_t number);
	/* When the file was made. Never sleeps. NULL: nobody knows. */
	struct timespec64 (*birth)(const struct inode *inode);
	/*
	 * For file handles: a number that is another one for each file that has had the number of
	 * this inode. Never sleeps. NULL: the files have no handles.
	 */
	uint32_t (*generation)(const struct inode *inode);
	/*
	 * May a program name the file with this number by a handle? If it is not in memory, it must
	 * be in use on the disk, with that generation, if one is given. sb->reading is held.
	 * Returns 0, -ESTALE, or an error of read_inode. May sleep. NULL: every inode in memory is
	 * such a file.
	 */
	int (*check_handle)(struct super_block *sb, uint64_t number, const uint32_t *generation,
			    bool in_memory);
	/* Free inode->private, because the inode leaves memory. NULL: there is nothing to free. */
	void (*free_inode)(struct inode *inode);
	/*
	 * Delete an inode that has no links and leaves memory, with its blocks. Its pages are gone.
	 * Comes before free_inode. May sleep. NULL: free_inode does it all.
	 */
	void (*delete_inode)(struct inode *inode);
	/*
	 * The mode, owner, times, size or number of links of an inode have changed, and are to be
	 * stored some time. Called through inode_changed(). NULL: inodes exist in memory only.
	 */
	void (*changed)(struct inode *inode);
	/*
	 * Store all of a file, or of the file system. Returns 0, -EIO, -ENOMEM, or -ERESTARTSYS
	 * after a SIGKILL. May sleep. The caller holds no lock of the file system. NULL: the pages
	 * of the file, or the raw device, are all that there is.
	 */
	int (*fsync)(struct inode *inode);
	int (*sync)(struct super_block *sb);
	/*
	 * Store all that has changed, and wait until no task of the file system's own holds an
	 * inode. Called when no program can write to the file system, before inodes without links
	 * are abandoned or counted. May sleep, and no signal ends that. NULL: there are no such
	 * tasks.
	 */
	void (*settle)(struct super_block *sb);
	/*
	 * Begin to write the file system, or stop and leave it clean on its disk. When it stops,
	 * writes that are still running fail, which happens only when the machine is about to stop.
	 * Returns 0, -EROFS if it can only be read, -EIO or -ENOMEM. May sleep. NULL: there is
	 * nothing to do.
	 */
	int (*set_writable)(struct super_block *sb, bool writable);
	/*
	 * Change the options of a mount. Those that only a new mount has are checked, but have no
	 * effect. Returns 0, or -EINVAL and then changes nothing. Never sleeps. NULL: no options
	 * can be changed.
	 */
	int (*change_options)(struct super_block *sb, const char *options);
	/*
	 * The super block leaves memory, and its inodes have left. Free what belongs to it, but not
	 * sb->private. May sleep. NULL: there is nothing to do.
	 */
	void (*unmounted)(struct super_block *sb);
	void (*statfs)(struct super_block *sb, struct fs_statistics *st);
};

/* Returns the number of a file that programs see. */
static inline uint64_t shown_number(const struct super_block *sb, uint64_t number)
{
	return sb->ops->shown_number ? sb->ops->shown_number(number) : number;
}

/* FILE_SYSTEM(ext2, .mount = ...): registers in a linker section. */
struct file_system {
	const char *name;
	bool needs_device;
	uint32_t magic;
	/*
	 * Fill in sb->ops and call super_set_root(). Returns 0 or an error, and then sb is freed.
	 */
	int (*mount)(struct super_block *sb, const char *options);
	/*
	 * Returns true if the device holds such a file system with this label. NULL: it has no
	 * labels.
	 */
	bool (*has_label)(struct block_device *device, const char *label);
};
#define FILE_SYSTEM(fs_name, ...)                                           \
	static const struct file_system __section(".filesystems." #fs_name) \
		file_system_##fs_name = { .name = #fs_name, __VA_ARGS__ }

/* ---- inodes: fs/names/inode.c and fs/dev/special.c ---- */

/*
 * Allocate an inode with one reference and one link, and the current time. It is not hashed. With
 * sb NULL it belongs to the pseudo file system. Returns NULL if there is no memory.
 */
struct inode *inode_alloc(struct super_block *sb);
/*
 * Set the owner, group and mode of a new inode that the current process makes in `dir`, and the
 * flags that it has from there.
 */
void inode_init_owner(struct inode *inode, const struct inode *dir, unsigned int mode);
/*
 * Returns the inode with that number, with a reference. If it is not in memory, read_inode reads
 * it. Returns ERR_PTR(-ENOMEM), -ERESTARTSYS after a SIGKILL, or the error of read_inode. May
 * sleep.
 */
struct inode *inode_get_number(struct super_block *sb, uint64_t number);
/*
 * The same for a handle, whose number and generation may be any: returns the file that has both, or
 * ERR_PTR(-ESTALE). Waits while an inode with that number is being made or freed. `generation` may
 * be NULL: any. May sleep.
 */
struct inode *inode_get_by_handle(struct super_block *sb, uint64_t number,
				  const uint32_t *generation);
/* Take one more reference. The caller has one already, or holds a lock that keeps the inode. */
void inode_get(struct inode *inode);
/*
 * Drop a reference. The last one frees the inode in memory, and an inode without links is deleted
 * with its data. Does nothing for NULL. May sleep, so no spinlock may be held.
 */
void inode_put(struct inode *inode);
/*
 * Make an inode for a pipe or socket, on the pseudo file system, which is not mounted. readlink
 * shows `kind` ("pipe"), with a number unless it begins with a bracket or a slash. Returns
 * ERR_PTR(-ENOMEM) if there is no memory.
 */
struct inode *inode_anonymous(unsigned int mode, const char *kind);
/*
 * Writing to a file and running it as a program exclude each other. Each begin function counts one
 * writer or one address space, and returns 0 or -ETXTBSY. The end function undoes this.
 */
int inode_begin_writing(struct inode *inode);
void inode_end_writing(struct inode *inode);
int inode_begin_running(struct inode *inode);
void inode_end_running(struct inode *inode);
/*
 * Set mode, rdev and file_ops of a new device node, FIFO or socket, according to the type in
 * `mode`. A character device also gets its size.
 */
void inode_init_special(struct inode *inode, unsigned int mode, unsigned int rdev);
/*
 * Enter a complete inode, which has been made for a new file, under its number, so that
 * inode_get_number() finds it. Never sleeps.
 */
void inode_insert(struct inode *inode);
/*
 * Say that attributes of an inode have changed in memory. Its lock is held, or it is not known to
 * others yet, or only its access time has changed. Never sleeps.
 */
static inline void inode_changed(struct inode *inode)
{
	if (inode->sb->ops->changed)
		inode->sb->ops->changed(inode);
}
/*
 * Returns the inode of sb that follows `previous`, or the first one for NULL, with a reference.
 * Drops the reference to `previous`. Returns NULL if there are no more. May sleep.
 */
struct inode *inode_next(struct super_block *sb, struct inode *previous);

/* ---- fs/names/dentry.c ---- */

/* Give an inode to a negative dentry, which takes over the reference. The directory is locked. */
void dentry_set_inode(struct dentry *dentry, struct inode *inode);
/*
 * The last step of mounting: give the root inode its name. Returns 0, -ENOMEM, or the error in
 * `root`.
 */
int super_set_root(struct super_block *sb, struct inode *root);
/*
 * Free up to `wanted` unused dentries and their inodes (UINT_MAX: all of them), for drop_caches.
 * Returns how many were freed. May sleep, because dirty pages of these inodes are written.
 */
unsigned int dcache_shrink(unsigned int wanted);
/* Take one more reference to a dentry. The caller has one already. */
void dentry_get(struct dentry *dentry);
/* Drop a reference. An unused dentry stays in the cache for a while. Ignores NULL. May sleep. */
void dentry_put(struct dentry *dentry);
/* inode_ops.readdir of file systems with names_stay, which emits the cached names. Returns 0. */
int dentry_readdir(struct dentry *dir, struct dir_context *context);
/* Is a directory of a file system with names_stay empty? Its lock is held. */
bool dentry_is_empty(struct dentry *dir);

/* ---- fs/names/super.c ---- */

/* Print the lines of /proc/filesystems. */
void file_systems_show(struct text *text);

/* ---- fs/names/attr.c ---- */

/*
 * Check access for the current process. `may` is a set of MAY_*. Returns 0, -EACCES, -EROFS for a
 * write to a read-only file system, or -EPERM for a write to an immutable file. Never sleeps, and
 * needs no lock.
 */
int inode_permission(struct inode *inode, unsigned int may);
#define FILE_SIZE_MAX ((file_off_t)UINT32_MAX << PAGE_SHIFT) /* page indices have 32 bits */
/*
 * Returns the largest size in bytes that the current process may give to the file: its file system
 * and RLIMIT_FSIZE limit it. If byte `last` lies beyond RLIMIT_FSIZE, the task gets SIGXFSZ too.
 */
file_off_t file_size_limit(const struct inode *inode, file_off_t last);
/*
 * Clear the set-user-ID and set-group-ID bits of a file whose bytes are about to change, because
 * they were meant for the old bytes. Does nothing for root. inode->lock is held.
 */
void inode_drop_privileges(struct inode *inode);
/*
 * Does [pos, pos + len) reach beyond 2^63 - 1? Every call that moves bytes at an offset refuses
 * such a range with EINVAL, whatever the file, so that pos + len cannot overflow later. pos is not
 * negative.
 */
static inline bool range_overflows(file_off_t pos, size_t len)
{
	return (file_off_t)((uint64_t)pos + len) < 0;
}

/* ---- fs/names/truncate.c ---- */

/*
 * Change the size of a file. Takes inode->lock and may sleep. Returns 0, -EFBIG, -ETXTBSY, -ENOMEM,
 * -EIO, or -ERESTARTSYS after a SIGKILL. The file is unchanged after an error.
 */
int inode_truncate(struct inode *inode, file_off_t size);

/* ---- fs/file/file.c and fs/file/readdir.c ---- */

/*
 * Write the path of an open file, with references, to `result`, so that a caller can walk on from
 * it or open the file again (/proc/self/fd/N). A pipe or socket gets a nameless dentry. Returns 0
 * or -ENOMEM.
 */
int file_path(struct file *file, struct path *result);
/*
 * For file systems without names_stay: emit "." and ".." at the positions 0 and 1, with these inode
 * numbers. Returns false if the buffer is full.
 */
bool dir_emit_dots(struct dir_context *context, uint64_t self, uint64_t parent);

#endif
