/*
 * unshare(2): a task gets a copy of what it shares with other tasks.
 *
 * 1. CLONE_FILES gives it a table of open files of its own, and CLONE_FS a working directory, root
 *    and umask. With CLONE_SYSVSEM its semaphore operations are no longer undone together with
 *    those of others: what was to be undone is undone if nobody else shares it.
 * 2. Memory and signal handlers cannot be copied for one thread. CLONE_VM, CLONE_SIGHAND and
 *    CLONE_THREAD succeed only if they are not shared, so there is nothing to do.
 * 3. Without memory, nothing has changed.
 * 4. There is one namespace of each kind, so flags for new ones are refused.
 */
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "kernel/capability.h"
#include "kernel/ipc/sem.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"

#define CLONE_VM      0x00000100u /* linux/sched.h */
#define CLONE_FS      0x00000200u
#define CLONE_FILES   0x00000400u
#define CLONE_SIGHAND 0x00000800u
#define CLONE_THREAD  0x00010000u
#define CLONE_SYSVSEM 0x00040000u
#define OF_THREADS    (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define UNSHARE_ALL   (OF_THREADS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)

/* Does another process run in the memory of the current one? tasks_lock is held. */
static bool memory_is_shared_locked(void)
{
	const struct process *process;
	const struct task *task;

	list_for_each(process, &all_processes, all_link)
		list_for_each(task, &process->threads, thread_link)
			if (process != current->process && task->mm == current->mm)
				return true;
	return false;
}

/* Does anybody share what these flags of OF_THREADS name? */
static bool threads_are_shared(unsigned int what)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process = current->process;
	bool shared = process->nr_threads > 1;

	/* Handlers are shared only with processes that also share the memory. */
	if (what & (CLONE_SIGHAND | CLONE_VM) && atomic_read(&process->handlers->refs) > 1)
		shared = true;
	if (what & CLONE_VM && memory_is_shared_locked())
		shared = true;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return shared;
}

long namespace_refused(unsigned int flags)
{
	if (!(flags & CLONE_NEWUSER) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return refuse(EINVAL, "there is one namespace of each kind");
}

static void set_context(struct fs_context *fs)
{
	struct fs_context *old = current->fs;
	unsigned int flags = spin_lock_irqsave(&tasks_lock); /* /proc reads task->fs under it */

	current->fs = fs;
	spin_unlock_irqrestore(&tasks_lock, flags);
	fs_context_put(old);
}

long sys_unshare(unsigned int what)
{
	struct fs_context *fs = NULL;
	int error;

	if (what & ~(UNSHARE_ALL | CLONE_NAMESPACES | CLONE_NEWTIME))
		return refuse(EINVAL, "an unknown flag");
	if (what & OF_THREADS && threads_are_shared(what))
		return refuse(EINVAL, "memory and handlers that others use cannot be copied");
	if (what & (CLONE_NAMESPACES | CLONE_NEWTIME))
		return namespace_refused(what);
	if (what & CLONE_FS && atomic_read(&current->fs->refs) > 1) {
		fs = fs_context_copy();
		if (!fs)
			return -ENOMEM;
	}
	error = what & CLONE_FILES ? file_table_unshare() : 0;
	if (error) {
		fs_context_put(fs);
		return error;
	}
	if (fs)
		set_context(fs);
	if (what & CLONE_SYSVSEM)
		sem_exit(current);
	return 0;
}
