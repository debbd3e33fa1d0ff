/*
 * The files of a process or thread in /proc that tell how it runs: its turns on the CPU, where it
 * sleeps, the call that it makes, what its calls have moved, its timers, and the children of a
 * thread.
 */
#include "fs/proc/proc_internal.h"
#include "kernel/capability.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/signals/posix_timer.h"
#include "kernel/syscall.h"
#include "lib/string.h"

/*
 * The time on a CPU in nanoseconds, the time of waiting for one, which is not counted, and the
 * number of turns.
 */
static int show_schedstat(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = proc_thread(process, tid);

	if (task)
		text_printf(text, "%llu 0 %u\n", (unsigned long long)task_cpu_ns(task),
			    task->switches[false] + task->switches[true]);
	else
		text_printf(text, "0 0 0\n");
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_schedstat, .path = "/pid/schedstat", .mode = 0444, .show_process = show_schedstat);
PROC_ENTRY(task_schedstat, .path = "/pid/task/N/schedstat", .mode = 0444,
	   .show_process = show_schedstat);

static void show_line(struct text *text, const char *name, unsigned long long value)
{
	text_printf(text, "%-45s:%21llu\n", name, value);
}

static int show_sched(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = proc_thread(process, tid);

	if (task) {
		text_printf(text, "%s (%u, #threads: %u)\n", task->name, task->tid,
			    process->nr_threads);
		show_line(text, "se.sum_exec_runtime", task_cpu_ns(task));
		show_line(text, "nr_switches", task->switches[false] + task->switches[true]);
		show_line(text, "nr_voluntary_switches", task->switches[false]);
		show_line(text, "nr_involuntary_switches", task->switches[true]);
		show_line(text, "policy", task->policy);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return task ? 0 : -ESRCH;
}
PROC_ENTRY(pid_sched, .path = "/pid/sched", .mode = 0444, .show_process = show_sched);
PROC_ENTRY(task_sched, .path = "/pid/task/N/sched", .mode = 0444, .show_process = show_sched);

/* The POSIX timers, as the program has made them. */
static int show_timers(struct process *process, unsigned int number, struct text *text)
{
	static const char *const kinds[] = {
		[SIGEV_SIGNAL] = "signal", [SIGEV_NONE] = "none", [SIGEV_THREAD] = "thread"
	};
	const struct posix_timer *timer;
	unsigned int flags = spin_lock_irqsave(&interval_lock);

	list_for_each(timer, &process->timers, link) {
		bool to_thread = timer->tid != 0;

		text_printf(text, "ID: %d\nsignal: %d/%08x\nnotify: %s/%s.%u\nClockID: %d\n",
			    timer->id, timer->entry->signo, timer->entry->info.value,
			    kinds[to_thread ? SIGEV_SIGNAL : timer->notify],
			    to_thread ? "tid" : "pid", to_thread ? timer->tid : process->pid,
			    timer->clock);
	}
	spin_unlock_irqrestore(&interval_lock, flags);
	return 0;
}
PROC_ENTRY(pid_timers, .path = "/pid/timers", .mode = 0444, .show_process = show_timers);

/* The caller's own slack, or with CAP_SYS_NICE that of another process. */
static bool may_use_slack(const struct process *process)
{
	return process == current->process || capable(CAP_SYS_NICE);
}

static int show_slack(struct process *process, unsigned int number, struct text *text)
{
	const struct task *task;
	unsigned int flags;

	if (!may_use_slack(process))
		return refuse(EPERM, "the slack of another process");
	flags = spin_lock_irqsave(&tasks_lock);
	task = process_leader(process);
	text_printf(text, "%lu\n", task ? task->timer_slack : 0);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

static int store_slack(struct process *process, unsigned int number, char *input, size_t len)
{
	unsigned int flags;
	struct task *task;
	uint32_t value;
	int error = parse_u32(input, &value);

	if (error)
		return error;
	if (!may_use_slack(process))
		return refuse(EPERM, "the slack of another process");
	flags = spin_lock_irqsave(&tasks_lock);
	task = process_leader(process);
	if (task)
		task->timer_slack = value ? value : task->timer_slack_default;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_timerslack, .path = "/pid/timerslack_ns", .mode = 0666, .show_process = show_slack,
	   .store_process = store_slack);

/*
 * May the registers of a thread change while tasks_lock is held? One that has stopped may still be
 * on its CPU, but only a task with the lock wakes it.
 */
static bool registers_may_change(const struct task *task)
{
	return task->state != TASK_STOPPED && (task->on_cpu || task->state == TASK_RUNNING);
}

/*
 * The system call that a thread is in, with its arguments, its stack pointer and where it returns
 * to. Only the registers of the caller, and of a thread that sleeps or has stopped, are shown.
 */
static int show_syscall(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = proc_thread(process, tid);
	const struct trap_frame *frame = task ? task_frame(task) : NULL;

	if (task && task != current && registers_may_change(task))
		text_printf(text, "running\n");
	else if (task && (frame->vector != VECTOR_SYSCALL || (int)frame->error < 0))
		text_printf(text, "-1 0x%x 0x%x\n", frame->esp, frame->eip);
	else if (task)
		text_printf(text, "%d 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x 0x%x\n", (int)frame->error,
			    frame->ebx, frame->ecx, frame->edx, frame->esi, frame->edi, frame->ebp,
			    frame->esp, frame->eip);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return task ? 0 : -ESRCH;
}
PROC_ENTRY(pid_syscall, .path = "/pid/syscall", .mode = 0400, .show_process = show_syscall);
PROC_ENTRY(task_syscall, .path = "/pid/task/N/syscall", .mode = 0400, .show_process = show_syscall);

/* Is this one of the functions through which tasks go to sleep? */
static bool puts_to_sleep(const char *function)
{
	static const char *const names[] = { "schedule", "schedule_until", "sleep_until",
					     "mutex_lock_slow", "mutex_lock_killable_slow" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(function, names[i]) == 0)
			return true;
	return false;
}

/* Returns the function in which a thread sleeps, or "0" if it runs. tasks_lock is held. */
static const char *sleeps_in(const struct task *task)
{
	uintptr_t addresses[8];
	const char *name = "0";
	unsigned int offset;

	if (task->on_cpu || task->state == TASK_RUNNING)
		return name;
	stack_walk_task(task, addresses, ARRAY_SIZE(addresses));
	for (unsigned int i = 0; i < ARRAY_SIZE(addresses) && addresses[i]; i++) {
		name = symbol_find(addresses[i] - 1, &offset);
		if (!puts_to_sleep(name))
			break;
	}
	return name;
}

static int show_wchan(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = proc_thread(process, tid);

	text_printf(text, "%s", task && process_may_inspect(process) ? sleeps_in(task) : "0");
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_wchan, .path = "/pid/wchan", .mode = 0444, .show_process = show_wchan);
PROC_ENTRY(task_wchan, .path = "/pid/task/N/wchan", .mode = 0444, .show_process = show_wchan);

/*
 * What calls have read and written. A page that is removed before it is written still counts, so
 * nothing is ever cancelled.
 */
static int show_io(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = tid ? proc_thread(process, tid) : NULL;
	struct io_counts io = task ? task->io : process_usage(process).io;

	text_printf(text, "rchar: %llu\nwchar: %llu\nsyscr: %u\nsyscw: %u\n",
		    (unsigned long long)io.moved[0], (unsigned long long)io.moved[1], io.calls[0],
		    io.calls[1]);
	text_printf(text, "read_bytes: %llu\nwrite_bytes: %llu\ncancelled_write_bytes: 0\n",
		    (unsigned long long)io.stored[0], (unsigned long long)io.stored[1]);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_io, .path = "/pid/io", .mode = 0400, .show_process = show_io);
PROC_ENTRY(task_io, .path = "/pid/task/N/io", .mode = 0400, .show_process = show_io);

/* The processes that a thread has made and that are its process's children. */
static int show_children(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct process *child;

	list_for_each(child, &process->children, sibling)
		if (child->maker == tid)
			text_printf(text, "%u ", child->pid);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(task_children, .path = "/pid/task/N/children", .mode = 0444,
	   .show_process = show_children);
