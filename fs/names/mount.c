/*
 * The tree of mounts: walking it, and changing it. The contract is in fs/names/mount.h, and the calls
 * are in fs/names/mount_calls.c.
 *
 * 1. A mount is attached with the lock of the directory that holds the name which it covers. The name
 *    cannot be removed or moved at that moment, and afterwards dentry->mounts keeps it.
 * 2. The first mount (root=) is attached nowhere, and its attachment counts nevertheless. It cannot be
 *    unmounted.
 */
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "kernel/log.h"
#include "mm/slab.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

spinlock_t mount_lock = SPINLOCK_INIT("mounts");
struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
struct list mounts = LIST_INIT(mounts);
static struct mount *root_mount;
static struct atomic last_id;

struct mount anonymous_mount = {
	.sb = &pseudo_sb,
	.source = "none",
	.users = ATOMIC_INIT(1),
	.children = LIST_INIT(anonymous_mount.children),
	.sibling = LIST_INIT(anonymous_mount.sibling),
	.link = LIST_INIT(anonymous_mount.link),
};

/* ---- paths ---- */

static void mount_free(struct mount *mount)
{
	dentry_put(mount->root);
	super_put(mount->sb);
	kfree(mount);
}

void mount_put(struct mount *mount)
{
	if (atomic_dec_and_test(&mount->users))
		mount_free(mount);
}

void path_get(const struct path *path)
{
	mount_get(path->mount);
	dentry_get(path->dentry);
}

void path_put(const struct path *path)
{
	if (!path->dentry)
		return;
	dentry_put(path->dentry); /* while the mount still keeps the file system */
	mount_put(path->mount);
}

/* Returns the mount that is attached at the path, or NULL. mount_lock is held. */
static struct mount *mount_on(const struct path *path)
{
	struct mount *child;

	lockdep_held(&mount_lock);
	list_for_each(child, &path->mount->children, sibling)
		if (child->on.dentry == path->dentry)
			return child;
	return NULL;
}

void path_cross_mounts(struct path *path)
{
	while (unlikely(READ_ONCE(path->dentry->mounts))) {
		struct path top = { 0 };

		spin_lock(&mount_lock);
		top.mount = mount_on(path);
		if (top.mount) {
			top.dentry = top.mount->root;
			path_get(&top);
		}
		spin_unlock(&mount_lock);
		if (!top.mount)
			break;
		path_put(path);
		*path = top;
	}
}

bool mount_place(struct mount *mount, struct path *on)
{
	spin_lock(&mount_lock);
	*on = mount->on;
	if (on->mount)
		path_get(on);
	spin_unlock(&mount_lock);
	return on->mount != NULL;
}

struct path root_path(void)
{
	struct path path = { root_mount, root_mount->root };

	path_get(&path);
	return path;
}

/* ---- making ---- */

struct mount *mount_create(struct super_block *sb, struct dentry *root, const char *source)
{
	struct mount *mount = kzalloc(sizeof(*mount), 0);

	if (!mount)
		return NULL;
	atomic_inc(&sb->mounts);
	mount->sb = sb;
	dentry_get(root);
	mount->root = root;
	mount->id = atomic_add_return(&last_id, 1);
	strlcpy(mount->source, source, sizeof(mount->source));
	atomic_set(&mount->users, 1);
	list_init(&mount->children);
	list_init(&mount->sibling);
	list_init(&mount->link);
	return mount;
}

struct mount *mount_new(const struct file_system *type, struct block_device *device,
			const char *source, bool read_only, const char *options)
{
	struct super_block *sb = super_create(type, device, read_only, options);
	struct mount *mount;

	if (IS_ERR(sb))
		return (void *)sb;
	mount = mount_create(sb, sb->root, source);
	super_put(sb);
	return mount ? mount : ERR_PTR(-ENOMEM);
}

struct mount *mount_nowhere(const char *type)
{
	return mount_new(file_system_find(type), NULL, type, false, "");
}

int mount_root(const char *device_name)
{
	struct block_device *device = block_find(device_name);
	struct mount *mount = ERR_PTR(-ENXIO);

	if (device)
		mount = mount_new(file_system_find("ext2"), device, device_name, false, "");
	if (!IS_ERR(mount)) {
		list_add_tail(&mounts, &mount->link);
		root_mount = mount;
		return 0;
	}
	log_error("root=%s: %s (error %d)", device_name,
		  device ? "not mounted as ext2" : "there is no such disk", -(int)PTR_ERR(mount));
	return PTR_ERR(mount);
}

/* ---- changing the tree; mount_mutex is held ---- */

/*
 * Lock the directory that holds the name of a dentry. Returns it with a reference, NULL if the dentry is
 * the root of its file system, which has no name that could go, or ERR_PTR(-ERESTARTSYS).
 */
static struct dentry *lock_parent(struct dentry *dentry)
{
	for (;;) {
		struct dentry *parent = dentry_parent(dentry), *now;
		int error = 0;

		if (parent != dentry)
			error = mutex_lock_killable(&parent->inode->lock);
		if (parent == dentry || error) {
			dentry_put(parent);
			return ERR_PTR(error);
		}
		now = dentry_parent(dentry);
		dentry_put(now);
		if (now == parent)
			return parent;
		mutex_unlock(&parent->inode->lock); /* it has been renamed meanwhile */
		dentry_put(parent);
	}
}

int mount_attach(struct mount *mount, struct path *place)
{
	struct dentry *parent;
	int error = 0;

	assert(mutex_held(&mount_mutex));
	path_cross_mounts(place); /* another mount may have come since the lookup */
	if (!S_ISDIR(place->dentry->inode->mode) != !S_ISDIR(mount->root->inode->mode))
		return -ENOTDIR;
	parent = lock_parent(place->dentry);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	if (place->dentry->unhashed) {
		error = -ENOENT;
	} else {
		path_get(place);
		spin_lock(&mount_lock);
		mount->on = *place;
		list_add_tail(&place->mount->children, &mount->sibling);
		list_add_tail(&mounts, &mount->link);
		place->dentry->mounts++;
		spin_unlock(&mount_lock);
		mount_get(mount);
	}
	if (parent) {
		mutex_unlock(&parent->inode->lock);
		dentry_put(parent);
	}
	return error;
}

int mount_detach(struct mount *mount, struct path *place)
{
	int error = -EBUSY;

	assert(mutex_held(&mount_mutex));
	spin_lock(&mount_lock);
	if (atomic_read(&mount->users) == 2)
		error = atomic_read(&mount->sb->mounts) == 1 && inodes_are_read(mount->sb) ? -EAGAIN
											   : 0;
	if (!error) {
		*place = mount->on;
		place->dentry->mounts--;
		mount->on = (struct path){ 0 };
		list_del(&mount->sibling);
		list_del(&mount->link);
	}
	spin_unlock(&mount_lock);
	return error;
}

void mounts_walk(void (*function)(struct super_block *sb))
{
	struct mount *mount;

	if (mutex_lock_killable(&mount_mutex) < 0)
		return;
	list_for_each(mount, &mounts, link)
		function(mount->sb);
	mutex_unlock(&mount_mutex);
}
