/*
 * Memory at boot, before the page allocator has it: ranges of RAM from the loader's map.
 */
#ifndef MM_BOOT_MEMORY_H
#define MM_BOOT_MEMORY_H

#include "mm/page.h"

struct boot_memory { /* a usable range of RAM from the loader's map, page aligned */
	phys_addr_t start, end;
};
#define MAX_BOOT_MEMORY 32
extern struct boot_memory boot_memory[MAX_BOOT_MEMORY];
extern unsigned int nr_boot_memory;
/* Add the range [start, end). An empty range, or one that does not fit, is ignored. */
void boot_memory_add(phys_addr_t start, phys_addr_t end);
/* Remove [start, end) from boot_memory: the kernel's image, modules, the loader's data. */
void boot_memory_reserve(phys_addr_t start, phys_addr_t end);
/*
 * Allocate zeroed low memory before page_init(). If there is too little, the kernel cannot start.
 */
void *boot_alloc(size_t size, size_t align);
/* The end of RAM, including reserved parts, and the number of bytes left in boot_memory. */
phys_addr_t boot_memory_top(void);
phys_addr_t boot_memory_usable(void);
/* The size of the largest piece that boot_alloc() could take if low memory ended at `end`. */
phys_addr_t boot_memory_largest(phys_addr_t end);
/* Build mem_map, and free all memory that is left in boot_memory. Called after pgtable_init(). */
void page_init(void);
/* Give the frames [first, end), which are RAM, to the allocator. */
void page_add_frames(unsigned int first, unsigned int end);

#endif
