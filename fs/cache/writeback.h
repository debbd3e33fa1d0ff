/*
 * Dirty pages of files, and writing them back.
 */
#ifndef FS_CACHE_WRITEBACK_H
#define FS_CACHE_WRITEBACK_H

#include "fs/cache/pagecache.h"

/* Note that the page is newer than its store. It is locked, or being written back. */
void page_set_dirty(struct page *page);
/* Note that the file has `nr` dirty pages more, or, if it is negative, less. Only for fs/cache. */
void mapping_count_dirty(struct mapping *mapping, int nr);
/* Clear PG_DIRTY of a page that is being written back or removed. It is locked. */
void page_clear_dirty(struct mapping *mapping, struct page *page);
extern struct atomic nr_dirty_pages;
/* How many bytes of a page lie before the end of its file: up to PAGE_SIZE. */
unsigned int mapping_page_bytes(struct mapping *mapping, const struct page *page);
/*
 * Called after pages of the file have been made dirty, without a page lock. Writes them back if the
 * system has too many dirty pages. May sleep.
 */
void page_balance_dirty(struct mapping *mapping);
/* How long a call has waited for room: see mapping_ops.wait_for_room. */
struct room_wait {
	unsigned int tries;
	uint64_t end; /* the time after which only the first tries are made */
};
/* For the caller of begin_write after -ENOSPC: mapping_ops.wait_for_room, if there is one. */
static inline bool mapping_room_comes(struct mapping *mapping, struct room_wait *wait)
{
	return mapping->ops->wait_for_room && mapping->ops->wait_for_room(mapping, wait);
}

/*
 * Start to write a page of any file, and its neighbours, if it is dirty and its lock is free. The
 * caller has a reference. Returns as mapping_ops.write_pages, and 0 if there is nothing to do. May
 * sleep for metadata.
 */
int page_try_write(struct page *page);

/*
 * For file systems: the write of this page has ended, with `error` 0 or -EIO. Another error means
 * that it was not written as a whole, though nothing is wrong with the disk: the page stays dirty.
 * May be called in an interrupt.
 */
void page_write_done(struct page *page, int error);

/*
 * Start to write the dirty pages, without waiting until they are written. Returns 0, -ERESTARTSYS
 * after a SIGKILL, or -EIO or -ENOMEM if a write could not be started, and the page is dirty still.
 * May sleep: for metadata, and for the locks of pages.
 */
int mapping_start_write(struct mapping *mapping);
/*
 * The same for the pages [first, last], but pass over pages that are locked or being written. For
 * sync_file_range(2), which must not wait for them.
 */
int mapping_start_range(struct mapping *mapping, unsigned int first, unsigned int last);
/* Wait until those of the pages [first, last] are written that are being written now. */
int mapping_wait_range(struct mapping *mapping, unsigned int first, unsigned int last);
/*
 * Returns -EIO if a write has failed since the last call, and otherwise 0. For fsync, which reports
 * a failure once. Never sleeps.
 */
int mapping_take_error(struct mapping *mapping);
/* Has a write failed that fsync has not reported yet? Never sleeps. */
static inline bool mapping_has_failed(const struct mapping *mapping)
{
	return mapping->failed_for_fsync;
}
/*
 * Write the dirty pages, and wait until they are written. Returns 0, -ERESTARTSYS after a SIGKILL,
 * or the error of a write since the last call. May sleep.
 */
int mapping_sync(struct mapping *mapping);
/*
 * The same, but whether the writes have failed is left to mapping_take_error(). -ENOMEM: there was
 * no memory to start a write, and the page is dirty still.
 */
int mapping_write(struct mapping *mapping);
/* The same for the pages [first, last]. Neighbours that are dirty may be written with them. */
int mapping_write_range(struct mapping *mapping, unsigned int first, unsigned int last);
/*
 * Write a locked page of a file with a store if it is dirty, and wait until it is written. Mappings
 * of it are write-protected, and it stays locked. Returns 0, -EIO, -ENOMEM, or -ERESTARTSYS after a
 * SIGKILL; after an error it may still be dirty or being written. May sleep.
 */
int page_write_locked(struct mapping *mapping, struct page *page);
/*
 * The file has grown from `old` bytes. If the page in which it ended has room for these only, its
 * mappings are write-protected, so that the next store gets room for the bytes behind them. The
 * inode has its new size already. inode->lock is held, but no page lock. May sleep.
 */
void mapping_grown(struct mapping *mapping, int64_t old);
/*
 * The same before the file grows from `old` bytes: the page stays locked until the caller has set
 * the new size and unlocks it, so a store meanwhile waits. Returns the page with a reference, or
 * NULL if there is nothing to protect. inode->lock is held, but no page lock. May sleep.
 */
struct page *mapping_begin_grow(struct mapping *mapping, int64_t old);

#endif
