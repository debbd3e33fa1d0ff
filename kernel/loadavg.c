/*
 * The load average.
 *
 * 1. Every five seconds a timer counts the tasks that run or sleep uninterruptibly, and moves each
 *    average towards that count: average = average * e^(-5s/T) + count * (1 - e^(-5s/T)).
 * 2. Only the timer writes the averages; a reader sees each of them whole.
 */
#include "kernel/loadavg.h"
#include "kernel/init.h"
#include "kernel/task.h"

#define PERIOD_NS (5 * NSEC_PER_SEC)

/* e^(-5/60), e^(-5/300), e^(-5/900), times 2^LOAD_SHIFT. */
static const unsigned int decay[3] = { 60296, 64453, 65173 };
static volatile unsigned int averages[3];
static struct timer sampler;

static void count_process(struct process *process, struct task_counts *counts)
{
	struct task *task;

	list_for_each(task, &process->threads, thread_link) {
		counts->tasks++;
		counts->running += task->state == TASK_RUNNING;
		counts->blocked += task->state == TASK_UNINTERRUPTIBLE;
	}
}

void tasks_count(struct task_counts *counts)
{
	struct process *process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	*counts = (struct task_counts){ 0 };
	list_for_each(process, &all_processes, all_link) {
		count_process(process, counts);
		counts->last_pid = process->pid;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static void sample(struct timer *timer)
{
	struct task_counts counts;

	tasks_count(&counts);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t active = (uint64_t)(counts.running + counts.blocked) << LOAD_SHIFT;
		uint64_t sum =
			(uint64_t)averages[i] * decay[i] + active * ((1u << LOAD_SHIFT) - decay[i]);

		averages[i] = sum >> LOAD_SHIFT;
	}
	timer_start(timer, timer->expires + PERIOD_NS);
}

void load_averages(unsigned int loads[3])
{
	for (unsigned int i = 0; i < 3; i++)
		loads[i] = averages[i];
}

static void __init load_init(void)
{
	sampler.function = sample;
	timer_start(&sampler, time_now() + PERIOD_NS);
}
INITCALL(3, load_init);
