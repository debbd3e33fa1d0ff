/*
 * How long the dirty pages of a raw disk may stay in memory: DISK_AGE seconds. (Commits write those
 * of a file system.)
 *
 * 1. A kernel task writes the dirty pages of all raw disks DISK_AGE seconds after one of them has
 *    become dirty. It sleeps while there are none.
 * 2. It only starts writes, and only tries the locks of pages, so a disk that does not answer holds
 *    up no other disk. As long as a disk has pages that are dirty or being written
 *    (mapping->dirty, mapping->writing), the task looks again DISK_AGE seconds later. So it also
 *    finds a page whose write has failed, although page_write_done() wakes nobody.
 * 3. dirty_again is set before the task is woken, and the task clears it before it looks at the
 *    disks. So a page that becomes dirty later is not forgotten.
 */
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/dev/device.h"
#include "kernel/init.h"
#include "kernel/task.h"

#define DISK_AGE 5u

static struct wait_queue age_queue = WAIT_QUEUE_INIT(age_queue); /* the task */
static volatile bool dirty_again;

void disk_is_dirty(struct mapping *mapping)
{
	if (dirty_again)
		return;
	dirty_again = true;
	wake_all(&age_queue);
}

/* Start to write the dirty pages of a disk. */
static void write_disk(struct mapping *mapping)
{
	unsigned int index = 0;
	struct page *page;

	for (; (page = mapping_next_page(mapping, &index, UINT32_MAX)) != NULL; index++) {
		if (page_has(page, PG_DIRTY))
			(void)page_try_write(page);
		page_put(page);
	}
	if (atomic_read(&mapping->dirty) > 0 || atomic_read(&mapping->writing) > 0)
		dirty_again = true; /* look again, at what fails and at what was locked */
}

static void age_task(void *arg)
{
	struct block_device *device;

	for (;;) {
		(void)wait_event_interruptible(&age_queue, dirty_again);
		(void)wait_event_until(&age_queue, false, time_now() + DISK_AGE * NSEC_PER_SEC);
		dirty_again = false;
		list_for_each(device, &block_devices, link)
			if (device->inode)
				write_disk(&device->inode->mapping);
	}
}

static void age_init(void)
{
	if (IS_ERR(kernel_task_start("disk age", age_task, NULL)))
		cannot_start("too little memory for the task that writes disks back");
}
INITCALL(2, age_init);
