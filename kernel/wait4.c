/*
 * Waiting for children: wait4, waitpid, waitid.
 *
 * 1. A child is reaped (its zombie taken out of the tree) by exactly one waiter, under tasks_lock.
 * 2. The waiter sleeps on its process's child_wait; who changes a child holds tasks_lock, and then
 *    wakes.
 * 3. Any thread of a process waits for the children of all of them.
 */
#include "kernel/process.h"
#include "kernel/rusage.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/uaccess.h"

#define WNOHANG		 0x00000001u
#define WUNTRACED	 0x00000002u /* = WSTOPPED */
#define WEXITED		 0x00000004u
#define WCONTINUED	 0x00000008u
#define WNOWAIT		 0x01000000u
#define STATUS_CONTINUED 0xffff

enum { P_ALL, P_PID, P_PGID }; /* waitid */

struct wait_request {
	unsigned int pid, pgid; /* of a wanted child; 0: any */
	unsigned int options;
	/* what was found */
	struct signal_info info;
	int status; /* as wait4 gives it */
	uint64_t cpu_ns;
};

static void found(struct wait_request *request, struct process *child, enum child_event event,
		  int status)
{
	request->info = child_info(child, event);
	request->status = status;
	request->cpu_ns = process_cpu_ns(child) + child->children_ns;
}

/* True if the child has something to tell that is asked for. */
static bool look_at(struct wait_request *request, struct process *child)
{
	bool keep = request->options & WNOWAIT, told = true;

	if (child->zombie) {
		if (!(request->options & WEXITED))
			return false;
		found(request, child, CHILD_EXITED, child->exit_status);
		if (!keep) {
			current->process->children_ns += request->cpu_ns;
			process_unlink(child);
		}
		return true;
	}
	spin_lock(&child->signal_lock);
	if ((request->options & WUNTRACED) && child->stopped && !child->stop_reported) {
		found(request, child, CHILD_STOPPED, child->stop_signal << 8 | 0x7f);
		child->stop_reported = !keep;
	} else if ((request->options & WCONTINUED) && child->continued) {
		found(request, child, CHILD_CONTINUED, STATUS_CONTINUED);
		child->continued = keep;
	} else {
		told = false;
	}
	spin_unlock(&child->signal_lock);
	return told;
}

/* 1: found; 0: none yet; -ECHILD: there is none to wait for. */
static int scan(struct wait_request *request)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *child;
	int result = -ECHILD;

	list_for_each(child, &current->process->children, sibling) {
		if ((request->pid && child->pid != request->pid) ||
		    (request->pgid && child->pgid != request->pgid))
			continue;
		result = look_at(request, child);
		if (result)
			break;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

/* 1 with the child in the request, 0 (WNOHANG), or an error. rusage is filled in unless NULL. */
static int wait_for_child(struct wait_request *request, void __user *rusage)
{
	int result = scan(request), error = 0;

	if (result == 0 && !(request->options & WNOHANG))
		error = wait_event_interruptible(&current->process->child_wait,
						 (result = scan(request)) != 0);
	if (result > 0 && rusage && rusage_to_user(request->cpu_ns, rusage) < 0)
		return -EFAULT;
	return result ? result : error;
}

long sys_wait4(int pid, void __user *status, unsigned int options, void __user *rusage)
{
	struct wait_request request = { .options = options | WEXITED };
	int result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED))
		return refuse(EINVAL, "unknown options");
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid > 0)
		request.pid = pid;
	else if (pid != -1)
		request.pgid = pid ? (unsigned int)-pid : current->process->pgid;
	result = wait_for_child(&request, rusage);
	if (result <= 0)
		return result;
	if (status && put_user_u32(request.status, status) < 0)
		return -EFAULT;
	return request.info.pid;
}

long sys_waitpid(int pid, void __user *status, unsigned int options)
{
	return sys_wait4(pid, status, options, NULL);
}

long sys_waitid(unsigned int which, int id, void __user *info, unsigned int options,
		void __user *rusage)
{
	struct wait_request request = { .options = options };
	uint32_t words[SIGINFO_SIZE / 4] = { 0 };
	int result;

	if (options & ~(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT))
		return refuse(EINVAL, "unknown options");
	if (!(options & (WUNTRACED | WEXITED | WCONTINUED)))
		return refuse(EINVAL, "nothing to wait for");
	if (which > P_PGID || (which != P_ALL && id < (which == P_PID)))
		return refuse(EINVAL, "no such kind of id, or no id");
	if (which == P_PID)
		request.pid = id;
	if (which == P_PGID)
		request.pgid = id ? (unsigned int)id : current->process->pgid;
	result = wait_for_child(&request, rusage);
	if (result < 0)
		return result;
	if (result > 0)
		signal_info_to_user_form(SIGCHLD, &request.info, words);
	return info ? copy_to_user(info, words, sizeof(words)) : 0;
}
