/*
 * Priority inheritance, see inherit.h.
 *
 * inherit_lock guards task->lenders and task->lending. It is below the lock of the callers and
 * tasks_lock, and above the run queues' locks. The urgencies themselves belong to the run queues.
 * They are read here without these locks. That is enough, because each change of one is followed by
 * an update under inherit_lock, and the last of these updates sees all changes.
 */
#include "kernel/process/inherit.h"

#define CHAIN_MAX 1024u

static spinlock_t inherit_lock = SPINLOCK_INIT("inherit");

bool lender_allowed(const struct task *task, const struct task *to)
{
	unsigned int flags = spin_lock_irqsave(&inherit_lock), length = 0;

	while (to && to != task && length++ < CHAIN_MAX)
		to = to->lending ? to->lending->to : NULL;
	spin_unlock_irqrestore(&inherit_lock, flags);
	return !to;
}

void lender_set(struct lender *lender, struct task *to)
{
	unsigned int flags = spin_lock_irqsave(&inherit_lock);

	if (lender->to)
		list_del(&lender->link);
	lender->to = to;
	lender->task->lending = to ? lender : NULL;
	if (to)
		list_add_tail(&to->lenders, &lender->link);
	spin_unlock_irqrestore(&inherit_lock, flags);
}

/* inherit_lock is held. */
static void update_chain(struct task *task)
{
	struct lender *lender;
	unsigned int highest;

	lockdep_held(&inherit_lock);
	for (unsigned int i = 0; task && i < CHAIN_MAX; i++) {
		highest = 0;
		list_for_each(lender, &task->lenders, link)
			highest = MAX(highest, READ_ONCE(lender->task->urgency));
		if (highest == task->inherited)
			return;
		sched_inherit(task, highest);
		task = task->lending ? task->lending->to : NULL;
	}
}

void inherit_update(struct task *task)
{
	unsigned int flags = spin_lock_irqsave(&inherit_lock);

	update_chain(task);
	spin_unlock_irqrestore(&inherit_lock, flags);
}

void inherit_changed(struct task *task)
{
	unsigned int flags = spin_lock_irqsave(&inherit_lock);

	if (task->lending)
		update_chain(task->lending->to);
	spin_unlock_irqrestore(&inherit_lock, flags);
}
