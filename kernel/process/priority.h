/*
 * Which tasks a call about priorities means: setpriority(2), ioprio_set(2).
 */
#ifndef KERNEL_PROCESS_PRIORITY_H
#define KERNEL_PROCESS_PRIORITY_H

#include "kernel/task.h"

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

/*
 * Call `act` for each task that PRIO_* and a number mean. 0 stands for the number of the current
 * task, its group or its user. Returns how many tasks there were. Takes tasks_lock, also around the
 * calls. Never sleeps.
 */
unsigned int for_each_meant(unsigned int which, unsigned int who,
			    void (*act)(struct task *, void *), void *context);

static inline bool policy_is_urgent(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

#endif
