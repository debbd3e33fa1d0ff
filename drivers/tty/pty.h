/*
 * Pseudo-terminals: a tty whose other end is a file (the master) instead of a device.
 *
 * 1. A pty is made by opening /dev/ptmx and lives until both ends are closed. `tty` is the end that
 *    programs use as their terminal (the slave, /dev/pts/N). It has the line discipline of every
 *    tty.
 * 2. What programs write, and echo, goes into `ring`, from which the master reads. What is written
 *    to the master is the tty's input.
 * 3. pty->lock (irqsave) guards the ring and the state. It is taken after tty->lock. ptys_lock, a
 *    plain spinlock, guards the table of ptys. A pty is in the table until its master is closed.
 * 4. The tty's references (tty_get) count for the whole pty. The master holds one.
 */
#ifndef DRIVERS_TTY_PTY_H
#define DRIVERS_TTY_PTY_H

#include "drivers/tty/tty.h"

#define PTY_MAX	 256u	/* ptys at a time */
#define PTY_RING 16384u /* a power of two */

struct inode;

struct pty {
	struct tty tty;
	unsigned int index;		      /* N of /dev/pts/N */
	unsigned int generation;	      /* no two ptys have the same */
	uint32_t uid, gid;		      /* of the process that has made it */
	struct mutex read_lock;		      /* serialises the master's readers */
	struct wait_queue readable, writable; /* the master's */
	spinlock_t lock;
	/* Guarded by lock. */
	char *ring;
	unsigned int head, tail; /* free-running */
	unsigned int opens;	 /* of the tty */
	bool closed;		 /* the tty was open and is not any more: EIO for the master */
	bool locked;		 /* the tty cannot be opened (TIOCSPTLCK) */
	bool packet;		 /* TIOCPKT */
	bool master_hung_up;	 /* TIOCVHANGUP of the master: nothing can be done with it */
	uint8_t status;		 /* TIOCPKT_* that the master has not read yet */
	struct inode *inode;	 /* a reference to its node; guarded by ptys_lock */
};

/*
 * Returns the pty with that index, with a reference to its tty, or NULL if there is none, or if
 * `generation` is not 0 and the pty has another one. Never sleeps.
 */
struct pty *pty_find(unsigned int index, unsigned int generation);
/*
 * Note the node of a pty, so that its owner and mode stay while the pty lives. Takes a reference,
 * unless the pty has a node already.
 */
void pty_keep_node(struct pty *pty, struct inode *inode);
/* file_ops of a node in /dev/pts, until the file is open. The inode's rdev says which pty it is. */
extern const struct file_ops pty_node_ops;
/*
 * Make a pty for the current process. Its tty is locked. Returns it with one reference, which is
 * the master's, or ERR_PTR(-ENOMEM), or ERR_PTR(-ENOSPC) if there are PTY_MAX already. May sleep.
 */
struct pty *pty_create(void);
/*
 * The master has been closed: the pty leaves the table, its tty hangs up, and the master's
 * reference is dropped. May sleep; takes tasks_lock.
 */
void pty_remove(struct pty *pty);

#define PTY_MAJOR 136

#endif
