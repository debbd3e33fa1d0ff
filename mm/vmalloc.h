/*
 * Kernel addresses outside the direct map: large areas made of single pages, device memory, and
 * kernel stacks. An unmapped guard page follows every area, and so there is one below the next area
 * too.
 */
#ifndef MM_VMALLOC_H
#define MM_VMALLOC_H

#include "lib/types.h"

/*
 * Allocate `size` bytes, rounded up to whole pages, which need not be neighbours. `flags` is
 * ALLOC_ZERO or
 * 0. Returns NULL if there is no memory or no address space. May sleep.
 */
void *vmalloc(size_t size, unsigned int flags);
/*
 * Free an area that vmalloc() or ioremap() returned. `address` may be NULL. Interrupts must be on,
 * because another CPU that holds the lock may be waiting for this CPU to answer its TLB flush.
 */
void vfree(void *address);

/*
 * Allocate `size` bytes with kmalloc(), or with vmalloc() if they are too many for it. Returns NULL
 * if there is no memory. `flags` is ALLOC_ZERO or 0. Free them with buffer_free(), and the same
 * size. Both may sleep.
 */
void *buffer_alloc(size_t size, unsigned int flags);
void buffer_free(void *buffer, size_t size);

/*
 * Map `size` bytes of device memory, uncached. Returns NULL if there is no address space. May
 * sleep.
 */
void *ioremap(phys_addr_t phys, size_t size);
/*
 * The same for memory that is only written, such as a picture: where the CPU can, it collects
 * writes and sends them in bursts, in any order.
 */
void *ioremap_combining(phys_addr_t phys, size_t size);

#endif
