/*
 * How urgent tasks are, and where they run: nice values, scheduling policies, and sets of CPUs.
 *
 * 1. kernel/sched.c obeys all that is set here. SCHED_BATCH is the same as SCHED_OTHER there.
 * 2. A user may change the tasks of the same user. To make a task more urgent takes root, or a limit
 *    (RLIMIT_NICE, RLIMIT_RTPRIO) that allows it.
 * 3. tasks_lock keeps the tasks that are looked at and changed.
 */
#include "kernel/capability.h"
#include "kernel/process/inherit.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define RESET_ON_FORK 0x40000000u /* SCHED_RESET_ON_FORK, in the policy */

static bool is_urgent(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* May the current process change this task? */
static bool may_change(const struct task *task)
{
	const struct credentials *own = &current->process->cred, *other = &task->process->cred;

	return capable(CAP_SYS_NICE) || own->euid == other->euid || own->euid == other->uid;
}

/* RLIMIT_NICE counts from 1 (nice 19) to 40 (nice -20). */
static bool may_have_nice(const struct task *task, int nice)
{
	return capable(CAP_SYS_NICE) ||
	       (uint64_t)(20 - nice) <= task->process->limits[RLIMIT_NICE].soft;
}

static struct scheduling scheduling_of(const struct task *task)
{
	return (struct scheduling){ task->policy, task->nice, task->own_urgency };
}

/* Returns the task with the number, 0 being the current one, or NULL. tasks_lock is held. */
static struct task *find(int tid)
{
	return tid == 0 ? current : tid > 0 ? task_find_locked(tid) : NULL;
}

/* ---- nice values ---- */

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

/* Does `which` and `who` mean the task? `who` is not 0, except that a user may be root. */
static bool is_meant(const struct task *task, unsigned int which, unsigned int who)
{
	if (which == PRIO_PROCESS)
		return task->tid == who;
	return (which == PRIO_PGRP ? task->process->pgid : task->process->cred.uid) == who;
}

static unsigned int own_number(unsigned int which)
{
	if (which == PRIO_PROCESS)
		return current->tid;
	return which == PRIO_PGRP ? current->process->pgid : current->process->cred.uid;
}

/* Returns 0, or the error of a task that keeps its nice value. */
static long set_nice(struct task *task, int nice)
{
	struct scheduling wanted = scheduling_of(task);

	if (!may_change(task))
		return refuse(EPERM, "a task of another user");
	if (nice < task->nice && !may_have_nice(task, nice))
		return refuse(EACCES, "only root may take a nice value below RLIMIT_NICE");
	wanted.nice = nice;
	sched_set(task, &wanted);
	return 0;
}

/* Call `act` for each task that is meant. Returns the number of tasks. tasks_lock is held. */
static unsigned int for_each_meant(unsigned int which, unsigned int who,
				   void (*act)(struct task *, void *), void *context)
{
	struct process *process;
	struct task *task;
	unsigned int nr = 0;

	list_for_each(process, &all_processes, all_link) {
		list_for_each(task, &process->threads, thread_link) {
			if (!is_meant(task, which, who))
				continue;
			act(task, context);
			nr++;
		}
	}
	return nr;
}

struct nice_request {
	int nice;
	long error; /* of the last task that could not be changed */
};

static void set_one(struct task *task, void *context)
{
	struct nice_request *request = context;
	long error = set_nice(task, request->nice);

	if (error)
		request->error = error;
}

static void find_lowest(struct task *task, void *context)
{
	int *lowest = context;

	*lowest = MIN(*lowest, task->nice);
}

long sys_setpriority(unsigned int which, unsigned int who, int nice)
{
	struct nice_request request = { .nice = MAX(NICE_MIN, MIN(nice, NICE_MAX)) };
	unsigned int flags, nr;

	if (which > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	flags = spin_lock_irqsave(&tasks_lock);
	nr = for_each_meant(which, who ? who : own_number(which), set_one, &request);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return nr == 0 ? -ESRCH : request.error;
}

/* The result is 20 - nice, so that it is no error number. */
long sys_getpriority(unsigned int which, unsigned int who)
{
	int lowest = NICE_MAX;
	unsigned int flags, nr;

	if (which > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	flags = spin_lock_irqsave(&tasks_lock);
	nr = for_each_meant(which, who ? who : own_number(which), find_lowest, &lowest);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return nr == 0 ? -ESRCH : 20 - lowest;
}

long sys_nice(int increment)
{
	int nice = current->nice + MAX(-40, MIN(increment, 40));
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	long error = set_nice(current, MAX(NICE_MIN, MIN(nice, NICE_MAX)));

	spin_unlock_irqrestore(&tasks_lock, flags);
	return error ? -EPERM : 0;
}

/* ---- policies ---- */

static bool policy_exists(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ||
	       is_urgent(policy);
}

/* Does root have to ask for this? */
static bool needs_root(const struct task *task, const struct scheduling *wanted, bool reset)
{
	uint64_t limit = task->process->limits[RLIMIT_RTPRIO].soft;

	if (is_urgent(wanted->policy)) {
		if (wanted->policy != task->policy && limit == 0)
			return true;
		if (wanted->urgency > task->own_urgency && wanted->urgency > limit)
			return true;
	}
	if (task->policy == SCHED_IDLE && wanted->policy != SCHED_IDLE &&
	    !may_have_nice(task, task->nice))
		return true;
	return task->reset_on_fork && !reset;
}

/* Policy -1 leaves the policy as it is. */
static long set_policy(int tid, int policy, const void __user *param)
{
	bool reset = policy >= 0 && (unsigned int)policy & RESET_ON_FORK;
	struct scheduling wanted = { .policy = policy };
	unsigned int flags;
	struct task *task;
	long error = -ESRCH;

	if (!param || tid < 0)
		return refuse(EINVAL, "a negative number, or no parameter");
	if (get_user_u32(&wanted.urgency, param) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tasks_lock);
	task = find(tid);
	if (task) {
		wanted.nice = task->nice;
		wanted.policy = policy < 0 ? task->policy : policy & ~(int)RESET_ON_FORK;
		if (policy < 0)
			reset = task->reset_on_fork;
		if (!policy_exists(wanted.policy))
			error = refuse(EINVAL, "a scheduling policy that is not supported");
		else if (wanted.urgency > URGENCY_MAX ||
			 is_urgent(wanted.policy) != (wanted.urgency != 0))
			error = refuse(EINVAL, "a priority that the policy does not have");
		else if (!may_change(task) ||
			 (!capable(CAP_SYS_NICE) && needs_root(task, &wanted, reset)))
			error = refuse(EPERM, "only root may make a task so urgent");
		else
			error = 0;
	}
	if (error == 0) {
		sched_set(task, &wanted);
		inherit_changed(task);
		task->reset_on_fork = reset;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

long sys_sched_setscheduler(int tid, int policy, const void __user *param)
{
	if (policy < 0)
		return refuse(EINVAL, "a scheduling policy that is not supported");
	return set_policy(tid, policy, param);
}

long sys_sched_setparam(int tid, const void __user *param)
{
	return set_policy(tid, -1, param);
}

/* A copy of what can be asked about a task. */
struct answer {
	int policy;
	unsigned int urgency;
	uint32_t allowed;
	uint64_t slice;
};

static long ask(int tid, struct answer *answer)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = find(tid);

	if (task)
		*answer = (struct answer){ task->policy | (task->reset_on_fork ? RESET_ON_FORK : 0),
					   task->own_urgency, task->allowed, sched_slice_ns(task) };
	spin_unlock_irqrestore(&tasks_lock, flags);
	return task ? 0 : -ESRCH;
}

long sys_sched_getscheduler(int tid)
{
	struct answer answer;
	long error = tid < 0 ? refuse(EINVAL, "a negative number") : ask(tid, &answer);

	return error ? error : answer.policy;
}

long sys_sched_getparam(int tid, void __user *to)
{
	struct answer answer;
	long error;

	if (!to || tid < 0)
		return refuse(EINVAL, "a negative number, or no parameter");
	error = ask(tid, &answer);
	return error ? error : put_user_u32(answer.urgency, to);
}

long sys_sched_get_priority_max(int policy)
{
	if (!policy_exists(policy))
		return refuse(EINVAL, "a scheduling policy that is not supported");
	return is_urgent(policy) ? URGENCY_MAX : 0;
}

long sys_sched_get_priority_min(int policy)
{
	if (!policy_exists(policy))
		return refuse(EINVAL, "a scheduling policy that is not supported");
	return is_urgent(policy) ? 1 : 0;
}

long sys_sched_rr_get_interval(int tid, void __user *to)
{
	struct answer answer;
	long error = tid < 0 ? refuse(EINVAL, "a negative number") : ask(tid, &answer);

	return error ? error : time_to_user(answer.slice, to, call_has_time64());
}

/* ---- CPUs ---- */

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

long sys_getcpu(void __user *cpu, void __user *node)
{
	if (cpu && put_user_u32(this_cpu()->id, cpu) < 0)
		return -EFAULT;
	return node ? put_user_u32(0, node) : 0;
}

static uint32_t all_cpus(void)
{
	return (1u << nr_cpus) - 1;
}

long sys_sched_getaffinity(int tid, unsigned int size, void __user *to)
{
	struct answer answer;
	long error;

	if (size < sizeof(answer.allowed) || size % sizeof(answer.allowed))
		return refuse(EINVAL, "a set of CPUs has whole words, one at least");
	error = ask(tid, &answer);
	if (error == 0)
		error = put_user_u32(answer.allowed & all_cpus(), to);
	return error ? error : (long)sizeof(answer.allowed);
}

long sys_sched_setaffinity(int tid, unsigned int size, const void __user *from)
{
	uint32_t wanted = 0;
	unsigned int flags;
	struct task *task;
	long error = -ESRCH;

	if (copy_from_user(&wanted, from, MIN(size, sizeof(wanted))) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tasks_lock);
	task = find(tid);
	if (task && !may_change(task))
		error = refuse(EPERM, "a task of another user");
	else if (task && !(wanted & all_cpus()))
		error = refuse(EINVAL, "none of these CPUs exists");
	else if (task)
		error = 0;
	if (error == 0)
		sched_set_allowed(task, wanted & all_cpus());
	spin_unlock_irqrestore(&tasks_lock, flags);
	/* The call returns on one of the CPUs. */
	if (error == 0 && this_cpu()->need_resched)
		schedule();
	return error;
}
