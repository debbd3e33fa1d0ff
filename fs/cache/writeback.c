/*
 * Dirty pages, and writing them back.
 *
 * 1. PG_DIRTY says that a page is newer than its store. It is set and cleared only here, so
 *    nr_dirty_pages is the number of dirty pages of files with a store.
 * 2. While a page is being written back it has PG_WRITEBACK and is not locked. It can be read and
 *    lent. Writers wait for the end of the write-back, so that the disk gets one consistent state
 *    of the page.
 * 3. Before the write starts, PG_DIRTY is cleared and user mappings are write-protected. A store
 *    after that faults and makes the page dirty again.
 * 4. A page whose write failed stays dirty, and the next sync tries again. The mapping notes
 *    the failure, and one fsync reports it.
 * 5. Dirty pages with consecutive indices are written together, so that a file system can make one
 *    bio of them. The first one of such a run is locked first. The others are only tried, because
 *    another task may hold one of them and wait for the first.
 * 6. A task that makes pages dirty calls page_balance_dirty(). If there are too many, it writes
 *    back the pages of its file itself.
 */
#include "fs/cache/writeback.h"
#include "fs/names/vfs.h"
#include "kernel/task.h"
#include "mm/vm/vm.h"

#define DIRTY_PART 8u  /* of memory at most 1/8 is dirty */
#define RUN_MAX	   64u /* pages that are written together */

struct atomic nr_dirty_pages;

/*
 * Writes of any file that could not be started although nothing was wrong with the disk. Their
 * pages are dirty again.
 */
static struct atomic given_up;

void mapping_count_dirty(struct mapping *mapping, int nr)
{
	if (!mapping->ops->has_store)
		return;
	atomic_add(&nr_dirty_pages, nr);
	atomic_add(&mapping->dirty, nr);
	if (nr > 0)
		current->io.stored[1] += (unsigned int)nr << PAGE_SHIFT;
}

void page_set_dirty(struct page *page)
{
	struct mapping *mapping = page->mapping;

	if (page_has(page, PG_DIRTY))
		return;
	if (test_and_set_bits(&page->flags, PG_DIRTY) && mapping)
		mapping_count_dirty(mapping, 1);
}

void page_clear_dirty(struct mapping *mapping, struct page *page)
{
	if (!page_has(page, PG_DIRTY))
		return;
	if (__sync_fetch_and_and(&page->flags, ~PG_DIRTY) & PG_DIRTY)
		mapping_count_dirty(mapping, -1);
}

unsigned int mapping_page_bytes(struct mapping *mapping, const struct page *page)
{
	file_off_t left = inode_size(mapping->inode) - ((file_off_t)page->index << PAGE_SHIFT);

	return MIN(MAX(left, (file_off_t)0), (file_off_t)PAGE_SIZE);
}

void page_write_done(struct page *page, int error)
{
	if (error)
		page_set_dirty(page);
	if (error == -EIO)
		page->mapping->failed_for_fsync = page->mapping->failed_for_commit = true;
	else if (error)
		atomic_inc(&given_up);
	/*
	 * While the page is written its file stays in memory. A sync may miss the write now, which
	 * has ended.
	 */
	atomic_dec(&page->mapping->writing);
	page_end_writeback(page);
}

/*
 * The dirty page at index, if it can be locked at once: locked and with a reference. Otherwise
 * NULL.
 */
static struct page *try_dirty(struct mapping *mapping, unsigned int index)
{
	struct page *page = mapping_find(mapping, index);

	if (!page)
		return NULL;
	if (page_has(page, PG_DIRTY) && page_trylock(page)) {
		if (page->mapping == mapping && page_has(page, PG_DIRTY) &&
		    !page_has(page, PG_WRITEBACK))
			return page;
		page_unlock(page);
	}
	page_put(page);
	return NULL;
}

/* A locked dirty page is about to be written. */
static void begin_writeback(struct mapping *mapping, struct page *page)
{
	/* First this: another sync must not find the page neither dirty nor being written. */
	atomic_inc(&mapping->writing);
	set_bits(&page->flags, PG_WRITEBACK);
	page_clear_dirty(mapping, page);
}

//BOOK: write-run
/*
 * Start to write a locked dirty page, and the dirty pages behind it. Unlocks the page. Returns as
 * write_pages does.
 */
static int write_run(struct mapping *mapping, struct page *page)
{
	struct page *pages[RUN_MAX], *next;
	unsigned int nr = 0;
	int error;

	page_ref(page);
	for (next = page; next; next = nr < RUN_MAX ? try_dirty(mapping, page->index + nr) : NULL) {
		begin_writeback(mapping, next);
		pages[nr++] = next;
	}
	mapping_protect_run(mapping, pages, nr);
	error = mapping->ops->write_pages(mapping, pages, nr);
	while (nr > 0) {
		page_unlock(pages[--nr]);
		page_put(pages[nr]);
	}
	return error;
}

int page_write_locked(struct mapping *mapping, struct page *page)
{
	int error = page_wait(page, PG_WRITEBACK, TASK_KILLABLE);

	if (error || !page_has(page, PG_DIRTY))
		return error;
	begin_writeback(mapping, page);
	mapping_protect_page(mapping, page);
	error = mapping->ops->write_pages(mapping, &page, 1);
	if (!error)
		error = page_wait(page, PG_WRITEBACK, TASK_KILLABLE);
	/* The page is locked, so only a write that has failed can have made it dirty again. */
	return !error && page_has(page, PG_DIRTY) ? -EIO : error;
}

/* Start to write a page back if it is dirty and still in the file. */
static int write_back(struct mapping *mapping, struct page *page)
{
	int error = page_lock(page, TASK_KILLABLE);

	if (error)
		return error;
	if (page->mapping == mapping && page_has(page, PG_DIRTY)) {
		error = page_wait(page, PG_WRITEBACK, TASK_KILLABLE);
		if (!error)
			return write_run(mapping, page);
	}
	page_unlock(page);
	return error;
}

int page_try_write(struct page *page)
{
	struct mapping *mapping;

	if (!page_trylock(page))
		return 0;
	mapping = page->mapping;
	if (mapping && mapping->ops->write_pages && page_has(page, PG_DIRTY) &&
	    !page_has(page, PG_WRITEBACK))
		return write_run(mapping, page);
	page_unlock(page);
	return 0;
}

static int wait_written(struct mapping *mapping, struct page *page)
{
	return page_wait(page, PG_WRITEBACK, TASK_KILLABLE);
}

/*
 * The first page at or after *index, in the same leaf of the tree, that has one of the flags. Sets
 * *index to its index. NULL: there is none, and *index is the first one of the next leaf.
 */
static struct page *next_in_leaf(struct mapping *mapping, unsigned int *index, unsigned int bits)
{
	unsigned int left, n = 0;
	struct page **leaf = (struct page **)radix_slot(&mapping->pages, *index, &left);

	while (n < left && !(leaf[n] && page_has(leaf[n], bits)))
		n++;
	*index += n;
	return n < left ? leaf[n] : NULL;
}

/*
 * The same in the whole file up to `last`, with a reference. NULL: there is none. A flag may change
 * at any time. The lock is not held for longer than one leaf.
 */
static struct page *next_flagged(struct mapping *mapping, unsigned int *index, unsigned int last,
				 unsigned int bits)
{
	struct page *page = NULL;
	bool more;

	do {
		spin_lock(&mapping->lock);
		more = radix_next(&mapping->pages, index) != NULL && *index <= last;
		if (more)
			page = next_in_leaf(mapping, index, bits);
		if (page && *index > last)
			page = NULL;
		if (page)
			page_ref(page);
		spin_unlock(&mapping->lock);
	} while (more && !page);
	return page;
}

/*
 * Call `each` for every page of [index, last] that has the flag (PG_DIRTY, PG_WRITEBACK), until
 * `left`, the number of the file's pages that have it, is 0. Stops at the first error.
 */
static int for_each_flagged(struct mapping *mapping, unsigned int index, unsigned int last,
			    unsigned int bits, const struct atomic *left,
			    int (*each)(struct mapping *, struct page *))
{
	struct page *page;
	int error = 0;

	while (!error && atomic_read(left) > 0 &&
	       (page = next_flagged(mapping, &index, last, bits)) != NULL) {
		error = each(mapping, page);
		/* If it was replaced meanwhile, the same index has another page, which counts. */
		index += READ_ONCE(page->mapping) == mapping;
		page_put(page);
	}
	return error;
}

static bool is_written_back(const struct mapping *mapping)
{
	return mapping->ops && mapping->ops->has_store && mapping->ops->write_pages;
}

int mapping_start_write(struct mapping *mapping)
{
	if (!is_written_back(mapping))
		return 0;
	return for_each_flagged(mapping, 0, UINT32_MAX, PG_DIRTY, &mapping->dirty, write_back);
}

static int try_write(struct mapping *mapping, struct page *page)
{
	return page_try_write(page);
}

int mapping_start_range(struct mapping *mapping, unsigned int first, unsigned int last)
{
	if (!is_written_back(mapping))
		return 0;
	return for_each_flagged(mapping, first, last, PG_DIRTY, &mapping->dirty, try_write);
}

int mapping_wait_range(struct mapping *mapping, unsigned int first, unsigned int last)
{
	if (!is_written_back(mapping))
		return 0;
	return for_each_flagged(mapping, first, last, PG_WRITEBACK, &mapping->writing,
				wait_written);
}

/*
 * Another task may be writing a page that we wait for, and give it up: it has found no memory, or
 * was killed while it looked up where the page is on the disk. Then the page is dirty again:
 *
 *	syncs				writes the page for another reason
 *					PG_WRITEBACK, not dirty
 *	finds no dirty page
 *					is killed: dirty, given_up++, not PG_WRITEBACK
 *	finds no page being written:
 *	given_up has changed, so
 *	there may be a dirty page
 */
int mapping_write_range(struct mapping *mapping, unsigned int first, unsigned int last)
{
	int error, before;

	if (!is_written_back(mapping))
		return 0;
	do {
		int waited;

		before = atomic_read(&given_up);
		error = for_each_flagged(mapping, first, last, PG_DIRTY, &mapping->dirty,
					 write_back);
		waited = mapping_wait_range(mapping, first, last);
		error = error ? error : waited;
	} while (!error && atomic_read(&given_up) != before && !kill_pending());
	return error;
}

int mapping_write(struct mapping *mapping)
{
	return mapping_write_range(mapping, 0, UINT32_MAX);
}

int mapping_take_error(struct mapping *mapping)
{
	return __atomic_exchange_n(&mapping->failed_for_fsync, false, __ATOMIC_SEQ_CST) ? -EIO : 0;
}

int mapping_sync(struct mapping *mapping)
{
	int error = mapping_write(mapping), failed = mapping_take_error(mapping);

	return failed ? failed : error;
}

void page_balance_dirty(struct mapping *mapping)
{
	if (mapping->ops->balance)
		mapping->ops->balance(mapping);
	if ((unsigned int)atomic_read(&nr_dirty_pages) > nr_frames / DIRTY_PART)
		(void)mapping_write(mapping); /* fsync reports its errors */
}

struct page *mapping_begin_grow(struct mapping *mapping, file_off_t old)
{
	struct page *page;

	if (!mapping->ops || !mapping->ops->room_by_parts || !(old & (PAGE_SIZE - 1)))
		return NULL;
	while ((page = mapping_find(mapping, old >> PAGE_SHIFT)) != NULL) {
		page_lock(page, TASK_UNINTERRUPTIBLE);
		if (page->mapping == mapping)
			break;
		page_unlock(page); /* another page stands there now */
		page_put(page);
	}
	if (page && mapping_protect_page(mapping, page))
		page_set_dirty(page);
	return page;
}

//BOOK: grown
void mapping_grown(struct mapping *mapping, file_off_t old)
{
	struct page *page = mapping_begin_grow(mapping, old);

	if (page) {
		page_unlock(page);
		page_put(page);
	}
}
