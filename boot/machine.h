/*
 * The boot loader's description of the machine. boot/multiboot.c
 */
#ifndef BOOT_MACHINE_H
#define BOOT_MACHINE_H

#include "lib/types.h"

/*
 * Read what the loader tells of the screen and of ACPI, before anything is printed. Called once at
 * boot.
 */
void multiboot_devices(uint32_t magic, uint32_t info);
/*
 * The picture that the loader has set up. phys is 0 if there is none, or none with direct colours.
 */
struct boot_framebuffer {
	phys_addr_t phys;
	uint32_t pitch, width, height; /* bytes, pixels, pixels */
	unsigned int bits;	       /* of a pixel */
	struct {
		uint8_t at, bits;
	} colour[3]; /* red, green, blue in a pixel; at most 8 bits each */
};
extern struct boot_framebuffer boot_framebuffer;
/* The loader's copy of the ACPI RSDP (ACPI 6.3, 5.2.5.3). The signature is "" if it gave none. */
extern char boot_rsdp[36];

/*
 * Read the loader's information, and set boot_memory, the command line and the boot module. Called
 * once at boot.
 */
void multiboot_init(uint32_t magic, uint32_t info);
/* The boot module, which is the RAM disk, in [start, end). Both are 0 if there is none. */
extern phys_addr_t boot_module_start, boot_module_end;

#endif
