/*
 * Whole files and ranges of them in the page cache: truncating, removing and dropping pages. The
 * contract is in fs/cache/pagecache.h.
 *
 * Each function walks the pages that are there, in the order of their indices, with a reference to
 * one at a time. Pages that other tasks add behind the walk do no harm: a truncated file has got
 * its new size before, and the others take what they find.
 */
#include "fs/cache/lru.h"
#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

unsigned int mapping_drop_clean(struct mapping *mapping, unsigned int first, unsigned int last)
{
	unsigned int dropped = 0;
	struct page *page;

	for (; (page = mapping_next_page(mapping, &first, last)) != NULL; first++) {
		dropped += page_try_drop(page);
		page_put(page);
	}
	return dropped;
}

int mapping_wait_reads(struct mapping *mapping)
{
	unsigned int index = 0;
	struct page *page;
	int error = 0;

	for (; !error && atomic_read(&mapping->reads) > 0 &&
	       (page = mapping_next_page(mapping, &index, UINT32_MAX)) != NULL;
	     index++) {
		error = page_wait(page, PG_LOCKED, TASK_KILLABLE);
		page_put(page);
	}
	return error;
}

/* ---- truncating and removing ---- */

/*
 * Remove the pages [first, last], each after the end of its read and its write-back. While we wait
 * for the lock of a page, a store through a mapping may replace it. Then it is no longer in the
 * file, but the page that has replaced it has the same index, and is found next.
 */
static void remove_pages(struct mapping *mapping, unsigned int first, unsigned int last)
{
	struct page *page;

	while ((page = mapping_next_page(mapping, &first, last)) != NULL) {
		page_lock(page, TASK_UNINTERRUPTIBLE);
		if (page->mapping == mapping) {
			page_wait(page, PG_WRITEBACK, TASK_UNINTERRUPTIBLE);
			mapping_unmap_page(mapping, page);
			mapping_remove_page(mapping, page, true);
		}
		page_unlock(page);
		page_put(page);
	}
}

void mapping_remove_range(struct mapping *mapping, unsigned int first, unsigned int last)
{
	mapping_unmap_range(mapping, first, last);
	remove_pages(mapping, first, last);
}

/* Returns the offset behind the last byte of [from, to) of a page that is not zero, or `from`. */
static unsigned int end_of_bytes(struct page *page, unsigned int from, unsigned int to)
{
	const char *address = kmap_local(page);

	while (to > from && address[to - 1] == 0)
		to--;
	kunmap_local((void *)address);
	return to;
}

struct page *mapping_begin_truncate(struct mapping *mapping, file_off_t size)
{
	unsigned int index = size >> PAGE_SHIFT;
	unsigned int from = size & (PAGE_SIZE - 1), to = PAGE_SIZE;
	struct page *page;

	if (from == 0)
		return NULL;
	if (mapping->ops->has_store) {
		/*
		 * If it has zeros there, as in a hole, it stays as it is, and needs no room on the
		 * disk.
		 */
		page = mapping_read_page(mapping, index);
		if (IS_ERR(page))
			return page;
		to = end_of_bytes(page, from, PAGE_SIZE);
		page_put(page);
	} else {
		page = mapping_find(mapping, index);
		if (page)
			page_put(page);
		else
			to = from; /* a page that is not there is all zeros */
	}
	return to > from ? page_begin_write(mapping, index, from, to) : NULL;
}

void mapping_truncate(struct mapping *mapping, file_off_t size, struct page *tail)
{
	file_off_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	unsigned int from = size & (PAGE_SIZE - 1);
	struct page *page;

	if (tail) {
		page_zero(tail, from, PAGE_SIZE - from);
		page_end_write(tail);
	}
	if (!tail && from > 0 && (page = mapping_find(mapping, size >> PAGE_SHIFT))) {
		/* It may hold the place of a direct read that has seen the old size. */
		page_lock(page, TASK_UNINTERRUPTIBLE);
		page_unlock(page);
		page_put(page);
	}
	if (first <= UINT32_MAX)
		mapping_remove_range(mapping, first, UINT32_MAX);
}

void mapping_destroy(struct mapping *mapping)
{
	remove_pages(mapping, 0, UINT32_MAX);
	assert(mapping->pages.count == 0 && atomic_read(&mapping->reads) == 0);
}
