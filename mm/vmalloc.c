/*
 * Addresses between VMALLOC_START and VMALLOC_END.
 *
 * 1. `used` has a bit for each page of the range. An area is a run of used pages with mappings, and
 *    one more, its guard, without: so its page-table entries say how long it is.
 * 2. What is freed is unmapped at once, but its addresses stay used (and are in `stale`) until the
 *    TLBs of all CPUs have been flushed, which is done for many areas at a time: nobody uses a
 *    stale entry, as nobody knows the address any more.
 * 3. vmalloc_lock (plain) guards all of it and the page tables of the range; a flush runs under it.
 */
#include "mm/vmalloc.h"
#include "kernel/spinlock.h"
#include "mm/pgtable.h"

#define PAGES		((VMALLOC_END - VMALLOC_START) / PAGE_SIZE)
#define WORD_BITS	32u
#define WORDS		(PAGES / WORD_BITS)
#define STALE_MAX	1024u /* pages that may wait for a flush */
#define DEVICE_BITS	(PTE_PRESENT | PTE_WRITE | PTE_NOCACHE | PTE_WRITETHROUGH | PTE_SPECIAL)
#define BOOT_TABLES_END (VMALLOC_START + (16u << 20))

static spinlock_t vmalloc_lock = SPINLOCK_INIT("vmalloc");
static uint32_t used[WORDS], stale[WORDS];
static unsigned int nr_stale;
static unsigned int first_hint; /* no free page below this one */

static bool bit_test(const uint32_t *map, unsigned int bit)
{
	return map[bit / WORD_BITS] & 1u << bit % WORD_BITS;
}

static void bits_set(uint32_t *map, unsigned int first, unsigned int count)
{
	for (unsigned int bit = first; bit < first + count; bit++)
		map[bit / WORD_BITS] |= 1u << bit % WORD_BITS;
}

static void flush_stale(void)
{
	if (!nr_stale)
		return;
	tlb_flush_kernel(VMALLOC_START, VMALLOC_END);
	for (unsigned int i = 0; i < WORDS; i++) {
		used[i] &= ~stale[i];
		stale[i] = 0;
	}
	nr_stale = 0;
	first_hint = 0;
}

/* The first run of `count` free pages; PAGES: none. */
static unsigned int find_run(unsigned int count)
{
	unsigned int run = 0;

	for (unsigned int bit = first_hint; bit < PAGES; bit++) {
		if (bit % WORD_BITS == 0 && used[bit / WORD_BITS] == UINT32_MAX) {
			bit += WORD_BITS - 1;
			run = 0;
		} else if (bit_test(used, bit)) {
			run = 0;
		} else if (++run == count) {
			return bit + 1 - count;
		}
	}
	return PAGES;
}

/* `count` pages of addresses, not mapped, and a guard page behind them; 0: none. */
static uintptr_t area_take(unsigned int count)
{
	uintptr_t start = 0;
	unsigned int first;

	spin_lock(&vmalloc_lock);
	if (nr_stale > STALE_MAX)
		flush_stale();
	first = find_run(count + 1);
	if (first == PAGES) {
		flush_stale();
		first = find_run(count + 1);
	}
	if (first < PAGES) {
		start = VMALLOC_START + first * PAGE_SIZE;
		if (kernel_tables_make(start, start + (count + 1) * PAGE_SIZE) < 0) {
			start = 0;
		} else {
			bits_set(used, first, count + 1);
			while (first_hint < PAGES && bit_test(used, first_hint))
				first_hint++;
		}
	}
	spin_unlock(&vmalloc_lock);
	return start;
}

static void area_give(uintptr_t start, unsigned int count)
{
	spin_lock(&vmalloc_lock);
	bits_set(stale, (start - VMALLOC_START) / PAGE_SIZE, count + 1);
	nr_stale += count + 1;
	spin_unlock(&vmalloc_lock);
}

/* Unmap an area, as far as it is mapped, and drop its pages: how many they were. */
static unsigned int area_unmap(uintptr_t start)
{
	unsigned int count = 0;

	for (;; count++) {
		pte_t entry = pte_take(kernel_pte(start + count * PAGE_SIZE));

		if (!(entry & PTE_PRESENT))
			return count;
		if (!(entry & PTE_SPECIAL))
			page_put(frame_page(pte_frame(entry)));
	}
}

void *vmalloc(size_t size)
{
	unsigned int count = PAGE_ALIGN(size) / PAGE_SIZE;
	uintptr_t start;

	if (!count || count >= PAGES)
		return NULL;
	start = area_take(count);
	if (!start)
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		struct page *page = page_alloc(0, ALLOC_HIGH | ALLOC_ZERO);

		if (!page) {
			area_unmap(start);
			area_give(start, count);
			return NULL;
		}
		pte_set(kernel_pte(start + i * PAGE_SIZE),
			pte_make(page_phys(page), PTE_PRESENT | PTE_WRITE | pte_nx));
	}
	return (void *)start;
}

void vfree(void *address)
{
	uintptr_t start = (uintptr_t)address;

	if (!address)
		return;
	if (start < VMALLOC_START || start >= VMALLOC_END || start % PAGE_SIZE)
		panic("vfree: %p is no area", address);
	area_give(start, area_unmap(start));
}

void *ioremap(phys_addr_t phys, size_t size)
{
	unsigned int offset = phys % PAGE_SIZE;
	unsigned int count = ((uint64_t)offset + size + PAGE_SIZE - 1) / PAGE_SIZE;
	uintptr_t start;

	if (!size || count >= PAGES)
		return NULL;
	start = area_take(count);
	if (!start)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		pte_set(kernel_pte(start + i * PAGE_SIZE),
			pte_make(phys - offset + (phys_addr_t)i * PAGE_SIZE, DEVICE_BITS | pte_nx));
	return (void *)(start + offset);
}

void iounmap(void *address)
{
	vfree((void *)((uintptr_t)address & PAGE_MASK));
}

void vmalloc_init(void)
{
	if (kernel_tables_make(VMALLOC_START, BOOT_TABLES_END) < 0)
		panic("too little memory for page tables");
}
