/*
 * The ioctl calls of loop devices and of /dev/loop-control, with the structures of linux/loop.h on
 * i386. Errors are checked in Linux's order.
 */
#include "drivers/disk/loop.h"
#include "fs/dev/device.h"
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/syscall.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define LOOP_SET_FD	    0x4c00
#define LOOP_CLR_FD	    0x4c01
#define LOOP_SET_STATUS	    0x4c02
#define LOOP_GET_STATUS	    0x4c03
#define LOOP_SET_STATUS64   0x4c04
#define LOOP_GET_STATUS64   0x4c05
#define LOOP_CHANGE_FD	    0x4c06
#define LOOP_SET_CAPACITY   0x4c07
#define LOOP_SET_DIRECT_IO  0x4c08
#define LOOP_SET_BLOCK_SIZE 0x4c09
#define LOOP_CONFIGURE	    0x4c0a

#define LOOP_CTL_ADD	    0x4c80
#define LOOP_CTL_REMOVE	    0x4c81
#define LOOP_CTL_GET_FREE   0x4c82

#define MISC_MAJOR	    10
#define LOOP_CONTROL_MINOR  237
#define KEY_SIZE	    32

struct loop_info64 {
	uint64_t device, inode, rdevice, offset, size_limit;
	uint32_t number, encryption, key_size, flags;
	char name[LOOP_NAME_SIZE], encryption_name[LOOP_NAME_SIZE];
	uint8_t key[KEY_SIZE];
	uint64_t init[2];
};

struct loop_info { /* of LOOP_SET_STATUS and LOOP_GET_STATUS */
	int32_t number;
	uint16_t device;
	uint32_t inode;
	uint16_t rdevice;
	int32_t offset, encryption, key_size, flags;
	char name[LOOP_NAME_SIZE];
	uint8_t key[KEY_SIZE];
	uint32_t init[2];
	char reserved[4];
};

struct loop_config {
	uint32_t fd, block_size;
	struct loop_info64 info;
	uint64_t reserved[8];
};

/* Check what a program says about a file. Returns 0, -EINVAL or -EOVERFLOW. */
static int settings_of(const struct loop_info64 *info, struct loop_settings *settings)
{
	if (info->key_size > KEY_SIZE || info->encryption != 0)
		return refuse(EINVAL, "loop devices do not encrypt");
	if (info->offset > INT64_MAX || info->size_limit > INT64_MAX)
		return -EOVERFLOW;
	if (info->flags & LO_FLAGS_PARTSCAN)
		return refuse(EINVAL, "loop devices have no partitions");
	settings->offset = info->offset;
	settings->size_limit = info->size_limit;
	settings->flags = info->flags;
	memcpy(settings->name, info->name, LOOP_NAME_SIZE);
	settings->name[LOOP_NAME_SIZE - 1] = '\0';
	return 0;
}

/* ---- binding ---- */

static long bind_file(struct loop *loop, struct file *node, struct file *file,
		      const struct loop_config *config)
{
	const unsigned int known =
		LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN | LO_FLAGS_DIRECT_IO;
	bool read_only = config->info.flags & LO_FLAGS_READ_ONLY || !file->writable ||
			 !node->writable || !file->ops->write || inode_only_grows(file->inode);
	struct loop_settings settings;
	int error;

	if (config->info.flags & ~known)
		return refuse(EINVAL, "an unknown flag");
	if (config->block_size && config->block_size != SECTOR_SIZE)
		return refuse(EINVAL, "the blocks of a loop device have 512 bytes");
	error = settings_of(&config->info, &settings);
	if (error)
		return error;
	/* Nobody else begins to use the device alone while its file is changed. */
	if (!node->exclusive && !block_claim(&loop->device))
		return -EBUSY;
	error = loop_bind(loop, file, &settings, read_only);
	if (!node->exclusive)
		block_unclaim(&loop->device);
	return error;
}

static long configure(struct loop *loop, struct file *node, const struct loop_config *config)
{
	struct fd fd = fd_get(config->fd);
	long error = -EBADF;

	if (fd.file)
		error = bind_file(loop, node, fd.file, config);
	fd_put(fd);
	return error;
}

static long configure_from_user(struct loop *loop, struct file *node, const void __user *from)
{
	struct loop_config config;

	if (copy_from_user(&config, from, sizeof(config)))
		return -EFAULT;
	return configure(loop, node, &config);
}

static long set_fd(struct loop *loop, struct file *node, unsigned int fd)
{
	struct loop_config config = { .fd = fd };

	return configure(loop, node, &config);
}

static long change_fd(struct loop *loop, unsigned int number)
{
	struct fd fd = fd_get(number);
	long error = fd.file ? loop_change(loop, fd.file) : -EBADF;

	fd_put(fd);
	return error;
}

/* ---- the status ---- */

/* Returns 0, -ENXIO or -ERESTARTSYS. */
static int get_info(struct loop *loop, struct loop_info64 *info)
{
	const struct inode *inode;
	int error = mutex_lock_killable(&loop->mutex);

	if (error)
		return error;
	if (READ_ONCE(loop->state) != LOOP_BOUND) {
		mutex_unlock(&loop->mutex);
		return -ENXIO;
	}
	/* Of a disk, the node that was opened. */
	inode = loop->file->path.dentry ? loop->file->path.dentry->inode : loop->file->inode;
	*info = (struct loop_info64){
		.device = device_encode(inode->sb->dev),
		.inode = inode->number,
		.rdevice = device_encode(inode->rdev),
		.offset = loop->offset,
		.size_limit = loop->size_limit,
		.number = loop->number,
		.flags = READ_ONCE(loop->flags),
	};
	memcpy(info->name, loop->name, LOOP_NAME_SIZE);
	mutex_unlock(&loop->mutex);
	return 0;
}

static long get_status(struct loop *loop, void __user *to)
{
	struct loop_info64 info;
	int error = to ? get_info(loop, &info) : refuse(EINVAL, "no place for the status");

	return error ? error : copy_to_user(to, &info, sizeof(info));
}

static long get_old_status(struct loop *loop, void __user *to)
{
	struct loop_info64 info;
	struct loop_info old;
	int error = to ? get_info(loop, &info) : refuse(EINVAL, "no place for the status");

	if (error)
		return error;
	old = (struct loop_info){
		.number = info.number,
		.device = info.device,
		.inode = info.inode,
		.rdevice = info.rdevice,
		.offset = info.offset,
		.flags = info.flags,
	};
	memcpy(old.name, info.name, LOOP_NAME_SIZE);
	if (old.device != info.device || old.rdevice != info.rdevice || old.inode != info.inode ||
	    (uint64_t)old.offset != info.offset)
		return -EOVERFLOW;
	return copy_to_user(to, &old, sizeof(old));
}

static long set_info(struct loop *loop, bool alone, const struct loop_info64 *info)
{
	struct loop_settings settings;
	int error = settings_of(info, &settings);

	return error ? error : loop_set(loop, &settings, alone);
}

static long set_status(struct loop *loop, bool alone, const void __user *from)
{
	struct loop_info64 info;

	return copy_from_user(&info, from, sizeof(info)) ? -EFAULT : set_info(loop, alone, &info);
}

static long set_old_status(struct loop *loop, bool alone, const void __user *from)
{
	struct loop_info64 info = { .size_limit = 0 };
	struct loop_info old;

	if (copy_from_user(&old, from, sizeof(old)))
		return -EFAULT;
	info.offset = old.offset;
	info.encryption = old.encryption;
	info.key_size = old.key_size;
	info.flags = old.flags;
	memcpy(info.name, old.name, LOOP_NAME_SIZE);
	return set_info(loop, alone, &info);
}

/* ---- small changes ---- */

static long is_bound(struct loop *loop)
{
	return READ_ONCE(loop->state) == LOOP_BOUND ? 0 : -ENXIO;
}

static long set_direct_io(struct loop *loop, unsigned long wanted)
{
	long error = is_bound(loop);

	if (!error && wanted)
		return refuse(EINVAL, "loop devices use the page cache of their files");
	return error;
}

static long set_block_size(struct loop *loop, unsigned long size)
{
	long error = is_bound(loop);

	if (!error && size != SECTOR_SIZE)
		return refuse(EINVAL, "the blocks of a loop device have 512 bytes");
	return error;
}

/* The calls that need a node that is open for writing, or root. */
static long change(struct loop *loop, bool alone, unsigned int command, unsigned long argument)
{
	switch (command) {
	case LOOP_SET_STATUS:
		return set_old_status(loop, alone, (const void __user *)argument);
	case LOOP_SET_STATUS64:
		return set_status(loop, alone, (const void __user *)argument);
	case LOOP_SET_CAPACITY:
		return loop_resize(loop);
	case LOOP_SET_DIRECT_IO:
		return set_direct_io(loop, argument);
	case LOOP_SET_BLOCK_SIZE:
		return set_block_size(loop, argument);
	}
	return refuse(EINVAL, "an unknown command");
}

long loop_ioctl(struct block_device *device, struct file *file, unsigned int command,
		unsigned long argument)
{
	struct loop *loop = device->private;

	switch (command) {
	case LOOP_SET_FD:
		return set_fd(loop, file, argument);
	case LOOP_CONFIGURE:
		return configure_from_user(loop, file, (const void __user *)argument);
	case LOOP_CHANGE_FD:
		return change_fd(loop, argument);
	case LOOP_CLR_FD:
		return loop_clear(loop);
	case LOOP_GET_STATUS:
		return get_old_status(loop, (void __user *)argument);
	case LOOP_GET_STATUS64:
		return get_status(loop, (void __user *)argument);
	case LOOP_SET_STATUS:
	case LOOP_SET_STATUS64:
	case LOOP_SET_CAPACITY:
	case LOOP_SET_DIRECT_IO:
	case LOOP_SET_BLOCK_SIZE:
		if (!file->writable && !capable(CAP_SYS_ADMIN))
			return -EPERM;
		return change(loop, file->exclusive, command, argument);
	}
	return refuse(EINVAL, "an unknown command");
}

/* ---- /dev/loop-control ---- */

static long control_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case LOOP_CTL_ADD:
		return loop_add(argument);
	case LOOP_CTL_REMOVE:
		if ((int)argument < 0)
			return refuse(EINVAL, "a negative number");
		return loop_remove(argument);
	case LOOP_CTL_GET_FREE:
		return loop_get_free();
	}
	return -ENOSYS; /* Linux's answer to a command that does not exist, here only */
}

static const struct file_ops control_ops = { .ioctl = control_ioctl };

static void control_init(void)
{
	if (chrdev_register(MISC_MAJOR, LOOP_CONTROL_MINOR, "loop-control", 0660, &control_ops,
			    NULL) < 0)
		cannot_start("too little memory for /dev/loop-control");
}
INITCALL(2, control_init);
