/*
 * Signals: sending, stopping and continuing.
 *
 * 1. A signal that is not handled at once is pending in the queue of a task or of a process
 *    (queue.c).
 * 2. tasks_lock guards the pending and blocked signals and the stopped state of all processes. A
 *    sender needs it anyway, because it looks at the threads of the target.
 * 3. A signal to a process wakes one thread that does not block it. The thread that takes it out of
 *    the queue handles it. Other threads that have seen it, too, restart their calls.
 * 4. A signal that is certain to end the process kills all its threads at once. Each gets SIGKILL
 *    (see signal_kill_locked), so that none goes on sleeping in a killable wait.
 * 5. A process counts as stopped as soon as its first thread stops. The others stop before they
 *    return to user mode.
 * 6. The first process (init) gets only signals for which it has handlers, and those of its own
 *    faults.
 */
#include "kernel/signals/signal.h"
#include "kernel/process/usage.h"
#include "kernel/cpu/irq.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "lib/div64.h"

/* ---- choosing and waking a thread ---- */

bool signal_action_ignores(const struct process *process, int signo)
{
	uint32_t handler = signal_action_of(process, signo)->handler;

	return handler == SIG_IGN || (handler == SIG_DFL && (BITS_IGNORED & SIG_BIT(signo)));
}

/*
 * Returns true if the signal is dropped. A blocked signal is kept, because its action may change
 * before it is unblocked.
 */
static bool discards(const struct process *process, const struct task *task, int signo,
		     const struct signal_info *info)
{
	if (task->blocked & SIG_BIT(signo))
		return false;
	if (task->ptrace.tracer && signo != SIGKILL) /* the tracer wants to see it */
		return false;
	if (process == init_process && signal_action_of(process, signo)->handler == SIG_DFL)
		return signo != SIGKILL || info;
	return signal_action_ignores(process, signo);
}

/*
 * No signal is lost when the target is about to sleep:
 *
 *	sleeper					sender
 *	state = INTERRUPTIBLE			pending |= signal
 *	full barrier (wait_prepare)		full barrier (set_bits)
 *	signal_pending()? no: sleeps		state is INTERRUPTIBLE? no: no wakeup
 *
 * Without the two barriers each side could miss the other's store. If the task runs in user mode on
 * another CPU, that CPU is interrupted.
 */
void signal_wake(struct task *task, bool kill)
{
	enum task_state state;

	set_bits(&task->work, TASK_WORK_SIGNAL);
	state = task->state;
	if (state == TASK_INTERRUPTIBLE ||
	    (kill && (state == TASK_KILLABLE || state == TASK_STOPPED ||
		      (state == TASK_TRACED && !task->ptrace.frozen))))
		task_wake(task);
	else if (task->on_cpu && task->cpu != this_cpu())
		smp_send_reschedule(task->cpu);
}

static bool wants(const struct process *process, const struct task *task, int signo)
{
	return (!process->stopped || task->ptrace.passes) &&
	       !(task->blocked & ~task->awaited & SIG_BIT(signo));
}

static struct task *choose_thread(struct process *process, int signo)
{
	struct task *task;

	if (current->process == process && !list_empty(&current->thread_link) &&
	    wants(process, current, signo))
		return current;
	list_for_each(task, &process->threads, thread_link)
		if (wants(process, task, signo))
			return task;
	return NULL;
}

void signal_retarget_locked(struct process *process)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &process->threads, thread_link)
		if (process->signals.set & ~(task->blocked & ~task->awaited))
			signal_wake(task, false);
}

void signal_kill_threads_locked(struct process *process, struct task *except)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &process->threads, thread_link) {
		if (task == except)
			continue;
		task->signals.set |= SIG_BIT(SIGKILL);
		signal_wake(task, true);
	}
}

void signal_kill_locked(struct process *process, int status)
{
	if (process->exiting) {
		/* A thread may have stopped for its tracer on its way out. */
		signal_kill_threads_locked(process, NULL);
		return;
	}
	process->exiting = true;
	process->exit_status = status;
	process->stopped = false;
	signal_kill_threads_locked(process, NULL);
}

/* ---- sending ---- */

/* SIGCONT removes pending stop signals, and a stop signal removes a pending SIGCONT. */
static void stop_or_continue(struct process *process, int signo)
{
	struct task *task;

	if (SIG_BIT(signo) & BITS_STOP)
		signal_forget(process, SIG_BIT(SIGCONT));
	if (signo != SIGCONT)
		return;
	signal_forget(process, BITS_STOP);
	list_for_each(task, &process->threads, thread_link)
		task->ptrace.continued = true;
	if (!process->stopped)
		return;
	process->stopped = false;
	process->continued = true;
	list_for_each(task, &process->threads, thread_link) {
		task->ptrace.passes = false;
		ptrace_tell_group(task);
		if (task->state == TASK_STOPPED)
			task_wake(task);
	}
	signal_retarget_locked(process);
	process_notify_parent(process, SIGCHLD, CLD_CONTINUED, SIGCONT);
}

static bool ends_process(const struct process *process, int signo)
{
	return signo == SIGKILL ||
	       (signal_action_of(process, signo)->handler == SIG_DFL && process != init_process &&
		!(SIG_BIT(signo) & (BITS_IGNORED | BITS_STOP)));
}

/* The thread that will take the signal, or NULL if all block it or the process is stopped. */
static struct task *taker_of(struct process *process, struct task *task, int signo)
{
	if (!task)
		return choose_thread(process, signo);
	return wants(process, task, signo) ? task : NULL;
}

bool signal_begin_send(struct process *process, struct task *task, int signo,
		       const struct signal_info *info)
{
	struct task *taker;

	lockdep_held(&tasks_lock);
	if (process->nr_threads == 0)
		return false;
	stop_or_continue(process, signo);
	if (discards(process, task ? task : process_leader(process), signo, info))
		return false;
	taker = taker_of(process, task, signo);
	/* A thread that only awaits the signal takes it, whatever the action is. */
	if (signo != SIGKILL && !(taker && !(taker->blocked & SIG_BIT(signo)) &&
				  !taker->ptrace.tracer && ends_process(process, signo)))
		return true;
	signal_kill_locked(process, signo);
	return false;
}

void signal_end_send(struct process *process, struct task *task, int signo)
{
	struct task *taker = taker_of(process, task, signo);

	if (taker)
		signal_wake(taker, false);
}

int signal_send_locked(struct process *process, struct task *task, int signo,
		       const struct signal_info *info)
{
	struct signal_queue *queue = task ? &task->signals : &process->signals;
	int error;

	lockdep_held(&tasks_lock);
	if (!signal_begin_send(process, task, signo, info))
		return 0;
	error = signal_queue_add(process, queue, signo, info);
	if (error == 0)
		signal_end_send(process, task, signo);
	return error;
}

void signal_send_process(struct process *process, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	signal_send_locked(process, NULL, signo, info);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void signal_send_task(struct task *task, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	signal_send_locked(task->process, task, signo, info);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void signal_send_group(unsigned int pgid, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == pgid)
			signal_send_locked(process, NULL, signo, info);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void signal_send_self(int signo)
{
	struct process *process = current->process;
	struct signal_info info = { .code = SI_USER,
				    .pid = process->pid,
				    .uid = process->cred.uid };

	signal_send_task(current, signo, &info);
}

/* A fault cannot be ignored or blocked, because the instruction would only fault again. */
void signal_force(int signo, int code, uint32_t address)
{
	struct signal_info info = { .code = code, .address = address };
	struct task *task = current;
	struct process *process = task->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct signal_action *action = signal_action_of(process, signo);

	if (action->handler == SIG_IGN || (task->blocked & SIG_BIT(signo))) {
		*action = (struct signal_action){ .handler = SIG_DFL };
		task->blocked &= ~SIG_BIT(signo);
	}
	(void)signal_queue_add(process, &task->signals, signo, &info);
	set_bits(&task->work, TASK_WORK_SIGNAL);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* ---- telling the parent ---- */

int process_exit_signal(const struct process *child)
{
	lockdep_held(&tasks_lock);
	/* The parent's new program has not chosen the signal. */
	if (child->parent && child->parent_execs != child->parent->execs)
		return SIGCHLD;
	return child->exit_signal <= NR_SIGNALS ? child->exit_signal : 0;
}

void process_notify_parent(struct process *child, int signo, int code, int value)
{
	struct process *parent = child->parent;
	struct usage time = process_usage(child);
	struct signal_info info = {
		.code = code,
		.pid = child->pid,
		.uid = child->cred.uid,
		.value = value,
		.user = div_u64(time.user, TICK_NS, NULL),
		.system = div_u64(time.system, TICK_NS, NULL),
	};
	bool stop_or_go = code == CLD_STOPPED || code == CLD_CONTINUED;
	const struct signal_action *action;
	bool unwanted;

	lockdep_held(&tasks_lock);
	if (!parent)
		return;
	/* A parent that ignores SIGCHLD does not get it later either, if it blocks it now. */
	action = signal_action_of(parent, SIGCHLD);
	unwanted = signo == SIGCHLD &&
		   (action->handler == SIG_IGN || (stop_or_go && action->flags & SA_NOCLDSTOP));
	if (signo && !unwanted)
		signal_send_locked(parent, NULL, signo, &info);
	wake_all(&parent->child_wait);
}

/* ---- the current task ---- */

void signal_set_blocked(sigmask_t mask)
{
	struct task *task = current;
	struct process *process = task->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	task->blocked = mask & ~BITS_UNBLOCKABLE;
	task->awaited = 0;
	if ((task->signals.set | process->signals.set) & ~task->blocked)
		set_bits(&task->work, TASK_WORK_SIGNAL);
	/* Another thread must handle the process's signals that this one blocks now. */
	if (process->signals.set & task->blocked)
		signal_retarget_locked(process);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void signal_set_awaited(sigmask_t mask)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	current->awaited = mask & ~BITS_UNBLOCKABLE;
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void signal_set_blocked_temporarily(sigmask_t mask)
{
	struct task *task = current;

	task->saved_blocked = task->blocked;
	task->restore_blocked = true;
	signal_set_blocked(mask);
	set_bits(&task->work, TASK_WORK_SIGNAL);
}
