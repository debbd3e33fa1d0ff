/*
 * The tree of mounts: walking it, and changing it. The contract is in fs/names/mount.h, and the
 * calls are in fs/names/mount_calls.c.
 *
 * 1. A mount is attached with the lock of the directory that holds the name which it covers. The
 *    name cannot be removed or moved at that moment, and afterwards dentry->mounts keeps it.
 * 2. The first mount (root=) is attached nowhere, and its attachment counts nevertheless. It cannot
 *    be unmounted.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "drivers/disk/block.h"
#include "kernel/syscall.h"
#include "kernel/cpu/reboot.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "mm/slab.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

spinlock_t mount_lock = SPINLOCK_INIT("mounts");
struct mutex mount_mutex = MUTEX_INIT(mount_mutex);
struct list mounts = LIST_INIT(mounts);
uint32_t mounts_max = 100000; /* /proc/sys/fs/mount-max */

static unsigned int nr_mounts; /* attached ones; guarded by mount_mutex */
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
	if (unlikely(path->mount->expired))
		WRITE_ONCE(path->mount->expired, false);
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

bool path_below(const struct path *path, const struct path *root)
{
	const struct dentry *dentry = path->dentry;
	const struct mount *mount = path->mount;
	bool below;

	spin_lock(&dcache_lock);
	spin_lock(&mount_lock);
	while (dentry != root->dentry || mount != root->mount) {
		if (dentry != mount->root && dentry->parent != dentry) {
			dentry = dentry->parent;
		} else if (dentry == mount->root && mount->on.mount) {
			dentry = mount->on.dentry;
			mount = mount->on.mount;
		} else {
			break;
		}
	}
	below = dentry == root->dentry && mount == root->mount;
	spin_unlock(&mount_lock);
	spin_unlock(&dcache_lock);
	return below;
}

struct path root_path(void)
{
	struct path path = { root_mount, root_mount->root };

	path_get(&path);
	return path;
}

/* ---- writing ---- */

/* Count one more writer, unless that is forbidden. */
static bool writers_add(struct atomic *writers)
{
	int old = atomic_read(writers), seen;

	while (old >= 0) {
		seen = __sync_val_compare_and_swap(&writers->value, old, old + 1);
		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

//BOOK: mount-writers
int mount_begin_writing(struct mount *mount)
{
	if (!writers_add(&mount->sb->writers))
		return -EROFS;
	if (writers_add(&mount->writers))
		return 0;
	atomic_dec(&mount->sb->writers);
	return -EROFS;
}

void mount_end_writing(struct mount *mount)
{
	atomic_dec(&mount->writers);
	atomic_dec(&mount->sb->writers);
}

int writers_forbid(struct atomic *writers, bool forbid)
{
	int from = forbid ? 0 : -1;
	int seen = __sync_val_compare_and_swap(&writers->value, from, forbid ? -1 : 0);

	return forbid && seen > 0 ? -EBUSY : 0;
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
	mount->flags = MOUNT_RELATIME;
	list_init(&mount->children);
	list_init(&mount->sibling);
	list_init(&mount->link);
	return mount;
}

struct mount *mount_new(const struct file_system *type, struct block_device *device,
			const char *source, bool read_only, const char *options)
{
	struct super_block *sb = super_get(type, device, read_only, options);
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

#define LABEL "LABEL=" /* in front of a label, in root= */

static bool root_writable;

static int set_rw(const char *value)
{
	root_writable = true;
	return *value ? -1 : 0;
}
KERNEL_PARAM(rw, set_rw, "off", "without a value: the root file system is mounted for writing");

/*
 * Returns the device that root= names: by its name, or by the label of the file system on it. NULL:
 * there is none.
 */
static struct block_device *find_root(const char *name)
{
	const struct file_system *type = file_system_find("ext2");
	struct block_device *device;

	if (strncmp(name, LABEL, strlen(LABEL)))
		return block_find(name);
	list_for_each(device, &block_devices, link)
		if (type->has_label(device, name + strlen(LABEL)))
			return device;
	return NULL;
}

int mount_root(const char *name)
{
	struct block_device *device = find_root(name);
	struct mount *mount = ERR_PTR(-ENXIO);
	char path[sizeof("/dev/") + sizeof(device->name)];

	if (device) {
		snprintf(path, sizeof(path), "/dev/%s", device->name);
		mount = mount_new(file_system_find("ext2"), device, path, !root_writable, "");
	}
	if (!IS_ERR(mount)) {
		list_add_tail(&mounts, &mount->link);
		root_mount = mount;
		return 0;
	}
	log_error("root=%s: %s (error %d)", name,
		  device ? "not mounted as ext2" : "there is no such disk", -(int)PTR_ERR(mount));
	return PTR_ERR(mount);
}

static unsigned int deepest, finishing; /* depths of disks, while finish_all() runs */

static unsigned int depth_of(const struct super_block *sb)
{
	return sb->device ? sb->device->depth : 0;
}

static void measure(struct super_block *sb)
{
	deepest = MAX(deepest, depth_of(sb));
}

static void finish(struct super_block *sb)
{
	if (depth_of(sb) == finishing && sb->ops->set_writable && !super_is_read_only(sb))
		(void)sb->ops->set_writable(sb, false);
}

/*
 * The machine is about to stop: leave every file system clean on its disk. One on a loop device
 * comes before the one that holds the file of this device.
 */
static void finish_all(void)
{
	mounts_walk(measure);
	for (unsigned int depth = deepest + 1; depth > 0; depth--) {
		finishing = depth - 1;
		mounts_walk(finish);
	}
}

static void mounts_init(void)
{
	before_stop = finish_all;
}
INITCALL(3, mounts_init);

/* ---- changing the tree; mount_mutex is held ---- */

/*
 * Lock the directory that holds the name of a dentry. Returns it with a reference, NULL if the
 * dentry is the root of its file system, which has no name that could go, or ERR_PTR(-ERESTARTSYS).
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

static void unlock_parent(struct dentry *parent)
{
	if (!parent)
		return;
	mutex_unlock(&parent->inode->lock);
	dentry_put(parent);
}

/* Attach the mount, which takes over the references of the path. mount_lock is held. */
static void link_to(struct mount *mount, const struct path *place)
{
	lockdep_held(&mount_lock);
	mount->on = *place;
	list_add_tail(&place->mount->children, &mount->sibling);
	place->dentry->mounts++;
}

/* Detach the mount from its path, whose references are the caller's then. mount_lock is held. */
static struct path unlink_from(struct mount *mount)
{
	struct path place = mount->on;

	lockdep_held(&mount_lock);
	place.dentry->mounts--;
	mount->on = (struct path){ 0 };
	list_del(&mount->sibling);
	return place;
}

bool mount_is_attached(const struct mount *mount)
{
	return READ_ONCE(mount->on.mount) || mount == root_mount;
}

int mount_attach(struct mount *mount, struct path *place)
{
	struct dentry *parent;
	int error = 0;

	assert(mutex_held(&mount_mutex));
	if (nr_mounts >= READ_ONCE(mounts_max))
		return -ENOSPC;
	path_cross_mounts(place); /* another mount may have come since the lookup */
	if (!mount_is_attached(place->mount))
		return refuse(EINVAL, "a place in a mount that is not attached");
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
		link_to(mount, place);
		list_add_tail(&mounts, &mount->link);
		spin_unlock(&mount_lock);
		mount_get(mount);
		nr_mounts++;
	}
	unlock_parent(parent);
	return error;
}

int mount_detach(struct mount *mount, struct path *place)
{
	int error = -EBUSY;

	assert(mutex_held(&mount_mutex));
	if (!mount->on.mount)
		return refuse(EINVAL, "the mount has been detached meanwhile");
	spin_lock(&mount_lock);
	if (atomic_read(&mount->users) == 2)
		error = atomic_read(&mount->sb->mounts) == 1 && inodes_are_read(mount->sb) ? -EAGAIN
											   : 0;
	if (!error) {
		*place = unlink_from(mount);
		list_del(&mount->link);
		nr_mounts--;
	}
	spin_unlock(&mount_lock);
	return error;
}

/* Detach a mount that has no children. It may be freed. */
static void detach_one(struct mount *mount)
{
	struct path place;

	WRITE_ONCE(mount->sb->was_detached, true);
	spin_lock(&mount_lock);
	place = unlink_from(mount);
	list_del(&mount->link);
	nr_mounts--;
	spin_unlock(&mount_lock);
	mount_put(mount);
	path_put(&place);
}

void mount_detach_all(struct mount *mount)
{
	struct mount *lowest;

	assert(mutex_held(&mount_mutex));
	do {
		for (lowest = mount; !list_empty(&lowest->children);)
			lowest = list_first(&lowest->children, struct mount, sibling);
		detach_one(lowest);
	} while (lowest != mount);
}

int mount_move(struct mount *mount, struct path *place)
{
	struct dentry *parent;
	struct path old = { 0 };
	int error = -ENOENT;

	assert(mutex_held(&mount_mutex));
	path_cross_mounts(place);
	if (!S_ISDIR(place->dentry->inode->mode) != !S_ISDIR(mount->root->inode->mode))
		return refuse(EINVAL, "only one of the two is a directory");
	for (struct mount *above = place->mount; above; above = above->on.mount)
		if (above == mount)
			return -ELOOP;
	parent = lock_parent(place->dentry);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	if (!place->dentry->unhashed) {
		path_get(place);
		spin_lock(&mount_lock);
		old = unlink_from(mount);
		link_to(mount, place);
		spin_unlock(&mount_lock);
		error = 0;
	}
	unlock_parent(parent);
	path_put(&old);
	return error;
}

/* ---- copies ---- */

/*
 * Make a copy that shows `root`, and append it to the list. `on` is where it will be attached, or
 * no place.
 */
static int copy_one(struct mount *origin, struct dentry *root, const struct path *on,
		    struct list *copies)
{
	struct mount *copy = mount_create(origin->sb, root, origin->source);

	if (!copy)
		return -ENOMEM;
	copy->origin = origin;
	copy->flags = origin->flags;
	atomic_set(&copy->writers, atomic_read(&origin->writers) < 0 ? -1 : 0);
	copy->on = *on;
	if (on->mount)
		path_get(on);
	list_add_tail(copies, &copy->link);
	return 0;
}

/* Copy the mounts that are attached below what the copy shows. */
static int copy_children(struct mount *copy, struct list *copies, unsigned int *nr)
{
	struct mount *child;
	int error = 0;

	list_for_each(child, &copy->origin->children, sibling) {
		const struct path on = { copy, child->on.dentry };

		if (error || !dentry_below(child->on.dentry, copy->root))
			continue;
		error = nr_mounts + ++*nr > READ_ONCE(mounts_max)
				? -ENOSPC
				: copy_one(child, child->root, &on, copies);
	}
	return error;
}

/*
 * Copy a tree of mounts to a list, a mount before those on it. On an error, the list has what was
 * made so far. No copy is attached yet, so the walk over the children of the originals never meets
 * one.
 */
static int copy_tree(const struct path *from, bool recursive, struct list *copies)
{
	unsigned int nr = 1;
	struct mount *copy;
	int error = copy_one(from->mount, from->dentry, &(struct path){ 0 }, copies);

	if (error || !recursive)
		return error;
	list_for_each(copy, copies, link) {
		error = copy_children(copy, copies, &nr);
		if (error)
			return error;
	}
	return 0;
}

/* Free copies that are not attached, those on others first. */
static void free_copies(struct list *copies)
{
	while (!list_empty(copies)) {
		struct mount *copy = list_entry(copies->prev, struct mount, link);
		struct path on = copy->on;

		list_del(&copy->link);
		copy->on = (struct path){ 0 };
		mount_put(copy);
		path_put(&on);
	}
}

int mount_bind(const struct path *from, struct path *place, bool recursive)
{
	struct list copies = LIST_INIT(copies);
	struct mount *top;
	int error;

	assert(mutex_held(&mount_mutex));
	error = nr_mounts >= READ_ONCE(mounts_max) ? -ENOSPC : copy_tree(from, recursive, &copies);
	if (error) {
		free_copies(&copies);
		return error;
	}
	top = list_first(&copies, struct mount, link);
	list_del(&top->link);
	error = mount_attach(top, place);
	if (error) {
		free_copies(&copies);
		mount_put(top);
		return error;
	}
	/*
	 * The names below were mount points already. mount_mutex has kept them, so nothing can fail
	 * now.
	 */
	spin_lock(&mount_lock);
	while (!list_empty(&copies)) {
		struct mount *copy = list_first(&copies, struct mount, link);

		list_del(&copy->link);
		link_to(copy, &(struct path){ copy->on.mount, copy->on.dentry });
		list_add_tail(&mounts, &copy->link);
		nr_mounts++;
	}
	spin_unlock(&mount_lock);
	mount_put(top);
	return 0;
}

void mounts_walk(void (*function)(struct super_block *sb))
{
	struct mount *mount;

	if (mutex_lock_killable(&mount_mutex) < 0)
		return;
	list_for_each(mount, &mounts, link)
		function(mount->sb);
	mutex_unlock(&mount_mutex);
	supers_walk_detached(function);
}
