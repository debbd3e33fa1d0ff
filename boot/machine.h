/*
 * The machine as the boot loader describes it. boot/multiboot.c
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include "lib/types.h"

/*
 * Read the loader's information, and set boot_memory, the command line and the boot module. Called once at
 * boot.
 */
void multiboot_init(uint32_t magic, uint32_t info);
extern phys_addr_t boot_module_start,
	boot_module_end; /* the RAM disk; there is none if they are equal */

#endif
