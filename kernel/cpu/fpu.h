/*
 * The FPU and SSE state of user programs: saved and restored by the scheduler on every switch
 * between tasks that use it (no lazy trap tricks: a task owns it from its first instruction on).
 */
#ifndef KERNEL_CPU_FPU_H
#define KERNEL_CPU_FPU_H

#include "kernel/task.h"

void fpu_init_cpu(void); /* on each CPU at boot */
void fpu_reset(void);	 /* exec, handlers: the state that the ABI promises, for the current task */

/* FXSAVE: what the CPU holds, which is the current task's, into task->fpu_state; and back. */
static inline void fpu_save(struct task *task)
{
	__asm__ volatile("fxsave %0" : "=m"(task->fpu_state));
}
static inline void fpu_restore(struct task *task)
{
	__asm__ volatile("fxrstor %0" ::"m"(task->fpu_state));
}

#endif
