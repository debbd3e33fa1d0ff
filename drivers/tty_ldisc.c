/*
 * The line discipline: what happens to a byte between the device and the program.
 *
 * 1. Input runs in interrupts, under tty->lock; its echo goes out at once, without sleeping.
 *    Signals that it causes are sent after the lock is given back.
 * 2. Positions in the ring run freely. Bytes from tail to head are there; in canonical mode those
 *    from line_end to head are the line that is being edited and cannot be read yet. A mark on a
 *    position says that a line ends with that byte; a marked zero is no byte but an end of file.
 * 3. In canonical mode the last place of the ring is kept for the end of a line, so that a line
 *    that is too long can always be ended: its excess is refused with a bell. In raw mode nothing
 *    is ever refused: the device is told to wait (throttled) until a reader made room.
 */
#include "drivers/tty_ldisc.h"
#include "kernel/signal.h"
#include "lib/string.h"

#define BELL	  '\a'
#define ECHO_SIZE 128u

/* What processing some input leads to beyond the ring. */
struct input_effects {
	struct tty *tty;
	char echo[ECHO_SIZE];
	unsigned int echo_len;
	unsigned int signals; /* bit n: signal n for the foreground group */
	bool restarted;	      /* output goes on */
};

void tty_default_termios(struct termios *termios)
{
	static const uint8_t cc[TERMIOS_CC] = {
		[VINTR] = 'C' - 64,    [VQUIT] = '\\' - 64,   [VERASE] = 0x7f,
		[VKILL] = 'U' - 64,    [VEOF] = 'D' - 64,     [VMIN] = 1,
		[VSTART] = 'Q' - 64,   [VSTOP] = 'S' - 64,    [VSUSP] = 'Z' - 64,
		[VREPRINT] = 'R' - 64, [VDISCARD] = 'O' - 64, [VWERASE] = 'W' - 64,
		[VLNEXT] = 'V' - 64,
	};

	termios->iflag = ICRNL | IXON;
	termios->oflag = OPOST | ONLCR;
	termios->cflag = CFLAG_FIXED;
	termios->lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	termios->line = 0;
	memcpy(termios->cc, cc, sizeof(cc));
}

static bool canonical(const struct tty *tty)
{
	return tty->termios.lflag & ICANON;
}

/* Is c the control character of that kind? Zero switches a kind off. */
static bool is_control(const struct tty *tty, enum termios_cc kind, uint8_t c)
{
	return c != 0 && tty->termios.cc[kind] == c;
}

/* A byte that continues a character of UTF-8, and so takes no column of its own. */
static bool continues_character(const struct tty *tty, uint8_t c)
{
	return (tty->termios.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- the ring ---- */

static bool is_marked(const struct tty *tty, unsigned int position)
{
	unsigned int at = position % TTY_RING;

	return tty->marks[at / 32] >> (at % 32) & 1;
}

static uint8_t ring_byte(const struct tty *tty, unsigned int position)
{
	return tty->ring[position % TTY_RING];
}

static void ring_put(struct tty *tty, uint8_t c, bool mark)
{
	unsigned int at = tty->head++ % TTY_RING;

	tty->ring[at] = c;
	if (mark)
		tty->marks[at / 32] |= 1u << (at % 32);
	else
		tty->marks[at / 32] &= ~(1u << (at % 32));
}

static unsigned int available(const struct tty *tty)
{
	return (canonical(tty) ? tty->line_end : tty->head) - tty->tail;
}

/* While no line is complete one byte more is always welcome: it may end the line. */
static size_t input_room(const struct tty *tty)
{
	size_t used = tty->head - tty->tail;

	if (!canonical(tty))
		return TTY_RING - used;
	if (used < TTY_RING - 1)
		return TTY_RING - 1 - used;
	return available(tty) == 0 ? 1 : 0;
}

static void throttle(struct tty *tty)
{
	if (!tty->throttled && tty->driver->throttle) {
		tty->throttled = true;
		tty->driver->throttle(tty, true);
	}
}

/*
 * After the ring has lost bytes, or the mode changed: let the device go on once half of the ring is
 * free.
 */
static void unthrottle(struct tty *tty)
{
	if (tty->throttled &&
	    (tty->head - tty->tail <= TTY_RING / 2 || (canonical(tty) && available(tty) == 0))) {
		tty->throttled = false;
		tty->driver->throttle(tty, false);
	}
}

static void flush_locked(struct tty *tty)
{
	tty->tail = tty->line_end = tty->head;
	unthrottle(tty);
}

/* ---- output processing and echo ---- */

/* What byte c becomes on its way to the device: 1 or 2 bytes. Keeps track of the column. */
static unsigned int output_byte(struct tty *tty, uint8_t c, char *out)
{
	if (c == '\n' && (tty->termios.oflag & OFLAG_ALL) == OFLAG_ALL) {
		tty->column = 0;
		out[0] = '\r';
		out[1] = '\n';
		return 2;
	}
	if (c == '\r')
		tty->column = 0;
	else if (c == '\t')
		tty->column = (tty->column | 7) + 1;
	else if (c == '\b')
		tty->column -= tty->column > 0;
	else if (c >= 0x20 && c != 0x7f && !continues_character(tty, c))
		tty->column++;
	out[0] = c;
	return 1;
}

size_t tty_process_output(struct tty *tty, const char *in, size_t n, char *out, uint16_t *ends)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		len += output_byte(tty, in[i], out + len);
		ends[i] = len;
	}
	spin_unlock_irqrestore(&tty->lock, flags);
	return len;
}

static void echo_flush(struct input_effects *effects)
{
	if (effects->echo_len > 0)
		effects->tty->driver->write(effects->tty, effects->echo, effects->echo_len, true);
	effects->echo_len = 0;
}

static void echo_raw(struct input_effects *effects, uint8_t c)
{
	if (effects->echo_len + 2 > ECHO_SIZE)
		echo_flush(effects);
	effects->echo_len += output_byte(effects->tty, c, effects->echo + effects->echo_len);
}

static bool shown_as_caret(const struct tty *tty, uint8_t c)
{
	return (tty->termios.lflag & ECHOCTL) && (c < 0x20 || c == 0x7f) && c != '\t' && c != '\n';
}

static void echo(struct input_effects *effects, uint8_t c)
{
	if (shown_as_caret(effects->tty, c)) {
		echo_raw(effects, '^');
		c ^= 0x40;
	}
	echo_raw(effects, c);
}

/* The column behind the echo of c, if that begins at column `from`. */
static unsigned int column_behind(const struct tty *tty, uint8_t c, unsigned int from)
{
	if (c == '\t')
		return (from | 7) + 1;
	if (shown_as_caret(tty, c))
		return from + 2;
	return from + (c >= 0x20 && !continues_character(tty, c));
}

/* ---- editing a line ---- */

/* Rub out on the screen what stands behind the unfinished line, which has just become shorter. */
static void echo_erased(struct input_effects *effects)
{
	struct tty *tty = effects->tty;
	unsigned int column = tty->line_column;

	for (unsigned int at = tty->line_end; at != tty->head; at++)
		column = column_behind(tty, ring_byte(tty, at), column);
	while (tty->column > column) {
		echo_raw(effects, '\b');
		echo_raw(effects, ' ');
		echo_raw(effects, '\b');
	}
}

static void drop_character(struct tty *tty)
{
	while (tty->head != tty->line_end) {
		if (!continues_character(tty, ring_byte(tty, --tty->head)))
			break;
	}
}

static bool last_is_blank(const struct tty *tty)
{
	uint8_t c = ring_byte(tty, tty->head - 1);

	return c == ' ' || c == '\t';
}

static void erase(struct input_effects *effects, enum termios_cc kind)
{
	struct tty *tty = effects->tty;
	uint32_t lflag = tty->termios.lflag;

	if (tty->head == tty->line_end)
		return;
	if (kind == VKILL) {
		tty->head = tty->line_end;
	} else if (kind == VWERASE) {
		while (tty->head != tty->line_end && last_is_blank(tty))
			drop_character(tty);
		while (tty->head != tty->line_end && !last_is_blank(tty))
			drop_character(tty);
	} else {
		drop_character(tty);
	}
	if (!(lflag & ECHO))
		return;
	if ((lflag & ECHOE) && (kind != VKILL || (lflag & ECHOKE))) {
		echo_erased(effects);
		return;
	}
	echo(effects, tty->termios.cc[kind]);
	if (kind == VKILL && (lflag & ECHOK))
		echo_raw(effects, '\n');
}

/* ^R: show the line again, on a line of its own. */
static void reprint(struct input_effects *effects)
{
	struct tty *tty = effects->tty;

	if (!(tty->termios.lflag & ECHO))
		return;
	echo(effects, tty->termios.cc[VREPRINT]);
	echo_raw(effects, '\n');
	tty->line_column = tty->column;
	for (unsigned int at = tty->line_end; at != tty->head; at++)
		echo(effects, ring_byte(tty, at));
}

/* One more byte of the unfinished line, or of raw input. */
static void keep(struct input_effects *effects, uint8_t c)
{
	struct tty *tty = effects->tty;

	if (canonical(tty) && tty->head - tty->tail >= TTY_RING - 1) {
		if (tty->termios.iflag & IMAXBEL)
			echo_raw(effects, BELL);
		return;
	}
	if (tty->head == tty->line_end)
		tty->line_column = tty->column;
	ring_put(tty, c, false);
	if (tty->termios.lflag & ECHO)
		echo(effects, c);
}

static void end_line(struct tty *tty, uint8_t c)
{
	ring_put(tty, c, true);
	tty->line_end = tty->head;
}

/* Editing keys and line ends. False: an ordinary byte. */
static bool receive_canonical(struct input_effects *effects, uint8_t c)
{
	struct tty *tty = effects->tty;
	uint32_t lflag = tty->termios.lflag;

	if (is_control(tty, VERASE, c)) {
		erase(effects, VERASE);
	} else if (is_control(tty, VKILL, c)) {
		erase(effects, VKILL);
	} else if ((lflag & IEXTEN) && is_control(tty, VWERASE, c)) {
		erase(effects, VWERASE);
	} else if ((lflag & IEXTEN) && is_control(tty, VREPRINT, c)) {
		reprint(effects);
	} else if (is_control(tty, VEOF, c)) {
		end_line(tty, 0);
	} else if (c == '\n') {
		if (lflag & (ECHO | ECHONL))
			echo_raw(effects, '\n');
		end_line(tty, c);
	} else if (is_control(tty, VEOL, c) || ((lflag & IEXTEN) && is_control(tty, VEOL2, c))) {
		if (lflag & ECHO)
			echo(effects, c);
		end_line(tty, c);
	} else {
		return false;
	}
	return true;
}

/* ^C, ^\ and ^Z. */
static bool receive_signal(struct input_effects *effects, uint8_t c)
{
	struct tty *tty = effects->tty;
	int signo;

	if (is_control(tty, VINTR, c))
		signo = SIGINT;
	else if (is_control(tty, VQUIT, c))
		signo = SIGQUIT;
	else if (is_control(tty, VSUSP, c))
		signo = SIGTSTP;
	else
		return false;
	if (!(tty->termios.lflag & NOFLSH))
		flush_locked(tty);
	if (tty->termios.lflag & ECHO)
		echo(effects, c);
	tty->stopped = false;
	effects->restarted = true;
	effects->signals |= 1u << signo;
	return true;
}

/* ^S and ^Q. */
static bool receive_flow(struct input_effects *effects, uint8_t c)
{
	struct tty *tty = effects->tty;

	if (is_control(tty, VSTART, c) || (is_control(tty, VSTOP, c) && tty->stopped)) {
		tty->stopped = false;
		effects->restarted = true;
		return true;
	}
	if (is_control(tty, VSTOP, c)) {
		tty->stopped = true;
		return true;
	}
	if (tty->stopped && (tty->termios.iflag & IXANY)) {
		tty->stopped = false;
		effects->restarted = true;
	}
	return false;
}

static void receive(struct input_effects *effects, uint8_t c)
{
	struct tty *tty = effects->tty;
	uint32_t iflag = tty->termios.iflag;
	uint32_t lflag = tty->termios.lflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal_next) {
		tty->literal_next = false;
		keep(effects, c);
		return;
	}
	if ((iflag & IXON) && receive_flow(effects, c))
		return;
	if ((lflag & ISIG) && receive_signal(effects, c))
		return;
	if (c == '\r') {
		if (iflag & IGNCR)
			return;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if (canonical(tty)) {
		if ((lflag & IEXTEN) && is_control(tty, VLNEXT, c)) {
			tty->literal_next = true;
			return;
		}
		if (receive_canonical(effects, c))
			return;
	}
	keep(effects, c);
}

size_t tty_input(struct tty *tty, const char *bytes, size_t len)
{
	struct input_effects effects;
	unsigned int flags, foreground;
	size_t taken = 0;
	bool readable;

	if (tty->console)
		tty = tty->console;
	effects.tty = tty;
	effects.echo_len = effects.signals = 0;
	effects.restarted = false;

	flags = spin_lock_irqsave(&tty->lock);
	while (taken < len && input_room(tty) > 0)
		receive(&effects, bytes[taken++]);
	if (taken < len)
		throttle(tty);
	echo_flush(&effects);
	foreground = tty->foreground;
	readable = available(tty) > 0;
	spin_unlock_irqrestore(&tty->lock, flags);

	/*
	 * A reader joins the queue, then looks for bytes under the lock: it saw these, or is woken
	 * here.
	 */
	if (readable)
		wake_all(&tty->readable);
	if (effects.restarted)
		tty_wake_writers(tty);
	for (int signo = 1; foreground && effects.signals >> signo; signo++) {
		if (effects.signals >> signo & 1)
			signal_send_group(foreground, signo, NULL);
	}
	return taken;
}

size_t tty_input_room(struct tty *tty)
{
	unsigned int flags;
	size_t room;

	if (tty->console)
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

/* Is there, in place of a byte, the mark of an end of file? */
static bool is_end_of_file(const struct tty *tty, unsigned int position)
{
	return canonical(tty) && is_marked(tty, position) && ring_byte(tty, position) == 0;
}

unsigned int tty_count_input(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty);
	unsigned int bytes = n;

	for (unsigned int i = 0; i < n; i++)
		bytes -= is_end_of_file(tty, tty->tail + i);
	spin_unlock_irqrestore(&tty->lock, flags);
	return bytes;
}

void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty);

	chunk->from = tty->tail;
	chunk->positions = 0;
	chunk->bytes = 0;
	chunk->line_done = false;
	while (chunk->positions < n && !chunk->line_done) {
		unsigned int position = chunk->from + chunk->positions;

		/*
		 * Looked at even when buf is full: the next read must not find an end of file that
		 * belongs to this line.
		 */
		if (is_end_of_file(tty, position)) {
			chunk->line_done = true;
		} else {
			if (chunk->bytes == max)
				break;
			buf[chunk->bytes++] = ring_byte(tty, position);
			chunk->line_done = canonical(tty) && is_marked(tty, position);
		}
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

void tty_flush_input(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	flush_locked(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
}

void tty_set_termios(struct tty *tty, const struct termios *termios)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	bool was_canonical = canonical(tty);

	tty->termios = *termios;
	tty->termios.iflag &= IFLAG_ALL;
	tty->termios.oflag &= OFLAG_ALL;
	tty->termios.cflag = CFLAG_FIXED;
	tty->termios.lflag &= LFLAG_ALL;
	tty->termios.line = 0;
	if (was_canonical != canonical(tty)) {
		memset(tty->marks, 0, sizeof(tty->marks));
		tty->line_end = tty->head;
		tty->literal_next = false;
	}
	if (!(tty->termios.iflag & IXON))
		tty->stopped = false;
	unthrottle(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
	wake_all(&tty->readable);
	tty_wake_writers(tty);
}

void tty_set_stopped(struct tty *tty, bool stopped)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	tty->stopped = stopped;
	spin_unlock_irqrestore(&tty->lock, flags);
	tty_wake_writers(tty);
}
