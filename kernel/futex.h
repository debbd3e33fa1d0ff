/*
 * Futexes: what other files need of them; kernel/futex.c.
 */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include "kernel/task.h"

/*
 * The current task ends, or its program: clears and wakes clear_child_tid. In its address space; may sleep.
 */
void futex_task_exit(void);

#endif
