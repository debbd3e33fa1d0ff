/*
 * Wait queues: tasks that sleep until a condition may have become true.
 *
 *	error = wait_event_interruptible(&device->queue, device_has_data(device));
 *
 * 1. The condition belongs to the caller. The queue only sleeps and wakes.
 * 2. wait_event() checks the condition again after every wakeup. A wakeup is a hint, not a promise.
 * 3. The task is on the queue *before* the condition is checked. Otherwise
 *
 *	sleeper				waker
 *	checks: no data
 *					adds data, wakes: nobody is on the queue
 *	joins the queue, sleeps for ever
 *
 * 4. A waiter may have a function that is called instead of waking its task (poll, epoll and the
 *    pipe's arrival waiter do). It stays on the queue. Its function runs with the queue's lock held
 *    and interrupts off. It may wake tasks and other queues, and take locks that are irqsave and
 *    that no one holds while joining, leaving or waking this queue. It must not touch the queue
 *    itself.
 * 5. Queues may be woken from interrupts.
 * 6. wake_all() takes the tasks that it wakes off the queue. wait_prepare() puts them back, in the
 *    order in which they first came. A task that is too late after each wakeup therefore becomes
 *    the first.
 * 7. A wakeup has a reason, which only functions of waiters look at. A task checks its condition in
 *    any case.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include "kernel/atomic.h"
#include "lib/list.h"
#include "lib/errno.h"
#include "kernel/spinlock.h"
#include "kernel/task_state.h"

struct wait_queue {
	spinlock_t lock;     /* taken irqsave */
	struct list waiters; /* of struct waiter, in the order of their tickets */
	unsigned int tickets;
};

enum wake_reason {
	WAKE_EVENT,  /* the condition may have become true */
	WAKE_CHANGE, /* it has changed, but has not become true: something was taken, say */
	WAKE_STATE,  /* a change that concerns each waiter, whatever it waits for: a close, say */
};

struct waiter {
	struct list link;
	struct task *task;
	/*
	 * NULL: wake `task`. Returns true if it has passed an event on to a task that will deal
	 * with it. Then the queue's other exclusive waiters are not told of this event.
	 */
	bool (*wake)(struct waiter *, enum wake_reason);
	unsigned int ticket; /* of its first arrival at the queue; 0: it is new */
	bool exclusive;	     /* has a function that wants to share events with others, see `wake` */
};

#define WAIT_QUEUE_INIT(name)                                      \
	{                                                          \
		SPINLOCK_INIT(#name), LIST_INIT((name).waiters), 0 \
	}
void wait_queue_init(struct wait_queue *queue, const char *name);

/*
 * Join or leave the queue without sleeping or changing the task's state, as poll does. Never sleep.
 * Joining is a full barrier.
 */
void wait_add(struct wait_queue *queue, struct waiter *waiter);
void wait_remove(struct wait_queue *queue, struct waiter *waiter);

/*
 * Join the queue, unless the waiter is on it already, and set the current task's state. Never
 * sleeps. The caller then checks its condition, and calls schedule() if that is false.
 */
void wait_prepare(struct wait_queue *queue, struct waiter *waiter, enum task_state state);
/*
 * Leave the queue, if still on it, and set the current task's state to TASK_RUNNING. Never sleeps.
 */
void wait_finish(struct wait_queue *queue, struct waiter *waiter);

/*
 * Wake every waiter. Never sleeps. May be called in an interrupt. If no task waits, it costs a
 * barrier and a load. That load cannot miss a sleeper, with or without a lock around the condition:
 *
 *	sleeper				waker
 *	joins the queue			changes the condition
 *	barrier				barrier
 *	checks the condition		looks at the queue
 *
 * Whichever of the two is later in its last line sees what the other one did in its first.
 */
void wake_all_slow(struct wait_queue *queue, enum wake_reason reason);
/* Returns true if there may be a waiter, which then must be woken. Includes the barrier. */
static inline bool wait_queue_used(const struct wait_queue *queue)
{
	memory_barrier();
	return !list_empty_unlocked(&queue->waiters);
}
/* The same for two queues, with one barrier. */
static inline bool wait_queues_used(const struct wait_queue *queue, const struct wait_queue *other)
{
	return wait_queue_used(queue) || !list_empty_unlocked(&other->waiters);
}
static inline void wake_all_for(struct wait_queue *queue, enum wake_reason reason)
{
	if (wait_queue_used(queue))
		wake_all_slow(queue, reason);
}
static inline void wake_all(struct wait_queue *queue)
{
	wake_all_for(queue, WAKE_EVENT);
}
/* wake_all() for two queues, with one barrier if nobody waits. */
static inline void wake_both(struct wait_queue *queue, struct wait_queue *other)
{
	if (wait_queues_used(queue, other)) {
		wake_all(queue);
		wake_all(other);
	}
}
/*
 * Wake only the first waiter, which stays on the queue. Never sleeps. May be called in an
 * interrupt.
 */
void wake_one(struct wait_queue *queue);

/*
 * Returns true if an unblocked signal is pending for the current task, or its process is stopped.
 */
bool signal_pending(void);
/* Returns true if the current task has to die: SIGKILL is pending for it. */
bool kill_pending(void);

/* Returns true if the current task must not sleep in this state any longer, because of a signal. */
static inline bool wait_interrupted(enum task_state state)
{
	return (state == TASK_INTERRUPTIBLE && signal_pending()) ||
	       (state == TASK_KILLABLE && kill_pending());
}

#define __wait_event(queue, cond, state, until)                              \
	({                                                                   \
		struct waiter _waiter = { .link = LIST_INIT(_waiter.link) }; \
		int _error = 0;                                              \
		for (;;) {                                                   \
			wait_prepare(queue, &_waiter, state);                \
			if (cond)                                            \
				break;                                       \
			if (wait_interrupted(state)) {                       \
				_error = -ERESTARTSYS;                       \
				break;                                       \
			}                                                    \
			if (!schedule_until(until)) {                        \
				_error = (cond) ? 0 : -EAGAIN;               \
				break;                                       \
			}                                                    \
			if (cond) /* no need to join the queue again */      \
				break;                                       \
		}                                                            \
		wait_finish(queue, &_waiter);                                \
		_error;                                                      \
	})

/* Sleep until cond is true. Not interrupted by signals. */
#define wait_event(queue, cond)                                                            \
	do {                                                                               \
		if (!(cond))                                                               \
			(void)__wait_event(queue, cond, TASK_UNINTERRUPTIBLE, UINT64_MAX); \
	} while (0)
/* Sleep until cond is true. Returns 0, or -ERESTARTSYS if a signal came first. */
#define wait_event_interruptible(queue, cond) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_INTERRUPTIBLE, UINT64_MAX))
/*
 * The same, but no longer than until the deadline `until` (UINT64_MAX: no limit). Returns -EAGAIN
 * if that time has passed and cond is false.
 */
#define wait_event_until(queue, cond, until) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_INTERRUPTIBLE, until))
/* A call with a deadline is not started again after a signal: -ERESTARTSYS becomes -EINTR. */
static inline int wait_result(int result, uint64_t until)
{
	return result == -ERESTARTSYS && until != UINT64_MAX ? -EINTR : result;
}
/*
 * The same for a caller that has just found cond false. It is checked only after the task has
 * joined. Returns -EINTR instead of -ERESTARTSYS if there is a deadline.
 */
#define wait_event_again_until(queue, cond, until) \
	wait_result(__wait_event(queue, cond, TASK_INTERRUPTIBLE, until), until)
/* Sleep until cond is true. Returns 0, or -ERESTARTSYS if the task is killed first. */
#define wait_event_killable(queue, cond) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_KILLABLE, UINT64_MAX))
/* The same, with a limit as that of wait_event_until(). */
#define wait_event_killable_until(queue, cond, until) \
	((cond) ? 0 : __wait_event(queue, cond, TASK_KILLABLE, until))

/*
 * Give up the CPU. A task whose state is not TASK_RUNNING sleeps until it is woken. Panics in an
 * interrupt. kernel/sched.c
 */
void schedule(void);
/*
 * The same, but wakes the task when the deadline is reached (kernel/time.h). UINT64_MAX means no
 * deadline. Returns false if the deadline has passed.
 */
bool schedule_until(uint64_t deadline);
/*
 * Wake a task, whatever it sleeps for. Never sleeps. May be called in an interrupt. Returns false
 * if the task was running or is dead. It is a full barrier: either the task is woken, or it sees
 * all earlier stores of the caller when it checks its condition after setting its state.
 */
bool task_wake(struct task *task);
/*
 * Make a task runnable whose state was not TASK_RUNNING a moment ago. For task_wake().
 * kernel/sched.c
 */
bool sched_wake(struct task *task);

#endif
