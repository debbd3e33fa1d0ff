/*
 * The FPU and SSE state of user programs: saved and restored by the scheduler on every switch
 * between tasks that use it (no lazy trap tricks: a task owns it from its first instruction on).
 */
#ifndef KERNEL_FPU_H
#define KERNEL_FPU_H

#include "kernel/task.h"

void fpu_init_cpu(void);	   /* on each CPU at boot */
void fpu_reset(struct task *task); /* exec: the state that the ABI promises */
void fpu_save(struct task *task);  /* the running task's state into task->fpu_state */
void fpu_restore(struct task *task);

#endif
