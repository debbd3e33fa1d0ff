/*
 * Times as programs pass them, and the system calls that read the clocks.
 */
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

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
