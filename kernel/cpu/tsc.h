/*
 * Whether a program may read the TSC itself. If it may not, rdtsc is a general protection fault, in
 * the functions of the vDSO as well.
 *
 * task->no_tsc says it for a task, and cpu->no_tsc what the CPU does now. Kernel tasks leave the
 * latter as it is.
 */
#ifndef KERNEL_CPU_TSC_H
#define KERNEL_CPU_TSC_H

#include "kernel/cpu/cpu.h"
#include "kernel/task.h"

/* Set it for the current task. Never sleeps. */
void tsc_forbid(bool forbidden);

/* Change what the CPU does. For tsc_switch(). Interrupts are off. */
void tsc_load(struct cpu *cpu, bool forbidden);
/* The CPU is about to run `next`. Interrupts are off. */
static inline void tsc_switch(struct cpu *cpu, const struct task *next)
{
	if (unlikely(next->no_tsc != cpu->no_tsc))
		tsc_load(cpu, next->no_tsc);
}

#endif
