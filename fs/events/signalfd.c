/*
 * signalfd: the pending signals of whoever reads, as a file.
 *
 * 1. A read takes pending signals out of the file's mask, those of the reading thread and of its
 *    process, whether they are blocked or not (a program blocks them, or they are handled at once).
 *    It returns one struct signalfd_siginfo for each. The file itself has nothing but the mask.
 * 2. So a child that inherits the file reads its own signals, and a poll asks for those of the task
 *    that polls. An epoll is woken for the signals of the process that added the file to it, and
 *    asks for those of the process that calls epoll_wait, as on Linux.
 * 3. The memory of the reader is brought in before a signal is taken.
 */
#include "fs/events/event_file.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

/* Codes in siginfo_t, besides those in kernel/task.h. */
#define NSIGFAULT 15 /* no fault has a higher code than these two */
#define NSIGCHLD  6

struct signalfd_siginfo { /* in the layout of user programs: 128 bytes */
	uint32_t signo;
	int32_t error, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t tid, band, overrun, trapno;
	int32_t status, integer;
	uint64_t pointer, user_time, system_time, address;
	uint16_t address_lsb, pad2;
	int32_t syscall;
	uint64_t call_address;
	uint32_t architecture;
	uint8_t pad[28];
};

struct signalfd {
	spinlock_t lock;
	sigmask_t mask; /* guarded by lock */
};

SLAB_CACHE(signalfd_cache, "signalfd", struct signalfd, 0);

static sigmask_t mask_of(struct signalfd *sfd)
{
	sigmask_t mask;

	spin_lock(&sfd->lock);
	mask = sfd->mask;
	spin_unlock(&sfd->lock);
	return mask;
}

/* What the words after the code of a siginfo_t mean depends on the signal and the code. */
static void tell_details(struct signalfd_siginfo *to, int signo, const struct signal_info *info)
{
	bool from_kernel = info->code > 0 && info->code < SI_KERNEL;

	if (from_kernel && SIG_BIT(signo) & BITS_FAULT) {
		to->address = info->address;
	} else if (from_kernel && signo == SIGCHLD) {
		to->pid = info->pid;
		to->uid = info->uid;
		to->status = info->value;
		to->user_time = info->user;
		to->system_time = info->system;
	} else if (info->code == SI_TIMER) {
		to->tid = info->timer_id;
		to->overrun = info->overrun;
		to->pointer = info->value;
		to->integer = info->value;
	} else if (from_kernel || info->code == SI_SIGIO) {
		to->band = info->words[0];
		to->fd = info->words[1];
	} else {
		to->pid = info->pid;
		to->uid = info->uid;
		if (info->code < 0) {
			to->pointer = info->value;
			to->integer = info->value;
		}
	}
}

/* Take one signal and copy its description. Returns 0, -EAGAIN if none is pending, or -EFAULT. */
static int take(struct signalfd *sfd, struct iter *to)
{
	sigmask_t mask = mask_of(sfd);
	struct signalfd_siginfo told;
	struct signal_info info;
	int signo;

	if (iter_fault_in(to, sizeof(told), true, true))
		return -EFAULT;
	signo = signal_take(mask, &info);
	if (!signo)
		return -EAGAIN;
	memset(&told, 0, sizeof(told));
	told.signo = signo;
	told.error = info.error;
	told.code = info.code;
	tell_details(&told, signo, &info);
	return iter_copy_to(to, &told, sizeof(told)) == sizeof(told) ? 0 : -EFAULT;
}

static ssize_t signalfd_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct signalfd *sfd = file->private;
	ssize_t done = 0;
	int error;

	if (to->left < sizeof(struct signalfd_siginfo))
		return refuse(EINVAL, "fewer bytes than a struct signalfd_siginfo has");
	do {
		error = take(sfd, to);
		if (error == 0)
			done += sizeof(struct signalfd_siginfo);
		else if (error == -EAGAIN && done == 0 && !(file->flags & O_NONBLOCK))
			error = wait_event_interruptible(&current->process->signal_wait,
							 signal_is_pending(mask_of(sfd)));
	} while (error == 0 && to->left >= sizeof(struct signalfd_siginfo));
	return done ? done : error;
}

static unsigned int signalfd_poll(struct file *file, struct poll_table *table)
{
	struct signalfd *sfd = file->private;
	struct process *process = current->process;

	poll_wait_process(table, process, &process->signal_wait, POLLIN);
	return signal_is_pending(mask_of(sfd)) ? POLLIN : 0;
}

static void signalfd_release(struct file *file)
{
	slab_free(signalfd_cache, file->private);
}

static void signalfd_show(struct file *file, struct text *text)
{
	text_printf(text, "sigmask:\t%016llx\n", (unsigned long long)mask_of(file->private));
}

static const struct file_ops signalfd_file_ops = {
	.ignores_seek = true,
	.release = signalfd_release,
	.read = signalfd_read,
	.poll = signalfd_poll,
	.show = signalfd_show,
};

/* Returns a new descriptor, or -EMFILE, -ENFILE or -ENOMEM. */
static int make(sigmask_t mask, unsigned int flags)
{
	struct signalfd *sfd = slab_alloc(signalfd_cache, 0);
	struct file *file;

	if (!sfd)
		return -ENOMEM;
	spin_init(&sfd->lock, "signalfd");
	sfd->mask = mask;
	file = event_file("[signalfd]", &signalfd_file_ops, sfd, O_RDWR | flags);
	if (!IS_ERR(file))
		return fd_add(file, flags & O_CLOEXEC);
	slab_free(signalfd_cache, sfd);
	return PTR_ERR(file);
}

/*
 * Give a signalfd another mask. A task that waits for it looks again. Returns 0, -EBADF or -EINVAL.
 */
static int change(int number, sigmask_t mask)
{
	struct fd fd = fd_get(number);
	struct signalfd *sfd;
	int error = 0;

	if (!fd.file) {
		error = -EBADF;
	} else if (fd.file->ops != &signalfd_file_ops) {
		error = refuse(EINVAL, "not a signalfd");
	} else {
		sfd = fd.file->private;
		spin_lock(&sfd->lock);
		sfd->mask = mask;
		spin_unlock(&sfd->lock);
		wake_all(&current->process->signal_wait);
	}
	fd_put(fd);
	return error;
}

long sys_signalfd4(int fd, const sigmask_t __user *from, size_t size, unsigned int flags)
{
	sigmask_t mask;
	int error;

	if (size != sizeof(mask))
		return refuse(EINVAL, "a signal mask of the wrong size");
	if (copy_from_user(&mask, from, sizeof(mask)))
		return -EFAULT;
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return refuse(EINVAL, "an unknown flag");
	mask &= ~BITS_UNBLOCKABLE;
	if (fd == -1)
		return make(mask, flags);
	error = change(fd, mask);
	return error ? error : fd;
}

long sys_signalfd(int fd, const sigmask_t __user *from, size_t size)
{
	return sys_signalfd4(fd, from, size, 0);
}
