/*
 * Tests drivers/tty/ldisc.c: editing, echo and signals by example, raw and canonical mode with
 * random input.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "drivers/tty/ldisc.c"

#define SHOWS (ECHOE | ECHOK | ECHOCTL | ECHOKE)

static struct tty tty;
static char screen[70000]; /* the echoed bytes */
static size_t screen_len;
static int throttles, unthrottles;
static unsigned int signals;

static size_t test_write(struct tty *t, const char *bytes, size_t len, bool atomic)
{
	must(atomic && spin_held(&t->lock));
	if (screen_len + len < sizeof(screen))
		memcpy(screen + screen_len, bytes, len);
	screen_len += len;
	return len;
}

static void test_throttle(struct tty *t, bool stop)
{
	must(spin_held(&t->lock));
	*(stop ? &throttles : &unthrottles) += 1;
}

static const struct tty_driver test_driver = { .write = test_write, .throttle = test_throttle };

void tty_wake_writers(struct tty *t)
{
	must(!spin_held(&t->lock));
}

void signal_send_group(unsigned int pgid, int signo, const struct signal_info *info)
{
	must(pgid == 42 && !spin_held(&tty.lock));
	signals |= 1u << signo;
}

static void reset(void)
{
	memset(&tty, 0, sizeof(tty));
	tty.driver = &test_driver;
	tty.foreground = 42;
	tty.console = &tty;
	tty.termios = (struct termios){
		.iflag = ICRNL,
		.oflag = OPOST | ONLCR,
		.lflag = ISIG | ICANON | ECHO | SHOWS,
		.cc = { 3, 28, 0x7f, 21, 4, 0, 1, [VSUSP] = 26 },
	};
	screen_len = throttles = unthrottles = signals = 0;
}

static void flush_input(void)
{
	struct termios termios = tty.termios;

	tty_set_termios(&tty, &termios, true);
}

static void set_mode(uint32_t lflag, uint32_t iflag)
{
	struct termios termios = tty.termios;

	termios.lflag = lflag | SHOWS;
	termios.iflag = iflag;
	tty_set_termios(&tty, &termios, false);
}

static void type(const char *s)
{
	must(tty_input(&tty, s, strlen(s)) == strlen(s));
}

/* Reads up to max bytes once. Returns their number, or -1 if there is nothing to read. */
static int take(char *buf, size_t max)
{
	struct tty_chunk chunk;

	if (tty_available(&tty) == 0)
		return -1;
	tty_peek(&tty, buf, max, &chunk);
	tty_consume(&tty, &chunk);
	return chunk.bytes;
}

static bool reads(const char *expected)
{
	char buf[5000];
	int n = take(buf, sizeof(buf));

	if (!expected)
		return n == -1;
	return n == (int)strlen(expected) && memcmp(buf, expected, n) == 0;
}

static bool shows(const char *expected)
{
	bool same = screen_len == strlen(expected) && memcmp(screen, expected, screen_len) == 0;

	screen_len = 0;
	return same;
}

CASE(lines)
{
	reset();
	type("hel");
	ok(reads(NULL) && shows("hel"), "an unfinished line cannot be read, but is echoed");
	type("lo\r");
	ok(shows("lo\r\n") && reads("hello\n") && reads(NULL), "CR ends it, and is read as NL");
	type("a\nb\nc");
	ok(tty_available(&tty) == 4 && reads("a\n") && reads("b\n") && reads(NULL),
	   "a read takes one line");
	type("\025");
	type("\004x\004\004yz\n");
	ok(reads("") && reads("x") && reads("") && reads("yz\n"),
	   "^D ends the file, or a piece of a line");
	type("abc\004\n");
	char buf[3];
	ok(take(buf, 3) == 3 && reads("\n"), "an end of file behind a full buffer goes with it");
	type("abcdef\n");
	ok(take(buf, 3) == 3 && memcmp(buf, "abc", 3) == 0 && reads("def\n"),
	   "two reads get one line");
}

CASE(editing)
{
	reset();
	type("abx\177c\n");
	ok(reads("abc\n") && shows("abx\b \bc\r\n"), "erase");
	type("\177\177a\177\177b\n");
	ok(reads("b\n") && shows("a\b \bb\r\n"), "nothing to erase");
	screen_len = 0;
	type("abc\025d\n");
	ok(reads("d\n") && shows("abc\b \b\b \b\b \bd\r\n"), "kill");
	type("\001\177\n");
	ok(reads("\n") && shows("^A\b \b\b \b\r\n"), "a control character takes two columns");
	type("a\t\177b\n");
	ok(reads("ab\n") && shows("a\t\b\b\b\b\b\b\bb\r\n"), "a tab is as wide as it was shown");
	set_mode(ICANON, 0);
	type("secret\n");
	ok(reads("secret\n") && shows(""), "without echo, nothing is shown");
}

CASE(signals)
{
	reset();
	type("rm -rf\003ls\n");
	ok(signals == 1u << SIGINT && reads("ls\n"), "^C sends SIGINT and drops the line");
	signals = 0;
	type("a\nb\034\032c\n");
	ok(signals == (1u << SIGQUIT | 1u << SIGTSTP) && reads("c\n") && reads(NULL), "^\\ and ^Z");
	signals = 0;
	set_mode(ICANON, 0);
	type("\003\n");
	ok(signals == 0 && reads("\003\n"), "without ISIG it is a byte");
	reset();
	tty.foreground = 0;
	type("\003\n");
	ok(signals == 0 && reads("\n"), "without a foreground group there is no signal");
}

CASE(settings)
{
	char out[2];

	reset();
	set_mode(0, 0);
	type("a\n\r");
	ok(reads("a\n\r"), "without ICRNL a CR is a CR");
	tty_set_termios(&tty,
			&(struct termios){ .oflag = ~0u, .iflag = ~0u, .lflag = ~0u, .cflag = 0 },
			false);
	/* Tabs cannot become spaces. */
	ok(tty.termios.oflag == (OPOST | ONLCR | OCRNL | (OF_DELAYS & ~TABDLY)) &&
		   tty.termios.iflag == (OF_SIGNALS | ISTRIP | INLCR | IGNCR | ICRNL | IXON |
					 IXANY | IMAXBEL | IUTF8) &&
		   tty.termios.lflag == (ISIG | ICANON | ECHO | ECHONL | NOFLSH | TOSTOP | IEXTEN |
					 SHOWS | OF_CAPITALS) &&
		   tty.termios.cflag == CFLAG_FIXED,
	   "unknown settings are dropped");
	ok(tty_translate_output(&tty, '\n', out) == 2 && out[0] == '\r', "ONLCR");
	tty.termios.oflag = OPOST;
	ok(tty_translate_output(&tty, '\n', out) == 1, "and without it");
}

CASE(full_line)
{
	reset();
	set_mode(ICANON | ECHO, ICRNL);
	for (unsigned int i = 0; i < TTY_RING - 1; i++)
		type("x");
	screen_len = 0;
	type("y");
	ok(shows("") && throttles == 0, "a line does not grow beyond its limit");
	ok(tty_input_room(&tty) == 1, "there is still room for its end");
	type("\n");
	ok(tty_input_room(&tty) == 0 && throttles == 1, "the end then fills the ring");
	ok(tty_input(&tty, "z", 1) == 0, "and nothing more is taken");
	char buf[TTY_RING];
	ok(take(buf, sizeof(buf)) == TTY_RING && unthrottles == 1, "until the line has been read");
}

/*
 * Raw mode loses nothing with any sizes of input and reads, while it is throttled and released in
 * turn.
 */
CASE(raw)
{
	unsigned int sent = 0, received = 0;
	char buf[6000];

	reset();
	set_mode(0, 0);
	while (received < 2000000) {
		size_t n = random_u32() % 600;

		if (!tty.throttled && random_u32() % 3) {
			for (size_t i = 0; i < n; i++)
				buf[i] = (sent + i) * 167 >> 3;
			sent += tty_input(&tty, buf, n);
		} else {
			int got = take(buf, n + 1);

			for (int i = 0; i < got; i++)
				must(buf[i] == (char)((received + i) * 167 >> 3));
			received += MAX(got, 0);
		}
		must(sent - received == tty_available(&tty));
		must(throttles - unthrottles == tty.throttled);
	}
	ok(throttles > 10, "raw mode: every byte comes through unchanged (%d times throttled)",
	   throttles);
}

CASE(mode_change)
{
	reset();
	type("half");
	set_mode(0, 0);
	ok(reads("half"), "raw mode gives the unfinished line");
	type("raw");
	set_mode(ICANON, 0);
	ok(reads("raw") && reads(NULL),
	   "canonical mode gives the bytes that raw mode left as a line");
	type("x\004");
	set_mode(0, 0);
	set_mode(ICANON, 0);
	type("y\n");
	char buf[2];
	ok(take(buf, 2) == 2 && memcmp(buf, "x\0", 2) == 0 && reads("y\n"),
	   "marks of canonical mode do not remain in raw mode");
	type("abc");
	flush_input();
	type("d\n");
	ok(reads("d\n"), "flush");
}

CASE(consume_after_flush)
{
	struct tty_chunk chunk;
	char buf[8];

	reset();
	type("old\n");
	tty_peek(&tty, buf, sizeof(buf), &chunk);
	flush_input();
	type("new\n");
	tty_consume(&tty, &chunk);
	ok(reads("new\n"), "bytes that come after a flush are not flushed");
}

/* With any input in any mode, no access is beyond the ring, and the positions stay in order. */
CASE(noise)
{
	reset();
	for (int round = 0; round < 300000; round++) {
		char buf[64];

		switch (random_u32() % 8) {
		case 0:
			set_mode(random_u32(), random_u32());
			break;
		case 1:
		case 2:
			take(buf, random_u32() % 64 + 1);
			break;
		case 3:
			if (random_u32() % 50 == 0)
				flush_input();
			break;
		default:
			for (unsigned int i = 0; i < sizeof(buf); i++)
				buf[i] = random_u32() % 3 ? random_u32() % 40 : random_u32();
			tty_input(&tty, buf, MIN(tty_input_room(&tty), random_u32() % 64));
		}
		must(tty.head - tty.tail <= TTY_RING);
		must(tty_available(&tty) <= tty.head - tty.tail);
		if (tty.termios.lflag & ICANON)
			must(tty.line_end - tty.tail <= tty.head - tty.tail);
		screen_len = 0;
	}
	ok(true, "random input in random modes");
}
