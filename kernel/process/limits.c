/*
 * Limits.
 *
 * 1. Each limit is obeyed where the thing that it limits is made. Limits of time are here.
 * 2. Some are only stored, as on Linux: RLIMIT_RSS and RLIMIT_LOCKS bind nobody there either, and
 *    there are no core dumps (RLIMIT_CORE).
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"

#define USEC_PER_SEC 1000000u

uint32_t most_descriptors = MOST_DESCRIPTORS_MAX;

/* ---- limits of time: at the soft one a signal each second, at the hard one the end ---- */

/*
 * Returns true if the process is killed. After a signal, the soft limit is one second later.
 * tasks_lock is held.
 */
static bool check_time(struct process *process, struct task *task, struct rlimit *limit,
		       uint64_t used, uint64_t second)
{
	if (limit->hard != RLIM_INFINITY && used >= limit->hard) {
		(void)signal_send_locked(process, task, SIGKILL, NULL);
		return true;
	}
	if (limit->soft != RLIM_INFINITY && used >= limit->soft) {
		(void)signal_send_locked(process, task, SIGXCPU, NULL);
		limit->soft += second;
	}
	return false;
}

bool limits_check_time(void)
{
	struct process *process = current->process;
	struct rlimit *cpu = &process->limits[RLIMIT_CPU],
		      *urgent = &process->limits[RLIMIT_RTTIME];

	lockdep_held(&tasks_lock);
	if (!limits_measure(process))
		return false;
	if (check_time(process, NULL, cpu, div_u64(process_cpu_ns(process), NSEC_PER_SEC, NULL), 1))
		return true;
	if (current->urgency)
		check_time(process, current, urgent,
			   (uint64_t)current->urgent_ticks * (TICK_NS / 1000), USEC_PER_SEC);
	return true;
}

bool limits_measure(const struct process *process)
{
	return process->limits[RLIMIT_CPU].soft != RLIM_INFINITY ||
	       process->limits[RLIMIT_RTTIME].soft != RLIM_INFINITY;
}

/* ---- the calls ---- */

static long check_limit(unsigned int resource, const struct rlimit *wanted,
			const struct rlimit *old)
{
	if (wanted->soft > wanted->hard)
		return refuse(EINVAL, "the soft limit is above the hard one");
	if (wanted->hard > old->hard && !capable(CAP_SYS_RESOURCE))
		return refuse(EPERM, "only root may raise a hard limit");
	if (resource == RLIMIT_NOFILE && wanted->hard > READ_ONCE(most_descriptors))
		return refuse(EPERM, "more descriptors than a file table may have");
	return 0;
}

/* The limits of another process are for the same user, with all ids, or CAP_SYS_RESOURCE. */
static bool may_limit(const struct process *process)
{
	const struct credentials *own = &current->process->cred, *other = &process->cred;

	return process == current->process || capable(CAP_SYS_RESOURCE) ||
	       (own->uid == other->uid && own->uid == other->euid && own->uid == other->suid &&
		own->gid == other->gid && own->gid == other->egid && own->gid == other->sgid);
}

/*
 * Get the old limit, and set the new one unless `wanted` is NULL. tasks_lock keeps the two halves
 * of a 64-bit limit together. `tid` is the number of a thread of the process, or 0 for the current
 * one.
 */
static long set_limit(unsigned int tid, unsigned int resource, const struct rlimit *wanted,
		      struct rlimit *old)
{
	struct task *task;
	unsigned int flags;
	long error = 0;

	if (resource >= NR_RLIMITS)
		return refuse(EINVAL, "no such resource");
	flags = spin_lock_irqsave(&tasks_lock);
	task = tid ? task_find_locked(tid) : current;
	if (!task)
		error = -ESRCH;
	else if (!may_limit(task->process))
		error = refuse(EPERM, "the limits of another user's process");
	else
		*old = task->process->limits[resource];
	if (error == 0 && wanted)
		error = check_limit(resource, wanted, old);
	if (error == 0 && wanted) {
		task->process->limits[resource] = *wanted;
		if (limits_measure(task->process))
			task->process->measured = true;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

long sys_prlimit64(unsigned int pid, unsigned int resource, const void __user *from,
		   void __user *to)
{
	struct rlimit wanted, old;
	long error;

	if (from && copy_from_user(&wanted, from, sizeof(wanted)) < 0)
		return -EFAULT;
	error = set_limit(pid, resource, from ? &wanted : NULL, &old);
	return error == 0 && to ? copy_to_user(to, &old, sizeof(old)) : error;
}

/* For the older calls with limits of 32 bits. A larger limit is reported as `none`. */
static long get_limit(unsigned int resource, uint32_t none, void __user *to)
{
	struct rlimit limit;
	uint32_t words[2];
	long error = set_limit(0, resource, NULL, &limit);

	if (error)
		return error;
	words[0] = MIN(limit.soft, none);
	words[1] = MIN(limit.hard, none);
	return copy_to_user(to, words, sizeof(words));
}

long sys_ugetrlimit(unsigned int resource, void __user *to)
{
	return get_limit(resource, UINT32_MAX, to);
}

long sys_getrlimit(unsigned int resource, void __user *to)
{
	return get_limit(resource, INT32_MAX, to);
}

long sys_setrlimit(unsigned int resource, const void __user *from)
{
	struct rlimit wanted, old;
	uint32_t words[2];

	if (copy_from_user(words, from, sizeof(words)))
		return -EFAULT;
	wanted.soft = words[0] == UINT32_MAX ? RLIM_INFINITY : words[0];
	wanted.hard = words[1] == UINT32_MAX ? RLIM_INFINITY : words[1];
	return set_limit(0, resource, &wanted, &old);
}
