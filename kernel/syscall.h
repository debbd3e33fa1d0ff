/*
 * System calls: the table is kernel/process/syscall_list.h, one line a call.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "lib/types.h"
#include "lib/errno.h"

#define NR_SYSCALLS 512

/* The functions, by number; NULL: not there. The entry code calls through it, too. */
typedef long syscall_function(unsigned long, unsigned long, unsigned long, unsigned long,
			      unsigned long, unsigned long);
extern syscall_function *const syscall_table[NR_SYSCALLS];

/*
 * Why a call was refused, for trace=syscalls: return refuse(EINVAL, "both ends are one pipe").
 * Remembers the text for the current task (only while it is traced) and returns -error.
 */
long refuse(int error, const char *why);

struct task;
struct trap_frame;

/*
 * For the entry code: a call of a task with TASK_WORK_TRACE, and one whose number is not in the
 * table.
 */
long syscall_traced(struct trap_frame *frame);
long syscall_unknown(struct trap_frame *frame);

/* ---- kernel/process/trace.c ---- */

/* What Linux calls that number; "?" if nothing. */
const char *syscall_name(unsigned int number);

#endif
