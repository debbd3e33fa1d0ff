/*
 * The direct map: low memory at fixed addresses of the kernel. The other pages are reached by
 * mm/kmap.h.
 */
#ifndef MM_DIRECT_MAP_H
#define MM_DIRECT_MAP_H

#include "mm/page.h"

#define KERNEL_BASE 0xc0000000u /* the direct map starts here, at physical 0 */
/* The kernel address of a physical address, and the reverse. For low memory only. */
static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(uintptr_t)(phys + KERNEL_BASE);
}
static inline phys_addr_t virt_to_phys(const void *va)
{
	return (uintptr_t)va - KERNEL_BASE;
}
static inline struct page *virt_to_page(const void *va)
{
	return frame_page(virt_to_phys(va) >> PAGE_SHIFT);
}
static inline void *page_address_low(const struct page *page)
{
	return phys_to_virt(page_phys(page));
}

#endif
