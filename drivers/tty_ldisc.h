/*
 * Between the parts of a terminal: settings by name, what the line discipline does for read, write
 * and ioctl, and who may use it. Drivers need only drivers/tty.h.
 */
#ifndef DRIVERS_TTY_LDISC_H
#define DRIVERS_TTY_LDISC_H

#include "drivers/tty.h"
#include "fs/vfs.h"

/* termios of Linux/i386, asm-generic/termbits.h; only what Sluice does. */
enum termios_iflag {
	ISTRIP = 0040,
	INLCR = 0100,
	IGNCR = 0200,
	ICRNL = 0400,
	IXON = 02000,
	IXANY = 04000,
	IMAXBEL = 020000,
	IUTF8 = 040000,
	IFLAG_ALL = ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IMAXBEL | IUTF8,
};
enum termios_oflag {
	OPOST = 01,
	ONLCR = 04,
	OFLAG_ALL = OPOST | ONLCR,
};
enum termios_cflag {
	CS8 = 060,
	CREAD = 0200,
	CLOCAL = 04000,
	B115200 = 010002,
	CFLAG_FIXED = CS8 | CREAD | CLOCAL | B115200, /* what every line is set to */
};
enum termios_lflag {
	ISIG = 01,
	ICANON = 02,
	ECHO = 010,
	ECHOE = 020,
	ECHOK = 040,
	ECHONL = 0100,
	NOFLSH = 0200,
	TOSTOP = 0400,
	ECHOCTL = 01000,
	ECHOKE = 04000,
	IEXTEN = 0100000,
	LFLAG_ALL = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | NOFLSH | TOSTOP | ECHOCTL |
		    ECHOKE | IEXTEN,
};
enum termios_cc {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSWTC,
	VSTART,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2,
};

/* ---- drivers/tty_ldisc.c ---- */

/* The settings of a new terminal. */
void tty_default_termios(struct termios *termios);
/*
 * Replace the settings. What the ring holds counts as a complete line when canonical mode begins.
 */
void tty_set_termios(struct tty *tty, const struct termios *termios);
/* How many bytes wait for a reader (up to the end of the last complete line in canonical mode). */
unsigned int tty_available(struct tty *tty);
/* The same without the marks that stand for an end of file: FIONREAD. */
unsigned int tty_count_input(struct tty *tty);
/* Throw away what was typed and not read. */
void tty_flush_input(struct tty *tty);
/* Stop or go on with the output of programs. */
void tty_set_stopped(struct tty *tty, bool stopped);

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

/*
 * Output processing of n bytes into out (room for 2n); ends[i] becomes the length of `out` behind
 * byte i. Returns the length. Takes tty->lock.
 */
size_t tty_process_output(struct tty *tty, const char *in, size_t n, char *out, uint16_t *ends);

/* ---- drivers/tty_job.c ---- */

/*
 * May the current process read (SIGTTIN) from, or write to and change (SIGTTOU) the terminal? 0;
 * -ERESTARTSYS: the signal was sent, try again after it; -EIO: it would stop for ever.
 */
int tty_check_foreground(struct tty *tty, int signo);
/* Make it the controlling terminal of a session leader that has none. 0; -EPERM. */
int tty_acquire(struct tty *tty, bool steal);
/* The controlling terminal of the current process, or NULL. */
struct tty *tty_current(void);
/* The job control ioctls. -ENOTTY: not one of them. */
long tty_job_ioctl(struct tty *tty, unsigned int command, unsigned long argument);

/* ---- drivers/tty_ioctl.c ---- */
long tty_ioctl(struct file *file, unsigned int command, unsigned long argument);

/* ---- drivers/tty.c ---- */
extern const struct file_ops tty_file_ops;
/* Initialise a tty without making it known. */
void tty_init(struct tty *tty, unsigned int device);
/* Output can go on: wakes writers and pollers, those of the console too. From interrupts. */
void tty_wake_writers(struct tty *tty);

/* ---- drivers/console.c ---- */
extern struct tty console_tty;

#endif
