/*
 * Creating and finding processes, and their numbers.
 *
 * 1. A number is in use as long as a task, a process (even a zombie), a group or a session has it.
 * 2. A process has one reference for its place in the tree, which is dropped when it is reaped. It
 *    has one more for each of its tasks, which is dropped when the task is freed.
 * 3. tasks_lock guards the list and the tree of processes.
 */
#include "kernel/process/process.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/process/credentials.h"
#include "kernel/process/ptrace.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

spinlock_t tasks_lock = SPINLOCK_INIT("tasks");
struct list all_processes = LIST_INIT(all_processes);
static struct tree_node *by_number; /* the same processes, by pid; tasks_lock */
struct process *init_process;

uint32_t threads_max;
static unsigned int nr_threads;		  /* that count for threads_max; tasks_lock */
static unsigned int last_number;	  /* handed out most recently; tasks_lock */
static unsigned int free_until = PID_MAX; /* the numbers between these two are free; tasks_lock */
SLAB_CACHE(process_cache, "process", struct process, 0);
SLAB_CACHE(handlers_cache, "signal_handlers", struct signal_handlers, 0);

struct task *task_find_locked(unsigned int tid)
{
	struct process *process;
	struct task *task;

	lockdep_held(&tasks_lock);
	list_for_each(process, &all_processes, all_link)
		list_for_each(task, &process->threads, thread_link)
			if (task->tid == tid)
				return task;
	return NULL;
}

struct process *process_find_locked(unsigned int pid)
{
	struct process *process;

	process = process_next_locked(pid);
	return process && process->pid == pid ? process : NULL;
}

struct process *process_next_locked(unsigned int from)
{
	struct tree_node *node;

	lockdep_held(&tasks_lock);
	node = from > 0 ? tree_above(by_number, from - 1) : NULL;
	return node ? container_of(node, struct process, by_number) : NULL;
}

bool process_is_meant(const struct process *process, int pid)
{
	if (pid > 0)
		return process->pid == pid;
	if (pid == -1)
		return process != init_process && process != current->process;
	return process->pgid == (pid ? 0u - pid : current->process->pgid);
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
	if (!atomic_dec_and_test(&process->refs))
		return;
	signal_handlers_put(process->handlers);
	slab_free(process_cache, process);
}

static void leave_process(struct task *task)
{
	process_put(task->process);
}

void process_join(struct task *task, struct process *process)
{
	task->process = process;
	task->before_free = leave_process;
}

bool process_group_orphaned(unsigned int pgid, const struct process *leaving)
{
	struct process *process;

	lockdep_held(&tasks_lock);
	list_for_each(process, &all_processes, all_link) {
		if (process->pgid != pgid || process == leaving || process->nr_threads == 0 ||
		    !process->parent || process->parent == init_process)
			continue;
		if (process->parent->pgid != pgid && process->parent->sid == process->sid)
			return false;
	}
	return true;
}

/* ---- making processes ---- */

struct signal_handlers *signal_handlers_create(void)
{
	struct signal_handlers *handlers = slab_alloc(handlers_cache, ALLOC_ZERO);

	if (handlers)
		atomic_set(&handlers->refs, 1);
	return handlers;
}

void signal_handlers_put(struct signal_handlers *handlers)
{
	if (atomic_dec_and_test(&handlers->refs))
		slab_free(handlers_cache, handlers);
}

struct process *process_create(struct signal_handlers *shared)
{
	struct process *process = slab_alloc(process_cache, ALLOC_ZERO);

	if (!process)
		return NULL;
	if (shared)
		atomic_inc(&shared->refs);
	process->handlers = shared ? shared : signal_handlers_create();
	if (!process->handlers) {
		slab_free(process_cache, process);
		return NULL;
	}
	atomic_set(&process->refs, 1);
	list_init(&process->all_link);
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->signals.queued);
	list_init(&process->timers);
	wait_queue_init(&process->child_wait, "child_wait");
	wait_queue_init(&process->end_wait, "end_wait");
	wait_queue_init(&process->signal_wait, "signal_wait");
	return process;
}

static void set_first_limits(struct rlimit *limits)
{
	struct memory_stats memory;
	unsigned int tasks;

	for (unsigned int i = 0; i < NR_RLIMITS; i++)
		limits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	limits[RLIMIT_STACK].soft = 8u << 20;
	limits[RLIMIT_CORE].soft = 0;
	limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct rlimit){ 0, 0 };
	limits[RLIMIT_NOFILE] = (struct rlimit){ 1024, 65536 };
	limits[RLIMIT_MSGQUEUE] = (struct rlimit){ 819200, 819200 };
	limits[RLIMIT_MEMLOCK] = (struct rlimit){ 8u << 20, 8u << 20 };
	/* Kernel stacks may take up to an 8th of memory, and those of a user's tasks half of it. */
	memory_stats(&memory);
	tasks = memory.total / (KERNEL_STACK_SIZE / PAGE_SIZE) / 16;
	threads_max = 2 * tasks;
	limits[RLIMIT_NPROC] = (struct rlimit){ tasks, tasks };
	limits[RLIMIT_SIGPENDING] = limits[RLIMIT_NPROC];
}

/* Give the first process what others inherit. */
static void set_first_values(struct process *process)
{
	set_first_limits(process->limits);
	process->cred.permitted = process->cred.effective = process->cred.bounding = CAP_ALL;
}

/* Give a new process everything that it inherits from its parent. */
static void inherit(struct process *process, struct process *parent)
{
	process->parent = parent;
	process->parent_pid = parent->pid;
	process->maker = current->tid;
	process->parent_execs = parent->execs;
	process->pgid = parent->pgid;
	process->sid = parent->sid;
	process->tty = parent->tty;
	process->cred = parent->cred;
	process->undumpable = parent->undumpable;
	process->thp_disabled = parent->thp_disabled;
	process->oom_adjust = parent->oom_adjust;
	if (process->handlers != parent->handlers)
		memcpy(process->handlers->actions, parent->handlers->actions,
		       sizeof(process->handlers->actions));
	memcpy(process->limits, parent->limits, sizeof(process->limits));
	process->measured = limits_measure(process);
	list_add_tail(&parent->children, &process->sibling);
}

/* ---- numbers and places ---- */

/* The same for a task and its tracees. Dead ones keep their numbers. */
static unsigned int next_of_task(const struct task *task, unsigned int from)
{
	unsigned int lowest = task->tid >= from ? task->tid : PID_MAX;
	const struct task *tracee;

	list_for_each(tracee, &task->tracees, ptrace.link)
		lowest = tracee->tid >= from ? MIN(lowest, tracee->tid) : lowest;
	return lowest;
}

/* Returns the lowest number, from `from` on, that is in use, or PID_MAX if there is none. */
static unsigned int next_in_use(unsigned int from)
{
	unsigned int lowest = PID_MAX;
	struct process *process;
	struct task *task;

	list_for_each(process, &all_processes, all_link) {
		const unsigned int ids[] = { process->pid, process->pgid, process->sid };

		for (unsigned int i = 0; i < ARRAY_SIZE(ids); i++)
			lowest = ids[i] >= from ? MIN(lowest, ids[i]) : lowest;
		list_for_each(task, &process->threads, thread_link)
			lowest = MIN(lowest, next_of_task(task, from));
	}
	return lowest;
}

/*
 * Returns a free number, or 0 if there is none. Numbers are handed out in a circle, so that a
 * number is not reused soon. All numbers come from here, so those that were found free stay free
 * until they are handed out, and the processes are searched only when there is none left.
 */
static unsigned int number_alloc(void)
{
	for (unsigned int i = 0; last_number + 1 >= free_until; i++) {
		if (i == PID_MAX)
			return 0;
		last_number = last_number + 1 < PID_MAX ? last_number + 1 : 1;
		free_until = process_find_locked(last_number + 1) ? last_number + 1
								  : next_in_use(last_number + 1);
	}
	return ++last_number;
}

/*
 * Hand out one number. Returns 0, -EINVAL if there is no such number, -EPERM without the
 * capability, or -EEXIST if it is in use.
 */
static int number_take(unsigned int wanted)
{
	if (wanted >= PID_MAX)
		return refuse(EINVAL, "no process has such a number");
	if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (process_find_locked(wanted) || next_in_use(wanted) == wanted)
		return -EEXIST;
	/* It is not free for number_alloc() any more. */
	if (wanted > last_number)
		free_until = MIN(free_until, wanted);
	return 0;
}

/*
 * How many tasks a user has. A process that has ended, but has not been waited for, counts as one.
 */
static unsigned int tasks_of_user(uint32_t uid)
{
	struct process *process;
	unsigned int tasks = 0;

	list_for_each(process, &all_processes, all_link)
		if (process->cred.uid == uid)
			tasks += MAX(process->nr_threads + process->held, 1u);
	return tasks;
}

/* May the current process's user have one more task? RLIMIT_NPROC does not bind root. */
static bool may_add_task(void)
{
	const struct process *process = current->process;
	const struct credentials *cred = &process->cred;

	return cred->uid == 0 || capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN) ||
	       tasks_of_user(cred->uid) < process->limits[RLIMIT_NPROC].soft;
}

int process_link(struct task *task, unsigned int wanted)
{
	struct process *process = task->process;
	unsigned int number = wanted;
	int error = 0;

	lockdep_held(&tasks_lock);
	if (task != current && nr_threads >= READ_ONCE(threads_max))
		return refuse(EAGAIN, "there are as many tasks as threads-max allows");
	if (task != current && !may_add_task())
		return refuse(EAGAIN, "the user has as many tasks as RLIMIT_NPROC allows");
	if (wanted)
		error = number_take(wanted);
	else if (!(number = number_alloc()))
		error = -EAGAIN;
	if (error)
		return error;
	if (process->nr_threads == 0) {
		process->pid = process->pgid = process->sid = number;
		process->started_ns = task->started_ns;
		atomic_inc(&process->refs);
		list_add_tail(&all_processes, &process->all_link);
		process->by_number.key = number;
		tree_insert(&by_number, &process->by_number);
		if (task != current)
			inherit(process, current->process);
		else
			set_first_values(process);
	}
	task->tid = number;
	list_add_tail(&process->threads, &task->thread_link);
	process->nr_threads++;
	process->nr_running++;
	nr_threads++;
	return 0;
}

void process_lost_thread(void)
{
	lockdep_held(&tasks_lock);
	nr_threads--;
}

void process_unlink(struct process *process)
{
	lockdep_held(&tasks_lock);
	list_del(&process->sibling);
	list_del(&process->all_link);
	tree_remove(&by_number, &process->by_number);
	nr_threads--;
	/* /proc may hold a reference to the process for longer than its parent lives. */
	process->parent = NULL;
	process_put(process);
}

void process_tell_end(struct process *process)
{
	struct task *leader = process->held_leader;
	const struct signal_action *action;
	int status = process->exit_status, killer = status & 0x7f;
	int signo = process_exit_signal(process);

	lockdep_held(&tasks_lock);
	if (process->nr_threads || process->held > (leader ? 1u : 0u))
		return;
	if (leader) {
		leader->ptrace.exit_status = status;
		ptrace_tell_end(leader);
		return;
	}
	action = signal_action_of(process->parent, SIGCHLD);
	process_notify_parent(process, signo, killer ? CLD_KILLED : CLD_EXITED,
			      killer ? killer : status >> 8 & 0xff);
	if (signo == SIGCHLD && (action->handler == SIG_IGN || (action->flags & SA_NOCLDWAIT)))
		process_unlink(process);
}
