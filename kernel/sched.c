/*
 * The scheduler.
 *
 * 1. Every CPU has a queue of runnable tasks, and runs them round robin. A slice lasts SLICE_TICKS
 *    ticks. The running task is not on the list. The queue's lock (irqsave) guards the list, and
 *    `on_queue` and `cpu` of its tasks.
 * 2. The lock is held during the switch of stacks, and the next task releases it. While another CPU
 *    holds the lock, every task of the queue therefore either runs or has left its CPU completely.
 * 3. A woken task goes to the CPU on which it ran last, or to an idle CPU if that one is busy. A CPU
 *    with nothing to do takes a waiting task from another CPU.
 * 4. A task that holds kmap_local mappings stays on its CPU.
 */
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/task.h"
#include "mm/kmap.h"
#include "mm/pgtable.h"

#define SLICE_TICKS 2

struct run_queue {
	spinlock_t lock;
	struct list tasks;
};

static struct run_queue queues[MAX_CPUS];

void sched_init_cpu(struct cpu *cpu, struct task *idle)
{
	struct run_queue *queue = &queues[cpu->id];

	spin_init(&queue->lock, "run queue");
	list_init(&queue->tasks);
	cpu->queue = queue;
	cpu->idle = cpu->task = idle;
	idle->cpu = cpu;
	idle->state = TASK_RUNNING;
	idle->on_queue = true;
	idle->on_cpu = true;
}

static bool cpu_is_idle(const struct cpu *cpu)
{
	return cpu->online && cpu->task == cpu->idle && list_empty(&cpu->queue->tasks);
}

static inline struct cpu *choose_cpu(struct task *task)
{
	struct cpu *last = task->cpu ? task->cpu : this_cpu();

	if (nr_cpus == 1 || task->kmap_depth || cpu_is_idle(last))
		return last;
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (cpu_is_idle(&cpus[i]))
			return &cpus[i];
	return last;
}

/*
 * Put a runnable task (on_queue), which is on no list, on the queue of `cpu`. The caller holds that
 * queue's lock. place_on() releases it.
 */
static inline void place_on(struct cpu *cpu, struct task *task, unsigned int flags)
{
	bool idle = cpu->task == cpu->idle;

	task->cpu = cpu;
	list_add_tail(&cpu->queue->tasks, &task->run_link);
	if (idle)
		cpu->need_resched = 1;
	spin_unlock_irqrestore(&cpu->queue->lock, flags);
	if (idle && cpu != this_cpu())
		smp_send_reschedule(cpu);
}

static void place(struct task *task)
{
	struct cpu *cpu = choose_cpu(task);

	place_on(cpu, task, spin_lock_irqsave(&cpu->queue->lock));
}

void sched_start(struct task *task)
{
	task->slice = SLICE_TICKS;
	task->on_queue = true;
	task->state = TASK_RUNNING;
	place(task);
}

/* Lock the queue of the task's CPU. The task may move to another one while we wait for the lock. */
static struct run_queue *lock_queue_of(struct task *task, unsigned int *flags)
{
	for (;;) {
		struct cpu *cpu = READ_ONCE(task->cpu);

		*flags = spin_lock_irqsave(&cpu->queue->lock);
		if (task->cpu == cpu)
			return cpu->queue;
		spin_unlock_irqrestore(&cpu->queue->lock, *flags);
	}
}

bool sched_wake(struct task *task)
{
	unsigned int flags;
	struct run_queue *queue = lock_queue_of(task, &flags);
	bool asleep;

	if (task->state == TASK_RUNNING || task->state == TASK_DEAD) {
		spin_unlock_irqrestore(&queue->lock, flags);
		return false;
	}
	task->state = TASK_RUNNING;
	/* With on_queue, the task has set its state, but schedule() will find it runnable again. */
	asleep = !task->on_queue;
	task->on_queue = true;
	if (asleep && choose_cpu(task) == task->cpu) {
		place_on(task->cpu, task, flags);
		return true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (asleep)
		place(task);
	return true;
}

static void load_task(struct cpu *cpu, struct task *prev, struct task *next)
{
	uint64_t now = read_tsc();

	prev->run_cycles += now - prev->last_run;
	next->last_run = now;
	if (prev->mm)
		fpu_save(prev);
	next->cpu = cpu;
	next->on_cpu = true;
	cpu->task = next;
	if (!next->mm)
		return;
	segments_set_stack(cpu, (char *)next->stack + KERNEL_STACK_SIZE);
	mm_switch(next->mm);
	segments_load_tls(next);
	fpu_restore(next);
}

void sched_finish_switch(struct task *prev)
{
	struct cpu *cpu = this_cpu();
	bool dead = prev->state == TASK_DEAD;

	prev->on_cpu = false;
	spin_unlock(&cpu->queue->lock);
	if (cpu->task->kmap_depth)
		kmap_switch_in(cpu->task);
	if (dead) {
		irq_enable();
		task_put(prev);
	}
}

void schedule(void)
{
	unsigned int flags;
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = cpu->queue;
	struct task *prev = cpu->task, *next;

	flags = irq_save();
	if (cpu->irq_depth)
		panic("schedule() in an interrupt");
	spin_lock(&queue->lock);
	cpu->need_resched = 0;
	if (prev->state != TASK_RUNNING)
		prev->on_queue = false;
	else if (prev != cpu->idle)
		list_add_tail(&queue->tasks, &prev->run_link);
	next = cpu->idle;
	if (!list_empty(&queue->tasks)) {
		next = list_first(&queue->tasks, struct task, run_link);
		list_del(&next->run_link);
	}
	if (next != prev) {
		next->slice = SLICE_TICKS;
		load_task(cpu, prev, next);
		sched_finish_switch(switch_context(prev, next));
	} else {
		spin_unlock(&queue->lock);
	}
	irq_restore(flags);
}

struct deadline {
	struct timer timer;
	struct task *task;
};

static void deadline_passed(struct timer *timer)
{
	task_wake(container_of(timer, struct deadline, timer)->task);
}

bool schedule_until(uint64_t deadline)
{
	struct deadline wake = { .timer.function = deadline_passed, .task = current };

	if (deadline == UINT64_MAX) {
		schedule();
		return true;
	}
	if (time_now() >= deadline) {
		current->state = TASK_RUNNING;
		return false;
	}
	timer_start(&wake.timer, deadline);
	schedule();
	timer_stop(&wake.timer);
	return time_now() < deadline;
}

/*
 * The time that the task ran since a tick last found it is told apart by where this tick finds it.
 * Over many ticks that is fair, and neither part ever shrinks.
 */
static void account_tick(struct cpu *cpu)
{
	struct task *task = cpu->task;
	uint64_t cycles = task->run_cycles + (read_tsc() - task->last_run);

	if (!cpu->interrupted_user)
		task->system_cycles += cycles - task->told_cycles;
	task->told_cycles = cycles;
}

void sched_tick(void)
{
	struct cpu *cpu = this_cpu();

	account_tick(cpu);
	if (cpu->task == cpu->idle || list_empty(&cpu->queue->tasks))
		return;
	if (cpu->task->slice == 0 || --cpu->task->slice == 0)
		cpu->need_resched = 1;
}

/* Take a waiting task from another CPU. Returns NULL if it has none. Interrupts are off. */
static struct task *steal_from(struct cpu *victim, struct cpu *thief)
{
	struct task *task, *found = NULL;

	if (!victim->online || list_empty(&victim->queue->tasks))
		return NULL;
	spin_lock(&victim->queue->lock);
	list_for_each(task, &victim->queue->tasks, run_link) {
		if (task->kmap_depth)
			continue;
		list_del(&task->run_link);
		task->cpu = thief;
		found = task;
		break;
	}
	spin_unlock(&victim->queue->lock);
	return found;
}

static bool steal_work(struct cpu *cpu)
{
	struct task *task = NULL;

	for (unsigned int i = 0; i < nr_cpus && !task; i++)
		if (&cpus[i] != cpu)
			task = steal_from(&cpus[i], cpu);
	if (!task)
		return false;
	spin_lock(&cpu->queue->lock);
	list_add_tail(&cpu->queue->tasks, &task->run_link);
	spin_unlock(&cpu->queue->lock);
	return true;
}

void sched_idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		irq_disable();
		if (!cpu->need_resched && list_empty(&cpu->queue->tasks) && !steal_work(cpu)) {
			uint64_t start = time_now();

			tick_arm(NSEC_PER_SEC);
			/*
			 * sti takes effect after the next instruction, so no interrupt comes between
			 * it and hlt.
			 */
			__asm__ volatile("sti; hlt" ::: "memory");
			cpu->idle_ns += time_now() - start;
			if (!cpu->need_resched)
				continue;
			tick_arm(TICK_NS);
		}
		irq_enable();
		schedule();
	}
}
