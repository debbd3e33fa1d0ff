/*
 * Bodies with which the starter of the lab about sleep boots. A task that waits asks again and
 * again, and lets others run in between.
 */

static void join(struct wait_queue *queue, struct waiter *waiter)
{
	/* A stand-in: whoever comes last is woken last. Poll needs as much. */
	list_add_tail(&queue->waiters, &waiter->link);
}

void wait_prepare(struct wait_queue *queue, struct waiter *waiter, enum task_state state)
{
	/* A stand-in: the task stays runnable, so schedule() only lets others run. */
	waiter->task = current;
}

void wait_finish(struct wait_queue *queue, struct waiter *waiter)
{
	/* A stand-in: the waiter is on no queue. */
}

bool task_wake(struct task *task)
{
	/* A stand-in, which is almost right. */
	return sched_wake(task);
}

static bool wake_waiter(struct waiter *waiter, enum wake_reason reason)
{
	/* A stand-in: only poll, epoll and the pipe's arrival waiter are on queues. */
	return waiter->wake && waiter->wake(waiter, reason);
}

void wake_all_slow(struct wait_queue *queue, enum wake_reason reason)
{
	/* A stand-in: tells poll, and no sleeping task. */
	unsigned int flags = spin_lock_irqsave(&queue->lock);
	struct list *link;

	for (link = queue->waiters.next; link != &queue->waiters; link = link->next)
		wake_waiter(container_of(link, struct waiter, link), reason);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static int lock_slow(struct mutex *mutex, enum task_state state)
{
	/* A stand-in: asks until the mutex is free. */
	while (!mutex_trylock(mutex))
		schedule();
	return 0;
}
