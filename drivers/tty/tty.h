/*
 * Terminals: the line discipline between a program and a device that passes bytes.
 *
 * 1. A tty has an input ring (filled from interrupts by tty_input) and a driver for output.
 * 2. tty->lock (irqsave) guards the input ring, the line being edited, and settings; output_lock (a
 *    mutex) serialises writers.
 * 3. It has canonical and raw mode, all forms of echo and editing of Linux but ECHOPRT, the control
 *    characters, VMIN/VTIME, the translations of CR and NL, ^S and ^Q, TOSTOP, the window size,
 *    sessions and foreground groups (SIGTTIN, SIGTTOU, SIGHUP). Other settings are cleared when
 *    they are set, so that a program that reads them back sees that they are off.
 * 4. When the input ring is full, the driver is told to take no more bytes from the device
 *    (throttle). So nothing is lost in raw mode.
 * 5. The functions of a tty_driver may be called with tty->lock held (write only if `atomic`), so
 *    they must not take it. The order is tty->lock, the driver's own lock, the locks of log and
 *    signals.
 * 6. The ttys of devices are never freed. A pseudo-terminal (drivers/tty/pty.c) is freed with its
 *    last reference. Open files hold references, and so does the session whose terminal it is. A
 *    process points to its terminal without a reference: process->tty is only followed under
 *    tasks_lock, and becomes NULL, under that lock, before the session's reference is dropped.
 * 7. A tty whose other end was closed (pseudo-terminals) has hung up, and never comes back.
 * 8. vhangup(2) takes a tty away from all who use it: the files that are open then read as ended
 *    and cannot be written, and the tty can be opened anew, as a login program does. tty->hang_ups
 *    counts these calls, and each file has the count from its own opening. Files of /dev/console
 *    stay.
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
	 * Returns true if the device has sent everything, so that write() takes a byte now.
	 * Otherwise tty->writable is woken when this is so. NULL: write() always takes bytes.
	 */
	bool (*can_write)(struct tty *tty);
	/*
	 * For pseudo-terminals; NULL for devices. open may refuse (-EIO). close follows each
	 * successful open. `free` is called when the last reference has gone. `tell` says that
	 * input or output was flushed or stopped (TIOCPKT_*), with tty->lock held.
	 */
	int (*open)(struct tty *tty);
	void (*close)(struct tty *tty);
	void (*free)(struct tty *tty);
	void (*tell)(struct tty *tty, unsigned int event);
	/*
	 * Drop what was written and has not been sent. NULL: nothing waits. tty->lock may be held.
	 */
	void (*flush)(struct tty *tty);
};

/* termios of Linux/i386, asm-generic/termbits.h; only what Sluice does. */
#define IGNBRK	01 /* iflag */
#define BRKINT	02
#define IGNPAR	04
#define INPCK	020
#define ISTRIP	040
#define INLCR	0100
#define IGNCR	0200
#define ICRNL	0400
#define IXON	02000
#define IXANY	04000
#define IMAXBEL 020000
#define IUTF8	040000
#define OF_SIGNALS \
	(IGNBRK | BRKINT | IGNPAR | INPCK) /* no line here tells of a break or an error */
#define OPOST	01			   /* oflag */
#define ONLCR	04
#define OCRNL	010
#define TABDLY	014000
#define XTABS	014000 /* of TABDLY: a tab is written as blanks */
#define ISIG	01     /* lflag */
#define ICANON	02
#define ECHO	010
#define ECHOE	020
#define ECHOK	040
#define ECHONL	0100
#define NOFLSH	0200
#define TOSTOP	0400
#define ECHOCTL 01000
#define ECHOKE	04000
#define IEXTEN	0100000
/*
 * What stty(1) sets, and finds set afterwards, though it has no effect on Linux either: delays and
 * filling, keys in capitals, and what asks the line of a pseudo-terminal to wait.
 */
#define IXOFF	    010000
#define OF_DELAYS   0177700 /* OFILL, OFDEL, NLDLY, CRDLY, TABDLY, BSDLY, VTDLY, FFDLY */
#define OF_CAPITALS 050004  /* XCASE, FLUSHO, PENDIN */
#define CSIZE	    060
#define CS8	    060
#define CREAD	    0200
#define PARENB	    0400
#define CFLAG_FIXED 014262 /* what the line of a device is set to: CS8, CREAD, CLOCAL, B115200 */
#define CFLAG_PTY   0277   /* what a pseudo-terminal begins with: CS8, CREAD, B38400 */
enum termios_cc {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSTART = 8,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2,
	TERMIOS_CC = 19
};

/* Events of packet mode, asm-generic/ioctls.h. */
enum packet_event {
	TIOCPKT_DATA = 0,
	TIOCPKT_FLUSHREAD = 1,
	TIOCPKT_FLUSHWRITE = 2,
	TIOCPKT_STOP = 4,
	TIOCPKT_START = 8,
	TIOCPKT_NOSTOP = 16,
	TIOCPKT_DOSTOP = 32,
};

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
	struct termios locked; /* the bits and characters that stay as they are */
	struct winsize window;
	uint16_t ring[TTY_RING]; /* bytes, with marks: drivers/tty/ldisc.c */
	unsigned int head, tail; /* free-running */
	unsigned int line_end;	 /* in canonical mode: behind the last complete line */
	bool throttled;
	bool stopped;	       /* ^S: output waits for ^Q */
	bool literal;	       /* ^V: the next byte is not a control character */
	bool hung_up;	       /* set once */
	unsigned int hang_ups; /* how often vhangup has hung it up */
	bool exclusive;	       /* TIOCEXCL: only root opens it anew, until all files are closed */
	struct atomic files;   /* open ones */
	struct atomic refs;    /* counted only if the driver has `free` */
	struct wait_queue readable, writable;
	struct mutex output_lock, read_lock;
	unsigned int session, foreground; /* sid and pgid; 0: none */
	unsigned int device;		  /* MAKEDEV */
	struct tty *console;		  /* the tty that this one is a part of, or itself */
};

/* ---- for drivers ---- */

/*
 * Initialise a terminal and publish it as /dev/NAME, with that device number. `name` and `driver`
 * are set. Returns 0, -ENOMEM, or -EEXIST if the number is taken.
 */
int tty_register(struct tty *tty, unsigned int major, unsigned int minor);
/*
 * Process bytes that the device has received. Returns how many were taken. If that is fewer than
 * `len`, the driver has been throttled. May be called in an interrupt.
 */
size_t tty_input(struct tty *tty, const char *bytes, size_t len);
/*
 * Returns how many bytes tty_input() takes now. If it returns 0, the driver has been throttled, and
 * throttle(false) will be called. Drivers that can leave bytes in the device call this first. May
 * be called in an interrupt.
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
/* Take or drop a reference. The last one frees the tty, and may sleep. */
void tty_get(struct tty *tty);
void tty_put(struct tty *tty);
/*
 * Open the tty for a file whose open operation calls this. It becomes the controlling terminal of a
 * session leader that has none, unless the file has O_NOCTTY. Returns 0 or an error of the driver.
 */
int tty_open_as(struct tty *tty, struct file *file, bool may_control);
/* Has the terminal of an open file hung up, or been taken away from it? Never sleeps. */
bool tty_file_hung_up(const struct file *file);
/* Set what programs find when they open the tty for the first time, and drop the input. */
void tty_reset(struct tty *tty);
/* Can output go to the device now? Never sleeps. */
bool tty_can_write(struct tty *tty);

/* ---- drivers/tty/settings.c ---- */

/* The ioctls that both ends of a pseudo-terminal have, on its tty. Returns -ENOTTY for others. */
long tty_settings_ioctl(struct tty *tty, unsigned int command, unsigned long argument);

/* ---- drivers/tty/ldisc.c: the line discipline ---- */

/*
 * Replace the settings, but for those that are locked. With `flush`, drop the input that has not
 * been read. When canonical mode begins, the bytes in the ring count as a complete line. Never
 * sleeps.
 */
void tty_set_termios(struct tty *tty, const struct termios *termios, bool flush);
/* Drop the input that has not been read. Never sleeps. */
void tty_flush_input(struct tty *tty);
/* Stop output, or let it go on, as ^S and ^Q do. Never sleeps. */
void tty_stop(struct tty *tty, bool stop);
/* Returns how many bytes can be read. In canonical mode these are the complete lines. */
unsigned int tty_available(struct tty *tty);
/* The same without the ends of file among them, which are no bytes: FIONREAD. */
unsigned int tty_available_bytes(struct tty *tty);
/*
 * Reading is done in two steps. tty_peek() copies up to `max` bytes to buf, in canonical mode at
 * most one line, and leaves them in the ring. tty_consume() then removes them, unless a flush
 * already has. read_lock is held around both.
 */
struct tty_chunk {
	unsigned int from;	/* ring position */
	unsigned int positions; /* entries to consume: `bytes`, and one more at an end of file */
	size_t bytes;
	bool line_done;
};
void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk);
void tty_consume(struct tty *tty, const struct tty_chunk *chunk);
/*
 * Translate one byte of output as OPOST, ONLCR and OCRNL say. Returns how many bytes are in out.
 */
size_t tty_translate_output(const struct tty *tty, char c, char out[2]);

/* ---- drivers/tty/job.c: job control ---- */

/*
 * Check that the current process may read the terminal (SIGTTIN), or write to it and change it
 * (SIGTTOU). Returns 0 if it may, -ERESTARTSYS if the signal has been sent and the call is to be
 * repeated after it, or -EIO if the process may not read, or if the signal would stop it for ever.
 * Takes tasks_lock.
 */
int tty_check_foreground(struct tty *tty, int signo);
/*
 * Make the terminal the controlling terminal of the current process, which asks through a file that
 * is open on it, or, if `file` is NULL, through its other end. Returns 0, -EIO if the terminal or
 * the file has been hung up, or -EPERM if the process is no session leader, has another terminal,
 * or the terminal belongs to another session. Takes tasks_lock.
 */
int tty_acquire(struct tty *tty, const struct file *file);
/*
 * Returns the controlling terminal of the current process, or NULL. It may be compared, but not
 * used, because another task may free it. tty_current_get() returns it with a reference.
 */
struct tty *tty_current(void);
struct tty *tty_current_get(void);
/*
 * Run a job control ioctl on a file that is open on the tty, or, if `file` is NULL, on its other
 * end. Returns -ENOTTY if `command` is not one of them.
 */
long tty_job_ioctl(struct tty *tty, const struct file *file, unsigned int command,
		   unsigned long argument);
/*
 * Called when the leader of a session exits, or gives its terminal up. The terminal becomes free,
 * no process of the session has it any more, and the foreground group gets SIGHUP and SIGCONT. So
 * does the group that was in the foreground when the terminal hung up before. Takes tasks_lock.
 */
void tty_leave_session(void);
/*
 * Called when the other end of a tty has gone: nothing can be read or written any more. The leader
 * of its session gets SIGHUP and SIGCONT, and no process has the terminal any more. Takes
 * tasks_lock.
 */
void tty_hang_up(struct tty *tty);
/*
 * Take the tty away from all files that are open on it, and drop its input. The leader of its
 * session gets SIGHUP and SIGCONT, and no process has the terminal any more. Returns 0, or
 * -ERESTARTSYS after a SIGKILL. Takes tasks_lock, and waits until no reader takes bytes.
 */
int tty_hang_up_files(struct tty *tty);
/* Send a signal to the tty's foreground group, if there is one. Takes tasks_lock. */
void tty_signal_foreground(struct tty *tty, int signo);

/* ---- drivers/tty/console.c ---- */

/*
 * Make a tty a part of the console if console= names it. The console is one tty that stands for all
 * these devices (by default ttyS0 and tty1). Its output goes to all of them, its input comes from
 * all of them, and /dev/ttyS0 and the like are other names for it. Called for each tty that is
 * registered.
 */
void tty_console_join(struct tty *tty);
/*
 * Open the console for the first process, with O_RDWR. Returns the file with one reference, or
 * ERR_PTR(-ENFILE, -ENOMEM). May sleep.
 */
struct file *tty_open_console(void);

#endif
