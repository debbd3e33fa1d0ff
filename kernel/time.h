/*
 * Time: nanoseconds since boot from the TSC, and the wall clock from the RTC.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include "lib/types.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define TICK_HZ	      100

/* Nanoseconds since boot; monotonic on every CPU. Never sleeps. */
uint64_t time_now(void);
/* So many cycles of the TSC in ns. */
uint64_t time_of_cycles(uint64_t cycles);

/* Nanoseconds since 1970-01-01 UTC. */
uint64_t time_wall(void);

/* Spin for at least ns nanoseconds; for hardware that wants short delays. */
void time_delay(uint64_t ns);

struct timespec64 { /* the in-kernel form */
	int64_t sec;
	int32_t nsec;
};

struct timespec64 time_wall_spec(void);

/*
 * Timers: function(timer) runs once, from the tick's interrupt (so within 10 ms after `expires`; an
 * idle CPU is woken exactly), with interrupts off.
 */
struct timer {
	uint64_t expires; /* time_now() at which it fires */
	void (*function)(struct timer *);
	void *context;
	struct timer *next, **pprev; /* the timer queue's; guarded by its lock */
};

/* Arm (again, if armed already). Never sleeps. */
void timer_start(struct timer *timer, uint64_t expires);

/* Disarm; waits for a function that runs on another CPU. Returns true if it was still pending.
 * Not to be called with a lock held that the function takes. */
bool timer_stop(struct timer *timer);

#endif
