/*
 * The RAM disk: the module that the loader left in memory, as /dev/ram0.
 *
 * 1. Its pages are reserved: they are in mem_map but never allocated, and may be high memory.
 * 2. A bio is done before ramdisk_submit() returns. A read of a sector that is being written at the
 *    same time may see a mixture of old and new bytes, as on other disks.
 */
#include "drivers/disk/block.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "boot/machine.h"

#define RAM_MAJOR 1

static struct page *ramdisk_page(unsigned int frame, bool write)
{
	return frame_page(frame);
}

static void ramdisk_submit(struct block_device *device, struct bio *bio)
{
	bio_complete(bio, bio_copy(bio, boot_module_start, ramdisk_page));
}

static const struct block_device_ops ramdisk_ops = { .submit = ramdisk_submit };

static struct block_device ramdisk = {
	.name = "ram0",
	.major = RAM_MAJOR,
	.ops = &ramdisk_ops,
	.queue_depth = 1,
};

static int ramdisk_probe(void)
{
	phys_addr_t size = boot_module_end - boot_module_start;

	if (size < SECTOR_SIZE)
		return 0;
	if ((boot_module_end - 1) >> PAGE_SHIFT >= nr_frames) {
		log_error("ram0: the module is in memory that the kernel does not use");
		return 0;
	}
	ramdisk.sectors = size >> SECTOR_SHIFT;
	block_register(&ramdisk);
	return 0;
}
DRIVER(ramdisk, ramdisk_probe);
