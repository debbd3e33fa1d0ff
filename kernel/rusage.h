/*
 * CPU time as programs are told it; kernel/limits.c.
 */
#ifndef KERNEL_RUSAGE_H
#define KERNEL_RUSAGE_H

#include "lib/types.h"

/* Nanoseconds that the current process has used, and (*children_ns) the children it waited for. */
uint64_t process_times(uint64_t *children_ns);
/* struct rusage: CPU time, as user time; the rest is zero. 0 or -EFAULT. */
int rusage_to_user(uint64_t cpu_ns, void __user *to);

#endif
