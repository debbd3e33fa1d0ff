/*
 * Waiting for children: wait4, waitpid, waitid.
 *
 * 1. Exactly one waiter reaps a child, which means that it takes the zombie out of the tree. It
 *    does so under tasks_lock. With WNOWAIT, a waiter only looks, and leaves the child to another
 *    one.
 * 2. The waiter sleeps on its process's child_wait. A child's state is changed under tasks_lock,
 *    and then the parent's waiters are woken.
 * 3. A thread can wait for all children of its process, whichever thread created them, unless it
 *    uses __WNOTHREAD. A child whose exit signal is not SIGCHLD is found with __WCLONE and __WALL
 *    only.
 * 4. It can also wait for the tracees of all threads of its process (kernel/process/ptrace.h), each
 *    by its own number. A child that they trace is waited for as a tracee. One that another process
 *    traces can be reaped only when that has waited for it.
 */
#include "fs/proc/pidfd.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define WNOHANG		 1u
#define WUNTRACED	 2u /* waitid(2) calls it WSTOPPED */
#define WEXITED		 4u
#define WCONTINUED	 8u
#define WNOWAIT		 0x01000000u /* the child stays as it is, for the next wait */
#define WNOTHREAD	 0x20000000u /* only children and tracees of the thread itself */
#define WALL		 0x40000000u /* children of all kinds */
#define WCLONE		 0x80000000u /* only those whose exit signal is not SIGCHLD */
#define OF_CHILDREN	 (WNOTHREAD | WALL | WCLONE)
#define STATUS_CONTINUED 0xffff

enum { P_ALL, P_PID, P_PGID, P_PIDFD };

struct wait_request {
	int pid;		 /* which children, as in waitpid(2) */
	struct process *process; /* if not NULL, only this one */
	bool unwilling;		 /* its descriptor has O_NONBLOCK: EAGAIN instead of waiting */
	unsigned int options;
	/* the result */
	unsigned int child, uid;
	int status;
	bool trapped; /* a tracee has stopped for its tracer */
	struct usage usage;
	struct task
		*released; /* a dead tracee, whose reference is to be dropped without the lock */
};

/* Is the child's first thread traced by the current process? Then it is waited for as a tracee. */
static bool is_own_tracee(struct process *child)
{
	const struct task *leader = process_leader(child);

	return leader && leader->ptrace.tracer &&
	       leader->ptrace.tracer->process == current->process;
}

/* The child is a zombie. Its times count as its parent's once it has been waited for. */
static void reap(struct process *child, const struct wait_request *request)
{
	usage_add(&current->process->children_usage, &request->usage);
	process_unlink(child);
}

/*
 * Returns true if the child has ended, stopped or continued as requested, and stores the result.
 * tasks_lock is held.
 */
static bool look_at(struct wait_request *request, struct process *child)
{
	bool ended = child->nr_threads == 0, keep = request->options & WNOWAIT;

	if (ended && child->held)
		return false;
	if (ended) {
		request->status = child->exit_status;
	} else if ((request->options & WUNTRACED) && child->stopped && !child->stop_reported &&
		   !is_own_tracee(child)) {
		request->status = child->stop_signal << 8 | 0x7f;
		child->stop_reported = !keep;
	} else if ((request->options & WCONTINUED) && child->continued) {
		request->status = STATUS_CONTINUED;
		child->continued = keep;
	} else {
		return false;
	}
	request->child = child->pid;
	request->uid = child->cred.uid;
	request->usage = process_usage(child);
	usage_add(&request->usage, &child->children_usage);
	if (ended && !keep)
		reap(child, request);
	return true;
}

/* A dead tracee has been waited for. If it was its process's last thread, that has ended now. */
static void reap_tracee(struct task *task, struct wait_request *request)
{
	struct process *process = task->process;
	bool leader = process->held_leader == task;

	ptrace_release(task);
	request->released = task;
	if (leader && process->parent == current->process)
		reap(process, request);
	else
		process_tell_end(process);
}

/* The same for a tracee, which has ended or stopped. */
static bool look_at_tracee(struct wait_request *request, struct task *task)
{
	bool keep = request->options & WNOWAIT;
	struct process *process = task->process;
	struct ptrace *ptrace = &task->ptrace;

	if (ptrace->dead) {
		if (!(request->options & WEXITED) ||
		    (process->held_leader == task && (process->nr_threads || process->held > 1)))
			return false;
		request->status = ptrace->exit_status;
	} else if (ptrace->stopped && ptrace->code && !ptrace->listening) {
		request->status = ptrace->code << 8 | 0x7f;
		request->trapped = true;
		if (!keep)
			ptrace->code = 0;
	} else {
		return false;
	}
	request->child = task->tid;
	request->uid = process->cred.uid;
	request->usage = process_usage(process);
	usage_add(&request->usage, &process->children_usage);
	if (ptrace->dead && !keep)
		reap_tracee(task, request);
	return true;
}

static bool tracee_is_meant(const struct task *task, int pid)
{
	return pid > 0 ? task->tid == (unsigned int)pid : process_is_meant(task->process, pid);
}

/* The part of scan() for tracees. It returns `result` if there is none. */
static int scan_tracees(struct wait_request *request, int result)
{
	struct task *tracer, *task;

	list_for_each(tracer, &current->process->threads, thread_link) {
		if (request->options & WNOTHREAD && tracer != current)
			continue;
		list_for_each(task, &tracer->tracees, ptrace.link) {
			if (request->pid != -1 && !tracee_is_meant(task, request->pid))
				continue;
			if (look_at_tracee(request, task))
				return 1;
			result = 0;
		}
	}
	return result;
}

/* Do the options allow a child of this kind? A tracee is waited for whatever its kind is. */
static bool kind_is_meant(const struct wait_request *request, const struct process *child)
{
	if (request->options & WNOTHREAD && child->maker != current->tid)
		return false;
	return request->options & WALL ||
	       (child->exit_signal != SIGCHLD) == !!(request->options & WCLONE);
}

static bool child_is_meant(const struct wait_request *request, const struct process *child)
{
	if (!kind_is_meant(request, child))
		return false;
	if (request->process)
		return child == request->process;
	return request->pid == -1 || process_is_meant(child, request->pid);
}

/*
 * Returns 1 if a child was found, 0 if none has changed yet, or -ECHILD if there is no such child.
 * A zombie is none for a call without WEXITED, because nothing will happen to it any more.
 */
static int scan(struct wait_request *request)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *child;
	int result = -ECHILD;

	list_for_each(child, &current->process->children, sibling) {
		if (!child_is_meant(request, child))
			continue;
		if (child->nr_threads == 0 && !(request->options & WEXITED))
			continue;
		result = look_at(request, child);
		if (result)
			break;
	}
	if (result <= 0)
		result = scan_tracees(request, result);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (request->released)
		task_put(request->released);
	return result;
}

/*
 * Returns 1 if a child was found, 0 if WNOHANG is set and none has changed, -ECHILD or
 * -ERESTARTSYS.
 */
static int find_child(struct wait_request *request)
{
	int result = scan(request), error = 0;

	if (result == 0 && !(request->options & WNOHANG))
		error = wait_event_interruptible(&current->process->child_wait,
						 (result = scan(request)) != 0);
	return result ? result : error;
}

long sys_wait4(int pid, void __user *status, unsigned int options, void __user *rusage)
{
	struct wait_request request = { .pid = pid, .options = options | WEXITED };
	int result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | OF_CHILDREN))
		return refuse(EINVAL, "unknown options");
	if (pid == INT32_MIN)
		return -ESRCH;
	result = find_child(&request);
	if (result <= 0)
		return result;
	if ((rusage && usage_to_user(&request.usage, rusage) < 0) ||
	    (status && put_user_u32(request.status, status) < 0))
		return -EFAULT;
	return request.child;
}

long sys_waitpid(int pid, void __user *status, unsigned int options)
{
	return sys_wait4(pid, status, options, NULL);
}

/* ---- waitid ---- */

/*
 * The child of a pidfd, to which the request gets a reference. If the descriptor has O_NONBLOCK,
 * the call does not wait. Returns 0, -EINVAL or -EBADF.
 */
static int choose_by_pidfd(struct wait_request *request, int id)
{
	struct process *process;
	unsigned int flags;

	if (id < 0)
		return refuse(EINVAL, "not a descriptor");
	process = pidfd_process(id, &flags);
	if (IS_ERR(process))
		return PTR_ERR(process);
	request->process = process;
	request->unwilling = flags & O_NONBLOCK && !(request->options & WNOHANG);
	if (request->unwilling)
		request->options |= WNOHANG;
	return 0;
}

/*
 * Translate the pair of waitid(2) to the pid of waitpid(2), or to a process. Returns 0 or an error.
 */
static int choose_children(struct wait_request *request, unsigned int which, int id)
{
	switch (which) {
	case P_ALL:
		request->pid = -1;
		return 0;
	case P_PID:
		request->pid = id;
		return id > 0 ? 0 : refuse(EINVAL, "not a process id");
	case P_PGID:
		/*
		 * Group 1 is not -1, which would mean all children. It is init's, and cannot have
		 * any of ours.
		 */
		request->pid = id == 1 ? INT32_MIN : -id;
		return id >= 0 ? 0 : refuse(EINVAL, "not a process group");
	case P_PIDFD:
		return choose_by_pidfd(request, id);
	default:
		return refuse(EINVAL, "not a kind of id");
	}
}

/* Fill in the words of a siginfo_t, as SIGCHLD would have them. */
static void describe(const struct wait_request *request, uint32_t words[6])
{
	int status = request->status;

	words[0] = SIGCHLD;
	words[3] = request->child;
	words[4] = request->uid;
	if (status == STATUS_CONTINUED) {
		words[2] = CLD_CONTINUED;
		words[5] = SIGCONT;
	} else if (request->trapped) {
		words[2] = CLD_TRAPPED;
		words[5] = status >> 8;
	} else if ((status & 0xff) == 0x7f) {
		words[2] = CLD_STOPPED;
		words[5] = status >> 8;
	} else {
		words[2] = status & 0x7f ? CLD_KILLED : CLD_EXITED;
		words[5] = status & 0x7f ? status & 0x7f : status >> 8;
	}
}

long sys_waitid(unsigned int which, int id, void __user *to, unsigned int options,
		void __user *rusage)
{
	struct wait_request request = { .options = options };
	uint32_t words[6] = { 0 };
	int result;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | OF_CHILDREN))
		return refuse(EINVAL, "unknown options");
	if (!(options & (WEXITED | WUNTRACED | WCONTINUED)))
		return refuse(EINVAL, "nothing to wait for");
	result = choose_children(&request, which, id);
	if (result < 0)
		return result;
	result = find_child(&request);
	if (request.process)
		process_put(request.process);
	if (result == 0 && request.unwilling)
		result = -EAGAIN;
	if (result > 0) {
		if (rusage && usage_to_user(&request.usage, rusage) < 0)
			return -EFAULT;
		describe(&request, words);
	}
	/* Linux clears the words also if the call fails or finds nothing. */
	if (to && copy_to_user(to, words, sizeof(words)) < 0)
		return -EFAULT;
	return MIN(result, 0);
}
