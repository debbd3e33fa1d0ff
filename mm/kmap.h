/*
 * Addresses for page contents. All code that touches what is in a page goes through these.
 *
 * kmap_local: a small stack of mappings (KMAP_LOCAL_MAX) owned by the running task, given back in
 * reverse order, kept across a sleep (the task then stays on its CPU). Low memory costs nothing. Never
 * sleeps, never fails; also in interrupts (at most 2 deep there). kmap: for mappings that outlive a
 * function, from a shared pool; sleeps while the pool is full; the same page gets the same address.
 * `page` may be a tail of a compound page, and for kmap_local a fake page: its mapping is uncached.
 */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include "mm/page.h"

void *kmap_local_slow(struct page *page);
void kunmap_local_slow(void *address);

static inline void *kmap_local(struct page *page)
{
	if (likely(!(page->flags & (PG_HIGH | PG_DEVICE))))
		return page_address_low(page);
	return kmap_local_slow(page);
}

/* Any address within the page will do. */
static inline void kunmap_local(const void *address)
{
	extern uintptr_t direct_map_end;

	if (unlikely((uintptr_t)address >= direct_map_end))
		kunmap_local_slow((void *)address);
}

/* The shared pool. Both kinds work from pgtable_init() on. */
void *kmap(struct page *page);
void kunmap(struct page *page);

/* The scheduler calls this on a task with kmap_depth > 0 that comes back to its CPU. */
void kmap_switch_in(struct task *task);

/* Helpers that map, act and unmap. */
void page_zero(struct page *page, unsigned int offset, unsigned int len);
void page_copy(struct page *to, struct page *from);

#endif
