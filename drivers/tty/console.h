/*
 * The devices behind the console, early and late.
 */
#ifndef DRIVERS_TTY_CONSOLE_H
#define DRIVERS_TTY_CONSOLE_H

#include "drivers/tty/tty.h"
#include "kernel/atomic.h"
#include "kernel/spinlock.h"

/* Make the first serial port (polled) and the screen log sinks. kmain calls them first. */
void serial_early_init(void);
/* The screen is the loader's framebuffer if there is one, else the VGA's text screen. */
void fbcon_early_init(void);
void vga_early_init(void);
/* Give the framebuffer its own place in the kernel's memory, where vmalloc and kmalloc() work. */
void fbcon_init(void);

/*
 * Take the lock of a device for its log sink. Log lines may come from a fault or a panic while the
 * lock is held, by this CPU or by one that has been stopped. So this waits only for a while.
 * Returns false if the lock is not to be had, and then the sink goes on without it. Interrupts are
 * off.
 */
static inline bool sink_lock(spinlock_t *lock)
{
	if (spin_held(lock))
		return false;
	for (unsigned int tries = 0; tries < 1000000; tries++) {
		if (spin_trylock(lock))
			return true;
		cpu_relax();
	}
	return false;
}

/* ---- the screen: drivers/video/vga.c and drivers/video/screen.c ---- */

/*
 * Called around a graphics mode. With `back` false, keep the registers that a graphics mode
 * changes. With `back` true, restore them and draw the text again. The caller keeps the font, which
 * is in the first 32 KiB of video memory. Never sleeps.
 */
void vga_text(bool back);
extern struct tty screen_tty; /* not registered if there is no text screen */

/* ---- drivers/tty/keyboard.c ---- */

/*
 * Find the keyboard and send its input to screen_tty, which is registered. Returns 0, also if there
 * is no keyboard, or the error of irq_request().
 */
int keyboard_start(void);

#endif
