/*
 * Limits for waits that look at something again and again, such as at a device's register.
 *
 * 1. A host may stop the guest for seconds, while the clock goes on and no device works. So the
 *    time between two looks counts for at most a sixteenth of the limit.
 * 2. The guest may be stopped between a look and the reading of the clock. So when the time is
 *    over, the caller looks once more.
 *
 *	struct time_limit limit = time_limit(SPIN_NS);
 *
 *	while (!ready(device))
 *		if (time_limit_over(&limit))
 *			return -EIO;
 */
#ifndef KERNEL_TIME_LIMIT_H
#define KERNEL_TIME_LIMIT_H

#include "lib/types.h"

struct time_limit {
	uint64_t left; /* nanoseconds */
	uint64_t most; /* for which the time between two looks counts */
	uint64_t last; /* time_now() of the last look */
};

/* Returns a limit of `ns` nanoseconds from now on. Never sleeps. */
struct time_limit time_limit(uint64_t ns);

/*
 * Count a look that has found nothing. Returns true if the time was over before this look. Never
 * sleeps.
 */
bool time_limit_over(struct time_limit *limit);

#endif
