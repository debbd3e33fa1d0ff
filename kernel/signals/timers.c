/*
 * POSIX timers: firing, repeating and deleting them. See kernel/signals/timers.h for the rules, and
 * timer_calls.c for the system calls.
 */
#include "kernel/signals/posix_timer.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "mm/slab.h"

SLAB_CACHE(timer_cache, "posix_timer", struct posix_timer, 0);
spinlock_t interval_lock = SPINLOCK_INIT("interval timers");

uint64_t timer_advance(uint64_t *expires, uint64_t interval, uint64_t now)
{
	uint64_t count = now >= *expires ? (now - *expires) / interval + 1 : 1, step;

	if (__builtin_mul_overflow(count, interval, &step) ||
	    __builtin_add_overflow(*expires, step, expires))
		*expires = UINT64_MAX;
	return count;
}

struct posix_timer *timer_find(const struct process *process, int id)
{
	struct posix_timer *timer;

	lockdep_held(&interval_lock);
	list_for_each(timer, &process->timers, link)
		if (timer->id == id)
			return timer;
	return NULL;
}

/* ---- firing. tasks_lock is held. ---- */

static struct task *thread_of(struct process *process, unsigned int tid)
{
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (task->tid == tid)
			return task;
	return NULL;
}

/* The timer is due. Returns false if its signal was dropped. */
static bool fire(struct posix_timer *timer)
{
	struct process *process = timer->process;
	struct queued_signal *entry = timer->entry;
	struct task *task = timer->tid ? thread_of(process, timer->tid) : NULL;
	int signo = entry->signo;

	lockdep_held(&tasks_lock);
	if (timer->tid && !task)
		return false;
	entry->info.setting = timer->setting;
	if (!list_empty(&entry->link)) {
		/*
		 * The signal of an earlier setting is still pending. It stands for this one, too.
		 */
		entry->info.overrun++;
		return true;
	}
	entry->info.overrun = 0;
	if (!signal_begin_send(process, task, signo, &entry->info))
		return false;
	signal_queue_entry(process, task ? &task->signals : &process->signals, entry);
	signal_end_send(process, task, signo);
	return true;
}

/* Returns the deadline at which a timer that measures no CPU time is due. */
static uint64_t deadline_of(const struct posix_timer *timer)
{
	return timer->wall ? clock_deadline(timer->clock, timer->expires) : timer->expires;
}

/* Runs in the timer interrupt. */
static void timer_fires(struct timer *base)
{
	struct posix_timer *timer = container_of(base, struct posix_timer, base);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool sent = fire(timer);

	timer->armed = false;
	if (!sent && timer->interval) {
		(void)timer_advance(&timer->expires, timer->interval, timer_now(timer) + TICK_NS);
		timer->armed = true;
		timer_repeat(base, deadline_of(timer));
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* ---- arming. interval_lock is held. ---- */

void timer_arm(struct posix_timer *timer)
{
	unsigned int flags;

	lockdep_held(&interval_lock);
	flags = spin_lock_irqsave(&tasks_lock);
	timer->armed = true;
	if (clock_is_cpu(timer->clock)) {
		timer->process->measured = true;
		/* It may be due already. */
		set_bits(&current->work, TASK_WORK_SIGNAL);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	timer->base.function = timer_fires;
	if (!clock_is_cpu(timer->clock) && timer->notify != SIGEV_NONE)
		timer_start(&timer->base, deadline_of(timer));
}

void timer_disarm(struct posix_timer *timer)
{
	unsigned int flags;

	lockdep_held(&interval_lock);
	(void)timer_stop(&timer->base);
	flags = spin_lock_irqsave(&tasks_lock);
	timer->armed = false;
	spin_unlock_irqrestore(&tasks_lock, flags);
}

uint64_t timer_now(const struct posix_timer *timer)
{
	uint64_t now;

	if (!timer->wall && !clock_is_cpu(timer->clock))
		return time_now();
	/* The clock of a thread that has ended stands still. */
	return clock_read(timer->clock, &now) < 0 ? 0 : now;
}

/* ---- repeating ---- */

static int clamp_overrun(uint64_t overrun)
{
	return MIN(overrun, (uint64_t)INT32_MAX);
}

/* The signal of a timer has been taken. interval_lock is held. */
//BOOK: timer-taken
static void taken(struct posix_timer *timer, struct signal_info *info)
{
	uint64_t overrun = info->overrun;

	if (timer->setting == info->setting && timer->interval && !timer->armed) {
		overrun += timer_advance(&timer->expires, timer->interval, timer_now(timer)) - 1;
		timer_arm(timer);
	}
	timer->overrun = info->overrun = clamp_overrun(overrun);
}

void timers_signal_taken(int signo, struct signal_info *info)
{
	struct process *process = current->process;
	struct posix_timer *timer;
	unsigned int flags;

	if (signo == 0 || (signo != SIGALRM && !info->setting))
		return;
	flags = spin_lock_irqsave(&interval_lock);
	if (signo == SIGALRM)
		alarm_taken(process);
	timer = info->setting ? timer_find(process, info->timer_id) : NULL;
	if (timer)
		taken(timer, info);
	spin_unlock_irqrestore(&interval_lock, flags);
}

/* ---- CPU time ---- */

/*
 * Fire the timer of CPU time if it is due. Returns true if it is armed afterwards. Both locks are
 * held. The clock is read without tasks_lock, so the caller has done that.
 */
static bool check_cpu(struct posix_timer *timer, uint64_t now)
{
	if (!timer->armed || now < timer->expires)
		return timer->armed;
	timer->armed = false;
	if (timer->notify != SIGEV_NONE && !fire(timer) && timer->interval) {
		(void)timer_advance(&timer->expires, timer->interval, now);
		timer->armed = true;
	}
	return timer->armed;
}

void timers_check_cpu(void)
{
	struct process *process = current->process;
	struct posix_timer *timer;
	unsigned int flags, inner;
	bool armed = false;

	if (!READ_ONCE(process->measured))
		return;
	flags = spin_lock_irqsave(&interval_lock);
	list_for_each(timer, &process->timers, link) {
		uint64_t now;

		if (!clock_is_cpu(timer->clock) || !timer->armed)
			continue;
		now = timer_now(timer);
		inner = spin_lock_irqsave(&tasks_lock);
		armed = check_cpu(timer, now) || armed;
		spin_unlock_irqrestore(&tasks_lock, inner);
	}
	inner = spin_lock_irqsave(&tasks_lock);
	armed = alarms_check_cpu(process) || armed;
	armed = limits_check_time() || armed;
	WRITE_ONCE(process->measured, armed);
	spin_unlock_irqrestore(&tasks_lock, inner);
	spin_unlock_irqrestore(&interval_lock, flags);
}

/* ---- making and deleting ---- */

struct posix_timer *timer_make(struct process *process)
{
	struct posix_timer *timer = slab_alloc(timer_cache, ALLOC_ZERO);
	unsigned int flags;

	if (!timer)
		return NULL;
	flags = spin_lock_irqsave(&tasks_lock);
	timer->entry = signal_entry_alloc(process);
	if (timer->entry)
		timer->entry->kept = true;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (!timer->entry) {
		slab_free(timer_cache, timer);
		return NULL;
	}
	timer->process = process;
	list_init(&timer->link);
	return timer;
}

/*
 * timer_disarm() returns when the timer does not fire on another CPU any more:
 *
 *	timer_delete				tick
 *						timer_lock
 *	timer_stop: spins for timer_lock	fires: tasks_lock, queues the entry
 *						releases both
 *	takes it: the timer is not armed
 *	frees the timer
 *
 * The entry may be queued then. It lives on until the signal is taken, which finds no timer with
 * that number.
 */
void timer_delete(struct posix_timer *timer)
{
	unsigned int flags;

	timer_disarm(timer);
	flags = spin_lock_irqsave(&tasks_lock);
	signal_entry_drop(timer->process, timer->entry);
	spin_unlock_irqrestore(&tasks_lock, flags);
	list_del(&timer->link);
	slab_free(timer_cache, timer);
}

static void delete_all(struct process *process)
{
	lockdep_held(&interval_lock);
	while (!list_empty(&process->timers))
		timer_delete(list_first(&process->timers, struct posix_timer, link));
	process->next_timer_id = 0;
}

void timers_end_program(void)
{
	unsigned int flags = spin_lock_irqsave(&interval_lock);

	delete_all(current->process);
	spin_unlock_irqrestore(&interval_lock, flags);
}

void timers_end_process(void)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&interval_lock);

	(void)timer_stop(&process->alarm);
	process->alarm_interval = 0;
	delete_all(process);
	spin_unlock_irqrestore(&interval_lock, flags);
}
