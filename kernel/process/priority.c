/*
 * How urgent tasks are, and where they run: nice values, scheduling policies, and sets of CPUs.
 *
 * 1. kernel/sched.c obeys all that is set here.
 * 2. A user may change the tasks of the same user. To make a task more urgent takes root, or a
 *    limit (RLIMIT_NICE, RLIMIT_RTPRIO) that allows it.
 * 3. tasks_lock keeps the tasks that are looked at and changed.
 */
#include "kernel/capability.h"
#include "kernel/process/inherit.h"
#include "kernel/process/priority.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define RESET_ON_FORK 0x40000000u /* SCHED_RESET_ON_FORK, in the policy */

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

unsigned int for_each_meant(unsigned int which, unsigned int who,
			    void (*act)(struct task *, void *), void *context)
{
	unsigned int nr = 0, flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;
	struct task *task;

	if (who == 0)
		who = own_number(which);
	list_for_each(process, &all_processes, all_link) {
		list_for_each(task, &process->threads, thread_link) {
			if (!is_meant(task, which, who))
				continue;
			act(task, context);
			nr++;
		}
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
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
	unsigned int nr;

	if (which > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	nr = for_each_meant(which, who, set_one, &request);
	return nr == 0 ? -ESRCH : request.error;
}

/* The result is 20 - nice, so that it is no error number. */
long sys_getpriority(unsigned int which, unsigned int who)
{
	int lowest = NICE_MAX;
	unsigned int nr;

	if (which > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	nr = for_each_meant(which, who, find_lowest, &lowest);
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
	       policy_is_urgent(policy);
}

/* Does root have to ask for this? */
static bool needs_root(const struct task *task, const struct scheduling *wanted, bool reset)
{
	uint64_t limit = task->process->limits[RLIMIT_RTPRIO].soft;

	if (policy_is_urgent(wanted->policy)) {
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

/* What a call asks for. */
struct request {
	struct scheduling wanted;
	bool reset;				   /* RESET_ON_FORK */
	bool keep_policy, keep_nice, keep_urgency; /* these stay as they are */
};

static long check(const struct task *task, const struct scheduling *wanted, bool reset)
{
	if (!policy_exists(wanted->policy))
		return refuse(EINVAL, "a scheduling policy that is not supported");
	if (wanted->urgency > URGENCY_MAX ||
	    policy_is_urgent(wanted->policy) != (wanted->urgency != 0))
		return refuse(EINVAL, "a priority that the policy does not have");
	if (!may_change(task) || (!capable(CAP_SYS_NICE) && needs_root(task, wanted, reset)))
		return refuse(EPERM, "only root may make a task so urgent");
	if (wanted->nice < task->nice && !may_have_nice(task, wanted->nice))
		return refuse(EPERM, "only root may take a nice value below RLIMIT_NICE");
	return 0;
}

static long set_scheduling(int tid, const struct request *request)
{
	struct scheduling wanted = request->wanted;
	bool reset = request->reset;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = find(tid);
	long error = -ESRCH;

	if (task) {
		if (request->keep_nice)
			wanted.nice = task->nice;
		if (request->keep_urgency)
			wanted.urgency = task->own_urgency;
		if (request->keep_policy) {
			wanted.policy = task->policy;
			reset = task->reset_on_fork;
		}
		error = check(task, &wanted, reset);
	}
	if (error == 0) {
		sched_set(task, &wanted);
		inherit_changed(task);
		task->reset_on_fork = reset;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/* Policy -1 leaves the policy as it is. */
static long set_policy(int tid, int policy, const void __user *param)
{
	struct request request = { .wanted.policy = policy & ~(int)RESET_ON_FORK,
				   .reset = policy >= 0 && (unsigned int)policy & RESET_ON_FORK,
				   .keep_policy = policy < 0,
				   .keep_nice = true };

	if (!param || tid < 0)
		return refuse(EINVAL, "a negative number, or no parameter");
	if (get_user_u32(&request.wanted.urgency, param) < 0)
		return -EFAULT;
	return set_scheduling(tid, &request);
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
	return policy_is_urgent(policy) ? URGENCY_MAX : 0;
}

long sys_sched_get_priority_min(int policy)
{
	if (!policy_exists(policy))
		return refuse(EINVAL, "a scheduling policy that is not supported");
	return policy_is_urgent(policy) ? 1 : 0;
}

long sys_sched_rr_get_interval(int tid, void __user *to)
{
	struct answer answer;
	long error = tid < 0 ? refuse(EINVAL, "a negative number") : ask(tid, &answer);

	return error ? error : time_to_user(answer.slice, to, call_has_time64());
}

/* ---- sched_setattr, sched_getattr ---- */

struct user_attributes { /* struct sched_attr of sched_setattr(2); the rest is for SCHED_DEADLINE */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t urgency;
	uint64_t runtime, deadline, period;
	uint32_t lowest_use, highest_use;
};
#define ATTRIBUTES_FIRST 48u /* size of the first version */
#define ATTR_RESET	 1u
#define ATTR_KEEP_POLICY 8u
#define ATTR_KEEP_PARAM	 16u

/* Copy the structure, which begins with its size. A longer one must end with zeros. May sleep. */
static long attributes_from_user(struct user_attributes *attributes, char __user *from)
{
	uint32_t size;
	uint8_t byte;

	if (get_user_u32(&size, from) < 0)
		return -EFAULT;
	size = size ?: ATTRIBUTES_FIRST;
	if (size < ATTRIBUTES_FIRST || size > PAGE_SIZE)
		goto wrong_size;
	*attributes = (struct user_attributes){ 0 };
	if (copy_from_user(attributes, from, MIN(size, sizeof(*attributes))) < 0)
		return -EFAULT;
	for (uint32_t i = sizeof(*attributes); i < size; i++) {
		if (copy_from_user(&byte, from + i, 1) < 0)
			return -EFAULT;
		if (byte)
			goto wrong_size;
	}
	return 0;
wrong_size:
	return put_user_u32(sizeof(*attributes), from) < 0 ? -EFAULT : -E2BIG;
}

long sys_sched_setattr(int tid, void __user *from, unsigned int flags)
{
	struct user_attributes attributes;
	struct request request;
	long error;

	if (!from || tid < 0 || flags)
		return refuse(EINVAL, "a negative number, no attributes, or an unknown flag");
	error = attributes_from_user(&attributes, from);
	if (error)
		return error;
	if ((int)attributes.policy < 0)
		return refuse(EINVAL, "a scheduling policy that is not supported");
	if (attributes.flags & ~(uint64_t)(ATTR_RESET | ATTR_KEEP_POLICY | ATTR_KEEP_PARAM))
		return refuse(EINVAL, "a flag that is not supported");
	request = (struct request){
		.wanted = { attributes.policy, MAX(NICE_MIN, MIN(attributes.nice, NICE_MAX)),
			    attributes.urgency },
		.reset = attributes.flags & ATTR_RESET,
		.keep_policy = attributes.flags & ATTR_KEEP_POLICY,
		.keep_nice =
			attributes.flags & ATTR_KEEP_PARAM || policy_is_urgent(attributes.policy),
		.keep_urgency = attributes.flags & ATTR_KEEP_PARAM,
	};
	return set_scheduling(tid, &request);
}

long sys_sched_getattr(int tid, void __user *to, unsigned int size, unsigned int flags)
{
	struct user_attributes attributes = { .size = MIN(size, sizeof(attributes)) };
	unsigned int lock_flags;
	const struct task *task;

	if (!to || tid < 0 || flags || size < ATTRIBUTES_FIRST || size > PAGE_SIZE)
		return refuse(EINVAL, "a negative number, an unknown flag, or a wrong size");
	lock_flags = spin_lock_irqsave(&tasks_lock);
	task = find(tid);
	if (task) {
		attributes.policy = task->policy;
		attributes.flags = task->reset_on_fork ? ATTR_RESET : 0;
		attributes.nice = policy_is_urgent(task->policy) ? 0 : task->nice;
		attributes.urgency = task->own_urgency;
		attributes.highest_use = 1024;
	}
	spin_unlock_irqrestore(&tasks_lock, lock_flags);
	return task ? copy_to_user(to, &attributes, attributes.size) : -ESRCH;
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
