/*
 * The CPU's part of virtual memory: loads and stores of user programs, and TLBs. The page tables
 * are the kernel's own.
 *
 * 1. Each task has a CPU, whose TLB remembers the last page that the task has used. It goes on
 *    using what it remembers, whatever the tables say, until another CPU flushes it.
 * 2. A load or store is one instruction: between its look at the tables and its access no interrupt
 *    comes, so a flush of that CPU waits for its end. Other CPUs may do anything else meanwhile.
 * 3. An interrupt for a flush also drains the store buffer of the CPU.
 */
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"
#include "shim.h"

/*
 * The address space whose memory the CPU uses in the instruction that it is in the middle of, or
 * NULL.
 */
static struct mm *busy[MAX_TASKS + 1];
static struct {
	struct mm *mm; /* NULL: nothing is remembered */
	uintptr_t va;
	pte_t entry;
} tlb[MAX_TASKS + 1];

pte_t pte_nx;
uint32_t kernel_directory_phys;

/* ---- the CPU ---- */

/* What the tables say, as a CPU reads them: without any lock, and each entry at once. */
ONE_STEP static pte_t walk(struct mm *mm, uintptr_t va)
{
	const unsigned int shifts[] = { 30, 21, 12 };
	pte_t *table = mm->top, entry = 0;

	for (int level = 0; level < 3; level++) {
		pte_t *place = &table[va >> shifts[level] & 511];

		ex_access(place, 4, EV_MARKED_READ);
		entry = *place;
		if (!(entry & PTE_PRESENT))
			return 0;
		table = phys_to_virt(entry & PTE_FRAME);
	}
	return entry;
}

static bool allows(pte_t entry, bool write)
{
	return entry & PTE_PRESENT && (!write || entry & PTE_WRITE);
}

/* Where the byte at va is, or NULL if the CPU faults there. From now on the CPU is busy. */
ONE_STEP static unsigned char *begin(uintptr_t va, bool write)
{
	unsigned int me = ex_running();
	struct mm *mm = current->mm;
	pte_t entry;

	/* Up to here another task may run, which flushes without waiting for this CPU. */
	ex_access(&tlb[me].mm, sizeof(tlb[me].mm), EV_MARKED_READ);
	ex_changes(&busy[me], sizeof(*busy));
	busy[me] = mm;
	entry = tlb[me].mm == mm && tlb[me].va == (va & PAGE_MASK) ? tlb[me].entry : 0;
	if (!allows(entry, write)) {
		entry = walk(mm, va);
		ex_changes(&tlb[me], sizeof(*tlb));
		tlb[me].mm = mm;
		tlb[me].va = va & PAGE_MASK;
		tlb[me].entry = entry;
	}
	if (!allows(entry, write))
		return NULL;
	return (unsigned char *)phys_to_virt(entry & PTE_FRAME) + (va & ~PAGE_MASK);
}

ONE_STEP static void end(void)
{
	busy[ex_running()] = NULL;
}

ONE_STEP bool ex_user_byte(uintptr_t va, unsigned char *byte, bool write)
{
	unsigned char *at = begin(va, write);

	if (at) {
		ex_access(at, 1, write ? EV_MARKED_WRITE : EV_MARKED_READ);
		if (write)
			*at = *byte;
		else
			*byte = *at;
	}
	end();
	return at;
}

/* ---- programs ---- */

static int access(uintptr_t va, unsigned char *byte, bool write)
{
	while (!ex_user_byte(va, byte, write)) {
		int error = mm_fault_in(current->mm, va & PAGE_MASK, write);

		if (error)
			return error;
	}
	return 0;
}

int ex_load(uintptr_t va)
{
	unsigned char byte;
	int error = access(va, &byte, false);

	return error ? error : byte;
}

int ex_store(uintptr_t va, unsigned char byte)
{
	return access(va, &byte, true);
}

/* As writing CR3, which flushes the TLB. */
ONE_STEP void ex_run_in(struct mm *mm)
{
	unsigned int me = ex_running();

	ex_changes(&ex_tasks[me].mm, sizeof(mm));
	ex_tasks[me].mm = mm;
	ex_access(&tlb[me].mm, sizeof(mm), EV_ATOMIC);
	tlb[me].mm = NULL;
}

/* ---- flushing ---- */

/* Of the running CPU only. */
ONE_STEP void invlpg(uintptr_t va)
{
	unsigned int me = ex_running();

	ex_changes(&tlb[me], sizeof(*tlb));
	if (tlb[me].va == (va & PAGE_MASK))
		tlb[me].mm = NULL;
}

/*
 * A CPU that neither remembers anything of the address space nor is about to needs no interrupt:
 * what it reads from now on are the new tables. What it remembers of a page outside the range
 * stays.
 */
//BOOK: explore-tlb
ONE_STEP static void flush_cpu(unsigned int cpu, struct mm *mm, uintptr_t start, uintptr_t end)
{
	if (tlb[cpu].mm != mm && busy[cpu] != mm)
		return;
	ex_access(&tlb[cpu].mm, sizeof(mm), EV_ATOMIC);
	while (busy[cpu] == mm)
		ex_sleep(&busy[cpu]);
	ex_interrupt(cpu);
	if (tlb[cpu].mm == mm && tlb[cpu].va >= start && tlb[cpu].va < end)
		tlb[cpu].mm = NULL;
}

/* Each CPU forgets the range at a moment of its own, and the caller waits for all of them. */
ONE_STEP void tlb_flush_range(struct mm *mm, uintptr_t start, uintptr_t end)
{
	unsigned int me = ex_running();

	ex_barrier();
	for (unsigned int cpu = 0; cpu <= MAX_TASKS; cpu++)
		if (cpu != me)
			flush_cpu(cpu, mm, start, end);
	if (tlb[me].mm == mm && tlb[me].va >= start && tlb[me].va < end)
		invlpg(tlb[me].va);
}

void tlb_flush_mm(struct mm *mm)
{
	tlb_flush_range(mm, 0, USER_END);
}
