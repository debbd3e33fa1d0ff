/*
 * Time since boot (from the TSC), the wall clock (from the RTC) and timers.
 *
 * Times are in nanoseconds, in 64 bits. A time that does not fit into them means "for ever".
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
/* Convert a number of TSC cycles to nanoseconds. */
uint64_t time_of_cycles(uint64_t cycles);

/* Returns the nanoseconds since 1970-01-01 UTC. Never sleeps. */
uint64_t time_wall(void);
/* Convert a value of time_wall() to one of time_now(). Returns 0 if it lies before the boot. */
uint64_t time_of_wall(uint64_t ns);

/* Returns the figures from which a program can compute the same times. They never change. */
struct vdso_clock time_for_programs(void);

/* Spin for at least ns nanoseconds, for hardware that needs short delays. */
void time_delay(uint64_t ns);

/*
 * A timer calls function(timer) once, in the tick's interrupt and with interrupts off. It fires at most
 * 10 ms late, or exactly on time if the CPU is idle. The function must not start or stop timers, except
 * that it may repeat its own.
 */
struct timer {
	uint64_t expires; /* time_now() at which it fires */
	void (*function)(struct timer *);
	struct timer *next; /* in the list of armed timers; guarded by timer_lock */
};

/* Arm a timer, or change its time if it is armed already. Never sleeps. */
void timer_start(struct timer *timer, uint64_t expires);

/*
 * Disarm a timer. Its function does not run after this returns. Returns the time at which it would have
 * fired, or 0 if it was not armed. Never sleeps. The caller must not hold a lock that the timer's
 * function takes.
 */
uint64_t timer_stop(struct timer *timer);

/* Arm a timer again. Only its own function may call this, with a time in the future. */
void timer_repeat(struct timer *timer, uint64_t expires);

/* ---- the tick: 100 times a second on a busy CPU, or when a timer is due on an idle one ---- */

/* The timer interrupt of each CPU calls it. */
void tick(void);
/* Make this CPU's next tick come when the first timer is due, but at most `most` ns from now. */
void tick_arm(uint64_t most);
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
