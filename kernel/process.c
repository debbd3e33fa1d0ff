/*
 * Processes as things that are found: numbers, the table of them, groups.
 *
 * 1. A number is in use while a task, a process (zombies too), a group or a session has it.
 * 2. A process has one reference for its place in the table, given up when it is reaped, and one
 *    for each of its tasks, given up when the task is freed.
 * 3. tasks_lock guards the tables and everything that is linked in them.
 */
#include "kernel/process.h"
#include "kernel/init.h"
#include "kernel/signal.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm.h"

#define PID_BUCKETS 256u

spinlock_t tasks_lock = SPINLOCK_INIT("tasks");
struct list all_processes = LIST_INIT(all_processes);
struct process *init_process;

static struct list task_table[PID_BUCKETS], process_table[PID_BUCKETS]; /* tasks_lock */
static unsigned int last_number;					/* tasks_lock */
static struct slab_cache *process_cache;

static void process_init(void)
{
	for (unsigned int i = 0; i < PID_BUCKETS; i++) {
		list_init(&task_table[i]);
		list_init(&process_table[i]);
	}
	process_cache = slab_cache_create("process", sizeof(struct process), 0);
}
INITCALL(1, process_init);

struct task *task_find_locked(unsigned int tid)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &task_table[tid % PID_BUCKETS], tid_link)
		if (task->tid == tid)
			return task;
	return NULL;
}

struct process *process_find_locked(unsigned int pid)
{
	struct process *process;

	lockdep_held(&tasks_lock);
	list_for_each(process, &process_table[pid % PID_BUCKETS], pid_link)
		if (process->pid == pid)
			return process;
	return NULL;
}

struct task *task_find(unsigned int tid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = task_find_locked(tid);

	if (task)
		task_get(task);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return task;
}

struct process *process_find(unsigned int pid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process = process_find_locked(pid);

	if (process)
		atomic_inc(&process->refs);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return process;
}

void process_put(struct process *process)
{
	unsigned int flags;

	if (!atomic_dec_and_test(&process->refs))
		return;
	flags = spin_lock_irqsave(&process->signal_lock);
	signal_flush(process, NULL, ~0ull);
	spin_unlock_irqrestore(&process->signal_lock, flags);
	kfree(process->executable);
	slab_free(process_cache, process);
}

struct mm *process_mm(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct mm *mm = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link) {
		mm = task->mm;
		if (mm)
			break;
	}
	if (mm)
		mm_get(mm);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return mm;
}

uint64_t task_cpu_ns(const struct task *task)
{
	unsigned int flags = irq_save();
	uint64_t ns = task->run_ns;

	if (task == current)
		ns += time_now() - task->last_run;
	irq_restore(flags);
	return ns;
}

uint64_t process_cpu_ns(struct process *process)
{
	uint64_t ns = process->dead_threads_ns;
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(task, &process->threads, thread_link)
		ns += task_cpu_ns(task);
	return ns;
}

bool process_group_orphaned(unsigned int pgid, const struct process *leaving)
{
	struct process *process;

	lockdep_held(&tasks_lock);
	list_for_each(process, &all_processes, all_link) {
		if (process->pgid != pgid || process == leaving || process->zombie ||
		    !process->parent || process->parent == init_process)
			continue;
		if (process->parent->pgid != pgid && process->parent->sid == process->sid)
			return false;
	}
	return true;
}

/* ---- making processes ---- */

static const struct rlimit first_limits[NR_RLIMITS] = {
	[RLIMIT_CPU] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_FSIZE] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_DATA] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_STACK] = { 8u << 20, RLIM_INFINITY },
	[RLIMIT_CORE] = { 0, RLIM_INFINITY },
	[RLIMIT_RSS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_NPROC] = { 4096, 4096 },
	[RLIMIT_NOFILE] = { 1024, 65536 },
	[RLIMIT_MEMLOCK] = { 8u << 20, 8u << 20 },
	[RLIMIT_AS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_LOCKS] = { RLIM_INFINITY, RLIM_INFINITY },
	[RLIMIT_SIGPENDING] = { 1024, 1024 },
	[RLIMIT_MSGQUEUE] = { 819200, 819200 },
	[RLIMIT_RTTIME] = { RLIM_INFINITY, RLIM_INFINITY },
};

/* What a child has from its parent; the tree's fields come with process_link(). */
static bool process_inherit(struct process *process, struct process *parent)
{
	size_t len = parent->executable ? strlen(parent->executable) + 1 : 0;
	unsigned int flags;

	if (len) {
		process->executable = kmalloc(len, 0);
		if (!process->executable)
			return false;
		memcpy(process->executable, parent->executable, len);
	}
	flags = spin_lock_irqsave(&parent->signal_lock);
	memcpy(process->actions, parent->actions, sizeof(process->actions));
	spin_unlock_irqrestore(&parent->signal_lock, flags);
	process->cred = parent->cred;
	memcpy(process->limits, parent->limits, sizeof(process->limits));
	process->dumpable = parent->dumpable;
	return true;
}

struct process *process_create(struct process *parent)
{
	struct process *process = slab_alloc(process_cache, ALLOC_ZERO);

	if (!process)
		return NULL;
	atomic_set(&process->refs, 1);
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->sibling);
	list_init(&process->all_link);
	list_init(&process->pid_link);
	list_init(&process->siginfo);
	wait_queue_init(&process->child_wait, "child_wait");
	spin_init(&process->signal_lock, "signal");
	process->exit_signal = SIGCHLD;
	if (!parent) {
		memcpy(process->limits, first_limits, sizeof(first_limits));
		process->dumpable = 1;
	} else if (!process_inherit(process, parent)) {
		process_put(process);
		return NULL;
	}
	return process;
}

/* ---- numbers and places ---- */

static bool number_in_use(unsigned int number)
{
	struct process *process;

	if (task_find_locked(number) || process_find_locked(number))
		return true;
	list_for_each(process, &all_processes, all_link)
		if (process->pgid == number || process->sid == number)
			return true;
	return false;
}

/* Numbers go round, so that a number just given up stays unused for long. 0: none left. */
static unsigned int number_alloc(void)
{
	for (unsigned int i = 0; i < PID_MAX - 1; i++) {
		last_number = last_number + 1 < PID_MAX ? last_number + 1 : 2;
		if (!number_in_use(last_number))
			return last_number;
	}
	return 0;
}

static void thread_place(struct process *process, struct task *task, unsigned int number)
{
	task->tid = number;
	atomic_inc(&process->refs);
	task->process = process;
	list_add(&task_table[number % PID_BUCKETS], &task->tid_link);
	list_add_tail(&process->threads, &task->thread_link);
	process->nr_threads++;
	atomic_inc(&process->nr_running);
}

int thread_link(struct process *process, struct task *task)
{
	unsigned int number;

	lockdep_held(&tasks_lock);
	number = number_alloc();
	if (number == 0)
		return -EAGAIN;
	thread_place(process, task, number);
	return 0;
}

int process_link(struct process *process, struct task *task)
{
	struct process *parent = current->process;
	unsigned int number;

	lockdep_held(&tasks_lock);
	number = number_alloc();
	if (number == 0)
		return -EAGAIN;
	process->pid = number;
	process->leader = task;
	if (parent) {
		process->parent = parent;
		process->parent_pid = parent->pid;
		process->pgid = parent->pgid;
		process->sid = parent->sid;
		process->tty = parent->tty;
		list_add_tail(&parent->children, &process->sibling);
	} else {
		process->pgid = process->sid = number;
	}
	list_add(&process_table[number % PID_BUCKETS], &process->pid_link);
	list_add_tail(&all_processes, &process->all_link);
	thread_place(process, task, number);
	return 0;
}

void thread_unlink(struct task *task)
{
	struct process *process = task->process;

	lockdep_held(&tasks_lock);
	list_del(&task->tid_link);
	list_del(&task->thread_link);
	process->nr_threads--;
	process->dead_threads_ns += task_cpu_ns(task);
	if (process->leader == task)
		process->leader = process->nr_threads
					  ? list_first(&process->threads, struct task, thread_link)
					  : NULL;
}

void thread_become_leader(struct task *task)
{
	lockdep_held(&tasks_lock);
	list_del(&task->tid_link);
	task->tid = task->process->pid;
	list_add(&task_table[task->tid % PID_BUCKETS], &task->tid_link);
	task->process->leader = task;
}

void process_unlink(struct process *process)
{
	lockdep_held(&tasks_lock);
	list_del(&process->sibling);
	list_del(&process->pid_link);
	list_del(&process->all_link);
	process_put(process);
}
