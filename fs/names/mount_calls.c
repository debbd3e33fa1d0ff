/*
 * mount(2) and umount2(2).
 *
 * 1. The arguments are checked in Linux's order. Then the mount is made, and at last it is
 *    attached, with mount_mutex held.
 */
#include "fs/dev/device.h"
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "fs/names/mount.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"

/* Flags of mount(2). */
#define MS_RDONLY      0x0001u
#define MS_NOSUID      0x0002u
#define MS_NODEV       0x0004u
#define MS_NOEXEC      0x0008u
#define MS_REMOUNT     0x0020u
#define MS_MANDLOCK    0x0040u /* without meaning since Linux 5.15 */
#define MS_NOSYMFOLLOW 0x0100u
#define MS_NOATIME     0x0400u
#define MS_NODIRATIME  0x0800u
#define MS_BIND	       0x1000u
#define MS_MOVE	       0x2000u
#define MS_REC	       0x4000u
#define MS_SILENT      0x8000u
#define MS_PRIVATE     0x40000u
#define MS_RELATIME    0x200000u /* also the default */
#define MS_STRICTATIME 0x1000000u
#define MS_LAZYTIME    0x2000000u /* times may be written late; none is later for it here */
#define MS_ATIME       (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)
#define MS_KNOWN                                                                                \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_REMOUNT | MS_NOSYMFOLLOW | MS_BIND | \
	 MS_MOVE | MS_REC | MS_SILENT | MS_PRIVATE | MS_ATIME | MS_MANDLOCK | MS_LAZYTIME)
#define MS_MAGIC      0xc0ed0000u /* of programs from the time before Linux 2.4 */
#define MS_MAGIC_MASK 0xffff0000u

/* Flags of umount2(2). */
#define MNT_FORCE	1u /* end requests to a server; no file system here has one */
#define MNT_DETACH	2u
#define MNT_EXPIRE	4u
#define UMOUNT_NOFOLLOW 8u
#define UMOUNT_KNOWN	(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)

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
	if (path.mount->flags & MOUNT_NODEV) {
		device = NULL;
		error = -EACCES;
	}
	path_put(&path);
	return device ? device : ERR_PTR(error);
}

/* Returns the MOUNT_* that the MS_* of a new mount mean. */
static unsigned int mount_flags(unsigned int flags)
{
	unsigned int result = flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME);

	if (!(flags & MS_STRICTATIME))
		result |= flags & MS_NOATIME ? MOUNT_NOATIME : MOUNT_RELATIME;
	return result | (flags & MS_NOSYMFOLLOW ? MOUNT_NOSYMFOLLOW : 0);
}

/* Give a mount other flags. mount_mutex is held, or nobody else knows the mount. */
static void set_mount_flags(struct mount *mount, unsigned int flags)
{
	if (!(flags & (MOUNT_NOATIME | MOUNT_RELATIME)))
		mount->sb->strict_times = true;
	WRITE_ONCE(mount->flags, flags);
	access_new_round();
}

/* Attach a new mount. Its file system is not mounted where it is shown already. */
static int attach_new(struct mount *mount, struct path *place)
{
	path_cross_mounts(place);
	if (place->mount->sb == mount->sb && place->dentry == place->mount->root)
		return -EBUSY;
	return mount_attach(mount, place);
}

/* Mount a file system, which may be mounted elsewhere already. */
static int mount_file_system(struct request *request)
{
	const struct file_system *type;
	struct block_device *device = NULL;
	struct mount *mount;
	int error;

	if (!request->type)
		return refuse(EINVAL, "there is no type");
	type = file_system_find(request->type);
	if (!type)
		return refuse(ENODEV, "there is no such file system");
	if (type->needs_device && !*request->source)
		return refuse(EINVAL, "there is no device");
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
		set_mount_flags(mount, mount_flags(request->flags));
		atomic_set(&mount->writers, request->flags & MS_RDONLY ? -1 : 0);
		error = attach_new(mount, &request->target);
		mount_put(mount);
	}
	mutex_unlock(&mount_mutex);
	return error;
}

/* Bind (MS_BIND) or move (MS_MOVE) what `source` names to the target. */
static int bind_or_move(struct request *request)
{
	struct path from;
	int error;

	if (!*request->source)
		return refuse(EINVAL, "there is no source");
	error = path_lookup(AT_FDCWD, request->source, LOOKUP_FOLLOW, &from);
	if (error)
		return error;
	error = mutex_lock_killable(&mount_mutex);
	if (!error) {
		if (!mount_is_attached(from.mount) || !mount_is_attached(request->target.mount))
			error = refuse(EINVAL, "a mount that is not attached");
		else if (request->flags & MS_BIND)
			error = mount_bind(&from, &request->target, request->flags & MS_REC);
		else if (from.dentry != from.mount->root || !from.mount->on.mount)
			error = refuse(EINVAL, "what is to be moved is no mount, or the first one");
		else
			error = mount_move(from.mount, &request->target);
		mutex_unlock(&mount_mutex);
	}
	path_put(&from);
	return error;
}

static int change_options(struct super_block *sb, const char *options)
{
	if (!*options)
		return 0;
	return sb->ops->change_options ? sb->ops->change_options(sb, options)
				       : refuse(EINVAL, "options cannot be changed");
}

/* Change the access to the file system, and its options. After an error, nothing has changed. */
static int remount_file_system(struct super_block *sb, bool read_only, const char *options)
{
	bool before = atomic_read(&sb->writers) < 0;
	int error = super_set_read_only(sb, read_only);

	if (error)
		return error;
	error = change_options(sb, options);
	if (error)
		(void)super_set_read_only(sb, before);
	return error;
}

/* Change the file system (without MS_BIND), and then what the mount forbids. */
static int remount_locked(const struct request *request)
{
	struct mount *mount = request->target.mount;
	const unsigned int atime = MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME;
	unsigned int flags = mount_flags(request->flags);
	bool read_only = request->flags & MS_RDONLY;
	int error = 0;

	/* The rule for access times stays if none is given. */
	if (!(request->flags & MS_ATIME))
		flags = (flags & ~atime) | (mount->flags & atime);
	if (request->target.dentry != mount->root || !mount_is_attached(mount))
		return refuse(EINVAL, "no mount, or one that is not attached");
	if (!(request->flags & MS_BIND))
		error = remount_file_system(mount->sb, read_only, request->options);
	/*
	 * Files open through other mounts of the file system have been seen by now, if there are
	 * any.
	 */
	if (!error)
		error = writers_forbid(&mount->writers, read_only);
	if (!error)
		set_mount_flags(mount, flags);
	return error;
}

static int remount(const struct request *request)
{
	int error = mutex_lock_killable(&mount_mutex);

	if (error)
		return error;
	error = remount_locked(request);
	mutex_unlock(&mount_mutex);
	return error;
}

/*
 * Every mount is private: what happens to it happens nowhere else. So there is nothing to change.
 */
static int make_private(const struct request *request)
{
	if (request->flags & ~(MS_PRIVATE | MS_REC | MS_SILENT))
		return refuse(EINVAL, "MS_PRIVATE with another flag");
	if (request->target.dentry != request->target.mount->root)
		return refuse(EINVAL, "nothing is mounted there");
	return 0;
}

/* Choose what mount(2) does, in Linux's order. */
static int mount_by_flags(struct request *request)
{
	if ((request->flags & MS_MAGIC_MASK) == MS_MAGIC)
		request->flags &= ~MS_MAGIC_MASK;
	if (request->flags & ~MS_KNOWN)
		return refuse(EINVAL, "a mount flag that is not supported");
	if (request->flags & MS_REMOUNT)
		return remount(request);
	if (request->flags & MS_BIND)
		return bind_or_move(request);
	if (request->flags & MS_PRIVATE)
		return make_private(request);
	if (request->flags & MS_MOVE)
		return bind_or_move(request);
	return mount_file_system(request);
}

/* Copy a string of the caller, or make an empty one if it is NULL. Returns ERR_PTR on failure. */
static char *copy_argument(const char __user *string)
{
	char *copy = string ? name_from_user(string) : kzalloc(1, 0);

	if (copy == ERR_PTR(-ENAMETOOLONG))
		return ERR_PTR(refuse(EINVAL, "a string that is too long"));
	return copy ? copy : ERR_PTR(-ENOMEM);
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data)
{
	char *const strings[] = { copy_argument(type), copy_argument(source), copy_argument(data) };
	struct request request = { strings[1], type ? strings[0] : NULL, strings[2], flags, { 0 } };
	long error = 0;

	for (unsigned int i = 0; !error && i < ARRAY_SIZE(strings); i++)
		if (IS_ERR(strings[i]))
			error = PTR_ERR(strings[i]);
	if (!error)
		error = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW, &request.target);
	if (!error) {
		if (!capable(CAP_SYS_ADMIN))
			error = -EPERM;
		else
			error = mount_by_flags(&request);
		path_put(&request.target);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++)
		name_free(strings[i]);
	return error;
}

/* ---- unmounting ---- */

#define OWN_USES 2 /* of a mount that is attached, and that the caller has found */

void (*before_unmount)(const struct mount *mount);

static void announce_unmount(const struct mount *mount)
{
	if (before_unmount)
		before_unmount(mount);
}

/*
 * Unmount a mount of which the caller has a use. If nobody else uses it, wait for its reads in
 * flight first, while no lock is held and a kill can still interrupt the wait. After mount_detach()
 * there is no way back.
 */
static int unmount(struct mount *mount)
{
	struct path place;
	int error = 0;

	if (atomic_read(&mount->users) == OWN_USES + 1)
		announce_unmount(mount);
	if (atomic_read(&mount->users) == OWN_USES)
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
		/* It is unmounted, even if the disk has an error, which the log tells. */
		if (mount->sb->device)
			(void)block_sync(mount->sb->device);
		mount_put(mount); /* it was attached */
		path_put(&place);
	}
	mutex_unlock(&mount_mutex);
	return error;
}

/* Detach the mount at once (MNT_DETACH). Its users keep it. */
static int unmount_lazily(struct mount *mount)
{
	int error;

	announce_unmount(mount);
	error = mutex_lock_killable(&mount_mutex);
	if (error)
		return error;
	if (mount->on.mount) /* otherwise another task has been faster */
		mount_detach_all(mount);
	else
		error = refuse(EINVAL, "the mount is not attached any more");
	mutex_unlock(&mount_mutex);
	return error;
}

/* The first of two calls with MNT_EXPIRE marks a mount, and the second one unmounts it. */
static int unmount_expired(struct mount *mount)
{
	if (atomic_read(&mount->users) > 2)
		return -EBUSY;
	return __sync_lock_test_and_set(&mount->expired, true) ? unmount(mount) : -EAGAIN;
}

/*
 * The root of the current process cannot be unmounted. As long as that is not to be detached, its
 * file system becomes read-only instead. Returns 0, or -EBUSY if a file is open for writing.
 */
static int unmount_root(struct mount *mount)
{
	int error = mutex_lock_killable(&mount_mutex);

	if (error)
		return error;
	error = super_set_read_only(mount->sb, true);
	mutex_unlock(&mount_mutex);
	return error;
}

long sys_umount2(const char __user *target, unsigned int flags)
{
	struct path path;
	bool root;
	int error;

	if (flags & ~UMOUNT_KNOWN)
		return refuse(EINVAL, "an unmount flag that is not supported");
	error = path_lookup_user(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
				 &path);
	if (error)
		return error;
	root = path.mount == current->fs->root.mount;
	dentry_put(path.dentry); /* the root of a mount; otherwise it is only compared */
	if (!capable(CAP_SYS_ADMIN))
		error = -EPERM;
	else if (path.dentry != path.mount->root)
		error = refuse(EINVAL, "nothing is mounted there");
	else if (!mount_is_attached(path.mount))
		error = refuse(EINVAL, "the mount is not attached any more");
	else if (flags & MNT_EXPIRE && (root || flags & (MNT_FORCE | MNT_DETACH)))
		error = refuse(EINVAL, "MNT_EXPIRE with another flag, or of the root");
	else if (root && !(flags & MNT_DETACH))
		error = unmount_root(path.mount);
	else if (!path.mount->on.mount)
		error = -EBUSY; /* the first mount stays */
	else if (flags & MNT_EXPIRE)
		error = unmount_expired(path.mount);
	else
		error = flags & MNT_DETACH ? unmount_lazily(path.mount) : unmount(path.mount);
	mount_put(path.mount);
	return error;
}

long sys_umount(const char __user *target)
{
	return sys_umount2(target, 0);
}
