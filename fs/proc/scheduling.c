/*
 * The files of a process or thread in /proc that tell how it runs: its turns on the CPU, where it sleeps, the call that
 * it makes, its timers, and the children of a thread.
 */
#include "fs/proc/proc_internal.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/signals/posix_timer.h"
#include "kernel/syscall.h"
#include "lib/string.h"

/* The time on a CPU in nanoseconds, the time of waiting for one, which is not counted, and the number of turns. */
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

static int show_slack(struct process *process, unsigned int number, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = process_leader(process);

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
	flags = spin_lock_irqsave(&tasks_lock);
	task = process_leader(process);
	if (!process_may_inspect(process))
		error = refuse(EPERM, "the process of another user");
	else if (task)
		task->timer_slack = value ? value : task->timer_slack_default;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}
PROC_ENTRY(pid_timerslack, .path = "/pid/timerslack_ns", .mode = 0666, .show_process = show_slack,
	   .store_process = store_slack);

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
