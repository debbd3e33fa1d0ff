/*
 * Creating and freeing tasks, and the way into their first function.
 *
 * Kernel stacks come from vmalloc(). Below each lies an unmapped page, so that an overflow faults.
 */
#include "kernel/task.h"
#include "kernel/cpu/ports.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define TIMER_SLACK 50000u /* nanoseconds */

struct atomic nr_tasks, tasks_made;
static struct slab_cache *task_cache;

/* The words that switch_context() pops from a task's stack. */
struct switch_frame {
	uint32_t edi, esi, ebx, ebp, eip;
};
void user_task_entry(void);
void kernel_task_entry(void);

void task_init(void)
{
	task_cache = slab_cache_create("task", sizeof(struct task), 64);
}

struct task *task_alloc(const char *name)
{
	struct task *task = slab_alloc(task_cache, ALLOC_ZERO);

	if (!task)
		return NULL;
	/*
	 * Zeroed, because nothing of other tasks is to lie on it, and because an emulator takes a
	 * page for code as long as a byte is left of the code that it has run there. A store to
	 * such a page is slow.
	 */
	task->timer_slack = task->timer_slack_default = TIMER_SLACK;
	task->stack = vmalloc(KERNEL_STACK_SIZE, ALLOC_ZERO);
	if (!task->stack) {
		slab_free(task_cache, task);
		return NULL;
	}
	strlcpy(task->name, name, sizeof(task->name));
	list_init(&task->signals.queued);
	list_init(&task->tracees);
	atomic_set(&task->refs, 1);
	task->state = TASK_UNINTERRUPTIBLE;
	task->work = current->work & TASK_WORK_TRACE;
	task->started_ns = time_now();
	task->last_run = read_tsc();
	task->cpu = this_cpu();
	task->allowed = UINT32_MAX;
	task->weight = WEIGHT_NICE_0;
	list_init(&task->run_link);
	list_init(&task->lenders);
	atomic_inc(&nr_tasks);
	atomic_inc(&tasks_made);
	return task;
}

void task_put(struct task *task)
{
	if (!atomic_dec_and_test(&task->refs))
		return;
	if (task->before_free)
		task->before_free(task);
	ports_drop(task);
	vfree(task->stack);
	slab_free(task_cache, task);
	atomic_dec(&nr_tasks);
}

/* ---- may the current task go on sleeping? ---- */

bool task_must_stop(const struct task *task)
{
	const struct ptrace *ptrace = &task->ptrace;

	return (task->process->stopped && !ptrace->passes) || ptrace->interrupt ||
	       ptrace->group_news;
}

bool signal_pending(void)
{
	const struct task *task = current;
	const struct process *process = task->process;
	uint64_t waiting;

	if (!process)
		return false;
	waiting = task->signals.set | process->signals.set;
	if (likely(waiting == 0 && !process->stopped && !task->ptrace.tracer))
		return false;
	if (!(waiting & ~(task->blocked & ~task->awaited)) && !task_must_stop(task))
		return false;
	/*
	 * The caller may give up its system call now, even if another thread then takes the signal.
	 */
	set_bits(&current->work, TASK_WORK_SIGNAL);
	return true;
}

bool kill_pending(void)
{
	return current->process && !current->finishing && (current->signals.set & SIG_BIT(SIGKILL));
}

/* ---- why a call was refused ---- */

long refuse(int error, const char *why)
{
	if (current->work & TASK_WORK_TRACE)
		current->refused = why;
	return -error;
}

/* ---- first and last steps ---- */

/*
 * Make `entry` the first function that the task runs. The frame lies below the place of the trap
 * frame, because a kernel task may become a user task (see start_init in boot/main.c).
 */
static void set_entry(struct task *task, void (*entry)(void), uint32_t ebx, uint32_t esi)
{
	struct switch_frame *frame = (struct switch_frame *)task_frame(task) - 1;

	*frame = (struct switch_frame){ .ebx = ebx, .esi = esi, .eip = (uint32_t)entry };
	task->kernel_esp = (uint32_t)frame;
}

void task_prepare_user(struct task *task)
{
	set_entry(task, user_task_entry, 0, 0);
}

struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg)
{
	struct task *task = task_alloc(name);

	if (!task)
		return ERR_PTR(-ENOMEM);
	set_entry(task, kernel_task_entry, (uint32_t)function, (uint32_t)arg);
	sched_start(task);
	return task;
}

struct trap_frame *kernel_task_end(void);
struct trap_frame *kernel_task_end(void)
{
	struct task *task = current;

	if (task->process)
		return task_frame(task);
	irq_disable();
	task->state = TASK_DEAD;
	schedule();
	panic("a dead task is running");
}
