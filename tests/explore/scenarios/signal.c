/*
 * Signals that are queued while threads wait for them, and timers that fire while they are deleted.
 */
#include "kernel/signals/posix_timer.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "shim.h"

#define SIGNO 40

static unsigned int taken, sum; /* by all threads; atomic */
static struct wait_queue nowhere;
static struct posix_timer *timer;

static void must_be_empty(void)
{
	struct process *process = current->process;

	must(process->signals.set == 0 && list_empty(&process->signals.queued));
	must(process->nr_queued == 0);
	ex_must_have_freed();
}

/* Every thread blocks the signal, except those whose bits are in `handlers`. */
static void threads(int nr, unsigned int handlers)
{
	taken = sum = 0;
	wait_queue_init(&nowhere, "nowhere");
	for (int i = 0; i < nr; i++)
		ex_add_thread(i, handlers & 1u << i ? 0 : SIG_BIT(SIGNO));
	signal_action_of(current->process, SIGNO)->handler = 0x1000;
}

static void two_threads(void)
{
	threads(2, 0);
}

static void one_handles(void)
{
	threads(2, 1u << 1);
}

static void send(int nr)
{
	struct signal_info info = { .code = -1 };
	struct process *process = current->process;
	unsigned int flags;

	for (int i = 1; i <= nr; i++) {
		info.value = i;
		flags = spin_lock_irqsave(&tasks_lock);
		must(signal_send_locked(process, NULL, SIGNO, &info) == 0);
		spin_unlock_irqrestore(&tasks_lock, flags);
	}
}

static void got(const struct signal_info *info)
{
	__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&sum, info->value, __ATOMIC_SEQ_CST);
}

static void wait_for_one(int unused)
{
	sigmask_t mask = SIG_BIT(SIGNO);
	struct signal_info info;
	long result;

	result = sys_rt_sigtimedwait(&mask, &info, NULL, sizeof(mask));
	must(result == SIGNO);
	got(&info);
}

/* As a thread that sleeps in a system call, and takes the signal on its way back. */
static void handle_one(int unused)
{
	struct signal_info info;
	unsigned int flags;
	int signo = 0;

	while (!signo) {
		must(wait_event_interruptible(&nowhere, false) == -ERESTARTSYS);
		flags = spin_lock_irqsave(&tasks_lock);
		signo = signal_dequeue(~current->blocked, &info);
		spin_unlock_irqrestore(&tasks_lock, flags);
	}
	/* The handler runs with the signal blocked, so another thread must take the next one. */
	signal_set_blocked(SIG_BIT(SIGNO));
	got(&info);
}

static void both_taken(void)
{
	must(taken == 2 && sum == 3);
	must_be_empty();
}

static void one_taken(void)
{
	must(taken == 1 && sum == 1);
	must_be_empty();
}

SCENARIO(signal_wait, "sigtimedwait and a sender", two_threads, one_taken,
	 { "waiter", wait_for_one, 0 }, { "sender", send, 1 });

SCENARIO(signal_wait_two, "two threads in sigtimedwait, and two signals", two_threads, both_taken,
	 { "waiter0", wait_for_one, 0 }, { "waiter1", wait_for_one, 0, TWIN },
	 { "sender", send, 2 });

SCENARIO(signal_wait_handle, "one thread in sigtimedwait, one that does not block, and two signals",
	 one_handles, both_taken, { "waiter", wait_for_one, 0 }, { "handler", handle_one, 0 },
	 { "sender", send, 2 });

/* ---- timers ---- */

static void with_timer(void)
{
	struct process *process = current->process;
	unsigned int flags;

	threads(2, 0);
	timer = timer_make(process);
	must(timer);
	timer->setting = 1;
	timer->interval = 1;
	timer->expires = 1;
	timer->entry->signo = SIGNO;
	timer->entry->info.value = 1;
	flags = spin_lock_irqsave(&interval_lock);
	list_add_tail(&process->timers, &timer->link);
	timer_arm(timer);
	spin_unlock_irqrestore(&interval_lock, flags);
}

static void tick_twice(int unused)
{
	ex_tick();
	ex_tick();
}

static void delete_it(int unused)
{
	unsigned int flags = spin_lock_irqsave(&interval_lock);

	timer_delete(timer);
	spin_unlock_irqrestore(&interval_lock, flags);
}

static void take_what_comes(int unused)
{
	struct signal_info info;

	for (int i = 0; i < 2; i++)
		if (signal_take(SIG_BIT(SIGNO), &info))
			got(&info);
}

/* What is still pending is no timer's any more, and is freed like any other signal. */
static void take_the_rest(void)
{
	struct signal_info info;

	must(list_empty(&current->process->timers));
	while (signal_take(SIG_BIT(SIGNO), &info))
		got(&info);
	must(taken <= 2);
	must(current->process->signals.set == 0 && current->process->nr_queued == 0);
}

SCENARIO(timer_delete, "a timer that fires while it is deleted, and its signal is taken",
	 with_timer, take_the_rest, { "taker", take_what_comes, 0 }, { "deleter", delete_it, 0 },
	 { "tick", tick_twice, 0 });
