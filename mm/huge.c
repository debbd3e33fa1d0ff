/*
 * Huge pages: compound pages of 2 MiB for MAP_HUGETLB, from a pool that is filled at boot
 * (hugepages=N).
 *
 * 1. A page of the pool keeps PG_HUGE for ever. Free ones are on the list `pool` and have no
 *    reference. The last page_put(), perhaps in an interrupt, puts a page back on the list.
 * 2. A VMA with VMA_HUGE gets all its pages when it is created, or the creation fails. Each page is
 *    mapped by one entry of a page directory (PTE_LARGE), which has one reference to the compound
 *    page.
 * 3. A write to a shared huge page splits its mapping into 512 entries, which have one reference
 *    each to the same compound page, and copies 4 KiB. If a huge page is needed later, after
 *    MADV_DONTNEED, and the pool is empty, ordinary pages take its place.
 */
#include "mm/fail.h"
#include "mm/huge.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/kmap.h"

static spinlock_t pool_lock = SPINLOCK_INIT("huge pages"); /* irqsave: the next two */
static struct list pool = LIST_INIT(pool);
static unsigned int nr_free;
static uint32_t nr_pages;

static int set_hugepages(const char *value)
{
	return parse_u32(value, &nr_pages);
}
KERNEL_PARAM(hugepages, set_hugepages, "0",
	     "pages of 2 MiB for MAP_HUGETLB; half of memory at most");

static void huge_init(void)
{
	struct memory_stats memory;
	uint32_t asked = nr_pages;
	unsigned int wanted;

	memory_stats(&memory);
	wanted = MIN(asked, memory.free / 2 / HUGE_PAGES);
	for (nr_pages = 0; nr_pages < wanted; nr_pages++) {
		struct page *page = page_alloc(HUGE_ORDER, ALLOC_HIGH);

		if (!page)
			break;
		set_bits(&page->flags, PG_HUGE);
		page_put(page);
	}
	if (nr_pages < asked)
		log_warning("hugepages=%u: there is room for %u in half of the memory", asked,
			    nr_pages);
}
INITCALL(1, huge_init);

void huge_stats(unsigned int *total, unsigned int *free)
{
	*total = nr_pages;
	*free = READ_ONCE(nr_free);
}

struct page *huge_alloc(void)
{
	struct page *page = NULL;
	unsigned int irq;

	if (page_fail_now())
		return NULL;
	irq = spin_lock_irqsave(&pool_lock);
	if (nr_free > 0) {
		page = list_first(&pool, struct page, link);
		list_del(&page->link);
		nr_free--;
	}
	spin_unlock_irqrestore(&pool_lock, irq);
	if (!page)
		return NULL;
	atomic_set(&page->refs, 1);
	for (unsigned int i = 0; i < HUGE_PAGES; i++)
		page_zero(page + i, 0, PAGE_SIZE);
	return page;
}

void huge_free(struct page *page)
{
	unsigned int irq = spin_lock_irqsave(&pool_lock);

	list_add(&pool, &page->link);
	nr_free++;
	spin_unlock_irqrestore(&pool_lock, irq);
}
