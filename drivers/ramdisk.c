/*
 * The RAM disk: the module that the loader left in memory, as /dev/ram0.
 *
 * 1. Its pages are reserved: they are in mem_map but never allocated, and may be high memory.
 * 2. A bio is done before ramdisk_submit() returns. Who reads and writes one sector at the same
 *    time gets what a disk would give him: some of each.
 */
#include "drivers/block.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "lib/string.h"
#include "mm/kmap.h"

#define RAM_MAJOR 1

/* Copy between `len` bytes of a segment from `at` on and the module at `phys`; both stay within a
 * page. */
static void copy_piece(const struct bio *bio, const struct bio_segment *segment, unsigned int at,
		       phys_addr_t phys, unsigned int len)
{
	unsigned int byte = segment->offset + at;
	char *page = kmap_local(segment->page + (byte >> PAGE_SHIFT));
	char *disk = kmap_local(frame_page(phys >> PAGE_SHIFT));
	char *ours = page + (byte & (PAGE_SIZE - 1));
	char *theirs = disk + (phys & (PAGE_SIZE - 1));

	if (bio->write)
		memcpy(theirs, ours, len);
	else
		memcpy(ours, theirs, len);
	kunmap_local(disk);
	kunmap_local(page);
}

static void ramdisk_submit(struct block_device *device, struct bio *bio)
{
	phys_addr_t phys = boot_module_start + (bio->sector << SECTOR_SHIFT);

	for (unsigned int i = 0; i < bio->nr_segments; i++) {
		const struct bio_segment *segment = &bio->segments[i];

		for (unsigned int at = 0, len; at < segment->len; at += len) {
			unsigned int room = PAGE_SIZE - ((segment->offset + at) & (PAGE_SIZE - 1));

			len = MIN(segment->len - at, room);
			len = MIN(len, PAGE_SIZE - ((unsigned int)phys & (PAGE_SIZE - 1)));
			copy_piece(bio, segment, at, phys, len);
			phys += len;
		}
	}
	bio_complete(bio, 0);
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
	return block_register(&ramdisk);
}
DRIVER(ramdisk, ramdisk_probe);
