/*
 * Limits.
 *
 * A limit that the kernel does not enforce can be read. It can only be set to its current value or to
 * "no limit", because a program that sets another value would rely on it.
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

/* Some other limits hold by themselves, because the thing does not exist, such as core dumps. */
#define LIMITS_NOT_KEPT (1u << RLIMIT_CPU | 1u << RLIMIT_RSS)
#define OPEN_FILES_MAX	65536u

static long check_limit(unsigned int resource, const struct rlimit *wanted,
			const struct rlimit *old)
{
	bool same = wanted->soft == old->soft && wanted->hard == old->hard;
	bool none = wanted->soft == RLIM_INFINITY && wanted->hard == RLIM_INFINITY;

	if (wanted->soft > wanted->hard)
		return refuse(EINVAL, "the soft limit is above the hard one");
	if (wanted->hard > old->hard && !capable(CAP_SYS_RESOURCE))
		return refuse(EPERM, "only root may raise a hard limit");
	if (resource == RLIMIT_NOFILE && wanted->hard > OPEN_FILES_MAX)
		return refuse(EPERM, "more descriptors than a file table can hold");
	if ((LIMITS_NOT_KEPT & 1u << resource) && !same && !none)
		return refuse(EINVAL, "this limit is not enforced");
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
 * Get the old limit, and set the new one unless `wanted` is NULL. tasks_lock keeps the two halves of a
 * 64-bit limit together. `tid` is the number of a thread of the process, or 0 for the current one.
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
	if (error == 0 && wanted)
		task->process->limits[resource] = *wanted;
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
