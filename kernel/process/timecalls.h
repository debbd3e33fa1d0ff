/*
 * Clocks, copying times from and to programs, and interruptible sleep until a time.
 */
#ifndef KERNEL_PROCESS_TIMECALLS_H
#define KERNEL_PROCESS_TIMECALLS_H

#include "lib/types.h"

/* The clocks of clock_gettime(2) and of sleeping. */
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

/* ---- kernel/process/timecalls.c ---- */

/*
 * Returns true if the current system call uses struct timespec with 64-bit seconds. These calls have the
 * numbers from 403 on. Each has an older variant with 32-bit seconds, which is the same function.
 */
bool call_has_time64(void);
/*
 * Copy a struct timespec, which has 64-bit seconds if `wide` is set. Return 0, -EFAULT, or -EINVAL if the
 * value is not a valid time. May sleep.
 */
int time_from_user(uint64_t *ns, const void __user *from, bool wide);
int time_to_user(uint64_t ns, void __user *to, bool wide);

/* ---- kernel/process/sleep.c ---- */

/* Sleep until time_now() reaches `deadline`. Returns 0, or -EINTR if a signal came first. */
int sleep_until(uint64_t deadline);

#endif
