/*
 * Super blocks: making, counting and destroying file systems in memory.
 *
 * A super block lives as long as a mount shows it. A disk belongs to one super block, which all
 * mounts of the disk share. `supers` has those with a disk. supers_lock guards it. A super block
 * leaves it when it has given back its disk. A task that wants to mount the disk waits until then.
 */
#include "fs/dev/device.h"
#include "lib/print.h"
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"
#include "kernel/wait.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define FS_NAME_MAX 16 /* bytes, with the NUL; longer than every name */

extern const struct file_system _filesystems_start[], _filesystems_end[];

static struct atomic next_device = ATOMIC_INIT(1); /* st_dev of file systems without a disk */

static const struct super_ops empty_super_ops;

static struct list supers = LIST_INIT(supers);
static spinlock_t supers_lock = SPINLOCK_INIT("supers");
static struct wait_queue gone_queue = WAIT_QUEUE_INIT(gone_queue);

const struct file_system *file_system_find(const char *name)
{
	const struct file_system *type;

	for (type = _filesystems_start; type < _filesystems_end; type++)
		if (strcmp(type->name, name) == 0)
			return type;
	return NULL;
}

static void super_destroy(struct super_block *sb)
{
	notify_unmount(sb);
	if (sb->root)
		dentry_drop_all(sb);
	/* Changes that are to be stored keep their inodes in memory. */
	if (sb->ops->settle)
		sb->ops->settle(sb);
	inode_abandon_deleted(sb);
	if (sb->ops->set_writable && !super_is_read_only(sb))
		(void)sb->ops->set_writable(sb, false);
	inode_abandon_all(sb);
	if (sb->ops->unmounted)
		sb->ops->unmounted(sb);
	if (sb->device) {
		block_unclaim(sb->device);
		block_close(sb->device);
	}
	spin_lock(&supers_lock);
	list_del(&sb->link);
	spin_unlock(&supers_lock);
	memory_barrier(); /* see super_of() */
	wake_all(&gone_queue);
	kfree(sb->private);
	kfree(sb);
}

/*
 * From now on nobody begins to write. Returns 0, or -EBUSY if something is being written, or if a
 * file without links is in use. The last use of such a file deletes it, and that writes as well:
 * on a file system that is read-only, nobody would free its blocks any more.
 */
static int forbid_writing(struct super_block *sb)
{
	int error = writers_forbid(&sb->writers, true);

	if (error)
		return error;
	/* What is to be stored keeps deleted inodes in memory. */
	if (sb->ops->settle)
		sb->ops->settle(sb);
	if (!inodes_are_deleted(sb))
		return 0;
	(void)writers_forbid(&sb->writers, false);
	return -EBUSY;
}

int super_set_read_only(struct super_block *sb, bool read_only)
{
	int error = 0;

	if (read_only == super_is_read_only(sb))
		return 0;
	if (read_only)
		error = forbid_writing(sb);
	if (!error && sb->ops->set_writable)
		error = sb->ops->set_writable(sb, !read_only);
	if (!error && !read_only)
		error = writers_forbid(&sb->writers, false);
	access_new_round(); /* while the file system is read-only, no access time is set */
	return error;
}

void super_put(struct super_block *sb)
{
	if (atomic_dec_and_test(&sb->mounts))
		super_destroy(sb);
}

/*
 * Returns the next super block with a disk that MNT_DETACH has detached, with a use of it, or NULL.
 * Drops the use of the previous one. Nobody waits for the end of such a file system, so it may end
 * here.
 */
static struct super_block *next_detached(struct super_block *previous)
{
	struct super_block *sb, *found = NULL;
	struct list *link;

	spin_lock(&supers_lock);
	link = previous ? previous->link.next : supers.next;
	for (; !found && link != &supers; link = link->next) {
		sb = list_entry(link, struct super_block, link);
		if (READ_ONCE(sb->was_detached) && atomic_inc_not_zero(&sb->mounts))
			found = sb;
	}
	spin_unlock(&supers_lock);
	if (previous)
		super_put(previous);
	return found;
}

void supers_walk_detached(void (*function)(struct super_block *sb))
{
	struct super_block *sb = NULL;

	while ((sb = next_detached(sb)) != NULL)
		function(sb);
}

/*
 * Find the super block that a disk belongs to, and take a use of it. *sb is NULL if there is none.
 * Returns false if it is being destroyed. wake_all() checks without the lock whether the queue is
 * empty. The barriers make sure that at least one side sees the other:
 *
 *	mounts					unmounts
 *	joins the queue				takes it off the list
 *	full barrier				full barrier
 *	on the list, without uses: sleeps	queue not empty: wakes
 */
static bool super_of(const struct block_device *device, struct super_block **sb)
{
	struct super_block *other;
	bool leaves = false;

	*sb = NULL;
	spin_lock(&supers_lock);
	list_for_each(other, &supers, link) {
		if (other->device != device)
			continue;
		leaves = !atomic_inc_not_zero(&other->mounts);
		*sb = leaves ? NULL : other;
		break;
	}
	spin_unlock(&supers_lock);
	return !leaves;
}

static struct super_block *super_create(const struct file_system *type, struct block_device *device,
					bool read_only, const char *options)
{
	struct super_block *sb = kzalloc(sizeof(*sb), 0);
	int error;

	if (!sb)
		return ERR_PTR(-ENOMEM);
	error = device ? block_open(device) : 0;
	if (!error && device && !block_claim(device)) {
		block_close(device);
		error = -EBUSY;
	}
	if (error) {
		kfree(sb);
		return ERR_PTR(error);
	}
	sb->type = type;
	sb->ops = &empty_super_ops;
	sb->block_size = PAGE_SIZE;
	sb->size_max = FILE_SIZE_MAX;
	atomic_set(&sb->writers, read_only || (device && device->read_only) ? -1 : 0);
	list_init(&sb->inodes);
	list_init(&sb->link);
	mutex_init(&sb->reading, "inode reading");
	sb->dev = device ? MAKEDEV(device->major, device->minor)
			 : MAKEDEV(0, atomic_add_return(&next_device, 1));
	sb->device = device;
	atomic_set(&sb->mounts, 1);
	/*
	 * Bytes written to the raw device may still be in its page cache, which files do not use.
	 */
	error = device ? block_sync(device) : 0;
	if (!error)
		error = type->mount(sb, options);
	if (error) {
		super_put(sb);
		return ERR_PTR(error);
	}
	if (device) {
		spin_lock(&supers_lock);
		list_add_tail(&supers, &sb->link);
		spin_unlock(&supers_lock);
	}
	return sb;
}

struct super_block *super_get(const struct file_system *type, struct block_device *device,
			      bool read_only, const char *options)
{
	struct super_block *sb = NULL;

	if (device && wait_event_killable(&gone_queue, super_of(device, &sb)) < 0)
		return ERR_PTR(-EINTR);
	if (!sb)
		return super_create(type, device, read_only, options);
	if (sb->type == type && super_is_read_only(sb) == (read_only || device->read_only))
		return sb;
	super_put(sb);
	return ERR_PTR(-EBUSY);
}

enum { SYSFS_INDEX_OF = 1, SYSFS_NAME_OF, SYSFS_COUNT };

static long index_of(const char __user *user_name)
{
	char name[FS_NAME_MAX];
	const struct file_system *type;
	ssize_t len = strncpy_from_user(name, user_name, sizeof(name));

	if (len == -EFAULT)
		return -EFAULT;
	for (type = _filesystems_start; len >= 0 && type < _filesystems_end; type++)
		if (strcmp(type->name, name) == 0)
			return type - _filesystems_start;
	return refuse(EINVAL, "no such file system");
}

/* The kinds of file systems, by their numbers. The numbers are only good for these calls. */
long sys_sysfs(int option, unsigned long first, unsigned long second)
{
	unsigned int nr = _filesystems_end - _filesystems_start;

	if (option == SYSFS_INDEX_OF)
		return index_of((const char __user *)first);
	if (option == SYSFS_COUNT)
		return nr;
	if (option != SYSFS_NAME_OF || first >= nr)
		return refuse(EINVAL, "no such option or number");
	return copy_to_user((void __user *)second, _filesystems_start[first].name,
			    strlen(_filesystems_start[first].name) + 1);
}

void file_systems_show(struct text *text)
{
	const struct file_system *type;

	for (type = _filesystems_start; type < _filesystems_end; type++)
		text_printf(text, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
}
