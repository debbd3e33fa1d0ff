/*
 * trace=syscalls: each system call as a line of the log.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include "kernel/task.h"

/*
 * The first process: is to be traced, and all its descendants with it, if the kernel parameter says
 * so.
 */
void trace_first_task(struct task *task);
/* A task ends: the call that it ends in has no result. */
void trace_task_exit(struct task *task);

#endif
