/*
 * The scheduler.
 *
 * 1. Every CPU has a queue of runnable tasks. The running task is not on its lists. The queue's
 *    lock (irqsave) guards the lists, and the fields of its tasks that kernel/task.h names.
 * 2. Urgent tasks (SCHED_FIFO and SCHED_RR) run before all others, the most urgent first.
 * 3. The other tasks take turns. A turn lasts SLICE_TICKS ticks or more. While others wait, time
 *    costs credit, up to TICK_COST for each tick. A task without credit waits until no task on the
 *    queue has any. Then a new round begins: every task gets its weight as many times as it takes
 *    until one of them has paid its debt. Over many rounds the time of each task is therefore
 *    proportional to its weight, and with equal weights they run round robin.
 * 4. A task that wakes with credit left runs before those that are in the middle of their turns. If
 *    an interrupt has woken it, it also interrupts an ordinary task that runs. So a task that
 *    mostly sleeps is served at once. It pays like any other, and when its credit is used up, it
 *    waits with the others. For the rounds that it has slept through, it gets its weight later.
 * 5. The lock is held during the switch of stacks, and the next task releases it. While another CPU
 *    holds the lock, every task of the queue therefore either runs or has left its CPU completely.
 * 6. A woken task goes to the CPU on which it ran last, or to an idle CPU if that one is busy. A
 *    CPU with nothing to do takes a waiting task from another CPU.
 * 7. A task runs only on the CPUs that it is allowed. But a task that holds kmap_local mappings
 *    stays on its CPU until it has given them back.
 */
#include "kernel/cpu/debug.h"
#include "kernel/cpu/ports.h"
#include "kernel/cpu/tsc.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/run_queue.h"
#include "kernel/task.h"
#include "mm/kmap.h"
#include "mm/pgtable.h"

static struct run_queue queues[MAX_CPUS];
static unsigned int cycles_shift; /* 1 << cycles_shift cycles of the TSC cost 1 */

void sched_init_cpu(struct cpu *cpu, struct task *idle)
{
	struct run_queue *queue = &queues[cpu->id];

	spin_init(&queue->lock, "run queue");
	list_init(&queue->first);
	list_init(&queue->tasks);
	list_init(&queue->spent);
	if (cycles_shift == 0)
		while (time_tick_cycles() >> cycles_shift > TICK_COST)
			cycles_shift++;
	cpu->queue = queue;
	cpu->idle = cpu->task = idle;
	idle->cpu = cpu;
	idle->last_run = read_tsc();
	idle->state = TASK_RUNNING;
	idle->on_queue = true;
	idle->on_cpu = true;
}

/* ---- which CPU ---- */

static inline bool is_allowed(const struct task *task, const struct cpu *cpu)
{
	return task->allowed & 1u << cpu->id;
}

static bool cpu_is_idle(const struct cpu *cpu)
{
	return cpu->online && cpu->task == cpu->idle && cpu->queue->waiting == 0;
}

/*
 * Look for a CPU that is idle or, for an urgent task, runs a less urgent one. No lock is held, so
 * it may run something else by now. A task that has ended leaves memory behind that can still be
 * read.
 */
static struct cpu *find_better(struct task *task)
{
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (is_allowed(task, &cpus[i]) && cpu_is_idle(&cpus[i]))
			return &cpus[i];
	for (unsigned int i = 0; i < nr_cpus && task->urgency; i++)
		if (is_allowed(task, &cpus[i]) && cpus[i].online &&
		    READ_ONCE(cpus[i].task)->urgency < task->urgency)
			return &cpus[i];
	return NULL;
}

static struct cpu *first_allowed(struct task *task)
{
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (is_allowed(task, &cpus[i]))
			return &cpus[i];
	return this_cpu();
}

static inline struct cpu *choose_cpu(struct task *task)
{
	struct cpu *last = task->cpu, *better;

	if (nr_cpus == 1 || task->kmap_depth || (cpu_is_idle(last) && is_allowed(task, last)))
		return last;
	better = find_better(task);
	if (better)
		return better;
	return is_allowed(task, last) ? last : first_allowed(task);
}

/* Make the CPU switch to the most urgent task of its queue soon. */
static inline void reschedule(struct cpu *cpu)
{
	cpu->need_resched = 1;
	if (cpu != this_cpu())
		smp_send_reschedule(cpu);
}

/* Does the task, which is placed on the CPU, interrupt the one that runs there? */
static inline bool interrupts(const struct cpu *cpu, const struct task *task, bool woken)
{
	const struct task *running = cpu->task;

	if (running == cpu->idle || task->urgency > running->urgency)
		return true;
	return woken && this_cpu()->irq_depth && !running->urgency && task_is_prompt(task);
}

/*
 * Put a runnable task (on_queue), which is on no list, on the queue of `cpu`. The caller holds that
 * queue's lock. place_on() releases it.
 */
static inline void place_on(struct cpu *cpu, struct task *task, bool woken, unsigned int flags)
{
	bool at_once = interrupts(cpu, task, woken);

	task->cpu = cpu;
	if (woken)
		queue_add_woken(cpu->queue, task);
	else
		queue_add(cpu->queue, task, false);
	spin_unlock_irqrestore(&cpu->queue->lock, flags);
	if (at_once)
		reschedule(cpu);
}

static void place(struct task *task, bool woken)
{
	struct cpu *cpu = choose_cpu(task);

	place_on(cpu, task, woken, spin_lock_irqsave(&cpu->queue->lock));
}

void sched_start(struct task *task)
{
	task->on_queue = true;
	task->state = TASK_RUNNING;
	place(task, false);
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
	if (asleep)
		queue_catch_up(queue, task);
	task->on_queue = true;
	if (asleep && choose_cpu(task) == task->cpu) {
		place_on(task->cpu, task, true, flags);
		return true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (asleep)
		place(task, true);
	return true;
}

/*
 * An ordinary task pays for its time up to now, if others wait. Cycles that are too few to cost
 * anything are paid with later ones. Otherwise two tasks that wake each other soon enough would run
 * for nothing, and others would wait for ever. More than a tick cannot have passed since the last
 * charge, unless the host stopped this CPU: the task does not pay for that.
 */
static inline void charge(struct task *task, uint64_t now, bool others_wait)
{
	uint64_t run = task->run_cycles + (now - task->last_run);
	uint32_t unpaid = run - task->paid_cycles;
	int cost = MIN(unpaid >> cycles_shift, TICK_COST);

	if (others_wait && !task->urgency)
		task->credit = MAX(task->credit - cost, -DEBT_MAX);
	task->paid_cycles = run - (unpaid & ((1u << cycles_shift) - 1));
}

static void load_task(struct cpu *cpu, struct task *prev, struct task *next, uint64_t now)
{
	prev->run_cycles += now - prev->last_run;
	next->last_run = now;
	if (prev->mm)
		fpu_save(prev);
	next->cpu = cpu;
	next->on_cpu = true;
	cpu->task = next;
	if (!next->mm)
		return;
	segments_set_stack(cpu, next);
	mm_switch(next->mm);
	segments_load_tls(next);
	debug_switch(cpu, next);
	tsc_switch(cpu, next);
	ports_switch(cpu, next);
	fpu_restore(next);
}

void sched_finish_switch(struct task *prev)
{
	struct cpu *cpu = this_cpu();
	bool dead = prev->state == TASK_DEAD, leaves = prev->leaves;

	prev->on_cpu = false;
	prev->leaves = false;
	spin_unlock(&cpu->queue->lock);
	if (leaves)
		place(prev, false);
	if (cpu->task->kmap_depth)
		kmap_switch_in(cpu->task);
	if (dead) {
		irq_enable();
		task_put(prev);
	}
}

/* Put the task whose turn is over back on a list, unless it sleeps. The queue's lock is held. */
static inline void end_turn(struct cpu *cpu, struct task *task)
{
	if (task->state != TASK_RUNNING) {
		task->on_queue = false;
		task->asleep_since = cpu->queue->rounds;
		return;
	}
	if (task == cpu->idle)
		return;
	if (unlikely(!is_allowed(task, cpu)) && task->kmap_depth == 0)
		task->leaves = true; /* sched_finish_switch() places it when it is off its stack */
	else
		queue_add(cpu->queue, task, task->slice != 0);
}

void schedule(void)
{
	unsigned int flags;
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = cpu->queue;
	struct task *prev = cpu->task, *next;
	uint64_t now;

	flags = irq_save();
	if (cpu->irq_depth)
		panic("schedule() in an interrupt");
	spin_lock(&queue->lock);
	cpu->need_resched = 0;
	now = read_tsc();
	charge(prev, now, queue->waiting > 0);
	end_turn(cpu, prev);
	next = queue_take(queue);
	if (!next)
		next = cpu->idle;
	next->slice = next->policy == SCHED_RR ? RR_TICKS : SLICE_TICKS;
	if (next != prev) {
		prev->switches[prev->on_queue]++;
		cpu->switches++;
		load_task(cpu, prev, next, now);
		sched_finish_switch(switch_context(prev, next));
	} else {
		spin_unlock(&queue->lock);
	}
	irq_restore(flags);
}

void sched_yield(void)
{
	current->slice = 0;
	current->credit = MIN(current->credit, -1);
	schedule();
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
	if (time_reached(deadline)) {
		current->state = TASK_RUNNING;
		return false;
	}
	timer_start(&wake.timer, deadline);
	schedule();
	timer_stop(&wake.timer);
	return !time_reached(deadline);
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
	if (task != cpu->idle && cpu->interrupted_user)
		cpu->user_cycles += cycles - task->told_cycles;
	else if (task != cpu->idle)
		cpu->system_cycles += cycles - task->told_cycles;
	task->told_cycles = cycles;
	if (unlikely(task->urgency)) {
		if (task->urgent_since != task->switches[0])
			task->urgent_ticks = 0;
		task->urgent_since = task->switches[0];
		task->urgent_ticks++;
	}
	/* Timers of CPU time are checked when the task returns to user mode. */
	if (task->process && READ_ONCE(task->process->measured))
		set_bits(&task->work, TASK_WORK_SIGNAL);
}

/* ---- the tick ---- */

unsigned int sched_runnable(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < nr_cpus; i++)
		if (cpus[i].online)
			nr += cpus[i].queue->waiting + (cpus[i].task != cpus[i].idle);
	return nr;
}

void sched_tick(void)
{
	struct cpu *cpu = this_cpu();
	struct task *task = cpu->task;

	account_tick(cpu);
	if (cpu->id == 0)
		load_tick();
	if (task == cpu->idle)
		return;
	/* It was placed here while its CPUs were being changed. */
	if (!is_allowed(task, cpu))
		cpu->need_resched = 1;
	/* As on Linux, only SCHED_RR shares its CPU with tasks that are as urgent. */
	charge(task, read_tsc(), cpu->queue->waiting > 0);
	if (cpu->queue->waiting == 0 || (task->urgency && task->policy != SCHED_RR))
		return;
	if (task->slice)
		task->slice--;
	if (task->slice == 0 && (task->urgency || task->credit < 0))
		cpu->need_resched = 1;
}

/* ---- what a program asks for ---- */

/* Each step makes a quarter more, or a fifth less. */
static int weight_of(const struct scheduling *wanted)
{
	int weight = WEIGHT_NICE_0;

	if (wanted->policy == SCHED_IDLE)
		return WEIGHT_IDLE;
	for (int i = 0; i > wanted->nice; i--)
		weight = weight * 5 / 4;
	for (int i = 0; i < wanted->nice; i++)
		weight = weight * 4 / 5;
	return weight;
}

/*
 * The task's queue is locked. Find the place that the task's urgency gives it, and unlock the
 * queue.
 */
static void settle(struct run_queue *queue, struct task *task, bool waits, unsigned int flags)
{
	struct cpu *cpu = task->cpu;

	task->urgency = MAX(task->own_urgency, task->inherited);
	if (waits)
		queue_add(queue, task, false);
	spin_unlock_irqrestore(&queue->lock, flags);
	/*
	 * The task may be more urgent than the one that runs, or run and be less urgent than
	 * another.
	 */
	reschedule(cpu);
}

/* Lock the task's queue, and take the task off its lists. Returns true if it was on one. */
static bool unsettle(struct run_queue **queue, struct task *task, unsigned int *flags)
{
	bool waits;

	*queue = lock_queue_of(task, flags);
	waits = task->on_queue && !list_empty(&task->run_link);
	if (waits)
		queue_remove(*queue, task);
	return waits;
}

void sched_set(struct task *task, const struct scheduling *wanted)
{
	struct run_queue *queue;
	unsigned int flags;
	bool waits = unsettle(&queue, task, &flags);

	task->policy = wanted->policy;
	task->nice = wanted->nice;
	task->own_urgency = wanted->urgency;
	task->weight = weight_of(wanted);
	settle(queue, task, waits, flags);
}

void sched_inherit(struct task *task, unsigned int urgency)
{
	struct run_queue *queue;
	unsigned int flags;
	bool waits = unsettle(&queue, task, &flags);

	task->inherited = urgency;
	settle(queue, task, waits, flags);
}

void sched_set_allowed(struct task *task, uint32_t allowed)
{
	unsigned int flags;
	struct run_queue *queue = lock_queue_of(task, &flags);
	struct cpu *cpu = task->cpu;
	bool moves;

	task->allowed = allowed;
	moves = task->on_queue && !list_empty(&task->run_link) && !task->kmap_depth &&
		!is_allowed(task, cpu);
	if (moves)
		queue_remove(queue, task);
	spin_unlock_irqrestore(&queue->lock, flags);
	/* A task that runs leaves its CPU when that CPU next switches. */
	if (moves)
		place(task, false);
	else if (!is_allowed(task, cpu))
		reschedule(cpu);
}

uint64_t sched_slice_ns(const struct task *task)
{
	if (task->policy == SCHED_FIFO)
		return 0;
	return (task->policy == SCHED_RR ? RR_TICKS : SLICE_TICKS) * TICK_NS;
}

/* ---- CPUs with nothing to do ---- */

static struct task *find_movable(struct list *list, struct cpu *thief)
{
	struct task *task;

	list_for_each(task, list, run_link)
		if (!task->kmap_depth && is_allowed(task, thief))
			return task;
	return NULL;
}

/* Take a waiting task from another CPU. Returns NULL if it has none. Interrupts are off. */
static struct task *steal_from(struct cpu *victim, struct cpu *thief)
{
	struct run_queue *queue = victim->queue;
	struct task *task;

	if (!victim->online || queue->waiting == 0)
		return NULL;
	spin_lock(&queue->lock);
	task = find_movable(&queue->first, thief);
	if (!task)
		task = find_movable(&queue->tasks, thief);
	if (!task)
		task = find_movable(&queue->spent, thief);
	if (task) {
		queue_remove(queue, task);
		task->cpu = thief;
	}
	spin_unlock(&queue->lock);
	return task;
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
	queue_add(cpu->queue, task, false);
	spin_unlock(&cpu->queue->lock);
	return true;
}

uint64_t sched_idle_cycles(struct cpu *cpu)
{
	unsigned int flags = spin_lock_irqsave(&cpu->queue->lock);
	const struct task *idle = cpu->idle;
	uint64_t cycles = idle->run_cycles, now = read_tsc();

	/* The counters of two CPUs may differ a little. */
	if (cpu->task == idle && now > idle->last_run)
		cycles += now - idle->last_run;
	spin_unlock_irqrestore(&cpu->queue->lock, flags);
	return cycles;
}

void sched_idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		irq_disable();
		if (!cpu->need_resched && cpu->queue->waiting == 0 && !steal_work(cpu)) {
			tick_arm(NSEC_PER_SEC);
			/*
			 * sti takes effect after the next instruction, so no interrupt comes
			 * between it and hlt.
			 */
			__asm__ volatile("sti; hlt" ::: "memory");
			if (!cpu->need_resched)
				continue;
			tick_arm(TICK_NS);
		}
		irq_enable();
		schedule();
	}
}
