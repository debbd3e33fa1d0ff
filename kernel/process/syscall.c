/*
 * The system call table, made from kernel/process/syscall_list.h.
 */
#include "kernel/syscalls.h"
#include "kernel/task.h"

/*
 * The entries of the list take the place of the first line. Two entries with one number are found
 * in trace.c.
 */
#pragma GCC diagnostic ignored "-Woverride-init"

/* All functions are called with six arguments. Those with fewer parameters ignore the rest. */
#define SYSCALL(number, name, function, arguments) [number] = (syscall_function *)(void *)function,
syscall_function *const syscall_table[NR_SYSCALLS] = {
	[0 ... NR_SYSCALLS - 1] = (syscall_function *)(void *)syscall_unknown,
#include "kernel/process/syscall_list.h"
};
#undef SYSCALL

/* The numbers that have been logged already. */
static unsigned int logged[NR_SYSCALLS / 32];

long syscall_unknown(void)
{
	unsigned int number = task_frame(current)->error;

	if (number < NR_SYSCALLS && test_and_set_bits(&logged[number / 32], 1u << (number % 32)))
		log_debug("system call %u (%s) does not exist (ENOSYS), called by %s", number,
			  syscall_name(number), current->name);
	return -ENOSYS;
}
