/*
 * The line discipline: it turns typed bytes into lines and signals, and gives them to readers.
 *
 * 1. Everything here runs under tty->lock. Echo is sent at once, without sleeping. Signals that input
 *    causes are sent after the lock has been released.
 * 2. Positions in the ring run freely. The bytes from tail to head are in the ring. In canonical mode
 *    those from line_end to head are the line that is being edited, which cannot be read yet. LINE_END
 *    marks a byte that ends a line. END_OF_FILE marks an entry that ends a line but is no byte.
 * 3. In canonical mode the last place in the ring is kept for the end of a line, so that a line that is
 *    too long can always be ended. The bytes that do not fit are dropped. In raw mode nothing is
 *    dropped, because the device is throttled until a reader has made room.
 * 4. A control character is echoed as ^X, in two columns, and erased from both.
 */
#include "drivers/tty/tty.h"
#include "kernel/signals/signal.h"
#include "lib/string.h"

#define LINE_END    0x100u
#define END_OF_FILE 0x200u

static bool canonical(const struct tty *tty)
{
	return tty->termios.lflag & ICANON;
}

/* Is c the control character of that kind? A kind that is set to 0 is off. */
static bool is_control(const struct tty *tty, enum termios_cc kind, uint8_t c)
{
	return c != 0 && tty->termios.cc[kind] == c;
}

/* ---- the ring ---- */

static void ring_put(struct tty *tty, uint16_t entry)
{
	tty->ring[tty->head++ % TTY_RING] = entry;
	if (entry & LINE_END)
		tty->line_end = tty->head;
}

static unsigned int available(const struct tty *tty)
{
	return (canonical(tty) ? tty->line_end : tty->head) - tty->tail;
}

/* While no line is complete there is always room for one byte, because it may end the line. */
static size_t input_room(const struct tty *tty)
{
	size_t room = TTY_RING - (tty->head - tty->tail);

	if (!canonical(tty))
		return room;
	return room > 1 ? room - 1 : available(tty) == 0;
}

static void throttle(struct tty *tty)
{
	if (!tty->throttled && tty->driver->throttle) {
		tty->throttled = true;
		tty->driver->throttle(tty, true);
	}
}

/*
 * Called after bytes have left the ring or the mode has changed. The device may go on once half of the
 * ring is free, or in canonical mode when no line is complete.
 */
static void unthrottle(struct tty *tty)
{
	if (tty->throttled &&
	    (tty->head - tty->tail <= TTY_RING / 2 || (canonical(tty) && available(tty) == 0))) {
		tty->throttled = false;
		tty->driver->throttle(tty, false);
	}
}

static void flush(struct tty *tty)
{
	tty->tail = tty->line_end = tty->head;
	unthrottle(tty);
}

/* ---- echo and editing ---- */

bool tty_sends_crlf(const struct tty *tty)
{
	return (READ_ONCE(tty->termios.oflag) & (OPOST | ONLCR)) == (OPOST | ONLCR);
}

static void echo_text(struct tty *tty, const char *text, size_t len)
{
	if (tty->termios.lflag & ECHO)
		tty->driver->write(tty, text, len, true);
}

static bool shown_as_caret(uint8_t c)
{
	return (c < 0x20 && c != '\n') || c == 0x7f;
}

static void echo(struct tty *tty, uint8_t c)
{
	if (shown_as_caret(c))
		echo_text(tty, (char[]){ '^', c ^ 0x40 }, 2);
	else if (c == '\n' && tty_sends_crlf(tty))
		echo_text(tty, "\r\n", 2);
	else
		echo_text(tty, (char *)&c, 1);
}

/* Erase the last character of the unfinished line, or all of it, in the ring and on the screen. */
static void erase(struct tty *tty, bool all)
{
	while (tty->head != tty->line_end) {
		uint8_t c = tty->ring[--tty->head % TTY_RING];

		echo_text(tty, "\b \b\b \b", shown_as_caret(c) ? 6 : 3);
		if (!all)
			break;
	}
}

static void receive_canonical(struct tty *tty, uint8_t c)
{
	if (is_control(tty, VERASE, c) || is_control(tty, VKILL, c)) {
		erase(tty, is_control(tty, VKILL, c));
	} else if (is_control(tty, VEOF, c)) {
		ring_put(tty, LINE_END | END_OF_FILE);
	} else if (c == '\n' || tty->head - tty->tail < TTY_RING - 1) {
		ring_put(tty, c == '\n' ? c | LINE_END : c);
		echo(tty, c);
	}
}

/* Process one byte from the device. Returns the signal to send to the foreground group, or 0. */
static int receive(struct tty *tty, uint8_t c)
{
	static const struct {
		enum termios_cc kind;
		int signo;
	} keys[] = { { VINTR, SIGINT }, { VQUIT, SIGQUIT }, { VSUSP, SIGTSTP } };

	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
		if ((tty->termios.lflag & ISIG) && is_control(tty, keys[i].kind, c)) {
			flush(tty);
			echo(tty, c);
			return keys[i].signo;
		}
	}
	if (c == '\r' && (tty->termios.iflag & ICRNL))
		c = '\n';
	if (canonical(tty)) {
		receive_canonical(tty, c);
	} else {
		ring_put(tty, c);
		echo(tty, c);
	}
	return 0;
}

size_t tty_input(struct tty *tty, const char *bytes, size_t len)
{
	unsigned int flags, foreground, signals = 0;
	size_t taken = 0;
	bool readable;

	tty = tty->console;
	flags = spin_lock_irqsave(&tty->lock);
	while (taken < len && input_room(tty) > 0)
		signals |= 1u << receive(tty, bytes[taken++]);
	if (taken < len)
		throttle(tty);
	foreground = tty->foreground;
	readable = available(tty) > 0;
	spin_unlock_irqrestore(&tty->lock, flags);

	/*
	 * A reader joins the queue first and then looks for bytes under the lock. So it has seen
	 * these bytes, or it is woken here.
	 */
	if (readable)
		wake_all(&tty->readable);
	for (int signo = 1; foreground && signals >> signo; signo++) {
		if (signals >> signo & 1)
			signal_send_group(foreground, signo, NULL);
	}
	return taken;
}

size_t tty_input_room(struct tty *tty)
{
	unsigned int flags;
	size_t room;

	tty = tty->console;
	flags = spin_lock_irqsave(&tty->lock);
	room = input_room(tty);
	if (room == 0)
		throttle(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	return room;
}

/* ---- for readers and settings ---- */

unsigned int tty_available(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty);

	spin_unlock_irqrestore(&tty->lock, flags);
	return n;
}

void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty);

	*chunk = (struct tty_chunk){ .from = tty->tail };
	while (chunk->positions < n && !chunk->line_done) {
		uint16_t entry = tty->ring[(chunk->from + chunk->positions) % TTY_RING];

		/*
		 * An end of file is consumed even when buf is full. It belongs to this line, and the
		 * next read must not find it.
		 */
		if (!(entry & END_OF_FILE)) {
			if (chunk->bytes == max)
				break;
			buf[chunk->bytes++] = entry;
		}
		chunk->line_done = entry & LINE_END;
		chunk->positions++;
	}
	spin_unlock_irqrestore(&tty->lock, flags);
}

void tty_consume(struct tty *tty, const struct tty_chunk *chunk)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	if (tty->tail == chunk->from) {
		tty->tail += chunk->positions;
		unthrottle(tty);
	}
	spin_unlock_irqrestore(&tty->lock, flags);
}

void tty_set_termios(struct tty *tty, const struct termios *termios, bool flush_input)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	bool was_canonical = canonical(tty);

	tty->termios = *termios;
	tty->termios.iflag &= ICRNL;
	tty->termios.oflag &= OPOST | ONLCR;
	tty->termios.cflag = CFLAG_FIXED;
	tty->termios.lflag &= ISIG | ICANON | ECHO | TOSTOP;
	tty->termios.lflag |= LFLAG_FIXED;
	tty->termios.line = 0;
	if (was_canonical != canonical(tty)) { /* marks are for the old mode */
		for (unsigned int at = tty->tail; at != tty->head; at++)
			tty->ring[at % TTY_RING] &= 0xff;
		tty->line_end = tty->head;
	}
	if (flush_input)
		flush(tty);
	unthrottle(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	wake_all(&tty->readable);
}
