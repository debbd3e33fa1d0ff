/*
 * The page cache: finding, adding and removing the pages of a file.
 *
 * 1. mapping->lock guards the tree. No interrupt takes it. page->mapping and page->index change
 *    only while the page is locked and mapping->lock is held, so either lock is enough to read
 *    them.
 * 2. Removing a page from the tree needs the page lock. A page therefore stays in the tree while a
 *    task or a read holds its lock, and the tree's reference keeps it alive for the device that
 *    fills it.
 * 3. A cached page that is not locked is PG_UPTODATE or PG_ERROR.
 */
#include "fs/cache/lru.h"
#include "fs/cache/writeback.h"
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
}

/* ---- finding ---- */

struct page *mapping_find(struct mapping *mapping, unsigned int index)
{
	struct page *page;

	spin_lock(&mapping->lock);
	page = radix_lookup(&mapping->pages, index);
	if (page && !page_get_head(page))
		page = NULL;
	spin_unlock(&mapping->lock);
	return page;
}

unsigned int mapping_find_run(struct mapping *mapping, unsigned int index, unsigned int nr,
			      struct page **pages, bool holes)
{
	struct page **leaf, *page;
	unsigned int left, n;

	spin_lock(&mapping->lock);
	leaf = (struct page **)radix_slot(&mapping->pages, index, &left);
	nr = MIN(nr, left);
	for (n = leaf ? 0 : nr; n < nr; n++) {
		page = leaf[n];
		if (page && page_get_head(page))
			pages[n] = page;
		else if (!holes)
			break;
	}
	spin_unlock(&mapping->lock);
	return leaf || holes ? n : 0;
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

/*
 * Insert locked pages that are in no file, from index on. The caller's references go to the tree.
 * Returns how many were inserted, as mapping_add_new() does.
 */
static int insert(struct mapping *mapping, unsigned int index, struct page **pages, unsigned int nr)
{
	struct radix_pool pool;
	unsigned int need;
	int error = 0;

	pool.count = 0;
	spin_lock(&mapping->lock);
	while (!error && (need = radix_need(&mapping->pages, index)) > pool.count) {
		spin_unlock(&mapping->lock);
		error = radix_preload(&pool, need);
		spin_lock(&mapping->lock);
	}
	nr = error ? 0 : radix_insert(&mapping->pages, index, (void **)pages, nr, &pool);
	for (unsigned int i = 0; i < nr; i++) {
		pages[i]->index = index + i;
		pages[i]->mapping = mapping;
	}
	spin_unlock(&mapping->lock);
	radix_pool_release(&pool);
	atomic_add(&nr_cached_pages, nr);
	if (mapping->ops->has_store)
		for (unsigned int i = 0; i < nr; i++)
			lru_add(pages[i]);
	return error ? error : (int)nr;
}

int mapping_add_new(struct mapping *mapping, unsigned int index, struct page **pages,
		    unsigned int nr, unsigned int flags)
{
	unsigned int got = 0;
	int added;

	/*
	 * The caller has seen a hole, and another task has filled it before the hole was measured.
	 */
	if (nr == 0)
		return 0;
	while (got < nr && (pages[got] = page_alloc(0, ALLOC_HIGH | flags)) != NULL)
		pages[got++]->flags |= PG_LOCKED;
	added = got > 0 ? insert(mapping, index, pages, got) : -ENOMEM;
	for (unsigned int i = MAX(added, 0); i < got; i++) {
		pages[i]->flags &= ~PG_LOCKED;
		page_put(pages[i]);
	}
	return added;
}

struct page *mapping_find_or_add(struct mapping *mapping, unsigned int index, bool *fresh)
{
	for (;;) {
		struct page *page = mapping_find(mapping, index);
		int added;

		*fresh = !page;
		if (page)
			return page;
		added = mapping_add_new(mapping, index, &page, 1, 0);
		if (added < 0)
			return ERR_PTR(added);
		if (added > 0) {
			page_ref(page);
			return page;
		}
	}
}

void mapping_take_back(struct mapping *mapping, struct page *page)
{
	page_ref(page);
	mapping_remove_page(mapping, page, true);
	page_unlock(page);
}

/*
 * All pages are inserted before the file system makes room for them, because tmpfs counts room by
 * the pages that are there. They stay locked meanwhile, so nobody changes, removes or drops them.
 */
unsigned int mapping_add_pages(struct mapping *mapping, unsigned int index, struct page **pages,
			       unsigned int nr)
{
	unsigned int done = 0, i;
	int n;

	for (i = 0; i < nr; i++)
		pages[i]->flags |= PG_LOCKED | PG_UPTODATE | PG_DIRTY | PG_REFERENCED;
	do {
		n = insert(mapping, index + done, pages + done, nr - done);
		done += MAX(n, 0);
	} while (n > 0 && done < nr);
	mapping_count_dirty(mapping, done);
	n = done > 0 ? mapping->ops->begin_add(mapping, pages, done) : 0;
	while (done > (unsigned int)MAX(n, 0))
		mapping_take_back(mapping, pages[--done]);
	for (i = 0; i < done; i++)
		page_unlock(pages[i]);
	for (; i < nr; i++)
		clear_bits(&pages[i]->flags, PG_LOCKED | PG_UPTODATE | PG_DIRTY | PG_REFERENCED);
	return done;
}

/* ---- removing ---- */

/*
 * Finders raise `refs` under mapping->lock. A lender and an entry of a page table hold a reference.
 * So if only the caller and the tree have one, nobody uses the page, and nobody can find it any
 * more.
 */
bool mapping_remove_page(struct mapping *mapping, struct page *page, bool used)
{
	bool remove;

	spin_lock(&mapping->lock);
	remove =
		used || (!page_has(page, PG_DIRTY | PG_WRITEBACK) && atomic_read(&page->refs) == 2);
	if (remove) {
		radix_remove(&mapping->pages, page->index);
		WRITE_ONCE(page->mapping, NULL); /* confirm and lenders look at it without a lock */
	}
	spin_unlock(&mapping->lock);
	if (remove) {
		page_clear_dirty(mapping, page);
		lru_remove(page);
		atomic_dec(&nr_cached_pages);
		page_put(page);
	}
	return remove;
}

void mapping_replace_page(struct mapping *mapping, struct page *old, struct page *new)
{
	page_ref(new);
	spin_lock(&mapping->lock);
	new->index = old->index;
	new->mapping = mapping;
	/*
	 * Before a sync can find it: the old page may have been dirty, and it is not looked at
	 * again.
	 */
	if (page_has(new, PG_UPTODATE))
		page_set_dirty(new);
	radix_replace(&mapping->pages, old->index, new);
	WRITE_ONCE(old->mapping, NULL);
	spin_unlock(&mapping->lock);
	page_clear_dirty(mapping, old);
	lru_remove(old);
	if (mapping->ops->has_store)
		lru_add(new);
	mapping_unmap_page(mapping, old);
	page_unlock(old);
	page_put(old); /* the tree's reference */
	page_put(old);
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
