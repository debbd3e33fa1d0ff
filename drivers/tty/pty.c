/*
 * Pseudo-terminals: making and finding them, and the end that is a tty. See drivers/tty/pty.h, and
 * drivers/tty/pty_master.c for the other end.
 */
#include "drivers/tty/pty.h"
#include "fs/file/open_file.h"
#include "kernel/process/process.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

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

/*
 * The tty can take input again. A writer of the master joins the queue before it looks at the room.
 */
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
		WRITE_ONCE(pty->closed, false);
	}
	spin_unlock_irqrestore(&pty->lock, flags);
	return error;
}

static void pty_close(struct tty *tty)
{
	struct pty *pty = pty_of(tty);
	unsigned int flags = spin_lock_irqsave(&pty->lock);

	if (--pty->opens == 0) {
		WRITE_ONCE(pty->closed, true);
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

/* ---- for the master ---- */

struct pty *pty_create(void)
{
	struct pty *pty = kzalloc(sizeof(*pty), 0);
	int error = -ENOMEM;

	if (!pty)
		return ERR_PTR(-ENOMEM);
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
		return ERR_PTR(error);
	}
	pty->tty.device = MAKEDEV(PTY_MAJOR, pty->index);
	snprintf(pty->tty.name, sizeof(pty->tty.name), "pts/%u", pty->index);
	return pty;
}

void pty_remove(struct pty *pty)
{
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
