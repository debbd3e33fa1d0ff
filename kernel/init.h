/*
 * Drivers and subsystems register their setup functions in linker sections. At boot, the first task
 * calls them: first all INITCALLs, then all drivers.
 */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include "lib/types.h"

/*
 * A driver. probe() is called once, in the first kernel task, when memory, scheduler and interrupts
 * work. It looks for its hardware and registers disks, consoles and so on. It may sleep. Returns 0
 * or a negative error, which is logged.
 */
struct driver {
	const char *name;
	int (*probe)(void);
};
#define DRIVER(driver_name, function)                                  \
	static const struct driver __section(".drivers." #driver_name) \
		driver_##driver_name = { #driver_name, function }

/*
 * Setup of a subsystem. It runs after memory and the scheduler's queues are set up. Lower levels
 * come first. Within a level the order is the linker's. Slab caches are created here. A setup
 * function that cannot do its work panics.
 */
#define INITCALL(level, function) \
	static void (*const __section(".initcalls." #level) initcall_##function)(void) = function

#endif
