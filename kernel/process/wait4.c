/*
 * Waiting for children: wait4, waitpid.
 *
 * 1. A child is reaped (its zombie taken out of the tree) by exactly one waiter, under tasks_lock.
 * 2. The waiter sleeps on its process's child_wait; who changes a child holds tasks_lock, and then
 *    wakes.
 * 3. Any thread of a process waits for the children of all of them.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define WNOHANG		 1u
#define WUNTRACED	 2u
#define WCONTINUED	 8u
#define WALL		 0x40000000u /* children of all kinds */
#define WCLONE		 0x80000000u /* those that end without SIGCHLD: fork makes none */
#define STATUS_CONTINUED 0xffff

struct wait_request {
	int pid; /* which children */
	unsigned int options;
	/* what was found */
	unsigned int child;
	int status;
	struct cpu_time time;
};

/*
 * True if the child has something to tell that is asked for. tasks_lock is held, and with it how the
 * child stops and goes on.
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

/* 1: found; 0: none yet; -ECHILD: there is none to wait for. */
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
