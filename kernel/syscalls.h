/*
 * The functions behind the system call table (kernel/syscall_list.h), grouped by the folder that has them.
 * Arguments are the caller's registers, unchecked.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include "kernel/syscall.h"

#endif
