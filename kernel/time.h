/*
 * Time: nanoseconds since boot from the TSC, and the wall clock from the RTC. 64 bits hold them; what
 * does not fit counts as for ever.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include "lib/types.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define TICK_HZ	      100
#define TICK_NS	      (NSEC_PER_SEC / TICK_HZ)

/* Once at boot: measures the clocks. */
void time_init(void);

/* Nanoseconds since boot; monotonic on every CPU. Never sleeps. */
uint64_t time_now(void);
/* So many cycles of the TSC in ns. */
uint64_t time_of_cycles(uint64_t cycles);

/* Nanoseconds since 1970-01-01 UTC. */
uint64_t time_wall(void);
/* time_now() when that is `ns`; 0: it was before the boot. */
uint64_t time_of_wall(uint64_t ns);

/* Spin for at least ns nanoseconds; for hardware that wants short delays. */
void time_delay(uint64_t ns);

/*
 * Timers: function(timer) runs once, from the tick's interrupt (so within 10 ms after `expires`; an
 * idle CPU is woken exactly), with interrupts off. It may not start or stop timers.
 */
struct timer {
	uint64_t expires; /* time_now() at which it fires */
	void (*function)(struct timer *);
	struct timer *next; /* the timer queue's; guarded by its lock */
};

/* Arm (again, if armed already). Never sleeps. */
void timer_start(struct timer *timer, uint64_t expires);

/*
 * Disarm; its function does not run any more then. Returns when it would have fired; 0: it was not
 * armed. Not to be called with a lock held that a timer's function takes.
 */
uint64_t timer_stop(struct timer *timer);

/* ---- the tick: 100 times a second on a CPU that works, when a timer wants it on an idle one ---- */

/* From the timer's interrupt, on each CPU. */
void tick(void);
/* Have this CPU's next tick come at the first timer, `most` nanoseconds from now at the latest. */
void tick_arm(uint64_t most);
/* For the scheduler: the slice of the current task runs. Interrupts are off. kernel/sched.c */
void sched_tick(void);

/* ---- other forms of a time ---- */

struct timespec64 { /* for inodes */
	int64_t sec;
	int32_t nsec;
};
struct timespec64 timespec_from_ns(uint64_t ns);
struct timespec64 time_wall_spec(void);

struct timeval32 {
	int32_t sec, usec;
};
struct timeval32 timeval_from_ns(uint64_t ns);

/* time_now() + ns; UINT64_MAX, for ever, if that is too large. */
uint64_t deadline_after(uint64_t ns);

#endif
