/*
 * The machine as a whole: what the loader said, and ending it.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "lib/types.h"

/* Switch the power off (ACPI S5, else QEMU's and Bochs' ports), reset, or stop all CPUs. */
void machine_power_off(void) __noreturn;
void machine_restart(void) __noreturn;
void machine_halt(void) __noreturn;

/*
 * kernel/multiboot.c: fills boot_memory, the command line and the module from what the loader left.
 */
void multiboot_init(uint32_t magic, uint32_t info);
extern phys_addr_t boot_module_start, boot_module_end; /* the RAM disk; equal: none */

#endif
