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
 * fs/cache/pagecache.c: unmap a clean page from all programs, and remove it from its file if nobody else
 * uses it, so that only the caller and the tree have references. Returns true if the page has left the
 * file. The caller's reference stays. Never sleeps. Interrupts are on, for the TLB flush.
 */
bool page_try_drop(struct page *page);

#endif
