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
	CLOCK_REALTIME_ALARM, /* this machine is never suspended, so an alarm need not wake it */
	CLOCK_BOOTTIME_ALARM,
	CLOCK_TAI = 11,
};

/* ---- kernel/process/timecalls.c ---- */

/*
 * Returns true if the current system call uses struct timespec with 64-bit seconds. These calls
 * have the numbers from 403 on. Each has an older variant with 32-bit seconds, which is the same
 * function.
 */
bool call_has_time64(void);
/*
 * Copy a struct timespec, which has 64-bit seconds if `wide` is set. Return 0, -EFAULT, or -EINVAL
 * if the value is not a valid time. May sleep.
 */
int time_from_user(uint64_t *ns, const void __user *from, bool wide);
int time_to_user(uint64_t ns, void __user *to, bool wide);

/*
 * Read a clock of clock_gettime(2). Returns 0, or -EINVAL if there is no such clock. Never sleeps.
 */
int clock_read(int clock, uint64_t *ns);
/* By how many seconds CLOCK_TAI is ahead of CLOCK_REALTIME. Not negative. Set by adjtimex(2). */
extern int clock_tai_offset;
/* Returns true if the clock follows the wall clock when that is set. */
bool clock_is_wall(int clock);
/* Returns the deadline when a clock that is none of CPU time reaches `ns`. Never sleeps. */
uint64_t clock_deadline(int clock, uint64_t ns);
/* Returns true if the clock measures CPU time. There may be no such clock. */
bool clock_is_cpu(int clock);
/*
 * Read a clock of CPU time, that of a process or of a thread of the current process. Returns 0 or
 * -EINVAL. Never sleeps.
 */
int clock_read_cpu(int clock, uint64_t *ns);
/*
 * Returns the clock with the id of the process or thread in it, if it is that of the current one.
 */
int clock_resolve(int clock);

/* ---- kernel/process/clock_set.c ---- */

/*
 * Set the wall clock, as settimeofday(2). Returns 0, -EPERM, -EINVAL if the machine would have been
 * booted before 1970 then, or -ENOMEM or -ERESTARTSYS. May sleep.
 */
int clock_set_wall(uint64_t ns);

/* ---- kernel/process/sleep.c ---- */

/* Sleep until the deadline (kernel/time.h). Returns 0, or -EINTR if a signal came first. */
int sleep_until(uint64_t deadline);

#endif
