/*
 * Thread-local storage segments; kernel/tls.c.
 */
#ifndef KERNEL_TLS_H
#define KERNEL_TLS_H

#include "kernel/task.h"

/*
 * Set a TLS segment of `task` from the struct user_desc at `address`; with may_choose, entry number
 * -1 takes a free one and is told which. 0, -EFAULT, -EINVAL, -ESRCH (none free). May sleep.
 */
long tls_set(struct task *task, void __user *address, bool may_choose);

#endif
