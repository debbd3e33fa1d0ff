/*
 * Tracees: where and how they stop, and how they go on. See kernel/process/ptrace.h for the
 * contract.
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"

#define SYSTEM_CALL_NONE 0xffffffffu /* trap_frame.error: no call, or one to be left out */

static bool killed(const struct task *task)
{
	return task->signals.set & SIG_BIT(SIGKILL);
}

/* ---- who traces whom ---- */

void ptrace_link(struct task *task, struct task *tracer, bool seized, unsigned int options)
{
	const struct credentials *cred = &tracer->process->cred;

	lockdep_held(&tasks_lock);
	assert(!task->ptrace.tracer);
	task->ptrace = (struct ptrace){
		.tracer = tracer,
		.seized = seized,
		.options = options,
		.privileged = cred->effective & CAP_BIT(CAP_SYS_PTRACE),
	};
	list_add_tail(&tracer->tracees, &task->ptrace.link);
}

void ptrace_step(struct task *task, bool on)
{
	struct trap_frame *frame = task_frame(task);
	struct ptrace *ptrace = &task->ptrace;

	if (on) {
		/* A program that has set the flag itself keeps it. */
		ptrace->stepping |= !(frame->eflags & EFLAGS_TF);
		frame->eflags |= EFLAGS_TF;
		set_bits(&task->work, TASK_WORK_STEP);
		return;
	}
	if (ptrace->stepping)
		frame->eflags &= ~EFLAGS_TF;
	ptrace->stepping = false;
	clear_bits(&task->work, TASK_WORK_STEP);
}

/* The tracee wakes in stop(). */
static void go_on(struct task *task)
{
	task->ptrace.stopped = task->ptrace.listening = false;
	if (task->state == TASK_TRACED)
		task_wake(task);
}

/*
 * The registers of a tracee may be changed only while it is stopped. One that runs to the end of a
 * single step, while its tracer ends, gets a last SIGTRAP, as on Linux.
 */
void ptrace_unlink(struct task *task)
{
	struct ptrace *ptrace = &task->ptrace;
	bool stopped = ptrace->stopped;
	int code = ptrace->code;

	lockdep_held(&tasks_lock);
	if (stopped)
		ptrace_step(task, false);
	clear_bits(&task->work, TASK_WORK_PTRACE | TASK_WORK_STEP);
	list_del(&ptrace->link);
	*ptrace = (struct ptrace){ .code = code };
	if (stopped)
		go_on(task);
	/* With a group stop, it is its turn to stop like the others. */
	if (task->process->stopped)
		signal_wake(task, false);
}

/* ---- telling the tracer ---- */

/* The tracer gets a signal about a thread, and its waiters look. tasks_lock is held. */
static void tell_tracer(struct task *task, int signo, int code, int status)
{
	struct process *tracer = task->ptrace.tracer->process;
	const struct signal_action *action = signal_action_of(tracer, SIGCHLD);
	bool stop = code == CLD_TRAPPED || code == CLD_STOPPED, unwanted;
	struct signal_info info = {
		.code = code,
		.pid = task->tid,
		.uid = task->process->cred.uid,
		.value = status,
	};

	unwanted = signo == SIGCHLD &&
		   (action->handler == SIG_IGN || (stop && action->flags & SA_NOCLDSTOP));
	if (signo && !unwanted)
		(void)signal_send_locked(tracer, NULL, signo, &info);
	wake_all(&tracer->child_wait);
}

/* ---- stopping ---- */

/*
 * Stop the current task until its tracer lets it go on. `code` is what wait4(2) tells, in its
 * second byte and above. info may be NULL. Returns the signal with which it is to go on. A killed
 * task, and one that nobody traces, does not stop. tasks_lock is held, and released while the task
 * sleeps. The state is set under it, or a wakeup would be lost:
 *
 *	tracee					tracer
 *	stopped = true, unlocks
 *						stopped = false, sees RUNNING: does not wake
 *	state = TRACED, schedule()
 *
 * SIGKILL does the same under the lock: it adds the signal, and then looks at the state.
 */
//BOOK: ptrace-stop
static int stop(int code, int why, const struct signal_info *info, unsigned int *flags)
{
	struct task *task = current;
	struct ptrace *ptrace = &task->ptrace;

	lockdep_held(&tasks_lock);
	if (!ptrace->tracer || killed(task))
		return 0;
	ptrace->code = code;
	ptrace->why = why;
	ptrace->signo = code & 0x7f;
	ptrace->has_info = info != NULL;
	if (info)
		ptrace->info = *info;
	ptrace->interrupt = ptrace->trapping = false;
	ptrace->stopped = true;
	tell_tracer(task, SIGCHLD, why, code & 0x7f);
	while (ptrace->stopped && (ptrace->frozen || !killed(task))) {
		task->state = TASK_TRACED;
		spin_unlock_irqrestore(&tasks_lock, *flags);
		schedule();
		*flags = spin_lock_irqsave(&tasks_lock);
	}
	ptrace->stopped = ptrace->listening = ptrace->has_info = false;
	code = ptrace->code;
	ptrace->code = 0;
	return killed(task) ? 0 : code;
}

/* Stop for something that the kernel itself tells. Its siginfo has the code of the stop. */
static int stop_for(int code, int why, unsigned int *flags)
{
	struct signal_info info = { .code = code,
				    .pid = current->tid,
				    .uid = current->process->cred.uid };

	return stop(code, why, &info, flags);
}

bool ptrace_trap(unsigned int *flags)
{
	struct task *task = current;
	struct process *process = task->process;
	struct ptrace *ptrace = &task->ptrace;
	int signo = process->stopped ? process->stop_signal : SIGTRAP;

	lockdep_held(&tasks_lock);
	if (!ptrace->tracer || !task_must_stop(task))
		return false;
	/*
	 * When it goes on, it has had its part of this group stop. The next one makes it stop
	 * again.
	 */
	ptrace->passes = process->stopped;
	ptrace->group_news = ptrace->interrupt = false;
	if (ptrace->seized)
		(void)stop_for(signo | PTRACE_EVENT_STOP << 8, CLD_STOPPED, flags);
	else
		(void)stop(signo, CLD_STOPPED, NULL, flags);
	return true;
}

void ptrace_tell_group(struct task *task)
{
	struct ptrace *ptrace = &task->ptrace;

	lockdep_held(&tasks_lock);
	if (!ptrace->seized || ptrace->dead)
		return;
	ptrace->group_news = true;
	if (ptrace->listening)
		go_on(task);
	else
		signal_wake(task, false);
}

int ptrace_signal(int signo, struct signal_info *info, unsigned int *flags)
{
	struct task *task = current;
	const struct task *tracer = task->ptrace.tracer;
	int wanted;

	if (!tracer || signo == SIGKILL)
		return signo;
	task->ptrace.continued = false;
	wanted = stop(signo, CLD_TRAPPED, info, flags);
	if (wanted == 0)
		return 0;
	*info = task->ptrace.info;
	if (wanted != signo && wanted != task->ptrace.signo) {
		tracer = task->ptrace.tracer;
		*info = (struct signal_info){ .code = SI_USER };
		info->pid = tracer ? tracer->process->pid : 0;
		info->uid = tracer ? tracer->process->cred.uid : 0;
	}
	if (!(task->blocked & SIG_BIT(wanted)))
		return wanted;
	/* It waits like any other until it is not blocked. */
	(void)signal_queue_add(task->process, &task->signals, wanted, info);
	return 0;
}

bool ptrace_wants_event(unsigned int event)
{
	return current->ptrace.options & 1u << event;
}

void ptrace_event(unsigned int event, uint32_t message)
{
	const struct signal_info self = { .code = SI_USER,
					  .pid = current->process->pid,
					  .uid = current->process->cred.uid };
	struct task *task = current;
	struct trap_frame *frame = task_frame(task);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	if (ptrace_wants_event(event)) {
		/* A call that has no result yet looks as it does at its beginning. */
		if (frame->vector == VECTOR_SYSCALL && frame->eax == frame->error)
			frame->eax = -ENOSYS;
		task->ptrace.message = message;
		(void)stop_for(SIGTRAP | (int)event << 8, CLD_TRAPPED, &flags);
	} else if (event == PTRACE_EVENT_EXEC && task->ptrace.tracer && !task->ptrace.seized) {
		/* A tracer that has not asked for events finds its tracee after exec by this. */
		(void)signal_send_locked(task->process, task, SIGTRAP, &self);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void ptrace_handler_entered(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	(void)stop_for(SIGTRAP, CLD_TRAPPED, &flags);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* ---- system calls ---- */

/*
 * Stop at a system call. A signal that the tracer passes on is sent as if the task had sent it to
 * itself.
 */
static void stop_at_call(uint32_t message)
{
	struct task *task = current;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int code = SIGTRAP, signo;

	if (task->ptrace.options & PTRACE_O_TRACESYSGOOD)
		code |= PTRACE_SYSCALL_GOOD;
	task->ptrace.message = message;
	signo = stop_for(code, CLD_TRAPPED, &flags);
	if (signo)
		(void)signal_send_locked(task->process, task, signo, NULL);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

//BOOK: ptrace-syscall
bool ptrace_syscall_begin(struct trap_frame *frame)
{
	struct task *task = current;
	bool emulated = task->ptrace.emulated; /* with the next request, it may be different */

	if (!(task->work & TASK_WORK_PTRACE))
		return true;
	/* The tracer may set another number, or a result for a call that is left out. */
	frame->eax = -ENOSYS;
	stop_at_call(PTRACE_MESSAGE_ENTRY);
	return !emulated && frame->error != SYSTEM_CALL_NONE && !kill_pending();
}

void ptrace_syscall_end(struct trap_frame *frame)
{
	struct task *task = current;
	bool emulated = task->ptrace.emulated;

	if (task->work & TASK_WORK_PTRACE && !emulated)
		stop_at_call(PTRACE_MESSAGE_EXIT);
	/* The CPU would trap only after the next instruction. */
	if (task->work & TASK_WORK_STEP && !emulated)
		signal_force(SIGTRAP, 1 /* TRAP_BRKPT */, frame->eip);
}

/* ---- going on ---- */

void ptrace_resume(struct task *task, int signo)
{
	lockdep_held(&tasks_lock);
	task->ptrace.code = signo;
	go_on(task);
}

/*
 * Under the lock the tracee has set its state, but it may still be on its way off its CPU. It does
 * not wait for anything there, and nothing wakes a frozen task, so this takes a moment.
 */
struct task *ptrace_freeze(unsigned int tid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task, *found = NULL;

	list_for_each(task, &current->tracees, ptrace.link)
		if (task->tid == tid && task->ptrace.stopped && !task->ptrace.listening &&
		    !killed(task))
			found = task;
	if (found) {
		found->ptrace.frozen = true;
		atomic_inc(&found->refs);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	while (found && found->on_cpu)
		cpu_relax();
	return found;
}

void ptrace_thaw(struct task *task, bool resume, int signo)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	task->ptrace.frozen = false;
	if (resume)
		ptrace_resume(task, signo);
	else if (killed(task) && task->state == TASK_TRACED)
		task_wake(task);
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_put(task);
}

void ptrace_inherit(struct task *child, unsigned int event, bool always)
{
	const struct ptrace *own = &current->ptrace;

	lockdep_held(&tasks_lock);
	if (!own->tracer || !(always || (event && own->options & 1u << event)))
		return;
	ptrace_link(child, own->tracer, own->seized, own->options);
	child->ptrace.privileged = own->privileged;
	/* It stops before its first instruction. */
	if (own->seized)
		child->ptrace.interrupt = true;
	else
		child->signals.set |= SIG_BIT(SIGSTOP);
	set_bits(&child->work, TASK_WORK_SIGNAL);
}

/* ---- the end of a tracee, or of a tracer ---- */

void ptrace_hold(struct task *task)
{
	struct process *process = task->process;

	lockdep_held(&tasks_lock);
	atomic_inc(&task->refs);
	task->ptrace.dead = true;
	process->held++;
	if (task->tid == process->pid)
		process->held_leader = task;
	else
		ptrace_tell_end(task);
	wake_all(&task->ptrace.tracer->process->child_wait); /* PTRACE_ATTACH may wait for it */
}

void ptrace_tell_end(struct task *task)
{
	int status = task->ptrace.exit_status, killer = status & 0x7f, signo = SIGCHLD;
	const struct process *process = task->process;

	lockdep_held(&tasks_lock);
	/* A tracer that is also the parent is told of the process's end as a parent. */
	if (task == process->held_leader && task->ptrace.tracer->process == process->parent)
		signo = process_exit_signal(process);
	tell_tracer(task, signo, killer ? CLD_KILLED : CLD_EXITED,
		    killer ? killer : status >> 8 & 0xff);
}

void ptrace_release(struct task *task)
{
	struct process *process = task->process;

	lockdep_held(&tasks_lock);
	list_del(&task->ptrace.link);
	task->ptrace = (struct ptrace){ .dead = true };
	process->held--;
	if (process->held_leader == task)
		process->held_leader = NULL;
}

/*
 * Let the first tracee of the current task go. Returns it with a reference if it was dead,
 * otherwise NULL.
 */
static struct task *let_go(struct task *task)
{
	struct process *process = task->process;

	if (!task->ptrace.dead) {
		if (task->ptrace.options & PTRACE_O_EXITKILL)
			(void)signal_send_locked(process, NULL, SIGKILL, NULL);
		ptrace_unlink(task);
		return NULL;
	}
	ptrace_release(task);
	process_tell_end(process);
	return task;
}

void ptrace_exit_tracer(void)
{
	struct task *task;
	unsigned int flags;
	bool any;

	do {
		task = NULL;
		flags = spin_lock_irqsave(&tasks_lock);
		current->ends = true;
		any = !list_empty(&current->tracees);
		if (any)
			task = let_go(list_first(&current->tracees, struct task, ptrace.link));
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (task)
			task_put(task);
	} while (any);
}

void ptrace_drop_leader(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *leader = process->held_leader;

	if (leader)
		ptrace_release(leader);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (leader)
		task_put(leader);
}
