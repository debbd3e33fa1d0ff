/*
 * mount(2) and umount2(2).
 *
 * 1. The arguments are checked in Linux's order. Then the mount is made, and at last it is attached, with
 *    mount_mutex held.
 */
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

/* Flags of mount(2). */
#define MS_RDONLY     0x0001u
#define MS_NOATIME    0x0400u /* access times are never kept */
#define MS_NODIRATIME 0x0800u
#define MS_SILENT     0x8000u
#define MS_KNOWN      (MS_RDONLY | MS_NOATIME | MS_NODIRATIME | MS_SILENT)

/* The arguments of mount(2). Strings that are not given are empty. */
struct request {
	const char *source, *type, *options;
	unsigned int flags;
	struct path target;
};

/* Returns the disk of a node such as /dev/vdb, or ERR_PTR. */
static struct block_device *device_of_path(const char *name)
{
	struct block_device *device = NULL;
	struct inode *inode;
	struct path path;
	int error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (error)
		return ERR_PTR(error);
	inode = path.dentry->inode;
	error = -ENOTBLK;
	if (S_ISBLK(inode->mode)) {
		device = block_find_number(MAJOR(inode->rdev), MINOR(inode->rdev));
		error = -ENXIO;
	}
	path_put(&path);
	return device ? device : ERR_PTR(error);
}

/* Mount a file system that is not in memory yet. */
static int mount_file_system(struct request *request)
{
	const struct file_system *type = file_system_find(request->type);
	struct block_device *device = NULL;
	struct mount *mount;
	int error;

	if (!type)
		return refuse(ENODEV, "there is no such file system");
	if (type->needs_device)
		device = device_of_path(request->source);
	if (IS_ERR(device))
		return PTR_ERR(device);
	error = mutex_lock_killable(&mount_mutex);
	if (error)
		return error;
	mount = mount_new(type, device, *request->source ? request->source : request->type,
			  request->flags & MS_RDONLY, request->options);
	if (IS_ERR(mount)) {
		error = PTR_ERR(mount);
	} else {
		error = mount_attach(mount, &request->target);
		mount_put(mount);
	}
	mutex_unlock(&mount_mutex);
	return error;
}

/* Copy a string of the caller, or make an empty one if it is NULL. Returns ERR_PTR on failure. */
static char *copy_argument(const char __user *string)
{
	char *copy = string ? name_from_user(string) : kzalloc(1, 0);

	return copy ? copy : ERR_PTR(-ENOMEM);
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data)
{
	char *const strings[] = { copy_argument(type), copy_argument(source), copy_argument(data) };
	struct request request = { strings[1], strings[0], strings[2], flags, { 0 } };
	long error = 0;

	for (unsigned int i = 0; !error && i < ARRAY_SIZE(strings); i++)
		if (IS_ERR(strings[i]))
			error = PTR_ERR(strings[i]);
	if (!error)
		error = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &request.target);
	if (!error) {
		if (!capable(CAP_SYS_ADMIN))
			error = -EPERM;
		else if (flags & ~MS_KNOWN)
			error = refuse(EINVAL, "a mount flag that is not supported");
		else
			error = mount_file_system(&request);
		path_put(&request.target);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++)
		name_free(strings[i]);
	return error;
}

/* ---- unmounting ---- */

/*
 * Unmount a mount of which the caller has a use. If nobody else uses it, wait for its reads in flight
 * first, while no lock is held and a kill can still interrupt the wait. After mount_detach() there is
 * no way back.
 */
static int unmount(struct mount *mount)
{
	struct path place;
	int error = 0;

	if (atomic_read(&mount->users) == 2)
		error = inodes_wait_reads(mount->sb);
	if (!error)
		error = mutex_lock_killable(&mount_mutex);
	if (error)
		return error;
	/* Another task may have started reads since then, and left. */
	while ((error = mount_detach(mount, &place)) == -EAGAIN &&
	       (error = inodes_wait_reads(mount->sb)) == 0)
		;
	if (!error) {
		error = mount->sb->device ? block_sync(mount->sb->device) : 0;
		mount_put(mount); /* it was attached */
		path_put(&place);
	}
	mutex_unlock(&mount_mutex);
	return error;
}

long sys_umount2(const char __user *target, unsigned int flags)
{
	struct path path;
	int error;

	if (flags)
		return refuse(EINVAL, "an unmount flag that is not supported");
	error = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &path);
	if (error)
		return error;
	dentry_put(path.dentry); /* the root of a mount; otherwise it is only compared */
	if (!capable(CAP_SYS_ADMIN))
		error = -EPERM;
	else if (path.dentry != path.mount->root)
		error = refuse(EINVAL, "nothing is mounted there");
	else if (!path.mount->on.mount)
		error = -EBUSY;
	else
		error = unmount(path.mount);
	mount_put(path.mount);
	return error;
}

long sys_umount(const char __user *target)
{
	return sys_umount2(target, 0);
}
