/*
 * The three timers of a process that alarm(2), setitimer(2) and getitimer(2) set: one of real time,
 * which sends SIGALRM, one of the time in user mode (SIGVTALRM), and one of all its CPU time
 * (SIGPROF).
 */
#include "kernel/process/process.h"
#include "kernel/process/usage.h"
#include "kernel/signals/timers.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };
#define NSEC_PER_USEC 1000u

/* ---- real time ---- */

/* Runs in the timer interrupt. */
static void alarm_fires(struct timer *timer)
{
	struct process *process = container_of(timer, struct process, alarm);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool ignored = !signal_begin_send(process, NULL, SIGALRM, NULL);
	uint64_t expires = timer->expires, now = time_now();

	if (!ignored) {
		(void)signal_queue_add(process, &process->signals, SIGALRM, NULL);
		signal_end_send(process, NULL, SIGALRM);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (!ignored || !process->alarm_interval)
		return;
	(void)timer_advance(&expires, process->alarm_interval, now + TICK_NS);
	timer_repeat(timer, expires);
}

void alarm_taken(struct process *process)
{
	uint64_t expires = timer_stop(&process->alarm);

	lockdep_held(&interval_lock);
	if (!process->alarm_interval)
		return;
	/* It is armed already if the signal came from elsewhere. */
	if (!expires) {
		expires = process->alarm.expires;
		(void)timer_advance(&expires, process->alarm_interval, time_now());
	}
	timer_start(&process->alarm, expires);
}

struct interval { /* in nanoseconds */
	uint64_t interval, left;
};

/*
 * Returns what is left of the timer of real time. A timer that was about to fire has a little time
 * left, because 0 would mean that it is not set. interval_lock is held.
 */
static struct interval alarm_left(struct process *process, uint64_t expires)
{
	struct interval old = { .interval = process->alarm_interval };
	uint64_t now = time_now();

	if (expires)
		old.left = expires > now + NSEC_PER_USEC ? expires - now : NSEC_PER_USEC;
	else if (process->alarm_interval) { /* its signal is pending */
		expires = process->alarm.expires;
		(void)timer_advance(&expires, process->alarm_interval, now);
		old.left = expires - now;
	}
	return old;
}

/* Get the timer of real time, and set it unless `wanted` is NULL. */
static struct interval real_set(const struct interval *wanted)
{
	struct process *process = current->process;
	struct timer *alarm = &process->alarm;
	unsigned int flags = spin_lock_irqsave(&interval_lock);
	uint64_t expires = timer_stop(alarm);
	struct interval old = alarm_left(process, expires);

	alarm->function = alarm_fires;
	if (!wanted) {
		if (expires)
			timer_start(alarm, expires);
	} else {
		process->alarm_interval = wanted->left ? wanted->interval : 0;
		if (wanted->left)
			timer_start(alarm, deadline_after(wanted->left));
	}
	spin_unlock_irqrestore(&interval_lock, flags);
	return old;
}

/* ---- CPU time ---- */

static uint64_t cpu_now(struct process *process, unsigned int which)
{
	return which == ITIMER_VIRTUAL ? process_usage(process).user : process_cpu_ns(process);
}

bool alarms_check_cpu(struct process *process)
{
	bool armed = false;

	lockdep_held(&tasks_lock);
	for (unsigned int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
		struct cpu_alarm *alarm = &process->cpu_alarms[which - ITIMER_VIRTUAL];
		uint64_t now = alarm->expires ? cpu_now(process, which) : 0;

		if (alarm->expires && now >= alarm->expires) {
			if (alarm->interval)
				(void)timer_advance(&alarm->expires, alarm->interval, now);
			else
				alarm->expires = 0;
			(void)signal_send_locked(
				process, NULL, which == ITIMER_VIRTUAL ? SIGVTALRM : SIGPROF, NULL);
		}
		armed = armed || alarm->expires;
	}
	return armed;
}

static struct interval cpu_set(unsigned int which, const struct interval *wanted)
{
	struct process *process = current->process;
	struct cpu_alarm *alarm = &process->cpu_alarms[which - ITIMER_VIRTUAL];
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	uint64_t now = cpu_now(process, which);
	struct interval old = { .interval = alarm->interval };

	if (alarm->expires)
		old.left = alarm->expires > now ? alarm->expires - now : NSEC_PER_USEC;
	if (wanted) {
		alarm->expires = wanted->left ? now + wanted->left : 0;
		alarm->interval = wanted->left ? wanted->interval : 0;
		if (wanted->left)
			process->measured = true;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return old;
}

/* ---- the calls ---- */

long sys_alarm(unsigned int seconds)
{
	/* The number of seconds that are left must not look like an error. */
	const struct interval wanted = { .left = MIN(seconds, INT32_MAX + 0u) * NSEC_PER_SEC };
	uint32_t rest, left = div_u64(real_set(&wanted).left, NSEC_PER_SEC, &rest);

	/* Rounded, but never down to 0, which means that there was none. */
	return left + (rest >= NSEC_PER_SEC / 2 || (left == 0 && rest));
}

static int interval_to_user(struct interval interval, void __user *to)
{
	const struct timeval32 value[2] = { timeval_from_ns(interval.interval),
					    timeval_from_ns(interval.left) };

	return copy_to_user(to, value, sizeof(value));
}

static uint64_t ns_of(struct timeval32 time)
{
	return (uint64_t)time.sec * NSEC_PER_SEC + time.usec * NSEC_PER_USEC;
}

static bool is_time(struct timeval32 time)
{
	return time.sec >= 0 && time.usec >= 0 && time.usec < 1000000;
}

long sys_getitimer(unsigned int which, void __user *to)
{
	if (which > ITIMER_PROF)
		return refuse(EINVAL, "there is no such timer");
	return interval_to_user(which == ITIMER_REAL ? real_set(NULL) : cpu_set(which, NULL), to);
}

long sys_setitimer(unsigned int which, const void __user *from, void __user *to)
{
	struct timeval32 value[2] = { { 0, 0 }, { 0, 0 } }; /* interval, what is left */
	struct interval wanted, old;

	if (from && copy_from_user(value, from, sizeof(value)) < 0)
		return -EFAULT;
	if (!is_time(value[0]) || !is_time(value[1]))
		return refuse(EINVAL, "negative time, or microseconds out of range");
	if (which > ITIMER_PROF)
		return refuse(EINVAL, "there is no such timer");
	wanted = (struct interval){ ns_of(value[0]), ns_of(value[1]) };
	old = which == ITIMER_REAL ? real_set(&wanted) : cpu_set(which, &wanted);
	return to ? interval_to_user(old, to) : 0;
}
