/*
 * Terminals as files: open, read, write, poll.
 *
 * 1. Nothing is held while a reader waits for input or a writer for the device: read_lock and
 *    output_lock are taken for one piece of a read or write. So pieces of long writes by several
 *    tasks may interleave; up to WRITE_PIECE bytes stay together.
 * 2. Bytes leave the input ring only after they have reached the reader's memory.
 * 3. /dev/tty is the caller's controlling terminal. /dev/console and /dev/tty0 never become one by
 *    being opened; TIOCSCTTY makes them one.
 */
#include "drivers/tty_ldisc.h"
#include "fs/poll.h"
#include "fs/splice.h"
#include "kernel/init.h"
#include "kernel/signal.h"
#include "kernel/task.h"
#include "lib/string.h"

#define READ_PIECE     256u
#define WRITE_PIECE    128u
#define DECISECOND     (NSEC_PER_SEC / 10)

#define DEVICE_TTY0    MAKEDEV(4, 0)
#define DEVICE_CURRENT MAKEDEV(5, 0)
#define DEVICE_CONSOLE MAKEDEV(5, 1)

void tty_init(struct tty *tty, unsigned int device)
{
	spin_init(&tty->lock, "tty");
	wait_queue_init(&tty->readable, "tty readable");
	wait_queue_init(&tty->writable, "tty writable");
	mutex_init(&tty->output_lock, "tty output");
	mutex_init(&tty->read_lock, "tty read");
	tty_default_termios(&tty->termios);
	tty->device = device;
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
	if (tty->console)
		wake_all(&tty->console->writable);
}

static int tty_open(struct inode *inode, struct file *file)
{
	struct tty *tty = inode->rdev == DEVICE_CURRENT ? tty_current() : chrdev_private(inode);

	if (!tty)
		return -ENXIO;
	if (tty->console)
		tty = tty->console;
	file->private = tty;
	if (!(file->flags & O_NOCTTY) && file->readable && !tty_current() && current->process &&
	    inode->rdev != DEVICE_CONSOLE && inode->rdev != DEVICE_TTY0)
		(void)tty_acquire(tty, false); /* not a leader, or not free: it is just opened */
	return 0;
}

/* ---- reading ---- */

/* Sleep until `want` bytes can be read: 1; 0: the deadline passed; -ERESTARTSYS: a signal. */
static int wait_for_input(struct tty *tty, unsigned int want, uint64_t deadline)
{
	struct waiter waiter = { LIST_INIT(waiter.link), NULL, NULL };
	bool in_time = true;
	int result;

	for (;;) {
		wait_prepare(&tty->readable, &waiter, TASK_INTERRUPTIBLE);
		result = tty_available(tty) >= want;
		if (result || !in_time)
			break;
		if (signal_pending()) {
			result = -ERESTARTSYS;
			break;
		}
		in_time = schedule_until(deadline);
	}
	wait_finish(&tty->readable, &waiter);
	return result;
}

/* What VMIN and VTIME ask for (POSIX.1-2017, 11.1.7); in canonical mode just a line. */
struct input_demand {
	unsigned int min;
	uint64_t gap; /* nanoseconds; 0: no time limit */
};

static struct input_demand tty_demand(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	struct input_demand demand = { 1, 0 };

	if (!(tty->termios.lflag & ICANON)) {
		demand.min = tty->termios.cc[VMIN];
		demand.gap = tty->termios.cc[VTIME] * DECISECOND;
	}
	spin_unlock_irqrestore(&tty->lock, flags);
	return demand;
}

/* After the first byte: until `min` are there or none came for so long. */
static int wait_for_more(struct tty *tty, unsigned int min, uint64_t gap)
{
	for (;;) {
		unsigned int have = tty_available(tty);
		int result;

		if (have >= min)
			return 1;
		result = wait_for_input(tty, have + 1, time_now() + gap);
		if (result < 0)
			return result;
		if (result == 0)
			return 1;
	}
}

/* 1: there is something to take; 0: the read returns 0; or an error. */
static int wait_to_read(struct tty *tty, size_t want, bool nonblock)
{
	struct input_demand demand = tty_demand(tty);
	unsigned int min = MIN(demand.min, want);
	int result;

	if (tty_available(tty) >= MAX(min, 1u))
		return 1;
	if (min == 0 && demand.gap == 0)
		return 0;
	if (nonblock)
		return tty_available(tty) > 0 ? 1 : -EAGAIN;
	if (demand.gap == 0)
		return wait_for_input(tty, min, UINT64_MAX);
	if (min == 0)
		return wait_for_input(tty, 1, time_now() + demand.gap);
	result = wait_for_input(tty, 1, UINT64_MAX);
	return result < 0 ? result : wait_for_more(tty, min, demand.gap);
}

/*
 * Take what is there, at most one line in canonical mode. *line_done: an empty result is an end of
 * file.
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

static ssize_t tty_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct tty *tty = file->private;
	bool line_done = false;
	ssize_t done;

	if (to->left == 0)
		return 0;
	for (;;) {
		int result = tty_check_foreground(tty, SIGTTIN);

		if (result < 0)
			return result;
		result = wait_to_read(tty, to->left, file->flags & O_NONBLOCK);
		if (result <= 0)
			return result;
		result = mutex_lock_killable(&tty->read_lock);
		if (result < 0)
			return result;
		done = take_input(tty, to, &line_done);
		mutex_unlock(&tty->read_lock);
		if (done != 0 || line_done)
			return done;
		/* Another reader was faster, or the input was flushed: wait again. */
	}
}

/* ---- writing ---- */

static bool can_write(struct tty *tty)
{
	if (READ_ONCE(tty->stopped))
		return false;
	return !tty->driver->can_write || tty->driver->can_write(tty);
}

/* Send one piece: how many of the n bytes were taken, 0: none for now; or an error. */
static ssize_t write_piece(struct tty *tty, const char *bytes, size_t n, bool nonblock)
{
	char out[2 * WRITE_PIECE];
	uint16_t ends[WRITE_PIECE];
	size_t len, sent, taken = 0;
	ssize_t error = mutex_lock_killable(&tty->output_lock);

	if (error < 0)
		return error;
	if (!(READ_ONCE(tty->termios.oflag) & OPOST)) {
		taken = tty->driver->write(tty, bytes, n, nonblock);
	} else {
		len = tty_process_output(tty, bytes, n, out, ends);
		sent = tty->driver->write(tty, out, len, nonblock);
		while (taken < n && ends[taken] <= sent)
			taken++;
	}
	mutex_unlock(&tty->output_lock);
	return taken;
}

/* Wait until the device takes bytes: 0, -EAGAIN, -ERESTARTSYS. */
static int wait_to_write(struct tty *tty, bool nonblock)
{
	int error = 0;

	if (READ_ONCE(tty->termios.lflag) & TOSTOP)
		error = tty_check_foreground(tty, SIGTTOU);
	if (error < 0)
		return error;
	if (nonblock)
		return can_write(tty) ? 0 : -EAGAIN;
	return wait_event_interruptible(&tty->writable, can_write(tty));
}

static ssize_t tty_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct tty *tty = file->private;
	bool nonblock = file->flags & O_NONBLOCK;
	char buf[WRITE_PIECE];
	size_t done = 0;

	while (from->left > 0) {
		struct iter start = *from;
		size_t n;
		ssize_t taken = wait_to_write(tty, nonblock);

		if (taken < 0)
			return done > 0 ? (ssize_t)done : taken;
		iter_restore(&start, from);
		n = iter_copy_from(from, buf, sizeof(buf));
		if (n == 0)
			return done > 0 ? (ssize_t)done : -EFAULT;
		taken = write_piece(tty, buf, n, nonblock);
		if (taken < (ssize_t)n) {
			iter_restore(from, &start);
			if (taken > 0)
				iter_advance(from, taken);
			if (taken < 0)
				return done > 0 ? (ssize_t)done : taken;
		}
		done += taken;
		if (this_cpu()->need_resched) /* the line is slow, and others want to run */
			sched_yield_cpu();
	}
	return done;
}

static unsigned int tty_poll(struct file *file, struct poll_table *table)
{
	struct tty *tty = file->private;
	struct input_demand demand = tty_demand(tty);
	unsigned int events = 0;

	poll_wait(table, &tty->readable);
	poll_wait(table, &tty->writable);
	if (tty_available(tty) >= (demand.gap == 0 && demand.min > 0 ? demand.min : 1))
		events |= POLLIN | POLLRDNORM;
	if (can_write(tty))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

const struct file_ops tty_file_ops = {
	.open = tty_open,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};
