/*
 * Pseudo-terminals: making them, and their two ends. See drivers/tty/pty.h.
 */
#include "fs/dev/device.h"
#include "drivers/tty/pty.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "fs/file/open_file.h"
#include "fs/splice/copy.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"
#include "mm/vmalloc.h"

#define PIECE 256u

enum pty_ioctl { /* asm-generic/ioctls.h of Linux */
		 TIOCGPGRP = 0x540f,
		 TIOCSPGRP = 0x5410,
		 TIOCOUTQ = 0x5411,
		 FIONREAD = 0x541b,
		 TIOCPKT = 0x5420,
		 TIOCGSID = 0x5429,
		 TIOCGPTPEER = 0x5441,
		 TIOCSIG = 0x40045436,
		 TIOCSPTLCK = 0x40045431,
		 TIOCGPTN = 0x80045430,
		 TIOCGPKT = 0x80045438,
		 TIOCGPTLCK = 0x80045439,
};

static spinlock_t ptys_lock = SPINLOCK_INIT("ptys");
static struct pty *ptys[PTY_MAX];
static unsigned int last_generation;

static struct pty *pty_of(struct tty *tty)
{
	return container_of(tty, struct pty, tty);
}

/* ---- the table ---- */

struct pty *pty_find(unsigned int index, unsigned int generation)
{
	struct pty *pty;

	spin_lock(&ptys_lock);
	pty = index < PTY_MAX ? ptys[index] : NULL;
	if (pty && generation && pty->generation != generation)
		pty = NULL;
	if (pty)
		tty_get(&pty->tty); /* its master still has a reference */
	spin_unlock(&ptys_lock);
	return pty;
}

void pty_keep_node(struct pty *pty, struct inode *inode)
{
	spin_lock(&ptys_lock);
	if (!pty->inode && ptys[pty->index] == pty) {
		inode_get(inode);
		pty->inode = inode;
	}
	spin_unlock(&ptys_lock);
}

static int table_add(struct pty *pty)
{
	int error = -ENOSPC;

	spin_lock(&ptys_lock);
	for (unsigned int i = 0; error && i < PTY_MAX; i++) {
		if (ptys[i])
			continue;
		pty->index = i;
		pty->generation = ++last_generation;
		ptys[i] = pty;
		error = 0;
	}
	spin_unlock(&ptys_lock);
	return error;
}

/* ---- the tty's end ---- */

static unsigned int room(const struct pty *pty)
{
	return PTY_RING - (pty->head - pty->tail);
}

/* Never sleeps. If there is room for a part only, that part does not end between CR and LF. */
static size_t pty_write(struct tty *tty, const char *bytes, size_t len, bool atomic)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	if (len > room(pty)) {
		len = room(pty);
		if (len > 0 && bytes[len - 1] == '\r' && bytes[len] == '\n')
			len--;
	}
	for (size_t i = 0; i < len; i++)
		pty->ring[pty->head++ % PTY_RING] = bytes[i];
	spin_unlock_irqrestore(&pty->lock, flags);
	/* No wakeup is lost: the master's reader joins the queue before it looks at the ring. */
	if (len > 0)
		wake_all(&pty->readable);
	return len;
}

/* Two bytes, for a newline. */
static bool pty_can_write(struct tty *tty)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	bool can = room(pty) >= 2;

	spin_unlock_irqrestore(&pty->lock, flags);
	return can;
}

/* The tty can take input again. A writer of the master joins the queue before it looks at the room. */
static void pty_throttle(struct tty *tty, bool stop)
{
	if (!stop)
		wake_all(&pty_of(tty)->writable);
}

static void pty_tell(struct tty *tty, unsigned int event)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	if (pty->packet) {
		if (event & (TIOCPKT_STOP | TIOCPKT_START))
			pty->status &= ~(TIOCPKT_STOP | TIOCPKT_START);
		if (event & (TIOCPKT_NOSTOP | TIOCPKT_DOSTOP))
			pty->status &= ~(TIOCPKT_NOSTOP | TIOCPKT_DOSTOP);
		pty->status |= event;
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	wake_all(&pty->readable);
}

static void pty_flush(struct tty *tty)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	pty->tail = pty->head;
	spin_unlock_irqrestore(&pty->lock, flags);
	pty_tell(tty, TIOCPKT_FLUSHWRITE);
	tty_wake_writers(tty);
}

static int pty_open(struct tty *tty)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	int error = pty->locked || READ_ONCE(tty->hung_up) ? -EIO : 0;

	if (!error) {
		pty->opens++;
		pty->closed = false;
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	return error;
}

static void pty_close(struct tty *tty)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	if (--pty->opens == 0) {
		pty->closed = true;
		pty->status = 0;
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	/* A reader of the master looks at `closed` after it has joined the queue. */
	wake_all_for(&pty->readable, WAKE_STATE);
}

static void pty_free(struct tty *tty)
{
	struct pty *pty = pty_of(tty);

	vfree(pty->ring);
	kfree(pty);
}

static const struct tty_driver pty_driver = {
	.write = pty_write,
	.throttle = pty_throttle,
	.can_write = pty_can_write,
	.open = pty_open,
	.close = pty_close,
	.free = pty_free,
	.tell = pty_tell,
	.flush = pty_flush,
};

static int node_open(struct inode *inode, struct file *file)
{
	struct pty *pty = pty_find(MINOR(inode->rdev), (uintptr_t)inode->private);
	int error;

	if (!pty)
		return -EIO;
	file->ops = &tty_file_ops;
	error = tty_open_as(&pty->tty, file, true);
	tty_put(&pty->tty);
	return error;
}

const struct file_ops pty_node_ops = { .open = node_open };

/* ---- the master: reading ---- */

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
	bool can = pty->head != pty->tail || pty->status || pty->closed;

	spin_unlock_irqrestore(&pty->lock, flags);
	return can;
}

/*
 * Copy up to `max` bytes out of the ring, and leave them there. In packet mode a byte that says what
 * follows comes first. Returns the number of bytes in buf. *taken of them are from the ring.
 */
static size_t peek(struct pty *pty, char *buf, size_t max, size_t *taken)
{
	unsigned int flags = spin_lock_irqsave(&pty->lock);
	size_t n = 0;

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
 * Copy the ring's bytes to the reader, as many as it asks for, and remove them. Returns their number, 0 if
 * the ring is empty, or -EFAULT. read_lock is held.
 */
static ssize_t take(struct pty *pty, struct iter *to)
{
	ssize_t done = 0;
	bool first = true;

	while (to->left > 0) {
		unsigned int from = READ_ONCE(pty->tail);
		char buf[PIECE];
		size_t taken, copied, n;
		bool packet;

		n = peek(pty, buf, MIN(to->left, sizeof(buf)), &taken);
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
		if (!master_can_read(pty) && file->flags & O_NONBLOCK)
			return -EAGAIN;
		result = wait_event_interruptible(&pty->readable, master_can_read(pty));
		if (!result)
			result = mutex_lock_killable(&pty->read_lock);
		if (result)
			return result;
		result = take(pty, to);
		mutex_unlock(&pty->read_lock);
		if (result)
			return result;
		if (READ_ONCE(pty->closed) && master_available(pty) == 0)
			return -EIO;
		/* Another reader was faster, or the bytes were flushed. Wait again. */
	}
}

/* ---- the master: writing ---- */

/* Give one piece to the tty as its input. Returns how many bytes it took, or an error. */
static ssize_t input(struct pty *pty, const char *bytes, size_t n, bool nonblock)
{
	int error;

	if (nonblock && tty_input_room(&pty->tty) == 0)
		return -EAGAIN;
	error = wait_event_interruptible(&pty->writable, tty_input_room(&pty->tty) > 0);
	return error ? error : (ssize_t)tty_input(&pty->tty, bytes, n);
}

static ssize_t master_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct pty *pty = file->private;
	size_t done = 0;

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
	spin_unlock_irqrestore(&pty->lock, flags);
	if (tty_input_room(&pty->tty) > 0)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

/* ---- the master: ioctl ---- */

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

static long master_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pty *pty = file->private;
	void __user *pointer = (void __user *)argument;

	switch (command) {
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
		return pty->tty.session ? put_user_u32(pty->tty.session, pointer) : -ENOTTY;
	case TIOCSPGRP:
		return tty_job_ioctl(&pty->tty, command, argument);
	}
	return tty_settings_ioctl(&pty->tty, command, argument);
}

/* ---- the master: open and close ---- */

static int master_open(struct inode *inode, struct file *file)
{
	struct pty *pty = kzalloc(sizeof(*pty), 0);
	int error = -ENOMEM;

	if (!pty)
		return -ENOMEM;
	spin_init(&pty->lock, "pty");
	mutex_init(&pty->read_lock, "pty read");
	wait_queue_init(&pty->readable, "pty readable");
	wait_queue_init(&pty->writable, "pty writable");
	pty->tty.driver = &pty_driver;
	tty_init(&pty->tty, 0);
	pty->tty.termios.cflag = CFLAG_PTY;
	pty->locked = true;
	pty->uid = current->process->cred.euid;
	pty->gid = current->process->cred.egid;
	pty->ring = vmalloc(PTY_RING, 0);
	if (pty->ring)
		error = table_add(pty);
	if (error) {
		pty_free(&pty->tty);
		return error;
	}
	pty->tty.device = MAKEDEV(PTY_MAJOR, pty->index);
	snprintf(pty->tty.name, sizeof(pty->tty.name), "pts/%u", pty->index);
	file->private = pty;
	return 0;
}

static void master_release(struct file *file)
{
	struct pty *pty = file->private;
	struct inode *inode;

	spin_lock(&ptys_lock);
	ptys[pty->index] = NULL;
	inode = pty->inode;
	pty->inode = NULL;
	spin_unlock(&ptys_lock);
	inode_put(inode);
	tty_hang_up(&pty->tty);
	tty_put(&pty->tty);
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
