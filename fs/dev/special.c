/*
 * Special files: device numbers, and opening a node.
 *
 * 1. Character devices are registered by number, and open(2) of a node finds them by it. They never
 *    go away, so a device that has been found stays valid.
 * 2. Drivers and initcalls register at boot, one after another. The list is complete when the first
 *    file is opened, and needs no lock.
 */
#include "fs/dev/device.h"
#include "fs/pipe/pipe.h"
#include "fs/names/vfs_internal.h"
#include "lib/errno.h"
#include "mm/slab.h"

struct list chrdevs = LIST_INIT(chrdevs);

struct chrdev *chrdev_find(unsigned int rdev)
{
	struct chrdev *device;

	list_for_each(device, &chrdevs, link)
		if (device->rdev == rdev)
			return device;
	return NULL;
}

int chrdev_register(unsigned int major, unsigned int minor, const char *name, unsigned int mode,
		    const struct file_ops *ops, void *private)
{
	struct chrdev *device = kzalloc(sizeof(*device), 0);
	unsigned int rdev = MAKEDEV(major, minor);

	if (!device)
		return -ENOMEM;
	*device = (struct chrdev){
		.rdev = rdev,
		.mode = mode,
		.name = name,
		.ops = ops,
		.private = private,
	};
	if (chrdev_find(rdev)) { /* no lock is needed: drivers probe one after another */
		kfree(device);
		return -EEXIST;
	}
	list_add_tail(&chrdevs, &device->link);
	return 0;
}

/* ---- opening ---- */

static int chrdev_open(struct inode *inode, struct file *file)
{
	const struct chrdev *device = chrdev_find(inode->rdev);

	if (!device)
		return -ENXIO;
	file->ops = device->ops;
	file->private = device->private;
	return file->ops->open ? file->ops->open(inode, file) : 0;
}

static const struct file_ops chrdev_file_ops = { .open = chrdev_open };

void inode_init_special(struct inode *inode, unsigned int mode, unsigned int rdev)
{
	const struct chrdev *device = chrdev_find(rdev);

	inode->mode = mode;
	inode->rdev = rdev;
	if (S_ISCHR(mode)) {
		inode->file_ops = &chrdev_file_ops;
		inode->size = device ? device->size : 0;
	} else if (S_ISBLK(mode))
		inode->file_ops = &block_file_ops;
	else if (S_ISFIFO(mode))
		inode->file_ops = &fifo_file_ops;
	/* A socket's node has no file_ops, and cannot be opened. */
}
