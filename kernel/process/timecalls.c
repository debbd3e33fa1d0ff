/*
 * The system calls for time: clocks, sleeping, the alarm.
 *
 * 1. A sleep ends at the first tick after its time. After a signal without a handler, restart_syscall
 *    continues the sleep for the rest of its time.
 * 2. A sleep until a time of the wall clock is converted to a time since boot when it begins. A change of
 *    the clock has no effect on it.
 */
#include "kernel/process/timecalls.h"
#include "kernel/process/process.h"
#include "kernel/process/signal.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"

enum {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME,
	CLOCK_THREAD_CPUTIME,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
};
#define TIMER_ABSTIME	  1u
#define ITIMER_REAL	  0u
#define ITIMER_PROF	  2u
#define NSEC_PER_USEC	  1000u
#define FIRST_TIME64_CALL 403u	       /* clock_gettime64 */
#define SECONDS_MAX	  9000000000ll /* below UINT64_MAX nanoseconds, sums of two included */

/* ---- times as programs pass them ---- */

bool call_has_time64(void)
{
	return task_frame(current)->error >= FIRST_TIME64_CALL;
}

int time_from_user(uint64_t *ns, const void __user *from, bool wide)
{
	int32_t words[4], nsec;
	int64_t sec;

	if (copy_from_user(words, from, wide ? sizeof(words) : sizeof(words) / 2) < 0)
		return -EFAULT;
	/* The upper half of a 32-bit program's 64-bit nanoseconds may be undefined. */
	sec = wide ? (int64_t)((uint64_t)words[1] << 32 | (uint32_t)words[0]) : words[0];
	nsec = wide ? words[2] : words[1];
	if (sec < 0 || nsec < 0 || nsec >= (int32_t)NSEC_PER_SEC)
		return refuse(EINVAL, "negative time, or nanoseconds out of range");
	*ns = sec > SECONDS_MAX ? UINT64_MAX : (uint64_t)sec * NSEC_PER_SEC + nsec;
	return 0;
}

int time_to_user(uint64_t ns, void __user *to, bool wide)
{
	struct timespec64 ts = timespec_from_ns(ns);
	int32_t narrow[2] = { (int32_t)ts.sec, ts.nsec };
	int64_t words[2] = { ts.sec, ts.nsec };

	return wide ? copy_to_user(to, words, sizeof(words))
		    : copy_to_user(to, narrow, sizeof(narrow));
}

/* ---- clocks ---- */

static uint64_t process_ns(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	uint64_t ns = process_cpu_ns(current->process);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ns;
}

long sys_clock_gettime(unsigned int clock, void __user *to)
{
	uint64_t ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = time_wall();
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		ns = time_now();
		break;
	case CLOCK_PROCESS_CPUTIME:
		ns = process_ns();
		break;
	case CLOCK_THREAD_CPUTIME:
		ns = task_cpu_ns(current);
		break;
	default:
		return refuse(EINVAL, "no such clock");
	}
	return time_to_user(ns, to, call_has_time64());
}

long sys_gettimeofday(void __user *tv, void __user *tz)
{
	struct timeval32 now = timeval_from_ns(time_wall());
	static const uint32_t utc[2];

	if (tv && copy_to_user(tv, &now, sizeof(now)) < 0)
		return -EFAULT;
	return tz ? copy_to_user(tz, utc, sizeof(utc)) : 0;
}

/* ---- sleeping ---- */

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

/* ---- the alarm ---- */

/* Runs in the timer interrupt. */
static void alarm_fires(struct timer *timer)
{
	signal_send_process(container_of(timer, struct process, alarm), SIGALRM, NULL);
}

/*
 * Set the alarm to fire ns nanoseconds from now, or stop it if ns is 0. Returns the nanoseconds that were
 * left of the old one, or 0 if there was none.
 */
static uint64_t alarm_set(uint64_t ns)
{
	struct timer *alarm = &current->process->alarm;
	uint64_t old = timer_stop(alarm), now = time_now();

	alarm->function = alarm_fires;
	if (ns)
		timer_start(alarm, deadline_after(ns));
	/* An alarm that was about to fire has a little time left. 0 would mean that it was not set. */
	return old > now ? old - now : old ? NSEC_PER_USEC : 0;
}

long sys_alarm(unsigned int seconds)
{
	uint64_t ns = alarm_set((uint64_t)seconds * NSEC_PER_SEC);
	uint32_t rest, left = div_u64(ns, NSEC_PER_SEC, &rest);

	/* Rounded, but never down to 0, which means that there was none. */
	return left + (rest >= NSEC_PER_SEC / 2 || (left == 0 && rest));
}

/*
 * ITIMER_REAL without an interval, which the alarm() of C libraries uses. The other timers can only be
 * cleared.
 */
long sys_setitimer(unsigned int which, const void __user *from, void __user *to)
{
	struct timeval32 value[2] = { { 0, 0 }, { 0, 0 } }; /* interval, what is left */
	uint64_t ns;

	if (which > ITIMER_PROF)
		return refuse(EINVAL, "there is no such timer");
	if (from && copy_from_user(value, from, sizeof(value)) < 0)
		return -EFAULT;
	if (value[0].sec || value[0].usec)
		return refuse(EINVAL, "the timer does not repeat");
	if (value[1].sec < 0 || value[1].usec < 0 || value[1].usec >= 1000000)
		return refuse(EINVAL, "negative time, or microseconds out of range");
	ns = (uint64_t)value[1].sec * NSEC_PER_SEC + value[1].usec * NSEC_PER_USEC;
	if (which != ITIMER_REAL && ns)
		return refuse(EINVAL, "timers of CPU time cannot be set");
	value[1] = timeval_from_ns(which == ITIMER_REAL ? alarm_set(ns) : 0);
	return to ? copy_to_user(to, value, sizeof(value)) : 0;
}
