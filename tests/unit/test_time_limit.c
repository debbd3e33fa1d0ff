/* Tests kernel/time_limit.c with a clock that jumps, as it does for a guest that its host stops. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#include "kernel/time_limit.c"

static uint64_t now;

uint64_t time_now(void)
{
	return now;
}

/* Returns how many looks find nothing before the limit is over, if each takes `ns`. */
static unsigned int looks(struct time_limit *limit, uint64_t ns)
{
	unsigned int nr = 1;

	for (now += ns; !time_limit_over(limit); now += ns)
		nr++;
	return nr;
}

CASE(limit_lasts_its_time)
{
	struct time_limit limit = time_limit(NSEC_PER_SEC);

	ok(looks(&limit, NSEC_PER_MSEC) == 1001, "a limit lasts its time, and one more look");
}

CASE(stopped_guest_is_in_time)
{
	struct time_limit limit = time_limit(NSEC_PER_SEC);

	now += 100 * NSEC_PER_SEC;
	must(!time_limit_over(&limit));
	ok(looks(&limit, NSEC_PER_MSEC) > 900,
	   "the time for which the guest was stopped hardly counts");
}

/* The device may have answered between the look and the reading of the clock. */
CASE(one_more_look)
{
	struct time_limit limit = time_limit(NSEC_PER_SEC);

	for (unsigned int i = 0; i < 16; i++) {
		now += NSEC_PER_SEC;
		must(!time_limit_over(&limit));
	}
	ok(time_limit_over(&limit), "the caller looks once more when the time is over");
}
