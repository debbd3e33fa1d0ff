/*
 * What comes in many kinds registers itself in a linker section, and is called in this order at
 * boot.
 */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include "lib/types.h"

/*
 * A driver's probe runs once in the first kernel task, after memory, scheduler and interrupts: it
 * looks for its hardware, and registers disks, consoles and so on. <0 is logged. May sleep.
 */
struct driver {
	const char *name;
	int (*probe)(void);
};
#define DRIVER(driver_name, function)                                  \
	static const struct driver __section(".drivers." #driver_name) \
		driver_##driver_name = { #driver_name, function }

/*
 * Setup of a subsystem: runs before the drivers, after memory and the scheduler's queues; in the
 * order of `level`, then of the linker. Slab caches are made here. Must not fail: panic.
 */
#define INITCALL(level, function) \
	static void (*const __section(".initcalls." #level) initcall_##function)(void) = function

#endif
