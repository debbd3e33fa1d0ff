/*
 * Terminals: the line discipline between a program and a device that passes bytes.
 *
 * 1. A tty has an input ring (filled from interrupts by tty_input) and a driver for output.
 * 2. tty->lock (irqsave) guards the input ring, the line being edited, and settings; output_lock (a
 *    mutex) serialises writers.
 * 3. It has canonical and raw mode, echo, erase, kill, ^C ^\ ^Z ^D, VMIN/VTIME, ICRNL, OPOST ONLCR,
 *    TOSTOP, the window size, sessions and foreground groups (SIGTTIN, SIGTTOU, SIGHUP). Other settings
 *    are cleared when they are set, so that a program that reads them back sees that they are off.
 * 4. When the input ring is full, the driver is told to take no more bytes from the device (throttle).
 *    So nothing is lost in raw mode.
 * 5. The functions of a tty_driver may be called with tty->lock held (write only if `atomic`), so they
 *    must not take it. The order is tty->lock, the driver's own lock, the locks of log and signals.
 * 6. Ttys are never freed.
 */
#ifndef DRIVERS_TTY_TTY_H
#define DRIVERS_TTY_TTY_H

#include "kernel/mutex.h"
#include "kernel/wait.h"

struct file;
struct file_ops;
struct tty;

struct tty_driver {
	/*
	 * Send bytes. Returns how many it took. May sleep unless `atomic` is set.
	 */
	size_t (*write)(struct tty *tty, const char *bytes, size_t len, bool atomic);
	/* Stop taking input, or go on. tty->lock is held. NULL: the device cannot be stopped. */
	void (*throttle)(struct tty *tty, bool stop);
	/*
	 * Returns true if the device has sent everything, so that write() takes a byte now. Otherwise
	 * tty->writable is woken when this is so. NULL: write() always takes bytes.
	 */
	bool (*can_write)(struct tty *tty);
};

/* termios of Linux/i386, asm-generic/termbits.h; only what Sluice does. */
#define ICRNL	    0400 /* iflag */
#define OPOST	    01	 /* oflag */
#define ONLCR	    04
#define ISIG	    01 /* lflag */
#define ICANON	    02
#define ECHO	    010
#define TOSTOP	    0400
#define CFLAG_FIXED 014262 /* what every line is set to: CS8, CREAD, CLOCAL, B115200 */
#define LFLAG_FIXED 05060  /* how every line echoes: ECHOE, ECHOK, ECHOCTL, ECHOKE */
enum termios_cc { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSUSP = 10, TERMIOS_CC = 19 };

/* As TCGETS and TIOCGWINSZ have them on i386. */
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
	uint16_t ring[TTY_RING]; /* bytes, with marks: drivers/tty/ldisc.c */
	unsigned int head, tail; /* free-running */
	unsigned int line_end;	 /* in canonical mode: behind the last complete line */
	bool throttled;
	struct wait_queue readable, writable;
	struct mutex output_lock, read_lock;
	unsigned int session, foreground; /* sid and pgid; 0: none */
	unsigned int device;		  /* MAKEDEV */
	struct tty *console;		  /* the tty that this one is a part of, or itself */
};

/* ---- for drivers ---- */

/*
 * Initialise a terminal and publish it as /dev/NAME, with that device number. `name` and `driver` are
 * set. Returns 0, -ENOMEM, or -EEXIST if the number is taken.
 */
int tty_register(struct tty *tty, unsigned int major, unsigned int minor);
/*
 * Process bytes that the device has received. Returns how many were taken. If that is fewer than `len`,
 * the driver has been throttled. May be called in an interrupt.
 */
size_t tty_input(struct tty *tty, const char *bytes, size_t len);
/*
 * Returns how many bytes tty_input() takes now. If it returns 0, the driver has been throttled, and
 * throttle(false) will be called. Drivers that can leave bytes in the device call this first. May be
 * called in an interrupt.
 */
size_t tty_input_room(struct tty *tty);
/*
 * Output can go on: wake the writers and pollers of the tty and of its console. May be called in an
 * interrupt.
 */
void tty_wake_writers(struct tty *tty);

/* ---- drivers/tty/tty.c: files ---- */

extern const struct file_ops tty_file_ops;
/* Initialise a tty without publishing it. */
void tty_init(struct tty *tty, unsigned int device);

/* ---- drivers/tty/ldisc.c: the line discipline ---- */

/*
 * Replace the settings. With `flush`, drop the input that has not been read. When canonical mode begins,
 * the bytes in the ring count as a complete line. Never sleeps.
 */
void tty_set_termios(struct tty *tty, const struct termios *termios, bool flush);
/* Returns how many bytes can be read. In canonical mode these are the complete lines. */
unsigned int tty_available(struct tty *tty);
/*
 * Reading is done in two steps. tty_peek() copies up to `max` bytes to buf, in canonical mode at most one
 * line, and leaves them in the ring. tty_consume() then removes them, unless a flush already has.
 * read_lock is held around both.
 */
struct tty_chunk {
	unsigned int from;	/* ring position */
	unsigned int positions; /* entries to consume: `bytes`, and one more at an end of file */
	size_t bytes;
	bool line_done;
};
void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk);
void tty_consume(struct tty *tty, const struct tty_chunk *chunk);
/* Returns true if a newline is sent as CR LF. */
bool tty_sends_crlf(const struct tty *tty);

/* ---- drivers/tty/job.c: job control ---- */

/*
 * Check that the current process may read the terminal (SIGTTIN), or write to it and change it (SIGTTOU).
 * Returns 0 if it may, -ERESTARTSYS if the signal has been sent and the call is to be repeated after it,
 * or -EIO if the process may not read, or if the signal would stop it for ever. Takes tasks_lock.
 */
int tty_check_foreground(struct tty *tty, int signo);
/*
 * Make the terminal the controlling terminal of the current process. Returns 0, or -EPERM if the process
 * is no session leader, has another terminal, or the terminal belongs to another session.
 */
int tty_acquire(struct tty *tty);
/* Returns the controlling terminal of the current process, or NULL. */
struct tty *tty_current(void);
/* Run a job control ioctl. Returns -ENOTTY if `command` is not one of them. */
long tty_job_ioctl(struct tty *tty, unsigned int command, unsigned long argument);
/*
 * Called when a session leader exits. The terminal becomes free, no process of the session has it any
 * more, and the foreground group gets SIGHUP and SIGCONT. Takes tasks_lock.
 */
void tty_leave_session(struct tty *tty, unsigned int sid);

/* ---- drivers/tty/console.c ---- */

/*
 * Make a tty a part of the console if console= names it. The console is one tty that stands for all these
 * devices (by default ttyS0 and tty1). Its output goes to all of them, its input comes from all of them,
 * and /dev/ttyS0 and the like are other names for it. Called for each tty that is registered.
 */
void tty_console_join(struct tty *tty);
/*
 * Open the console for the first process, with O_RDWR. Returns the file with one reference, or
 * ERR_PTR(-ENFILE, -ENOMEM). May sleep.
 */
struct file *tty_open_console(void);

#endif
