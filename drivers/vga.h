/*
 * The text screen of a VGA, tty1: what the keyboard types goes there.
 */
#ifndef DRIVERS_VGA_H
#define DRIVERS_VGA_H

#include "drivers/tty.h"

extern struct tty vga_tty; /* not registered, if there is no text screen */
/*
 * Find the keyboard and let it type into vga_tty, which is registered. 0, also if there is none; or
 * an error.
 */
int keyboard_start(void);

#endif
