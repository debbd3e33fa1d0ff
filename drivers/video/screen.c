/*
 * The text screen: a log sink, and the output of tty1. It understands the control sequences of a
 * VT100 (ECMA-48) that a shell, an editor and the demos use: cursor movement, erasing and colours.
 * Other sequences do nothing.
 *
 * 1. What the screen shows is kept in `cells`. A display (screen.h) draws them: text memory (vga.c)
 *    or a framebuffer (fbcon.c).
 * 2. screen.lock (irqsave) guards all of it. The display is told once per call that it should show
 *    what has changed, not once per byte.
 * 3. Without a display there is no sink and no terminal.
 */
#include "drivers/tty/console.h"
#include "drivers/tty/tty.h"
#include "drivers/video/screen.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "lib/string.h"

#define TAB_STOP       8u
#define MAX_PARAMETERS 8u
#define LIGHT_GREY     7u
#define BRIGHT	       8u

enum parse_state { PARSE_TEXT, PARSE_ESCAPE, PARSE_SEQUENCE };

static struct {
	spinlock_t lock;
	const struct display *display; /* NULL: there is none */
	bool held;		       /* nothing is drawn: a program has the screen */
	uint16_t cells[SCREEN_MAX_CELLS];
	unsigned int rows, columns;
	unsigned int row, column; /* column == columns: the next character wraps */
	uint8_t attribute;	  /* background << 4 | foreground */
	enum parse_state state;
	bool unknown;		     /* the sequence has a byte that is not understood */
	unsigned int last_parameter; /* of parameters[] */
	unsigned int parameters[MAX_PARAMETERS];
} screen = { .lock = SPINLOCK_INIT("screen") };

static uint16_t *cell_at(unsigned int row, unsigned int column)
{
	return &screen.cells[row * screen.columns + column];
}

static void set_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	*cell_at(row, column) = cell;
	if (!screen.held)
		screen.display->set_cell(row, column, cell);
}

/* Blank `n` cells, starting at a place. */
static void clear(unsigned int row, unsigned int column, unsigned int n)
{
	while (n-- > 0) {
		set_cell(row, column, (uint16_t)(screen.attribute << 8 | ' '));
		if (++column == screen.columns) {
			column = 0;
			row++;
		}
	}
}

static void scroll(void)
{
	memmove(screen.cells, cell_at(1, 0),
		(screen.rows - 1) * screen.columns * sizeof(screen.cells[0]));
	if (!screen.held)
		screen.display->scroll(screen.cells);
	clear(screen.rows - 1, 0, screen.columns);
}

static void line_feed(void)
{
	if (screen.row + 1 < screen.rows)
		screen.row++;
	else
		scroll();
}

static void put_character(uint8_t c)
{
	if (screen.column >= screen.columns) {
		screen.column = 0;
		line_feed();
	}
	set_cell(screen.row, screen.column++, (uint16_t)(screen.attribute << 8 | c));
}

/* ---- control sequences (ECMA-48, 5.4 and 8.3) ---- */

/* Parameter n. A parameter that is missing or 0 means 1. */
static unsigned int parameter(unsigned int n)
{
	return n > screen.last_parameter ? 1 : MAX(screen.parameters[n], 1u);
}

static void move_to(unsigned int row, unsigned int column)
{
	screen.row = MIN(row, screen.rows - 1);
	screen.column = MIN(column, screen.columns - 1);
}

static void select_rendition(unsigned int code)
{
	/* ECMA-48 has red in the lowest bit and blue in the highest. The VGA has the reverse. */
	static const uint8_t colours[8] = { 0, 4, 2, 6, 1, 5, 3, 7 };
	uint8_t attribute = screen.attribute;

	if (code == 0)
		attribute = LIGHT_GREY;
	else if (code == 1)
		attribute |= BRIGHT;
	else if (code == 7)
		attribute = (attribute & 7) << 4 | (attribute >> 4 & 7);
	else if (code >= 30 && code <= 37)
		attribute = (attribute & ~7) | colours[code - 30];
	else if (code >= 40 && code <= 47)
		attribute = (attribute & 0xf) | colours[code - 40] << 4;
	screen.attribute = attribute;
}

/* Blank from the cursor to the end of the screen or line, or all of it if `what` is 2. */
static void erase(bool line, unsigned int what)
{
	unsigned int first = what == 2 && !line ? 0 : screen.row;
	unsigned int column = what == 2 ? 0 : MIN(screen.column, screen.columns - 1);
	unsigned int rows = line ? 1 : screen.rows - first;

	clear(first, column, rows * screen.columns - column);
}

static void run_sequence(char final)
{
	unsigned int n = parameter(0), row = screen.row, column = screen.column;

	if (final == 'A')
		move_to(row - MIN(n, row), column);
	else if (final == 'B')
		move_to(row + n, column);
	else if (final == 'C')
		move_to(row, column + n);
	else if (final == 'D')
		move_to(row, column - MIN(n, column));
	else if (final == 'H')
		move_to(n - 1, parameter(1) - 1);
	else if (final == 'J' || final == 'K')
		erase(final == 'K', screen.parameters[0]);
	else if (final == 'm')
		for (unsigned int i = 0; i <= screen.last_parameter; i++)
			select_rendition(screen.parameters[i]);
}

static void parse_sequence(uint8_t c)
{
	unsigned int *value = &screen.parameters[screen.last_parameter];

	if (c >= '0' && c <= '9') {
		*value = MIN(*value * 10 + (c - '0'), 9999u);
	} else if (c == ';' && screen.last_parameter + 1 < MAX_PARAMETERS) {
		screen.last_parameter++;
	} else if (c >= 0x40 && c < 0x7f) {
		screen.state = PARSE_TEXT;
		if (!screen.unknown)
			run_sequence(c);
	} else {
		screen.unknown = true;
	}
}

static void put_text(uint8_t c)
{
	if (c == 0x1b)
		screen.state = PARSE_ESCAPE;
	else if (c == '\n')
		line_feed();
	else if (c == '\r')
		screen.column = 0;
	else if (c == '\b')
		screen.column = MIN(screen.column, screen.columns) - (screen.column > 0);
	else if (c == '\t')
		screen.column = MIN((screen.column / TAB_STOP + 1) * TAB_STOP, screen.columns - 1);
	else if (c >= 0x20 && c != 0x7f)
		put_character(c);
}

static void put_byte(uint8_t c)
{
	if (screen.state == PARSE_TEXT) {
		put_text(c);
	} else if (screen.state == PARSE_SEQUENCE) {
		parse_sequence(c);
	} else {
		screen.state = c == '[' ? PARSE_SEQUENCE : PARSE_TEXT;
		screen.unknown = false;
		screen.last_parameter = 0;
		memset(screen.parameters, 0, sizeof(screen.parameters));
	}
}

static void show(void)
{
	if (!screen.held)
		screen.display->show(screen.cells, screen.row,
				     MIN(screen.column, screen.columns - 1));
}

/* ---- log and terminal ---- */

static void screen_log(const char *bytes, size_t len)
{
	bool locked = sink_lock(&screen.lock);

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			put_text('\r');
		put_text(bytes[i]);
	}
	show();
	if (locked)
		spin_unlock(&screen.lock);
}

static struct log_sink screen_sink = { .write = screen_log };

static size_t screen_write(struct tty *tty, const char *bytes, size_t len, bool atomic)
{
	unsigned int flags = spin_lock_irqsave(&screen.lock);

	for (size_t i = 0; i < len; i++)
		put_byte(bytes[i]);
	show();
	spin_unlock_irqrestore(&screen.lock, flags);
	return len;
}

static const struct tty_driver screen_driver = { .write = screen_write };

struct tty screen_tty;

void screen_start(const struct display *display, unsigned int rows, unsigned int columns)
{
	if (screen.display)
		return;
	screen.display = display;
	screen.rows = rows;
	screen.columns = columns;
	screen.attribute = LIGHT_GREY;
	erase(false, 2);
	log_add_sink(&screen_sink);
}

void screen_update(void (*update)(void))
{
	unsigned int flags = spin_lock_irqsave(&screen.lock);

	update();
	if (screen.display && !screen.held) {
		screen.display->redraw(screen.cells);
		show();
	}
	spin_unlock_irqrestore(&screen.lock, flags);
}

void screen_hold(bool hold)
{
	unsigned int flags = spin_lock_irqsave(&screen.lock);

	screen.held = hold;
	spin_unlock_irqrestore(&screen.lock, flags);
}

static int __init screen_probe(void)
{
	int error;

	if (!screen.display)
		return 0;
	strlcpy(screen_tty.name, "tty1", sizeof(screen_tty.name));
	screen_tty.window = (struct winsize){ screen.rows, screen.columns, 0, 0 };
	screen_tty.driver = &screen_driver;
	error = tty_register(&screen_tty, 4, 1);
	return error == 0 ? keyboard_start() : error;
}
DRIVER(screen, screen_probe);
