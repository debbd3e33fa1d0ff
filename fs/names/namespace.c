/*
 * Making and removing names: mkdir, mknod, symlink, link, unlink, rmdir; and readlink. Renaming is
 * in fs/names/rename.c.
 *
 * 1. A name changes with its directory's lock held. If it is removed, replaced or linked, the lock
 *    of its inode is held as well. The order is a directory before its entries, an upper directory
 *    before a lower one, and files last, by address.
 * 2. A removed directory is marked (inode->deleted) under its lock, and then takes no new names.
 * 3. A mount point can be neither removed nor renamed. The error is EBUSY.
 */
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/notify.h"
#include "fs/names/protect.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"

int name_may_go(struct inode *dir, const struct dentry *victim)
{
	int error = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (dir->mode & S_ISVTX && !inode_owner_or_root(victim->inode) && !inode_owner_or_root(dir))
		return -EPERM;
	if (inode_only_grows(dir) || inode_stays(victim->inode))
		return refuse(EPERM, "the name must stay");
	return victim->mounts ? -EBUSY : 0;
}

struct dentry *walk_lock_last(struct walk *walk)
{
	struct inode *dir = walk_dir(walk);
	struct dentry *dentry;
	int error = mutex_lock_killable(&dir->lock);

	if (error)
		return ERR_PTR(error);
	dentry = dentry_lookup_locked(walk->at.dentry, &walk->last);
	if (IS_ERR(dentry))
		mutex_unlock(&dir->lock);
	return dentry;
}

/* ---- making ---- */

static int link_locked(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	int error;

	if (S_ISDIR(inode->mode) || !dir->ops->link || inode_stays(inode))
		return -EPERM;
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	/* The last name of the inode may have been removed since the lookup. */
	error = inode->nr_links > 0 || inode->linkable ? dir->ops->link(dir, dentry, inode)
						       : -ENOENT;
	if (!error)
		inode->linkable = false;
	mutex_unlock(&inode->lock);
	if (!error) {
		inode_get(inode);
		dentry_set_inode(dentry, inode);
		notify_inode(inode, IN_ATTRIB); /* its number of links */
	}
	return error;
}

/*
 * May the current task make such a node? A character device with the number 0 is none, but a mark
 * of overlayfs for a name that was removed, so everybody may make it.
 */
static bool may_make_device(const struct new_name *new)
{
	bool device = S_ISBLK(new->mode) || (S_ISCHR(new->mode) && new->rdev != 0);

	return !device || capable(CAP_MKNOD);
}

static int make_silently(struct inode *dir, struct dentry *dentry, const struct new_name *new)
{
	unsigned int mode = new->mode;
	struct inode *inode;
	int error = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (new->link)
		return link_locked(dir, dentry, new->link->dentry->inode);
	if (!may_make_device(new) || !dir->ops->create)
		return -EPERM;
	if (current->fs && !new->target)
		mode &= ~current->fs->umask;
	inode = dir->ops->create(dir, dentry, mode, new->rdev, new->target);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry_set_inode(dentry, inode);
	return 0;
}

int make_locked(struct inode *dir, struct dentry *dentry, const struct new_name *new)
{
	int error = make_silently(dir, dentry, new);

	if (!error)
		notify_name(dir, IN_CREATE, dentry->inode->mode, 0, dentry->name, dentry->name_len);
	return error;
}

/* Make the last name of a walk. */
static int make_last(struct walk *walk, const struct new_name *new)
{
	struct dentry *dentry;
	int error = 0, read_only;

	if (!walk_last_is_name(walk))
		return -EEXIST;
	/*
	 * A name that exists already is the first thing to be said, so the lookup comes before this
	 * error.
	 */
	read_only = mount_begin_writing(walk->at.mount);
	dentry = walk_lock_last(walk);
	if (IS_ERR(dentry)) {
		error = PTR_ERR(dentry);
		goto end_writing;
	}
	if (dentry->inode)
		error = -EEXIST;
	else if (walk->slash && !S_ISDIR(new->mode))
		error = -ENOENT;
	else if (read_only)
		error = read_only;
	else if (new->link &&new->link->mount != walk->at.mount)
		error = -EXDEV;
	else if (new->link)
		error = may_link(new->link->dentry->inode);
	if (!error)
		error = make_locked(walk_dir(walk), dentry, new);
	mutex_unlock(&walk_dir(walk)->lock);
	dentry_put(dentry);
end_writing:
	if (!read_only)
		mount_end_writing(walk->at.mount);
	return error;
}

/* Make the last name of a walk, unless walk_parent() returned an error. Ends the walk. */
static int make_and_end(struct walk *walk, int error, const struct new_name *new)
{
	if (!error)
		error = make_last(walk, new);
	walk_end(walk);
	return error;
}

int path_make_node(int dirfd, const char *name, unsigned int mode, unsigned int rdev)
{
	struct walk walk;

	return make_and_end(&walk, walk_parent(&walk, dirfd, name),
			    &(struct new_name){ .mode = mode, .rdev = rdev });
}

static long make_at(int dirfd, const char __user *name, struct new_name new)
{
	struct walk walk;

	return make_and_end(&walk, walk_parent_user(&walk, dirfd, name), &new);
}

long sys_mknodat(int dirfd, const char __user *name, unsigned int mode, unsigned int dev)
{
	struct new_name new = { .mode = mode & (S_IFMT | 07777) };

	if (!(mode & S_IFMT))
		new.mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		new.rdev = device_decode(dev);
	} else if (!S_ISREG(new.mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode)) {
		return refuse(EINVAL, "not a kind of file that mknod makes");
	}
	return make_at(dirfd, name, new);
}

long sys_mknod(const char __user *name, unsigned int mode, unsigned int dev)
{
	return sys_mknodat(AT_FDCWD, name, mode, dev);
}

long sys_mkdirat(int dirfd, const char __user *name, unsigned int mode)
{
	return make_at(dirfd, name,
		       (struct new_name){ .mode = S_IFDIR | (mode & (0777 | S_ISVTX)) });
}

long sys_mkdir(const char __user *name, unsigned int mode)
{
	return sys_mkdirat(AT_FDCWD, name, mode);
}

long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *name)
{
	char *target = name_from_user(user_target);
	long error = -ENOENT;

	if (IS_ERR(target))
		return PTR_ERR(target);
	if (*target)
		error = make_at(dirfd, name,
				(struct new_name){ .mode = S_IFLNK | 0777, .target = target });
	name_free(target);
	return error;
}

long sys_symlink(const char __user *target, const char __user *name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

long sys_linkat(int old_dirfd, const char __user *old_name, int new_dirfd,
		const char __user *new_name, unsigned int flags)
{
	struct path old;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return refuse(EINVAL, "a link flag that is not supported");
	/* A descriptor may have come from a program that could open the file. Its user may not. */
	if (flags & AT_EMPTY_PATH && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	error = path_at(old_dirfd, old_name,
			(flags & AT_EMPTY_PATH) |
				(flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW),
			&old);
	if (error)
		return error;
	error = make_at(new_dirfd, new_name, (struct new_name){ .link = &old });
	path_put(&old);
	return error;
}

long sys_link(const char __user *old, const char __user *name)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, name, 0);
}

/* ---- removing ---- */

static int remove_locked(struct walk *walk, struct dentry *dentry, bool directory)
{
	struct inode *dir = walk_dir(walk);
	struct inode *inode = dentry->inode;
	int error;

	if (!inode)
		return -ENOENT;
	/* What the name itself says comes before the permissions, and these before the type. */
	if (!directory && walk->slash)
		return S_ISDIR(inode->mode) ? -EISDIR : -ENOTDIR;
	error = name_may_go(dir, dentry);
	if (error)
		return error;
	if (directory != S_ISDIR(inode->mode))
		return directory ? -ENOTDIR : -EISDIR;
	if (!dir->ops->remove)
		return -EPERM;
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	error = dentry->mounts ? -EBUSY : dir->ops->remove(dir, dentry);
	if (!error)
		inode->deleted = directory;
	mutex_unlock(&inode->lock);
	if (!error)
		dentry_unhash(dentry);
	if (!error && !directory)
		notify_inode(inode, IN_ATTRIB); /* its number of links */
	return error;
}

/* Returns the error for removing "/", "." or "..". */
static int not_removable(const struct name *last, bool directory)
{
	if (!directory)
		return -EISDIR;
	if (last->len == 0)
		return -EBUSY;
	return name_is_dot(last) ? -EINVAL : -ENOTEMPTY;
}

static int remove_name(struct walk *walk, bool directory)
{
	struct dentry *dentry;
	int error;

	dentry = walk_lock_last(walk);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = remove_locked(walk, dentry, directory);
	mutex_unlock(&walk_dir(walk)->lock);
	dentry_put(dentry);
	/* The watches of the file itself have been told first, unless it is still open. */
	if (!error)
		notify_name(walk_dir(walk), IN_DELETE, directory ? S_IFDIR : S_IFREG, 0,
			    walk->last.text, walk->last.len);
	return error;
}

static int remove_last(struct walk *walk, bool directory)
{
	int error;

	if (!walk_last_is_name(walk))
		return not_removable(&walk->last, directory);
	error = mount_begin_writing(walk->at.mount);
	if (error)
		return error;
	error = remove_name(walk, directory);
	mount_end_writing(walk->at.mount);
	return error;
}

long sys_unlinkat(int dirfd, const char __user *name, unsigned int flags)
{
	struct walk walk;
	int error;

	if (flags & ~AT_REMOVEDIR)
		return refuse(EINVAL, "an unlink flag that is not supported");
	error = walk_parent_user(&walk, dirfd, name);
	if (!error)
		error = remove_last(&walk, flags & AT_REMOVEDIR);
	walk_end(&walk);
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

/* ---- readlink ---- */

static long read_link(struct inode *inode, char __user *result, int size)
{
	char *text;
	ssize_t len;

	if (!S_ISLNK(inode->mode) || !inode->ops || !inode->ops->readlink)
		return refuse(EINVAL, "not a symbolic link");
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
	struct path path;
	char first;
	long len;

	if (size <= 0)
		return refuse(EINVAL, "no room for the answer");
	if (copy_from_user(&first, name, 1))
		return -EFAULT;
	len = path_at(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &path);
	if (len < 0)
		return len;
	len = read_link(path.dentry->inode, result, size);
	if (len >= 0)
		link_accessed(path.mount, path.dentry->inode);
	if (len == -EINVAL && !first)
		len = -ENOENT; /* the empty name leads to a link only if dirfd itself does */
	path_put(&path);
	return len;
}

long sys_readlink(const char __user *name, char __user *result, int size)
{
	return sys_readlinkat(AT_FDCWD, name, result, size);
}
