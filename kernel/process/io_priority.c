/*
 * Priorities of disk requests: ioprio_set(2), ioprio_get(2). They are kept and told, but all
 * requests are served in turn. tasks_lock guards task->io_priority.
 */
#include "kernel/capability.h"
#include "kernel/process/priority.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"

enum { IO_NONE, IO_REALTIME, IO_BEST_EFFORT, IO_IDLE };
#define IO_CLASS_SHIFT 13
#define IO_LEVELS      8u

/* The class of the task, or the one that follows from how it is scheduled. Lower is more urgent. */
static unsigned int io_priority_of(const struct task *task)
{
	unsigned int class = policy_is_urgent(task->policy) ? IO_REALTIME
			     : task->policy == SCHED_IDLE   ? IO_IDLE
							    : IO_BEST_EFFORT;

	if (task->io_priority >> IO_CLASS_SHIFT)
		return task->io_priority;
	return class << IO_CLASS_SHIFT | (unsigned int)(task->nice - NICE_MIN) / 5;
}

struct io_request {
	unsigned int priority;
	long error;
};

static void set_io(struct task *task, void *context)
{
	struct io_request *request = context;
	const struct credentials *own = &current->process->cred, *other = &task->process->cred;

	if (own->euid != other->uid && own->uid != other->uid && !capable(CAP_SYS_NICE))
		request->error = refuse(EPERM, "a task of another user");
	else
		task->io_priority = request->priority;
}

static void find_own(struct task *task, void *context)
{
	*(unsigned int *)context = task->io_priority;
}

static void find_most_urgent(struct task *task, void *context)
{
	unsigned int *found = context;

	*found = MIN(*found, io_priority_of(task));
}

static long check_io(unsigned int priority)
{
	unsigned int level = priority & ((1u << IO_CLASS_SHIFT) - 1);

	switch (priority >> IO_CLASS_SHIFT) {
	case IO_REALTIME:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return refuse(EPERM, "only root may take this class");
		break;
	case IO_BEST_EFFORT:
	case IO_IDLE:
		break;
	case IO_NONE:
		return level ? refuse(EINVAL, "a level without a class") : 0;
	default:
		return refuse(EINVAL, "no such class");
	}
	return level >= IO_LEVELS && priority >> IO_CLASS_SHIFT != IO_IDLE
		       ? refuse(EINVAL, "no such level")
		       : 0;
}

/* `which` is one more than for setpriority(2). */
long sys_ioprio_set(unsigned int which, unsigned int who, unsigned int priority)
{
	struct io_request request = { .priority = priority };
	unsigned int nr;
	long error = check_io(priority);

	if (error)
		return error;
	if (which - 1 > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	nr = for_each_meant(which - 1, who, set_io, &request);
	return nr == 0 ? -ESRCH : request.error;
}

/* Of one task, the result is what was set. Of several, it is the most urgent one that counts. */
long sys_ioprio_get(unsigned int which, unsigned int who)
{
	unsigned int nr, found = UINT32_MAX;

	if (which - 1 > PRIO_USER)
		return refuse(EINVAL, "neither a process, nor a group, nor a user");
	nr = for_each_meant(which - 1, who, which - 1 == PRIO_PROCESS ? find_own : find_most_urgent,
			    &found);
	return nr == 0 ? -ESRCH : (long)found;
}
