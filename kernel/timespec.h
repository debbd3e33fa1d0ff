/*
 * Times as user programs pass them, and as the kernel counts them (nanoseconds in 64 bits).
 *
 * A time that does not fit into 64 bits of nanoseconds counts as for ever.
 */
#ifndef KERNEL_TIMESPEC_H
#define KERNEL_TIMESPEC_H

#include "kernel/time.h"

/*
 * Has the system call that runs struct timespecs with 64-bit seconds? Those are the numbers from
 * 403 on; each has an older twin with 32 bits, which is the same function.
 */
bool call_has_time64(void);
/* struct timespec, with 64-bit seconds if `wide`. 0 or -EFAULT. */
int timespec_from_user(struct timespec64 *ts, const void __user *from, bool wide);
int timespec_to_user(const struct timespec64 *ts, void __user *to, bool wide);

struct timeval32 {
	int32_t sec, usec;
};
struct timeval32 timeval_from_ns(uint64_t ns);
struct timespec64 timespec_from_ns(uint64_t ns);

/* Not negative, and less than 10^9 nanoseconds. */
bool timespec_valid(const struct timespec64 *ts);
uint64_t timespec_to_ns(const struct timespec64 *ts);
/* time_now() + ns; UINT64_MAX, for ever, if that is too large. */
uint64_t deadline_after(uint64_t ns);
/* The time since boot at which the wall clock shows `wall`; 0 if it has. */
uint64_t deadline_from_wall(uint64_t wall);

#endif
