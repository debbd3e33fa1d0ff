/*
 * Priority inheritance: a task that waits for another one lends it its urgency.
 *
 *	A, urgency 50			waits for a lock that B has
 *	B, an ordinary task		runs with urgency 50 until it gives the lock up
 *	C, urgency 20			waits until B has done that, although B is less urgent
 *
 * 1. A struct lender stands for one wait. It belongs to the caller, which decides which task waits
 *    for which. The caller makes all calls that change a lender with one lock of its own held
 *    (futex_lock). While it holds that lock, the tasks stay in existence.
 * 2. A task waits for one other task at most. Tasks that wait form chains, and a chain never
 *    becomes a circle, because the caller asks lender_allowed() first.
 * 3. Only SCHED_FIFO and SCHED_RR are lent. Ordinary tasks have urgency 0, whatever their nice
 *    value is.
 */
#ifndef KERNEL_PROCESS_INHERIT_H
#define KERNEL_PROCESS_INHERIT_H

#include "kernel/task.h"

struct lender {
	struct list link;  /* to->lenders */
	struct task *task; /* it waits */
	struct task *to;   /* for this one; NULL: for none */
};

/*
 * Returns true if `task` may wait for `to`: the chain of tasks that `to` waits for does not lead to
 * `task`, and is not longer than CHAIN_MAX. Never sleeps. The caller's lock is held.
 */
bool lender_allowed(const struct task *task, const struct task *to);
/*
 * From now on lender->task waits for `to` (NULL: for no task). This does not change how urgent any
 * task is, so that many lenders can be moved at once. Then call inherit_update() for both tasks.
 * Never sleeps. The caller's lock is held.
 */
void lender_set(struct lender *lender, struct task *to);
/*
 * Those who wait for `task`, or their urgency, have changed. Make it as urgent as the most urgent
 * of them, and pass this on along the chain, at most CHAIN_MAX tasks far. Never sleeps; takes
 * irqsave locks.
 */
void inherit_update(struct task *task);
/* The task's own urgency has changed (sched_set). Pass it on. Never sleeps; takes irqsave locks. */
void inherit_changed(struct task *task);

#endif
