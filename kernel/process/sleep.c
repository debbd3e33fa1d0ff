/*
 * The system calls that sleep until a time.
 *
 * 1. A sleep ends at the first tick after its time. After a signal without a handler, restart_syscall
 *    continues the sleep for the rest of its time.
 * 2. A sleep until a time of the wall clock is converted to a time since boot when it begins. A change of
 *    the clock has no effect on it.
 */
#include "kernel/process/timecalls.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"

#define TIMER_ABSTIME 1u

/* See signal_wake() for why no signal is missed. */
int sleep_until(uint64_t deadline)
{
	for (;;) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (signal_pending())
			break;
		if (!schedule_until(deadline))
			return 0;
	}
	current->state = TASK_RUNNING;
	return time_now() >= deadline ? 0 : -EINTR;
}

/* restart_bits is 1 if the program's timespec has 64-bit seconds. */
static long sleep_restartable(struct task *task)
{
	uint64_t deadline = task->restart_deadline, now;

	if (sleep_until(deadline) == 0)
		return 0;
	now = time_now();
	if (task->restart_arg && time_to_user(deadline > now ? deadline - now : 0,
					      task->restart_arg, task->restart_bits) < 0)
		return -EFAULT;
	task->restart = sleep_restartable;
	return -ERESTART_RESTARTBLOCK;
}

long sys_restart_syscall(void)
{
	struct task *task = current;
	long (*function)(struct task *) = task->restart;

	task->restart = NULL;
	return function ? function(task) : -EINTR;
}

long sys_clock_nanosleep(unsigned int clock, unsigned int flags, const void __user *from,
			 void __user *rest)
{
	bool wide = call_has_time64();
	struct task *task = current;
	uint64_t ns;
	int error;

	if (clock > CLOCK_BOOTTIME)
		return refuse(EINVAL, "there is no such clock");
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return refuse(EOPNOTSUPP, "a task cannot sleep on that clock");
	error = time_from_user(&ns, from, wide);
	if (error < 0)
		return error;
	if (flags & ~TIMER_ABSTIME)
		return refuse(EINVAL, "unknown flags");
	if (!(flags & TIMER_ABSTIME)) {
		task->restart_deadline = deadline_after(ns);
		task->restart_arg = rest;
		task->restart_bits = wide;
		return sleep_restartable(task);
	}
	if (clock == CLOCK_REALTIME)
		ns = time_of_wall(ns);
	return sleep_until(ns) == 0 ? 0 : -ERESTARTNOHAND;
}

long sys_nanosleep(const void __user *from, void __user *rest)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, from, rest);
}
