/*
 * Page tables (PAE: three levels, 64-bit entries). Intel SDM vol. 3, 4.4.
 *
 * 1. All address spaces share one set of tables for the kernel's part (the fourth page directory).
 *    A change there is visible everywhere after tlb_flush_kernel().
 * 2. mm->table_lock, a plain spinlock, guards the user part of an address space.
 * 3. Tables are in low memory. Entries are written so that no CPU ever sees half of a new one.
 */
#ifndef MM_PGTABLE_H
#define MM_PGTABLE_H

#include "mm/page.h"

typedef uint64_t pte_t;

#define PTE_PRESENT	 (1ull << 0)
#define PTE_WRITE	 (1ull << 1)
#define PTE_USER	 (1ull << 2)
#define PTE_WRITETHROUGH (1ull << 3)
#define PTE_NOCACHE	 (1ull << 4)
#define PTE_ACCESSED	 (1ull << 5)
#define PTE_DIRTY	 (1ull << 6)
#define PTE_LARGE	 (1ull << 7) /* page directory: a 2 MiB page */
#define PTE_COMBINING	 (1ull << 7) /* of a 4 KiB page, if cpu_has.pat: its writes are combined */
#define PTE_GLOBAL	 (1ull << 8)
#define PTE_SPECIAL	 (1ull << 9) /* free for our use: the page has no count (device, zero page) */
#define PTE_NX		 (1ull << 63)
#define PTE_FRAME	 0x000ffffffffff000ull
#define LARGE_SIZE	 (2u << 20)

extern pte_t pte_nx; /* PTE_NX where the CPU has it, else 0 */

struct mm;

static inline pte_t pte_make(phys_addr_t phys, pte_t bits)
{
	return phys | bits;
}
static inline unsigned int pte_frame(pte_t pte)
{
	return (pte & PTE_FRAME) >> PAGE_SHIFT;
}

/*
 * Write an entry so that a CPU that walks the tables never sees a mix of the old one and the new
 * one: clear the low half, which has PTE_PRESENT, write the high half, and then write the low half.
 */
static inline void pte_set(pte_t *entry, pte_t value)
{
	volatile uint32_t *half = (volatile uint32_t *)entry;

	half[0] = 0;
	barrier();
	half[1] = value >> 32;
	barrier();
	half[0] = value;
}
/* Clear the entry atomically and return its old value, with the accessed and dirty bits. */
static inline pte_t pte_take(pte_t *entry)
{
	uint32_t low = __sync_lock_test_and_set((volatile uint32_t *)entry, 0);
	uint32_t high = ((volatile uint32_t *)entry)[1];

	((volatile uint32_t *)entry)[1] = 0;
	return (pte_t)high << 32 | low;
}
/* Clear PTE_WRITE atomically and return the old value. */
static inline pte_t pte_write_protect(pte_t *entry)
{
	uint32_t low = __sync_fetch_and_and((volatile uint32_t *)entry, ~(uint32_t)PTE_WRITE);

	return (pte_t)((volatile uint32_t *)entry)[1] << 32 | low;
}

/* ---- the kernel's tables: mm/pgtable.c ---- */

/*
 * Build the kernel's part at boot. In the direct map, text is read-only and data is not executable.
 */
void pgtable_init(void);
/*
 * The entry of the kernel address va, which is in one of the areas below or in the kernel's image.
 */
pte_t *kernel_pte(uintptr_t va);
/*
 * Map the first 2 MiB of physical memory at address 0 in the kernel's own tables, executable, or
 * remove that mapping. Other CPUs start there.
 */
void pgtable_map_low(bool on);
/*
 * Map the second GiB as the 512 entries of `early` say, in the loader's page tables and in the
 * kernel's own. Returns its address. Called once, before pgtable_init().
 */
void *pgtable_map_early(const pte_t *early);
/* Remove that mapping. Called before there is a program, and on one CPU. */
void pgtable_unmap_early(void);
/* The physical address of the kernel's page directory, the fourth one of every address space. */
extern uint32_t kernel_directory_phys;
extern uintptr_t direct_map_end;
/* The value of CR3 for the kernel's own tables, used by kernel tasks before there is an mm. */
extern uint32_t kernel_cr3;

/* Areas above the direct map. */
#define VMALLOC_START	 0xf0800000u
#define VMALLOC_END	 0xf4800000u /* every 2 MiB need a page table */
#define KMAP_POOL_START	 0xfe000000u
#define KMAP_POOL_PAGES	 128u
#define KMAP_LOCAL_START 0xff000000u /* MAX_CPUS * KMAP_LOCAL_MAX pages */
#define FIXED_START	 0xff800000u /* mapped by early boot: APIC, IO-APIC, ACPI tables */
#define DIRECT_MAP_MAX	 (768u << 20)

/* ---- TLB: kernel/cpu/tlb.c ---- */

/* Run in `mm`: loads CR3 if it must. Interrupts are off. kernel/sched.c and exec call it. */
void mm_switch(struct mm *mm);

/*
 * Flush [start, end) of an address space from the TLB of every CPU that has it loaded, and wait
 * until they have done it. Interrupts must be on, so no irqsave lock may be held.
 */
void tlb_flush_range(struct mm *mm, uintptr_t start, uintptr_t end);
void tlb_flush_mm(struct mm *mm);
/* The same for kernel addresses, on all CPUs. */
void tlb_flush_kernel(uintptr_t start, uintptr_t end);
/*
 * Make each CPU that runs a task with this address space (NULL: each CPU) pass a full memory
 * barrier. Interrupts are on. Never sleeps, but waits for the CPUs.
 */
void tlb_barrier(struct mm *mm);

#endif
