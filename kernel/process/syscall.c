/*
 * The system call table, made from kernel/process/syscall_list.h.
 */
#include "kernel/syscalls.h"
#include "kernel/task.h"

/* All functions are called with six arguments. Those with fewer parameters ignore the rest. */
#define SYSCALL(number, name, function, arguments) [number] = (syscall_function *)(void *)function,
syscall_function *const syscall_table[NR_SYSCALLS] = {
#include "kernel/process/syscall_list.h"
};
#undef SYSCALL
const unsigned int syscall_table_size = NR_SYSCALLS;

/* The numbers that have been logged already. */
static unsigned int logged[NR_SYSCALLS / 32];

long syscall_unknown(struct trap_frame *frame)
{
	unsigned int number = frame->error;

	if (number < NR_SYSCALLS && test_and_set_bits(&logged[number / 32], 1u << (number % 32)))
		log_debug("system call %u (%s) does not exist (ENOSYS), called by %s", number,
			  syscall_name(number), current->name);
	return -ENOSYS;
}
