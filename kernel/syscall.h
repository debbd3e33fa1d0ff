/*
 * System calls. kernel/process/syscall_list.h has the table, with one line for each call.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "lib/types.h"
#include "lib/errno.h"

#define NR_SYSCALLS 512

/*
 * The functions, by number. Where there is no call, it is syscall_unknown(). kernel/cpu/entry.asm
 * uses it, too.
 */
typedef long syscall_function(unsigned long, unsigned long, unsigned long, unsigned long,
			      unsigned long, unsigned long);
extern syscall_function *const syscall_table[NR_SYSCALLS];

/*
 * Returns -error. While the current task is traced (trace=syscalls), the trace shows `why`, too:
 *
 *	return refuse(EINVAL, "both ends are one pipe");
 */
long refuse(int error, const char *why);

struct task;
struct trap_frame;

/*
 * The entry code calls these: syscall_traced() for each call of a task with TASK_WORK_TRACE, or
 * with one of the bits that a tracer sets (kernel/process/ptrace.h), and syscall_unknown() if the
 * number is not in the table. They return the call's result.
 */
long syscall_traced(struct trap_frame *frame);
long syscall_unknown(void);

/* ---- kernel/process/trace.c ---- */

/* Returns Linux's name of a system call, or "?" if the number has none. */
const char *syscall_name(unsigned int number);

#endif
