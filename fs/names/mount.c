/*
 * Mounting: joining the trees of file systems.
 *
 * 1. A super block is mounted in one place, so it is also the mount. A disk belongs to one mount.
 * 2. mount_mutex serialises mount and unmount, and guards the list of mounts for readers that
 *    sleep. mount_lock, a plain spinlock, guards the list and dentry->mounts for path walks.
 *    sb->users becomes nonzero only under mount_lock.
 * 3. sb->users counts the paths into a mount: open files, current directories, walks, and the
 *    points of other mounts on it. A mount without users can be unmounted. After that it is no
 *    longer found.
 * 4. The first mount (root=) covers no directory and cannot be unmounted.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

/* Flags of mount(2). */
#define MS_RDONLY     0x0001u
#define MS_NOATIME    0x0400u /* access times are never kept */
#define MS_NODIRATIME 0x0800u
#define MS_SILENT     0x8000u
#define MS_KNOWN      (MS_RDONLY | MS_NOATIME | MS_NODIRATIME | MS_SILENT)

extern const struct file_system _filesystems_start[], _filesystems_end[];

static spinlock_t mount_lock = SPINLOCK_INIT("mounts");
static struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
static struct list mounts = LIST_INIT(mounts);
static struct super_block *root_mount;
static struct atomic next_mount;
static struct atomic next_device = ATOMIC_INIT(1); /* st_dev of file systems without a disk */

static const struct super_ops empty_super_ops;

/* ---- paths ---- */

struct dentry *path_get(struct dentry *path)
{
	if (path) {
		atomic_inc(&path->sb->users);
		dentry_get(path);
	}
	return path;
}

void path_put(struct dentry *path)
{
	struct super_block *sb;

	if (!path)
		return;
	sb = path->sb;
	dentry_put(path); /* while the reference to the mount still keeps the file system */
	atomic_dec(&sb->users);
}

struct dentry *path_cross_mounts(struct dentry *path)
{
	while (READ_ONCE(path->mounts)) {
		struct dentry *top = NULL;
		struct super_block *sb;

		spin_lock(&mount_lock);
		list_for_each(sb, &mounts, link)
			if (sb->point == path)
				top = path_get(sb->root);
		spin_unlock(&mount_lock);
		if (!top)
			break;
		path_put(path);
		path = top;
	}
	return path;
}

struct dentry *root_path(void)
{
	return path_get(root_mount->root);
}

/* ---- super blocks ---- */

/* Free a super block that no path can reach any more, and all that is cached of it. May sleep. */
static void super_destroy(struct super_block *sb)
{
	notify_unmount(sb);
	if (sb->root)
		dentry_drop_all(sb);
	inode_abandon_all(sb);
	if (sb->device)
		sb->device->claimed = false;
	kfree(sb->private);
	kfree(sb);
}

/* ---- mounting; mount_mutex is held ---- */

static int mount_attach(struct super_block *sb, struct dentry *point)
{
	struct inode *inode = point->inode;
	int error = mutex_lock_killable(&inode->lock);

	if (error)
		return error;
	error = -ENOENT;
	if (!inode->deleted) {
		sb->point = path_get(point);
		spin_lock(&mount_lock);
		list_add_tail(&mounts, &sb->link);
		sb->point->mounts++;
		spin_unlock(&mount_lock);
		error = 0;
	}
	mutex_unlock(&inode->lock);
	return error;
}

/*
 * Make a super block and let the file system fill it in. `device` and `options` may be NULL and "".
 * Returns the super block, which is mounted nowhere yet, or ERR_PTR.
 */
static struct super_block *super_create(const struct file_system *type, struct block_device *device,
					const char *source, bool read_only, const char *options)
{
	struct super_block *sb;
	int error;

	if (device && device->claimed)
		return ERR_PTR(-EBUSY);
	sb = kzalloc(sizeof(*sb), 0);
	if (!sb)
		return ERR_PTR(-ENOMEM);
	strlcpy(sb->source, source, sizeof(sb->source));
	sb->mount_id = atomic_add_return(&next_mount, 1);
	sb->type = type;
	sb->ops = &empty_super_ops;
	sb->block_size = PAGE_SIZE;
	sb->read_only = read_only || (device && device->read_only);
	list_init(&sb->inodes);
	mutex_init(&sb->reading, "inode reading");
	sb->dev = device ? MAKEDEV(device->major, device->minor)
			 : MAKEDEV(0, atomic_add_return(&next_device, 1));
	sb->device = device;
	if (device)
		device->claimed = true;
	/*
	 * Bytes written to the raw device may still be in its page cache, which files do not use.
	 */
	error = device ? block_sync(device) : 0;
	if (!error)
		error = type->mount(sb, options);
	if (!error)
		return sb;
	super_destroy(sb);
	return ERR_PTR(error);
}

/* Mount a file system on `point`, or as the root if that is NULL. Returns 0 or an error. */
static int mount_add(const struct file_system *type, struct block_device *device,
		     const char *source, struct dentry *point, bool read_only, const char *options)
{
	struct super_block *sb = super_create(type, device, source, read_only, options);
	int error = 0;

	if (IS_ERR(sb))
		return PTR_ERR(sb);
	if (point) {
		error = mount_attach(sb, point);
	} else {
		list_add_tail(&mounts, &sb->link);
		root_mount = sb;
	}
	if (error)
		super_destroy(sb);
	return error;
}

static const struct file_system *file_system_find(const char *name)
{
	const struct file_system *type;

	for (type = _filesystems_start; type < _filesystems_end; type++)
		if (strcmp(type->name, name) == 0)
			return type;
	return NULL;
}

struct super_block *mount_nowhere(const char *type)
{
	return super_create(file_system_find(type), NULL, type, false, "");
}

int mount_root(const char *device_name)
{
	struct block_device *device = block_find(device_name);
	int error = -ENXIO;

	if (device) {
		mutex_lock(&mount_mutex);
		error = mount_add(file_system_find("ext2"), device, device_name, NULL, false, "");
		mutex_unlock(&mount_mutex);
	}
	if (error)
		log_error("root=%s: %s (error %d)", device_name,
			  device ? "not mounted as ext2" : "there is no such disk", -error);
	return error;
}

/* Returns the disk of a node such as /dev/vdb, or ERR_PTR. */
static struct block_device *device_of_path(const char *name)
{
	struct block_device *device = NULL;
	struct dentry *path = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW);
	int error = -ENOTBLK;

	if (IS_ERR(path))
		return (void *)path;
	if (S_ISBLK(path->inode->mode)) {
		device = block_find_number(MAJOR(path->inode->rdev), MINOR(path->inode->rdev));
		error = -ENXIO;
	}
	path_put(path);
	return device ? device : ERR_PTR(error);
}

static int mount_at(const char *source, const char *target, const char *type_name,
		    unsigned int flags, const char *options)
{
	const struct file_system *type = file_system_find(type_name);
	struct block_device *device = NULL;
	struct dentry *point;
	int error;

	if (!type)
		return refuse(ENODEV, "there is no such file system");
	if (type->needs_device)
		device = device_of_path(source);
	if (IS_ERR(device))
		return PTR_ERR(device);
	point = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
	if (IS_ERR(point))
		return PTR_ERR(point);
	error = mutex_lock_killable(&mount_mutex);
	if (!error) {
		error = mount_add(type, device, *source ? source : type_name, point,
				  flags & MS_RDONLY, options);
		mutex_unlock(&mount_mutex);
	}
	path_put(point);
	return error;
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data)
{
	const char __user *const arguments[] = { source, target, type, data };
	char *strings[ARRAY_SIZE(arguments)];
	long error = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & ~MS_KNOWN)
		return refuse(EINVAL, "a mount flag that is not supported");
	for (unsigned int i = 0; i < ARRAY_SIZE(arguments); i++) {
		strings[i] = arguments[i] ? name_from_user(arguments[i]) : kzalloc(1, 0);
		if (!strings[i])
			strings[i] = ERR_PTR(-ENOMEM);
		if (IS_ERR(strings[i]))
			error = PTR_ERR(strings[i]);
	}
	if (!error)
		error = mount_at(strings[0], strings[1], strings[2], flags, strings[3]);
	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++)
		name_free(strings[i]);
	return error;
}

/* ---- unmounting ---- */

/*
 * Remove a mount without users from the tree. Returns 0, -EBUSY if it has users, or -EAGAIN if one
 * of its files is being read.
 */
static int mount_detach(struct super_block *sb)
{
	int error = -EBUSY;

	spin_lock(&mount_lock);
	if (atomic_read(&sb->users) == 0)
		error = inodes_are_read(sb) ? -EAGAIN : 0;
	if (!error) {
		list_del(&sb->link);
		sb->point->mounts--;
	}
	spin_unlock(&mount_lock);
	return error;
}

long sys_umount2(const char __user *target, unsigned int flags)
{
	struct dentry *path, *point;
	struct super_block *sb;
	long error = 0;

	if (flags)
		return refuse(EINVAL, "an unmount flag that is not supported");
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	path = path_lookup_user(AT_FDCWD, target, LOOKUP_FOLLOW);
	if (IS_ERR(path))
		return PTR_ERR(path);
	sb = path->sb;
	/*
	 * If nobody else uses the mount, wait for its reads in flight now, while no lock is held
	 * and a kill can still interrupt the wait. After mount_detach() there is no way back.
	 */
	if (path != sb->root)
		error = refuse(EINVAL, "nothing is mounted there");
	else if (!sb->point)
		error = -EBUSY;
	else if (atomic_read(&sb->users) == 1)
		error = inodes_wait_reads(sb);
	if (!error)
		error = mutex_lock_killable(&mount_mutex);
	path_put(path); /* from here on the mutex keeps the mount */
	if (error)
		return error;
	/* Another task may have started reads since then, and left. */
	while ((error = mount_detach(sb)) == -EAGAIN && (error = inodes_wait_reads(sb)) == 0)
		;
	if (!error) {
		point = sb->point;
		error = sb->device ? block_sync(sb->device) : 0;
		super_destroy(sb);
		path_put(point);
	}
	mutex_unlock(&mount_mutex);
	return error;
}

long sys_umount(const char __user *target)
{
	return sys_umount2(target, 0);
}

/* ---- listing ---- */

void mounts_walk(void (*function)(struct super_block *sb))
{
	struct super_block *sb;

	if (mutex_lock_killable(&mount_mutex) < 0)
		return;
	list_for_each(sb, &mounts, link)
		function(sb);
	mutex_unlock(&mount_mutex);
}

/* Blanks in names are written as octal escapes, as getmntent(3) expects. */
static void show_escaped(struct text *text, const char *string)
{
	for (; *string; string++) {
		if (strchr(" \t\n\\", *string))
			text_printf(text, "\\%03o", (unsigned char)*string);
		else
			text_printf(text, "%c", *string);
	}
}

static const char *access_of(const struct super_block *sb)
{
	return sb->read_only ? "ro" : "rw";
}

/* A line of /proc/PID/mounts, as in fstab(5). */
static void show_mount(struct text *text, struct super_block *sb, const char *point)
{
	show_escaped(text, sb->source);
	text_printf(text, " ");
	show_escaped(text, point);
	text_printf(text, " %s %s,noatime 0 0\n", sb->type->name, access_of(sb));
}

/* A line of /proc/PID/mountinfo, as in proc(5). The root mount is its own parent. */
static void show_mount_info(struct text *text, struct super_block *sb, const char *point)
{
	const struct super_block *parent = sb->point ? sb->point->inode->sb : sb;

	text_printf(text, "%u %u %u:%u / ", sb->mount_id, parent->mount_id, MAJOR(sb->dev),
		    MINOR(sb->dev));
	show_escaped(text, point);
	text_printf(text, " %s,noatime - %s ", access_of(sb), sb->type->name);
	show_escaped(text, sb->source);
	text_printf(text, " %s\n", access_of(sb));
}

static void show_all(struct text *text,
		     void (*show)(struct text *text, struct super_block *sb, const char *point))
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct super_block *sb;

	if (!buf)
		return;
	if (mutex_lock_killable(&mount_mutex) < 0) {
		kfree(buf);
		return;
	}
	list_for_each(sb, &mounts, link) {
		const char *point = path_text(sb->root, buf, PATH_MAX);

		show(text, sb, IS_ERR(point) ? "?" : point);
	}
	mutex_unlock(&mount_mutex);
	kfree(buf);
}

void mounts_show(struct text *text)
{
	show_all(text, show_mount);
}

void mount_info_show(struct text *text)
{
	show_all(text, show_mount_info);
}

void file_systems_show(struct text *text)
{
	const struct file_system *type;

	for (type = _filesystems_start; type < _filesystems_end; type++)
		text_printf(text, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
}
