/*
 * The other CPUs: starting, stopping and interrupting them.
 */
#ifndef KERNEL_CPU_SMP_H
#define KERNEL_CPU_SMP_H

#include "kernel/cpu/cpu.h"

struct trampoline_fields { /* what the trampoline reads: the end of boot/trampoline.asm */
	uint32_t cr3, cr4, nx, stack, cpu, entry;
};

/* Start every CPU that ACPI lists and this kernel has room for; waits until they run. */
void smp_start(void);
/* Stop the others where they stand (panic, halt). Waits a little. */
void smp_stop_others(void);
void smp_stop_this_cpu(void) __noreturn;
/* Their interrupt handlers; kernel/cpu/trap.c */
void tlb_interrupt(void);

/* What a CPU needs of features and registers, the first one as well as the others. */
void cpu_detect(void);
void cpu_enable_features(void);

#endif
