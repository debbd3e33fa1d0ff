/*
 * What the loader said of the machine: boot/multiboot.c.
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include "lib/types.h"

/* Fills boot_memory, the command line and the module from what the loader left. */
void multiboot_init(uint32_t magic, uint32_t info);
extern phys_addr_t boot_module_start, boot_module_end; /* the RAM disk; equal: none */

#endif
