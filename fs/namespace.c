/*
 * Making, removing and renaming names: mkdir, mknod, symlink, link, unlink, rmdir, rename; and
 * readlink.
 *
 * 1. A name changes with the locks of its directory and of the inode that it names (if it is
 *    removed, replaced or linked): the directory before what is in it, the upper directory before
 *    the lower, files last and in the order of their addresses.
 * 2. Only rename locks two directories of which neither is above the other, and rename_mutex makes
 *    it one rename at a time. All others wait downwards only, so that no circle of waits closes;
 *    and which of two directories is above the other stays true while they are being locked.
 * 3. A removed directory is marked (inode->deleted) under its lock: nothing can be made in it any
 *    more.
 * 4. What something is mounted on is neither removed nor renamed: EBUSY.
 */
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

static struct mutex rename_mutex = MUTEX_INIT(rename_mutex);

/* A directory and a name in it, held by a walk; begin to end of one call. */
struct place {
	struct walk walk;
	char *text; /* kernel copy of the path */
};

static void place_put(struct place *place)
{
	walk_end(&place->walk);
	name_free(place->text);
}

static int place_find_kernel(struct place *place, int dirfd, const char *name)
{
	int error = walk_parent(&place->walk, dirfd, name);

	if (error)
		walk_end(&place->walk);
	return error;
}

static int place_find(struct place *place, int dirfd, const char __user *user_name)
{
	int error;

	place->text = name_from_user(user_name);
	if (IS_ERR(place->text))
		return PTR_ERR(place->text);
	error = place_find_kernel(place, dirfd, place->text);
	if (error)
		name_free(place->text);
	return error;
}

/* Is the last component a name: not "/", "." or ".."? */
static bool place_is_name(const struct place *place)
{
	const struct name *last = &place->walk.last;

	return last->len > 0 && !name_is_dot(last) && !name_is_dotdot(last);
}

static struct inode *place_dir(const struct place *place)
{
	return place->walk.path.dentry->inode;
}

static int may_change_dir(const struct place *place)
{
	int error = mount_writable(place->walk.path.mount);

	return error ? error : inode_permission(place_dir(place), MAY_WRITE | MAY_EXEC);
}

/* In a sticky directory only the owner of the file or of the directory removes a name. */
static int may_remove(const struct place *place, const struct dentry *victim)
{
	const struct inode *dir = place_dir(place);
	int error = may_change_dir(place);

	if (error)
		return error;
	if (dir->mode & S_ISVTX && !inode_owner_or_root(victim->inode) && !inode_owner_or_root(dir))
		return -EPERM;
	return victim->mounts ? -EBUSY : 0;
}

/* ---- making ---- */

/*
 * Lock the directory and find the place for a new name: a negative dentry with a reference, to be
 * given back by end_make(). ERR_PTR(-EEXIST and so on): nothing is locked.
 */
static struct dentry *begin_make(struct place *place, bool is_directory)
{
	struct dentry *dir = place->walk.path.dentry;
	struct dentry *dentry;
	int error;

	if (!place_is_name(place))
		return ERR_PTR(-EEXIST);
	mutex_lock(&dir->inode->lock);
	dentry = dentry_lookup_locked(dir, &place->walk.last);
	if (IS_ERR(dentry)) {
		mutex_unlock(&dir->inode->lock);
		return dentry;
	}
	if (dentry->inode)
		error = -EEXIST;
	else if (place->walk.slash && !is_directory)
		error = -ENOENT;
	else
		error = may_change_dir(place);
	if (!error)
		return dentry;
	mutex_unlock(&dir->inode->lock);
	dentry_put(dentry);
	return ERR_PTR(error);
}

static void end_make(struct place *place, struct dentry *dentry)
{
	mutex_unlock(&place_dir(place)->lock);
	dentry_put(dentry);
}

/* `inode` is what the file system made. */
static int made(struct dentry *dentry, struct inode *inode)
{
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (!dentry->inode)
		dentry_set_inode(dentry, inode);
	return 0;
}

static int make_node(struct place *place, unsigned int mode, unsigned int rdev)
{
	const struct inode_ops *ops = place_dir(place)->ops;
	struct dentry *dentry = begin_make(place, S_ISDIR(mode));
	int error = -EPERM;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (current->fs)
		mode &= ~current->fs->umask;
	if (ops->create)
		error = made(dentry, ops->create(place_dir(place), dentry, mode, rdev));
	end_make(place, dentry);
	return error;
}

int path_make_node(int dirfd, const char *name, unsigned int mode, unsigned int rdev)
{
	struct place place;
	int error = place_find_kernel(&place, dirfd, name);

	if (error)
		return error;
	error = make_node(&place, mode, rdev);
	walk_end(&place.walk);
	return error;
}

static long make_user_node(int dirfd, const char __user *name, unsigned int mode, unsigned int rdev)
{
	struct place place;
	int error = place_find(&place, dirfd, name);

	if (error)
		return error;
	error = make_node(&place, mode, rdev);
	place_put(&place);
	return error;
}

/* A device number as user programs write it. */
static unsigned int decode_dev(unsigned int dev)
{
	return MAKEDEV((dev & 0xfff00) >> 8, (dev & 0xff) | (dev >> 12 & 0xfff00));
}

long sys_mknodat(int dirfd, const char __user *name, unsigned int mode, unsigned int dev)
{
	unsigned int type = mode & S_IFMT;
	unsigned int rdev = 0;

	mode &= 07777;
	switch (type) {
	case 0:
		type = S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!current_is_root())
			return -EPERM;
		rdev = decode_dev(dev);
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make_user_node(dirfd, name, type | mode, rdev);
}

long sys_mknod(const char __user *name, unsigned int mode, unsigned int dev)
{
	return sys_mknodat(AT_FDCWD, name, mode, dev);
}

long sys_mkdirat(int dirfd, const char __user *name, unsigned int mode)
{
	return make_user_node(dirfd, name, S_IFDIR | (mode & (0777 | S_ISVTX)), 0);
}

long sys_mkdir(const char __user *name, unsigned int mode)
{
	return sys_mkdirat(AT_FDCWD, name, mode);
}

static int make_symlink(struct place *place, const char *target)
{
	const struct inode_ops *ops = place_dir(place)->ops;
	struct dentry *dentry = begin_make(place, false);
	int error = -EPERM;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (ops->symlink)
		error = made(dentry, ops->symlink(place_dir(place), dentry, target));
	end_make(place, dentry);
	return error;
}

long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *name)
{
	char *target = name_from_user(user_target);
	struct place place;
	int error = -ENOENT;

	if (IS_ERR(target))
		return PTR_ERR(target);
	if (*target)
		error = place_find(&place, dirfd, name);
	if (!error) {
		error = make_symlink(&place, target);
		place_put(&place);
	}
	name_free(target);
	return error;
}

long sys_symlink(const char __user *target, const char __user *name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

/* ---- link ---- */

static int make_link(struct place *place, struct object *object)
{
	struct inode *inode = object->inode;
	const struct inode_ops *ops = place_dir(place)->ops;
	struct dentry *dentry = begin_make(place, false);
	int error = 0;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (object->path.mount != place->walk.path.mount)
		error = -EXDEV;
	else if (S_ISDIR(inode->mode) || !ops->link)
		error = -EPERM;
	if (!error) {
		mutex_lock(&inode->lock);
		/* The last name may have gone since it was looked up. */
		error = inode->nr_links == 0 ? -ENOENT : ops->link(place_dir(place), dentry, inode);
		mutex_unlock(&inode->lock);
	}
	if (!error && !dentry->inode) {
		inode_get(inode);
		dentry_set_inode(dentry, inode);
	}
	end_make(place, dentry);
	return error;
}

long sys_linkat(int old_dirfd, const char __user *old_name, int new_dirfd,
		const char __user *new_name, unsigned int flags)
{
	unsigned int lookup = flags & AT_EMPTY_PATH;
	struct object object;
	struct place place;
	int error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && !current_is_root())
		return -ENOENT;
	if (!(flags & AT_SYMLINK_FOLLOW))
		lookup |= AT_SYMLINK_NOFOLLOW;
	error = object_at(old_dirfd, old_name, lookup, &object);
	if (error)
		return error;
	error = place_find(&place, new_dirfd, new_name);
	if (!error) {
		error = make_link(&place, &object);
		place_put(&place);
	}
	object_put(&object);
	return error;
}

long sys_link(const char __user *old_name, const char __user *new_name)
{
	return sys_linkat(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

/* ---- removing ---- */

/*
 * Lock the directory; the positive dentry of the name, with a reference. ERR_PTR: nothing is
 * locked.
 */
static struct dentry *begin_remove(struct place *place)
{
	struct dentry *dir = place->walk.path.dentry;
	struct dentry *dentry;

	mutex_lock(&dir->inode->lock);
	dentry = dentry_lookup_locked(dir, &place->walk.last);
	if (!IS_ERR(dentry) && dentry->inode)
		return dentry;
	mutex_unlock(&dir->inode->lock);
	if (IS_ERR(dentry))
		return dentry;
	dentry_put(dentry);
	return ERR_PTR(-ENOENT);
}

static int unlink_locked(struct place *place, struct dentry *dentry)
{
	struct inode *dir = place_dir(place);
	struct inode *inode = dentry->inode;
	int error = may_remove(place, dentry);

	if (error)
		return error;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (place->walk.slash)
		return -ENOTDIR;
	if (!dir->ops->unlink)
		return -EPERM;
	mutex_lock(&inode->lock);
	error = dir->ops->unlink(dir, dentry);
	mutex_unlock(&inode->lock);
	if (!error)
		dentry_unhash(dentry);
	return error;
}

static int rmdir_locked(struct place *place, struct dentry *dentry)
{
	struct inode *dir = place_dir(place);
	struct inode *inode = dentry->inode;
	int error = may_remove(place, dentry);

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (error)
		return error;
	if (!dir->ops->rmdir)
		return -EPERM;
	mutex_lock(&inode->lock);
	error = dentry->mounts ? -EBUSY : dir->ops->rmdir(dir, dentry);
	if (!error)
		inode->deleted = true;
	mutex_unlock(&inode->lock);
	if (error)
		return error;
	dentry_unhash(dentry);
	/* Names that were looked for in vain would keep the inode. */
	dentry_drop_children(dentry);
	return 0;
}

static int remove_name(struct place *place, bool directory)
{
	struct dentry *dentry = begin_remove(place);
	int error;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = directory ? rmdir_locked(place, dentry) : unlink_locked(place, dentry);
	mutex_unlock(&place_dir(place)->lock);
	dentry_put(dentry);
	return error;
}

/* Why "/", "." and ".." are not removed. */
static int not_removable(const struct place *place, bool directory)
{
	if (!directory)
		return -EISDIR;
	if (place->walk.last.len == 0)
		return -EBUSY;
	return name_is_dot(&place->walk.last) ? -EINVAL : -ENOTEMPTY;
}

long sys_unlinkat(int dirfd, const char __user *name, unsigned int flags)
{
	bool directory = flags & AT_REMOVEDIR;
	struct place place;
	int error;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	error = place_find(&place, dirfd, name);
	if (error)
		return error;
	error = place_is_name(&place) ? remove_name(&place, directory)
				      : not_removable(&place, directory);
	place_put(&place);
	return error;
}

long sys_unlink(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, 0);
}

long sys_rmdir(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

/* ---- renaming ---- */

#define RENAME_NOREPLACE 1u

struct renaming {
	struct place from, to;
	struct dentry *old, *target; /* target may be negative */
	char *storage;		     /* for the new name */
};

static void lock_directories(struct renaming *r)
{
	struct dentry *a = r->from.walk.path.dentry;
	struct dentry *b = r->to.walk.path.dentry;
	bool upwards;

	mutex_lock(&rename_mutex);
	upwards = dentry_below(a, b);
	mutex_lock(upwards ? &b->inode->lock : &a->inode->lock);
	if (a->inode != b->inode)
		mutex_lock(upwards ? &a->inode->lock : &b->inode->lock);
}

static void unlock_directories(struct renaming *r)
{
	struct inode *a = place_dir(&r->from);
	struct inode *b = place_dir(&r->to);

	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
	mutex_unlock(&rename_mutex);
}

/* The two inodes themselves, the lower address first. `target` may be NULL. */
static void lock_two(struct inode *old, struct inode *target)
{
	if (target && target < old)
		mutex_lock(&target->lock);
	mutex_lock(&old->lock);
	if (target && target > old)
		mutex_lock(&target->lock);
}

static void unlock_two(struct inode *old, struct inode *target)
{
	mutex_unlock(&old->lock);
	if (target)
		mutex_unlock(&target->lock);
}

static int check_target(struct renaming *r)
{
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;

	if (!target)
		return may_change_dir(&r->to);
	if (S_ISDIR(old->mode) && !S_ISDIR(target->mode))
		return -ENOTDIR;
	if (!S_ISDIR(old->mode) && S_ISDIR(target->mode))
		return -EISDIR;
	return may_remove(&r->to, r->target);
}

static int check_rename(struct renaming *r, unsigned int flags)
{
	struct inode *old = r->old->inode;
	int error;

	if (!old)
		return -ENOENT;
	if (r->target->inode && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!S_ISDIR(old->mode) && (r->from.walk.slash || r->to.walk.slash))
		return -ENOTDIR;
	/* Into itself, or in place of one that holds it. */
	if (dentry_below(r->to.walk.path.dentry, r->old))
		return -EINVAL;
	if (dentry_below(r->from.walk.path.dentry, r->target))
		return -ENOTEMPTY;
	error = may_remove(&r->from, r->old);
	if (!error)
		error = check_target(r);
	/* A directory that moves gets another "..". */
	if (!error && S_ISDIR(old->mode) && place_dir(&r->from) != place_dir(&r->to))
		error = inode_permission(old, MAY_WRITE);
	return error;
}

static int rename_checked(struct renaming *r)
{
	struct inode *old_dir = place_dir(&r->from);
	struct inode *new_dir = place_dir(&r->to);
	struct inode *target = r->target->inode;
	int error;

	if (target == r->old->inode)
		return 0; /* two names of one file: nothing happens, by POSIX */
	if (!old_dir->ops->rename)
		return -EPERM;
	error = dentry_move_prepare(r->target, &r->storage);
	if (error)
		return error;
	lock_two(r->old->inode, target);
	error = r->old->mounts || r->target->mounts
			? -EBUSY
			: old_dir->ops->rename(old_dir, r->old, new_dir, r->target);
	if (!error && target && S_ISDIR(target->mode))
		target->deleted = true;
	unlock_two(r->old->inode, target);
	if (error) {
		kfree(r->storage);
		return error;
	}
	dentry_move(r->old, r->target, r->storage);
	if (target && S_ISDIR(target->mode))
		dentry_drop_children(r->target);
	return 0;
}

/* Both directories are locked. */
static int rename_locked(struct renaming *r, unsigned int flags)
{
	int error;

	r->old = dentry_lookup_locked(r->from.walk.path.dentry, &r->from.walk.last);
	if (IS_ERR(r->old))
		return PTR_ERR(r->old);
	r->target = dentry_lookup_locked(r->to.walk.path.dentry, &r->to.walk.last);
	error = PTR_ERR(r->target);
	if (IS_ERR(r->target))
		goto put_old;
	error = check_rename(r, flags);
	if (!error)
		error = rename_checked(r);
	dentry_put(r->target);
put_old:
	dentry_put(r->old);
	return error;
}

static int rename_places(struct renaming *r, unsigned int flags)
{
	int error;

	if (r->from.walk.path.mount != r->to.walk.path.mount)
		return -EXDEV;
	if (!place_is_name(&r->from))
		return -EBUSY;
	if (!place_is_name(&r->to))
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	lock_directories(r);
	error = rename_locked(r, flags);
	unlock_directories(r);
	return error;
}

long sys_renameat2(int old_dirfd, const char __user *old_name, int new_dirfd,
		   const char __user *new_name, unsigned int flags)
{
	struct renaming r;
	int error;

	if (flags & ~RENAME_NOREPLACE)
		return refuse(EINVAL, "a rename flag that is not supported");
	error = place_find(&r.from, old_dirfd, old_name);
	if (error)
		return error;
	error = place_find(&r.to, new_dirfd, new_name);
	if (!error) {
		error = rename_places(&r, flags);
		place_put(&r.to);
	}
	place_put(&r.from);
	return error;
}

long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name)
{
	return sys_renameat2(old_dirfd, old_name, new_dirfd, new_name, 0);
}

long sys_rename(const char __user *old_name, const char __user *new_name)
{
	return sys_renameat2(AT_FDCWD, old_name, AT_FDCWD, new_name, 0);
}

/* ---- readlink ---- */

static long read_link(struct inode *inode, char __user *result, int size)
{
	char *text;
	ssize_t len;

	if (!S_ISLNK(inode->mode) || !inode->ops || !inode->ops->readlink)
		return -EINVAL;
	text = kmalloc(PATH_MAX, 0);
	if (!text)
		return -ENOMEM;
	len = inode->ops->readlink(inode, text, PATH_MAX);
	if (len > size)
		len = size;
	if (len > 0 && copy_to_user(result, text, len))
		len = -EFAULT;
	kfree(text);
	return len;
}

long sys_readlinkat(int dirfd, const char __user *name, char __user *result, int size)
{
	struct object object;
	long len;

	if (size <= 0)
		return -EINVAL;
	len = object_at(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &object);
	if (len)
		return len;
	len = read_link(object.inode, result, size);
	object_put(&object);
	return len;
}

long sys_readlink(const char __user *name, char __user *result, int size)
{
	return sys_readlinkat(AT_FDCWD, name, result, size);
}
