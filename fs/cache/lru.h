/*
 * The list of cached pages that reclaim may drop: those of files with a store behind them.
 */
#ifndef FS_CACHE_LRU_H
#define FS_CACHE_LRU_H

#include "mm/page.h"

/* Put a cached page on the list. Never sleeps. Not for interrupts. */
void lru_add(struct page *page);
/*
 * Take a page off the list, if it is on it. Called before the tree's reference is dropped.
 */
void lru_remove(struct page *page);
/*
 * Find up to nr dirty pages whose files can write them, and which nobody has locked. The oldest
 * come first, with a reference each. Returns how many. Never sleeps.
 */
unsigned int lru_find_dirty(struct page **pages, unsigned int nr);
/* Drop up to `wanted` pages. Returns how many. Never sleeps, and waits for no lock of a page. */
unsigned int lru_shrink(unsigned int wanted);

/*
 * Unmap a clean page from all programs, and remove it from its file if nobody
 * else uses it, so that only the caller and the tree have references. Returns true if the page has
 * left the file. The caller's reference stays. Never sleeps. Interrupts are on, for the TLB flush.
 */
bool page_try_drop(struct page *page);

#endif
