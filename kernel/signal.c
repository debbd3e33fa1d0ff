/*
 * Signals: sending, queueing, stopping and going on.
 *
 * 1. A signal is a bit in `pending` of a task or of a process, and perhaps an entry with its
 *    siginfo. One below SIGRTMIN is pending once at most; others queue.
 * 2. Senders hold tasks_lock, so that the threads of the target stand still, then its signal_lock.
 * 3. A signal to a process is noticed by one thread that does not block it; which one handles it is
 *    settled when it is taken out of the queue. Other threads that saw it too restart their calls.
 * 4. What ends the process for certain ends all its threads at once: each gets SIGKILL (see
 *    signal_kill_locked), so that none sleeps on in a killable wait.
 * 5. A process is stopped from the moment on which its first thread stops; the others follow before
 *    they return to user mode.
 * 6. The first process gets only signals that it has handlers for, and what its own faults bring.
 */
#include "kernel/signal.h"
#include "kernel/init.h"
#include "kernel/irq.h"
#include "kernel/process.h"
#include "mm/slab.h"

struct siginfo_entry {
	struct list link;
	struct signal_info info;
};

static struct slab_cache *siginfo_cache;

static void signal_init(void)
{
	siginfo_cache = slab_cache_create("siginfo", sizeof(struct siginfo_entry), 0);
}
INITCALL(1, signal_init);

/* ---- queues ---- */

static int queue_add(struct process *process, struct list *queue, sigmask_t *pending, int signo,
		     const struct signal_info *info)
{
	struct siginfo_entry *entry = NULL;

	if (signo < SIGRTMIN && (*pending & SIG_BIT(signo)))
		return 0;
	if (process->nr_siginfo < process->limits[RLIMIT_SIGPENDING].soft)
		entry = slab_alloc(siginfo_cache, ALLOC_ATOMIC);
	if (entry) {
		if (info)
			entry->info = *info;
		else
			entry->info = (struct signal_info){ .code = SI_KERNEL };
		entry->info.signo = signo;
		list_add_tail(queue, &entry->link);
		process->nr_siginfo++;
	} else if (signo >= SIGRTMIN && info && info->code != SI_USER) {
		return -EAGAIN;
	}
	*pending |= SIG_BIT(signo);
	return 0;
}

static void queue_flush(struct process *process, struct list *queue, sigmask_t *pending,
			sigmask_t mask)
{
	struct siginfo_entry *entry, *next;

	*pending &= ~mask;
	list_for_each_safe(entry, next, queue, link) {
		if (!(SIG_BIT(entry->info.signo) & mask))
			continue;
		list_del(&entry->link);
		slab_free(siginfo_cache, entry);
		process->nr_siginfo--;
	}
}

void signal_flush(struct process *process, struct task *task, sigmask_t mask)
{
	lockdep_held(&process->signal_lock);
	if (task)
		queue_flush(process, &task->siginfo, &task->pending, mask);
	else
		queue_flush(process, &process->siginfo, &process->pending, mask);
}

static void flush_everywhere(struct process *process, sigmask_t mask)
{
	struct task *task;

	signal_flush(process, NULL, mask);
	list_for_each(task, &process->threads, thread_link)
		signal_flush(process, task, mask);
}

/* Faults first: their handler must see the registers of the fault. */
static int first_signal(sigmask_t set)
{
	if (set & BITS_FAULT)
		set &= BITS_FAULT;
	if ((uint32_t)set)
		return __builtin_ctz((uint32_t)set) + 1;
	return __builtin_ctz((uint32_t)(set >> 32)) + 33;
}

static int queue_take(struct process *process, struct list *queue, sigmask_t *pending,
		      sigmask_t wanted, struct signal_info *info)
{
	struct siginfo_entry *entry, *next, *found = NULL;
	bool more = false;
	int signo;

	if (!(*pending & wanted))
		return 0;
	signo = first_signal(*pending & wanted);
	list_for_each_safe(entry, next, queue, link) {
		if (entry->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = entry;
	}
	if (!more)
		*pending &= ~SIG_BIT(signo);
	*info = (struct signal_info){ .signo = signo, .code = SI_USER };
	if (found) {
		*info = found->info;
		list_del(&found->link);
		slab_free(siginfo_cache, found);
		process->nr_siginfo--;
	}
	return signo;
}

int signal_dequeue(sigmask_t wanted, struct signal_info *info)
{
	struct task *task = current;
	struct process *process = task->process;
	int signo;

	lockdep_held(&process->signal_lock);
	signo = queue_take(process, &task->siginfo, &task->pending, wanted, info);
	if (signo == 0)
		signo = queue_take(process, &process->siginfo, &process->pending, wanted, info);
	return signo;
}

/* ---- who is to look ---- */

bool signal_action_ignores(const struct process *process, int signo)
{
	uint32_t handler = process->actions[signo - 1].handler;

	return handler == SIG_IGN || (handler == SIG_DFL && (BITS_IGNORED & SIG_BIT(signo)));
}

static bool blocks(const struct task *task, int signo)
{
	return (task->blocked & ~task->awaited) & SIG_BIT(signo);
}

/*
 * Is the signal not even to be queued? What is blocked is: its action may change before it is
 * unblocked.
 */
static bool discards(const struct process *process, const struct task *task, int signo,
		     const struct signal_info *info)
{
	if ((task->blocked | task->awaited) & SIG_BIT(signo))
		return false;
	if (process == init_process && process->actions[signo - 1].handler == SIG_DFL)
		return signo != SIGKILL || info;
	return signal_action_ignores(process, signo);
}

/*
 * signal_wake: make the task look at its signals.
 *
 *	sleeper					sender
 *	state = INTERRUPTIBLE			pending |= signal
 *	full barrier (wait_prepare)		full barrier (set_bits)
 *	signal_pending()? no: sleeps		state is INTERRUPTIBLE? no: no wakeup
 *
 * Without both barriers each could miss what the other did. A task that runs in user mode on
 * another CPU is interrupted.
 */
void signal_wake(struct task *task, bool kill)
{
	enum task_state state;

	set_bits(&task->work, TASK_WORK_SIGNAL);
	state = task->state;
	if (state == TASK_INTERRUPTIBLE ||
	    (kill && (state == TASK_KILLABLE || state == TASK_STOPPED)))
		task_wake(task);
	else if (task->on_cpu && task->cpu != this_cpu())
		smp_send_reschedule(task->cpu);
}

static bool wants(const struct process *process, const struct task *task, int signo)
{
	return !process->stopped && !blocks(task, signo);
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
	lockdep_held(&process->signal_lock);
	list_for_each(task, &process->threads, thread_link)
		if (process->pending & ~(task->blocked & ~task->awaited))
			signal_wake(task, false);
}

void signal_kill_threads_locked(struct process *process, struct task *except)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	lockdep_held(&process->signal_lock);
	list_for_each(task, &process->threads, thread_link) {
		if (task == except)
			continue;
		task->pending |= SIG_BIT(SIGKILL);
		signal_wake(task, true);
	}
}

void signal_kill_locked(struct process *process, int status)
{
	if (process->exiting)
		return;
	process->exiting = true;
	process->exit_status = status;
	process->stopped = false;
	signal_kill_threads_locked(process, NULL);
}

/* ---- sending ---- */

/*
 * SIGCONT undoes stops that are on their way, and the other way round. True: a stopped process goes
 * on.
 */
static bool stop_or_continue(struct process *process, int signo)
{
	struct task *task;

	if (SIG_BIT(signo) & BITS_STOP)
		flush_everywhere(process, SIG_BIT(SIGCONT));
	if (signo != SIGCONT)
		return false;
	flush_everywhere(process, BITS_STOP);
	if (!process->stopped)
		return false;
	process->stopped = false;
	process->continued = true;
	list_for_each(task, &process->threads, thread_link)
		if (task->state == TASK_STOPPED)
			task_wake(task);
	signal_retarget_locked(process);
	return true;
}

static bool ends_process(const struct process *process, int signo)
{
	return process->actions[signo - 1].handler == SIG_DFL && process != init_process &&
	       !(SIG_BIT(signo) & (BITS_IGNORED | BITS_STOP));
}

/* To `task` alone, or to any thread of the process. signal_lock and tasks_lock are held. */
static int queue_signal(struct process *process, struct task *task, int signo,
			const struct signal_info *info)
{
	struct task *looks;
	int error;

	if (discards(process, task ? task : process->leader, signo, info))
		return 0;
	if (signo == SIGKILL) {
		signal_kill_locked(process, SIGKILL);
		return 0;
	}
	looks = task ? task : choose_thread(process, signo);
	if (looks && wants(process, looks, signo) && ends_process(process, signo) &&
	    !(looks->awaited & SIG_BIT(signo))) {
		signal_kill_locked(process, signo);
		return 0;
	}
	if (task)
		error = queue_add(process, &task->siginfo, &task->pending, signo, info);
	else
		error = queue_add(process, &process->siginfo, &process->pending, signo, info);
	if (error == 0 && looks && wants(process, looks, signo))
		signal_wake(looks, false);
	return error;
}

static int send(struct process *process, struct task *task, int signo,
		const struct signal_info *info)
{
	bool went_on;
	int error;

	lockdep_held(&tasks_lock);
	if (process->nr_threads == 0)
		return 0;
	spin_lock(&process->signal_lock);
	went_on = stop_or_continue(process, signo);
	error = queue_signal(process, task, signo, info);
	spin_unlock(&process->signal_lock);
	if (went_on)
		process_notify_parent(process, CHILD_CONTINUED);
	return error;
}

int signal_send_process_locked(struct process *process, int signo, const struct signal_info *info)
{
	return send(process, NULL, signo, info);
}

int signal_send_task_locked(struct task *task, int signo, const struct signal_info *info)
{
	if (!task->process || list_empty(&task->thread_link))
		return -ESRCH;
	return send(task->process, task, signo, info);
}

int signal_send_process(struct process *process, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int error = send(process, NULL, signo, info);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

int signal_send_task(struct task *task, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int error = signal_send_task_locked(task, signo, info);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

int signal_send_group(unsigned int pgid, int signo, const struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;
	int error = -ESRCH;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == pgid)
			error = send(process, NULL, signo, info);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/* A fault cannot be ignored or put off: the instruction would only fault again. */
void signal_force(int signo, int code, uint32_t address)
{
	struct signal_info info = { .signo = signo, .code = code, .address = address };
	struct task *task = current;
	struct process *process = task->process;
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);
	struct signal_action *action = &process->actions[signo - 1];

	if (action->handler == SIG_IGN || (task->blocked & SIG_BIT(signo))) {
		*action = (struct signal_action){ .handler = SIG_DFL };
		task->blocked &= ~SIG_BIT(signo);
	}
	queue_add(process, &task->siginfo, &task->pending, signo, &info);
	set_bits(&task->work, TASK_WORK_SIGNAL);
	spin_unlock_irqrestore(&process->signal_lock, flags);
}

/* ---- the current task ---- */

bool signal_pending(void)
{
	const struct task *task = current;
	const struct process *process = task->process;

	if (!process)
		return false;
	if (!((task->pending | process->pending) & ~(task->blocked & ~task->awaited)) &&
	    !process->stopped)
		return false;
	/* The caller may give up its call for it, even if another thread then takes the signal. */
	set_bits(&current->work, TASK_WORK_SIGNAL);
	return true;
}

bool kill_pending(void)
{
	return current->process && (current->pending & SIG_BIT(SIGKILL));
}

void signal_set_blocked(sigmask_t mask)
{
	struct task *task = current;
	struct process *process = task->process;
	/* The only thread stays the only one while it is here. */
	bool others = process->nr_threads > 1;
	unsigned int flags = others ? spin_lock_irqsave(&tasks_lock) : irq_save();

	spin_lock(&process->signal_lock);
	task->blocked = mask & ~BITS_UNBLOCKABLE;
	if ((task->pending | process->pending) & ~task->blocked)
		set_bits(&task->work, TASK_WORK_SIGNAL);
	/* What this thread was to handle, and blocks now, is another one's. */
	if (others && (process->pending & task->blocked))
		signal_retarget_locked(process);
	spin_unlock(&process->signal_lock);
	if (others)
		spin_unlock(&tasks_lock);
	irq_restore(flags);
}

void signal_set_blocked_temporarily(sigmask_t mask)
{
	struct task *task = current;

	task->saved_blocked = task->blocked;
	task->restore_blocked = true;
	signal_set_blocked(mask);
	set_bits(&task->work, TASK_WORK_SIGNAL);
}

void signal_reset_action(int signo)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);

	process->actions[signo - 1] = (struct signal_action){ .handler = SIG_DFL };
	spin_unlock_irqrestore(&process->signal_lock, flags);
}

void signal_reset_handlers(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);

	for (unsigned int i = 0; i < NR_SIGNALS; i++) {
		uint32_t handler = process->actions[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		process->actions[i] = (struct signal_action){ .handler = handler };
	}
	spin_unlock_irqrestore(&process->signal_lock, flags);
	current->altstack_base = current->altstack_size = 0;
	current->altstack_flags = SS_DISABLE;
}
