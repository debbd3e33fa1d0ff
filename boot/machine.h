/*
 * The boot loader's description of the machine. boot/multiboot.c
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include "lib/types.h"

/*
 * Read the loader's information, and set boot_memory, the command line and the boot module. Called
 * once at boot.
 */
void multiboot_init(uint32_t magic, uint32_t info);
/* The boot module, which is the RAM disk, in [start, end). Both are 0 if there is none. */
extern phys_addr_t boot_module_start, boot_module_end;

#endif
