/*
 * Giving up cached pages when memory is wanted, by second chance.
 *
 * 1. Pages of mappings with a store behind them stand on one list, oldest first. A page that was
 *    used since the last look (PG_REFERENCED) goes to the end once more; one that is clean, unlent,
 *    unlocked and held by nobody but its file is dropped.
 * 2. lru_lock (plain, a leaf) guards the list and PG_LRU. The list holds no reference: a page
 *    leaves it before its file's reference is dropped, so whoever finds a page here under lru_lock
 *    may take one.
 * 3. The shrinker sleeps nowhere and waits for no page lock: it may run in a task that holds some.
 */
#include "fs/cache/lru.h"
#include "fs/cache/pagecache.h"
#include "kernel/init.h"

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
	if (page->flags & PG_LRU) {
		list_del(&page->link);
		clear_bits(&page->flags, PG_LRU);
	}
	spin_unlock(&lru_lock);
}

/* The oldest page, with a reference, moved to the end; NULL: the list is empty. */
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

static unsigned int shrink(unsigned int wanted)
{
	unsigned int freed = 0;

	/* Twice round at most: the first look may only take away PG_REFERENCED, and to find nothing
	 * means that the caller gives up. */
	for (int left = 2 * atomic_read(&nr_cached_pages); freed < wanted && left > 0; left--) {
		struct page *page = take_oldest();

		if (!page)
			break;
		if (page->flags & PG_REFERENCED)
			clear_bits(&page->flags, PG_REFERENCED);
		else if (page_try_drop(page))
			freed++;
		page_put(page);
	}
	return freed;
}

static struct shrinker page_shrinker = { .shrink = shrink };

static void lru_init(void)
{
	shrinker_register(&page_shrinker);
}
INITCALL(2, lru_init);
