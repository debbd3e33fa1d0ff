/*
 * Descriptors of processes: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
 *
 * 1. A pidfd holds a reference to its process, so that it means the same process for ever, although
 *    the number may be used again when the process has been reaped.
 * 2. It is readable when the process has ended, whether it has been reaped or not. A process that
 *    ends wakes its end_wait under tasks_lock, after nr_threads has become 0:
 *
 *	poller					last thread
 *	nr_threads > 0
 *						nr_threads = 0, wakes: nobody is on end_wait
 *	joins end_wait, sleeps for ever
 *
 *    Therefore the poller joins first, and then looks under tasks_lock.
 * 3. There is nothing to read or to write.
 * 4. An open directory /proc/PID holds such a reference too, and a signal can be sent to it.
 *    Nothing else takes it for a pidfd.
 */
#include "fs/proc/pidfd.h"
#include "fs/events/event_file.h"
#include "fs/file/dnotify.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "fs/proc/proc_internal.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"

static bool has_ended(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool ended = process->nr_threads == 0;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return ended;
}

static unsigned int pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *process = file->private;

	poll_wait(table, &process->end_wait, POLLIN | POLLRDNORM);
	return has_ended(process) ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_show(struct file *file, struct text *text)
{
	const struct process *process = file->private;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int pid = process_is_reaped(process) ? -1 : (int)process->pid;

	spin_unlock_irqrestore(&tasks_lock, flags);
	text_printf(text, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static void pidfd_release(struct file *file)
{
	process_put(file->private);
}

static const struct file_ops pidfd_file_ops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.show = pidfd_show,
};

struct file *pidfd_file(struct process *process, unsigned int flags)
{
	struct file *file =
		event_file("[pidfd]", &pidfd_file_ops, process, O_RDWR | (flags & O_NONBLOCK));

	if (!IS_ERR(file))
		process_get(process);
	return file;
}

long sys_pidfd_open(int pid, unsigned int flags)
{
	unsigned int lock_flags;
	struct process *process;
	struct file *file;
	bool is_thread;

	if (flags & ~O_NONBLOCK || pid <= 0)
		return refuse(EINVAL, "an unknown flag, or not a process id");
	process = process_find(pid);
	if (!process) {
		lock_flags = spin_lock_irqsave(&tasks_lock);
		is_thread = task_find_locked(pid) != NULL;
		spin_unlock_irqrestore(&tasks_lock, lock_flags);
		return is_thread ? refuse(EINVAL, "the number of a thread") : -ESRCH;
	}
	file = pidfd_file(process, flags);
	process_put(process);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, true);
}

/* ---- open directories of processes ---- */

static int pid_dir_open(struct inode *inode, struct file *file)
{
	file->private = process_find(pid_of(inode));
	return file->private ? 0 : -ENOENT;
}

static void pid_dir_release(struct file *file)
{
	process_put(file->private);
}

const struct file_ops pid_dir_file_ops = {
	.open = pid_dir_open,
	.release = pid_dir_release,
	.llseek = regular_llseek,
	.closed = dir_notify_closed,
};

/* ---- the process of a descriptor ---- */

/* With `or_directory`, an open directory of a process will do. */
static struct process *process_of(unsigned int number, bool or_directory, unsigned int *flags)
{
	struct fd fd = fd_get(number);
	struct process *process = ERR_PTR(-EBADF);

	if (fd.file && (fd.file->ops == &pidfd_file_ops ||
			(or_directory && fd.file->ops == &pid_dir_file_ops))) {
		process = fd.file->private;
		process_get(process);
		*flags = fd.file->flags;
	}
	fd_put(fd);
	return process;
}

struct process *pidfd_process(unsigned int number, unsigned int *flags)
{
	return process_of(number, false, flags);
}

/* ---- signals and descriptors ---- */

/* Returns 0, -EFAULT, -E2BIG, -EINVAL or -EPERM. May sleep. */
static int read_info(struct signal_info *info, unsigned int signo, const void __user *from, int to)
{
	unsigned int told = 0;
	int error = signal_info_from_user(info, from, to, &told);

	if ((error == 0 || error == -EPERM) && told != signo)
		return refuse(EINVAL, "the details are those of another signal");
	return error;
}

long sys_pidfd_send_signal(unsigned int number, unsigned int signo, const void __user *from,
			   unsigned int flags)
{
	struct signal_info info = { .code = SI_USER,
				    .pid = current->process->pid,
				    .uid = current->process->cred.uid };
	struct process *process;
	unsigned int lock_flags, unused;
	long error = 0;

	if (flags)
		return refuse(EINVAL, "an unknown flag");
	process = process_of(number, true, &unused);
	if (IS_ERR(process))
		return PTR_ERR(process);
	if (from)
		error = read_info(&info, signo, from, process->pid);
	lock_flags = spin_lock_irqsave(&tasks_lock);
	if (error == 0)
		error = process_is_reaped(process)
				? -ESRCH
				: signal_send_checked(process, NULL, signo, &info);
	spin_unlock_irqrestore(&tasks_lock, lock_flags);
	process_put(process);
	return error;
}

long sys_pidfd_getfd(unsigned int number, unsigned int target, unsigned int flags)
{
	struct process *process;
	struct file *file = NULL;
	unsigned int unused;
	bool allowed, reaped;

	if (flags)
		return refuse(EINVAL, "an unknown flag");
	process = pidfd_process(number, &unused);
	if (IS_ERR(process))
		return PTR_ERR(process);
	flags = spin_lock_irqsave(&tasks_lock);
	reaped = process_is_reaped(process);
	allowed = process_may_inspect(process);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (allowed && !reaped && target < MOST_DESCRIPTORS_MAX)
		file = process_file(process, target);
	process_put(process);
	if (reaped)
		return -ESRCH;
	if (!allowed)
		return refuse(EPERM, "the process of another user");
	return file ? fd_add(file, true) : -EBADF;
}
