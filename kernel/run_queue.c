/*
 * The longer functions of run queues. The contract is in kernel/run_queue.h.
 */
#include "kernel/run_queue.h"

void queue_add_urgent(struct run_queue *queue, struct task *task, bool interrupted)
{
	struct list *before = &queue->first;
	struct task *other;

	list_for_each(other, &queue->first, run_link) {
		if (other->urgency < task->urgency ||
		    (interrupted && other->urgency == task->urgency)) {
			before = &other->run_link;
			break;
		}
	}
	list_add_tail(before, &task->run_link);
}

//BOOK: new-round
void queue_begin_round(struct run_queue *queue)
{
	struct task *task, *next;
	int rounds = INT32_MAX;

	list_for_each(task, &queue->spent, run_link)
		rounds = MIN(rounds, (-task->credit + task->weight - 1) / task->weight);
	queue->rounds += rounds;
	list_for_each_safe(task, next, &queue->spent, run_link) {
		task->credit += rounds * task->weight;
		if (task->credit < 0)
			continue;
		list_del(&task->run_link);
		list_add_tail(&queue->tasks, &task->run_link);
	}
}
