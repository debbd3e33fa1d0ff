/*
 * The end of tasks and processes.
 *
 * 1. A task that exits first clears its clear_child_tid and wakes the futex there. Then it releases
 *    its memory and files, and leaves the list of threads. After that it never runs again. The last
 *    thread to begin its exit also releases the things that belong to the process.
 * 2. When the last thread has left the list, the process is a zombie. Its children go to init or to
 *    a subreaper, groups may become orphaned, and the parent is told. If the parent ignores
 *    SIGCHLD, the process does not stay as a zombie. The children of a thread that was not the last
 *    one go to another thread of the process.
 * 3. All steps of point 2 are done while tasks_lock is held.
 */
#include "kernel/ipc/sem.h"
#include "kernel/process/acct.h"
#include "kernel/process/oom.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"
#include "kernel/signals/timers.h"
#include "kernel/syscalls.h"
#include "drivers/tty/tty.h"
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/vm.h"

/* ---- the tree. tasks_lock is held. ---- */

/*
 * If the group is orphaned when `leaving` has gone, and has stopped members, send SIGHUP and
 * SIGCONT.
 */
static void check_orphaned(unsigned int pgid, unsigned int sid, const struct process *leaving)
{
	struct process *process;
	bool stopped = false;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == pgid && process->sid == sid && process != leaving &&
		    process->stopped)
			stopped = true;
	if (!stopped || !process_group_orphaned(pgid, leaving))
		return;
	list_for_each(process, &all_processes, all_link) {
		if (process->pgid != pgid || process == leaving)
			continue;
		signal_send_locked(process, NULL, SIGHUP, NULL);
		signal_send_locked(process, NULL, SIGCONT, NULL);
	}
}

/*
 * Send the signals that threads of the child have asked for, in the name of the current thread,
 * which has ended.
 */
static void announce_death(struct process *child)
{
	const struct process *parent = current->process;
	const struct signal_info info = { .code = SI_USER,
					  .pid = parent->pid,
					  .uid = parent->cred.uid };
	struct task *task;
	int signo;

	list_for_each(task, &child->threads, thread_link) {
		signo = task->death_signal;
		if (signo)
			(void)signal_send_checked(child, NULL, signo, &info);
	}
}

/*
 * Returns the process that adopts the children: the nearest ancestor that has asked for it, or
 * init. All ancestors live, because a process that ends gives its children away.
 */
static struct process *adopter_for(const struct process *process)
{
	struct process *ancestor = process->parent;

	while (ancestor && ancestor != init_process) {
		if (ancestor->subreaper)
			return ancestor;
		ancestor = ancestor->parent;
	}
	return init_process;
}

static void give_children_away(struct process *process)
{
	struct process *adopter = adopter_for(process), *child, *next;

	list_for_each_safe(child, next, &process->children, sibling) {
		list_del(&child->sibling);
		child->parent = adopter;
		child->parent_pid = adopter->pid;
		child->maker = process_leader(adopter)->tid;
		/* A signal that the adopter does not expect might kill it. */
		child->exit_signal = SIGCHLD;
		list_add_tail(&adopter->children, &child->sibling);
		announce_death(child);
		if (child->nr_threads == 0 && child->held == 0)
			process_tell_end(child);
		else if (child->pgid != process->pgid && child->sid == process->sid)
			check_orphaned(child->pgid, child->sid, process);
	}
}

/* Returns a thread that goes on, or if all of them end, the oldest one. */
static struct task *heir_of(struct process *process)
{
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (!task->ends)
			return task;
	return process_leader(process);
}

/* The thread has left, and others are there. One of them gets the children that it has made. */
static void lose_thread(const struct task *task)
{
	struct process *process = task->process, *child;
	const struct task *heir = heir_of(process);

	process_lost_thread();
	list_for_each(child, &process->children, sibling) {
		if (child->maker != task->tid)
			continue;
		child->maker = heir->tid;
		announce_death(child);
	}
}

static void process_end(struct process *process)
{
	struct process *parent = process->parent;

	signal_queue_forget(process, &process->signals, ~(sigmask_t)0);
	wake_all(&process->end_wait);
	give_children_away(process);
	if (parent && parent->pgid != process->pgid && parent->sid == process->sid)
		check_orphaned(process->pgid, process->sid, process);
	process_tell_end(process);
}

/* ---- the task ---- */

static void leave_resources(struct task *task)
{
	struct mm *mm = task->mm;
	struct file_table *files = task->files;
	struct fs_context *fs = task->fs;
	unsigned int flags;

	futex_task_exit(true);
	flags = spin_lock_irqsave(&tasks_lock);
	process_keep_memory(task->process, mm);
	task->mm = NULL;
	task->files = NULL;
	task->fs = NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_release_vfork(task);
	mm_put(mm);
	sem_exit(task);
	file_table_put(files);
	fs_context_put(fs);
	oom_released();
}

/* Leave the list of threads. Afterwards other tasks cannot find this one. */
static void leave_place(struct task *task)
{
	struct process *process = task->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	list_del(&task->thread_link);
	if (task->ptrace.tracer)
		ptrace_hold(task);
	signal_queue_forget(process, &task->signals, ~(sigmask_t)0);
	process->nr_threads--;
	process_keep_usage(process, task);
	memcpy(process->name, task->name, sizeof(process->name));
	/* Another thread must now handle the signals that this one was to handle. */
	signal_retarget_locked(process);
	if (process->nr_threads == 0)
		process_end(process);
	else
		lose_thread(task);
	if (process->execer && process->nr_threads == 1)
		wake_all(&process->child_wait);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/*
 * Set the status that wait4() will report. It is the status of the process's end, or else that of
 * the last thread. When this one begins to exit, the status becomes final. A later signal, such as
 * the SIGHUP when a session leader exits, does not change it. Returns true for the last thread.
 */
static bool begin_exit(struct task *task, int status)
{
	struct process *process = task->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool last = --process->nr_running == 0;

	if (!process->exiting && last)
		process->exit_status = status;
	task->ptrace.exit_status = process->exiting ? process->exit_status : status;
	if (last)
		process->exiting = true;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return last;
}

/* For trace=syscalls: log the call in which the task ends. It has no result. */
static void end_trace(struct task *task)
{
	if (task->trace_text)
		log_info("[%u %s] %s = ?", task->tid, task->name, task->trace_text);
	kfree(task->trace_text);
	task->trace_text = NULL;
}

/*
 * Stop for a tracer that wants to see the end. What kills the thread has done its work, so it does
 * not keep it from stopping. The next SIGKILL wakes it.
 */
static void stop_at_end(int status)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	signal_queue_forget(current->process, &current->signals, SIG_BIT(SIGKILL));
	spin_unlock_irqrestore(&tasks_lock, flags);
	ptrace_event(PTRACE_EVENT_EXIT, status);
}

/* End the current task. If it is the last thread, the process ends, too. */
static void __noreturn task_exit(int status)
{
	struct task *task = current;
	struct process *process = task->process;
	unsigned int memory_kib = task->mm ? task->mm->size >> 10 : 0;
	bool last;

	/* A victim of the lack of memory must not keep what it has until its tracer looks. */
	if (ptrace_wants_event(PTRACE_EVENT_EXIT) && !process->oom_victim)
		stop_at_end(status);
	last = begin_exit(task, status);
	end_trace(task);
	ptrace_exit_tracer();
	if (last && process == init_process)
		panic("init has ended, status 0x%x", process->exit_status);
	leave_resources(task);
	if (last)
		acct_process(process, memory_kib);
	if (last)
		timers_end_process();
	if (last && process->sid == process->pid)
		tty_leave_session();
	leave_place(task);
	irq_disable();
	task->state = TASK_DEAD;
	schedule();
	panic("a dead task is running");
}

void process_exit(int status)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	/* If another thread calls exec, only this thread ends, and the process goes on. */
	if (process->exiting)
		status = process->exit_status;
	else if (!process->execer || process->execer == current)
		signal_kill_locked(process, status);
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_exit(status);
}

static bool is_last_thread(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool last = process->nr_threads == 1;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return last;
}

int process_end_other_threads(void)
{
	struct task *task = current;
	struct process *process = task->process, *child;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool begun = process->exiting || process->execer;

	if (!begun) {
		process->execer = task;
		signal_kill_threads_locked(process, task);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (begun)
		return -ERESTARTNOINTR;
	wait_event(&process->child_wait, is_last_thread(process));

	ptrace_drop_leader(process);
	flags = spin_lock_irqsave(&tasks_lock);
	process->execer = NULL;
	task->tid = process->pid;
	list_for_each(child, &process->children, sibling)
		child->maker = task->tid;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

long sys_exit(unsigned long code)
{
	task_exit((code & 0xff) << 8);
}

long sys_exit_group(unsigned long code)
{
	process_exit((code & 0xff) << 8);
}
