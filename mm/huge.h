/* Huge pages: a pool of compound pages of 2 MiB. The contract is in mm/huge.c. */
#ifndef MM_HUGE_H
#define MM_HUGE_H

#include "mm/page.h"

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER) /* ordinary pages in a huge one */

/* Take a zeroed huge page, with one reference, from the pool. NULL: the pool is empty. */
struct page *huge_alloc(void);
/* Put a huge page back into the pool. For page_free(). May be called in an interrupt. */
void huge_free(struct page *page);
/* How many pages the pool has, and how many of them are free. */
void huge_stats(unsigned int *total, unsigned int *free);

#endif
