/*
 * The pages of files with a disk behind them, in the order in which they came: who is given up
 * first.
 */
#ifndef FS_CACHE_LRU_H
#define FS_CACHE_LRU_H

#include "mm/page.h"

/* Put a cached page on the list. Never sleeps; not from interrupts. */
void lru_add(struct page *page);
/* Take it off, before the tree's reference is dropped. It may be on no list. */
void lru_remove(struct page *page);

/*
 * Drop the page from its file if it is clean and nobody else uses it: the caller's reference and
 * the tree's are the only ones. True if it is out of the file; the caller's reference stays. Never
 * sleeps. fs/cache/pagecache.c
 */
bool page_try_drop(struct page *page);

#endif
