/*
 * The devices behind the console, early and late.
 */
#ifndef DRIVERS_TTY_CONSOLE_H
#define DRIVERS_TTY_CONSOLE_H

#include "drivers/tty/tty.h"
#include "kernel/atomic.h"
#include "kernel/spinlock.h"

/* First lines of kmain: the first serial port (polled) and VGA text as log sinks. */
void serial_early_init(void);
void vga_early_init(void);

/*
 * The lock of a device, for its log sink: log lines come from everywhere, also from a fault or a
 * panic while the lock is held, here or on a CPU that has been stopped. So this waits for a while
 * only; false: go on without. Interrupts are off.
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

/* ---- the screen, drivers/video/vga.c and drivers/tty/keyboard.c ---- */

/*
 * Around a graphics mode: keep the registers that it changes; put them `back`, and draw the text
 * anew. The caller keeps the font, which lies in the first 32 KiB of video memory.
 */
void vga_text(bool back);
extern struct tty vga_tty; /* not registered, if there is no text screen */
/*
 * Find the keyboard and let it type into vga_tty, which is registered. 0, also if there is none; or
 * an error.
 */
int keyboard_start(void);

#endif
