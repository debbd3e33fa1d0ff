/*
 * Terminals: the line discipline between a program and a device that passes bytes.
 *
 * 1. A tty has an input ring (filled from interrupts by tty_input) and a driver for output.
 * 2. tty->lock (irqsave) guards the input ring, the line being edited, and settings; output_lock (a mutex) serialises writers.
 * 3. Canonical and raw mode, echo, erase, kill, word erase, ^C ^\ ^Z ^D, VMIN/VTIME, ICRNL INLCR IGNCR ISTRIP, OPOST ONLCR, NOFLSH, TOSTOP; window size;
 *    sessions and foreground groups (SIGTTIN, SIGTTOU, SIGHUP).
 * 4. When the input ring is full the driver is told to stop taking bytes from the device (throttle): nothing is lost in raw mode.
 */
#ifndef DRIVERS_TTY_H
#define DRIVERS_TTY_H

#include "kernel/mutex.h"
#include "kernel/wait.h"

struct tty;
struct file_ops;

struct tty_driver {
	/* Send bytes; may sleep (interrupt-driven output) unless `atomic`. Returns how many it took. */
	size_t (*write)(struct tty *tty, const char *bytes, size_t len, bool atomic);
	/* Take no more input (true) / go on (false): lock held. NULL: cannot. */
	void (*throttle)(struct tty *tty, bool stop);
	/* Wait until everything was sent. NULL: nothing to wait for. */
	void (*drain)(struct tty *tty);
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
	char			 name[16];
	const struct tty_driver	*driver;
	void			*private;
	spinlock_t		 lock;		/* irqsave: settings, ring, session */
	struct termios		 termios;
	struct winsize		 window;
	char			 ring[TTY_RING];
	unsigned int		 head, tail;	/* free-running; in canonical mode head..edit is the unfinished line */
	unsigned int		 line_end;	/* position behind the last complete line */
	bool			 throttled;
	struct wait_queue	 readable, writable;
	struct mutex		 output_lock, read_lock;
	unsigned int		 column;	/* for echo of erase and tabs */
	unsigned int		 session, foreground;	/* sid and pgid; 0: none */
	struct atomic		 openers;
};

/* Make it known as /dev/NAME, with that device number. */
int tty_register(struct tty *tty, unsigned int major, unsigned int minor);
/* Bytes from the device; from interrupts. Returns how many were taken: fewer means throttled. */
size_t tty_input(struct tty *tty, const char *bytes, size_t len);
/* The tty behind /dev/console (console= chooses): the last one given, else ttyS0. */
void tty_set_console(struct tty *tty);
/* A session leader exits: SIGHUP and SIGCONT to the foreground group, the terminal is free again. */
void tty_leave_session(struct tty *tty, unsigned int sid);

#endif
