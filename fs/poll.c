/*
 * poll and select: sleep until one of many files is ready.
 *
 * 1. The first look at each file joins the wait queues that the file names (poll_wait); later looks
 *    only ask. The waiters of one call stand in its table: a few on the stack, more in blocks of
 *    their own.
 * 2. A wakeup sets table->woken and wakes the task. The task clears `woken` before each look at the
 *    files, and sleeps only if it is still clear after the task's state says that it sleeps:
 *
 *	poller				waker
 *	looks: not ready
 *					makes it ready, woken = true; the task runs: nothing to wake
 *	state = sleeping
 *	woken? yes: does not sleep
 *
 *    The store of the state is a full barrier, and so is task_wake(): one of the two sees the
 *    other.
 * 3. A descriptor may be closed by another thread while we sleep on its file's queue: where that
 *    can be (the file table is shared), the table holds a reference to the file.
 * 4. A time-out is a point in time. It is exact: the task's own timer wakes it.
 */
#include "fs/poll.h"
#include "fs/file.h"
#include "fs/poll_table.h"
#include "kernel/signal.h"
#include "kernel/time.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

static void poll_woken(struct waiter *waiter)
{
	struct poll_table *table = container_of(waiter, struct poll_waiter, waiter)->table;

	WRITE_ONCE(table->woken, true);
	task_wake(table->task);
}

static struct poll_waiter *new_waiter(struct poll_table *table)
{
	struct poll_block *block = table->blocks;

	if (table->nr_few < POLL_FEW)
		return &table->few[table->nr_few++];
	if (!block || block->nr == POLL_BLOCK) {
		block = kmalloc(sizeof(*block), 0);
		if (!block) {
			table->error = -ENOMEM;
			return NULL;
		}
		block->nr = 0;
		block->next = table->blocks;
		table->blocks = block;
	}
	return &block->waiters[block->nr++];
}

void poll_join(struct poll_table *table, struct wait_queue *queue)
{
	struct poll_waiter *waiter = new_waiter(table);

	if (!waiter)
		return;
	waiter->table = table;
	waiter->queue = queue;
	waiter->file = table->file;
	if (waiter->file)
		file_get(waiter->file);
	waiter->waiter.task = NULL;
	waiter->waiter.wake = poll_woken;
	wait_add(queue, &waiter->waiter);
}

void poll_table_init(struct poll_table *table)
{
	table->task = current;
	table->woken = false;
	table->error = 0;
	table->file = NULL;
	table->nr_few = 0;
	table->blocks = NULL;
}

static void leave(struct poll_waiter *waiters, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		wait_remove(waiters[i].queue, &waiters[i].waiter);
		if (waiters[i].file)
			file_put(waiters[i].file);
	}
}

void poll_table_leave(struct poll_table *table)
{
	struct poll_block *block;

	leave(table->few, table->nr_few);
	while ((block = table->blocks) != NULL) {
		table->blocks = block->next;
		leave(block->waiters, block->nr);
		kfree(block);
	}
}

bool poll_sleep(struct poll_table *table, uint64_t deadline)
{
	bool in_time = true;

	(void)__atomic_exchange_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST);
	if (!READ_ONCE(table->woken) && !signal_pending())
		in_time = schedule_until(deadline);
	current->state = TASK_RUNNING;
	/*
	 * Cleared before the next look: what is woken for after this is seen by that look, or wakes
	 * again.
	 */
	(void)__atomic_exchange_n(&table->woken, false, __ATOMIC_SEQ_CST);
	return in_time;
}

/* ---- time-outs as programs pass them ---- */

int poll_get_deadline(enum poll_time form, const void __user *from, uint64_t *deadline)
{
	struct timeval32 timeval;
	uint64_t ns;
	int error;

	*deadline = UINT64_MAX;
	if (!from)
		return 0;
	if (form == POLL_TIMEVAL) {
		error = copy_from_user(&timeval, from, sizeof(timeval));
		/* select takes any number of microseconds that is not negative. */
		if (!error && (timeval.sec < 0 || timeval.usec < 0))
			error = -EINVAL;
		ns = timeval.sec * NSEC_PER_SEC + timeval.usec * 1000ull;
	} else {
		error = time_from_user(&ns, from, form == POLL_TIMESPEC64);
	}
	if (error)
		return error;
	*deadline = ns == 0 ? 0 : deadline_after(ns);
	return 0;
}

void poll_put_rest(enum poll_time form, void __user *to, uint64_t deadline)
{
	uint64_t now = time_now();
	uint64_t left = deadline > now ? deadline - now : 0;
	struct timeval32 timeval;

	if (!to)
		return;
	if (form == POLL_TIMEVAL) {
		timeval = timeval_from_ns(left);
		(void)copy_to_user(to, &timeval, sizeof(timeval));
	} else {
		(void)time_to_user(left, to, form == POLL_TIMESPEC64);
	}
}

int poll_block_signals(const sigmask_t __user *mask, size_t size)
{
	sigmask_t blocked;

	if (!mask)
		return 0;
	if (size != sizeof(blocked))
		return -EINVAL;
	if (copy_from_user(&blocked, mask, sizeof(blocked)))
		return -EFAULT;
	signal_set_blocked_temporarily(blocked);
	return 0;
}
