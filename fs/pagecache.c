/*
 * The page cache: finding, adding, reading and removing the pages of a file.
 *
 * 1. mapping->lock guards the tree; no interrupt takes it. page->mapping and page->index change only while the
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
	struct page *page;

	spin_lock(&mapping->lock);
	page = radix_lookup(&mapping->pages, index);
	if (page && !page_get(page))
		page = NULL;
	spin_unlock(&mapping->lock);
	return page;
}

/*
 * The pages from index on that are cached, up to nr of them and to the end of a leaf: how many, each
 * with a reference in pages (NULL: they are only counted). If none is, *hole says how many are not.
 */
static unsigned int find_run(struct mapping *mapping, unsigned int index, unsigned int nr,
			     struct page **pages, unsigned int *hole)
{
	struct page **slot, *page;
	unsigned int left, n = 0;

	spin_lock(&mapping->lock);
	slot = (struct page **)radix_slot(&mapping->pages, index, &left);
	nr = MIN(nr, left);
	if (likely(slot)) {
		for (; n < nr && (page = slot[n]) != NULL; n++) {
			if (!pages)
				continue;
			if (unlikely(!page_get_head(page)))
				break;
			pages[n] = page;
		}
	}
	if (n == 0)
		for (*hole = 0; *hole < nr && !(slot && slot[*hole]); ++*hole)
			;
	spin_unlock(&mapping->lock);
	return n;
}

unsigned int mapping_hole(struct mapping *mapping, unsigned int index, unsigned int max)
{
	unsigned int hole;

	return find_run(mapping, index, max, NULL, &hole) ? 0 : hole;
}

/*
 * Put locked pages that are in no file into the tree, from index on. The caller's references become
 * the tree's; their lock keeps them there. How many: up to the first place that is taken, or to the end of a leaf; -ENOMEM.
 */
static int insert(struct mapping *mapping, unsigned int index, struct page **pages, unsigned int nr,
		  struct radix_pool *pool)
{
	unsigned int need;

	spin_lock(&mapping->lock);
	while ((need = radix_need(&mapping->pages, index)) > pool->count) {
		spin_unlock(&mapping->lock);
		if (radix_preload(pool, need) < 0)
			return -ENOMEM;
		spin_lock(&mapping->lock);
	}
	nr = radix_insert(&mapping->pages, index, (void **)pages, nr, pool);
	for (unsigned int i = 0; i < nr; i++) {
		pages[i]->index = index + i;
		pages[i]->mapping = mapping;
	}
	spin_unlock(&mapping->lock);
	atomic_add(&nr_cached_pages, nr);
	if (mapping->ops->has_store)
		for (unsigned int i = 0; i < nr; i++)
			lru_add(pages[i]);
	return nr;
}

static struct page *find_or_add(struct mapping *mapping, unsigned int index, bool *fresh,
				struct radix_pool *pool)
{
	for (;;) {
		struct page *page = mapping_find(mapping, index);
		int added;

		*fresh = false;
		if (page)
			return page;
		page = page_alloc(0, ALLOC_HIGH);
		if (!page)
			return ERR_PTR(-ENOMEM);
		set_bits(&page->flags, PG_LOCKED);
		added = insert(mapping, index, &page, 1, pool);
		if (added > 0) {
			page_ref(page);
			*fresh = true;
			return page;
		}
		clear_bits(&page->flags, PG_LOCKED);
		page_put(page);
		if (added < 0)
			return ERR_PTR(added);
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

/* Out of the file and unlocked again; the tree's reference becomes the caller's. */
static void take_back(struct mapping *mapping, struct page *page)
{
	page_ref(page);
	mapping_remove_page(mapping, page);
	page_unlock(page);
}

/*
 * All of them are put in before there is room for them on the disk: that is how room is counted.
 * Until they are unlocked nobody changes, removes or drops them.
 */
unsigned int mapping_add_pages(struct mapping *mapping, unsigned int index, struct page **pages,
			       unsigned int nr)
{
	struct radix_pool pool = { 0 };
	unsigned int done = 0, i;
	int n;

	for (i = 0; i < nr; i++)
		pages[i]->flags |= PG_LOCKED | PG_UPTODATE | PG_DIRTY | PG_REFERENCED;
	do {
		n = insert(mapping, index + done, pages + done, nr - done, &pool);
		done += MAX(n, 0);
	} while (n > 0 && done < nr);
	radix_pool_release(&pool);
	if (mapping->ops->has_store)
		atomic_add(&nr_dirty_pages, done);
	if (done > 0 && mapping->ops->begin_add(mapping)) {
		for (i = 0; i < done; i++)
			take_back(mapping, pages[i]);
		done = 0;
	}
	for (i = 0; i < done; i++)
		page_unlock(pages[i]);
	for (; i < nr; i++)
		clear_bits(&pages[i]->flags, PG_LOCKED | PG_UPTODATE | PG_DIRTY | PG_REFERENCED);
	return done;
}

/* ---- removing ---- */

void mapping_remove_page(struct mapping *mapping, struct page *page)
{
	spin_lock(&mapping->lock);
	radix_remove(&mapping->pages, page->index);
	page->mapping = NULL;
	spin_unlock(&mapping->lock);
	page_clear_dirty(mapping, page);
	lru_remove(page);
	atomic_dec(&nr_cached_pages);
	page_put(page);
}

void mapping_replace_page(struct mapping *mapping, struct page *old, struct page *new)
{
	page_ref(new);
	spin_lock(&mapping->lock);
	new->index = old->index;
	new->mapping = mapping;
	radix_replace(&mapping->pages, old->index, new);
	old->mapping = NULL;
	spin_unlock(&mapping->lock);
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
	bool dropped = false;

	if (in_use(page) || !page_trylock(page))
		return false;
	mapping = page->mapping;
	if (mapping && mapping->ops->has_store) {
		spin_lock(&mapping->lock);
		if (!in_use(page)) {
			radix_remove(&mapping->pages, page->index);
			page->mapping = NULL;
			dropped = true;
		}
		spin_unlock(&mapping->lock);
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
	struct page *page;

	spin_lock(&mapping->lock);
	page = radix_next(&mapping->pages, index);
	if (page && *index > last)
		page = NULL;
	if (page)
		page_ref(page);
	spin_unlock(&mapping->lock);
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

int mapping_wait_reads(struct mapping *mapping)
{
	unsigned int index = 0;
	struct page *page;
	int error = 0;

	while (!error && atomic_read(&mapping->reads) > 0 &&
	       (page = mapping_next_page(mapping, &index, UINT32_MAX)) != NULL) {
		error = page_wait_unlocked_killable(page);
		page_put(page);
		if (index++ == UINT32_MAX)
			break;
	}
	return error;
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

struct page *mapping_begin_truncate(struct mapping *mapping, file_off_t size)
{
	unsigned int index = size >> PAGE_SHIFT;
	unsigned int from = size & (PAGE_SIZE - 1);
	struct page *page;

	if (from == 0)
		return NULL;
	page = mapping_find(mapping, index);
	if (page)
		page_put(page);
	else if (!mapping->ops->has_store)
		return NULL; /* a page that is not there is all zeros */
	return page_begin_write(mapping, index, from, PAGE_SIZE);
}

void mapping_truncate(struct mapping *mapping, file_off_t size, struct page *tail)
{
	file_off_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	unsigned int from = size & (PAGE_SIZE - 1);

	if (tail) {
		page_zero(tail, from, PAGE_SIZE - from);
		page_end_write(tail);
	}
	if (first > UINT32_MAX)
		return;
	if (mapping->nr_mapped > 0)
		mapping_unmap_range(mapping, first, UINT32_MAX);
	remove_from(mapping, first);
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

void page_read_locked(struct page *page)
{
	clear_bits(&page->flags, PG_ERROR);
	start_read(page->mapping, &page, 1);
}

void page_read_again(struct page *page)
{
	if (!page_trylock(page))
		return;
	if (page->mapping && !(page->flags & PG_UPTODATE))
		page_read_locked(page);
	else
		page_unlock(page);
}

/* Pages whose reads had failed are read again. */
static void heal(struct page **pages, unsigned int nr)
{
	const unsigned int mask = PG_LOCKED | PG_ERROR | PG_UPTODATE;

	for (; nr > 0; nr--, pages++)
		if ((READ_ONCE((*pages)->flags) & mask) == PG_ERROR)
			page_read_again(*pages);
}

/* Fresh pages with consecutive indices, gathered until they are worth a call of read_pages. */
struct run {
	struct mapping *mapping;
	unsigned int nr;
	struct page *pages[RUN_MAX];
};

static void run_start(struct run *run)
{
	/* The tree and the page lock keep the pages: 2. above. */
	if (run->nr > 0)
		start_read(run->mapping, run->pages, run->nr);
	run->nr = 0;
}

/* Pages were made for a hole. Is there no room for them? A store has its room for what it has. */
static bool lacks_room(struct mapping *mapping)
{
	const struct mapping_ops *ops = mapping->ops;

	return !ops->has_store && ops->begin_add && ops->begin_add(mapping) < 0;
}

/*
 * Fresh pages for a hole of the file, [index, index+nr), join the run; one that does not follow
 * (read-ahead begins where it ended) starts a new run. How many, with references in pages (NULL:
 * none are wanted); -ENOMEM; -ENOSPC: a hole of a file without a store, which has no room for them.
 *
 * The file may have become shorter since its size was read. Truncate sets the size first and looks
 * for pages afterwards: so either it finds our pages, or we see its size here and take them back.
 */
static int run_fill(struct run *run, struct radix_pool *pool, unsigned int index, unsigned int nr,
		    struct page **pages)
{
	unsigned int got, limit;
	struct page **fresh;
	int n, i;

	if (run->nr == RUN_MAX || (run->nr > 0 && index != run->pages[run->nr - 1]->index + 1))
		run_start(run);
	fresh = run->pages + run->nr;
	nr = MIN(nr, RUN_MAX - run->nr);
	for (got = 0; got < nr; got++) {
		fresh[got] = page_alloc(0, ALLOC_HIGH);
		if (!fresh[got])
			break;
		fresh[got]->flags |= PG_LOCKED;
	}
	n = got > 0 ? insert(run->mapping, index, fresh, got, pool) : -ENOMEM;
	for (i = MAX(n, 0); i < (int)got; i++) {
		fresh[i]->flags &= ~PG_LOCKED;
		page_put(fresh[i]);
	}
	limit = mapping_limit(run->mapping);
	for (; n > 0 && index + (n - 1) >= limit; n--) {
		take_back(run->mapping, fresh[n - 1]);
		page_put(fresh[n - 1]);
	}
	if (n > 0 && lacks_room(run->mapping)) {
		while (n > 0) {
			take_back(run->mapping, fresh[--n]);
			page_put(fresh[n]);
		}
		return -ENOSPC;
	}
	for (i = 0; pages && i < n; i++) {
		page_ref(fresh[i]);
		pages[i] = fresh[i];
	}
	run->nr += MAX(n, 0);
	return n;
}

/*
 * Have pages [index, index+nr) in the cache or on their way; pages may be NULL (read-ahead). Those
 * that are there but failed are read again if asked for. Returns how many were had, or an error if
 * none.
 */
static __noinline int have_pages(struct mapping *mapping, unsigned int index, unsigned int nr,
				 struct page **pages, bool again)
{
	struct radix_pool pool;
	struct run run;
	unsigned int i;
	int n = 0;

	pool.count = 0;
	run.mapping = mapping;
	run.nr = 0;
	for (i = 0; i < nr; i += n) {
		struct page **had = pages ? pages + i : NULL;
		unsigned int hole;

		n = find_run(mapping, index + i, nr - i, had, &hole);
		if (n > 0 && again)
			heal(had, n);
		if (n == 0) {
			if (index + i >= mapping_limit(mapping))
				break;
			/* None if another CPU was faster: its pages are found in the next round. */
			n = run_fill(&run, &pool, index + i, hole, had);
		}
		if (n < 0)
			break;
	}
	run_start(&run);
	radix_pool_release(&pool);
	return i > 0 ? (int)i : n;
}

/*
 * Read-ahead. A file that is read in order gets a window that doubles up to WINDOW_MAX pages behind
 * what was asked for. It is filled in halves, so that the device gets large requests and a read
 * that finds all its pages costs a comparison. True: it is to be filled.
 */
static inline bool read_ahead(struct file *file, unsigned int index, unsigned int end)
{
	if (index != file->ra_next && index + 1 != file->ra_next) {
		file->ra_size = 0;
		file->ra_end = 0;
	} else if (end > file->ra_next) {
		file->ra_size = MIN(MAX(file->ra_size * 2, WINDOW_MIN), WINDOW_MAX);
	}
	file->ra_next = end;
	file->ra_end = MAX(file->ra_end, end);
	return file->ra_size > 0 && file->ra_end - end <= file->ra_size / 2;
}

static __noinline void fill_window(struct mapping *mapping, struct file *file, unsigned int end)
{
	unsigned int limit = mapping_limit(mapping), from = file->ra_end;
	unsigned int to = limit - end < file->ra_size ? limit : end + file->ra_size;

	if (limit <= end || from >= to)
		return;
	file->ra_end = to;
	have_pages(mapping, from, to - from, NULL, false);
}

//BOOK: start-pages
static inline __attribute__((always_inline)) int start_pages(struct mapping *mapping,
							     struct file *file, unsigned int index,
							     unsigned int nr, struct page **pages,
							     bool again)
{
	unsigned int hole, limit;
	int had = find_run(mapping, index, nr, pages, &hole), more;

	if (again)
		heal(pages, had);
	if (had < (int)nr) {
		limit = mapping_limit(mapping);
		if (index >= limit)
			return had;
		nr = MIN(nr, limit - index);
	}
	if (had < (int)nr) {
		more = have_pages(mapping, index + had, nr - had, pages + had, again);
		if (more < 0)
			return had ? had : more;
		had += more;
	}
	if (file && had == (int)nr && read_ahead(file, index, index + nr))
		fill_window(mapping, file, index + nr);
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
