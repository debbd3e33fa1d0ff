/* Conversions of times; kernel/timespec.h says what they promise. */
#include "kernel/timespec.h"
#include "kernel/task.h"
#include "lib/div64.h"
#include "mm/uaccess.h"

#define FIRST_TIME64_CALL 403u /* clock_gettime64 */

bool call_has_time64(void)
{
	return task_frame(current)->error >= FIRST_TIME64_CALL;
}

int timespec_from_user(struct timespec64 *ts, const void __user *from, bool wide)
{
	int32_t words[4];

	if (copy_from_user(words, from, wide ? sizeof(words) : sizeof(words) / 2) < 0)
		return -EFAULT;
	/* A 32-bit program's 64-bit nanoseconds may have rubbish in their upper half. */
	ts->sec = wide ? (int64_t)((uint64_t)words[1] << 32 | (uint32_t)words[0]) : words[0];
	ts->nsec = wide ? words[2] : words[1];
	return 0;
}

int timespec_to_user(const struct timespec64 *ts, void __user *to, bool wide)
{
	int32_t narrow[2] = { (int32_t)ts->sec, ts->nsec };
	int64_t words[2] = { ts->sec, ts->nsec };

	return wide ? copy_to_user(to, words, sizeof(words))
		    : copy_to_user(to, narrow, sizeof(narrow));
}

struct timespec64 timespec_from_ns(uint64_t ns)
{
	uint32_t rest;
	uint64_t sec = div_u64(ns, NSEC_PER_SEC, &rest);

	return (struct timespec64){ sec, rest };
}

struct timeval32 timeval_from_ns(uint64_t ns)
{
	struct timespec64 ts = timespec_from_ns(ns);

	return (struct timeval32){ (int32_t)ts.sec, ts.nsec / 1000 };
}

bool timespec_valid(const struct timespec64 *ts)
{
	return ts->sec >= 0 && ts->nsec >= 0 && ts->nsec < (int32_t)NSEC_PER_SEC;
}

#define SECONDS_MAX 9000000000ll /* below UINT64_MAX nanoseconds, sums of two included */

uint64_t timespec_to_ns(const struct timespec64 *ts)
{
	if (ts->sec > SECONDS_MAX)
		return UINT64_MAX;
	return (uint64_t)ts->sec * NSEC_PER_SEC + ts->nsec;
}

uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = time_now();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

uint64_t deadline_from_wall(uint64_t wall)
{
	uint64_t now = time_wall();

	if (wall == UINT64_MAX)
		return wall;
	return wall > now ? deadline_after(wall - now) : 0;
}
