/*
 * The calls of POSIX message queues. A descriptor of a queue is a file that can be polled and
 * closed, and whose text says what is in the queue. It is closed by exec.
 */
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/capability.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/process/timecalls.h"
#include "kernel/signals/posix_timer.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"
#include "fs/names/lookup.h"

#define COOKIE_SIZE 32u /* bytes of a SIGEV_THREAD, for a netlink socket */

struct mq_attr { /* linux/mqueue.h */
	int32_t flags, max_messages, max_len, nr;
	uint32_t unused[4];
};

/* ---- the file ---- */

static ssize_t queue_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct mqueue *queue = file->private;
	struct mqueue_notice notice;
	unsigned int bytes, pid;
	char text[128];
	size_t len, n;

	spin_lock(&mqueue_lock);
	notice = queue->notice;
	bytes = queue->bytes;
	pid = notice.process ? notice.process->pid : 0;
	spin_unlock(&mqueue_lock);
	if (!pid)
		notice.kind = notice.signo = 0;
	len = snprintf(text, sizeof(text), "QSIZE:%-10u NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6u\n",
		       bytes, notice.kind, notice.kind == SIGEV_SIGNAL ? notice.signo : 0, pid);
	if (*pos >= (file_off_t)len)
		return 0;
	n = iter_copy_to(to, text + *pos, MIN(to->left, len - (size_t)*pos));
	*pos += n;
	return n ? (ssize_t)n : -EFAULT;
}

static unsigned int queue_poll(struct file *file, struct poll_table *table)
{
	struct mqueue *queue = file->private;
	unsigned int nr;

	poll_wait(table, &queue->readable, POLLIN | POLLRDNORM);
	poll_wait(table, &queue->writable, POLLOUT | POLLWRNORM);
	spin_lock(&mqueue_lock);
	nr = queue->nr;
	spin_unlock(&mqueue_lock);
	return (nr > 0 ? POLLIN | POLLRDNORM : 0) |
	       (nr < queue->max_messages ? POLLOUT | POLLWRNORM : 0);
}

/* A descriptor of the current process is closed. */
static void queue_closed(struct file *file)
{
	mqueue_set_notice(file->private, NULL);
}

static void queue_release(struct file *file)
{
	mqueue_put(file->private);
}

const struct file_ops mqueue_file_ops = {
	.closed = queue_closed,
	.release = queue_release,
	.read = queue_read,
	.llseek = generic_llseek,
	.poll = queue_poll,
};

/* Returns the queue of a descriptor, or NULL. The caller calls fd_put(). */
static struct mqueue *queue_of(const struct fd *fd)
{
	return fd->file && fd->file->ops == &mqueue_file_ops ? fd->file->private : NULL;
}

/* ---- opening and removing ---- */

/*
 * Returns a copy of the name, which the caller frees, or ERR_PTR. Libraries pass it without its
 * slash.
 */
static char *queue_name(const char __user *user)
{
	char *name = kmalloc(NAME_MAX + 1, 0);
	ssize_t len;

	if (!name)
		return ERR_PTR(-ENOMEM);
	len = strncpy_from_user(name, user, NAME_MAX + 1);
	if (len == 0)
		len = -ENOENT;
	else if (len > 0 && (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")))
		len = refuse(EACCES, "the name has a slash, or is one of a directory");
	if (len > 0)
		return name;
	kfree(name);
	return ERR_PTR(len);
}

/* May the current process make a queue with these limits? Returns 0 or -EINVAL. */
static int check_limits(const struct mq_attr *attr)
{
	bool hard = capable(CAP_SYS_RESOURCE);

	if (attr->max_messages <= 0 || attr->max_len <= 0)
		return refuse(EINVAL, "a queue without room");
	if ((uint32_t)attr->max_messages >
		    (hard ? MQUEUE_MESSAGES_HARD : READ_ONCE(mqueue_limits.messages)) ||
	    (uint32_t)attr->max_len > (hard ? MQUEUE_LEN_HARD : READ_ONCE(mqueue_limits.len)))
		return refuse(EINVAL, "more than /proc/sys/fs/mqueue allows");
	return 0;
}

/*
 * Find the queue, or make one. The limits are looked at only if there is one to be made. Returns it
 * with a reference or ERR_PTR.
 */
static struct mqueue *open_queue(const char *name, unsigned int flags, unsigned int mode,
				 const struct mq_attr *attr)
{
	int error = flags & O_CREAT ? check_limits(attr) : 0;
	struct mqueue *queue;

	mode &= 0777 & ~current->fs->umask;
	queue = mqueue_open(name, error ? flags & ~O_CREAT : flags, mode, attr->max_messages,
			    attr->max_len);
	if (error && IS_ERR(queue) && PTR_ERR(queue) == -ENOENT)
		return ERR_PTR(error);
	return queue;
}

/* The file is allocated first, because a call that fails must not leave a new queue behind. */
static struct file *open_file(const char *name, unsigned int flags, unsigned int mode,
			      const struct mq_attr *attr)
{
	static const struct file_ops not_open;
	struct file *file = file_alloc(NULL, &not_open, flags & (O_ACCMODE | O_NONBLOCK));
	struct mqueue *queue;

	if (IS_ERR(file))
		return file;
	queue = open_queue(name, flags, mode, attr);
	if (IS_ERR(queue)) {
		file_put(file);
		return (void *)queue;
	}
	inode_get(queue->inode);
	file->inode = queue->inode;
	file->ops = &mqueue_file_ops;
	file->private = queue;
	return file;
}

/* The same for the descriptor. */
static long open_descriptor(const char *name, unsigned int flags, unsigned int mode,
			    const struct mq_attr *attr)
{
	int fd = fd_reserve(0, true);
	struct file *file;

	if (fd < 0)
		return fd;
	file = open_file(name, flags, mode, attr);
	if (IS_ERR(file)) {
		fd_unreserve(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

long sys_mq_open(const char __user *user_name, unsigned int flags, unsigned int mode,
		 const void __user *user_attr)
{
	struct mq_attr attr = {
		.max_messages = MIN(mqueue_limits.messages_default, mqueue_limits.messages),
		.max_len = MIN(mqueue_limits.len_default, mqueue_limits.len),
	};
	long result;
	char *name;

	if (user_attr && copy_from_user(&attr, user_attr, sizeof(attr)) < 0)
		return -EFAULT;
	name = queue_name(user_name);
	if (IS_ERR(name))
		return PTR_ERR(name);
	result = open_descriptor(name, flags, mode, &attr);
	kfree(name);
	return result;
}

long sys_mq_unlink(const char __user *user_name)
{
	char *name = queue_name(user_name);
	long result;

	if (IS_ERR(name))
		return PTR_ERR(name);
	result = mqueue_unlink(name);
	kfree(name);
	return result;
}

/* ---- sending and receiving ---- */

/* Convert a time of the wall clock, or NULL, to a deadline. Returns 0, -EFAULT or -EINVAL. */
static int deadline_from_user(uint64_t *until, const void __user *timeout)
{
	uint64_t ns;
	int error;

	*until = UINT64_MAX;
	if (!timeout)
		return 0;
	error = time_from_user(&ns, timeout, call_has_time64());
	if (!error)
		*until = deadline_of_wall(ns);
	return error;
}

static long send(struct file *file, const void __user *text, size_t len, unsigned int priority,
		 uint64_t until)
{
	struct mqueue *queue = file->private;
	struct message *message;
	long result;

	if (!file->writable)
		return -EBADF;
	if (len > queue->max_len)
		return -EMSGSIZE;
	message = msg_alloc(len);
	if (!message)
		return -ENOMEM;
	message->type = priority;
	result = copy_from_user(message->text, text, len);
	if (result == 0)
		result = mqueue_send(queue, message, !(file->flags & O_NONBLOCK), until);
	if (result < 0)
		msg_free(message);
	return result;
}

long sys_mq_timedsend(unsigned int number, const void __user *text, size_t len,
		      unsigned int priority, const void __user *timeout)
{
	uint64_t until;
	long result = deadline_from_user(&until, timeout);
	struct fd fd;

	if (result < 0)
		return result;
	if (priority >= MQUEUE_PRIORITIES)
		return refuse(EINVAL, "a priority that is too high");
	fd = fd_get(number);
	result = queue_of(&fd) ? send(fd.file, text, len, priority, until) : -EBADF;
	fd_put(fd);
	return result;
}

static long receive(struct file *file, void __user *text, size_t len, void __user *priority,
		    uint64_t until)
{
	struct mqueue *queue = file->private;
	struct message *message;
	long result;

	if (!file->readable)
		return -EBADF;
	if (len < queue->max_len)
		return -EMSGSIZE;
	message = mqueue_receive(queue, !(file->flags & O_NONBLOCK), until);
	if (IS_ERR(message))
		return PTR_ERR(message);
	result = message->len;
	if ((priority && put_user_u32(message->type, priority) < 0) ||
	    copy_to_user(text, message->text, message->len) < 0) {
		mqueue_give_back(queue, message);
		return -EFAULT;
	}
	msg_free(message);
	return result;
}

long sys_mq_timedreceive(unsigned int number, void __user *text, size_t len, void __user *priority,
			 const void __user *timeout)
{
	uint64_t until;
	long result = deadline_from_user(&until, timeout);
	struct fd fd;

	if (result < 0)
		return result;
	fd = fd_get(number);
	result = queue_of(&fd) ? receive(fd.file, text, len, priority, until) : -EBADF;
	fd_put(fd);
	return result;
}

/* ---- notices and attributes ---- */

/*
 * SIGEV_THREAD: a library has a netlink socket over which it is told, and `fd` is its descriptor.
 * There are no such sockets, so this always fails, as with any other descriptor.
 */
static int refuse_thread(unsigned int number, const void __user *cookie)
{
	char bytes[COOKIE_SIZE];
	struct fd fd;
	int error;

	if (copy_from_user(bytes, cookie, sizeof(bytes)) < 0)
		return -EFAULT;
	fd = fd_get(number);
	if (!fd.file)
		error = -EBADF;
	else
		error = S_ISSOCK(fd.file->inode->mode) ? -EINVAL : -ENOTSOCK;
	fd_put(fd);
	return error;
}

/* Read a program's struct sigevent. Returns 0 or an error. */
static int notice_from_user(struct mqueue_notice *notice, const void __user *from)
{
	uint32_t event[3]; /* the value, the signal, and how to tell */

	if (copy_from_user(event, from, sizeof(event)) < 0)
		return -EFAULT;
	*notice = (struct mqueue_notice){ .kind = event[2], .signo = event[1], .value = event[0] };
	if (notice->kind == SIGEV_THREAD)
		return refuse_thread(event[1], (const void __user *)(uintptr_t)event[0]);
	if (notice->kind != SIGEV_SIGNAL && notice->kind != SIGEV_NONE)
		return refuse(EINVAL, "an unknown way to be told");
	if (notice->kind == SIGEV_SIGNAL && event[1] > NR_SIGNALS)
		return refuse(EINVAL, "no such signal");
	return 0;
}

long sys_mq_notify(unsigned int number, const void __user *event)
{
	struct mqueue_notice notice;
	struct mqueue *queue;
	struct fd fd;
	long result = event ? notice_from_user(&notice, event) : 0;

	if (result < 0)
		return result;
	fd = fd_get(number);
	queue = queue_of(&fd);
	result = queue ? mqueue_set_notice(queue, event ? &notice : NULL) : -EBADF;
	fd_put(fd);
	return result;
}

static void exchange_attr(struct file *file, const struct mq_attr *new, struct mq_attr *old)
{
	struct mqueue *queue = file->private;

	spin_lock(&mqueue_lock);
	*old = (struct mq_attr){
		.flags = file->flags & O_NONBLOCK,
		.max_messages = queue->max_messages,
		.max_len = queue->max_len,
		.nr = queue->nr,
	};
	if (new)
		file->flags = (file->flags & ~O_NONBLOCK) | new->flags;
	spin_unlock(&mqueue_lock);
}

long sys_mq_getsetattr(unsigned int number, const void __user *new_attr, void __user *old_attr)
{
	struct mq_attr new, old;
	struct mqueue *queue;
	struct fd fd;

	if (new_attr) {
		if (copy_from_user(&new, new_attr, sizeof(new)) < 0)
			return -EFAULT;
		if (new.flags & ~O_NONBLOCK)
			return refuse(EINVAL, "only O_NONBLOCK can be changed");
	}
	fd = fd_get(number);
	queue = queue_of(&fd);
	if (queue)
		exchange_attr(fd.file, new_attr ? &new : NULL, &old);
	fd_put(fd);
	if (!queue)
		return -EBADF;
	return old_attr ? copy_to_user(old_attr, &old, sizeof(old)) : 0;
}
