/*
 * The kernel's own page tables.
 *
 * 1. One page directory covers 3 to 4 GiB; every address space has it as its fourth, so that a
 *    table added here is seen everywhere at once (an entry that was not present is cached nowhere).
 * 2. The direct map is made of 2 MiB pages but for the kernel's image and what lies below it: there
 *    text is read-only, everything else is not executable.
 * 3. Tables for the areas above the direct map exist from boot on.
 */
#include "boot/machine.h"
#include "mm/boot_memory.h"
#include "mm/direct_map.h"
#include "mm/pgtable.h"
#include "kernel/cpu/cpu.h"
#include "kernel/param.h"
#include "lib/errno.h"
#include "lib/string.h"

#define ENTRIES	    512u
#define LOW_MINIMUM (8u << 20) /* least memory to boot with, and least direct map */
#define TOP_EARLY   1u	       /* no part of the kernel, and nothing else runs yet */
#define TOP_KERNEL  (KERNEL_BASE >> 30)

extern char _text[], _etext[], _init_start[], _init_end[], _rodata[], _erodata[], _kernel_end[];

pte_t pte_nx;
uint32_t kernel_cr3, kernel_directory_phys;
uintptr_t direct_map_end;
unsigned int lowmem_frames;

static pte_t kernel_top[4] __attribute__((aligned(32)));
static pte_t low_directory[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static pte_t *directory;
static pte_t pte_global;
static unsigned int lowmem_limit = DIRECT_MAP_MAX;

static int set_lowmem(const char *value)
{
	const char *end;
	uint64_t size = parse_size(value, &end);

	if (!*value || *end || size < LOW_MINIMUM || size > DIRECT_MAP_MAX)
		return -EINVAL;
	lowmem_limit = size & ~(LARGE_SIZE - 1);
	return 0;
}
KERNEL_PARAM(
	lowmem, set_lowmem, "768M",
	"size of the direct map, 8M to 768M, or more if a RAM disk fills that; the rest is high "
	"memory");

static pte_t *directory_entry(uintptr_t va)
{
	return &directory[va / LARGE_SIZE % ENTRIES];
}

pte_t *kernel_pte(uintptr_t va)
{
	pte_t entry = *directory_entry(va);

	assert((entry & (PTE_PRESENT | PTE_LARGE)) == PTE_PRESENT);
	return (pte_t *)phys_to_virt(entry & PTE_FRAME) + va / PAGE_SIZE % ENTRIES;
}

static void boot_table(uintptr_t va)
{
	pte_set(directory_entry(va),
		pte_make(virt_to_phys(boot_alloc(PAGE_SIZE, PAGE_SIZE)), PTE_PRESENT | PTE_WRITE));
}

//BOOK: image-bits
static pte_t image_bits(uintptr_t va)
{
	if (va >= (uintptr_t)_text && va < PAGE_ALIGN((uintptr_t)_etext))
		return 0;
	if (va >= (uintptr_t)_init_start && va < (uintptr_t)_init_end)
		return 0;
	if (va >= (uintptr_t)_rodata && va < (uintptr_t)_erodata)
		return pte_nx;
	return PTE_WRITE | pte_nx;
}

/* The entry of va in the direct map. */
static void set_direct(pte_t *entry, uintptr_t va, pte_t bits)
{
	pte_set(entry, pte_make(va - KERNEL_BASE, PTE_PRESENT | pte_global | bits));
}

static void map_direct(void)
{
	uintptr_t image_end = ALIGN_UP((uintptr_t)_kernel_end, (uintptr_t)LARGE_SIZE), va;

	for (va = KERNEL_BASE; va < image_end; va += PAGE_SIZE) {
		if (va % LARGE_SIZE == 0)
			boot_table(va);
		set_direct(kernel_pte(va), va, image_bits(va));
	}
	for (; va < direct_map_end; va += LARGE_SIZE)
		set_direct(directory_entry(va), va, PTE_WRITE | PTE_LARGE | pte_nx);
}

/*
 * Decide how much of RAM is low memory. The loader puts a RAM disk right behind the kernel. It does
 * not count as a part of lowmem=, so that it cannot fill the direct map. From here on boot_alloc()
 * works.
 */
static void choose_lowmem(void)
{
	phys_addr_t usable = boot_memory_usable(), limit = lowmem_limit;

	if (usable < LOW_MINIMUM)
		cannot_start("too little memory: %u KiB are free, at least %u MiB are needed",
			     (unsigned int)(usable >> 10), LOW_MINIMUM >> 20);
	if (boot_module_start < limit)
		limit += ALIGN_UP(boot_module_end - boot_module_start, (phys_addr_t)LARGE_SIZE);
	limit = MIN(limit, (phys_addr_t)DIRECT_MAP_MAX);
	lowmem_frames = MIN(boot_memory_top(), limit) >> PAGE_SHIFT;
	direct_map_end = KERNEL_BASE + ALIGN_UP(lowmem_frames << PAGE_SHIFT, LARGE_SIZE);
}

static pte_t *boot_top(void)
{
	extern pte_t boot_pdpt[4]; /* at its physical address */

	return phys_to_virt((uint32_t)boot_pdpt);
}

void *pgtable_map_early(const pte_t *early)
{
	boot_top()[TOP_EARLY] = pte_make(virt_to_phys(early), PTE_PRESENT);
	write_cr3(read_cr3()); /* the four top entries are read only then */
	return (void *)(TOP_EARLY << 30);
}

void pgtable_unmap_early(void)
{
	kernel_top[TOP_EARLY] = 0;
	write_cr3(kernel_cr3);
}

void pgtable_init(void)
{
	pte_nx = cpu_has.nx ? PTE_NX : 0;
	pte_global = cpu_has.pge ? PTE_GLOBAL : 0;
	choose_lowmem();
	directory = boot_alloc(PAGE_SIZE, PAGE_SIZE);
	map_direct();
	for (uintptr_t va = VMALLOC_START; va >= VMALLOC_START; va += LARGE_SIZE) {
		if (va < VMALLOC_END || va >= KMAP_POOL_START)
			boot_table(va);
	}
	kernel_directory_phys = virt_to_phys(directory);
	kernel_top[TOP_KERNEL] = pte_make(kernel_directory_phys, PTE_PRESENT);
	kernel_top[TOP_EARLY] = boot_top()[TOP_EARLY];
	kernel_cr3 = virt_to_phys(kernel_top);
	write_cr3(kernel_cr3);
}

void pgtable_map_low(bool on)
{
	if (on) {
		low_directory[0] = pte_make(0, PTE_PRESENT | PTE_WRITE | PTE_LARGE);
		kernel_top[0] = pte_make(virt_to_phys(low_directory), PTE_PRESENT);
	} else {
		kernel_top[0] = 0;
		low_directory[0] = 0;
	}
	/* The four top entries are read when CR3 is loaded, and only then. */
	if (read_cr3() == kernel_cr3)
		write_cr3(kernel_cr3);
}
