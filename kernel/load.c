/*
 * The load averages: the number of tasks that ran or waited for a CPU, over the last 1, 5 and 15
 * minutes.
 * They are exponential averages in units of 1 / LOAD_ONE. Nothing guards them, so a reader may get
 * those of two moments.
 */
#include "kernel/task.h"
#include "kernel/time.h"

#define LOAD_PERIOD (5 * NSEC_PER_SEC)

/*
 * What is left of an average after LOAD_PERIOD: e^(-5/60), e^(-5/300) and e^(-5/900), times
 * LOAD_ONE.
 */
static const uint32_t load_rests[NR_LOADS] = { 60296, 64453, 65173 };
uint32_t sched_loads[NR_LOADS];

void load_tick(void)
{
	static uint64_t next = LOAD_PERIOD;
	uint64_t active = (uint64_t)sched_runnable() * LOAD_ONE;

	for (; time_now() >= next; next += LOAD_PERIOD)
		for (unsigned int i = 0; i < NR_LOADS; i++)
			sched_loads[i] = (sched_loads[i] * (uint64_t)load_rests[i] +
					  active * (LOAD_ONE - load_rests[i])) /
					 LOAD_ONE;
}
