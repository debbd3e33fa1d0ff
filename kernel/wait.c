/* Wait queues and mutexes, slow paths. The contracts stand in kernel/wait.h and kernel/mutex.h. */
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
	 * The state is set while the lock is held. After the unlock it would be too late:
	 *
	 *	sleeper				waker
	 *	joins the queue, unlocks
	 *					wakes: the state is RUNNING, so nothing happens,
	 *					and takes the sleeper off the queue
	 *	state = sleeping
	 *	reads: its own condition is false
	 *	schedule(), on no queue: sleeps for ever
	 *
	 * The exchange is a full barrier as well: the caller's check must not be done before the
	 * state is seen. Otherwise
	 *
	 *	sleeper				waker
	 *	reads: no data
	 *					adds data; the state is still RUNNING: nothing to wake
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

static void wake_waiter(struct waiter *waiter)
{
	if (waiter->wake)
		waiter->wake(waiter);
	else
		task_wake(waiter->task);
}

/*
 * The waiter of a task that runs leaves the queue, so that who wakes again before the task has come
 * to run finds nobody. The task may see that without the lock (wait_finish) and its stack be
 * something else at once: `next`, which it looks at, is the last that is touched.
 */
static void take_off(struct list *link)
{
	list_set_next(link->prev, link->next);
	link->next->prev = link->prev;
	link->prev = link;
	__atomic_store_n(&link->next, link, __ATOMIC_RELEASE);
}

void wake_all_slow(struct wait_queue *queue)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);
	struct waiter *waiter, *next;

	list_for_each_safe(waiter, next, &queue->waiters, link) {
		wake_waiter(waiter);
		if (!waiter->wake)
			take_off(&waiter->link);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

void wake_one(struct wait_queue *queue)
{
	unsigned int flags = spin_lock_irqsave(&queue->lock);

	if (!list_empty(&queue->waiters))
		wake_waiter(list_first(&queue->waiters, struct waiter, link));
	spin_unlock_irqrestore(&queue->lock, flags);
}

void mutex_init(struct mutex *mutex, const char *name)
{
	mutex->owner = NULL;
	mutex->contended = 0;
	wait_queue_init(&mutex->queue, name);
}

/*
 * The owner runs on another CPU, and a mutex is seldom held for long: to wait a little costs less
 * than to sleep and be woken. The owner may end meanwhile; what is read of it then is stale, and
 * only makes us stop.
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
 * `contended` is set after joining the queue and before the last try, and read after the mutex was
 * given back:
 *
 *	sleeper				owner
 *	tries: taken
 *					gives back, reads contended: 0, wakes nobody
 *	contended = 1, sleeps for ever
 *
 * The try is a locked instruction, and so is giving back: one of the two sees the other.
 */
static int lock_slow(struct mutex *mutex, enum task_state state)
{
	struct waiter waiter = { LIST_INIT(waiter.link), NULL, NULL, 0 };
	int error = 0;

	if (mutex_held(mutex))
		panic("mutex %s: taken twice by one task", mutex->queue.lock.name);
	if (spin_for_owner(mutex))
		return 0;
	for (;;) {
		wait_prepare(&mutex->queue, &waiter, state);
		mutex->contended = 1;
		if (mutex_trylock(mutex))
			break;
		if (state == TASK_KILLABLE && kill_pending()) {
			error = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	wait_finish(&mutex->queue, &waiter);
	/* The wakeup that a killed task got was meant for whoever takes the mutex: pass it on. */
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

void mutex_unlock_slow(struct mutex *mutex)
{
	unsigned int flags = spin_lock_irqsave(&mutex->queue.lock);

	if (list_empty(&mutex->queue.waiters))
		mutex->contended = 0;
	else
		wake_waiter(list_first(&mutex->queue.waiters, struct waiter, link));
	spin_unlock_irqrestore(&mutex->queue.lock, flags);
}

void mutex_bad_unlock(struct mutex *mutex)
{
	panic("mutex %s: given back by a task that does not hold it", mutex->queue.lock.name);
}
