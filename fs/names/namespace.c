/*
 * Making, removing and renaming names: mkdir, mknod, symlink, link, unlink, rmdir, rename; and
 * readlink.
 *
 * 1. A name changes with its directory's lock held. If it is removed, replaced or linked, the lock
 *    of its inode is held as well. The order is a directory before its entries, an upper directory
 *    before a lower one, and files last, by address.
 * 2. Only rename locks two directories of which neither is above the other. rename_mutex allows one
 *    rename at a time. All other calls wait downwards only, so the waits cannot form a cycle. The
 *    mutex also keeps the relation of the two directories unchanged while they are being locked.
 * 3. A removed directory is marked (inode->deleted) under its lock, and then takes no new names.
 * 4. A mount point can be neither removed nor renamed. The error is EBUSY.
 */
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/vfs_internal.h"

static struct mutex rename_mutex = MUTEX_INIT(rename_mutex);

static struct inode *walk_dir(const struct walk *walk)
{
	return walk->at->inode;
}

/* In a sticky directory, only the owner of the file or of the directory may remove a name. */
static int may_remove(struct inode *dir, const struct dentry *victim)
{
	int error = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (dir->mode & S_ISVTX && !inode_owner_or_root(victim->inode) && !inode_owner_or_root(dir))
		return -EPERM;
	return victim->mounts ? -EBUSY : 0;
}

struct dentry *walk_lock_last(struct walk *walk)
{
	struct inode *dir = walk_dir(walk);
	struct dentry *dentry;
	int error = mutex_lock_killable(&dir->lock);

	if (error)
		return ERR_PTR(error);
	dentry = dentry_lookup_locked(walk->at, &walk->last);
	if (IS_ERR(dentry))
		mutex_unlock(&dir->lock);
	return dentry;
}

/* ---- making ---- */

static int link_locked(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	int error;

	if (inode->sb != dir->sb)
		return -EXDEV;
	if (S_ISDIR(inode->mode) || !dir->ops->link)
		return -EPERM;
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	/* The last name of the inode may have been removed since the lookup. */
	error = inode->nr_links > 0 ? dir->ops->link(dir, dentry, inode) : -ENOENT;
	mutex_unlock(&inode->lock);
	if (!error) {
		inode_get(inode);
		dentry_set_inode(dentry, inode);
	}
	return error;
}

int make_locked(struct inode *dir, struct dentry *dentry, const struct new_name *new)
{
	unsigned int mode = new->mode;
	struct inode *inode;
	int error = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (error)
		return error;
	if (new->inode)
		return link_locked(dir, dentry, new->inode);
	if (!dir->ops->create)
		return -EPERM;
	if (current->fs && !new->target)
		mode &= ~current->fs->umask;
	inode = dir->ops->create(dir, dentry, mode, new->rdev, new->target);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	dentry_set_inode(dentry, inode);
	return 0;
}

/* Make the last name of a walk. */
static int make_last(struct walk *walk, const struct new_name *new)
{
	struct dentry *dentry;
	int error;

	if (!walk_last_is_name(walk))
		return -EEXIST;
	dentry = walk_lock_last(walk);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (dentry->inode)
		error = -EEXIST;
	else if (walk->slash && !S_ISDIR(new->mode))
		error = -ENOENT;
	else
		error = make_locked(walk_dir(walk), dentry, new);
	mutex_unlock(&walk_dir(walk)->lock);
	dentry_put(dentry);
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
		if (!current_is_root())
			return -EPERM;
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
	struct dentry *old;
	long error;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return refuse(EINVAL, "a link flag that is not supported");
	/* A descriptor may have come from a program that could open the file. Its user may not. */
	if (flags & AT_EMPTY_PATH && !current_is_root())
		return -ENOENT;
	old = path_at(old_dirfd, old_name,
		      (flags & AT_EMPTY_PATH) |
			      (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW));
	if (IS_ERR(old))
		return PTR_ERR(old);
	error = make_at(new_dirfd, new_name, (struct new_name){ .inode = old->inode });
	path_put(old);
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
	if (directory && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	error = may_remove(dir, dentry);
	if (error)
		return error;
	if (!directory && S_ISDIR(inode->mode))
		return -EISDIR;
	if (!directory && walk->slash)
		return -ENOTDIR;
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

static int remove_last(struct walk *walk, bool directory)
{
	struct dentry *dentry;
	int error;

	if (!walk_last_is_name(walk))
		return not_removable(&walk->last, directory);
	dentry = walk_lock_last(walk);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	error = remove_locked(walk, dentry, directory);
	mutex_unlock(&walk_dir(walk)->lock);
	dentry_put(dentry);
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

/* ---- renaming ---- */

struct renaming {
	struct walk from, to;
	struct dentry *old, *target; /* target may be negative */
};

/* Lock two inodes in this order. They may be the same. On an error, neither is locked. */
static int lock_both(struct inode *first, struct inode *second)
{
	int error = mutex_lock_killable(&first->lock);

	if (error || first == second)
		return error;
	error = mutex_lock_killable(&second->lock);
	if (error)
		mutex_unlock(&first->lock);
	return error;
}

static int lock_directories(struct renaming *r)
{
	struct dentry *a = r->from.at;
	struct dentry *b = r->to.at;
	int error = mutex_lock_killable(&rename_mutex);

	if (error)
		return error;
	error = dentry_below(a, b) ? lock_both(b->inode, a->inode) : lock_both(a->inode, b->inode);
	if (error)
		mutex_unlock(&rename_mutex);
	return error;
}

static void unlock_directories(struct renaming *r)
{
	struct inode *a = walk_dir(&r->from);
	struct inode *b = walk_dir(&r->to);

	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
	mutex_unlock(&rename_mutex);
}

static int check_rename(struct renaming *r)
{
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	int error;

	if (!old)
		return -ENOENT;
	if (!S_ISDIR(old->mode) && (r->from.slash || r->to.slash))
		return -ENOTDIR;
	/* A directory can neither move into itself nor replace a directory above it. */
	if (dentry_below(r->to.at, r->old))
		return refuse(EINVAL, "a directory into itself");
	if (dentry_below(r->from.at, r->target))
		return -ENOTEMPTY;
	error = may_remove(walk_dir(&r->from), r->old);
	if (error)
		return error;
	if (!target)
		error = inode_permission(walk_dir(&r->to), MAY_WRITE | MAY_EXEC);
	else if (S_ISDIR(old->mode) != S_ISDIR(target->mode))
		error = S_ISDIR(old->mode) ? -ENOTDIR : -EISDIR;
	else
		error = may_remove(walk_dir(&r->to), r->target);
	/* Moving a directory to another one changes its "..". */
	if (!error && S_ISDIR(old->mode) && walk_dir(&r->from) != walk_dir(&r->to))
		error = inode_permission(old, MAY_WRITE);
	return error;
}

/* Rename with both directories locked. Locks the two inodes, that with the lower address first. */
static int rename_checked(struct renaming *r)
{
	struct inode *old_dir = walk_dir(&r->from);
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	int error;

	if (target == old)
		return 0; /* POSIX: renaming one name of a file to another does nothing */
	if (!old_dir->ops->rename)
		return -EPERM;
	error = target && target < old ? lock_both(target, old)
				       : lock_both(old, target ? target : old);
	if (error)
		return error;
	error = -EBUSY;
	if (!r->old->mounts && !r->target->mounts)
		error = old_dir->ops->rename(old_dir, r->old, walk_dir(&r->to), r->target);
	if (!error && target)
		target->deleted = S_ISDIR(target->mode);
	mutex_unlock(&old->lock);
	if (target)
		mutex_unlock(&target->lock);
	if (!error)
		dentry_move(r->old, r->target);
	return error;
}

/* Look up both names, check and rename. Both directories are locked. */
static int rename_locked(struct renaming *r)
{
	int error;

	r->old = dentry_lookup_locked(r->from.at, &r->from.last);
	if (IS_ERR(r->old))
		return PTR_ERR(r->old);
	r->target = dentry_lookup_locked(r->to.at, &r->to.last);
	error = IS_ERR(r->target) ? PTR_ERR(r->target) : check_rename(r);
	if (!error)
		error = rename_checked(r);
	if (!IS_ERR(r->target))
		dentry_put(r->target);
	dentry_put(r->old);
	return error;
}

static int rename_last(struct renaming *r)
{
	int error;

	if (r->from.at->sb != r->to.at->sb)
		return -EXDEV;
	if (!walk_last_is_name(&r->from) || !walk_last_is_name(&r->to))
		return -EBUSY;
	error = lock_directories(r);
	if (error)
		return error;
	error = rename_locked(r);
	unlock_directories(r);
	return error;
}

long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name)
{
	struct renaming r;
	int error = walk_parent_user(&r.from, old_dirfd, old_name);

	if (!error) {
		error = walk_parent_user(&r.to, new_dirfd, new_name);
		if (!error)
			error = rename_last(&r);
		walk_end(&r.to);
	}
	walk_end(&r.from);
	return error;
}

long sys_rename(const char __user *old, const char __user *name)
{
	return sys_renameat(AT_FDCWD, old, AT_FDCWD, name);
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
	struct dentry *path;
	char first;
	long len;

	if (size <= 0)
		return refuse(EINVAL, "no room for the answer");
	if (copy_from_user(&first, name, 1))
		return -EFAULT;
	path = path_at(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	if (IS_ERR(path))
		return PTR_ERR(path);
	len = read_link(path->inode, result, size);
	if (len == -EINVAL && !first)
		len = -ENOENT; /* the empty name leads to a link only if dirfd itself does */
	path_put(path);
	return len;
}

long sys_readlink(const char __user *name, char __user *result, int size)
{
	return sys_readlinkat(AT_FDCWD, name, result, size);
}
