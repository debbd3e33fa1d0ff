/* The master of a pseudo-terminal: a file that programs read and write. See drivers/tty/pty.h. */
#include "drivers/tty/pty.h"
#include "fs/dev/device.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "fs/splice/copy.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"
#include "fs/names/lookup.h"

#define PIECE 256u

enum pty_ioctl { /* asm-generic/ioctls.h of Linux */
		 TIOCGPGRP = 0x540f,
		 TIOCSPGRP = 0x5410,
		 TIOCOUTQ = 0x5411,
		 FIONREAD = 0x541b,
		 TIOCPKT = 0x5420,
		 TIOCGSID = 0x5429,
		 TIOCVHANGUP = 0x5437,
		 TIOCGPTPEER = 0x5441,
		 TIOCSIG = 0x40045436,
		 TIOCSPTLCK = 0x40045431,
		 TIOCGPTN = 0x80045430,
		 TIOCGPKT = 0x80045438,
		 TIOCGPTLCK = 0x80045439,
};

/* ---- reading ---- */

static unsigned int master_available(struct pty *pty)
{
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	unsigned int n = pty->head - pty->tail;

	spin_unlock_irqrestore(&pty->lock, flags);
	return n;
}

static bool master_can_read(struct pty *pty)
{
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	bool can = pty->head != pty->tail || pty->status || pty->closed || pty->master_hung_up;

	spin_unlock_irqrestore(&pty->lock, flags);
	return can;
}

/*
 * Copy up to `max` bytes out of the ring, and leave them there. In packet mode a byte that says
 * what follows comes first. Returns the number of bytes in buf. *taken of them are from the ring,
 * from the position *from on.
 */
static size_t peek(struct pty *pty, char *buf, size_t max, unsigned int *from, size_t *taken)
{
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	size_t n = 0;

	*from = pty->tail;
	*taken = 0;
	if (pty->packet && (pty->status || pty->head != pty->tail))
		buf[n++] = pty->status;
	if (!pty->status) {
		*taken = MIN(max - n, pty->head - pty->tail);
		for (size_t i = 0; i < *taken; i++)
			buf[n++] = pty->ring[(pty->tail + i) % PTY_RING];
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	return n;
}

/* Remove the bytes that the reader has got, unless a flush has emptied the ring meanwhile. */
static void consume(struct pty *pty, unsigned int from, size_t taken, uint8_t status)
{
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	if (pty->tail == from)
		pty->tail += taken;
	pty->status &= ~status;
	spin_unlock_irqrestore(&pty->lock, flags);
	if (taken > 0)
		tty_wake_writers(&pty->tty);
}

/*
 * Copy the ring's bytes to the reader, as many as it asks for, and remove them. Returns their
 * number, 0 if the ring is empty, or -EFAULT. read_lock is held.
 */
static ssize_t take(struct pty *pty, struct iter *to)
{
	ssize_t done = 0;
	bool first = true;

	while (to->left > 0) {
		char buf[PIECE];
		size_t taken, copied, n;
		unsigned int from;
		bool packet;

		n = peek(pty, buf, MIN(to->left, sizeof(buf)), &from, &taken);
		packet = n > taken;
		if (n == 0 || (packet && !first && buf[0]))
			break;
		/* Only the first byte of a read is the one that packet mode adds. */
		copied = packet && !first ? iter_copy_to(to, buf + 1, n - 1) + 1
					  : iter_copy_to(to, buf, n);
		if (copied < n)
			return done ? done : -EFAULT;
		consume(pty, from, taken, packet ? buf[0] : 0);
		done += packet && !first ? n - 1 : n;
		if (packet && (buf[0] || taken == 0))
			break;
		first = false;
	}
	return done;
}

static ssize_t master_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct pty *pty = file->private;
	ssize_t result;

	if (to->left == 0)
		return 0;
	for (;;) {
		if (READ_ONCE(pty->master_hung_up))
			return 0;
		if (!master_can_read(pty) && file->flags & O_NONBLOCK)
			return -EAGAIN;
		result = wait_event_interruptible(&pty->readable, master_can_read(pty));
		if (!result)
			result = mutex_lock_killable(&pty->read_lock);
		if (result)
			return result;
		if (READ_ONCE(pty->master_hung_up)) {
			mutex_unlock(&pty->read_lock);
			return 0;
		}
		result = take(pty, to);
		mutex_unlock(&pty->read_lock);
		if (result)
			return result;
		if (READ_ONCE(pty->closed) && master_available(pty) == 0)
			return -EIO;
		/* Another reader was faster, or the bytes were flushed. Wait again. */
	}
}

/* ---- writing ---- */

/* Give one piece to the tty as its input. Returns how many bytes it took, or an error. */
static ssize_t input(struct pty *pty, const char *bytes, size_t n, bool nonblock)
{
	int error;

	if (nonblock && tty_input_room(&pty->tty) == 0)
		return -EAGAIN;
	error = wait_event_interruptible(&pty->writable, tty_input_room(&pty->tty) > 0 ||
								 READ_ONCE(pty->master_hung_up));
	if (READ_ONCE(pty->master_hung_up))
		return -EIO;
	return error ? error : (ssize_t)tty_input(&pty->tty, bytes, n);
}

static ssize_t master_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct pty *pty = file->private;
	size_t done = 0;

	if (READ_ONCE(pty->master_hung_up))
		return -EIO;
	while (from->left > 0) {
		struct iter start = *from;
		char buf[PIECE];
		size_t n = iter_copy_from(from, buf, MIN(from->left, sizeof(buf)));
		ssize_t taken = n > 0 ? input(pty, buf, n, file->flags & O_NONBLOCK) : -EFAULT;

		if (taken < (ssize_t)n) {
			*from = start;
			if (taken > 0)
				iter_advance(from, taken);
		}
		if (taken < 0)
			return done ? (ssize_t)done : taken;
		done += taken;
	}
	return done;
}

static unsigned int master_poll(struct file *file, struct poll_table *table)
{
	struct pty *pty = file->private;
	unsigned int flags, events = 0;

	poll_wait(table, &pty->readable, POLLIN | POLLRDNORM | POLLPRI);
	poll_wait(table, &pty->writable, POLLOUT | POLLWRNORM);
	flags = spin_lock_irqsave(&pty->lock);
	if (pty->head != pty->tail)
		events |= POLLIN | POLLRDNORM;
	if (pty->status)
		events |= POLLIN | POLLRDNORM | POLLPRI;
	if (pty->closed)
		events |= POLLHUP;
	if (pty->master_hung_up)
		events |= POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	spin_unlock_irqrestore(&pty->lock, flags);
	if (tty_input_room(&pty->tty) > 0)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

/* ---- ioctl ---- */

static long set_flag(struct pty *pty, bool *flag, const void __user *from)
{
	unsigned int flags;
	uint32_t on;

	if (get_user_u32(&on, from))
		return -EFAULT;
	flags = spin_lock_irqsave(&pty->lock);
	*flag = on;
	if (flag == &pty->packet)
		pty->status = 0;
	spin_unlock_irqrestore(&pty->lock, flags);
	return 0;
}

/* Open the other end by its name, with the flags of open(2). */
static long open_peer(struct pty *pty, unsigned int flags)
{
	char name[32];
	struct path path;
	struct file *file;
	int error;

	snprintf(name, sizeof(name), "/dev/pts/%u", pty->index);
	error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	if (error)
		return error;
	if (path.dentry->inode->rdev == MAKEDEV(PTY_MAJOR, pty->index))
		file = file_open_path(&path, flags & ~O_CLOEXEC);
	else
		file = ERR_PTR(-ENOENT);
	path_put(&path);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & O_CLOEXEC);
}

static long send_signal(struct pty *pty, unsigned long signo)
{
	if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
		return refuse(EINVAL, "not a signal that a terminal sends");
	tty_signal_foreground(&pty->tty, signo);
	return 0;
}

/*
 * Take the master away from those who have it open. Its own end does not notice: only what is
 * written there is read by nobody.
 */
static long hang_up_master(struct pty *pty)
{
	unsigned int flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	flags = spin_lock_irqsave(&pty->lock);
	WRITE_ONCE(pty->master_hung_up, true);
	spin_unlock_irqrestore(&pty->lock, flags);
	/* A reader or writer joins its queue first, and then looks at master_hung_up. */
	wake_all_for(&pty->readable, WAKE_STATE);
	wake_all_for(&pty->writable, WAKE_STATE);
	return 0;
}

static long master_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pty *pty = file->private;
	void __user *pointer = (void __user *)argument;
	unsigned int session;

	if (READ_ONCE(pty->master_hung_up))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (command) {
	case TIOCVHANGUP:
		return hang_up_master(pty);
	case TIOCGPTN:
		return put_user_u32(pty->index, pointer);
	case TIOCSPTLCK:
		return set_flag(pty, &pty->locked, pointer);
	case TIOCGPTLCK:
		return put_user_u32(pty->locked, pointer);
	case TIOCPKT:
		return set_flag(pty, &pty->packet, pointer);
	case TIOCGPKT:
		return put_user_u32(pty->packet, pointer);
	case TIOCGPTPEER:
		return open_peer(pty, argument);
	case TIOCSIG:
		return send_signal(pty, argument);
	case FIONREAD:
		return put_user_u32(master_available(pty), pointer);
	case TIOCOUTQ:
		return put_user_u32(0, pointer);
	case TIOCGPGRP:
		return put_user_u32(READ_ONCE(pty->tty.foreground), pointer);
	case TIOCGSID:
		session = READ_ONCE(pty->tty.session);
		return session ? put_user_u32(session, pointer) : -ENOTTY;
	case TIOCSPGRP:
		return tty_job_ioctl(&pty->tty, NULL, command, argument);
	}
	return tty_settings_ioctl(&pty->tty, command, argument);
}

/* ---- open and close ---- */

static int master_open(struct inode *inode, struct file *file)
{
	struct pty *pty = pty_create();

	if (IS_ERR(pty))
		return PTR_ERR(pty);
	file->private = pty;
	return 0;
}

static void master_release(struct file *file)
{
	pty_remove(file->private);
}

static const struct file_ops master_ops = {
	.async = ASYNC_TIMER,
	.open = master_open,
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

static void __init pty_init(void)
{
	if (chrdev_register(5, 2, "ptmx", 0666, &master_ops, NULL) < 0)
		cannot_start("too little memory for pseudo-terminals");
}
INITCALL(3, pty_init);
