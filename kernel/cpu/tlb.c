/*
 * TLB shootdown. There is one request at a time, guarded by tlb_lock (plain). The requesting CPU
 * spins until every CPU that it has interrupted has answered. It has interrupts on, and so has each
 * CPU that waits for the lock. So all of them answer each other's requests.
 */
#include "kernel/cpu/apic.h"
#include "kernel/cpu/smp.h"
#include "kernel/task.h"
#include "mm/mm.h"

#define FLUSH_ALL_ABOVE (32 * PAGE_SIZE) /* flush the whole TLB for larger ranges */

static spinlock_t tlb_lock = SPINLOCK_INIT("tlb");
static struct {
	struct mm *mm; /* NULL: kernel addresses */
	uintptr_t start, end;
	volatile unsigned int pending; /* CPUs that have not answered */
} request;

static void flush_global(void)
{
	uint32_t cr4 = read_cr4();

	if (cpu_has.pge) {
		write_cr4(cr4 & ~(1u << 7));
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

static void flush_here(struct mm *mm, uintptr_t start, uintptr_t end)
{
	struct cpu *cpu = this_cpu();

	if (mm && cpu->mm != mm)
		return;
	/* A kernel task runs on a borrowed address space, which may soon be freed. Leave it. */
	if (mm && current->mm != mm) {
		write_cr3(kernel_cr3);
		cpu->mm = NULL;
		clear_bits((unsigned int *)&mm->loaded_on, 1u << cpu->id);
		return;
	}
	if (end - start <= FLUSH_ALL_ABOVE) {
		for (uintptr_t va = start; va < end; va += PAGE_SIZE)
			invlpg(va);
	} else if (mm) {
		write_cr3(read_cr3());
	} else {
		flush_global();
	}
}

void tlb_interrupt(void)
{
	flush_here(request.mm, request.start, request.end);
	clear_bits((unsigned int *)&request.pending, 1u << this_cpu()->id);
}

static void flush_on(unsigned int mask, struct mm *mm, uintptr_t start, uintptr_t end)
{
	unsigned int flags = irq_save();

	flush_here(mm, start, end);
	mask &= ~(1u << this_cpu()->id);
	irq_restore(flags);
	if (!mask)
		return;
	if (!irqs_enabled())
		panic("TLB shootdown with interrupts off");
	spin_lock(&tlb_lock);
	request.mm = mm;
	request.start = start;
	request.end = end;
	request.pending = mask;
	memory_barrier();
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (mask & (1u << i))
			lapic_send(cpus[i].apic_id, APIC_FIXED | VECTOR_TLB);
	while (request.pending)
		cpu_relax();
	spin_unlock(&tlb_lock);
}

void mm_switch(struct mm *mm)
{
	struct cpu *cpu = this_cpu();
	struct mm *old = cpu->mm;

	if (old == mm)
		return;
	/*
	 * The bit is set before this CPU reads the tables. A CPU that changes them either sees the
	 * bit, or has changed them before we read them.
	 */
	set_bits((unsigned int *)&mm->loaded_on, 1u << cpu->id);
	cpu->mm = mm;
	write_cr3(mm->cr3);
	if (old)
		clear_bits((unsigned int *)&old->loaded_on, 1u << cpu->id);
}

void tlb_flush_range(struct mm *mm, uintptr_t start, uintptr_t end)
{
	memory_barrier(); /* the tables must be written before loaded_on is read */
	flush_on(mm->loaded_on, mm, start, end);
}

void tlb_flush_mm(struct mm *mm)
{
	tlb_flush_range(mm, 0, USER_END);
}

void tlb_flush_kernel(uintptr_t start, uintptr_t end)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < nr_cpus; i++)
		if (cpus[i].online)
			mask |= 1u << i;
	flush_on(mask, NULL, start, end);
}

void tlb_barrier(struct mm *mm)
{
	if (mm)
		tlb_flush_range(mm, 0, 0);
	else
		tlb_flush_kernel(0, 0);
}
