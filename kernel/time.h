/*
 * Time since boot (from the TSC), the wall clock (from the RTC), and timers (kernel/timer.c).
 *
 * Times are in nanoseconds, in 64 bits. A time that does not fit into them means "for ever".
 *
 * A deadline is a value of time_now() or of deadline_of_wall(). The latter is reached when the wall
 * clock says so, even if somebody sets that clock meanwhile.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include "lib/types.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define TICK_HZ	      100
#define TICK_NS	      (NSEC_PER_SEC / TICK_HZ)

struct vdso_clock; /* kernel/vdso_clock.h */

/* Measure the clocks. Called once at boot. */
void time_init(void);

/* Returns the nanoseconds since boot. Monotonic on every CPU. Never sleeps. */
uint64_t time_now(void);
/* The same as the TSC alone counts it, without the corrections of adjtimex(2). */
uint64_t time_raw(void);
/* Convert a number of TSC cycles to nanoseconds. */
uint64_t time_of_cycles(uint64_t cycles);

/* Returns the nanoseconds since 1970-01-01 UTC. Never sleeps. */
uint64_t time_wall(void);
/* Returns the deadline when time_wall() reaches `ns`. UINT64_MAX stays "for ever". Never sleeps. */
uint64_t deadline_of_wall(uint64_t ns);
/*
 * Returns the value of time_now() at which the deadline will be reached, unless the wall clock is
 * set.
 */
uint64_t time_due(uint64_t deadline);
/* Returns true if the deadline has been reached. Never sleeps. */
bool time_reached(uint64_t deadline);

/* Returns the figures from which a program can compute the same times. */
struct vdso_clock time_for_programs(void);

/*
 * The functions that change the clocks. `programs` is the copy of the figures that programs have,
 * which is changed, too (mm/vm/vdso.h). Only one task at a time may call them. They never sleep.
 */

/*
 * Set the wall clock. Timers that wait for a time of the wall clock are sorted anew. Returns 0, or
 * -EINVAL if the boot would have been before 1970 then, or the time does not fit.
 */
int time_set_wall(struct vdso_clock *programs, uint64_t ns);
/*
 * Let all clocks but time_raw() run faster than the TSC says, by `ppb` parts in 10^9 (at most 200
 * million; negative: slower).
 */
void time_set_rate(struct vdso_clock *programs, int32_t ppb);
/* Set the time zone that gettimeofday(2) tells. It has no effect on any clock. */
void time_set_zone(struct vdso_clock *programs, int32_t minutes_west, int32_t daylight);
/* Returns how often the wall clock has been set. Never sleeps. */
uint32_t time_wall_sets(void);

/* Spin for at least ns nanoseconds, for hardware that needs short delays. */
void time_delay(uint64_t ns);

/*
 * A timer calls function(timer) once, in the tick's interrupt and with interrupts off. It fires at
 * most 10 ms late, or exactly on time if the CPU is idle. The function must not start or stop
 * timers, except that it may repeat its own.
 */
struct timer {
	uint64_t expires;  /* the deadline at which it fires */
	bool fires_on_set; /* it also fires when somebody sets the wall clock */
	void (*function)(struct timer *);
	struct timer *next; /* in the list of armed timers; guarded by timer_lock */
};

/* Arm a timer, or change its time if it is armed already. Never sleeps. */
void timer_start(struct timer *timer, uint64_t expires);

/*
 * Disarm a timer. Its function does not run after this returns. Returns the time at which it would
 * have fired, or 0 if it was not armed. Never sleeps. The caller must not hold a lock that the
 * timer's function takes.
 */
uint64_t timer_stop(struct timer *timer);

/* Arm a timer again. Only its own function may call this, with a time in the future. */
void timer_repeat(struct timer *timer, uint64_t expires);

/* ---- the tick: 100 times a second on a busy CPU, or when a timer is due on an idle one ---- */

/* The timer interrupt of each CPU calls it. */
void tick(void);
/* Make this CPU's next tick come when the first timer is due, but at most `most` ns from now. */
void tick_arm(uint64_t most);
/* Make this CPU's next tick come in `ns` nanoseconds. kernel/time.c, for timers */
void time_interrupt_after(uint64_t ns);
/*
 * The wall clock has been set: count this, sort the timers anew, and let those fire that wait for
 * it.
 */
void timers_wall_was_set(void);
/* How many cycles of the TSC a tick lasts, a hundredth of a second. */
uint32_t time_tick_cycles(void);
/* Count the current task's slice. The tick calls it with interrupts off. kernel/sched.c */
void sched_tick(void);

/* ---- other representations of a time ---- */

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

/* Returns time_now() + ns, or UINT64_MAX ("for ever") if that does not fit. */
uint64_t deadline_after(uint64_t ns);

#endif
