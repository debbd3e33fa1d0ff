/* Huge pages: a pool of compound pages of 2 MiB. The contract is in mm/huge.c. */
#ifndef MM_HUGE_H
#define MM_HUGE_H

#include "mm/page.h"

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER) /* ordinary pages in a huge one */

/* A huge page from the pool, zeroed, with one reference; NULL: none is left. */
struct page *huge_alloc(void);
/* For page_free(): its last reference is gone. From interrupts too. */
void huge_free(struct page *page);
/* Pages that the pool has, and those of them that are free. */
void huge_stats(unsigned int *total, unsigned int *free);

#endif
