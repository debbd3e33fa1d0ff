/*
 * Addresses between VMALLOC_START and VMALLOC_END.
 *
 * 1. The page-table entries record which addresses are in use. An area is a run of entries that are
 *    not zero, between two that are zero. These two are its guard pages, and neighbouring areas
 *    share them.
 * 2. A freed area is unmapped at once, but other CPUs may still have it in their TLBs. Its entries
 *    are marked STALE. When the search reaches the end of the address range, all TLBs are flushed
 *    and the stale entries become free. Nobody uses a stale address, because its owner has given it
 *    up.
 * 3. vmalloc_lock, a plain spinlock, guards the entries and the cursor. It is held during a flush.
 */
#include "mm/vmalloc.h"
#include "kernel/cpu/cpu.h"
#include "kernel/spinlock.h"
#include "mm/pgtable.h"
#include "mm/slab.h"

#define TAKEN	       PTE_SPECIAL  /* allocated, not mapped yet */
#define STALE	       (1ull << 10) /* freed, perhaps still in a TLB */
#define DEVICE_BITS    (PTE_PRESENT | PTE_WRITE | PTE_NOCACHE | PTE_WRITETHROUGH | PTE_SPECIAL)
#define COMBINING_BITS (PTE_PRESENT | PTE_WRITE | PTE_COMBINING | PTE_SPECIAL)

static spinlock_t vmalloc_lock = SPINLOCK_INIT("vmalloc");
static uintptr_t cursor = VMALLOC_START; /* where the next search begins */

static void flush_stale(void)
{
	tlb_flush_kernel(VMALLOC_START, VMALLOC_END);
	for (uintptr_t va = VMALLOC_START; va < VMALLOC_END; va += PAGE_SIZE) {
		if (*kernel_pte(va) == STALE)
			pte_set(kernel_pte(va), 0);
	}
	cursor = VMALLOC_START;
}

/*
 * Find `size` free bytes with a free page at either end, from the cursor on. Returns the address of
 * the first byte, or 0.
 */
static uintptr_t find_run(size_t size)
{
	uintptr_t start = cursor;

	for (uintptr_t va = cursor; va < VMALLOC_END; va += PAGE_SIZE) {
		if (*kernel_pte(va))
			start = va + PAGE_SIZE;
		else if (va - start > size)
			return start + PAGE_SIZE;
	}
	return 0;
}

/* Allocate `size` bytes of addresses and mark them TAKEN. Returns 0 if there are none. */
static uintptr_t area_take(size_t size)
{
	uintptr_t start = 0;

	if (!size || size >= VMALLOC_END - VMALLOC_START)
		return 0;
	spin_lock(&vmalloc_lock);
	start = find_run(size);
	if (!start) {
		flush_stale();
		start = find_run(size);
	}
	if (start) {
		cursor = start + size;
		for (uintptr_t va = start; va < cursor; va += PAGE_SIZE)
			pte_set(kernel_pte(va), TAKEN);
	}
	spin_unlock(&vmalloc_lock);
	return start;
}

static void set_entry(uintptr_t va, phys_addr_t phys, pte_t bits)
{
	spin_lock(&vmalloc_lock);
	pte_set(kernel_pte(va), pte_make(phys, bits | pte_nx));
	spin_unlock(&vmalloc_lock);
}

void *vmalloc(size_t size, unsigned int flags)
{
	uintptr_t start = area_take(PAGE_ALIGN(size));

	for (size_t done = 0; start && done < size; done += PAGE_SIZE) {
		struct page *page = page_alloc(0, ALLOC_HIGH | flags);

		if (!page) {
			vfree((void *)start);
			return NULL;
		}
		set_entry(start + done, page_phys(page), PTE_PRESENT | PTE_WRITE);
	}
	return (void *)start;
}

void vfree(void *address)
{
	uintptr_t va = (uintptr_t)address & PAGE_MASK;
	pte_t entry;

	if (!va)
		return;
	spin_lock(&vmalloc_lock);
	for (; (entry = *kernel_pte(va)) != 0; va += PAGE_SIZE) {
		assert(entry != STALE);
		pte_set(kernel_pte(va), STALE);
		if (!(entry & PTE_SPECIAL))
			page_put(frame_page(pte_frame(entry)));
	}
	spin_unlock(&vmalloc_lock);
}

void *buffer_alloc(size_t size, unsigned int flags)
{
	return size <= KMALLOC_MAX ? kmalloc(size, flags) : vmalloc(size, flags);
}

void buffer_free(void *buffer, size_t size)
{
	if (size <= KMALLOC_MAX)
		kfree(buffer);
	else
		vfree(buffer);
}

static void *map_device(phys_addr_t phys, size_t size, uint64_t bits)
{
	unsigned int offset = phys % PAGE_SIZE;
	uintptr_t start = size > VMALLOC_END ? 0 : area_take(PAGE_ALIGN(offset + size));

	for (size_t done = 0; start && done < offset + size; done += PAGE_SIZE)
		set_entry(start + done, phys - offset + done, bits);
	return start ? (void *)(start + offset) : NULL;
}

void *ioremap(phys_addr_t phys, size_t size)
{
	return map_device(phys, size, DEVICE_BITS);
}

void *ioremap_combining(phys_addr_t phys, size_t size)
{
	return map_device(phys, size, cpu_has.pat ? COMBINING_BITS : DEVICE_BITS);
}
