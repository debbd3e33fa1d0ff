/*
 * Terminals as files: open, read, write, poll, ioctl. An unknown ioctl returns -ENOTTY, as for a
 * file that is no terminal.
 *
 * 1. No lock is held while a reader waits for input or a writer for the device. read_lock and
 *    output_lock are taken for one piece of a read or write. So long writes by several tasks may be
 *    mixed, but up to WRITE_PIECE bytes stay together.
 * 2. Bytes leave the input ring only after they have reached the reader's memory.
 * 3. /dev/tty is the caller's controlling terminal. Opening /dev/console never makes it a
 *    controlling terminal. TIOCSCTTY does.
 */
#include "fs/dev/device.h"
#include "drivers/tty/tty.h"
#include "fs/file/poll.h"
#include "fs/splice/copy.h"
#include "fs/file/open_file.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define READ_PIECE     256u
#define WRITE_PIECE    128u
#define DECISECOND     (NSEC_PER_SEC / 10)

#define DEVICE_CURRENT MAKEDEV(5, 0)
#define DEVICE_CONSOLE MAKEDEV(5, 1)

enum tty_ioctl { /* asm-generic/ioctls.h of Linux */
		 TIOCEXCL = 0x540c,
		 TIOCNXCL = 0x540d,
		 TIOCSPGRP = 0x5410,
		 TIOCOUTQ = 0x5411,
		 TIOCSTI = 0x5412,
		 FIONREAD = 0x541b,
		 TIOCGEXCL = 0x80045440,
};

static const struct termios default_termios = {
	.iflag = ICRNL | IXON,
	.oflag = OPOST | ONLCR,
	.cflag = CFLAG_FIXED,
	.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.cc = { [VINTR] = 'C' - 64,
		[VQUIT] = '\\' - 64,
		[VERASE] = 0x7f,
		[VKILL] = 'U' - 64,
		[VEOF] = 'D' - 64,
		[VMIN] = 1,
		[VSTART] = 'Q' - 64,
		[VSTOP] = 'S' - 64,
		[VSUSP] = 'Z' - 64,
		[VREPRINT] = 'R' - 64,
		[VDISCARD] = 'O' - 64,
		[VWERASE] = 'W' - 64,
		[VLNEXT] = 'V' - 64 },
};

void tty_reset(struct tty *tty)
{
	struct termios termios = default_termios;

	termios.cflag = tty->termios.cflag;
	tty_stop(tty, false);
	tty_set_termios(tty, &termios, true);
}

bool tty_file_hung_up(const struct file *file)
{
	const struct tty *tty = file->private;

	return READ_ONCE(tty->hung_up) ||
	       (file->hang_ups != READ_ONCE(tty->hang_ups) && file->inode->rdev != DEVICE_CONSOLE);
}

void tty_init(struct tty *tty, unsigned int device)
{
	spin_init(&tty->lock, "tty");
	wait_queue_init(&tty->readable, "tty readable");
	wait_queue_init(&tty->writable, "tty writable");
	mutex_init(&tty->output_lock, "tty output");
	mutex_init(&tty->read_lock, "tty read");
	tty->device = device;
	tty->console = tty;
	tty_set_termios(tty, &default_termios, false);
	atomic_set(&tty->refs, 1);
}

void tty_get(struct tty *tty)
{
	if (tty->driver->free)
		atomic_inc(&tty->refs);
}

void tty_put(struct tty *tty)
{
	if (tty->driver->free && atomic_dec_and_test(&tty->refs))
		tty->driver->free(tty);
}

int tty_register(struct tty *tty, unsigned int major, unsigned int minor)
{
	tty_init(tty, MAKEDEV(major, minor));
	tty_console_join(tty);
	return chrdev_register(major, minor, tty->name, 0620, &tty_file_ops, tty);
}

void tty_wake_writers(struct tty *tty)
{
	wake_all(&tty->writable);
	wake_all(&tty->console->writable);
}

int tty_open_as(struct tty *tty, struct file *file, bool may_control)
{
	int error = READ_ONCE(tty->exclusive) && !capable(CAP_SYS_ADMIN) ? -EBUSY : 0;

	if (!error && tty->driver->open)
		error = tty->driver->open(tty);
	if (error)
		return error;
	atomic_inc(&tty->files);
	tty_get(tty);
	file->private = tty;
	file->hang_ups = READ_ONCE(tty->hang_ups);
	if (may_control && !(file->flags & O_NOCTTY) && file->readable && !tty_current() &&
	    current->process)
		(void)tty_acquire(tty, file); /* if it cannot be acquired, it is only opened */
	return 0;
}

/* Open the terminal of the current process. */
static int open_current(struct file *file)
{
	struct tty *tty = tty_current_get();
	int error;

	if (!tty)
		return -ENXIO;
	error = tty_open_as(tty, file, false);
	tty_put(tty);
	return error;
}

static int tty_open(struct inode *inode, struct file *file)
{
	struct tty *tty = file->private;

	if (inode->rdev == DEVICE_CURRENT)
		return open_current(file);
	return tty_open_as(tty->console, file, inode->rdev != DEVICE_CONSOLE);
}

static void tty_release(struct file *file)
{
	struct tty *tty = file->private;

	/* A pseudo-terminal stays what it is while its other end is open. */
	if (atomic_dec_and_test(&tty->files) && !tty->driver->free)
		WRITE_ONCE(tty->exclusive, false);
	if (tty->driver->close)
		tty->driver->close(tty);
	tty_put(tty);
}

/* ---- reading ---- */

/*
 * Sleep until a byte can be read. Returns 1, 0 if the deadline has passed or the terminal was taken
 * away, -EIO if its other end was closed, or -ERESTARTSYS on a signal.
 */
static int wait_for_input(struct file *file, uint64_t deadline)
{
	struct tty *tty = file->private;
	struct waiter waiter = { .link = LIST_INIT(waiter.link) };
	bool in_time = true;
	int result;

	for (;;) {
		wait_prepare(&tty->readable, &waiter, TASK_INTERRUPTIBLE);
		result = tty_available(tty) > 0;
		if (result || !in_time)
			break;
		if (tty_file_hung_up(file)) {
			result = READ_ONCE(tty->hung_up) ? -EIO : 0;
			break;
		}
		if (signal_pending()) {
			result = -ERESTARTSYS;
			break;
		}
		in_time = schedule_until(deadline);
	}
	wait_finish(&tty->readable, &waiter);
	return result;
}

/*
 * Returns VMIN, and in *gap VTIME in nanoseconds, where 0 is no time limit (POSIX.1-2017, 11.1.7).
 * In canonical mode returns 1 and no time limit.
 */
static unsigned int tty_demand(struct tty *tty, uint64_t *gap)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	bool canonical = tty->termios.lflag & ICANON;
	unsigned int min = canonical ? 1 : tty->termios.cc[VMIN];

	*gap = canonical ? 0 : tty->termios.cc[VTIME] * DECISECOND;
	spin_unlock_irqrestore(&tty->lock, flags);
	return min;
}

/*
 * Wait for input as VMIN and VTIME say, after the reader has got `done` bytes. Sets *min to VMIN.
 * Returns 1 if there is input to take, 0 if the read ends, or an error. With VMIN 0 the time runs
 * from the beginning, otherwise from each byte.
 */
static int wait_to_read(struct file *file, size_t done, unsigned int *min)
{
	struct tty *tty = file->private;
	uint64_t gap;

	*min = tty_demand(tty, &gap);
	if (tty_available(tty) > 0)
		return 1;
	if (*min == 0 && gap == 0)
		return 0;
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_for_input(file, gap && (*min == 0 || done > 0) ? time_now() + gap : UINT64_MAX);
}

/*
 * Take the available input, in canonical mode at most one line. Sets *line_done if a line has
 * ended. Then a result of 0 is an end of file. Otherwise 0 means that there was no input.
 */
static ssize_t take_input(struct tty *tty, struct iter *to, bool *line_done)
{
	char buf[READ_PIECE];
	struct tty_chunk chunk;
	size_t done = 0;

	do {
		size_t copied;

		tty_peek(tty, buf, MIN(to->left, sizeof(buf)), &chunk);
		copied = iter_copy_to(to, buf, chunk.bytes);
		done += copied;
		if (copied < chunk.bytes) { /* the rest stays in the ring */
			chunk.positions = copied;
			tty_consume(tty, &chunk);
			return done > 0 ? (ssize_t)done : -EFAULT;
		}
		tty_consume(tty, &chunk);
		*line_done = chunk.line_done;
	} while (chunk.positions > 0 && !chunk.line_done && to->left > 0);
	return done;
}

/*
 * Wait for input once, and take it. Sets *more unless the read is complete, after which the caller
 * has got `done` bytes already. Returns the number of bytes, or an error.
 */
static ssize_t read_some(struct file *file, struct iter *to, size_t done, bool *more)
{
	struct tty *tty = file->private;
	bool line_done = false;
	unsigned int min;
	ssize_t n;

	*more = false;
	n = wait_to_read(file, done, &min);
	if (n <= 0)
		return n;
	n = mutex_lock_killable(&tty->read_lock);
	if (n < 0)
		return n;
	if (tty_file_hung_up(file)) {
		mutex_unlock(&tty->read_lock);
		return 0; /* the bytes are for others */
	}
	n = take_input(tty, to, &line_done);
	mutex_unlock(&tty->read_lock);
	/* With no bytes, another reader was faster, or the input was flushed. */
	*more = n >= 0 && !line_done && to->left > 0 && (n == 0 || done + n < min);
	return n;
}

/*
 * Bytes are taken as they come, even if VMIN asks for more. So what a reader has got stays its own
 * if a signal, the end of the time or a hang-up ends the read.
 */
static ssize_t tty_read(struct file *file, struct iter *to, file_off_t *pos)
{
	size_t done = 0;
	ssize_t n;
	bool more;

	if (to->left == 0 || tty_file_hung_up(file))
		return 0;
	n = tty_check_foreground(file->private, SIGTTIN);
	if (n < 0)
		return n;
	do {
		n = read_some(file, to, done, &more);
		done += MAX(n, 0);
	} while (more);
	return done ? (ssize_t)done : n;
}

/* ---- writing ---- */

/* A tty that has hung up takes no bytes, but nobody waits for that. */
bool tty_can_write(struct tty *tty)
{
	if (READ_ONCE(tty->hung_up))
		return true;
	return !READ_ONCE(tty->stopped) && (!tty->driver->can_write || tty->driver->can_write(tty));
}

/*
 * Send one piece. Returns how many of the n bytes were taken, or an error. A byte of which only a
 * part was sent (the CR of a newline) is not taken, and is sent again.
 */
static ssize_t write_piece(struct tty *tty, const char *bytes, size_t n, bool nonblock)
{
	char out[2 * WRITE_PIECE];
	uint8_t width[WRITE_PIECE];
	size_t len = 0, sent, taken;
	ssize_t error = mutex_lock_killable(&tty->output_lock);

	if (error < 0)
		return error;
	for (size_t i = 0; i < n; i++) {
		width[i] = tty_translate_output(tty, bytes[i], out + len);
		len += width[i];
	}
	sent = tty->driver->write(tty, out, len, nonblock);
	mutex_unlock(&tty->output_lock);
	for (taken = 0; taken < n && width[taken] <= sent; taken++)
		sent -= width[taken];
	return taken;
}

/* Wait until the device takes bytes. Returns 0, -EAGAIN, -ERESTARTSYS, or -EIO. */
static int wait_to_write(struct file *file, bool nonblock)
{
	struct tty *tty = file->private;
	int error = 0;

	if (READ_ONCE(tty->termios.lflag) & TOSTOP)
		error = tty_check_foreground(tty, SIGTTOU);
	if (error < 0)
		return error;
	if (nonblock)
		error = tty_can_write(tty) ? 0 : -EAGAIN;
	else
		error = wait_event_interruptible(&tty->writable,
						 tty_can_write(tty) || tty_file_hung_up(file));
	return tty_file_hung_up(file) ? -EIO : error;
}

static ssize_t tty_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct tty *tty = file->private;
	bool nonblock = file->flags & O_NONBLOCK;
	char buf[WRITE_PIECE];
	size_t done = 0;

	if (tty_file_hung_up(file))
		return -EIO;
	while (from->left > 0) {
		struct iter start = *from;
		size_t n;
		ssize_t taken = wait_to_write(file, nonblock);

		if (taken < 0)
			return done > 0 ? (ssize_t)done : taken;
		n = iter_copy_from(from, buf, sizeof(buf));
		if (n == 0)
			return done > 0 ? (ssize_t)done : -EFAULT;
		taken = write_piece(tty, buf, n, nonblock);
		if (taken < (ssize_t)n) {
			*from = start;
			if (taken > 0)
				iter_advance(from, taken);
			if (taken < 0)
				return done > 0 ? (ssize_t)done : taken;
		}
		done += taken;
		if (this_cpu()->need_resched) /* the line is slow, and others want to run */
			schedule();
	}
	return done;
}

static unsigned int tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = file->private;
	uint64_t gap;
	unsigned int min = tty_demand(tty, &gap), events = 0;

	poll_wait(table, &tty->readable, POLLIN | POLLRDNORM);
	poll_wait(table, &tty->writable, POLLOUT | POLLWRNORM);
	if (tty_available(tty) >= (gap == 0 && min > 0 ? min : 1))
		events |= POLLIN | POLLRDNORM;
	if (tty_can_write(tty))
		events |= POLLOUT | POLLWRNORM;
	if (tty_file_hung_up(file))
		events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
	return events;
}

/* ---- ioctl ---- */

/* A program types a byte, into its own terminal unless it is root's. */
static long type(struct tty *tty, const char __user *from)
{
	char c;

	if (tty_current() != tty && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&c, from, 1))
		return -EFAULT;
	tty_input(tty, &c, 1);
	return 0;
}

static long tty_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct tty *tty = file->private;
	void __user *pointer = (void __user *)argument;
	long result;

	if (tty_file_hung_up(file))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	if (command == FIONREAD)
		return put_user_u32(tty_available_bytes(tty), pointer);
	if (command == TIOCOUTQ)
		return put_user_u32(0, pointer); /* what was written is with the device */
	if (command == TIOCSTI)
		return type(tty, pointer);
	if (command == TIOCGEXCL)
		return put_user_u32(READ_ONCE(tty->exclusive), pointer);
	if (command == TIOCEXCL || command == TIOCNXCL) {
		WRITE_ONCE(tty->exclusive, command == TIOCEXCL);
		return 0;
	}
	result = tty_settings_ioctl(tty, command, argument);
	return result == -ENOTTY ? tty_job_ioctl(tty, file, command, argument) : result;
}

const struct file_ops tty_file_ops = {
	.async = ASYNC_TIMER,
	.open = tty_open,
	.release = tty_release,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};
