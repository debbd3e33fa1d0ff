/*
 * The file system of /dev. "dev" (also called "devtmpfs") is a tmpfs that is mounted with a node
 * for every registered device. Drivers probe before the first program can mount anything.
 */
#include "fs/dev/device.h"
#include "drivers/disk/block.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define DEVFS_MAGIC 0x01021994 /* it is a tmpfs */
#define BLOCK_MODE  0660

static int add_devices(struct super_block *sb)
{
	const struct chrdev *device;
	struct block_device *disk;
	int error = 0;

	list_for_each(device, &chrdevs, link) {
		error = tmpfs_add_node(sb, device->name, S_IFCHR | device->mode, device->rdev,
				       NULL);
		if (error)
			return error;
	}
	list_for_each(disk, &block_devices, link) {
		if (IS_ERR(block_inode(disk)))
			return -ENOMEM;
		error = tmpfs_add_node(sb, disk->name, S_IFBLK | BLOCK_MODE,
				       MAKEDEV(disk->major, disk->minor), NULL);
		if (error)
			return error;
	}
	return 0;
}

static int add_links(struct super_block *sb)
{
	static const char *const links[][2] = {
		{ "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" },
	};
	int error = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(links) && !error; i++)
		error = tmpfs_add_node(sb, links[i][0], S_IFLNK | 0777, 0, links[i][1]);
	return error;
}

/* After an error the super block frees the nodes that have been made, since sb->root is set. */
static int dev_mount(struct super_block *sb, const char *options)
{
	int error = tmpfs_mount_mode(sb, options, 0755);

	if (!error)
		error = add_devices(sb);
	if (!error)
		error = add_links(sb);
	if (!error)
		error = tmpfs_add_node(sb, "shm", S_IFDIR | 01777, 0, NULL);
	if (!error)
		error = tmpfs_add_node(sb, "pts", S_IFDIR | 0755, 0, NULL);
	return error;
}

FILE_SYSTEM(dev, .magic = DEVFS_MAGIC, .mount = dev_mount);
FILE_SYSTEM(devtmpfs, .magic = DEVFS_MAGIC, .mount = dev_mount);
