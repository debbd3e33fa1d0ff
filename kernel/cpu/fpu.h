/*
 * The FPU, SSE and AVX state of user programs. The scheduler saves and restores it on every switch
 * between user tasks. It does not wait for a task's first FPU instruction. Registers beyond AVX
 * stay switched off, so programs that ask XGETBV do not use them.
 */
#ifndef KERNEL_CPU_FPU_H
#define KERNEL_CPU_FPU_H

#include "kernel/task.h"

/* Find out whether the CPUs have AVX, for cpu_has. Called once at boot. */
bool fpu_finds_avx(void);
/* Enable the FPU, SSE and AVX. Called once on each CPU at boot. */
void fpu_init_cpu(void);
/* Give the current task the initial state that the ABI promises (exec, signal handlers). */
void fpu_reset(void);

/*
 * Returns the si_code of the FPU error, or else SSE error, that the current task has just caused,
 * or 0 if its FPU does not show an error. Never sleeps.
 */
int fpu_error_code(bool sse);

/*
 * Save the CPU's state, which belongs to the current task, to task->fpu_state, or load it from
 * there.
 */
static inline void fpu_save(struct task *task)
{
	if (cpu_has.avx)
		__asm__ volatile("xsave %0" : "+m"(task->fpu_state) : "a"(FPU_ALL), "d"(0));
	else
		__asm__ volatile("fxsave %0" : "=m"(task->fpu_state.fx));
}
static inline void fpu_restore(struct task *task)
{
	if (cpu_has.avx)
		__asm__ volatile("xrstor %0" ::"m"(task->fpu_state), "a"(FPU_ALL), "d"(0));
	else
		__asm__ volatile("fxrstor %0" ::"m"(task->fpu_state.fx));
}

#endif
