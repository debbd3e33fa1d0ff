/*
 * Delivering signals on the way back to user mode.
 *
 * 1. signal_deliver() runs without locks and with interrupts on. It works on the frame that the
 *    return to user mode will load.
 * 2. A call that was interrupted by a signal has left -ERESTART* in eax. To restart it, eip goes
 *    back over the `int` instruction (two bytes), with the original number in eax. The call fails
 *    with EINTR instead if a handler runs that did not ask for restarts.
 * 3. The old signal mask is restored after sigsuspend or ppoll. If a handler runs, its frame has
 *    the old mask and restores it when the handler returns. Otherwise this is done at once.
 */
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/signals/signal.h"
#include "kernel/signals/timers.h"
#include "mm/vm/vm.h"
#include "mm/vm/uaccess.h"

#define SYSCALL_BYTES	   2 /* int $0x80 */
#define NR_RESTART_SYSCALL 0
#define NOT_A_SYSCALL	   0xffffffffu

/*
 * Restart the interrupted call, if any, or let it fail. `action` is that of the handler that runs,
 * or NULL.
 */
static void restart_call(struct trap_frame *frame, const struct signal_action *action)
{
	int error = -(int)frame->eax;
	bool again = error == ERESTARTNOINTR || !action;

	if (frame->vector != VECTOR_SYSCALL || frame->error == NOT_A_SYSCALL)
		return;
	if (error == ERESTARTSYS && action)
		again = action->flags & SA_RESTART;
	if (error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK) {
		frame->eax = !again			      ? -EINTR
			     : error == ERESTART_RESTARTBLOCK ? NR_RESTART_SYSCALL
							      : frame->error;
		frame->eip -= again ? SYSCALL_BYTES : 0;
	}
	frame->error = NOT_A_SYSCALL;
}

/* ---- stopping. tasks_lock is held, and released while the task sleeps. ---- */

/*
 * A task that continues or kills this one changes `stopped` or `set` under the lock, and then looks
 * at the state. The state is set under the lock, too, so no wakeup is lost between the unlock and
 * schedule().
 */
static unsigned int stop_here(unsigned int flags)
{
	current->state = TASK_STOPPED;
	spin_unlock_irqrestore(&tasks_lock, flags);
	schedule();
	return spin_lock_irqsave(&tasks_lock);
}

static void begin_stop(struct process *process, int signo)
{
	struct task *task;

	if (signo != SIGSTOP && process_group_orphaned(process->pgid, NULL))
		return;
	/* SIGCONT has come while a tracer looked at the signal. */
	if (current->ptrace.tracer && current->ptrace.continued)
		return;
	process->stopped = true;
	process->stop_reported = false;
	process->continued = false;
	process->stop_signal = signo;
	list_for_each(task, &process->threads, thread_link) {
		task->ptrace.passes = false;
		if (task == current)
			continue;
		ptrace_tell_group(task);
		signal_wake(task, false);
	}
	/* A parent that traces it is told when it stops. */
	if (!current->ptrace.tracer || current->ptrace.tracer->process != process->parent)
		process_notify_parent(process, SIGCHLD, CLD_STOPPED, signo);
}

/* Perform the default action of a signal, which has been taken. tasks_lock is held. */
static void default_action(struct process *process, int signo, unsigned int *flags)
{
	if (process == init_process && !(SIG_BIT(signo) & BITS_FAULT))
		return;
	if (SIG_BIT(signo) & BITS_STOP) {
		begin_stop(process, signo);
		return;
	}
	spin_unlock_irqrestore(&tasks_lock, *flags);
	process_exit(signo);
}

/* Stop or end, if the process has been told to. tasks_lock is held. */
static void obey(struct process *process, unsigned int *flags)
{
	for (;;) {
		if (current->signals.set & SIG_BIT(SIGKILL)) {
			spin_unlock_irqrestore(&tasks_lock, *flags);
			process_exit(SIGKILL);
		}
		if (ptrace_trap(flags))
			continue;
		if (!process->stopped || current->ptrace.passes)
			return;
		*flags = stop_here(*flags);
	}
}

/*
 * Take the next signal that has a handler, and perform the default actions of signals before it.
 * Returns the signal's number, or 0 if there is none.
 */
static int next_handler(struct signal_info *info, struct signal_action *action)
{
	struct task *task = current;
	struct process *process = task->process;
	struct signal_info taken_info;
	bool handled = false;
	unsigned int flags;
	int signo, taken;

	do {
		flags = spin_lock_irqsave(&tasks_lock);
		obey(process, &flags);
		taken = signo = signal_dequeue(~task->blocked, info);
		taken_info = *info;
		if (signo)
			signo = ptrace_signal(signo, info, &flags);
		if (signo && !signal_action_ignores(process, signo)) {
			*action = *signal_action_of(process, signo);
			handled = action->handler != SIG_DFL;
			if (!handled)
				default_action(process, signo, &flags);
			else if (action->flags & SA_RESETHAND)
				signal_action_of(process, signo)->handler = SIG_DFL;
		}
		spin_unlock_irqrestore(&tasks_lock, flags);
		timers_signal_taken(taken, &taken_info);
	} while (taken && !handled);
	return signo;
}

/*
 * Enter the handler. If the frame does not fit on the stack, send SIGSEGV. If the signal was
 * SIGSEGV itself, end the process.
 */
static void enter_handler(struct trap_frame *frame, int signo, const struct signal_info *info,
			  const struct signal_action *action)
{
	struct task *task = current;
	sigmask_t old = task->restore_blocked ? task->saved_blocked : task->blocked;
	sigmask_t mask = task->blocked | action->mask;
	bool stepping = task->work & TASK_WORK_STEP;

	restart_call(frame, action);
	/* The handler's frame is to have the program's own trap flag. */
	if (stepping)
		ptrace_step(task, false);
	if (signal_frame_push(frame, signo, info, action, old) < 0) {
		if (signo == SIGSEGV)
			process_exit(SIGSEGV);
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	task->restore_blocked = false;
	if (!(action->flags & SA_NODEFER))
		mask |= SIG_BIT(signo);
	signal_set_blocked(mask);
	if (stepping)
		ptrace_handler_entered();
}

//BOOK: signal-deliver
void signal_deliver(struct trap_frame *frame)
{
	struct task *task = current;
	struct signal_info info;
	struct signal_action action;
	int signo;

	/*
	 * Clear the bit before checking. A signal that is sent later sets it again, and we come
	 * back.
	 */
	clear_bits(&task->work, TASK_WORK_SIGNAL);
	if (task->set_child_tid) {
		put_user_u32(task->tid, task->set_child_tid);
		task->set_child_tid = NULL;
	}
	timers_check_cpu();
	while ((signo = next_handler(&info, &action)) != 0)
		enter_handler(frame, signo, &info, &action);
	restart_call(frame, NULL);
	if (task->restore_blocked) {
		task->restore_blocked = false;
		signal_set_blocked(task->saved_blocked);
	}
}
