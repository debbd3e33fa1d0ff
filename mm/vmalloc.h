/*
 * Kernel addresses outside the direct map: memory in single pages, device memory, kernel stacks.
 * An unmapped guard page lies behind every area (and so below the next one).
 */
#ifndef MM_VMALLOC_H
#define MM_VMALLOC_H

#include "lib/types.h"

/* size bytes (rounded up to pages), from any pages, zeroed. NULL. May sleep. */
void *vmalloc(size_t size);
/*
 * Give back an area of either kind; NULL is fine. Interrupts are on: another CPU that has the lock
 * may wait for this one's answer.
 */
void vfree(void *address);

/* Map device memory uncached. NULL: no room. May sleep. */
void *ioremap(phys_addr_t phys, size_t size);

#endif
