/*
 * A machine's memory for unit tests of the allocators: `arena` is RAM from physical address 0 on,
 * low memory and high memory alike. Include it first; then mm/page.c and what is to be tested.
 */
#ifndef TESTS_UNIT_MEMORY_SHIM_H
#define TESTS_UNIT_MEMORY_SHIM_H

#define SHIM_WITHOUT_SLAB
#include "tests/unit/shim.h"

#define ARENA_FRAMES 5120u

static char arena[ARENA_FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));

/* The kernel's own forms know where low memory is mapped; these stand in for them. */
#define phys_to_virt	 kernel_phys_to_virt
#define virt_to_phys	 kernel_virt_to_phys
#define virt_to_page	 kernel_virt_to_page
#define page_address_low kernel_page_address_low
#include "mm/direct_map.h"
#include "mm/huge.h"
#include "mm/page.h"
#undef phys_to_virt
#undef virt_to_phys
#undef virt_to_page
#undef page_address_low

#define phys_to_virt(phys)     ((void *)(arena + (phys)))
#define virt_to_phys(va)       ((phys_addr_t)((char *)(va)-arena))
#define virt_to_page(va)       frame_page(virt_to_phys(va) >> PAGE_SHIFT)
#define page_address_low(page) phys_to_virt(page_phys(page))

#include "mm/fail.h"
#include "mm/kmap.h"
#include "mm/pgtable.h"

uintptr_t direct_map_end = UINTPTR_MAX;
unsigned int lowmem_frames;

/* mm/fail.c */
struct atomic page_fail_nth;
bool page_fail_count(void)
{
	return atomic_dec_and_test(&page_fail_nth);
}

/* There is no pool of huge pages here. */
void huge_free(struct page *page)
{
	abort();
}

void *kmap_local_slow(struct page *page)
{
	return page_address_low(page);
}
void kunmap_local_slow(void *address)
{
	(void)address;
}
void page_zero(struct page *page, unsigned int offset, unsigned int len)
{
	memset((char *)page_address_low(page) + offset, 0, len);
}

#endif
