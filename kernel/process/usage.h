/*
 * What tasks and processes have used (struct usage, kernel/task.h).
 */
#ifndef KERNEL_PROCESS_USAGE_H
#define KERNEL_PROCESS_USAGE_H

#include "kernel/task.h"

/*
 * CPU time of a task in nanoseconds; of one that runs on another CPU, up to its last switch or
 * tick.
 */
uint64_t task_cpu_ns(const struct task *task);
/* CPU time of its threads, dead ones included, in nanoseconds. tasks_lock is held. */
uint64_t process_cpu_ns(struct process *process);
/*
 * What a task has used, or a process with its threads, dead ones included. CPU time is told apart
 * by the ticks: it lags behind by what ran since the last one. Neither part ever shrinks. A task's
 * usage has no memory. For process_usage(), tasks_lock is held.
 */
struct usage task_usage(const struct task *task);
struct usage process_usage(struct process *process);
/* Add numbers and times to `sum`. Of the memory, the larger number counts. */
void usage_add(struct usage *sum, const struct usage *usage);
/* The task leaves: what it has used is its process's from now on. tasks_lock is held. */
void process_keep_usage(struct process *process, const struct task *task);
/* A thread of the process leaves the address space. tasks_lock is held. */
void process_keep_memory(struct process *process, const struct mm *mm);
/* Copy to a struct rusage of a program. Returns 0 or -EFAULT. May sleep. */
int usage_to_user(const struct usage *usage, void __user *to);

#endif
