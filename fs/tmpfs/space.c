/*
 * Holes of tmpfs: where they are, filling them with room for later (fallocate), and punching them.
 *
 * 1. A page without bytes is room that fallocate has taken. It has PG_ERROR and not PG_UPTODATE, as
 *    if its read had failed. So it reads as zeros like a hole, a fault reads it (memory_read_pages
 *    fills it with zeros), and a write fills what it does not overwrite.
 *    While a call adds such pages, they have PG_NOT_READ as well.
 * 2. Such pages may lie beyond the end of the file (FALLOC_FL_KEEP_SIZE). Nobody sees them there.
 *    Truncating the file frees them, even to the size that it has.
 */
#include "fs/cache/pagecache.h"
#include "fs/file/allocate.h"
#include "fs/tmpfs/space.h"
#include "fs/names/times.h"
#include "kernel/signals/signal.h"
#include "kernel/cpu/cpu.h"
#include "kernel/task.h"
#include "mm/kmap.h"

#define ADD_BATCH 16u /* pages */

/* ---- finding ---- */

/* Returns the first byte at or after pos that has bytes, or the size. */
static file_off_t find_data(struct mapping *mapping, file_off_t pos, file_off_t size)
{
	unsigned int index = pos >> PAGE_SHIFT, last = (size - 1) >> PAGE_SHIFT;
	struct page *page;
	bool found = false;

	while ((page = mapping_next_page(mapping, &index, last)) != NULL) {
		found = page_has(page, PG_UPTODATE);
		page_put(page);
		if (found)
			return MAX(pos, (file_off_t)index << PAGE_SHIFT);
		if (index++ == last)
			break;
	}
	return size;
}

static file_off_t find_hole(struct mapping *mapping, file_off_t pos, file_off_t size)
{
	while (pos < size) {
		struct page *page = mapping_find(mapping, pos >> PAGE_SHIFT);
		bool data = page && page_has(page, PG_UPTODATE);

		if (page)
			page_put(page);
		if (!data)
			break;
		pos = (pos | (PAGE_SIZE - 1)) + 1;
	}
	return MIN(pos, size);
}

file_off_t tmpfs_llseek(struct file *file, file_off_t offset, int whence)
{
	struct mapping *mapping = &file->inode->mapping;
	file_off_t size = inode_size(file->inode);

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_llseek(file, offset, whence);
	if (offset < 0 || offset >= size)
		return -ENXIO;
	offset = whence == SEEK_DATA ? find_data(mapping, offset, size)
				     : find_hole(mapping, offset, size);
	if (whence == SEEK_DATA && offset == size)
		return -ENXIO;
	return generic_llseek(file, offset, SEEK_SET);
}

/* ---- filling ---- */

/* Is the page without bytes, and has it been added by a call that has not ended? */
static bool is_new(const struct page *page)
{
	return page_has(page, PG_NOT_READ) && !page_has(page, PG_UPTODATE);
}

/*
 * The call has ended. Keep the pages that it has added in [first, end), or free them. Those without
 * bytes that were there before are room that somebody has taken.
 */
static void end_filling(struct mapping *mapping, unsigned int first, unsigned int end, bool keep)
{
	struct page *page;

	for (; first < end && (page = mapping_next_page(mapping, &first, end - 1)) != NULL;
	     first++) {
		if (keep) {
			clear_bits(&page->flags, PG_NOT_READ);
		} else if (is_new(page) && page_trylock(page)) {
			if (page->mapping == mapping && is_new(page))
				mapping_remove_page(mapping, page, false);
			page_unlock(page);
		}
		page_put(page);
	}
}

/*
 * Add pages without bytes in the holes from index on. Returns how many places were passed, or an
 * error.
 */
static int add_empty(struct inode *inode, unsigned int index, unsigned int nr)
{
	struct page *pages[ADD_BATCH];
	int added;

	if (kill_pending())
		return -EINTR;
	if (this_cpu()->need_resched)
		schedule();
	nr = MIN(nr, ADD_BATCH);
	added = mapping_hole(&inode->mapping, index, nr);
	if (added == 0)
		return 1;
	added = mapping_add_new(&inode->mapping, index, pages, added, ALLOC_OPTIONAL);
	for (int i = 0; i < added; i++) {
		set_bits(&pages[i]->flags, PG_ERROR | PG_NOT_READ);
		page_unlock(pages[i]);
	}
	if (added > 0 && !tmpfs_count(inode, true, false))
		return -ENOSPC;
	return added;
}

static int fill(struct inode *inode, file_off_t start, file_off_t end)
{
	struct tmpfs *tmpfs = inode->sb->private;
	unsigned int first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT, index = first;
	int n = 0;

	/* What can never fit is refused at once, before other files feel a lack of room. */
	if (tmpfs->max_pages && last - first >= tmpfs->max_pages)
		return -ENOSPC;
	while (n >= 0 && index <= last) {
		n = add_empty(inode, index, last - index + 1);
		index += MAX(n, 0);
	}
	end_filling(&inode->mapping, first, last + 1, n >= 0);
	if (n < 0) {
		tmpfs_count(inode, false, false);
		return n;
	}
	return 0;
}

/* ---- punching ---- */

/*
 * Get a page of which a part becomes zeros, as page_begin_write() does. Returns NULL if there are
 * only zeros there, or an error.
 */
static struct page *begin_edge(struct mapping *mapping, file_off_t from, file_off_t to)
{
	struct page *page = mapping_find(mapping, from >> PAGE_SHIFT);
	bool data = page && page_has(page, PG_UPTODATE);

	if (page)
		page_put(page);
	if (!data || from >= to)
		return NULL;
	return page_begin_write(mapping, from >> PAGE_SHIFT, from & (PAGE_SIZE - 1),
				((to - 1) & (PAGE_SIZE - 1)) + 1);
}

static void end_edge(struct page *page, file_off_t from, file_off_t to)
{
	if (!page)
		return;
	page_zero(page, from & (PAGE_SIZE - 1), to - from);
	page_end_write(page);
}

/* Both edges are made ready before anything changes. After that nothing can fail. */
static int punch(struct inode *inode, file_off_t start, file_off_t end)
{
	struct mapping *mapping = &inode->mapping;
	file_off_t first = (start + PAGE_SIZE - 1) & ~(file_off_t)(PAGE_SIZE - 1);
	file_off_t behind = end & ~(file_off_t)(PAGE_SIZE - 1);
	file_off_t head_end = MIN(first, end);
	file_off_t tail_start = MAX(behind, head_end);
	struct page *head = begin_edge(mapping, start, head_end), *tail;

	if (IS_ERR(head))
		return PTR_ERR(head);
	tail = begin_edge(mapping, tail_start, end);
	if (IS_ERR(tail)) {
		if (head)
			page_end_write(head); /* with the bytes that it had */
		return PTR_ERR(tail);
	}
	end_edge(head, start, head_end);
	end_edge(tail, tail_start, end);
	if (first < behind)
		mapping_remove_range(mapping, first >> PAGE_SHIFT, (behind - 1) >> PAGE_SHIFT);
	tmpfs_count(inode, false, false);
	inode_modified(inode);
	return 0;
}

int tmpfs_allocate(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end)
{
	if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_PUNCH_HOLE)
		return punch(inode, start, end);
	if (end > inode->size && end > file_size_limit(inode, end - 1))
		return -EFBIG;
	return fill(inode, start, end);
}
