/*
 * The settings of terminals: the ioctls that tell and change termios, the older termio, and the
 * window's size, and those that wait for output, stop it, or drop what is on its way.
 *
 * Bits and characters of tty->locked keep their values when the settings are changed
 * (TIOCSLCKTRMIOS). Only root locks them.
 */
#include "drivers/tty/tty.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

enum tty_ioctl { /* asm-generic/ioctls.h of Linux */
		 TCGETS = 0x5401,
		 TCSETS = 0x5402,
		 TCSETSW = 0x5403,
		 TCSETSF = 0x5404,
		 TCGETA = 0x5405,
		 TCSETA = 0x5406,
		 TCSETAW = 0x5407,
		 TCSETAF = 0x5408,
		 TCSBRK = 0x5409,
		 TCXONC = 0x540a,
		 TCFLSH = 0x540b,
		 TIOCGWINSZ = 0x5413,
		 TIOCSWINSZ = 0x5414,
		 TIOCSETD = 0x5423,
		 TIOCGETD = 0x5424,
		 TCSBRKP = 0x5425,
		 TIOCGLCKTRMIOS = 0x5456,
		 TIOCSLCKTRMIOS = 0x5457,
};
enum { TCOOFF, TCOON, TCIOFF, TCION };	/* of TCXONC */
enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH }; /* of TCFLSH */

#define TERMIO_CC 8

/* The settings of System V: the low halves of the words, and fewer characters. */
struct termio {
	uint16_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TERMIO_CC];
};

/* Copy settings of `len` bytes to the user, all as they are at one time. */
static long get_settings(struct tty *tty, void __user *to, const void *settings, size_t len)
{
	char copy[sizeof(struct termios)];
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	memcpy(copy, settings, len);
	spin_unlock_irqrestore(&tty->lock, flags);
	return copy_to_user(to, copy, len);
}

/*
 * What is written to a pseudo-terminal is sent at once. Whether it is read is the other end's
 * affair.
 */
static int drain(struct tty *tty)
{
	return tty->driver->free ? 0 : wait_event_interruptible(&tty->writable, tty_can_write(tty));
}

static struct termios termios_of(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	struct termios termios = tty->termios;

	spin_unlock_irqrestore(&tty->lock, flags);
	return termios;
}

static long get_termio(struct tty *tty, void __user *to)
{
	struct termios now = termios_of(tty);
	struct termio termio = { now.iflag, now.oflag, now.cflag, now.lflag, now.line, { 0 } };

	memcpy(termio.cc, now.cc, TERMIO_CC);
	return copy_to_user(to, &termio, sizeof(termio));
}

static void set_low(uint32_t *word, uint16_t low)
{
	*word = (*word & 0xffff0000) | low;
}

/* Copy a termio from the user into settings, whose other bits and characters stay. */
static int read_termio(struct termios *termios, const void __user *from)
{
	struct termio termio;

	if (copy_from_user(&termio, from, sizeof(termio)) < 0)
		return -EFAULT;
	set_low(&termios->iflag, termio.iflag);
	set_low(&termios->oflag, termio.oflag);
	set_low(&termios->cflag, termio.cflag);
	set_low(&termios->lflag, termio.lflag);
	memcpy(termios->cc, termio.cc, TERMIO_CC);
	return 0;
}

/* The commands of either kind follow each other: at once, after the output, and without input. */
static long set_termios(struct tty *tty, unsigned int command, const void __user *from)
{
	struct termios termios = termios_of(tty);
	bool old = command >= TCSETA && command <= TCSETAF;
	unsigned int way = command - (old ? TCSETA : TCSETS);
	int error;

	error = old ? read_termio(&termios, from) : copy_from_user(&termios, from, sizeof(termios));
	if (error < 0)
		return -EFAULT;
	if (way > 0 && drain(tty) < 0)
		return -ERESTARTSYS;
	tty_set_termios(tty, &termios, way == 2);
	return 0;
}

static long set_locked(struct tty *tty, const void __user *from)
{
	struct termios locked;
	unsigned int flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&locked, from, sizeof(locked)) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tty->lock);
	tty->locked = locked;
	spin_unlock_irqrestore(&tty->lock, flags);
	return 0;
}

static long set_window(struct tty *tty, const void __user *from)
{
	struct winsize window;
	unsigned int flags;
	bool changed;

	if (copy_from_user(&window, from, sizeof(window)) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tty->lock);
	changed = memcmp(&tty->window, &window, sizeof(window)) != 0;
	tty->window = window;
	spin_unlock_irqrestore(&tty->lock, flags);
	if (changed)
		tty_signal_foreground(tty, SIGWINCH);
	return 0;
}

/* There is one line discipline, with the number 0. */
static long set_discipline(const void __user *from)
{
	uint32_t number;

	if (get_user_u32(&number, from))
		return -EFAULT;
	return number ? refuse(EINVAL, "there is no such line discipline") : 0;
}

/* tcflush(3) */
static long flush_queues(struct tty *tty, unsigned long which)
{
	if (which > TCIOFLUSH)
		return refuse(EINVAL, "neither input nor output");
	if (which != TCOFLUSH)
		tty_flush_input(tty);
	if (which != TCIFLUSH && tty->driver->flush)
		tty->driver->flush(tty);
	return 0;
}

/* tcflow(3). TCIOFF and TCION send a control character to the other end. */
static long set_flow(struct tty *tty, unsigned long action)
{
	enum termios_cc kind = action == TCIOFF ? VSTOP : VSTART;
	char c = READ_ONCE(tty->termios.cc[kind]);

	if (action > TCION)
		return refuse(EINVAL, "an unknown action");
	if (action == TCOOFF || action == TCOON)
		tty_stop(tty, action == TCOOFF);
	else if (c)
		tty->driver->write(tty, &c, 1, true);
	return 0;
}

long tty_settings_ioctl(struct tty *tty, unsigned int command, unsigned long argument)
{
	void __user *pointer = (void __user *)argument;
	int error = 0;

	/*
	 * Only the foreground may change it. TCSBRKP is a long break, which cannot be sent either.
	 */
	if ((command >= TCSETS && command <= TCFLSH && command != TCGETA) || command == TCSBRKP)
		error = tty_check_foreground(tty, SIGTTOU);
	if (error < 0)
		return error;
	switch (command) {
	case TCGETS:
		return get_settings(tty, pointer, &tty->termios, sizeof(tty->termios));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set_termios(tty, command, pointer);
	case TCGETA:
		return get_termio(tty, pointer);
	case TIOCGLCKTRMIOS:
		return get_settings(tty, pointer, &tty->locked, sizeof(tty->locked));
	case TIOCSLCKTRMIOS:
		return set_locked(tty, pointer);
	case TIOCGWINSZ:
		return get_settings(tty, pointer, &tty->window, sizeof(tty->window));
	case TIOCSWINSZ:
		return set_window(tty, pointer);
	case TIOCGETD:
		return put_user_u32(0, pointer);
	case TIOCSETD:
		return set_discipline(pointer);
	case TCXONC:
		return set_flow(tty, argument);
	case TCFLSH:
		return flush_queues(tty, argument);
	case TCSBRK: /* with an argument it is tcdrain(3); a break condition cannot be sent */
		if (argument == 0 && !tty->driver->free)
			return refuse(EINVAL, "no break on this line");
		return drain(tty);
	}
	return -ENOTTY;
}
