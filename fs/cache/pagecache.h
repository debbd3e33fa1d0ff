/*
 * The page cache: the pages of each file, by page index.
 *
 * To read a file:	mapping_start() finds the pages or starts their reads,
 *			page_wait_read() waits for one of them, kmap_local() maps
 *			it, page_put() drops it.
 * To change a file:	page_begin_write() returns a page that may be changed, page_end_write()
 *			makes it dirty and releases it.
 * To promise bytes:	page_lend(), and page_unlend() when the promise ends.
 *
 * 1. mapping->lock guards the tree of pages. The tree has one reference to each of its pages.
 * 2. A page is locked (PG_LOCKED) while its read runs and while its bytes change. The completion of
 *    a read sets PG_UPTODATE or PG_ERROR, unlocks the page and wakes its waiters.
 * 3. Reading an uptodate page needs a reference, but not the lock.
 * 4. page_lend() and page_begin_write() are the two sides of the promise that the bytes in a slot
 *    never change. page_begin_write() is the only way to change a cached page.
 * 5. A file system provides mapping_ops.
 * 6. Dirty pages, and writing them back, are in fs/cache/writeback.h.
 */
#ifndef FS_CACHE_PAGECACHE_H
#define FS_CACHE_PAGECACHE_H

#include "lib/list.h"
#include "mm/radix.h"
#include "kernel/wait.h"
#include "mm/page.h"

struct room_wait;
struct inode;
struct file;
struct iter;

struct mapping_ops {
	/*
	 * Start to read `nr` locked pages with consecutive indices. page_read_done() unlocks each
	 * page when its read has ended, even if it failed. May wait for metadata, but not for data.
	 */
	void (*read_pages)(struct mapping *mapping, struct page **pages, unsigned int nr);
	/*
	 * Start to write `nr` locked pages with consecutive indices, whose PG_DIRTY has been
	 * cleared and PG_WRITEBACK set. The caller unlocks them as soon as this returns.
	 * page_write_done() ends the write of each page, even if it has not been started. Returns
	 * 0, or the error of the first page that has not been started as a whole. NULL: the file
	 * exists in memory only.
	 */
	int (*write_pages)(struct mapping *mapping, struct page **pages, unsigned int nr);
	/*
	 * The caller is about to fill [from, to) of the locked page. Reserve room for it: 0,
	 * -ENOSPC, or another error. If the page is not uptodate, either the caller fills the whole
	 * page, or this function provides the bytes around that range. It may make the page dirty:
	 * a page that is dirty and not uptodate has got room where there was a hole, and becomes
	 * zeros if the write fails. NULL: the file cannot be written (-EROFS).
	 */
	int (*begin_write)(struct mapping *mapping, struct page *page, unsigned int from,
			   unsigned int to);
	/*
	 * Pages have been added to the tree. They are locked, and have consecutive indices. Reserve
	 * room for them: returns how many have got room, from the first one on, or an error if
	 * none. The others are taken back. Places of a direct write are not uptodate, and 0 means
	 * that the first one has to go through the cache. NULL: pages cannot be added, only
	 * written.
	 */
	int (*begin_add)(struct mapping *mapping, struct page **pages, unsigned int nr);
	/*
	 * begin_write has returned -ENOSPC. Wait until room that is being freed can be used.
	 * Returns whether to try again. *wait belongs to the call that writes, and is zero at
	 * first. No page lock is held. May sleep. NULL: there is never such room.
	 */
	bool (*wait_for_room)(struct mapping *mapping, struct room_wait *wait);
	/* Is there a disk behind the file? If not (tmpfs), its pages are never dropped. */
	bool has_store;
	/* Called by page_balance_dirty(). May sleep. NULL: nothing to do. */
	void (*balance)(struct mapping *mapping);
	/* For O_DIRECT: fs/cache/pageio.h. NULL: open(2) refuses it. */
	const struct direct_ops *direct;
	/*
	 * begin_write is called for a dirty page as well, which may have room for a part of its
	 * bytes only.
	 */
	bool room_by_parts;
};

struct mapping {
	struct inode *inode;
	const struct mapping_ops *ops;
	spinlock_t lock; /* plain; the tree, its pages' `mapping` */
	struct radix_tree pages;
	spinlock_t vma_lock; /* plain */
	struct list vmas;    /* struct vma.mapping_link */
	/*
	 * Reads in flight, each of which holds the lock of its page; pages with a store that are
	 * dirty, and those that are being written.
	 */
	struct atomic reads, dirty, writing;
	/* A write-back has failed since fsync last reported it; since a commit last began one. */
	volatile bool failed_for_fsync, failed_for_commit;
	bool sealed;   /* no new mapping may be shared and writable; guarded by vma_lock */
	uint8_t seals; /* fs/file/seal.h; guarded by inode->lock */
};

/* Prepare the mapping of an inode, which is all zeros or has no pages. Never sleeps. */
void mapping_init(struct mapping *mapping, struct inode *inode, const struct mapping_ops *ops);

/* ---- page lock and waiting: fs/cache/pagewait.c ---- */

/*
 * Lock the page. Sleeps in `state`. Returns 0, or -ERESTARTSYS if `state` is TASK_KILLABLE and a
 * SIGKILL comes, or if it is TASK_INTERRUPTIBLE and a signal comes.
 */
int page_lock(struct page *page, enum task_state state);
/* Lock the page, unless it is locked. Returns true if the page is the caller's. Never sleeps. */
bool page_trylock(struct page *page);
/* Unlock the page and wake those who wait for it. May be called in an interrupt. */
void page_unlock(struct page *page);
/*
 * Sleep until none of `bits`, which are PG_LOCKED and PG_WRITEBACK, is set. Returns as page_lock().
 */
int page_wait_slow(struct page *page, unsigned int bits, enum task_state state);
static inline int page_wait(struct page *page, unsigned int bits, enum task_state state)
{
	return page_has(page, bits) ? page_wait_slow(page, bits, state) : 0;
}
/*
 * Clear PG_WRITEBACK and wake those who wait for it. May be called in an interrupt. File systems
 * call page_write_done().
 */
void page_end_writeback(struct page *page);

/*
 * A waiter with a function (waiter.wake), which is called in interrupts, too, while it is armed and
 * its page is unlocked. It may wake tasks, but must not arm or disarm a waiter of pages. The call
 * is a hint, which may also come for another page, so look at the page again.
 *
 * Arm first, and then test the page: it may have been unlocked before the waiter was armed. Arming
 * an armed waiter on another page moves it. The owner of a waiter serialises its arming and
 * disarming. After disarming the function does not run.
 */
struct page_waiter {
	struct waiter waiter;
	/* NULL: not armed. The waiter has no reference, and does not use the page. */
	struct page *page;
};
void page_waiter_arm(struct page_waiter *waiter, struct page *page);
void page_waiter_disarm(struct page_waiter *waiter);

/*
 * For file systems: the read of this page, which is locked, has ended. May be called in an
 * interrupt.
 */
void page_read_done(struct page *page, bool ok);
/*
 * Why a page that was found with these flags, neither uptodate nor locked, could not be read: -EIO,
 * -ENOMEM if its read could not be started (PG_NOT_READ), or -ENODATA if it has left its file (look
 * it up again).
 */
int page_read_error(const struct page *page, unsigned int flags);
/*
 * Wait until the page is uptodate. Returns 0, an error of page_read_error(), or -ERESTARTSYS on a
 * SIGKILL. What another task lacked is no error for this one: it starts a read that was not started
 * (PG_NOT_READ) itself, and returns -ENOMEM only if it finds no memory either.
 */
int page_wait_read(struct page *page);

/* ---- finding, adding and removing pages: fs/cache/pagecache.c ---- */

/* The page at index with a reference, or NULL. Never sleeps. */
struct page *mapping_find(struct mapping *mapping, unsigned int index);
/*
 * The first cached page at or after *index, up to `last`, with a reference. Sets *index to its
 * index. NULL: there is none.
 */
struct page *mapping_next_page(struct mapping *mapping, unsigned int *index, unsigned int last);
/*
 * Find the page at index, or add a new one. A new page is locked and *fresh is set: the caller
 * starts its read, or fills and unlocks it. Returns the page with a reference, or ERR_PTR(-ENOMEM).
 * May sleep.
 */
struct page *mapping_find_or_add(struct mapping *mapping, unsigned int index, bool *fresh);
/*
 * Find the cached pages from index on: up to nr, up to the first one that is missing, and up to the
 * end of a leaf of the tree. Returns how many were found; pages[] has them with a reference each.
 * With `holes`, pages that are missing are passed over and counted, and their places in pages[]
 * stay as they were. Never sleeps.
 */
unsigned int mapping_find_run(struct mapping *mapping, unsigned int index, unsigned int nr,
			      struct page **pages, bool holes);
/*
 * How many pages from index on are not cached: up to nr, and up to the end of a leaf of the tree.
 */
unsigned int mapping_hole(struct mapping *mapping, unsigned int index, unsigned int nr);
/*
 * Allocate locked pages and make them pages of the file, from index on. The tree has the only
 * reference, and the page locks keep the pages there. Returns how many were added: up to nr, up to
 * the first index that the file has a page for, and up to the end of a leaf of the tree. -ENOMEM:
 * there is no memory. `flags` are those of page_alloc(). May sleep.
 */
int mapping_add_new(struct mapping *mapping, unsigned int index, struct page **pages,
		    unsigned int nr, unsigned int flags);
/*
 * Undo the insertion of a page that has been locked since then: remove it from the file and unlock
 * it. The tree's reference becomes the caller's again.
 */
void mapping_take_back(struct mapping *mapping, struct page *page);
/*
 * Make whole pages that only the caller holds, with one reference each, pages of the file from
 * index on. They become uptodate and dirty, and the references go to the tree. Returns how many
 * pages were added: up to the first index that the file has a page for, or 0 if there is no memory
 * or no room. The other pages stay as they were. The file has begin_add. May sleep. inode->lock is
 * held.
 */
unsigned int mapping_add_pages(struct mapping *mapping, unsigned int index, struct page **pages,
			       unsigned int nr);

/* Note that the page has been used. Reclaim then spares it once. */
static inline void page_mark_used(struct page *page)
{
	if (!page_has(page, PG_REFERENCED))
		set_bits(&page->flags, PG_REFERENCED);
}

/*
 * Remove a locked page from its file. The tree's reference is dropped, the caller's stays. A page
 * that is dirty, is written back, or has other references is removed only if `used` is set. Returns
 * whether the page has been removed.
 */
bool mapping_remove_page(struct mapping *mapping, struct page *page, bool used);
/*
 * Replace the locked page `old` by `new`, which is locked and in no file. The tree takes a
 * reference to `new`. `old` is unmapped and unlocked, and loses the caller's reference. Cannot
 * fail.
 */
void mapping_replace_page(struct mapping *mapping, struct page *old, struct page *new);

/* ---- reading pages: fs/cache/read.c ---- */

/*
 * Make sure that pages [index, index+nr) are in the cache or on their way. Starts the reads of
 * those that are missing, in as few and as large bios as possible, and read-ahead by the file's
 * window if file != NULL. Never waits for data. Does not make pages beyond the end of the file.
 * Pages whose reads have failed (PG_ERROR) are read again if `retry` is set, and returned as they
 * are otherwise. Returns how many pages there are, consecutive from index; pages[] has them with a
 * reference each. Returns 0 at the end of the file, -ENOMEM if there is no memory for the first
 * page, -ENOSPC if it is a hole that has no room (tmpfs). May sleep.
 */
int mapping_start(struct mapping *mapping, struct file *file, unsigned int index, unsigned int nr,
		  struct page **pages, bool retry);
/*
 * Start the read of a page in its file, which the caller has locked. The end of the read unlocks
 * it.
 */
void page_read_locked(struct page *page);
/*
 * Start the read of a failed page again, unless its lock is taken. Returns whether it was free. May
 * wait for metadata.
 */
bool page_read_again(struct page *page);
/*
 * Read one page and wait for it. Returns it with a reference, or ERR_PTR(-EIO, -ENOMEM,
 * -ERESTARTSYS).
 */
struct page *mapping_read_page(struct mapping *mapping, unsigned int index);

/* ---- lending and writing: fs/cache/lend.c ---- */

/*
 * Lend a cached page: its bytes are promised to a slot. The caller's reference goes to the slot.
 * Raises `lent`. If the page is uptodate, waits until it is unlocked and write-protects every
 * mapping of it. A page that is still being read is lent without waiting. Returns 0, -ENODATA if
 * the page has left its file meanwhile (look it up again), or -ERESTARTSYS after a SIGKILL. May
 * sleep.
 */
int page_lend(struct page *page);
/* Take one promise back. Does not drop the reference. */
static inline void page_unlend(struct page *page)
{
	atomic_dec(&page->lent);
}

/*
 * Get page `index` of a file in order to change its bytes [from, to). The page is returned locked
 * and with a reference. It is not lent, has room in the file system, and is uptodate unless the
 * whole page will be overwritten. If the page was lent, it has been replaced by a copy, and the
 * slots keep the old page. Call page_end_write() or page_abort_write() afterwards. Returns
 * ERR_PTR(-EROFS, -ENOMEM, -EIO, -ENOSPC, -ERESTARTSYS) on failure. May sleep.
 */
struct page *page_begin_write(struct mapping *mapping, unsigned int index, unsigned int from,
			      unsigned int to);
/*
 * Make `new`, a whole page that only the caller holds, page `index` of the file. It takes the place
 * of the page that is there, whose other holders keep its bytes. The reference goes to the file.
 * Returns 0, -ENOMEM, -EIO, -ENOSPC or -ERESTARTSYS. May sleep.
 */
int page_overwrite(struct mapping *mapping, unsigned int index, struct page *new);
/* End a write: the page becomes uptodate and dirty, is unlocked, and loses the reference. */
void page_end_write(struct page *page);
/*
 * End a write whose bytes were not available. A page that was not uptodate is read afterwards. If
 * it has no store, it is filled with zeros.
 */
void page_abort_write(struct page *page);
/*
 * page_begin_write() for a write fault on a shared mapping. `page` is locked and in the mapping.
 * Returns it, dirty. If it was lent, returns its replacement instead, locked and with a reference,
 * and the old page is unlocked and dropped. On an error, ERR_PTR(-ENOMEM, -ENOSPC, -EIO, -EROFS,
 * -ERESTARTSYS), `page` is still locked and as it was. The fault maps the page before it unlocks
 * it.
 */
struct page *page_make_writable(struct mapping *mapping, struct page *page);

/* ---- whole files: fs/cache/truncate.c ---- */

/*
 * Shrink a file to `size` in two steps, with the inode's lock held. The first step does everything
 * that can fail, and changes nothing. It returns the page in which the file will end, as
 * page_begin_write() does, NULL if there is no such page, or ERR_PTR(-EIO, -ENOMEM, -ERESTARTSYS).
 * May sleep.
 */
struct page *mapping_begin_truncate(struct mapping *mapping, int64_t size);
/*
 * The second step cannot fail. The inode's size has been set in between, so that no task adds pages
 * beyond it. This zeroes the rest of `tail`, so that the file shows zeros there if it grows again,
 * and removes the pages behind it. Waits for reads in flight.
 */
void mapping_truncate(struct mapping *mapping, int64_t size, struct page *tail);
/*
 * Remove the pages [first, last] from the file and from every mapping of it. Slots keep theirs.
 * Waits for reads in flight, and cannot fail. inode->lock is held.
 */
void mapping_remove_range(struct mapping *mapping, unsigned int first, unsigned int last);
/*
 * Drop those of the pages [first, last] that are clean, unused and not lent (POSIX_FADV_DONTNEED,
 * drop_caches). Returns how many were dropped. Does not wait for IO.
 */
unsigned int mapping_drop_clean(struct mapping *mapping, unsigned int first, unsigned int last);
/*
 * Wait for the reads in flight. Others may start meanwhile. Returns 0, or -ERESTARTSYS after a
 * SIGKILL.
 */
int mapping_wait_reads(struct mapping *mapping);
/* Remove all pages, dirty or not, of an inode that leaves memory. Waits for IO in flight. */
void mapping_destroy(struct mapping *mapping);

extern struct atomic nr_cached_pages;

#endif
