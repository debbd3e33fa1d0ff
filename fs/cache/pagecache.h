/*
 * The page cache: the pages of a file, by page index.
 *
 * 1. mapping->lock guards the tree. A page in the tree has one reference for the tree.
 * 2. A page is locked (PG_LOCKED) while its read runs, and while its bytes change. The completion
 *    of the read sets PG_UPTODATE or PG_ERROR, unlocks it and wakes its waiters. Only a task that
 *    found the page locked by itself may unlock it.
 * 3. read-only use of an uptodate page needs a reference, not the lock.
 * 4. **Lending**: page_lend() and page_begin_write() are the two sides of the promise that bytes in
 *    a slot never change. page_begin_write() is the only way to change a cached page.
 * 5. A file system fills in mapping_ops.
 */
#ifndef FS_CACHE_PAGECACHE_H
#define FS_CACHE_PAGECACHE_H

#include "lib/list.h"
#include "mm/radix.h"
#include "kernel/spinlock.h"
#include "mm/page.h"

struct inode;
struct file;
struct iter;

struct mapping_ops {
	/*
	 * Start reading `nr` locked pages with consecutive indices that were just added; each page
	 * is unlocked when its read is done (page_read_done), also if it failed. Must not wait for
	 * data; may wait for metadata. Groups what it can into bios (fs/cache/pageio.h).
	 */
	void (*read_pages)(struct mapping *mapping, struct page **pages, unsigned int nr);
	/* Start writing one locked dirty page (PG_DIRTY already cleared, PG_WRITEBACK set; it is
	 * unlocked as soon as this returns); page_write_done when finished. An error: not started.
	 * NULL: memory only. */
	int (*write_page)(struct mapping *mapping, struct page *page);
	/* write(2) is about to fill [from, to) of the locked page: get room for it. 0 or -ENOSPC. A
	 * page that is not uptodate has a disk behind it and is to be filled whole, or gets its bytes
	 * around that here. NULL: the file is not writable (-EROFS). */
	int (*begin_write)(struct mapping *mapping, struct page *page, unsigned int from,
			   unsigned int to);
	/* Pages were added, uptodate ones or (without a store) those of a hole: get room for all of
	 * the file's. 0 or -ENOSPC: they are taken back. NULL: pages cannot be added, only written. */
	int (*begin_add)(struct mapping *mapping);
	/* Is there a disk behind it? false: tmpfs; its pages are never given up. */
	bool has_store;
};

struct mapping {
	struct inode *inode;
	const struct mapping_ops *ops;
	spinlock_t lock; /* plain; the tree, its pages' `mapping` */
	struct radix_tree pages;
	spinlock_t vma_lock;	  /* plain */
	struct list vmas;	  /* struct vma.mapping_link */
	unsigned int nr_mapped;	  /* VMAs on the list */
	struct atomic reads;	  /* in flight; each holds its page's lock */
	volatile int write_error; /* of a write-back, reported once by fsync */
};

void mapping_init(struct mapping *mapping, struct inode *inode, const struct mapping_ops *ops);

/* ---- page lock and waiting: fs/cache/pagewait.c (hashed queues) ---- */

void page_lock(struct page *page);	   /* sleeps uninterruptibly */
int page_lock_killable(struct page *page); /* 0, -ERESTARTSYS */
bool page_trylock(struct page *page);
void page_unlock(struct page *page); /* and wakes; from interrupts too */
/* Sleep until the page is unlocked: 0; -ERESTARTSYS on a signal. */
int page_wait_unlocked(struct page *page);
int page_wait_unlocked_killable(struct page *page); /* 0; -ERESTARTSYS on a SIGKILL */
/* Sleep until the page is not being written back: 0; -ERESTARTSYS on a SIGKILL / always. */
int page_wait_writeback(struct page *page);
void page_wait_writeback_always(struct page *page);
/* Clears PG_WRITEBACK and wakes; from interrupts too. File systems call page_write_done. */
void page_end_writeback(struct page *page);

/*
 * A waiter with a function: called once, when the page is unlocked (with the lock of its bucket
 * held and interrupts off: it may wake, but not arm), and is then off. A hint: test the page. Arm,
 * then test the page again: it may have been unlocked before. Re-arming on another page moves it.
 * Arming and disarming one waiter is serialised by its owner.
 */
struct page_waiter {
	struct list link;
	struct page *page; /* NULL: not armed; holds no reference itself */
	void (*wake)(struct page_waiter *);
};
void page_waiter_arm(struct page_waiter *waiter, struct page *page);
void page_waiter_disarm(struct page_waiter *waiter); /* after it the function does not run */

/* ---- finding pages: fs/cache/pagecache.c ---- */

/* The page at index with a reference, or NULL. Never sleeps. */
struct page *mapping_find(struct mapping *mapping, unsigned int index);
/* The cached pages of [index, index+nr), each with a reference, and NULL for those that are not
 * there. Never sleeps. */
void mapping_find_cached(struct mapping *mapping, unsigned int index, unsigned int nr,
			 struct page **pages);
/* The first cached page at or after *index, up to `last`, with a reference; *index is set to its
 * place. NULL: none. */
struct page *mapping_next_page(struct mapping *mapping, unsigned int *index, unsigned int last);
/* Find, or add a new locked page (*fresh true: the caller starts the read or fills it, then
 * unlocks). ERR_PTR(-ENOMEM). */
struct page *mapping_find_or_add(struct mapping *mapping, unsigned int index, bool *fresh);
/*
 * Find the cached pages from index on: up to nr, up to the first one that is missing, and up to the end
 * of a leaf of the tree. Returns how many were found; pages[] has them with a reference each. Never
 * sleeps.
 */
unsigned int mapping_find_run(struct mapping *mapping, unsigned int index, unsigned int nr,
			      struct page **pages);
/* How many pages from index on are not cached: up to nr, and up to the end of a leaf of the tree. */
unsigned int mapping_hole(struct mapping *mapping, unsigned int index, unsigned int nr);
/*
 * Insert locked pages that are in no file into the tree, from index on. The caller's references go to
 * the tree; the page locks keep the pages there. Returns how many were inserted: up to the first place
 * that is taken, or up to the end of a leaf. -ENOMEM: no memory for the tree. The caller provides a
 * pool, whose count is 0 at first, and releases it. May sleep.
 */
struct radix_pool;
int mapping_insert(struct mapping *mapping, unsigned int index, struct page **pages,
		   unsigned int nr, struct radix_pool *pool);
/* Undo the insertion of a page that has been locked since: out of the file, unlocked. The tree's
 * reference becomes the caller's again. */
void mapping_take_back(struct mapping *mapping, struct page *page);
/*
 * Put pages that the caller owns alone, whole, with one reference each, into the file from index
 * on: uptodate, dirty, with room for them; the references are the tree's then. How many: up to the
 * first one that the file has already, or 0 if there is no memory or room; the others stay as they
 * were. The file has begin_add. May sleep; inode->lock is held.
 */
unsigned int mapping_add_pages(struct mapping *mapping, unsigned int index, struct page **pages,
			       unsigned int nr);

/*
 * Make sure that pages [index, index+nr) are in the cache or on their way. Starts the reads of those
 * that are missing, in as few and as large bios as possible, and read-ahead by the file's window if
 * file != NULL. Never waits for data. Does not make pages beyond the end of the file. Pages whose reads
 * have failed (PG_ERROR) are read again if `retry` is set, and returned as they are otherwise. Returns
 * how many pages there are, consecutive from index; pages[] has them with a reference each. Returns 0
 * at the end of the file, -ENOMEM if there is no memory for the first page, -ENOSPC if it is a hole
 * that has no room (tmpfs). May sleep.
 */
int mapping_start(struct mapping *mapping, struct file *file, unsigned int index, unsigned int nr,
		  struct page **pages, bool retry);
/* Start the read of a page that the caller has locked, and found in its file; its end unlocks it. */
void page_read_locked(struct page *page);
/* Start the read of a failed, unlocked page again. */
void page_read_again(struct page *page);
/* Wait until the page is uptodate: 0; -EIO; -ENODATA: it left the file unread, look it up again;
 * -ERESTARTSYS on a SIGKILL. */
int page_wait_read(struct page *page);
/* One page, read and waited for: with a reference; ERR_PTR(-EIO, -ENOMEM, -ERESTARTSYS). */
struct page *mapping_read_page(struct mapping *mapping, unsigned int index);

/* It was used: reclaim passes it by once. */
static inline void page_mark_used(struct page *page)
{
	if (!(page->flags & PG_REFERENCED))
		set_bits(&page->flags, PG_REFERENCED);
}

/* For file systems: the read of this page has ended. Sets flags, unlocks. From interrupts too. */
void page_read_done(struct page *page, bool ok);
void page_write_done(struct page *page, bool ok);

/* Take a locked page out of its file; the tree's reference is dropped, the caller's stays. */
void mapping_remove_page(struct mapping *mapping, struct page *page);
/* Put `new` (locked, in no file, with the caller's reference) in the place of the locked page
 * `old`, whose tree reference is dropped. Cannot fail. */
void mapping_replace_page(struct mapping *mapping, struct page *old, struct page *new);

/* ---- lending and writing: fs/cache/lend.c ---- */

/*
 * Lend a cached page: its bytes are promised to a slot. The caller's reference goes to the slot.
 * Raises `lent`. If the page is uptodate, waits until it is unlocked and write-protects every mapping
 * of it. A page that is still being read is lent without waiting. Returns 0, -ENODATA if the page has
 * left its file meanwhile (look it up again), or -ERESTARTSYS after a SIGKILL. May sleep.
 */
int page_lend(struct page *page);
/* Take one promise back. Does not drop the reference. */
static inline void page_unlend(struct page *page)
{
	atomic_dec(&page->lent);
}

/*
 * Find or make page `index` of a file for changing its bytes [from, to): returned locked, uptodate
 * (if not wholly overwritten), with a reference, not lent: a lent page is waited for (read and
 * write-back), unmapped, copied, and replaced by the copy, dirty; slots keep the old one.
 * ERR_PTR(-ENOMEM, -EIO, -ENOSPC, -ERESTARTSYS).
 */
struct page *page_begin_write(struct mapping *mapping, unsigned int index, unsigned int from,
			      unsigned int to);
/*
 * Page `index` of a file is to have the bytes of `new`, which is the caller's own, whole, in no
 * file: `new` becomes the file's, locked, in the place of the page that is there, which keeps its
 * bytes for who holds it. page_end_write() follows. 0; -ENOMEM, -EIO, -ENOSPC, -ERESTARTSYS.
 */
int page_overwrite(struct mapping *mapping, unsigned int index, struct page *new);
/* Marks it uptodate and dirty, unlocks it, drops the reference. */
void page_end_write(struct page *page);
/* Instead, if the bytes could not be had: a page that was not uptodate is left failed, to be read
 * again, or, if there is no store to read it from, full of zeros. */
void page_abort_write(struct page *page);
/*
 * The same for a write fault on a shared mapping: `page` is locked and in the mapping. Returns it,
 * or its replacement (locked, with a reference; the old one unlocked and dropped), dirty.
 * ERR_PTR(-ENOMEM, -ENOSPC, -EIO, -EROFS, -ERESTARTSYS): `page` is as it was, still locked.
 * Afterwards the fault looks at `lent` once more, under the page-table lock: if it is raised, this
 * is called again.
 */
struct page *page_make_writable(struct mapping *mapping, struct page *page);

/* ---- dirty pages: fs/cache/writeback.c ---- */

/* Newer than its store. The page is locked, or being written back. */
void page_set_dirty(struct page *page);
void page_clear_dirty(struct mapping *mapping, struct page *page);
extern struct atomic nr_dirty_pages;
/* Who has made pages dirty calls this, without a page lock: writes some back when there are too
 * many. */
void page_balance_dirty(struct mapping *mapping);

/* ---- whole files: fs/file/generic.c, fs/cache/pagecache.c ---- */

/* File data through the cache: the read and write of every disk and memory file system. */
/* Copy from one page that is there. Bytes copied, 0 at the end of the file, -EFAULT. */
ssize_t generic_read_page(struct inode *inode, struct page *page, struct iter *to, int64_t pos);
ssize_t generic_file_read(struct file *file, struct iter *to, int64_t *pos);
ssize_t generic_file_write(struct file *file, struct iter *from, int64_t *pos);
/* Where a write of *len bytes begins and how much of it may be done. 0, or -EFBIG (SIGXFSZ is sent,
 * if it is the process's own limit), -ENOSPC. inode->lock is held. */
int generic_write_limit(struct file *file, int64_t *pos, size_t *len);
/*
 * End a write whose bytes reach up to `end`: page_end_write(), and the file grows if it was shorter.
 * Its size moves only when the bytes are there to be read. inode->lock is held.
 */
void generic_end_write(struct inode *inode, struct page *page, int64_t end);
/* file_ops.mmap and fsync for such files. */
struct vma;
int generic_file_mmap(struct file *file, struct vma *vma);
int generic_file_fsync(struct file *file);
/*
 * Shrinking a file to `size`, in two steps, with the inode's lock held. The first one does all that
 * can fail and changes nothing: it returns the page in which the file will end, as
 * page_begin_write() does; NULL if there is none; ERR_PTR(-EIO, -ENOMEM, -ERESTARTSYS).
 */
struct page *mapping_begin_truncate(struct mapping *mapping, int64_t size);
/*
 * The second one cannot fail. The inode's size has been set in between, so that nobody adds pages
 * behind us. It zeroes the rest of that page, so that a file that grows again shows zeros there,
 * and removes the pages beyond it. Waits for reads in flight.
 */
void mapping_truncate(struct mapping *mapping, int64_t size, struct page *tail);
/* Write dirty pages and wait. 0 or -EIO. */
int mapping_sync(struct mapping *mapping);
/* Drop clean, unused, unlent pages of [first, last]; returns how many. POSIX_FADV_DONTNEED,
 * drop_caches. */
unsigned int mapping_drop_clean(struct mapping *mapping, unsigned int first, unsigned int last);
/*
 * Bytes are going to reach the store past the cache: keep the places of pages [first, last] with
 * locked pages that have no bytes, so that nobody reads what is there now, or is about to. False:
 * one of them is in the cache, or there is no memory. Then nothing is kept. Sleeps for memory only.
 */
bool mapping_reserve(struct mapping *mapping, unsigned int first, unsigned int last);
/* Pages [first, end) that were reserved go, or are read, if somebody waits for them. Cannot fail. */
void mapping_unreserve(struct mapping *mapping, unsigned int first, unsigned int end);
/* Wait for the reads in flight: 0, or -ERESTARTSYS if a kill came. Others may start meanwhile. */
int mapping_wait_reads(struct mapping *mapping);
/* All pages, clean or not: inode leaves memory. Waits for IO in flight. */
void mapping_destroy(struct mapping *mapping);

extern struct atomic nr_cached_pages;

#endif
