/*
 * ioctl(2) on terminals: settings, window size, flow control, queues. What is not here is ENOTTY,
 * as for a file that is no terminal.
 */
#include "drivers/tty_ldisc.h"
#include "kernel/signal.h"
#include "mm/uaccess.h"

enum tty_ioctl { /* asm-generic/ioctls.h of Linux */
		 TCGETS = 0x5401,
		 TCSETS = 0x5402,
		 TCSETSW = 0x5403,
		 TCSETSF = 0x5404,
		 TCSBRK = 0x5409,
		 TCXONC = 0x540a,
		 TCFLSH = 0x540b,
		 TIOCOUTQ = 0x5411,
		 TIOCGWINSZ = 0x5413,
		 TIOCSWINSZ = 0x5414,
		 FIONREAD = 0x541b,
};
enum { TCOOFF, TCOON, TCIOFF, TCION };	/* TCXONC */
enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH }; /* TCFLSH */

static void drain(struct tty *tty)
{
	if (tty->driver->drain)
		tty->driver->drain(tty);
}

static long get_termios(struct tty *tty, void __user *to)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	struct termios termios = tty->termios;

	spin_unlock_irqrestore(&tty->lock, flags);
	return copy_to_user(to, &termios, sizeof(termios));
}

static long set_termios(struct tty *tty, unsigned int command, const void __user *from)
{
	struct termios termios;

	if (copy_from_user(&termios, from, sizeof(termios)) < 0)
		return -EFAULT;
	if (command != TCSETS) {
		drain(tty);
		if (signal_pending())
			return -ERESTARTSYS;
	}
	if (command == TCSETSF)
		tty_flush_input(tty);
	tty_set_termios(tty, &termios);
	return 0;
}

static long get_window(struct tty *tty, void __user *to)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	struct winsize window = tty->window;

	spin_unlock_irqrestore(&tty->lock, flags);
	return copy_to_user(to, &window, sizeof(window));
}

static bool same_window(const struct winsize *a, const struct winsize *b)
{
	return a->rows == b->rows && a->columns == b->columns && a->x == b->x && a->y == b->y;
}

static long set_window(struct tty *tty, const void __user *from)
{
	unsigned int flags, foreground = 0;
	struct winsize window;

	if (copy_from_user(&window, from, sizeof(window)) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tty->lock);
	if (!same_window(&tty->window, &window))
		foreground = tty->foreground;
	tty->window = window;
	spin_unlock_irqrestore(&tty->lock, flags);
	if (foreground != 0)
		signal_send_group(foreground, SIGWINCH, NULL);
	return 0;
}

/* A byte of flow control for the other side. */
static void send_control(struct tty *tty, enum termios_cc kind)
{
	char c = tty->termios.cc[kind];

	if (c != 0)
		tty->driver->write(tty, &c, 1, false);
}

static long flow(struct tty *tty, unsigned long what)
{
	switch (what) {
	case TCOOFF:
	case TCOON:
		tty_set_stopped(tty, what == TCOOFF);
		return 0;
	case TCIOFF:
		send_control(tty, VSTOP);
		return 0;
	case TCION:
		send_control(tty, VSTART);
		return 0;
	}
	return -EINVAL;
}

/* Nothing is kept on the way out, so only input can be thrown away. */
static long flush(struct tty *tty, unsigned long what)
{
	if (what > TCIOFLUSH)
		return -EINVAL;
	if (what != TCOFLUSH)
		tty_flush_input(tty);
	return 0;
}

/* With an argument it is tcdrain(3). A break condition cannot be sent. */
static long drain_or_break(struct tty *tty, unsigned long argument)
{
	if (argument == 0)
		return -EINVAL;
	drain(tty);
	return signal_pending() ? -ERESTARTSYS : 0;
}

/* The ioctls that change the terminal are for the foreground only. */
static bool changes_terminal(unsigned int command)
{
	switch (command) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSBRK:
	case TCXONC:
	case TCFLSH:
		return true;
	}
	return false;
}

long tty_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct tty *tty = file->private;
	void __user *pointer = (void __user *)argument;

	if (changes_terminal(command)) {
		int error = tty_check_foreground(tty, SIGTTOU);

		if (error < 0)
			return error;
	}
	switch (command) {
	case TCGETS:
		return get_termios(tty, pointer);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(tty, command, pointer);
	case TIOCGWINSZ:
		return get_window(tty, pointer);
	case TIOCSWINSZ:
		return set_window(tty, pointer);
	case TCXONC:
		return flow(tty, argument);
	case TCFLSH:
		return flush(tty, argument);
	case TCSBRK:
		return drain_or_break(tty, argument);
	case FIONREAD:
		return put_user_u32(tty_count_input(tty), pointer);
	case TIOCOUTQ:
		return put_user_u32(0, pointer);
	}
	return tty_job_ioctl(tty, command, argument);
}
