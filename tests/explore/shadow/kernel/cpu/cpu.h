/*
 * In place of kernel/cpu/cpu.h: every task of a scenario has a CPU of its own, which has no
 * registers that matter here.
 */
#ifndef KERNEL_CPU_CPU_H
#define KERNEL_CPU_CPU_H

#include "lib/types.h"
#include "kernel/log.h"
#include "explore.h"

#define MAX_CPUS 8

struct task;
struct mm;

struct cpu {
	struct task *task;
	unsigned int id, irq_depth;
	struct mm *mm;
	bool need_resched; /* never */
};

struct cpu_features {
	bool pge, nx, smap, apic, rdrand, sse;
};
extern struct cpu_features cpu_has;
extern unsigned int nr_cpus;
extern struct cpu cpus[MAX_CPUS];

static inline struct cpu *this_cpu(void)
{
	return &cpus[ex_running()];
}

struct task *current_task(void);
#define current current_task()

void invlpg(uintptr_t va); /* shim_vm.c */

static inline unsigned int irq_save(void)
{
	return 0;
}
static inline void irq_restore(unsigned int flags)
{
}
static inline bool irqs_enabled(void)
{
	return true;
}
static inline void irq_enable(void)
{
}
static inline void irq_disable(void)
{
}

#endif
