/*
 * Addresses for the contents of pages. All code that reads or writes a page's bytes uses these.
 *
 *	char *bytes = kmap_local(page);
 *	...
 *	kunmap_local(bytes);
 *
 * 1. kmap_local() gives the running task a mapping that only it uses. A task has a small stack of
 *    them (KMAP_LOCAL_MAX), and gives them back in reverse order. They survive a sleep, and the
 *    task stays on its CPU as long as it has any. It never sleeps and never fails. An interrupt
 *    uses the stack of the task that it interrupts. For low memory kmap_local() costs nothing.
 * 2. kmap() is for mappings that outlive a function. They come from a pool that all CPUs share, and
 *    kmap() sleeps while the pool is full. The same page gets the same address.
 * 3. `page` may be a tail of a compound page. For kmap_local() it may also be a fake page, which
 *    stands for device memory. Its mapping is uncached.
 */
#ifndef MM_KMAP_H
#define MM_KMAP_H

#include "mm/direct_map.h"
#include "mm/page.h"

void *kmap_local_slow(struct page *page);
void kunmap_local_slow(void *address);

static inline void *kmap_local(struct page *page)
{
	if (likely(!page_has(page, PG_HIGH | PG_DEVICE)))
		return page_address_low(page);
	return kmap_local_slow(page);
}

/* `address` may be any address within the mapped page. */
static inline void kunmap_local(const void *address)
{
	extern uintptr_t direct_map_end;

	if (unlikely((uintptr_t)address >= direct_map_end))
		kunmap_local_slow((void *)address);
}

/* Mappings of the shared pool. Both kinds work after pgtable_init(). kmap() may sleep. */
void *kmap(struct page *page);
void kunmap(struct page *page);

/*
 * Restore the mappings of a task with kmap_depth > 0. The scheduler calls it before the task runs.
 */
void kmap_switch_in(struct task *task);

/* Set bytes of a page to zero; copy a whole page. They map the pages themselves and never sleep. */
void page_zero(struct page *page, unsigned int offset, unsigned int len);
void page_copy(struct page *to, struct page *from);

#endif
