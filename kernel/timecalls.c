/*
 * The system calls about time: clocks, sleeping, the interval timer.
 *
 * 1. A sleep ends at the first tick after its time. One that a signal interrupted goes on by
 *    restart_syscall for the time that is left, if no handler runs.
 * 2. A sleep until a time of the wall clock is turned into one until a time since boot when it
 *    begins: setting the clock meanwhile does not move it.
 * 3. CPU time is not split: all of it counts as the user's.
 */
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "kernel/timespec.h"
#include "lib/div64.h"
#include "mm/uaccess.h"

enum {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME,
	CLOCK_THREAD_CPUTIME,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	NR_CLOCKS,
};
#define TIMER_ABSTIME 1u
#define ITIMER_REAL   0u
#define NSEC_PER_USEC 1000u

/* ---- clocks ---- */

static uint64_t own_process_ns(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	uint64_t ns = process_cpu_ns(current->process);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ns;
}

static int clock_read(unsigned long clock, struct timespec64 *ts)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*ts = time_wall_spec();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ts = timespec_from_ns(time_now());
		return 0;
	case CLOCK_PROCESS_CPUTIME:
		*ts = timespec_from_ns(own_process_ns());
		return 0;
	case CLOCK_THREAD_CPUTIME:
		*ts = timespec_from_ns(task_cpu_ns(current));
		return 0;
	}
	return -EINVAL;
}

long sys_clock_gettime(unsigned long clock, unsigned long to)
{
	struct timespec64 ts;

	if (clock_read(clock, &ts) < 0)
		return refuse(EINVAL, "no such clock");
	return timespec_to_user32(&ts, (void __user *)to);
}

long sys_clock_gettime64(unsigned long clock, unsigned long to)
{
	struct timespec64 ts;

	if (clock_read(clock, &ts) < 0)
		return refuse(EINVAL, "no such clock");
	return timespec_to_user64(&ts, (void __user *)to);
}

static const struct timespec64 resolution = { 0, 1 };

long sys_clock_getres(unsigned long clock, unsigned long to)
{
	if (clock >= NR_CLOCKS)
		return refuse(EINVAL, "no such clock");
	return to ? timespec_to_user32(&resolution, (void __user *)to) : 0;
}

long sys_clock_getres_time64(unsigned long clock, unsigned long to)
{
	if (clock >= NR_CLOCKS)
		return refuse(EINVAL, "no such clock");
	return to ? timespec_to_user64(&resolution, (void __user *)to) : 0;
}

static long clock_set(unsigned long clock, const struct timespec64 *ts)
{
	if (clock != CLOCK_REALTIME || !timespec_valid(ts) || timespec_to_ns(ts) == UINT64_MAX)
		return refuse(EINVAL, "only the wall clock can be set, to a time after 1970");
	if (current->process->cred.euid != 0)
		return refuse(EPERM, "only root sets the clock");
	time_set_wall(timespec_to_ns(ts));
	return 0;
}

long sys_clock_settime(unsigned long clock, unsigned long from)
{
	struct timespec64 ts;

	return timespec_from_user32(&ts, (void __user *)from) < 0 ? -EFAULT : clock_set(clock, &ts);
}

long sys_clock_settime64(unsigned long clock, unsigned long from)
{
	struct timespec64 ts;

	return timespec_from_user64(&ts, (void __user *)from) < 0 ? -EFAULT : clock_set(clock, &ts);
}

long sys_time(unsigned long to)
{
	uint32_t now = time_wall_spec().sec;

	if (to && put_user_u32(now, (void __user *)to) < 0)
		return -EFAULT;
	return now;
}

long sys_gettimeofday(unsigned long tv_address, unsigned long tz_address)
{
	struct timespec64 ts = time_wall_spec();
	uint32_t tv[2] = { (uint32_t)ts.sec, ts.nsec / NSEC_PER_USEC };
	static const uint32_t utc[2];

	if (tv_address && copy_to_user((void __user *)tv_address, tv, sizeof(tv)) < 0)
		return -EFAULT;
	return tz_address ? copy_to_user((void __user *)tz_address, utc, sizeof(utc)) : 0;
}

long sys_settimeofday(unsigned long tv_address, unsigned long tz_address)
{
	struct timespec64 ts;
	int32_t tv[2], tz[2];

	if (tz_address) {
		if (copy_from_user(tz, (void __user *)tz_address, sizeof(tz)) < 0)
			return -EFAULT;
		if (tz[0] || tz[1])
			return refuse(EINVAL, "the kernel keeps UTC and no time zone");
	}
	if (!tv_address)
		return 0;
	if (copy_from_user(tv, (void __user *)tv_address, sizeof(tv)) < 0)
		return -EFAULT;
	if (tv[1] < 0 || tv[1] >= 1000000)
		return refuse(EINVAL, "microseconds out of range");
	ts = (struct timespec64){ tv[0], tv[1] * (int32_t)NSEC_PER_USEC };
	return clock_set(CLOCK_REALTIME, &ts);
}

/* ---- sleeping ---- */

/* 0 at the deadline, -EINTR on a signal. */
static int sleep_until(uint64_t deadline)
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

/* restart_bits: does the program's timespec have 64-bit seconds? */
static long sleep_restartable(struct task *task)
{
	struct timespec64 rest;
	uint64_t now;
	int error;

	if (sleep_until(task->restart_deadline) == 0)
		return 0;
	if (task->restart_arg) {
		now = time_now();
		rest = timespec_from_ns(task->restart_deadline > now ? task->restart_deadline - now
								     : 0);
		error = task->restart_bits ? timespec_to_user64(&rest, task->restart_arg)
					   : timespec_to_user32(&rest, task->restart_arg);
		if (error < 0)
			return error;
	}
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

static long sleep_relative(const struct timespec64 *ts, unsigned long rest, bool wide)
{
	struct task *task = current;

	task->restart_deadline = deadline_after(timespec_to_ns(ts));
	task->restart_arg = (void __user *)rest;
	task->restart_bits = wide;
	return sleep_restartable(task);
}

static long clock_sleep(unsigned long clock, unsigned long flags, const struct timespec64 *ts,
			unsigned long rest, bool wide)
{
	uint64_t deadline;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return refuse(EINVAL, "nobody can sleep on that clock");
	if (flags & ~TIMER_ABSTIME)
		return refuse(EINVAL, "unknown flags");
	if (!timespec_valid(ts))
		return refuse(EINVAL, "negative time, or nanoseconds out of range");
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(ts, rest, wide);
	deadline = timespec_to_ns(ts);
	if (clock == CLOCK_REALTIME)
		deadline = deadline_from_wall(deadline);
	return sleep_until(deadline) == 0 ? 0 : -ERESTARTNOHAND;
}

long sys_nanosleep(unsigned long from, unsigned long rest)
{
	struct timespec64 ts;

	if (timespec_from_user32(&ts, (void __user *)from) < 0)
		return -EFAULT;
	return clock_sleep(CLOCK_MONOTONIC, 0, &ts, rest, false);
}

long sys_clock_nanosleep(unsigned long clock, unsigned long flags, unsigned long from,
			 unsigned long rest)
{
	struct timespec64 ts;

	if (timespec_from_user32(&ts, (void __user *)from) < 0)
		return -EFAULT;
	return clock_sleep(clock, flags, &ts, rest, false);
}

long sys_clock_nanosleep_time64(unsigned long clock, unsigned long flags, unsigned long from,
				unsigned long rest)
{
	struct timespec64 ts;

	if (timespec_from_user64(&ts, (void __user *)from) < 0)
		return -EFAULT;
	return clock_sleep(clock, flags, &ts, rest, true);
}

/* ---- the interval timer ---- */

/*
 * Runs in the timer interrupt. It arms itself again under signal_lock, where alarm_stop() clears
 * the interval first: so after timer_stop() the timer is not pending again.
 */
static void alarm_fires(struct timer *timer)
{
	struct process *process = container_of(timer, struct process, alarm);

	spin_lock(&process->signal_lock);
	if (process->alarm_interval) {
		process->alarm_expires += process->alarm_interval;
		/* However short the interval, this interrupt comes to an end. */
		process->alarm_expires = MAX(process->alarm_expires, time_now() + NSEC_PER_MSEC);
		timer_start(timer, process->alarm_expires);
	} else {
		process->alarm_expires = 0;
	}
	spin_unlock(&process->signal_lock);
	signal_send_process(process, SIGALRM, NULL);
}

struct alarm {
	uint64_t left, interval; /* nanoseconds */
};

static struct alarm alarm_get(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);
	uint64_t now = time_now();
	struct alarm alarm = { 0, process->alarm_interval };

	/* One that is just about to fire has a little left: 0 would mean that it is not set. */
	if (process->alarm_expires)
		alarm.left =
			process->alarm_expires > now ? process->alarm_expires - now : NSEC_PER_USEC;
	spin_unlock_irqrestore(&process->signal_lock, flags);
	return alarm;
}

void process_stop_alarm(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);

	process->alarm_interval = process->alarm_expires = 0;
	spin_unlock_irqrestore(&process->signal_lock, flags);
	timer_stop(&process->alarm);
}

static struct alarm alarm_set(uint64_t left, uint64_t interval)
{
	struct process *process = current->process;
	struct alarm old = alarm_get(process);
	unsigned int flags;

	process_stop_alarm(process);
	if (left) {
		flags = spin_lock_irqsave(&process->signal_lock);
		process->alarm.function = alarm_fires;
		process->alarm_interval = interval;
		process->alarm_expires = deadline_after(left);
		timer_start(&process->alarm, process->alarm_expires);
		spin_unlock_irqrestore(&process->signal_lock, flags);
	}
	return old;
}

long sys_alarm(unsigned long seconds)
{
	struct alarm old = alarm_set((uint64_t)seconds * NSEC_PER_SEC, 0);
	uint32_t rest;
	uint32_t left = div_u64(old.left, NSEC_PER_SEC, &rest);

	/* Rounded, but never down to "there was none". */
	return left + (rest >= NSEC_PER_SEC / 2 || (left == 0 && rest));
}

static int itimer_to_user(const struct alarm *alarm, unsigned long to)
{
	struct timeval32 value[2] = { timeval_from_ns(alarm->interval),
				      timeval_from_ns(alarm->left) };

	return copy_to_user((void __user *)to, value, sizeof(value));
}

long sys_getitimer(unsigned long which, unsigned long to)
{
	struct alarm alarm;

	if (which != ITIMER_REAL)
		return refuse(EINVAL, "only ITIMER_REAL is there");
	alarm = alarm_get(current->process);
	return itimer_to_user(&alarm, to);
}

long sys_setitimer(unsigned long which, unsigned long new_address, unsigned long old_address)
{
	struct timeval32 value[2] = { { 0, 0 }, { 0, 0 } };
	uint64_t ns[2];
	struct alarm old;

	if (which != ITIMER_REAL)
		return refuse(EINVAL, "only ITIMER_REAL is there");
	if (new_address && copy_from_user(value, (void __user *)new_address, sizeof(value)) < 0)
		return -EFAULT;
	for (unsigned int i = 0; i < 2; i++) {
		if (value[i].sec < 0 || value[i].usec < 0 || value[i].usec >= 1000000)
			return refuse(EINVAL, "negative time, or microseconds out of range");
		ns[i] = (uint64_t)value[i].sec * NSEC_PER_SEC +
			(uint64_t)value[i].usec * NSEC_PER_USEC;
	}
	old = alarm_set(ns[1], ns[0]);
	return old_address ? itimer_to_user(&old, old_address) : 0;
}
