/*
 * The report on a system that hangs. See kernel/process/report.h for the contract.
 *
 * 1. A user asks for it by writing `t` to /proc/sysrq-trigger. If no program runs any more, an NMI
 *    from outside does the same.
 * 2. An NMI may interrupt a CPU that holds tasks_lock or log_lock. Both are only held with
 *    interrupts off. The report is therefore printed only if interrupts were on. Otherwise only the
 *    call chain of this CPU is printed, and the NMI can be sent again.
 * 3. tasks_lock keeps the listed threads and their stacks alive. A task may start to run on another
 *    CPU while its stack is read. Its call chain may then be nonsense, but all reads stay within
 *    the stack. Kernel tasks are on no list, and are not shown.
 */
#include "kernel/process/report.h"
#include "kernel/log.h"
#include "kernel/task.h"

#define DEPTH 24

static struct reporter *reporters;
static unsigned int in_progress;

static const char *const state_names[] = {
	[TASK_RUNNING] = "runnable",
	[TASK_INTERRUPTIBLE] = "sleeps, a signal wakes it",
	[TASK_KILLABLE] = "sleeps, a kill wakes it",
	[TASK_UNINTERRUPTIBLE] = "sleeps, no signal wakes it",
	[TASK_STOPPED] = "stopped",
	[TASK_TRACED] = "traced",
	[TASK_DEAD] = "dead",
};

void report_add(struct reporter *reporter)
{
	reporter->next = reporters;
	reporters = reporter;
}

static void print_task(const struct task *task)
{
	uintptr_t addresses[DEPTH];

	log_warning("task %u (%s) of process %u: %s%s", task->tid, task->name, task->process->pid,
		    state_names[task->state], task->on_cpu ? ", on a CPU" : "");
	if (task->on_cpu)
		return;
	stack_walk_task(task, addresses, ARRAY_SIZE(addresses));
	stack_print(addresses, ARRAY_SIZE(addresses));
}

static void print_tasks(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;
	struct task *task;

	list_for_each(process, &all_processes, all_link) {
		if (list_empty(&process->threads))
			log_warning(
				"process %u (%s) has ended, but its parent has not waited for it",
				process->pid, process->name);
		list_for_each(task, &process->threads, thread_link)
			print_task(task);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void report_print(void)
{
	if (__atomic_exchange_n(&in_progress, 1, __ATOMIC_SEQ_CST))
		return;
	log_warning("--- report ---");
	print_tasks();
	for (const struct reporter *reporter = reporters; reporter; reporter = reporter->next)
		reporter->print();
	log_warning("--- end of report ---");
	__atomic_store_n(&in_progress, 0, __ATOMIC_SEQ_CST);
}

void report_nmi(struct trap_frame *frame)
{
	unsigned int offset;
	const char *name = symbol_find(frame->eip, &offset);

	log_warning("NMI on CPU %u at %08x (%s+0x%x)", this_cpu()->id, frame->eip,
		    trap_from_user(frame) ? "a program" : name, offset);
	if (!trap_from_user(frame))
		backtrace((const void *)frame->ebp);
	if (frame->eflags & EFLAGS_IF)
		report_print();
}
