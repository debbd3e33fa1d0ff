/*
 * The framebuffer that the loader left, as a display for text. A machine with UEFI has no other
 * screen.
 *
 * 1. fbcon_early_init() maps the framebuffer before there is any memory to allocate, so that all
 *    messages can be seen (pgtable_map_early). fbcon_init() maps it for good.
 * 2. Pixels are only written, because reading them is slow. `shown` has the cells that the picture
 *    shows, and show() draws those that differ. So much output that scrolls is drawn once per call.
 * 3. All of it is guarded by the screen's lock.
 */
#include "boot/machine.h"
#include "drivers/tty/console.h"
#include "drivers/video/screen.h"
#include "kernel/cpu/cpu.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define GLYPH_WIDTH  8u
#define GLYPH_HEIGHT 16u
#define CURSOR_ROW   14u /* of the glyph: from here on it is drawn in the character's colour */
#define MAX_ROWS     100u
#define MAX_COLUMNS  (SCREEN_MAX_CELLS / MAX_ROWS)
#define LARGE_PAGE   (2u << 20)
#define EARLY_MAX    (64u << 20)
#define NOT_SHOWN    0 /* no cell of a screen is 0 */

/* Made by tools/font. */
static const uint8_t font[256][GLYPH_HEIGHT] = {
#include "drivers/video/font.h"
};

static struct {
	volatile uint8_t *pixels; /* NULL: not mapped */
	unsigned int rows, columns, pixel_bytes;
	uint32_t colours[16];
	uint16_t *shown; /* NULL: not known */
	bool changed[MAX_ROWS];
	unsigned int cursor_row, cursor_column;
} fb;

/* The VGA's colours, red in the highest byte. */
static const uint32_t palette[16] = {
	0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
	0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

static uint32_t pixel_value(uint32_t rgb)
{
	const struct boot_framebuffer *boot = &boot_framebuffer;
	uint32_t value = 0;

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t level = rgb >> (16 - 8 * i) & 0xff;

		value |= level >> (8 - boot->colour[i].bits) << boot->colour[i].at;
	}
	return value;
}

static void put_pixel(volatile uint8_t *at, uint32_t value)
{
	if (fb.pixel_bytes == 4)
		*(volatile uint32_t *)at = value;
	else if (fb.pixel_bytes == 2)
		*(volatile uint16_t *)at = value;
	else
		for (unsigned int i = 0; i < 3; i++)
			at[i] = value >> 8 * i;
}

static void draw_cell(unsigned int row, unsigned int column, uint16_t cell, bool cursor)
{
	const uint8_t *glyph = font[cell & 0xff];
	uint32_t fore = fb.colours[cell >> 8 & 15], back = fb.colours[cell >> 12];
	volatile uint8_t *line = fb.pixels + row * GLYPH_HEIGHT * boot_framebuffer.pitch +
				 column * GLYPH_WIDTH * fb.pixel_bytes;

	for (unsigned int y = 0; y < GLYPH_HEIGHT; y++, line += boot_framebuffer.pitch) {
		unsigned int bits = cursor && y >= CURSOR_ROW ? 0xff : glyph[y];

		for (unsigned int x = 0; x < GLYPH_WIDTH; x++)
			put_pixel(line + x * fb.pixel_bytes, bits & 0x80u >> x ? fore : back);
	}
}

static void fbcon_set_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	fb.changed[row] = true;
}

static void fbcon_scroll(const uint16_t *cells)
{
	memset(fb.changed, true, fb.rows);
}

static void draw_row(const uint16_t *cells, unsigned int row)
{
	for (unsigned int column = 0; column < fb.columns; column++) {
		unsigned int at = row * fb.columns + column;

		if (fb.shown && fb.shown[at] == cells[at])
			continue;
		draw_cell(row, column, cells[at], false);
		if (fb.shown)
			fb.shown[at] = cells[at];
	}
	fb.changed[row] = false;
}

static void fbcon_show(const uint16_t *cells, unsigned int row, unsigned int column)
{
	if (!fb.pixels)
		return;
	if (fb.shown)
		fb.shown[fb.cursor_row * fb.columns + fb.cursor_column] = NOT_SHOWN;
	fb.changed[fb.cursor_row] = true;
	for (unsigned int i = 0; i < fb.rows; i++)
		if (fb.changed[i])
			draw_row(cells, i);
	draw_cell(row, column, cells[row * fb.columns + column], true);
	fb.cursor_row = row;
	fb.cursor_column = column;
}

static void fbcon_redraw(const uint16_t *cells)
{
	if (fb.shown)
		memset(fb.shown, NOT_SHOWN, fb.rows * fb.columns * sizeof(*fb.shown));
	fbcon_scroll(cells);
}

static const struct display fbcon = {
	.set_cell = fbcon_set_cell,
	.scroll = fbcon_scroll,
	.show = fbcon_show,
	.redraw = fbcon_redraw,
};

static uint64_t framebuffer_bytes(void)
{
	return (uint64_t)boot_framebuffer.pitch * boot_framebuffer.height;
}

/* Map the framebuffer without allocating memory. Returns its address. */
static void *map_early(void)
{
	static pte_t __attribute__((aligned(PAGE_SIZE))) directory[512];
	uint32_t offset = boot_framebuffer.phys & (LARGE_PAGE - 1);
	uint64_t phys = boot_framebuffer.phys - offset;

	for (unsigned int i = 0; i * LARGE_PAGE < offset + framebuffer_bytes(); i++)
		directory[i] = (phys + i * LARGE_PAGE) | PTE_PRESENT | PTE_WRITE | PTE_LARGE |
			       PTE_NOCACHE | PTE_WRITETHROUGH;
	return (char *)pgtable_map_early(directory) + offset;
}

void fbcon_early_init(void)
{
	const struct boot_framebuffer *boot = &boot_framebuffer;

	if (!boot->phys || boot->bits < 15 || boot->bits > 32 ||
	    boot->pitch < (uint64_t)boot->width * ((boot->bits + 7) / 8) ||
	    framebuffer_bytes() == 0 || framebuffer_bytes() > EARLY_MAX - LARGE_PAGE ||
	    boot->height < GLYPH_HEIGHT || boot->width < GLYPH_WIDTH)
		return;
	fb.pixel_bytes = (boot->bits + 7) / 8;
	fb.rows = MIN(boot->height / GLYPH_HEIGHT, MAX_ROWS);
	fb.columns = MIN(boot->width / GLYPH_WIDTH, MAX_COLUMNS);
	for (unsigned int i = 0; i < ARRAY_SIZE(palette); i++)
		fb.colours[i] = pixel_value(palette[i]);
	fb.pixels = map_early();
	for (uint64_t i = 0; i < framebuffer_bytes(); i += 4)
		*(volatile uint32_t *)(fb.pixels + i) = fb.colours[0];
	screen_start(&fbcon, fb.rows, fb.columns);
}

static void use_mapping(void)
{
	size_t bytes = fb.rows * fb.columns * sizeof(*fb.shown);

	fb.shown = kzalloc(bytes, ALLOC_ATOMIC);
	fb.pixels = ioremap_combining(boot_framebuffer.phys, framebuffer_bytes());
}

void fbcon_init(void)
{
	if (!fb.rows)
		return;
	screen_update(use_mapping);
	pgtable_unmap_early();
}
