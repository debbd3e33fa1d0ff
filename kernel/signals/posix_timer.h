/*
 * POSIX timers, as timers.c and timer_calls.c see them.
 */
#ifndef KERNEL_SIGNALS_POSIX_TIMER_H
#define KERNEL_SIGNALS_POSIX_TIMER_H

#include "kernel/signals/timers.h"

/* sigev_notify. SIGEV_THREAD is for the C library, which uses a signal. */
#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID 4

struct posix_timer {
	struct process *process;
	int id, clock, notify;
	unsigned int tid;	     /* SIGEV_THREAD_ID: the thread that gets the signal; else 0 */
	struct queued_signal *entry; /* of its signal */

	/* interval_lock */
	struct list link;     /* process->timers */
	unsigned int setting; /* how often it was set, never 0 */
	int overrun;	      /* of the signal that was taken last */
	uint64_t interval;    /* 0: it fires once */

	/* interval_lock and tasks_lock */
	struct timer base; /* armed for the clocks that are not CPU clocks */
	uint64_t expires;  /* a value of timer_now(); if not armed, when it fired */
	bool wall;	   /* it was set for a time of the wall clock, and expires is one */
	bool armed;
};

/*
 * Allocate a timer, which is on no list yet, with the entry of its signal. Returns NULL if there is
 * no memory, or if RLIMIT_SIGPENDING is reached. May sleep.
 */
struct posix_timer *timer_make(struct process *process);
/* The functions below are called with interval_lock held, and never sleep. */
/* Delete a timer. A signal that is pending stays so. */
void timer_delete(struct posix_timer *timer);
/* Returns the timer with that number, or NULL. */
struct posix_timer *timer_find(const struct process *process, int id);
/* Arm the timer for timer->expires. */
void timer_arm(struct posix_timer *timer);
/* Disarm the timer. It does not fire after this returns. */
void timer_disarm(struct posix_timer *timer);
/* Returns the time of the timer's clock, in the units of timer->expires. tasks_lock is not held. */
uint64_t timer_now(const struct posix_timer *timer);

#endif
