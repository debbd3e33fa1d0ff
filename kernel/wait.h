/*
 * Wait queues: tasks that sleep until a condition may have become true.
 *
 * 1. The condition belongs to the caller; the queue only sleeps and wakes.
 * 2. wait_event() checks the condition again after every wakeup: a wakeup is a hint, not a promise.
 * 3. The task is on the queue *before* the condition is checked. Otherwise
 *
 *	sleeper				waker
 *	checks: no data
 *					adds data, wakes: nobody is on the queue
 *	joins the queue, sleeps for ever
 *
 * 4. A waiter may have a function of its own in place of the wakeup (poll, the pipe's arrival
 *    waiter). It runs with the queue's lock held and interrupts off, and must not touch the queue.
 * 5. Queues may be woken from interrupts.
 * 6. wake_all takes the tasks that it wakes off the queue; wait_prepare puts them back, in the order in
 *    which they first came. So a task that is woken too late each time becomes the first one.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include "lib/list.h"
#include "lib/errno.h"
#include "kernel/spinlock.h"
#include "kernel/task_state.h"

struct wait_queue {
	spinlock_t lock;     /* taken irqsave */
	struct list waiters; /* of struct waiter, in the order of their tickets */
	unsigned int tickets;
};

struct waiter {
	struct list link;
	struct task *task;
	void (*wake)(struct waiter *); /* NULL: wake `task` */
	unsigned int ticket;	       /* of its first arrival at the queue; 0: it is new */
};

#define WAIT_QUEUE_INIT(name)                                      \
	{                                                          \
		SPINLOCK_INIT(#name), LIST_INIT((name).waiters), 0 \
	}
void wait_queue_init(struct wait_queue *queue, const char *name);

/* Join the queue without sleeping or changing the task's state (poll). */
void wait_add(struct wait_queue *queue, struct waiter *waiter);
void wait_remove(struct wait_queue *queue, struct waiter *waiter);

/* Join the queue (if not on it) and set the current task's state; then check, then schedule(). */
void wait_prepare(struct wait_queue *queue, struct waiter *waiter, enum task_state state);
/* Leave the queue and run again. */
void wait_finish(struct wait_queue *queue, struct waiter *waiter);

/* Wake every waiter. Never sleeps; from interrupts too. One load when nobody waits: the caller has
 * changed the condition under a lock that the sleeper's check takes too. */
void wake_all_slow(struct wait_queue *queue);
static inline void wake_all(struct wait_queue *queue)
{
	if (!list_empty_unlocked(&queue->waiters))
		wake_all_slow(queue);
}
/* Wake the first waiter only. */
void wake_one(struct wait_queue *queue);

/* True if a signal that is not blocked is pending for the current task (a kill, respectively). */
bool signal_pending(void);
bool kill_pending(void);

#define __wait_event(queue, cond, state, interrupted, until)                        \
	({                                                                          \
		struct waiter _waiter = { LIST_INIT(_waiter.link), NULL, NULL, 0 }; \
		int _error = 0;                                                     \
		for (;;) {                                                          \
			wait_prepare(queue, &_waiter, state);                       \
			if (cond)                                                   \
				break;                                              \
			if (interrupted) {                                          \
				_error = -ERESTARTSYS;                              \
				break;                                              \
			}                                                           \
			if (!schedule_until(until)) {                               \
				_error = (cond) ? 0 : -EAGAIN;                      \
				break;                                              \
			}                                                           \
			if (cond) /* off the queue: no need to join again */        \
				break;                                              \
		}                                                                   \
		wait_finish(queue, &_waiter);                                       \
		_error;                                                             \
	})

/* Sleep until cond. */
#define wait_event(queue, cond)                                                                   \
	do {                                                                                      \
		if (!(cond))                                                                      \
			(void)__wait_event(queue, cond, TASK_UNINTERRUPTIBLE, false, UINT64_MAX); \
	} while (0)
/* Sleep until cond (0) or a signal (-ERESTARTSYS). */
#define wait_event_interruptible(queue, cond) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_INTERRUPTIBLE, signal_pending(), UINT64_MAX))
/*
 * Sleep until cond, a signal, or the time `until` (UINT64_MAX: no limit). Returns 0, -ERESTARTSYS on a
 * signal, or -EAGAIN if the time has passed and cond is false.
 */
#define wait_event_until(queue, cond, until) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_INTERRUPTIBLE, signal_pending(), until))
/* Sleep until cond (0) or a SIGKILL (-ERESTARTSYS). */
#define wait_event_killable(queue, cond) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_KILLABLE, kill_pending(), UINT64_MAX))

/* Give up the CPU; if the state is not TASK_RUNNING, until woken. kernel/sched.c */
void schedule(void);
/* schedule(), but until time_now() >= deadline at the latest (UINT64_MAX: no deadline).
 * Returns false if the deadline passed. */
bool schedule_until(uint64_t deadline);
/* Make a sleeping task run. Never sleeps; false if it was not asleep. A full barrier: the task either
 * sees what the caller has stored before, once its state says that it sleeps, or is woken. */
bool task_wake(struct task *task);

#endif
