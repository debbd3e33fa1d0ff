/*
 * The page cache: finding, adding, reading and removing the pages of a file.
 *
 * 1. mapping->lock (irqsave) guards the tree. page->mapping and page->index change only while the
 *    page is locked and mapping->lock is held, so either is enough to read them.
 * 2. A page stays in the tree while it is locked by another task or by its read: removal wants the
 *    page lock. So the tree's reference keeps a page alive for the device that fills it.
 * 3. A cached page that is not locked is PG_UPTODATE or PG_ERROR.
 * 4. Starting reads waits for memory and for metadata, never for data, and never for a page lock.
 */
#include "fs/lru.h"
#include "fs/pagecache.h"
#include "fs/vfs.h"
#include "mm/kmap.h"
#include "mm/vm.h"

#define RUN_MAX	   64u /* pages that go to read_pages at once */
#define WINDOW_MIN 8u  /* pages of read-ahead after the first sequential read */
#define WINDOW_MAX 128u

struct atomic nr_cached_pages;

void mapping_init(struct mapping *mapping, struct inode *inode, const struct mapping_ops *ops)
{
	mapping->inode = inode;
	mapping->ops = ops;
	spin_init(&mapping->lock, "mapping");
	radix_init(&mapping->pages);
	spin_init(&mapping->vma_lock, "mapping VMAs");
	list_init(&mapping->vmas);
	mapping->nr_mapped = 0;
	atomic_set(&mapping->reads, 0);
	mapping->write_error = 0;
}

/* Pages that the file has, by its size. */
static unsigned int mapping_limit(struct mapping *mapping)
{
	file_off_t pages = (inode_size(mapping->inode) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return pages > UINT32_MAX ? UINT32_MAX : pages;
}

/* ---- finding ---- */

struct page *mapping_find(struct mapping *mapping, unsigned int index)
{
	unsigned int flags = spin_lock_irqsave(&mapping->lock);
	struct page *page = radix_lookup(&mapping->pages, index);

	if (page && !page_get(page))
		page = NULL;
	spin_unlock_irqrestore(&mapping->lock, flags);
	return page;
}

/*
 * The common case of mapping_start: pages from index on that are there with their bytes, up to nr
 * of them and to the end of their leaf. How many, each with a reference.
 */
static unsigned int find_uptodate(struct mapping *mapping, unsigned int index, unsigned int nr,
				  struct page **pages)
{
	unsigned int flags = spin_lock_irqsave(&mapping->lock);
	unsigned int left = 0, n = 0;
	struct page **slot = (struct page **)radix_slot(&mapping->pages, index, &left);

	nr = MIN(nr, left);
	for (; n < nr && slot[n] && slot[n]->flags & PG_UPTODATE && page_get(slot[n]); n++)
		pages[n] = slot[n];
	spin_unlock_irqrestore(&mapping->lock, flags);
	return n;
}

/* Put a locked page that is in no file into the tree. 0, -EEXIST, -ENOMEM (too many references). */
static int insert(struct mapping *mapping, unsigned int index, struct page *page,
		  struct radix_pool *pool)
{
	unsigned int flags;
	int error;

	flags = spin_lock_irqsave(&mapping->lock);
	while (radix_need(&mapping->pages, index) > pool->count) {
		spin_unlock_irqrestore(&mapping->lock, flags);
		if (radix_preload(pool) < 0)
			return -ENOMEM;
		flags = spin_lock_irqsave(&mapping->lock);
	}
	error = radix_insert(&mapping->pages, index, page, pool);
	if (!error) {
		page_ref(page);
		page->index = index;
		page->mapping = mapping;
	}
	spin_unlock_irqrestore(&mapping->lock, flags);
	if (error)
		return error;
	atomic_inc(&nr_cached_pages);
	if (mapping->ops->has_store)
		lru_add(page);
	return 0;
}

static struct page *find_or_add(struct mapping *mapping, unsigned int index, bool *fresh,
				struct radix_pool *pool)
{
	for (;;) {
		struct page *page = mapping_find(mapping, index);
		int error;

		*fresh = false;
		if (page)
			return page;
		page = page_alloc(0, ALLOC_HIGH);
		if (!page)
			return ERR_PTR(-ENOMEM);
		set_bits(&page->flags, PG_LOCKED);
		error = insert(mapping, index, page, pool);
		if (!error) {
			*fresh = true;
			return page;
		}
		clear_bits(&page->flags, PG_LOCKED);
		page_put(page);
		if (error != -EEXIST)
			return ERR_PTR(error);
	}
}

struct page *mapping_find_or_add(struct mapping *mapping, unsigned int index, bool *fresh)
{
	struct page *page = mapping_find(mapping, index);
	struct radix_pool pool = { 0 };

	*fresh = false;
	if (likely(page))
		return page;
	page = find_or_add(mapping, index, fresh, &pool);
	radix_pool_release(&pool);
	return page;
}

int mapping_add_page(struct mapping *mapping, unsigned int index, struct page *page)
{
	struct radix_pool pool = { 0 };
	int error;

	set_bits(&page->flags, PG_LOCKED | PG_UPTODATE);
	error = insert(mapping, index, page, &pool);
	radix_pool_release(&pool);
	if (error)
		clear_bits(&page->flags, PG_LOCKED | PG_UPTODATE);
	return error;
}

/* ---- removing ---- */

void mapping_remove_page(struct mapping *mapping, struct page *page)
{
	unsigned int flags = spin_lock_irqsave(&mapping->lock);

	radix_remove(&mapping->pages, page->index);
	page->mapping = NULL;
	spin_unlock_irqrestore(&mapping->lock, flags);
	page_clear_dirty(mapping, page);
	lru_remove(page);
	atomic_dec(&nr_cached_pages);
	page_put(page);
}

void mapping_replace_page(struct mapping *mapping, struct page *old, struct page *new)
{
	unsigned int flags;

	page_ref(new);
	flags = spin_lock_irqsave(&mapping->lock);
	new->index = old->index;
	new->mapping = mapping;
	radix_replace(&mapping->pages, old->index, new);
	old->mapping = NULL;
	spin_unlock_irqrestore(&mapping->lock, flags);
	page_clear_dirty(mapping, old);
	lru_remove(old);
	if (mapping->ops->has_store)
		lru_add(new);
	page_put(old);
}

/* What keeps a locked page in its file. lent and refs are looked at under mapping->lock, where
 * finders raise refs; whoever raises lent holds a reference. */
static bool in_use(struct page *page)
{
	return page->flags & (PG_DIRTY | PG_WRITEBACK) || atomic_read(&page->refs) != 2 ||
	       atomic_read(&page->lent) > 0 || atomic_read(&page->mapped) > 0;
}

bool page_try_drop(struct page *page)
{
	struct mapping *mapping;
	unsigned int flags;
	bool dropped = false;

	if (in_use(page) || !page_trylock(page))
		return false;
	mapping = page->mapping;
	if (mapping && mapping->ops->has_store) {
		flags = spin_lock_irqsave(&mapping->lock);
		if (!in_use(page)) {
			radix_remove(&mapping->pages, page->index);
			page->mapping = NULL;
			dropped = true;
		}
		spin_unlock_irqrestore(&mapping->lock, flags);
	}
	if (dropped) {
		lru_remove(page);
		atomic_dec(&nr_cached_pages);
		page_put(page);
	}
	page_unlock(page);
	return dropped;
}

struct page *mapping_next_page(struct mapping *mapping, unsigned int *index, unsigned int last)
{
	unsigned int flags = spin_lock_irqsave(&mapping->lock);
	struct page *page = radix_next(&mapping->pages, index);

	if (page && *index > last)
		page = NULL;
	if (page)
		page_ref(page);
	spin_unlock_irqrestore(&mapping->lock, flags);
	return page;
}

unsigned int mapping_drop_clean(struct mapping *mapping, unsigned int first, unsigned int last)
{
	unsigned int index = first, dropped = 0;
	struct page *page;

	while ((page = mapping_next_page(mapping, &index, last)) != NULL) {
		dropped += page_try_drop(page);
		page_put(page);
		if (index++ == UINT32_MAX)
			break;
	}
	return dropped;
}

/* Remove the pages from `first` on, each after the end of its read and its write-back. */
static void remove_from(struct mapping *mapping, unsigned int first)
{
	unsigned int index = first;
	struct page *page;

	while ((page = mapping_next_page(mapping, &index, UINT32_MAX)) != NULL) {
		page_lock(page);
		if (page->mapping == mapping) {
			page_wait_writeback_always(page);
			if (atomic_read(&page->mapped) > 0)
				mapping_unmap_page(mapping, page);
			mapping_remove_page(mapping, page);
		}
		page_unlock(page);
		page_put(page);
		if (index++ == UINT32_MAX)
			break;
	}
}

/* Zero the last page's bytes from `size` on, so that a file that grows again shows zeros there. */
static int zero_tail(struct mapping *mapping, file_off_t size)
{
	unsigned int index = size >> PAGE_SHIFT;
	unsigned int from = size & (PAGE_SIZE - 1);
	struct page *page = mapping_find(mapping, index);

	if (page)
		page_put(page);
	else if (!mapping->ops->has_store)
		return 0; /* a page that is not there is all zeros */
	page = page_begin_write(mapping, index, from, PAGE_SIZE);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page_zero(page, from, PAGE_SIZE - from);
	page_end_write(page);
	return 0;
}

int mapping_truncate(struct mapping *mapping, file_off_t size)
{
	file_off_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int error = 0;

	if (first <= UINT32_MAX) {
		if (mapping->nr_mapped > 0)
			mapping_unmap_range(mapping, first, UINT32_MAX);
		remove_from(mapping, first);
	}
	if (size & (PAGE_SIZE - 1))
		error = zero_tail(mapping, size);
	return error;
}

void mapping_destroy(struct mapping *mapping)
{
	remove_from(mapping, 0);
	assert(mapping->pages.count == 0 && atomic_read(&mapping->reads) == 0);
}

/* ---- reading ---- */

static void start_read(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	atomic_add(&mapping->reads, nr);
	mapping->ops->read_pages(mapping, pages, nr);
}

//BOOK: read-done
void page_read_done(struct page *page, bool ok)
{
	set_bits(&page->flags, ok ? PG_UPTODATE : PG_ERROR);
	/* Before the unlock: after it the page may leave its file, and the file memory. */
	atomic_dec(&page->mapping->reads);
	page_unlock(page);
}

void page_read_again(struct page *page)
{
	struct mapping *mapping;

	if (!page_trylock(page))
		return;
	mapping = page->mapping;
	if (!mapping || page->flags & PG_UPTODATE) {
		page_unlock(page);
		return;
	}
	clear_bits(&page->flags, PG_ERROR);
	start_read(mapping, &page, 1);
}

/* Fresh pages with consecutive indices, gathered until they are worth a call of read_pages. */
struct run {
	struct mapping *mapping;
	bool heal; /* pages that had failed are read again */
	unsigned int nr;
	struct page *pages[RUN_MAX];
};

static void run_start(struct run *run)
{
	if (run->nr == 0)
		return;
	start_read(run->mapping, run->pages, run->nr);
	/* The tree and the page lock keep the pages: 2. above. */
	for (unsigned int i = 0; i < run->nr; i++)
		page_put(run->pages[i]);
	run->nr = 0;
}

/* Another page joins the run, with a reference of its own. One that does not follow the last one
 * (read-ahead begins where it ended) starts a new run. */
static void run_add(struct run *run, struct page *page)
{
	if (run->nr > 0 && page->index != run->pages[run->nr - 1]->index + 1)
		run_start(run);
	page_ref(page);
	run->pages[run->nr++] = page;
	if (run->nr == RUN_MAX)
		run_start(run);
}

/* A page that is there already. A run ends before it. */
static void run_pass(struct run *run, struct page *page)
{
	run_start(run);
	if (run->heal &&
	    (READ_ONCE(page->flags) & (PG_LOCKED | PG_ERROR | PG_UPTODATE)) == PG_ERROR)
		page_read_again(page);
}

/*
 * The file may have become shorter since its size was read. Truncate sets the size first and looks
 * for pages afterwards: so either it finds our page, or we see its size here and take the page
 * back.
 */
static bool beyond_end(struct mapping *mapping, struct page *page)
{
	if (page->index < mapping_limit(mapping))
		return false;
	mapping_remove_page(mapping, page);
	page_unlock(page);
	page_put(page);
	return true;
}

/*
 * Have pages [index, index+nr) in the cache or on their way; pages may be NULL (read-ahead).
 * Returns how many were had, or an error if none. The run is started by the caller.
 */
static int have_pages(struct run *run, struct radix_pool *pool, unsigned int index, unsigned int nr,
		      struct page **pages)
{
	unsigned int i = pages ? find_uptodate(run->mapping, index, nr, pages) : 0;

	for (; i < nr; i++) {
		bool fresh;
		struct page *page = find_or_add(run->mapping, index + i, &fresh, pool);

		if (IS_ERR(page))
			return i ? (int)i : PTR_ERR(page);
		if (!fresh)
			run_pass(run, page);
		else if (beyond_end(run->mapping, page))
			return i;
		else
			run_add(run, page);
		if (pages)
			pages[i] = page;
		else
			page_put(page);
	}
	return nr;
}

/*
 * Read-ahead. A file that is read in order gets a window that doubles up to WINDOW_MAX pages behind
 * what was asked for. It is filled in halves, so that the device gets large requests and a read
 * that finds all its pages costs a comparison.
 */
static void read_ahead(struct run *run, struct radix_pool *pool, struct file *file,
		       unsigned int index, unsigned int end, unsigned int limit)
{
	bool sequential = index == file->ra_next || index + 1 == file->ra_next;
	unsigned int from, to;

	if (!sequential) {
		file->ra_size = 0;
		file->ra_end = 0;
	} else if (end > file->ra_next) {
		file->ra_size = MIN(MAX(file->ra_size * 2, WINDOW_MIN), WINDOW_MAX);
	}
	file->ra_next = end;
	from = MAX(file->ra_end, end);
	to = limit - end < file->ra_size ? limit : end + file->ra_size;
	if (from >= to || from - end > file->ra_size / 2)
		return;
	have_pages(run, pool, from, to - from, NULL);
	file->ra_end = to;
}

//BOOK: start-pages
static int start_pages(struct mapping *mapping, struct file *file, unsigned int index,
		       unsigned int nr, struct page **pages, bool heal)
{
	unsigned int limit = mapping_limit(mapping);
	struct radix_pool pool = { 0 };
	struct run run;
	int had;

	if (index >= limit || nr == 0)
		return 0;
	nr = MIN(nr, limit - index);
	run.mapping = mapping;
	run.heal = heal;
	run.nr = 0;
	had = have_pages(&run, &pool, index, nr, pages);
	if (file && had == (int)nr)
		read_ahead(&run, &pool, file, index, index + nr, limit);
	run_start(&run);
	radix_pool_release(&pool);
	return had;
}

int mapping_start(struct mapping *mapping, struct file *file, unsigned int index, unsigned int nr,
		  struct page **pages)
{
	return start_pages(mapping, file, index, nr, pages, false);
}

int mapping_start_again(struct mapping *mapping, struct file *file, unsigned int index,
			unsigned int nr, struct page **pages)
{
	return start_pages(mapping, file, index, nr, pages, true);
}

int page_wait_read(struct page *page)
{
	while (!(READ_ONCE(page->flags) & PG_UPTODATE)) {
		int error = page_wait_unlocked_killable(page);

		if (error)
			return error;
		if (READ_ONCE(page->flags) & PG_UPTODATE)
			break;
		if (!(READ_ONCE(page->flags) & PG_LOCKED))
			return READ_ONCE(page->mapping) ? -EIO : -ENODATA;
	}
	page_mark_used(page);
	return 0;
}

struct page *mapping_read_page(struct mapping *mapping, unsigned int index)
{
	struct page *page;
	int error;

	do {
		error = mapping_start_again(mapping, NULL, index, 1, &page);
		if (error <= 0)
			return ERR_PTR(error ? error : -EIO);
		error = page_wait_read(page);
		if (error)
			page_put(page);
	} while (error == -ENODATA);
	return error ? ERR_PTR(error) : page;
}
