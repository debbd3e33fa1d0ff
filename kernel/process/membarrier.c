/*
 * membarrier(2): a memory barrier on all CPUs at once, so that the threads that need one often can
 * do without.
 *
 * 1. A CPU that runs one of the threads is interrupted and passes a barrier. One that does not has
 *    passed a barrier when it switched to another task, and will pass one when it switches back.
 * 2. The expedited commands are for processes that have registered for them. mm->barriers has a bit
 *    for each kind, which fork copies and exec clears.
 */
#include "kernel/atomic.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mm/mm.h"
#include "mm/pgtable.h"

enum { /* commands */
       QUERY = 0,
       GLOBAL = 1,
       GLOBAL_EXPEDITED = 2,
       REGISTER_GLOBAL_EXPEDITED = 4,
       PRIVATE_EXPEDITED = 8,
       REGISTER_PRIVATE_EXPEDITED = 16,
};
#define COMMANDS                                                                     \
	(GLOBAL | GLOBAL_EXPEDITED | REGISTER_GLOBAL_EXPEDITED | PRIVATE_EXPEDITED | \
	 REGISTER_PRIVATE_EXPEDITED)

/* There are few CPUs, so GLOBAL_EXPEDITED does not look for those that run registered processes. */
long sys_membarrier(unsigned int command, unsigned int flags, int cpu)
{
	struct mm *mm = current->mm;

	if (flags)
		return refuse(EINVAL, "an unknown flag");
	switch (command) {
	case QUERY:
		return COMMANDS;
	case GLOBAL:
	case GLOBAL_EXPEDITED:
		tlb_barrier(NULL);
		return 0;
	case REGISTER_GLOBAL_EXPEDITED:
	case REGISTER_PRIVATE_EXPEDITED:
		set_bits(&mm->barriers, command);
		return 0;
	case PRIVATE_EXPEDITED:
		if (!(READ_ONCE(mm->barriers) & REGISTER_PRIVATE_EXPEDITED))
			return refuse(EPERM, "the process has not registered for this");
		tlb_barrier(mm);
		return 0;
	}
	return refuse(EINVAL, "a command that is not supported");
}
