/*
 * The line discipline: it turns typed bytes into lines and signals, and gives them to readers.
 *
 * 1. Everything here runs under tty->lock. Echo is sent at once, without sleeping. Signals that
 *    input causes are sent after the lock has been released.
 * 2. Positions in the ring run freely. The bytes from tail to head are in the ring. In canonical
 *    mode those from line_end to head are the line that is being edited, which cannot be read yet.
 *    LINE_END marks a byte that ends a line. END_OF_FILE marks an entry that ends a line but is no
 *    byte.
 * 3. In canonical mode the last place in the ring is kept for the end of a line, so that a line
 *    that is too long can always be ended. The bytes that do not fit are dropped. In raw mode
 *    nothing is dropped, because the device is throttled until a reader has made room.
 * 4. With ECHOCTL a control character is echoed as ^X, in two columns, and erased from both.
 * 5. ^V takes the next byte out of its meaning. ^S stops output until ^Q. Echo is not stopped.
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
 * Called after bytes have left the ring or the mode has changed. The device may go on once half of
 * the ring is free, or in canonical mode when no line is complete.
 */
static void unthrottle(struct tty *tty)
{
	if (tty->throttled &&
	    (tty->head - tty->tail <= TTY_RING / 2 || (canonical(tty) && available(tty) == 0))) {
		tty->throttled = false;
		tty->driver->throttle(tty, false);
	}
}

static void tell(struct tty *tty, unsigned int event)
{
	if (tty->driver->tell)
		tty->driver->tell(tty, event);
}

static void flush(struct tty *tty)
{
	tty->tail = tty->line_end = tty->head;
	unthrottle(tty);
	tell(tty, TIOCPKT_FLUSHREAD);
}

/* ---- output and echo ---- */

size_t tty_translate_output(const struct tty *tty, char c, char out[2])
{
	unsigned int oflag = READ_ONCE(tty->termios.oflag);
	size_t len = 0;

	if (!(oflag & OPOST)) {
		out[len++] = c;
	} else if (c == '\n' && oflag & ONLCR) {
		out[len++] = '\r';
		out[len++] = '\n';
	} else {
		out[len++] = c == '\r' && oflag & OCRNL ? '\n' : c;
	}
	return len;
}

static bool has_flag(const struct tty *tty, unsigned int flag)
{
	return tty->termios.lflag & flag;
}

static void send_echo(struct tty *tty, const char *text, size_t len)
{
	tty->driver->write(tty, text, len, true);
}

/* A newline that ends no line is a control character like others. */
static bool shown_as_caret(const struct tty *tty, uint8_t c)
{
	if (c == '\t' || (c == '\n' && canonical(tty)))
		return false;
	return has_flag(tty, ECHOCTL) && (c < 0x20 || c == 0x7f);
}

/* Echo a byte that the user has typed, if echo is on. */
static void echo(struct tty *tty, uint8_t c)
{
	bool always = c == '\n' && canonical(tty) && has_flag(tty, ECHONL);
	char text[2];

	if (!has_flag(tty, ECHO) && !always)
		return;
	if (shown_as_caret(tty, c))
		send_echo(tty, (char[]){ '^', c ^ 0x40 }, 2);
	else
		send_echo(tty, text, tty_translate_output(tty, c, text));
}

/* ---- editing ---- */

static uint8_t last_typed(const struct tty *tty)
{
	return tty->ring[(tty->head - 1) % TTY_RING];
}

/* Is it a byte of a UTF-8 character, but not the first one? */
static bool continues(const struct tty *tty, uint8_t c)
{
	return tty->termios.iflag & IUTF8 && (c & 0xc0) == 0x80;
}

/*
 * Returns the column behind the first `end` bytes of the line that is being edited, counted from
 * where that line begins: a tab is as wide as it was when it was echoed.
 */
static unsigned int column_at(const struct tty *tty, unsigned int end)
{
	unsigned int column = 0;

	for (unsigned int at = tty->line_end; at != end; at++) {
		uint8_t c = tty->ring[at % TTY_RING];

		if (c == '\t')
			column = (column | 7) + 1;
		else if (shown_as_caret(tty, c))
			column += 2;
		else if (c >= 0x20 && c != 0x7f && !continues(tty, c))
			column++;
	}
	return column;
}

/* Take the last character of the line out of the ring, and off the screen if `show`. */
static void erase_one(struct tty *tty, bool show)
{
	unsigned int before = column_at(tty, tty->head), after;
	uint8_t c;

	do {
		c = last_typed(tty);
		tty->head--;
	} while (continues(tty, c) && tty->head != tty->line_end);
	after = column_at(tty, tty->head);
	if (!show)
		return;
	for (; before > after; before--)
		send_echo(tty, c == '\t' ? "\b" : "\b \b", c == '\t' ? 1 : 3);
}

static bool is_word_byte(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c >= 0x80;
}

/* Erase the last word of the line, and what is behind it. */
static void erase_word(struct tty *tty)
{
	bool show = has_flag(tty, ECHO), seen = false;

	while (tty->head != tty->line_end) {
		bool word = is_word_byte(last_typed(tty));

		if (seen && !word)
			break;
		seen |= word;
		erase_one(tty, show);
	}
}

/* The key that erases, where it cannot be shown by erasing, is shown itself. */
static void erase_character(struct tty *tty, uint8_t key)
{
	bool show = has_flag(tty, ECHO);

	if (tty->head == tty->line_end)
		return;
	erase_one(tty, show && has_flag(tty, ECHOE));
	if (show && !has_flag(tty, ECHOE))
		echo(tty, key);
}

static void kill_line(struct tty *tty, uint8_t key)
{
	const unsigned int all = ECHO | ECHOE | ECHOK | ECHOKE;
	bool show = (tty->termios.lflag & all) == all;

	if (tty->head == tty->line_end)
		return;
	while (tty->head != tty->line_end)
		erase_one(tty, show);
	if (show || !has_flag(tty, ECHO))
		return;
	echo(tty, key);
	if (has_flag(tty, ECHOK))
		echo(tty, '\n');
}

/* Show the line that is being edited again. */
static void reprint(struct tty *tty, uint8_t key)
{
	echo(tty, key);
	echo(tty, '\n');
	for (unsigned int at = tty->line_end; at != tty->head; at++)
		echo(tty, tty->ring[at % TTY_RING]);
}

/* Keys that edit a line. Returns true if c was one. */
static bool edit(struct tty *tty, uint8_t c)
{
	if (is_control(tty, VERASE, c))
		erase_character(tty, c);
	else if (is_control(tty, VKILL, c))
		kill_line(tty, c);
	else if (has_flag(tty, IEXTEN) && is_control(tty, VWERASE, c))
		erase_word(tty);
	else if (has_flag(tty, IEXTEN) && has_flag(tty, ECHO) && is_control(tty, VREPRINT, c))
		reprint(tty, c);
	else
		return false;
	return true;
}

static bool ends_line(const struct tty *tty, uint8_t c)
{
	return c == '\n' || is_control(tty, VEOL, c) ||
	       (has_flag(tty, IEXTEN) && is_control(tty, VEOL2, c));
}

static void add_to_line(struct tty *tty, uint8_t c, bool end)
{
	if (!end && tty->head - tty->tail >= TTY_RING - 1) {
		if (tty->termios.iflag & IMAXBEL)
			send_echo(tty, "\a", 1);
		return;
	}
	ring_put(tty, end ? c | LINE_END : c);
	echo(tty, c);
}

static void receive_canonical(struct tty *tty, uint8_t c)
{
	if (edit(tty, c))
		return;
	if (is_control(tty, VEOF, c))
		ring_put(tty, LINE_END | END_OF_FILE);
	else
		add_to_line(tty, c, ends_line(tty, c));
}

static void set_stopped(struct tty *tty, bool stopped)
{
	if (tty->stopped == stopped)
		return;
	WRITE_ONCE(tty->stopped, stopped);
	tell(tty, stopped ? TIOCPKT_STOP : TIOCPKT_START);
}

/* ^S and ^Q. Returns true if c was one of them. */
static bool controls_flow(struct tty *tty, uint8_t c)
{
	if (!(tty->termios.iflag & IXON))
		return false;
	if (is_control(tty, VSTART, c)) {
		set_stopped(tty, false);
		return true;
	}
	if (is_control(tty, VSTOP, c)) {
		set_stopped(tty, true);
		return true;
	}
	if (tty->termios.iflag & IXANY)
		set_stopped(tty, false);
	return false;
}

/* Returns the signal of a key, after its echo, or 0. */
static int signal_of(struct tty *tty, uint8_t c)
{
	static const struct {
		enum termios_cc kind;
		int signo;
	} keys[] = { { VINTR, SIGINT }, { VQUIT, SIGQUIT }, { VSUSP, SIGTSTP } };

	for (unsigned int i = 0; has_flag(tty, ISIG) && i < ARRAY_SIZE(keys); i++) {
		if (!is_control(tty, keys[i].kind, c))
			continue;
		if (!has_flag(tty, NOFLSH)) {
			flush(tty);
			if (tty->driver->flush)
				tty->driver->flush(tty);
		}
		set_stopped(tty, false);
		echo(tty, c);
		return keys[i].signo;
	}
	return 0;
}

/* Translate CR and NL. Returns false if the byte is dropped. */
static bool translate_input(const struct tty *tty, uint8_t *c)
{
	unsigned int iflag = tty->termios.iflag;

	if (*c == '\r' && iflag & IGNCR)
		return false;
	if (*c == '\r' && iflag & ICRNL)
		*c = '\n';
	else if (*c == '\n' && iflag & INLCR)
		*c = '\r';
	return true;
}

/* A byte after ^V, which has no special meaning. Not even a newline ends the line. */
static void receive_literal(struct tty *tty, uint8_t c)
{
	tty->literal = false;
	if (canonical(tty))
		add_to_line(tty, c, false);
}

/* Process one byte from the device. Returns the signal to send to the foreground group, or 0. */
static int receive(struct tty *tty, uint8_t c)
{
	int signo;

	if (tty->termios.iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal) {
		receive_literal(tty, c);
		return 0;
	}
	if (controls_flow(tty, c))
		return 0;
	signo = signal_of(tty, c);
	if (signo || !translate_input(tty, &c))
		return signo;
	if (!canonical(tty)) {
		ring_put(tty, c);
		echo(tty, c);
	} else if (has_flag(tty, IEXTEN) && is_control(tty, VLNEXT, c)) {
		tty->literal = true;
		if (has_flag(tty, ECHO) && has_flag(tty, ECHOCTL))
			send_echo(tty, "^\b", 2);
	} else {
		receive_canonical(tty, c);
	}
	return 0;
}

size_t tty_input(struct tty *tty, const char *bytes, size_t len)
{
	unsigned int flags, foreground, signals = 0;
	size_t taken = 0;
	bool readable, was_stopped;

	tty = tty->console;
	flags = spin_lock_irqsave(&tty->lock);
	was_stopped = tty->stopped;
	while (taken < len && input_room(tty) > 0)
		signals |= 1u << receive(tty, bytes[taken++]);
	if (taken < len)
		throttle(tty);
	foreground = tty->foreground;
	readable = available(tty) > 0;
	was_stopped &= !tty->stopped;
	spin_unlock_irqrestore(&tty->lock, flags);

	if (was_stopped)
		tty_wake_writers(tty);
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

unsigned int tty_available_bytes(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty), ends = 0;

	for (unsigned int i = 0; i < n; i++)
		ends += !!(tty->ring[(tty->tail + i) % TTY_RING] & END_OF_FILE);
	spin_unlock_irqrestore(&tty->lock, flags);
	return n - ends;
}

void tty_peek(struct tty *tty, char *buf, size_t max, struct tty_chunk *chunk)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	unsigned int n = available(tty);

	*chunk = (struct tty_chunk){ .from = tty->tail };
	while (chunk->positions < n && !chunk->line_done) {
		uint16_t entry = tty->ring[(chunk->from + chunk->positions) % TTY_RING];

		/*
		 * An end of file is consumed even when buf is full. It belongs to this line, and
		 * the next read must not find it.
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

void tty_flush_input(struct tty *tty)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	flush(tty);
	spin_unlock_irqrestore(&tty->lock, flags);
}

void tty_stop(struct tty *tty, bool stop)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);

	set_stopped(tty, stop);
	spin_unlock_irqrestore(&tty->lock, flags);
	/*
	 * A writer joins its queue first and then looks at `stopped`, so it has seen the change or
	 * is woken.
	 */
	if (!stop)
		tty_wake_writers(tty);
}

/* In packet mode the other end is told whether ^S and ^Q have their usual meaning. */
static void tell_flow(struct tty *tty, const struct termios *old)
{
	const struct termios *new = &tty->termios;
	bool was = old->iflag & IXON && old->cc[VSTOP] == 'S' - 64 && old->cc[VSTART] == 'Q' - 64;
	bool is = new->iflag &IXON &&new->cc[VSTOP] == 'S' - 64 && new->cc[VSTART] == 'Q' - 64;

	if (was != is)
		tell(tty, is ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
}

static void keep_bits(uint32_t *word, uint32_t old, uint32_t locked)
{
	*word = (*word & ~locked) | (old & locked);
}

static void keep_locked(struct termios *new, const struct termios *old,
			const struct termios *locked)
{
	keep_bits(&new->iflag, old->iflag, locked->iflag);
	keep_bits(&new->oflag, old->oflag, locked->oflag);
	keep_bits(&new->cflag, old->cflag, locked->cflag);
	keep_bits(&new->lflag, old->lflag, locked->lflag);
	for (unsigned int i = 0; i < TERMIOS_CC; i++)
		if (locked->cc[i])
			new->cc[i] = old->cc[i];
}

/* Leave those bits that the terminal can have. */
static void keep_possible(struct tty *tty)
{
	struct termios *termios = &tty->termios;
	bool pseudo = tty->driver->free; /* a device's line is fixed */

	termios->iflag &= ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IMAXBEL | IUTF8 |
			  OF_SIGNALS | (pseudo ? IXOFF : 0);
	termios->oflag &= OPOST | ONLCR | OCRNL | OF_DELAYS;
	if ((termios->oflag & TABDLY) == XTABS)
		termios->oflag &= ~TABDLY;
	if (pseudo)
		termios->cflag = (termios->cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
	else
		termios->cflag = CFLAG_FIXED;
	termios->lflag &= ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | NOFLSH | TOSTOP |
			  ECHOCTL | ECHOKE | IEXTEN | OF_CAPITALS;
	termios->line = 0;
}

void tty_set_termios(struct tty *tty, const struct termios *termios, bool flush_input)
{
	unsigned int flags = spin_lock_irqsave(&tty->lock);
	bool was_canonical = canonical(tty);
	struct termios old = tty->termios;

	tty->termios = *termios;
	keep_locked(&tty->termios, &old, &tty->locked);
	keep_possible(tty);
	tty->literal = false;
	tell_flow(tty, &old);
	if (!(tty->termios.iflag & IXON))
		set_stopped(tty, false);
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
	tty_wake_writers(tty); /* output may go on */
}
