/*
 * The page cache: finding, adding and removing the pages of a file.
 *
 * 1. mapping->lock guards the tree. No interrupt takes it. page->mapping and page->index change only
 *    while the page is locked and mapping->lock is held, so either lock is enough to read them.
 * 2. Removing a page from the tree needs the page lock. A page therefore stays in the tree while a
 *    task or a read holds its lock, and the tree's reference keeps it alive for the device that
 *    fills it.
 * 3. A cached page that is not locked is PG_UPTODATE or PG_ERROR.
 */
#include "fs/cache/lru.h"
#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

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

void mapping_find_cached(struct mapping *mapping, unsigned int index, unsigned int nr,
			 struct page **pages)
{
	struct page **slot = NULL;
	unsigned int left = 0; /* places up to the end of the leaf */

	spin_lock(&mapping->lock);
	for (unsigned int i = 0; i < nr; i++, left--) {
		if (left == 0)
			slot = (struct page **)radix_slot(&mapping->pages, index + i, &left);
		pages[i] = slot ? *slot++ : NULL;
		if (pages[i] && !page_get(pages[i]))
			pages[i] = NULL;
	}
	spin_unlock(&mapping->lock);
}

unsigned int mapping_find_run(struct mapping *mapping, unsigned int index, unsigned int nr,
			      struct page **pages)
{
	struct page **leaf, *page;
	unsigned int left, n = 0;

	spin_lock(&mapping->lock);
	leaf = (struct page **)radix_slot(&mapping->pages, index, &left);
	nr = leaf ? MIN(nr, left) : 0;
	while (n < nr && (page = leaf[n]) && page_get_head(page))
		pages[n++] = page;
	spin_unlock(&mapping->lock);
	return n;
}

unsigned int mapping_hole(struct mapping *mapping, unsigned int index, unsigned int nr)
{
	unsigned int left, hole = 0;
	void **leaf;

	spin_lock(&mapping->lock);
	leaf = radix_slot(&mapping->pages, index, &left);
	while (hole < MIN(nr, left) && !(leaf && leaf[hole]))
		hole++;
	spin_unlock(&mapping->lock);
	return hole;
}

/* ---- adding ---- */

int mapping_insert(struct mapping *mapping, unsigned int index, struct page **pages,
		   unsigned int nr, struct radix_pool *pool)
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

/* A new locked page in the file, with the caller's reference. NULL if another task was faster. */
static struct page *add_page(struct mapping *mapping, unsigned int index, struct radix_pool *pool)
{
	struct page *page = page_alloc(0, ALLOC_HIGH);
	int added;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page_ref(page);
	page->flags |= PG_LOCKED;
	added = mapping_insert(mapping, index, &page, 1, pool);
	if (added > 0)
		return page;
	page->flags &= ~PG_LOCKED;
	page_put(page);
	page_put(page);
	return added < 0 ? ERR_PTR(added) : NULL;
}

struct page *mapping_find_or_add(struct mapping *mapping, unsigned int index, bool *fresh)
{
	struct page *page = mapping_find(mapping, index);
	struct radix_pool pool;

	*fresh = false;
	if (page)
		return page;
	pool.count = 0;
	while (!page) {
		page = add_page(mapping, index, &pool);
		*fresh = page && !IS_ERR(page);
		if (!page)
			page = mapping_find(mapping, index);
	}
	radix_pool_release(&pool);
	return page;
}

void mapping_take_back(struct mapping *mapping, struct page *page)
{
	page_ref(page);
	mapping_remove_page(mapping, page);
	page_unlock(page);
}

/*
 * All pages are inserted before the file system makes room for them, because room is counted by the
 * pages that are there. They stay locked meanwhile, so nobody changes, removes or drops them.
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
		n = mapping_insert(mapping, index + done, pages + done, nr - done, &pool);
		done += MAX(n, 0);
	} while (n > 0 && done < nr);
	radix_pool_release(&pool);
	if (mapping->ops->has_store)
		atomic_add(&nr_dirty_pages, done);
	if (done > 0 && mapping->ops->begin_add(mapping)) {
		for (i = 0; i < done; i++)
			mapping_take_back(mapping, pages[i]);
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
	WRITE_ONCE(page->mapping, NULL); /* confirm and lenders look at it without a lock */
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
	/* Before a sync can find it: the old page may have been dirty, and it is not looked at again. */
	if (new->flags & PG_UPTODATE)
		page_set_dirty(new);
	radix_replace(&mapping->pages, old->index, new);
	WRITE_ONCE(old->mapping, NULL);
	spin_unlock(&mapping->lock);
	page_clear_dirty(mapping, old);
	lru_remove(old);
	if (mapping->ops->has_store)
		lru_add(new);
	page_put(old);
}

/*
 * May this locked page not be dropped? Finders raise `refs` under mapping->lock, and a lender holds a
 * reference, so the answer is reliable while mapping->lock is held.
 */
static bool in_use(struct page *page)
{
	return page->flags & (PG_DIRTY | PG_WRITEBACK) || atomic_read(&page->refs) != 2 ||
	       atomic_read(&page->lent) > 0 || atomic_read(&page->mapped) > 0;
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

/* Take a locked page out of its file, unless somebody else uses it. */
static bool drop_locked(struct mapping *mapping, struct page *page)
{
	bool dropped = false;

	spin_lock(&mapping->lock);
	if (!in_use(page)) {
		radix_remove(&mapping->pages, page->index);
		WRITE_ONCE(page->mapping, NULL);
		dropped = true;
	}
	spin_unlock(&mapping->lock);
	if (dropped) {
		lru_remove(page);
		atomic_dec(&nr_cached_pages);
		page_put(page);
	}
	return dropped;
}

bool page_try_drop(struct page *page)
{
	struct mapping *mapping;
	bool dropped;

	if (page->flags & (PG_DIRTY | PG_WRITEBACK) || atomic_read(&page->lent) > 0 ||
	    !page_trylock(page))
		return false;
	mapping = page->mapping;
	dropped = false;
	if (mapping && mapping->ops->has_store) {
		/* A program that still needs the page faults and reads it again. */
		if (atomic_read(&page->mapped) > 0 && mapping_unmap_page(mapping, page))
			page_set_dirty(page);
		dropped = drop_locked(mapping, page);
	}
	page_unlock(page);
	return dropped;
}

bool mapping_reserve(struct mapping *mapping, unsigned int first, unsigned int last)
{
	for (unsigned int index = first; index <= last; index++) {
		bool fresh;
		struct page *page = mapping_find_or_add(mapping, index, &fresh);

		if (!IS_ERR(page))
			page_put(page); /* a fresh one stays: it is locked */
		if (IS_ERR(page) || !fresh) {
			mapping_unreserve(mapping, first, index);
			return false;
		}
	}
	return true;
}

void mapping_unreserve(struct mapping *mapping, unsigned int first, unsigned int end)
{
	for (unsigned int index = first; index < end; index++) {
		struct page *page = mapping_find(mapping, index);

		if (drop_locked(mapping, page))
			page_unlock(page);
		else
			page_read_locked(page); /* somebody waits for what is there now */
		page_put(page);
	}
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
		error = page_wait(page, PG_LOCKED, TASK_KILLABLE);
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
		page_lock(page, TASK_UNINTERRUPTIBLE);
		if (page->mapping == mapping) {
			page_wait(page, PG_WRITEBACK, TASK_UNINTERRUPTIBLE);
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
