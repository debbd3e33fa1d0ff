/*
 * The alarm of a process: alarm(2) and setitimer(2).
 */
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"

#define ITIMER_REAL   0u
#define ITIMER_PROF   2u
#define NSEC_PER_USEC 1000u

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
