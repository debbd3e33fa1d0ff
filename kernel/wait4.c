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

#define WNOHANG		      0x00000001u
#define WUNTRACED	      0x00000002u /* = WSTOPPED */
#define WEXITED		      0x00000004u
#define WCONTINUED	      0x00000008u
#define WNOWAIT		      0x01000000u
#define __WALL		      0x40000000u
#define __WCLONE	      0x80000000u

#define STATUS_STOPPED(signo) ((signo) << 8 | 0x7f)
#define STATUS_CONTINUED      0xffff

enum wait_for { WAIT_ANY, WAIT_PID, WAIT_GROUP };
enum { P_ALL, P_PID, P_PGID }; /* waitid */

struct wait_request {
	enum wait_for which;
	unsigned int id, options;
	/* the child that was found */
	unsigned int pid, uid;
	int status; /* as wait4 gives it */
	int code;   /* CLD_* */
	uint64_t cpu_ns;
};

static bool is_wanted(const struct wait_request *request, const struct process *child)
{
	if (request->which == WAIT_PID && child->pid != request->id)
		return false;
	if (request->which == WAIT_GROUP && child->pgid != request->id)
		return false;
	if (request->options & __WALL)
		return true;
	return (child->exit_signal != SIGCHLD) == !!(request->options & __WCLONE);
}

static void found(struct wait_request *request, struct process *child, int status, int code)
{
	request->pid = child->pid;
	request->uid = child->cred.uid;
	request->status = status;
	request->code = code;
	request->cpu_ns = process_cpu_ns(child) + child->children_ns;
}

static void reap(struct wait_request *request, struct process *child)
{
	found(request, child, child->exit_status,
	      child->exit_status & 0x7f ? CLD_KILLED : CLD_EXITED);
	if (request->options & WNOWAIT)
		return;
	current->process->children_ns += request->cpu_ns;
	process_unlink(child);
}

/* True if the child has something to tell that is asked for. */
static bool look_at(struct wait_request *request, struct process *child)
{
	bool keep = request->options & WNOWAIT, told = true;

	if (child->zombie) {
		if (!(request->options & WEXITED))
			return false;
		reap(request, child);
		return true;
	}
	spin_lock(&child->signal_lock);
	if ((request->options & WUNTRACED) && child->stopped && !child->stop_reported) {
		found(request, child, STATUS_STOPPED(child->stop_signal), CLD_STOPPED);
		child->stop_reported = !keep;
	} else if ((request->options & WCONTINUED) && child->continued) {
		found(request, child, STATUS_CONTINUED, CLD_CONTINUED);
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
		if (!is_wanted(request, child))
			continue;
		result = 0;
		if (look_at(request, child)) {
			result = 1;
			break;
		}
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

/* 1 with the child in the request, 0 (WNOHANG), or an error. */
static int wait_for_child(struct wait_request *request)
{
	int result = scan(request), error;

	if (result != 0 || (request->options & WNOHANG))
		return result;
	error = wait_event_interruptible(&current->process->child_wait,
					 (result = scan(request)) != 0);
	return result ? result : error;
}

long sys_wait4(unsigned long pid_argument, unsigned long status, unsigned long options,
	       unsigned long rusage)
{
	struct wait_request request = { .which = WAIT_ANY, .options = options | WEXITED };
	int pid = pid_argument, result;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE))
		return refuse(EINVAL, "unknown options");
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid > 0) {
		request.which = WAIT_PID;
		request.id = pid;
	} else if (pid != -1) {
		request.which = WAIT_GROUP;
		request.id = pid ? -pid : (int)current->process->pgid;
	}
	result = wait_for_child(&request);
	if (result <= 0)
		return result;
	if (status && put_user_u32(request.status, (void __user *)status) < 0)
		return -EFAULT;
	if (rusage && rusage_to_user(request.cpu_ns, (void __user *)rusage) < 0)
		return -EFAULT;
	return request.pid;
}

long sys_waitpid(unsigned long pid, unsigned long status, unsigned long options)
{
	return sys_wait4(pid, status, options, 0);
}

static long waitid_request(struct wait_request *request, unsigned long which, unsigned long id)
{
	if (request->options &
	    ~(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT | __WALL | __WCLONE))
		return refuse(EINVAL, "unknown options");
	if (!(request->options & (WUNTRACED | WEXITED | WCONTINUED)))
		return refuse(EINVAL, "nothing to wait for");
	switch (which) {
	case P_ALL:
		request->which = WAIT_ANY;
		return 0;
	case P_PID:
		request->which = WAIT_PID;
		return (int)id > 0 ? 0 : refuse(EINVAL, "no process id");
	case P_PGID:
		request->which = WAIT_GROUP;
		if (request->id == 0)
			request->id = current->process->pgid;
		return (int)id >= 0 ? 0 : refuse(EINVAL, "a negative group");
	}
	return refuse(EINVAL, "no such kind of id");
}

/* si_status is the exit code or the signal, not wait4's mixture. */
static int plain_status(const struct wait_request *request)
{
	switch (request->code) {
	case CLD_EXITED:
	case CLD_STOPPED:
		return request->status >> 8 & 0xff;
	case CLD_CONTINUED:
		return SIGCONT;
	}
	return request->status & 0x7f;
}

long sys_waitid(unsigned long which, unsigned long id, unsigned long info_address,
		unsigned long options, unsigned long rusage)
{
	struct wait_request request = { .id = id, .options = options };
	uint32_t words[SIGINFO_SIZE / 4];
	long result = waitid_request(&request, which, id);

	if (result < 0)
		return result;
	result = wait_for_child(&request);
	if (result < 0)
		return result;
	memset(words, 0, sizeof(words));
	if (result > 0) {
		struct signal_info info = { .signo = SIGCHLD,
					    .code = request.code,
					    .pid = request.pid,
					    .uid = request.uid,
					    .status = plain_status(&request) };

		signal_info_to_user_form(&info, words);
		if (rusage && rusage_to_user(request.cpu_ns, (void __user *)rusage) < 0)
			return -EFAULT;
	}
	return info_address ? copy_to_user((void __user *)info_address, words, sizeof(words)) : 0;
}
