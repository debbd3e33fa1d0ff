/*
 * The text screen and the displays that draw it. One display is used: the first that is started.
 */
#ifndef DRIVERS_VIDEO_SCREEN_H
#define DRIVERS_VIDEO_SCREEN_H

#include "lib/types.h"

/*
 * A cell is a character of code page 437, and its attribute << 8: background << 4 | foreground, in
 * the VGA's colours.
 */
#define SCREEN_MAX_CELLS (100u * 320u)

/*
 * All functions are called with the screen's lock held and interrupts off, and never sleep. `cells`
 * are those of the screen, row by row.
 */
struct display {
	/* A cell has changed. It need not be drawn before show(). */
	void (*set_cell)(unsigned int row, unsigned int column, uint16_t cell);
	/* All rows have moved up by one. The last one follows by set_cell(). */
	void (*scroll)(const uint16_t *cells);
	/* Show what has changed, and the cursor at its place. */
	void (*show)(const uint16_t *cells, unsigned int row, unsigned int column);
	/* What the display shows is not known any more: draw all of it. */
	void (*redraw)(const uint16_t *cells);
};

/*
 * Make the display the screen, with so many cells, and the screen a log sink, unless there is a
 * display already. Called at boot, before any other CPU runs.
 */
void screen_start(const struct display *display, unsigned int rows, unsigned int columns);
/* Call `update` under the screen's lock, and draw the screen again. Never sleeps. */
void screen_update(void (*update)(void));
/*
 * With `hold`, text is only kept, and nothing is drawn. Without, the next screen_update() draws it.
 * Never sleeps.
 */
void screen_hold(bool hold);

#endif
