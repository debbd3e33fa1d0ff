/*
 * A tracee that stops, while its tracer looks at it, lets it go on, or ends, and while it is
 * killed.
 */
#include "kernel/process/ptrace.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "shim.h"

static unsigned int
	rounds; /* written by the tracee alone. Nothing but its stops keeps the tracer's look apart. */
static unsigned int ended; /* atomic */

static void tracee_of_one(void)
{
	unsigned int flags;

	rounds = ended = 0;
	ex_add_thread(0, 0);
	ex_add_thread(1, 0);
	flags = spin_lock_irqsave(&tasks_lock);
	ptrace_link(&ex_tasks[0], &ex_tasks[1], false, 0);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* As a task that traps, over and over. */
static void trap(int nr)
{
	for (int i = 0; i < nr; i++) {
		WRITE_ONCE(rounds, rounds + 1);
		ptrace_handler_entered();
	}
	WRITE_ONCE(rounds, rounds + 1);
	WRITE_ONCE(ended, 1);
}

static bool has_stopped(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool stopped = ex_tasks[0].ptrace.stopped;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return stopped;
}

/* While the tracee is frozen, it does not run. */
static void look(struct task *task, bool go_on)
{
	unsigned int before = READ_ONCE(rounds);

	must(READ_ONCE(rounds) == before);
	ptrace_thaw(task, go_on, 0);
}

static void go_on(int nr)
{
	for (int i = 1; i <= nr; i++) {
		struct task *task;

		wait_event(&current->process->child_wait, has_stopped());
		task = ptrace_freeze(ex_tasks[0].tid);
		must(task == &ex_tasks[0]);
		must(READ_ONCE(rounds) == (unsigned int)i);
		look(task, true);
	}
}

static void look_once(int unused)
{
	struct task *task = ptrace_freeze(ex_tasks[0].tid);

	if (task)
		look(task, false);
}

static void end_tracer(int unused)
{
	ptrace_exit_tracer();
}

static void kill_tracee(int unused)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	ex_tasks[0].signals.set |= SIG_BIT(SIGKILL);
	signal_wake(&ex_tasks[0], true);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static void went_on(void)
{
	must(READ_ONCE(ended));
	must(!ex_tasks[0].ptrace.stopped && !ex_tasks[0].ptrace.frozen);
}

static void goes_free(void)
{
	went_on();
	must(!ex_tasks[0].ptrace.tracer && list_empty(&ex_tasks[1].tracees));
}

SCENARIO(ptrace_continue, "a tracee stops twice, and its tracer lets it go on", tracee_of_one,
	 went_on, { "tracee", trap, 2 }, { "tracer", go_on, 2 });

SCENARIO(ptrace_kill, "a tracee is killed while its tracer looks at it", tracee_of_one, went_on,
	 { "tracee", trap, 1 }, { "tracer", look_once, 0 }, { "killer", kill_tracee, 0 });

SCENARIO(ptrace_exit, "the tracer ends while its tracee stops", tracee_of_one, goes_free,
	 { "tracee", trap, 1 }, { "tracer", end_tracer, 0 });

SCENARIO(ptrace_kill_exit, "the tracee is killed while its tracer ends", tracee_of_one, goes_free,
	 { "tracee", trap, 1 }, { "tracer", end_tracer, 0 }, { "killer", kill_tracee, 0 });
