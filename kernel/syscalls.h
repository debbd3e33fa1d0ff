/*
 * The functions behind the system call table (kernel/syscall_list.h), declared from it: a call in
 * the table is a global function that returns a long.
 *
 * Its arguments are the caller's registers ebx, ecx, edx, esi, edi, ebp, unchecked, each in a
 * parameter of 32 bits whose type the function chooses; the declarations leave them open.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include "kernel/syscall.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define SYSCALL(number, name, function, arguments) long function();
#include "kernel/syscall_list.h"
#undef SYSCALL
#pragma GCC diagnostic pop

#endif
