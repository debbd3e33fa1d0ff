/*
 * The text screen of a VGA, tty1: what the keyboard types goes there.
 */
#ifndef DRIVERS_VGA_H
#define DRIVERS_VGA_H

#include "drivers/tty.h"

/*
 * Around a graphics mode: keep the registers that it changes; put them back, and draw the text anew.
 * The caller keeps the font, which lies in the first 32 KiB of video memory.
 */
void vga_leave_text(void);
void vga_enter_text(void);
extern struct tty vga_tty; /* not registered, if there is no text screen */
/*
 * Find the keyboard and let it type into vga_tty, which is registered. 0, also if there is none; or
 * an error.
 */
int keyboard_start(void);

#endif
