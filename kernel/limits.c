/*
 * Limits, times used, priorities, affinity, and what a process may say of itself.
 *
 * A limit that nothing here enforces can be read, and set to what it is or to no limit: whoever
 * sets another one would count on it.
 */
#include "kernel/process.h"
#include "kernel/rusage.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "kernel/timespec.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/uaccess.h"

/* ---- limits ---- */

/*
 * Some of the others are kept because there is nothing to limit: cores, locked memory, real-time
 * tasks.
 */
#define LIMITS_NOT_KEPT	    (1u << RLIMIT_CPU | 1u << RLIMIT_RSS)
#define OLD_INFINITY	    0xffffffffu /* of the 32-bit forms */
#define OLD_INFINITY_SIGNED 0x7fffffffu /* of the first getrlimit */
#define OPEN_FILES_MAX	    65536u

static long check_limit(unsigned int resource, const struct rlimit *wanted,
			const struct rlimit *old)
{
	bool same = wanted->soft == old->soft && wanted->hard == old->hard;
	bool none = wanted->soft == RLIM_INFINITY && wanted->hard == RLIM_INFINITY;

	if (wanted->soft > wanted->hard)
		return refuse(EINVAL, "the soft limit is above the hard one");
	if (wanted->hard > old->hard && current->process->cred.euid != 0)
		return refuse(EPERM, "only root raises a hard limit");
	if (resource == RLIMIT_NOFILE && wanted->hard > OPEN_FILES_MAX)
		return refuse(EPERM, "more descriptors than a table can have");
	if ((LIMITS_NOT_KEPT & 1u << resource) && !same && !none)
		return refuse(EINVAL, "this limit is not enforced");
	return 0;
}

/* tasks_lock keeps the two halves of a 64-bit limit together. */
static long exchange_limit(struct process *process, unsigned int resource,
			   const struct rlimit *wanted, struct rlimit *old)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	long error = 0;

	*old = process->limits[resource];
	if (wanted)
		error = check_limit(resource, wanted, old);
	if (wanted && error == 0)
		process->limits[resource] = *wanted;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

static uint32_t limit_to32(uint64_t limit, uint32_t infinity)
{
	return limit > infinity ? infinity : (uint32_t)limit;
}

static long get_limit32(unsigned long resource, unsigned long to, uint32_t infinity)
{
	struct rlimit old;
	uint32_t words[2];

	if (resource >= NR_RLIMITS)
		return refuse(EINVAL, "no such resource");
	exchange_limit(current->process, resource, NULL, &old);
	words[0] = limit_to32(old.soft, infinity);
	words[1] = limit_to32(old.hard, infinity);
	return copy_to_user((void __user *)to, words, sizeof(words));
}

long sys_getrlimit(unsigned long resource, unsigned long to)
{
	return get_limit32(resource, to, OLD_INFINITY_SIGNED);
}

long sys_ugetrlimit(unsigned long resource, unsigned long to)
{
	return get_limit32(resource, to, OLD_INFINITY);
}

long sys_setrlimit(unsigned long resource, unsigned long from)
{
	struct rlimit wanted, old;
	uint32_t words[2];

	if (resource >= NR_RLIMITS)
		return refuse(EINVAL, "no such resource");
	if (copy_from_user(words, (void __user *)from, sizeof(words)) < 0)
		return -EFAULT;
	wanted.soft = words[0] == OLD_INFINITY ? RLIM_INFINITY : words[0];
	wanted.hard = words[1] == OLD_INFINITY ? RLIM_INFINITY : words[1];
	return exchange_limit(current->process, resource, &wanted, &old);
}

static struct process *process_of(unsigned long pid)
{
	if (pid == 0) {
		atomic_inc(&current->process->refs);
		return current->process;
	}
	return process_find(pid);
}

static bool same_users(const struct process *target)
{
	const struct credentials *me = &current->process->cred, *it = &target->cred;

	return me->euid == 0 || (me->uid == it->uid && me->uid == it->euid && me->uid == it->suid &&
				 me->gid == it->gid && me->gid == it->egid && me->gid == it->sgid);
}

long sys_prlimit64(unsigned long pid, unsigned long resource, unsigned long from, unsigned long to)
{
	struct process *process;
	struct rlimit wanted, old;
	long error;

	if (resource >= NR_RLIMITS)
		return refuse(EINVAL, "no such resource");
	if (from && copy_from_user(&wanted, (void __user *)from, sizeof(wanted)) < 0)
		return -EFAULT;
	process = process_of(pid);
	if (!process)
		return -ESRCH;
	if (same_users(process))
		error = exchange_limit(process, resource, from ? &wanted : NULL, &old);
	else
		error = refuse(EPERM, "another user's process");
	process_put(process);
	if (error < 0 || !to)
		return error;
	return copy_to_user((void __user *)to, &old, sizeof(old));
}

/* ---- times ---- */

#define CLOCK_TICK_NS (NSEC_PER_SEC / 100)

struct user_rusage {
	struct timeval32 user, system;
	int32_t unknown[14];
};

int rusage_to_user(uint64_t cpu_ns, void __user *to)
{
	struct user_rusage rusage = { .user = timeval_from_ns(cpu_ns) };

	return copy_to_user(to, &rusage, sizeof(rusage));
}

static uint64_t own_ns(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	uint64_t ns = process_cpu_ns(current->process);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ns;
}

static uint64_t children_ns(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	uint64_t ns = current->process->children_ns;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ns;
}

enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 };

long sys_getrusage(unsigned long who, unsigned long to)
{
	switch ((int)who) {
	case RUSAGE_SELF:
		return rusage_to_user(own_ns(), (void __user *)to);
	case RUSAGE_CHILDREN:
		return rusage_to_user(children_ns(), (void __user *)to);
	case RUSAGE_THREAD:
		return rusage_to_user(task_cpu_ns(current), (void __user *)to);
	}
	return refuse(EINVAL, "whose usage?");
}

long sys_times(unsigned long to)
{
	uint32_t words[4] = { div_u64(own_ns(), CLOCK_TICK_NS, NULL), 0,
			      div_u64(children_ns(), CLOCK_TICK_NS, NULL), 0 };

	if (to && copy_to_user((void __user *)to, words, sizeof(words)) < 0)
		return -EFAULT;
	/* A number that could pass for an error is as good as any: it only ever counts on. */
	return div_u64(time_now(), CLOCK_TICK_NS, NULL) & INT32_MAX;
}

/* ---- priorities: there is one ---- */

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };
#define NICE_NONE_AS_RESULT 20 /* getpriority returns 20 - nice */

static bool priority_target_exists(unsigned long which, unsigned long who)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;
	bool exists = who == 0 || (which == PRIO_PROCESS && task_find_locked(who));

	list_for_each(process, &all_processes, all_link)
		if ((which == PRIO_PGRP && process->pgid == who) ||
		    (which == PRIO_USER && process->cred.uid == who))
			exists = true;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return exists;
}

long sys_getpriority(unsigned long which, unsigned long who)
{
	if (which > PRIO_USER)
		return refuse(EINVAL, "whose priority?");
	return priority_target_exists(which, who) ? NICE_NONE_AS_RESULT : -ESRCH;
}

long sys_setpriority(unsigned long which, unsigned long who, unsigned long nice)
{
	if (which > PRIO_USER)
		return refuse(EINVAL, "whose priority?");
	if (!priority_target_exists(which, who))
		return -ESRCH;
	return nice == 0 ? 0 : refuse(EINVAL, "the scheduler knows one priority only");
}

/* ---- CPUs ---- */

long sys_sched_yield(void)
{
	sched_yield_cpu();
	return 0;
}

static unsigned int all_cpus(void)
{
	return (1u << nr_cpus) - 1;
}

static struct task *thread_of(unsigned long tid)
{
	if (tid == 0) {
		task_get(current);
		return current;
	}
	return task_find(tid);
}

long sys_sched_getaffinity(unsigned long tid, unsigned long size, unsigned long to)
{
	struct task *task;
	uint32_t mask;

	if (size < sizeof(mask) || size % sizeof(mask))
		return refuse(EINVAL, "a set of CPUs has whole words, one at least");
	task = thread_of(tid);
	if (!task)
		return -ESRCH;
	mask = task->allowed_cpus & all_cpus();
	task_put(task);
	if (put_user_u32(mask, (void __user *)to) < 0)
		return -EFAULT;
	return sizeof(mask);
}

/*
 * Whoever wakes is placed on a CPU that it may use: so the current task sleeps for an instant.
 * Another one stays where it is until it sleeps.
 */
static void leave_forbidden_cpu(void)
{
	if (current->allowed_cpus & 1u << this_cpu()->id)
		return;
	current->state = TASK_UNINTERRUPTIBLE;
	schedule_until(time_now() + NSEC_PER_MSEC);
}

long sys_sched_setaffinity(unsigned long tid, unsigned long size, unsigned long from)
{
	const struct credentials *me = &current->process->cred;
	struct task *task;
	uint32_t mask = 0;
	long error = 0;

	if (copy_from_user(&mask, (void __user *)from, MIN(size, sizeof(mask))) < 0)
		return -EFAULT;
	mask &= all_cpus();
	if (mask == 0)
		return refuse(EINVAL, "none of these CPUs is there");
	task = thread_of(tid);
	if (!task)
		return -ESRCH;
	if (me->euid != 0 && me->euid != task->process->cred.uid &&
	    me->euid != task->process->cred.euid)
		error = refuse(EPERM, "another user's task");
	else
		task->allowed_cpus = mask;
	task_put(task);
	if (error == 0)
		leave_forbidden_cpu();
	return error;
}

/* ---- the rest ---- */

enum { PR_GET_PDEATHSIG = 2, PR_GET_DUMPABLE = 3, PR_SET_NAME = 15, PR_GET_NAME = 16 };

static long set_name(unsigned long from)
{
	char name[TASK_NAME_LEN];
	ssize_t len = strncpy_from_user(name, (const char __user *)from, sizeof(name));

	if (len == -EFAULT)
		return -EFAULT;
	/* A longer one is cut. */
	name[sizeof(name) - 1] = '\0';
	memcpy(current->name, name, sizeof(name));
	return 0;
}

long sys_prctl(unsigned long option, unsigned long argument)
{
	switch (option) {
	case PR_SET_NAME:
		return set_name(argument);
	case PR_GET_NAME:
		return copy_to_user((void __user *)argument, current->name, TASK_NAME_LEN);
	case PR_GET_PDEATHSIG:
		return put_user_u32(0, (void __user *)argument);
	case PR_GET_DUMPABLE:
		return current->process->dumpable;
	}
	return refuse(EINVAL, "a prctl option that is not there");
}

#define PERSONALITY_LINUX 0u
#define PERSONALITY_QUERY 0xffffffffu

long sys_personality(unsigned long persona)
{
	if (persona != PERSONALITY_LINUX && persona != PERSONALITY_QUERY)
		return refuse(EINVAL, "only the Linux personality");
	return PERSONALITY_LINUX;
}
