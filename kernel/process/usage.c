/*
 * What tasks and processes have used: CPU time, page faults, switches and memory.
 *
 * 1. Ticks tell user time from system time. Neither part ever shrinks.
 * 2. A task counts for itself. When it leaves its process, the process keeps what it has used.
 * 3. tasks_lock keeps the threads of a process together while they are added up.
 */
#include "kernel/process/usage.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "mm/mm.h"
#include "mm/vm/uaccess.h"

#define RUSAGE_SELF	0
#define RUSAGE_THREAD	1
#define RUSAGE_CHILDREN (-1)
#define BLOCK_SHIFT	9 /* of ru_inblock and ru_oublock */

/* ---- adding up ---- */

uint64_t task_cpu_ns(const struct task *task)
{
	unsigned int flags = irq_save();
	/* A tick may have found it on another CPU later than its last switch was. */
	uint64_t cycles = MAX(task->run_cycles, task->told_cycles);

	if (task == current)
		cycles = task->run_cycles + (read_tsc() - task->last_run);
	irq_restore(flags);
	return time_of_cycles(cycles);
}

struct usage task_usage(const struct task *task)
{
	uint64_t system = time_of_cycles(task->system_cycles);

	return (struct usage){
		.user = time_of_cycles(task->told_cycles) - system,
		.system = system,
		.io = task->io,
		.minor_faults = task->minor_faults,
		.major_faults = task->major_faults,
		.voluntary = task->switches[false],
		.involuntary = task->switches[true],
	};
}

void usage_add(struct usage *sum, const struct usage *usage)
{
	sum->user += usage->user;
	sum->system += usage->system;
	sum->minor_faults += usage->minor_faults;
	sum->major_faults += usage->major_faults;
	sum->voluntary += usage->voluntary;
	sum->involuntary += usage->involuntary;
	for (unsigned int i = 0; i < 2; i++) {
		sum->io.calls[i] += usage->io.calls[i];
		sum->io.moved[i] += usage->io.moved[i];
		sum->io.stored[i] += usage->io.stored[i];
	}
	sum->most_pages = MAX(sum->most_pages, usage->most_pages);
}

static unsigned int most_pages(const struct mm *mm)
{
	return MAX(MAX(mm->peak_resident, atomic_read(&mm->resident)), 0);
}

uint64_t process_cpu_ns(struct process *process)
{
	uint64_t ns = process->dead_usage.user + process->dead_usage.system;
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &process->threads, thread_link)
		ns += task_cpu_ns(task);
	return ns;
}

struct usage process_usage(struct process *process)
{
	struct usage sum = process->dead_usage;
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &process->threads, thread_link) {
		struct usage usage = task_usage(task);

		if (task->mm)
			usage.most_pages = most_pages(task->mm);
		usage_add(&sum, &usage);
	}
	return sum;
}

/* No tick has found what is left of its time: that counts as the program's. */
void process_keep_usage(struct process *process, const struct task *task)
{
	struct usage usage = task_usage(task);

	lockdep_held(&tasks_lock);
	usage.user = task_cpu_ns(task) - usage.system;
	usage_add(&process->dead_usage, &usage);
}

void process_keep_memory(struct process *process, const struct mm *mm)
{
	lockdep_held(&tasks_lock);
	process->dead_usage.most_pages = MAX(process->dead_usage.most_pages, most_pages(mm));
}

/* ---- the calls ---- */

int usage_to_user(const struct usage *usage, void __user *to)
{
	/* getrusage(2); the other numbers are not counted. */
	const struct {
		struct timeval32 user, system;
		uint32_t max_rss_kb, shared_text, data, stack, minor_faults, major_faults;
		uint32_t swaps, blocks_in, blocks_out, sent, received, signals;
		uint32_t voluntary, involuntary;
	} words = {
		.user = timeval_from_ns(usage->user),
		.system = timeval_from_ns(usage->system),
		.max_rss_kb = usage->most_pages * (PAGE_SIZE / 1024),
		.minor_faults = usage->minor_faults,
		.major_faults = usage->major_faults,
		.blocks_in = usage->io.stored[0] >> BLOCK_SHIFT,
		.blocks_out = usage->io.stored[1] >> BLOCK_SHIFT,
		.voluntary = usage->voluntary,
		.involuntary = usage->involuntary,
	};

	return copy_to_user(to, &words, sizeof(words));
}

long sys_getrusage(int who, void __user *to)
{
	struct process *process = current->process;
	struct usage usage;
	unsigned int flags;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return refuse(EINVAL, "neither a process, nor its children, nor a thread");
	flags = spin_lock_irqsave(&tasks_lock);
	usage = who == RUSAGE_CHILDREN ? process->children_usage : process_usage(process);
	if (who == RUSAGE_THREAD) {
		unsigned int pages = usage.most_pages;

		usage = task_usage(current);
		usage.most_pages = pages;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return usage_to_user(&usage, to);
}

static uint32_t clock_ticks(uint64_t ns)
{
	return div_u64(ns, NSEC_PER_SEC / 100, NULL);
}

long sys_times(void __user *to)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct usage own = process_usage(process), children = process->children_usage;
	uint32_t words[4];

	spin_unlock_irqrestore(&tasks_lock, flags);
	words[0] = clock_ticks(own.user);
	words[1] = clock_ticks(own.system);
	words[2] = clock_ticks(children.user);
	words[3] = clock_ticks(children.system);
	if (to && copy_to_user(to, words, sizeof(words)) < 0)
		return -EFAULT;
	/* The clock may start anywhere, so it need not have values that look like an error. */
	return clock_ticks(time_now()) & INT32_MAX;
}
