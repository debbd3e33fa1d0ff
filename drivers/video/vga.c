/*
 * The text screen of a VGA. It is a log sink, and the output of tty1. It understands the control sequences
 * of a VT100 (ECMA-48) that a shell, an editor and the demos use: cursor movement, erasing and colours.
 * Other sequences do nothing.
 *
 * 1. The screen is kept in `cells`. Video memory is only written, because reading it is slow.
 * 2. Scrolling moves the start of the screen in video memory, which has room for eight screens, and
 *    writes only the new line. At the end of video memory the screen is drawn again at its beginning.
 * 3. screen.lock (irqsave) guards all of it. The cursor is moved once per call, not once per byte.
 * 4. Without text memory (in a graphics mode, or without a VGA) there is no sink and no terminal.
 */
#include "drivers/tty/console.h"
#include "drivers/tty/tty.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/page.h"

#define ROWS	       25u
#define COLUMNS	       80u
#define TEXT_MEMORY    0xb8000u
#define MEMORY_CELLS   (0x8000u / 2)
#define TAB_STOP       8u
#define MAX_PARAMETERS 8u
#define LIGHT_GREY     7u
#define BRIGHT	       8u

/* IBM VGA: an index register, and the data register behind it, of each group of registers. */
#define SEQUENCER	  0x3c4
#define GRAPHICS	  0x3ce
#define CRTC		  0x3d4
#define CRTC_CURSOR_SHAPE 0x0a
#define CRTC_START	  0x0c
#define CRTC_CURSOR	  0x0e
#define CRTC_PROTECT	  0x11 /* bit 7: the first eight registers cannot be written */
#define CURSOR_TOP_LINE	  13

enum parse_state { PARSE_TEXT, PARSE_ESCAPE, PARSE_SEQUENCE };

static struct {
	spinlock_t lock;
	bool present;
	uint16_t cells[ROWS][COLUMNS]; /* character, attribute << 8 */
	unsigned int start;	       /* of the screen in video memory, in cells */
	unsigned int row, column;      /* column == COLUMNS: the next character wraps */
	uint8_t attribute;	       /* background << 4 | foreground */
	enum parse_state state;
	bool unknown;		     /* the sequence has a byte that is not understood */
	unsigned int last_parameter; /* of parameters[] */
	unsigned int parameters[MAX_PARAMETERS];
} screen;

static volatile uint16_t *text_memory(void)
{
	return phys_to_virt(TEXT_MEMORY);
}

static void vga_register(unsigned int group, uint8_t reg, uint8_t value)
{
	outb(group, reg);
	outb(group + 1, value);
}

static void crtc_write_pair(uint8_t reg, uint16_t value)
{
	vga_register(CRTC, reg, value >> 8);
	vga_register(CRTC, reg + 1, value);
}

static void set_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	screen.cells[row][column] = cell;
	text_memory()[screen.start + row * COLUMNS + column] = cell;
}

static void redraw(void)
{
	for (unsigned int row = 0; row < ROWS; row++) {
		for (unsigned int column = 0; column < COLUMNS; column++)
			set_cell(row, column, screen.cells[row][column]);
	}
}

/* Blank `n` cells, starting at a place. */
static void clear(unsigned int row, unsigned int column, unsigned int n)
{
	while (n-- > 0) {
		set_cell(row, column, (uint16_t)(screen.attribute << 8 | ' '));
		if (++column == COLUMNS) {
			column = 0;
			row++;
		}
	}
}

static void scroll(void)
{
	memmove(screen.cells[0], screen.cells[1], sizeof(screen.cells) - sizeof(screen.cells[0]));
	screen.start += COLUMNS;
	if (screen.start + ROWS * COLUMNS > MEMORY_CELLS) {
		screen.start = 0;
		redraw();
	}
	clear(ROWS - 1, 0, COLUMNS);
}

static void line_feed(void)
{
	if (screen.row + 1 < ROWS)
		screen.row++;
	else
		scroll();
}

static void put_character(uint8_t c)
{
	if (screen.column >= COLUMNS) {
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
	screen.row = MIN(row, ROWS - 1);
	screen.column = MIN(column, COLUMNS - 1);
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
	unsigned int column = what == 2 ? 0 : MIN(screen.column, COLUMNS - 1);
	unsigned int rows = line ? 1 : ROWS - first;

	clear(first, column, rows * COLUMNS - column);
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
		screen.column = MIN(screen.column, COLUMNS) - (screen.column > 0);
	else if (c == '\t')
		screen.column = MIN((screen.column / TAB_STOP + 1) * TAB_STOP, COLUMNS - 1);
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

/* Move the visible screen and the cursor to where they are now. */
static void show_cursor(void)
{
	unsigned int at = screen.start + screen.row * COLUMNS + MIN(screen.column, COLUMNS - 1);

	crtc_write_pair(CRTC_START, screen.start);
	crtc_write_pair(CRTC_CURSOR, at);
}

/* ---- graphics modes ---- */

/* The registers that a graphics mode may change, and their contents in text mode. */
static const struct {
	uint16_t group;
	uint8_t count;
} groups[] = { { SEQUENCER, 5 }, { GRAPHICS, 9 }, { CRTC, 25 } };
static uint8_t text_registers[ARRAY_SIZE(groups)][25];

void vga_text(bool back)
{
	unsigned int flags = spin_lock_irqsave(&screen.lock);

	if (back)
		vga_register(CRTC, CRTC_PROTECT, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		for (unsigned int reg = 0; reg < groups[i].count; reg++) {
			outb(groups[i].group, reg);
			if (back)
				outb(groups[i].group + 1, text_registers[i][reg]);
			else
				text_registers[i][reg] = inb(groups[i].group + 1);
		}
	}
	if (back && screen.present) {
		redraw();
		show_cursor();
	}
	spin_unlock_irqrestore(&screen.lock, flags);
}

/* ---- log and terminal ---- */

static void vga_log(const char *bytes, size_t len)
{
	bool locked = sink_lock(&screen.lock);

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			put_text('\r');
		put_text(bytes[i]);
	}
	show_cursor();
	if (locked)
		spin_unlock(&screen.lock);
}

static struct log_sink vga_sink = { .write = vga_log };

static size_t vga_write(struct tty *tty, const char *bytes, size_t len, bool atomic)
{
	unsigned int flags = spin_lock_irqsave(&screen.lock);

	for (size_t i = 0; i < len; i++)
		put_byte(bytes[i]);
	show_cursor();
	spin_unlock_irqrestore(&screen.lock, flags);
	return len;
}

static const struct tty_driver vga_driver = { .write = vga_write };

struct tty vga_tty;

/*
 * Text memory keeps the bytes that are written to it. In a graphics mode, or without a VGA, it does not.
 */
static bool detect(void)
{
	volatile uint16_t *cell = text_memory();

	cell[0] = 0x55aa;
	cell[1] = 0xaa55;
	return cell[0] == 0x55aa && cell[1] == 0xaa55;
}

void vga_early_init(void)
{
	spin_init(&screen.lock, "vga");
	screen.present = detect();
	if (!screen.present)
		return;
	screen.attribute = LIGHT_GREY;
	erase(false, 2);
	vga_register(CRTC, CRTC_CURSOR_SHAPE, CURSOR_TOP_LINE);
	log_add_sink(&vga_sink);
}

static int __init vga_probe(void)
{
	int error;

	if (!screen.present)
		return 0;
	strlcpy(vga_tty.name, "tty1", sizeof(vga_tty.name));
	vga_tty.window = (struct winsize){ ROWS, COLUMNS, 0, 0 };
	vga_tty.driver = &vga_driver;
	error = tty_register(&vga_tty, 4, 1);
	return error == 0 ? keyboard_start() : error;
}
DRIVER(vga, vga_probe);
