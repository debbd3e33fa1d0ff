/*
 * Reading a file's pages into the cache, and reading ahead.
 *
 * 1. mapping_start() makes sure that pages are in the cache or on their way. It waits for memory
 *    and for metadata, but never for data and never for a page lock.
 * 2. A page is locked while its read runs. Its end is in fs/cache/pagewait.c.
 * 3. mapping->reads counts the reads that have been started and have not ended.
 */
#include "fs/cache/pagecache.h"
#include "fs/file/open_file.h"

#define RUN_MAX	   64u /* pages that are handed to read_pages at once */
#define WINDOW_MIN 8u  /* pages of read-ahead after the first sequential read */
#define WINDOW_MAX 128u

/* How many pages the file has, by its size. */
static unsigned int mapping_limit(struct mapping *mapping)
{
	file_off_t pages = (inode_size(mapping->inode) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return pages > UINT32_MAX ? UINT32_MAX : pages;
}

static void start_read(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	atomic_add(&mapping->reads, nr);
	mapping->ops->read_pages(mapping, pages, nr);
}

void page_read_locked(struct page *page)
{
	clear_bits(&page->flags, PG_ERROR | PG_NOT_READ);
	start_read(page->mapping, &page, 1);
}

bool page_read_again(struct page *page)
{
	bool locked = page_trylock(page);

	if (locked && page->mapping && !page_has(page, PG_UPTODATE))
		page_read_locked(page);
	else if (locked)
		page_unlock(page);
	return locked;
}

/* Start the reads of those pages again whose reads had failed. */
static void retry_failed(struct page **pages, unsigned int nr)
{
	const unsigned int mask = PG_LOCKED | PG_ERROR | PG_UPTODATE;

	for (unsigned int i = 0; i < nr; i++)
		if ((READ_ONCE(pages[i]->flags) & mask) == PG_ERROR)
			page_read_again(pages[i]);
}

/* New pages with consecutive indices, collected until they are handed to read_pages together. */
struct run {
	unsigned int nr;
	struct page *pages[RUN_MAX]; /* locked, in the tree, which holds the only reference */
};

static void run_start(struct mapping *mapping, struct run *run)
{
	if (run->nr > 0)
		start_read(mapping, run->pages, run->nr);
	run->nr = 0;
}

/*
 * Pages were added for a hole. Returns true if the file has no room for them. A file with a store
 * has room for everything that it holds.
 */
static bool lacks_room(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	const struct mapping_ops *ops = mapping->ops;

	return !ops->has_store && ops->begin_add && ops->begin_add(mapping, pages, nr) < 0;
}

/* Take pages back that were just added and have not been started. */
static void take_back(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		mapping_take_back(mapping, pages[i]);
		page_put(pages[i]);
	}
}

/*
 * Append new pages for a hole of the file, [index, index+nr), to the run. A run whose end is
 * elsewhere, or that is full, is started first. Returns how many pages were added at the end of
 * run->pages, which is 0 if another task has filled the hole meanwhile. Returns -ENOMEM, or -ENOSPC
 * if the file has no room for them.
 *
 * The file may have become shorter since the caller looked at its size. Truncate sets the size
 * first and looks for pages afterwards: either it finds our pages, or we see the new size here and
 * take them back.
 */
static int run_append(struct mapping *mapping, struct run *run, unsigned int index, unsigned int nr,
		      unsigned int flags)
{
	unsigned int limit, keep;
	struct page **new;
	int added;

	if (run->nr == RUN_MAX || (run->nr > 0 && index != run->pages[run->nr - 1]->index + 1))
		run_start(mapping, run);
	new = run->pages + run->nr;
	added = mapping_add_new(mapping, index, new, MIN(nr, RUN_MAX - run->nr), flags);
	if (added <= 0)
		return added;
	limit = mapping_limit(mapping);
	keep = limit > index ? MIN(limit - index, (unsigned int)added) : 0;
	take_back(mapping, new + keep, added - keep);
	if (keep > 0 && lacks_room(mapping, new, keep)) {
		take_back(mapping, new, keep);
		return -ENOSPC;
	}
	run->nr += keep;
	return keep;
}

/*
 * Read-ahead. A file that is read in order has a window behind the pages that were asked for,
 * [index, end). The window doubles up to WINDOW_MAX pages. It is filled when half of it has been
 * used up, so that the device gets large requests. Tasks that read from one open file at once may
 * mix up the three numbers that it keeps. They are hints, and any values do.
 */
static void read_ahead(struct mapping *mapping, struct file *file, struct run *run,
		       unsigned int index, unsigned int end)
{
	unsigned int next = READ_ONCE(file->ra_next), ahead = next + READ_ONCE(file->ra_ahead);
	unsigned int size = READ_ONCE(file->ra_size), to, hole;
	int n;

	if (index != next && index + 1 != next)
		size = ahead = 0;
	else if (end > next)
		size = MIN(MAX(size * 2u, WINDOW_MIN), WINDOW_MAX);
	WRITE_ONCE(file->ra_next, end);
	WRITE_ONCE(file->ra_size, size);
	index = MAX(ahead, end);
	if (size == 0 || index - end > size / 2) {
		WRITE_ONCE(file->ra_ahead, index - end);
		return;
	}
	to = MIN((uint64_t)end + size, (uint64_t)mapping_limit(mapping));
	WRITE_ONCE(file->ra_ahead, MAX(index, to) - end);
	for (; index < to; index += n) {
		hole = mapping_hole(mapping, index, to - index);
		n = hole > 0 ? run_append(mapping, run, index, hole, ALLOC_OPTIONAL) : 1;
		if (n < 0 || (n == 0 && index >= mapping_limit(mapping)))
			break;
	}
}

//BOOK: start-pages
int mapping_start(struct mapping *mapping, struct file *file, unsigned int index, unsigned int nr,
		  struct page **pages, bool retry)
{
	struct run run;
	unsigned int had;
	int n = 0;

	run.nr = 0;
	for (had = 0; had < nr; had += n) {
		n = mapping_find_run(mapping, index + had, nr - had, pages + had, false);
		if (retry)
			retry_failed(pages + had, n);
		if (n > 0)
			continue;
		if (index + had >= mapping_limit(mapping))
			break;
		n = run_append(mapping, &run, index + had,
			       mapping_hole(mapping, index + had, nr - had), 0);
		if (n < 0)
			break;
		for (int i = 0; i < n; i++) {
			pages[had + i] = run.pages[run.nr - n + i];
			page_ref(pages[had + i]);
		}
	}
	if (file && had > 0)
		read_ahead(mapping, file, &run, index, index + had);
	run_start(mapping, &run);
	return had > 0 ? (int)had : n;
}

struct page *mapping_read_page(struct mapping *mapping, unsigned int index)
{
	struct page *page;
	int error;

	do {
		error = mapping_start(mapping, NULL, index, 1, &page, true);
		if (error <= 0)
			return ERR_PTR(error ? error : -EIO);
		error = page_wait_read(page);
		if (error)
			page_put(page);
	} while (error == -ENODATA);
	return error ? ERR_PTR(error) : page;
}
