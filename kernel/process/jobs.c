/*
 * Process groups and sessions (POSIX 2.4, "Process Group", and setpgid, setsid).
 *
 * tasks_lock guards pgid and sid of every process. A group exists as long as a process has its
 * number.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"

static bool group_exists(unsigned int pgid, unsigned int sid)
{
	struct process *process;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == pgid && process->sid == sid)
			return true;
	return false;
}

/* tasks_lock is held. */
static long set_group(unsigned int pid, unsigned int pgid)
{
	struct process *me = current->process, *process = process_find_locked(pid);

	if (!process || (process != me && process->parent != me))
		return -ESRCH;
	if (process != me && process->sid != me->sid)
		return refuse(EPERM, "the child is in another session");
	if (process != me && process->execs)
		return refuse(EACCES, "the child already runs another program");
	if (process->sid == process->pid)
		return refuse(EPERM, "a session leader stays in its group");
	if (pgid != pid && !group_exists(pgid, me->sid))
		return refuse(EPERM, "no such group in this session");
	process->pgid = pgid;
	return 0;
}

long sys_setpgid(int pid, int pgid)
{
	unsigned int flags;
	long error;

	if (pid == 0)
		pid = current->process->pid;
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return refuse(EINVAL, "the group is negative");
	if (pid < 0)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	error = set_group(pid, pgid);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

static long group_or_session(unsigned long pid, bool session)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process = pid ? process_find_locked(pid) : current->process;
	long result = -ESRCH;

	if (process)
		result = session ? process->sid : process->pgid;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

long sys_getpgid(unsigned long pid)
{
	return group_or_session(pid, false);
}
long sys_getsid(unsigned long pid)
{
	return group_or_session(pid, true);
}
long sys_getpgrp(void)
{
	return current->process->pgid;
}

long sys_setsid(void)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool leads = group_exists(process->pid, process->sid);

	if (!leads) {
		process->sid = process->pgid = process->pid;
		process->tty = NULL;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return leads ? refuse(EPERM, "the process leads a group") : (long)process->pid;
}
