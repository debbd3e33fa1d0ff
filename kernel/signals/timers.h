/*
 * Timers of processes: those of setitimer(2), and POSIX timers (timer_create(2)).
 *
 * 1. A timer that repeats is armed again only when its signal is taken. A program that blocks the
 *    signal, or asks for a very short interval, therefore costs no more than one interrupt for each
 *    signal that it takes. The periods that have passed meanwhile are counted (si_overrun). While
 *    the signal is ignored, the timer repeats by itself, at most once per tick.
 * 2. The timers of CPU time are checked when a thread of the process returns to user mode after a
 *    tick.
 * 3. interval_lock guards the list of POSIX timers, and all arming and disarming. It is taken
 *    before the lock of struct timer, and that before tasks_lock: a timer fires with the former
 *    held, and then takes the latter. What firing changes is guarded by tasks_lock, too.
 */
#ifndef KERNEL_SIGNALS_TIMERS_H
#define KERNEL_SIGNALS_TIMERS_H

#include "kernel/signals/signal.h"

extern spinlock_t interval_lock;

/* ---- kernel/signals/alarm.c: the timers of setitimer(2) ---- */

/* The process has taken a SIGALRM: arm the timer again if it repeats. interval_lock is held. */
void alarm_taken(struct process *process);
/*
 * Send the signals of the CPU timers that are due. Returns true if one is armed. tasks_lock is
 * held.
 */
bool alarms_check_cpu(struct process *process);

/* ---- kernel/signals/timers.c ---- */

/*
 * The current task has taken a signal (0: none). If a timer has sent it, arm that again, and fill
 * in info->overrun. Called without tasks_lock. Never sleeps.
 */
void timers_signal_taken(int signo, struct signal_info *info);
/* Send the signals of the current process's timers of CPU time that are due. Never sleeps. */
void timers_check_cpu(void);
/* The current process begins a new program: delete its POSIX timers. Never sleeps. */
void timers_end_program(void);
/* The current process ends: stop and delete all its timers. Never sleeps. */
void timers_end_process(void);
/*
 * Advance `expires` by as many intervals as are needed to get past `now`. Returns how many, at
 * least one. The interval must not be 0. A sum that is too large becomes UINT64_MAX, which means
 * never.
 */
uint64_t timer_advance(uint64_t *expires, uint64_t interval, uint64_t now);

#endif
