/*
 * The text mode of a VGA as a display.
 *
 * 1. Video memory is only written, because reading it is slow.
 * 2. Scrolling moves the start of the screen in video memory, which has room for eight screens, and
 *    writes only the new line. At the end of video memory the screen is drawn again at its
 *    beginning.
 */
#include "drivers/tty/console.h"
#include "drivers/video/screen.h"
#include "kernel/cpu/cpu.h"
#include "mm/direct_map.h"
#include "mm/page.h"

#define ROWS	     25u
#define COLUMNS	     80u
#define TEXT_MEMORY  0xb8000u
#define MEMORY_CELLS (0x8000u / 2)

/* IBM VGA: an index register, and the data register behind it, of each group of registers. */
#define SEQUENCER	  0x3c4
#define GRAPHICS	  0x3ce
#define CRTC		  0x3d4
#define CRTC_CURSOR_SHAPE 0x0a
#define CRTC_START	  0x0c
#define CRTC_CURSOR	  0x0e
#define CRTC_PROTECT	  0x11 /* bit 7: the first eight registers cannot be written */
#define CURSOR_TOP_LINE	  13

static unsigned int start; /* of the screen in video memory, in cells */

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

static void vga_set_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	text_memory()[start + row * COLUMNS + column] = cell;
}

static void vga_redraw(const uint16_t *cells)
{
	for (unsigned int i = 0; i < ROWS * COLUMNS; i++)
		text_memory()[start + i] = cells[i];
}

static void vga_scroll(const uint16_t *cells)
{
	start += COLUMNS;
	if (start + ROWS * COLUMNS > MEMORY_CELLS) {
		start = 0;
		vga_redraw(cells);
	}
}

/* Move the visible screen and the cursor to where they are now. */
static void vga_show(const uint16_t *cells, unsigned int row, unsigned int column)
{
	crtc_write_pair(CRTC_START, start);
	crtc_write_pair(CRTC_CURSOR, start + row * COLUMNS + column);
}

static const struct display vga = {
	.set_cell = vga_set_cell,
	.scroll = vga_scroll,
	.show = vga_show,
	.redraw = vga_redraw,
};

/* ---- graphics modes ---- */

/* The registers that a graphics mode may change, and their contents in text mode. */
static const struct {
	uint16_t group;
	uint8_t count;
} groups[] = { { SEQUENCER, 5 }, { GRAPHICS, 9 }, { CRTC, 25 } };
static uint8_t text_registers[ARRAY_SIZE(groups)][25];

static void save_registers(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		for (unsigned int reg = 0; reg < groups[i].count; reg++) {
			outb(groups[i].group, reg);
			text_registers[i][reg] = inb(groups[i].group + 1);
		}
	}
}

static void restore_registers(void)
{
	vga_register(CRTC, CRTC_PROTECT, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
		for (unsigned int reg = 0; reg < groups[i].count; reg++)
			vga_register(groups[i].group, reg, text_registers[i][reg]);
}

void vga_text(bool back)
{
	screen_hold(!back);
	screen_update(back ? restore_registers : save_registers);
}

/*
 * Text memory keeps the bytes that are written to it. In a graphics mode, or without a VGA, it does
 * not.
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
	if (!detect())
		return;
	vga_register(CRTC, CRTC_CURSOR_SHAPE, CURSOR_TOP_LINE);
	screen_start(&vga, ROWS, COLUMNS);
}
