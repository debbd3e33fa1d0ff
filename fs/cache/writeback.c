/*
 * Dirty pages, and writing them back.
 *
 * 1. PG_DIRTY says that a page is newer than its store. It is set and cleared only here, so that
 *    nr_dirty_pages counts the dirty pages of files with a store.
 * 2. A page that is written back is PG_WRITEBACK and not locked: it can be read and lent. Who wants
 *    to change it waits, so that the disk gets one state of it.
 * 3. PG_DIRTY is cleared, and user mappings are write-protected, before the write starts: a store
 *    after that faults, and makes the page dirty again.
 * 4. A page whose write failed stays dirty, and the next sync tries again; mapping->write_error
 *    tells it to one fsync.
 * 5. Who makes pages dirty faster than anybody writes them back writes back its own:
 *    page_balance_dirty().
 */
#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "mm/vm/vm.h"

#define DIRTY_PART 8u /* of memory at most 1/8 is dirty */

struct atomic nr_dirty_pages;

void page_set_dirty(struct page *page)
{
	struct mapping *mapping = page->mapping;

	if (READ_ONCE(page->flags) & PG_DIRTY)
		return;
	if (test_and_set_bits(&page->flags, PG_DIRTY) && mapping && mapping->ops->has_store)
		atomic_inc(&nr_dirty_pages);
}

void page_clear_dirty(struct mapping *mapping, struct page *page)
{
	if (!(READ_ONCE(page->flags) & PG_DIRTY))
		return;
	if (__sync_fetch_and_and(&page->flags, ~PG_DIRTY) & PG_DIRTY && mapping->ops->has_store)
		atomic_dec(&nr_dirty_pages);
}

void page_write_done(struct page *page, bool ok)
{
	struct mapping *mapping = page->mapping;

	if (!ok) {
		mapping->write_error = -EIO;
		page_set_dirty(page);
	}
	page_end_writeback(page);
}

/* Start writing a page if it is dirty and still in the file. */
static int write_back(struct mapping *mapping, struct page *page)
{
	int error = page_lock_killable(page);

	if (error)
		return error;
	if (page->mapping != mapping || !(page->flags & PG_DIRTY))
		goto unlock;
	error = page_wait_writeback(page);
	if (error)
		goto unlock;
	page_clear_dirty(mapping, page);
	if (atomic_read(&page->mapped) > 0)
		mapping_protect_page(mapping, page);
	set_bits(&page->flags, PG_WRITEBACK);
	error = mapping->ops->write_page(mapping, page);
	if (error)
		page_write_done(page, false);
unlock:
	page_unlock(page);
	return error;
}

static int wait_written(struct mapping *mapping, struct page *page)
{
	return page_wait_writeback(page);
}

/* Call `each` for every page that has one of the flags; stops at an error. */
static int for_each_flagged(struct mapping *mapping, unsigned int bits,
			    int (*each)(struct mapping *, struct page *))
{
	unsigned int index = 0;
	struct page *page;
	int error = 0;

	while (!error && (page = mapping_next_page(mapping, &index, UINT32_MAX)) != NULL) {
		if (READ_ONCE(page->flags) & bits)
			error = each(mapping, page);
		page_put(page);
		if (index++ == UINT32_MAX)
			break;
	}
	return error;
}

static int write_all(struct mapping *mapping)
{
	int error, waited;

	if (!mapping->ops || !mapping->ops->has_store || !mapping->ops->write_page)
		return 0;
	error = for_each_flagged(mapping, PG_DIRTY, write_back);
	waited = for_each_flagged(mapping, PG_WRITEBACK, wait_written);
	return error ? error : waited;
}

int mapping_sync(struct mapping *mapping)
{
	int error = write_all(mapping);

	if (mapping->write_error) {
		error = mapping->write_error;
		mapping->write_error = 0;
	}
	return error;
}

void page_balance_dirty(struct mapping *mapping)
{
	if ((unsigned int)atomic_read(&nr_dirty_pages) > nr_frames / DIRTY_PART)
		write_all(mapping); /* its errors wait in write_error for fsync */
}
