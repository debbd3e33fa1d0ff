/* The system calls of epoll. fs/events/epoll.h says how it works. */
#include "fs/events/epoll.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/syscalls.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

#define EPOLL_CTL_ADD 1u
#define EPOLL_CTL_DEL 2u
#define EPOLL_CTL_MOD 3u

#define EPOLL_CLOEXEC O_CLOEXEC
#define EPOLL_MAX     (INT32_MAX / sizeof(struct epoll_event)) /* events of one call */

/* What may be wanted together with EPOLLEXCLUSIVE. */
#define EXCLUSIVE_MASK \
	(POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

long sys_epoll_create1(unsigned int flags)
{
	struct file *file;

	if (flags & ~EPOLL_CLOEXEC)
		return refuse(EINVAL, "an unknown flag");
	file = epoll_make();
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & EPOLL_CLOEXEC);
}

/* The size was a hint. */
long sys_epoll_create(int size)
{
	return size > 0 ? sys_epoll_create1(0) : refuse(EINVAL, "the size is not positive");
}

/* Check what is the same for all operations, and carry one out. */
static long control(struct file *file, unsigned int op, struct file *target, unsigned int fd,
		    struct epoll_event *event)
{
	struct epoll *epoll = file_epoll(file);
	bool exclusive = op != EPOLL_CTL_DEL && event->events & EPOLLEXCLUSIVE;

	if (!target->ops->poll)
		return -EPERM;
	if (!epoll || target == file)
		return refuse(EINVAL, "not an epoll, or one that would watch itself");
	if (exclusive &&
	    (op == EPOLL_CTL_MOD || file_epoll(target) || event->events & ~EXCLUSIVE_MASK))
		return refuse(EINVAL, "EPOLLEXCLUSIVE does not go together with that");
	/*
	 * Whoever wants EPOLLWAKEUP needs a capability that no process has. Without it, it is
	 * dropped.
	 */
	event->events = (event->events & ~EPOLLWAKEUP) | POLLERR | POLLHUP;
	switch (op) {
	case EPOLL_CTL_ADD:
		return epoll_add(epoll, target, fd, event);
	case EPOLL_CTL_MOD:
		return epoll_modify(epoll, target, fd, event);
	case EPOLL_CTL_DEL:
		return epoll_delete(epoll, target, fd);
	default:
		return refuse(EINVAL, "an unknown operation");
	}
}

long sys_epoll_ctl(int epfd, unsigned int op, int fd, const struct epoll_event __user *user)
{
	struct epoll_event event = { 0, 0 };
	struct fd epoll, target;
	long result = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, user, sizeof(event)))
		return -EFAULT;
	epoll = fd_get(epfd);
	target = fd_get(fd);
	if (epoll.file && target.file)
		result = control(epoll.file, op, target.file, fd, &event);
	fd_put(target);
	fd_put(epoll);
	return result;
}

static long wait_until(int epfd, struct epoll_event __user *events, int max, uint64_t deadline)
{
	struct epoll *epoll;
	struct iter to;
	struct fd fd;
	long n;

	if (max <= 0 || (unsigned int)max > EPOLL_MAX)
		return refuse(EINVAL, "no room for an event, or for too many");
	if (!user_range_ok(events, max * sizeof(*events)))
		return -EFAULT;
	fd = fd_get(epfd);
	if (!fd.file)
		return -EBADF;
	epoll = file_epoll(fd.file);
	iter_init_user(&to, events, max * sizeof(*events));
	n = epoll ? epoll_collect(epoll, &to, max, deadline) : refuse(EINVAL, "not an epoll");
	fd_put(fd);
	return n;
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int max, int milliseconds,
		     const sigmask_t __user *mask, size_t mask_size)
{
	uint64_t deadline = milliseconds < 0 ? UINT64_MAX : 0;
	int error = poll_block_signals(mask, mask_size);

	if (error)
		return error;
	if (milliseconds > 0)
		deadline = deadline_after((uint64_t)milliseconds * NSEC_PER_MSEC);
	return wait_until(epfd, events, max, deadline);
}

long sys_epoll_wait(int epfd, struct epoll_event __user *events, int max, int milliseconds)
{
	return sys_epoll_pwait(epfd, events, max, milliseconds, NULL, 0);
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int max,
		      const void __user *timeout, const sigmask_t __user *mask, size_t mask_size)
{
	uint64_t deadline;
	int error = poll_get_deadline(false, timeout, &deadline);

	if (!error)
		error = poll_block_signals(mask, mask_size);
	return error ? error : wait_until(epfd, events, max, deadline);
}
