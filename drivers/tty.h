/*
 * Terminals: the line discipline between a program and a device that passes bytes.
 *
 * 1. A tty has an input ring (filled from interrupts by tty_input) and a driver for output.
 * 2. tty->lock (irqsave) guards the input ring, the line being edited, and settings; output_lock (a
 *    mutex) serialises writers.
 * 3. Canonical and raw mode, echo, erase, kill, word erase, ^C ^\ ^Z ^D, VMIN/VTIME, ICRNL INLCR
 *    IGNCR ISTRIP, OPOST ONLCR, NOFLSH, TOSTOP; window size; sessions and foreground groups
 *    (SIGTTIN, SIGTTOU, SIGHUP).
 * 4. When the input ring is full the driver is told to stop taking bytes from the device
 *    (throttle): nothing is lost in raw mode.
 * 5. A tty_driver's functions may be called with tty->lock held (write only if `atomic`; throttle,
 *    can_write) and so must not take it; the order is tty->lock < the driver's own lock < log and
 *    signal locks. Ttys are never freed.
 */
#ifndef DRIVERS_TTY_H
#define DRIVERS_TTY_H

#include "kernel/mutex.h"
#include "kernel/wait.h"

struct tty;
struct file_ops;

struct tty_driver {
	/*
	 * Send bytes; may sleep (interrupt-driven output) unless `atomic`. Returns how many it
	 * took.
	 */
	size_t (*write)(struct tty *tty, const char *bytes, size_t len, bool atomic);
	/* Take no more input (true) / go on (false): lock held. NULL: cannot. */
	void (*throttle)(struct tty *tty, bool stop);
	/* Wait until everything was sent, or a signal comes. NULL: nothing to wait for. */
	void (*drain)(struct tty *tty);
	/*
	 * Would write() take a byte now? If not, tty->writable is woken when it would. NULL:
	 * always.
	 */
	bool (*can_write)(struct tty *tty);
};

/* struct termios as TCGETS has it on i386. */
#define TERMIOS_CC 19
struct termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TERMIOS_CC];
};
struct winsize {
	uint16_t rows, columns, x, y;
};

#define TTY_RING 4096u

struct tty {
	char name[16];
	const struct tty_driver *driver;
	void *private;
	spinlock_t lock; /* irqsave: settings, ring, session */
	struct termios termios;
	struct winsize window;
	char ring[TTY_RING];
	unsigned int head,
		tail; /* free-running; in canonical mode head..edit is the unfinished line */
	unsigned int line_end; /* position behind the last complete line */
	bool throttled;
	struct wait_queue readable, writable;
	struct mutex output_lock, read_lock;
	unsigned int column;		  /* for echo of erase and tabs */
	unsigned int session, foreground; /* sid and pgid; 0: none */
	uint32_t marks[TTY_RING / 32];	  /* ring positions that end a line */
	bool stopped;			  /* output: ^S or TCOOFF */
	bool literal_next;		  /* ^V: the next byte has no special meaning */
	unsigned int line_column;	  /* where on the screen the unfinished line began */
	unsigned int device;		  /* MAKEDEV */
	struct tty *console; /* the tty that this one is a part of; NULL: it is its own */
};

/* Make it known as /dev/NAME, with that device number. */
int tty_register(struct tty *tty, unsigned int major, unsigned int minor);
/* Bytes from the device; from interrupts. Returns how many were taken: fewer means throttled. */
size_t tty_input(struct tty *tty, const char *bytes, size_t len);
/*
 * How many bytes tty_input() takes now. 0: the tty is throttled until the driver's throttle(false).
 * Drivers that can leave bytes in the device ask this first. From interrupts too.
 */
size_t tty_input_room(struct tty *tty);
/*
 * The console: one tty that stands for all devices that console= names (default: ttyS0 and tty1).
 * Its output goes to all of them, its input comes from all of them, and /dev/ttyS0 and so on are
 * then other names for it. Called for each tty that is registered.
 */
void tty_console_join(struct tty *tty);
/* Open /dev/console for the first process: O_RDWR, one reference; ERR_PTR(-ENFILE, -ENOMEM). */
struct file;
struct file *tty_open_console(void);
/*
 * A session leader exits: SIGHUP and SIGCONT to the foreground group, the terminal is free again,
 * and no process of the session has it any more. Takes tasks_lock.
 */
void tty_leave_session(struct tty *tty, unsigned int sid);

#endif
