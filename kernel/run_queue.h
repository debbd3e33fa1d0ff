/*
 * The run queue of a CPU: which of its tasks is next. Only kernel/sched.c uses it, which says how
 * turns and credit work.
 *
 * queue->lock (irqsave) guards the lists, and the fields of their tasks that kernel/task.h names.
 * All functions are called with it held, and never sleep.
 */
#ifndef KERNEL_RUN_QUEUE_H
#define KERNEL_RUN_QUEUE_H

#include "kernel/spinlock.h"
#include "kernel/task.h"

#define SLICE_TICKS 2
#define RR_TICKS    10	 /* the slice of SCHED_RR */
#define TICK_COST   8192 /* the credit that a tick costs at most */
#define DEBT_MAX    (1000 * TICK_COST)
#define CREDIT_MAX  (SLICE_TICKS * TICK_COST) /* what a task can have when it wakes */
#define WEIGHT_IDLE 3

struct run_queue {
	spinlock_t lock;
	unsigned int waiting; /* tasks on the three lists */
	struct list first;   /* the most urgent first, and then those that have woken with credit */
	struct list tasks;   /* with credit, in the order of their turns */
	struct list spent;   /* without credit, in the order in which it was used up */
	unsigned int rounds; /* how many have begun */
};

/*
 * Add an urgent task behind those that are as urgent, or in front of them if it was interrupted in
 * the middle of its turn.
 */
void queue_add_urgent(struct run_queue *queue, struct task *task, bool interrupted);
/*
 * No ordinary task of the queue has credit left. Give each its weight, as many times as it takes
 * until one has paid its debt. That one has less credit than its weight afterwards, and so have all
 * others.
 */
void queue_begin_round(struct run_queue *queue);

/* Add a task that has been interrupted in the middle of its turn, or whose turn is over. */
static inline void queue_add(struct run_queue *queue, struct task *task, bool interrupted)
{
	queue->waiting++;
	if (unlikely(task->urgency))
		queue_add_urgent(queue, task, interrupted);
	else if (task->credit < 0)
		list_add_tail(&queue->spent, &task->run_link);
	else if (interrupted)
		list_add(&queue->tasks, &task->run_link);
	else
		list_add_tail(&queue->tasks, &task->run_link);
}

/* Is the task one that is served at once when it wakes? */
static inline bool task_is_prompt(const struct task *task)
{
	return task->policy == SCHED_OTHER && !task->urgency && task->credit >= 0;
}

/* Add a task that has slept. */
static inline void queue_add_woken(struct run_queue *queue, struct task *task)
{
	if (!task_is_prompt(task)) {
		queue_add(queue, task, false);
		return;
	}
	queue->waiting++;
	list_add_tail(&queue->first, &task->run_link);
}

/* Take a task that waits off its list. */
static inline void queue_remove(struct run_queue *queue, struct task *task)
{
	list_del(&task->run_link);
	queue->waiting--;
}

//BOOK: catch-up
/*
 * Give a task that wakes its weight for each round that has begun while it slept. So the others
 * have not had their turns at its expense.
 */
static inline void queue_catch_up(const struct run_queue *queue, struct task *task)
{
	unsigned int missed = queue->rounds - task->asleep_since;
	int64_t credit;

	if (missed == 0)
		return;
	credit = task->credit + (int64_t)missed * task->weight;
	task->credit = MAX(task->credit, (int)MIN(credit, (int64_t)CREDIT_MAX));
}

/* Take the task that runs next off its list. Returns NULL if there is none. */
static inline struct task *queue_take(struct run_queue *queue)
{
	struct list *list = &queue->first;
	struct task *task;

	if (queue->waiting == 0)
		return NULL;
	if (list_empty(list)) {
		list = &queue->tasks;
		if (list_empty(list))
			queue_begin_round(queue);
	}
	task = list_first(list, struct task, run_link);
	queue_remove(queue, task);
	return task;
}

#endif
