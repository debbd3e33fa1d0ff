/*
 * The devices behind the console, early and late.
 */
#ifndef DRIVERS_CONSOLE_H
#define DRIVERS_CONSOLE_H

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

#endif
