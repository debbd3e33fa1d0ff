/*
 * Terminals: the line discipline between a program and a device that passes bytes.
 *
 * 1. A tty has an input ring (filled from interrupts by tty_input) and a driver for output.
 * 2. tty->lock (irqsave) guards the input ring, the line being edited, and settings; output_lock (a
 *    mutex) serialises writers.
 * 3. Canonical and raw mode, echo, erase, kill, ^C ^\ ^Z ^D, VMIN/VTIME, ICRNL, OPOST ONLCR, TOSTOP;
 *    window size; sessions and foreground groups (SIGTTIN, SIGTTOU, SIGHUP). Settings that are not
 *    here do not stay: who asks for them sees that they are off.
 * 4. When the input ring is full the driver is told to stop taking bytes from the device
 *    (throttle): nothing is lost in raw mode.
 * 5. A tty_driver's functions may be called with tty->lock held (write only if `atomic`; throttle,
 *    can_write) and so must not take it; the order is tty->lock < the driver's own lock < log and
 *    signal locks. Ttys are never freed.
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
	 * Send bytes; may sleep (interrupt-driven output) unless `atomic`. Returns how many it
	 * took.
	 */
	size_t (*write)(struct tty *tty, const char *bytes, size_t len, bool atomic);
	/* Take no more input (true) / go on (false): lock held. NULL: cannot. */
	void (*throttle)(struct tty *tty, bool stop);
	/*
	 * Would write() take a byte now, since all that was written is sent? If not, tty->writable
	 * is woken when it would. NULL: always.
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

/* Make it known as /dev/NAME, with that device number. -ENOMEM, -EEXIST. */
int tty_register(struct tty *tty, unsigned int major, unsigned int minor);
/* Bytes from the device; from interrupts. Returns how many were taken: fewer means throttled. */
size_t tty_input(struct tty *tty, const char *bytes, size_t len);
/*
 * How many bytes tty_input() takes now. 0: the tty is throttled until the driver's throttle(false).
 * Drivers that can leave bytes in the device ask this first. From interrupts too.
 */
size_t tty_input_room(struct tty *tty);
/* Output can go on: wakes writers and pollers, those of the console too. From interrupts. */
void tty_wake_writers(struct tty *tty);

/* ---- drivers/tty/tty.c: files ---- */

extern const struct file_ops tty_file_ops;
/* Initialise a tty without making it known. */
void tty_init(struct tty *tty, unsigned int device);

/* ---- drivers/tty/ldisc.c: the line discipline ---- */

/*
 * Replace the settings; `flush`: throw away what was typed and not read. What the ring holds counts
 * as a complete line when canonical mode begins.
 */
void tty_set_termios(struct tty *tty, const struct termios *termios, bool flush);
/* How many bytes wait for a reader (up to the end of the last complete line in canonical mode). */
unsigned int tty_available(struct tty *tty);
/*
 * What a reader gets, without taking it: up to `max` bytes into buf, at most one line in canonical
 * mode. tty_consume() takes it afterwards, unless a flush did so meanwhile.
 */
struct tty_chunk {
	unsigned int from;	/* ring position */
	unsigned int positions; /* to consume; one more than `bytes` at an end of file */
	size_t bytes;
	bool line_done;
};
void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk);
void tty_consume(struct tty *tty, const struct tty_chunk *chunk);
/* Is a newline sent as CR LF? */
bool tty_sends_crlf(const struct tty *tty);

/* ---- drivers/tty/job.c: who may use it ---- */

/*
 * May the current process read (SIGTTIN) from, or write to and change (SIGTTOU) the terminal? 0;
 * -ERESTARTSYS: the signal was sent, try again after it; -EIO: it would stop for ever.
 */
int tty_check_foreground(struct tty *tty, int signo);
/* Make it the controlling terminal of a session leader that has none. 0; -EPERM. */
int tty_acquire(struct tty *tty);
/* The controlling terminal of the current process, or NULL. */
struct tty *tty_current(void);
/* The job control ioctls. -ENOTTY: not one of them. */
long tty_job_ioctl(struct tty *tty, unsigned int command, unsigned long argument);
/*
 * A session leader exits: SIGHUP and SIGCONT to the foreground group, the terminal is free again,
 * and no process of the session has it any more. Takes tasks_lock.
 */
void tty_leave_session(struct tty *tty, unsigned int sid);

/* ---- drivers/tty/console.c ---- */

/*
 * The console: one tty that stands for all devices that console= names (default: ttyS0 and tty1).
 * Its output goes to all of them, its input comes from all of them, and /dev/ttyS0 and so on are
 * then other names for it. Called for each tty that is registered.
 */
void tty_console_join(struct tty *tty);
/* Open the console for the first process: O_RDWR, one reference; ERR_PTR(-ENFILE, -ENOMEM). */
struct file *tty_open_console(void);

#endif
