/*
 * Renaming: moving a name, over another one or not, and letting two names change places.
 *
 * 1. Only rename locks two directories of which neither is above the other. rename_mutex allows one
 *    rename at a time. All other calls wait downwards only, so the waits cannot form a cycle. The
 *    mutex also keeps the relation of the two directories unchanged while they are being locked.
 * 2. The inodes of both names are locked after the directories, the lower address first.
 * 3. With RENAME_WHITEOUT, the file system leaves a whiteout in place of the old name. Its dentry
 *    is made before the name moves, so that nothing can fail afterwards.
 */
#include "kernel/syscalls.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

static struct mutex rename_mutex = MUTEX_INIT(rename_mutex);

enum rename_flags { /* linux/fs.h */
		    RENAME_NOREPLACE = 1,
		    RENAME_EXCHANGE = 2,
		    RENAME_WHITEOUT = 4,
};

struct renaming {
	struct walk from, to;
	unsigned int flags;
	struct dentry *old, *target; /* target may be negative */
	struct dentry *early;	     /* of the whiteout, or NULL */
	struct inode *whiteout;	     /* or NULL */
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
	struct dentry *a = r->from.at.dentry;
	struct dentry *b = r->to.at.dentry;
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

/*
 * Check what the names say, as opposed to permissions. A directory can neither move into itself nor
 * replace a directory above it.
 */
static int check_names(const struct renaming *r)
{
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	bool exchange = r->flags & RENAME_EXCHANGE;

	if (!old)
		return -ENOENT;
	if (r->flags & RENAME_NOREPLACE && target)
		return -EEXIST;
	if (exchange && !target)
		return -ENOENT;
	if (exchange && !S_ISDIR(target->mode) && r->to.slash)
		return -ENOTDIR;
	if (!S_ISDIR(old->mode) && (r->from.slash || (r->to.slash && !exchange)))
		return -ENOTDIR;
	if (dentry_below(r->to.at.dentry, r->old))
		return refuse(EINVAL, "a directory into itself");
	if (!dentry_below(r->from.at.dentry, r->target))
		return 0;
	return exchange ? refuse(EINVAL, "a directory into itself") : -ENOTEMPTY;
}

/* Moving a directory to another one changes its "..". */
static int may_move(const struct renaming *r, struct inode *inode)
{
	if (!inode || !S_ISDIR(inode->mode) || walk_dir(&r->from) == walk_dir(&r->to))
		return 0;
	return inode_permission(inode, MAY_WRITE);
}

static int check_rename(struct renaming *r)
{
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	bool exchange = r->flags & RENAME_EXCHANGE;
	int error = check_names(r);

	if (!error)
		error = name_may_go(walk_dir(&r->from), r->old);
	if (error)
		return error;
	if (!target)
		error = inode_permission(walk_dir(&r->to), MAY_WRITE | MAY_EXEC);
	else if (!exchange && S_ISDIR(old->mode) != S_ISDIR(target->mode))
		error = S_ISDIR(old->mode) ? -ENOTDIR : -EISDIR;
	else
		error = name_may_go(walk_dir(&r->to), r->target);
	if (!error)
		error = may_move(r, old);
	return error || !exchange ? error : may_move(r, target);
}

/* Lock the two inodes, that with the lower address first. `target` may be NULL. */
static int lock_inodes(struct inode *old, struct inode *target)
{
	return target && target < old ? lock_both(target, old)
				      : lock_both(old, target ? target : old);
}

/* Move the name, or let both change places. The directories and the inodes are locked. */
static int rename_inodes(struct renaming *r)
{
	struct inode *from = walk_dir(&r->from), *to = walk_dir(&r->to);
	struct inode *target = r->target->inode;
	int error;

	if (r->old->mounts || r->target->mounts)
		return -EBUSY;
	if (r->flags & RENAME_EXCHANGE)
		return from->ops->exchange(from, r->old, to, r->target);
	error = from->ops->rename(from, r->old, to, r->target, r->early ? &r->whiteout : NULL);
	if (!error && target)
		target->deleted = S_ISDIR(target->mode);
	return error;
}

/* Tell both directories that the inode has moved. */
static void tell_move(const struct walk *from, const struct walk *to, const struct inode *inode)
{
	uint32_t cookie;

	if (!READ_ONCE(nr_inode_watches))
		return;
	cookie = notify_cookie();
	notify_name(walk_dir(from), IN_MOVED_FROM, inode->mode, cookie, from->last.text,
		    from->last.len);
	notify_name(walk_dir(to), IN_MOVED_TO, inode->mode, cookie, to->last.text, to->last.len);
}

/* The inodes have been renamed: let the dentries follow, and tell who watches. */
static void rename_dentries(struct renaming *r)
{
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	bool exchange = r->flags & RENAME_EXCHANGE;

	if (exchange)
		dentry_exchange(r->old, r->target);
	else
		dentry_move(r->old, r->target);
	if (r->early)
		dentry_add(r->from.at.dentry, r->early, r->whiteout);
	tell_move(&r->from, &r->to, old);
	if (exchange)
		tell_move(&r->to, &r->from, target);
	else if (target)
		notify_inode(target, IN_ATTRIB); /* its number of links */
	notify_inode(old, IN_MOVE_SELF);
	if (exchange)
		notify_inode(target, IN_MOVE_SELF);
}

/* Rename with both directories locked. */
static int rename_checked(struct renaming *r)
{
	const struct inode_ops *ops = walk_dir(&r->from)->ops;
	struct inode *old = r->old->inode;
	struct inode *target = r->target->inode;
	int error;

	if (target == old)
		return 0; /* POSIX: renaming one name of a file to another does nothing */
	if (!ops->rename)
		return -EPERM;
	if (r->flags & RENAME_EXCHANGE && !ops->exchange)
		return refuse(EINVAL, "this file system cannot exchange names");
	if (r->flags & RENAME_WHITEOUT) {
		r->early = dentry_make_early(old->sb, &r->from.last);
		if (!r->early)
			return -ENOMEM;
	}
	error = lock_inodes(old, target);
	if (error)
		return error;
	error = rename_inodes(r);
	mutex_unlock(&old->lock);
	if (target)
		mutex_unlock(&target->lock);
	if (!error)
		rename_dentries(r);
	return error;
}

/* Look up both names, check and rename. Both directories are locked. */
static int rename_locked(struct renaming *r)
{
	int error;

	r->old = dentry_lookup_locked(r->from.at.dentry, &r->from.last);
	if (IS_ERR(r->old))
		return PTR_ERR(r->old);
	r->target = dentry_lookup_locked(r->to.at.dentry, &r->to.last);
	error = IS_ERR(r->target) ? PTR_ERR(r->target) : check_rename(r);
	if (!error)
		error = rename_checked(r);
	dentry_put(r->early);
	if (!IS_ERR(r->target))
		dentry_put(r->target);
	dentry_put(r->old);
	return error;
}

static int rename_last(struct renaming *r)
{
	int error;

	if (r->from.at.mount != r->to.at.mount)
		return -EXDEV;
	if (!walk_last_is_name(&r->from))
		return -EBUSY;
	if (!walk_last_is_name(&r->to))
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	error = mount_begin_writing(r->to.at.mount);
	if (error)
		return error;
	error = lock_directories(r);
	if (!error) {
		error = rename_locked(r);
		unlock_directories(r);
	}
	mount_end_writing(r->to.at.mount);
	return error;
}

long sys_renameat2(int old_dirfd, const char __user *old_name, int new_dirfd,
		   const char __user *new_name, unsigned int flags)
{
	struct renaming r;
	int error;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return refuse(EINVAL, "a rename flag that is not supported");
	if (flags & RENAME_EXCHANGE && flags != RENAME_EXCHANGE)
		return refuse(EINVAL, "RENAME_EXCHANGE goes with no other flag");
	r.flags = flags;
	r.early = NULL;
	error = walk_parent_user(&r.from, old_dirfd, old_name);
	if (!error) {
		error = walk_parent_user(&r.to, new_dirfd, new_name);
		if (!error)
			error = rename_last(&r);
		walk_end(&r.to);
	}
	walk_end(&r.from);
	return error;
}

long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name)
{
	return sys_renameat2(old_dirfd, old_name, new_dirfd, new_name, 0);
}

long sys_rename(const char __user *old, const char __user *name)
{
	return sys_renameat(AT_FDCWD, old, AT_FDCWD, name);
}
