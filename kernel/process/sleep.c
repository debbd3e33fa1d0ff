/*
 * The system calls that sleep until a time.
 *
 * 1. A sleep ends at the first tick after its time. After a signal without a handler,
 *    restart_syscall continues the sleep for the rest of its time.
 * 2. A sleep until a time of the wall clock follows that clock when it is set. A sleep for some
 *    time does not.
 */
#include "kernel/process/timecalls.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "lib/div64.h"

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
	return time_reached(deadline) ? 0 : -EINTR;
}

/*
 * Sleep until a clock of CPU time reaches `deadline`. That cannot be earlier than after the rest
 * divided by the number of CPUs, so look again then. Returns 0, -EINTR, or -EINVAL if the process
 * or thread is gone.
 */
static int sleep_until_cpu(int clock, uint64_t deadline)
{
	uint64_t now;
	int error;

	for (;;) {
		error = clock_read_cpu(clock, &now);
		if (error < 0 || now >= deadline)
			return error;
		error = sleep_until(time_now() +
				    MAX(div_u64(deadline - now, nr_cpus, NULL), TICK_NS));
		if (error < 0)
			return error;
	}
}

static int sleep_on(int clock, uint64_t deadline)
{
	return clock_is_cpu(clock) ? sleep_until_cpu(clock, deadline) : sleep_until(deadline);
}

/* restart_bits is 1 if the program's timespec has 64-bit seconds. restart_value is the clock. */
static long sleep_restartable(struct task *task)
{
	uint64_t deadline = task->restart_deadline, now;
	int clock = task->restart_value, error = sleep_on(clock, deadline);

	if (error != -EINTR)
		return error;
	error = clock_is_cpu(clock) ? clock_read_cpu(clock, &now)
				    : clock_read(CLOCK_MONOTONIC, &now);
	if (error < 0)
		return error;
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

/* Returns 0 if a task can sleep on the clock, -EOPNOTSUPP or -EINVAL. */
static int check_clock(int clock)
{
	uint64_t now;
	int error = clock_read(clock, &now);

	if (error < 0)
		return error;
	if (clock == CLOCK_THREAD_CPUTIME || clock == CLOCK_MONOTONIC_RAW ||
	    clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		return refuse(EOPNOTSUPP, "a task cannot sleep on that clock");
	if (clock < 0 && clock_resolve(clock) == clock_resolve(CLOCK_THREAD_CPUTIME))
		return refuse(EINVAL, "the clock of a thread stands still while it sleeps");
	return 0;
}

long sys_clock_nanosleep(int clock, unsigned int flags, const void __user *from, void __user *rest)
{
	bool wide = call_has_time64();
	struct task *task = current;
	uint64_t ns, now = 0;
	int error = check_clock(clock);

	if (error < 0)
		return error;
	error = time_from_user(&ns, from, wide);
	if (error < 0)
		return error;
	clock = clock_resolve(clock);
	if (!(flags & TIMER_ABSTIME)) {
		(void)clock_read(clock_is_cpu(clock) ? clock : CLOCK_MONOTONIC, &now);
		task->restart_deadline = ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
		task->restart_value = clock;
		task->restart_arg = rest;
		task->restart_bits = wide;
		return sleep_restartable(task);
	}
	if (clock_is_wall(clock))
		ns = clock_deadline(clock, ns);
	error = sleep_on(clock, ns);
	return error == -EINTR ? -ERESTARTNOHAND : error;
}

long sys_nanosleep(const void __user *from, void __user *rest)
{
	return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, from, rest);
}
