/*
 * The slow paths of wait queues and mutexes. See kernel/wait.h and kernel/mutex.h for the
 * contracts.
 */
#include "kernel/wait.h"
#include "kernel/mutex.h"
#include "kernel/task.h"

#define OWNER_SPINS 2000

void wait_queue_init(struct wait_queue *queue, const char *name)
{
	spin_init(&queue->lock, name);
	list_init(&queue->waiters);
	queue->tickets = 0;
}

/*
 * A waiter that was woken for nothing gets its old place back, in front of those that came later.
 * Otherwise, with one slot and one CPU, a writer that has written would wait in front of those that
 * were woken with it, since they have not run yet:
 *
 *	queue: A, B			a reader takes the slot, and wakes A and B
 *	A runs: writes, writes again: full, joins
 *	B runs: full, joins		queue: A, B, as before
 */
static void join(struct wait_queue *queue, struct waiter *waiter)
{
	struct list *before = &queue->waiters;
	struct waiter *other;

	lockdep_held(&queue->lock);
	if (waiter->ticket == 0) {
		waiter->ticket = ++queue->tickets;
	} else {
		list_for_each(other, &queue->waiters, link) {
			if ((int)(other->ticket - waiter->ticket) > 0) {
				before = &other->link;
				break;
			}
		}
	}
	list_add_tail(before, &waiter->link);
}

void wait_add(struct wait_queue *queue, struct waiter *waiter)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);

	waiter->ticket = 0;
	join(queue, waiter);
	spin_unlock_irqrestore(&queue->lock, flags);
	memory_barrier(); /* the caller's check comes next; see wake_all() */
}

void wait_remove(struct wait_queue *queue, struct waiter *waiter)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);

	list_del(&waiter->link);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wait_prepare(struct wait_queue *queue, struct waiter *waiter, enum task_state state)
{
	struct task *task = current;
	unsigned int flags = spin_lock_irqsave(&queue->lock);

	waiter->task = task;
	if (list_empty(&waiter->link))
		join(queue, waiter);
	/*
	 * The state is set while the lock is held. If it were set after the unlock:
	 *
	 *	sleeper				waker
	 *	joins the queue, unlocks
	 *					sees RUNNING, so does not wake the sleeper,
	 *					but takes it off the queue
	 *	state = sleeping
	 *	checks: its condition is false
	 *	schedule(): sleeps for ever, because it is on no queue
	 *
	 * The exchange is also a full barrier. It keeps the caller's check from being done before
	 * other CPUs see the new state. Otherwise:
	 *
	 *	sleeper				waker
	 *	checks: no data
	 *					adds data, sees RUNNING, so does not wake
	 *	state = sleeping, schedule()
	 */
	(void)__atomic_exchange_n(&task->state, state, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wait_finish(struct wait_queue *queue, struct waiter *waiter)
{
	current->state = TASK_RUNNING;
	if (READ_ONCE(waiter->link.next) != &waiter->link)
		wait_remove(queue, waiter);
}

bool task_wake(struct task *task)
{
	/*
	 * Callers have changed a condition, not always under a lock that the sleeper takes. Without
	 * the barrier the look at the state may come before that store has left this CPU:
	 *
	 *	waker				sleeper (fs/file/poll.c)
	 *	woken = true (still on its way)
	 *	reads the state: RUNNING
	 *					state = sleeping, a full barrier
	 *					reads woken: false, sleeps for ever
	 *	the store arrives
	 */
	memory_barrier();
	return task->state != TASK_RUNNING && sched_wake(task);
}

/* Returns true if a waiter with a function has passed the event on. */
static bool wake_waiter(struct waiter *waiter, enum wake_reason reason)
{
	if (waiter->wake)
		return waiter->wake(waiter, reason);
	task_wake(waiter->task);
	return false;
}

/*
 * Take the waiter of a woken task off the queue, so that a second wakeup costs nothing if it comes
 * before the task has run. wait_finish() looks at `next` without the lock. Once `next` points to
 * the waiter itself, the task may return and reuse the stack on which the waiter lies. Therefore
 * `next` is written last.
 */
static void take_off(struct list *link)
{
	list_set_next(link->prev, link->next);
	link->next->prev = link->prev;
	link->prev = link;
	__atomic_store_n(&link->next, link, __ATOMIC_RELEASE);
}

void wake_all_slow(struct wait_queue *queue, enum wake_reason reason)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);
	struct waiter *waiter, *next;
	bool passed_on = false;

	list_for_each_safe(waiter, next, &queue->waiters, link) {
		if (waiter->exclusive && passed_on)
			continue;
		if (wake_waiter(waiter, reason) && reason != WAKE_STATE)
			passed_on = true;
		if (!waiter->wake)
			take_off(&waiter->link);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wake_one(struct wait_queue *queue)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);

	if (!list_empty(&queue->waiters))
		wake_waiter(list_first(&queue->waiters, struct waiter, link), WAKE_EVENT);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void mutex_init(struct mutex *mutex, const char *name)
{
	mutex->owner = NULL;
	wait_queue_init(&mutex->queue, name);
}

/*
 * While the owner runs on another CPU, it will probably release the mutex soon. Spinning for a
 * short time costs less than sleeping and being woken. The owner may exit meanwhile. A stale on_cpu
 * can then only end the loop or let it spin on, up to OWNER_SPINS.
 */
static bool spin_for_owner(struct mutex *mutex)
{
	if (nr_cpus == 1)
		return false;
	for (unsigned int i = 0; i < OWNER_SPINS; i++) {
		struct task *owner = mutex->owner;

		if (!owner && mutex_trylock(mutex))
			return true;
		if (owner && !owner->on_cpu)
			return false;
		cpu_relax();
	}
	return false;
}

/*
 * The sleeper joins the queue and tries once more. The owner releases the mutex first and looks at
 * the queue afterwards. In another order a wakeup could be lost:
 *
 *	sleeper				owner
 *	tries: taken
 *					releases, nobody is on the queue, wakes nobody
 *	joins the queue, sleeps for ever
 *
 * The try and the release are both locked instructions, so at least one of the two sees the other.
 */
static int lock_slow(struct mutex *mutex, enum task_state state)
{
	struct waiter waiter = { .link = LIST_INIT(waiter.link) };
	int error = 0;

	if (mutex_held(mutex))
		panic("mutex %s: taken twice by one task", mutex->queue.lock.name);
	if (spin_for_owner(mutex))
		return 0;
	for (;;) {
		wait_prepare(&mutex->queue, &waiter, state);
		if (mutex_trylock(mutex))
			break;
		if (wait_interrupted(state)) {
			error = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	wait_finish(&mutex->queue, &waiter);
	/* The owner may have woken this task to take the mutex. Pass that wakeup on. */
	if (error && !mutex->owner)
		wake_one(&mutex->queue);
	return error;
}

void mutex_lock_slow(struct mutex *mutex)
{
	(void)lock_slow(mutex, TASK_UNINTERRUPTIBLE);
}

int mutex_lock_killable_slow(struct mutex *mutex)
{
	return lock_slow(mutex, TASK_KILLABLE);
}

void mutex_bad_unlock(struct mutex *mutex)
{
	panic("mutex %s: released by a task that does not hold it", mutex->queue.lock.name);
}
