/*
 * Waiting for children: wait4, waitpid.
 *
 * 1. Exactly one waiter reaps a child, which means that it takes the zombie out of the tree. It does so
 *    under tasks_lock.
 * 2. The waiter sleeps on its process's child_wait. A child's state is changed under tasks_lock, and then
 *    the parent's waiters are woken.
 * 3. A thread can wait for all children of its process, whichever thread created them.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define WNOHANG		 1u
#define WUNTRACED	 2u
#define WCONTINUED	 8u
#define WALL		 0x40000000u /* children of all kinds */
#define WCLONE		 0x80000000u /* children that end without SIGCHLD; fork makes none */
#define STATUS_CONTINUED 0xffff

struct wait_request {
	int pid; /* which children */
	unsigned int options;
	/* the result */
	unsigned int child;
	int status;
	struct cpu_time time;
};

/*
 * Returns true if the child has ended, stopped or continued as requested, and stores the result. tasks_lock
 * is held.
 */
static bool look_at(struct wait_request *request, struct process *child)
{
	if (child->nr_threads == 0) {
		request->status = child->exit_status;
	} else if ((request->options & WUNTRACED) && child->stopped && !child->stop_reported) {
		request->status = child->stop_signal << 8 | 0x7f;
		child->stop_reported = true;
	} else if ((request->options & WCONTINUED) && child->continued) {
		request->status = STATUS_CONTINUED;
		child->continued = false;
	} else {
		return false;
	}
	request->child = child->pid;
	request->time = process_cpu_time(child);
	cpu_time_add(&request->time, child->children_time);
	if (child->nr_threads == 0) {
		cpu_time_add(&current->process->children_time, request->time);
		process_unlink(child);
	}
	return true;
}

/* Returns 1 if a child was found, 0 if none has changed yet, or -ECHILD if there is no such child. */
static int scan(struct wait_request *request)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *child;
	int result = -ECHILD;

	list_for_each(child, &current->process->children, sibling) {
		if (!process_is_meant(child, request->pid))
			continue;
		result = look_at(request, child);
		if (result)
			break;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

/* CPU time; the rest is zero. */
struct user_rusage {
	struct timeval32 user, system;
	int32_t unknown[14];
};

long sys_wait4(int pid, void __user *status, unsigned int options, void __user *rusage)
{
	struct user_rusage used = { 0 };
	struct wait_request request = { .pid = pid, .options = options };
	int result, error = 0;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WALL | WCLONE))
		return refuse(EINVAL, "unknown options");
	if (pid == INT32_MIN)
		return -ESRCH;
	if ((options & (WALL | WCLONE)) == WCLONE)
		return -ECHILD;
	result = scan(&request);
	if (result == 0 && !(options & WNOHANG))
		error = wait_event_interruptible(&current->process->child_wait,
						 (result = scan(&request)) != 0);
	if (result <= 0)
		return result ? result : error;
	used.user = timeval_from_ns(request.time.user);
	used.system = timeval_from_ns(request.time.system);
	if ((rusage && copy_to_user(rusage, &used, sizeof(used)) < 0) ||
	    (status && put_user_u32(request.status, status) < 0))
		return -EFAULT;
	return request.child;
}

long sys_waitpid(int pid, void __user *status, unsigned int options)
{
	return sys_wait4(pid, status, options, NULL);
}
