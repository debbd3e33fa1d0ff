/*
 * The scheduler's own: queues and the first steps of each CPU. What others use is in kernel/task.h,
 * kernel/wait.h.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/task.h"

/* The CPU's queue, and `idle` as its current task. */
void sched_init_cpu(struct cpu *cpu, struct task *idle);
/* The end of each CPU's start: halts while there is nothing to do. */
void sched_idle(void) __noreturn;
/* On the new task's stack, after the switch from prev. */
void sched_finish_switch(struct task *prev);
/* entry.asm */
struct task *switch_context(struct task *prev, struct task *next);

#endif
