/*
 * Reclaim of cached pages when memory runs short, by the second-chance algorithm.
 *
 * 1. The pages of all files with a store behind them are on one list, oldest first. A page that has
 *    been used since the last look (PG_REFERENCED) goes to the end of the list once more. A page is
 *    dropped if it is clean, not lent, not locked, and only its file holds it. A clean page that
 *    programs map is unmapped first.
 * 2. lru_lock, a plain spinlock and a leaf, guards the list and PG_LRU. The list has no references.
 *    A page leaves it before its file's reference is dropped, so a task that finds a page here
 *    under lru_lock may take a reference.
 * 3. Dirty pages stay. When nothing else is left, fs/cache/flush.c has them written.
 * 4. The shrinker never sleeps and never waits for a page lock, because its caller may hold some.
 */
#include "fs/cache/lru.h"
#include "fs/cache/writeback.h"
#include "kernel/init.h"
#include "mm/vm/vm.h"

static spinlock_t lru_lock = SPINLOCK_INIT("page LRU");
static struct list lru = LIST_INIT(lru);

void lru_add(struct page *page)
{
	spin_lock(&lru_lock);
	list_add_tail(&lru, &page->link);
	set_bits(&page->flags, PG_LRU);
	spin_unlock(&lru_lock);
}

void lru_remove(struct page *page)
{
	spin_lock(&lru_lock);
	if (page_has(page, PG_LRU)) {
		list_del(&page->link);
		clear_bits(&page->flags, PG_LRU);
	}
	spin_unlock(&lru_lock);
}

/*
 * Move the oldest page to the end of the list and return it with a reference. NULL: the list is
 * empty.
 */
static struct page *take_oldest(void)
{
	struct page *page = NULL;

	spin_lock(&lru_lock);
	if (!list_empty(&lru)) {
		page = list_first(&lru, struct page, link);
		list_del(&page->link);
		list_add_tail(&lru, &page->link);
		if (!page_get(page))
			page = NULL;
	}
	spin_unlock(&lru_lock);
	return page;
}

unsigned int lru_find_dirty(struct page **pages, unsigned int nr)
{
	unsigned int found = 0;
	struct page *page;

	spin_lock(&lru_lock);
	list_for_each(page, &lru, link) {
		/*
		 * A page on the list is in its file, or about to leave the list. So its mapping
		 * exists.
		 */
		struct mapping *mapping = READ_ONCE(page->mapping);

		if (found == nr)
			break;
		if (page_has(page, PG_DIRTY) && !page_has(page, PG_LOCKED | PG_WRITEBACK) &&
		    mapping && mapping->ops->write_pages && page_get(page))
			pages[found++] = page;
	}
	spin_unlock(&lru_lock);
	return found;
}

bool page_try_drop(struct page *page)
{
	struct mapping *mapping;
	bool dropped = false;

	if (page_has(page, PG_DIRTY | PG_WRITEBACK) || atomic_read(&page->lent) > 0 ||
	    !page_trylock(page))
		return false;
	mapping = page->mapping;
	if (mapping && mapping->ops->has_store && !mapping_page_locked(mapping, page)) {
		/* A program that still needs the page faults and reads it again. */
		if (mapping_unmap_page(mapping, page))
			page_set_dirty(page);
		dropped = mapping_remove_page(mapping, page, false);
	}
	page_unlock(page);
	return dropped;
}

unsigned int lru_shrink(unsigned int wanted)
{
	unsigned int freed = 0;

	/*
	 * Go round twice at most. The first look at a page may only clear PG_REFERENCED, and if we
	 * find nothing, the caller gives up.
	 */
	for (int left = 2 * atomic_read(&nr_cached_pages); freed < wanted && left > 0; left--) {
		struct page *page = take_oldest();

		if (!page)
			break;
		if (page_has(page, PG_REFERENCED))
			clear_bits(&page->flags, PG_REFERENCED);
		else if (page_try_drop(page))
			freed++;
		page_put(page);
	}
	return freed;
}

static struct shrinker page_shrinker = { .shrink = lru_shrink };

static void lru_init(void)
{
	shrinker_register(&page_shrinker);
}
INITCALL(2, lru_init);
