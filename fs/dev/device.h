/*
 * Devices as files: their numbers, and the bytes of a raw disk.
 */
#ifndef FS_DEV_DEVICE_H
#define FS_DEV_DEVICE_H

#include "fs/file/open_file.h"

struct block_device;

/* ---- character devices: fs/dev/special.c ---- */
struct chrdev {
	struct list link;
	unsigned int rdev, mode;
	const char *name;
	const struct file_ops *ops;
	void *private;	 /* becomes file->private of every open file */
	file_off_t size; /* st_size of its nodes; only device memory has one */
};
extern struct list chrdevs; /* all of them, for /dev; complete when the first file is opened */
/* Returns the device with this number, or NULL if there is none. Devices never go away. */
struct chrdev *chrdev_find(unsigned int rdev);
/*
 * Register a character device under its number, with its name in /dev. Drivers and initcalls call
 * this at boot. Returns 0, -EEXIST or -ENOMEM.
 */
int chrdev_register(unsigned int major, unsigned int minor, const char *name, unsigned int mode,
		    const struct file_ops *ops, void *private);

/* ---- raw disks: fs/dev/blockdev.c, fs/dev/disk_age.c, fs/file/sync.c ---- */
extern const struct file_ops block_file_ops; /* the raw device through its page cache */
/*
 * Returns the inode whose page cache holds the raw bytes of the device, without a reference: once
 * made, it stays in device->inode. Returns ERR_PTR(-ENOMEM) on failure. May sleep.
 */
struct inode *block_inode(struct block_device *device);
/*
 * mapping_ops.balance of raw disks: have the pages written in some seconds. Never sleeps.
 * fs/dev/disk_age.c
 */
void disk_is_dirty(struct mapping *mapping);
/* Write the raw device's dirty pages, and flush the disk's cache. Returns 0 or -EIO. May sleep. */
int block_sync(struct block_device *device);

#endif
