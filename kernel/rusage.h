/*
 * struct rusage; kernel/limits.c.
 */
#ifndef KERNEL_RUSAGE_H
#define KERNEL_RUSAGE_H

#include "lib/types.h"

/* What is known of it: CPU time, as user time; the rest is zero. 0 or -EFAULT. */
int rusage_to_user(uint64_t cpu_ns, void __user *to);

#endif
