/*
 * Opening files by name.
 *
 * 1. With O_CREAT the last component is looked up, and made if it is not there, with its
 *    directory's lock held: of two that create one name, one makes it and the other one finds it.
 * 2. Permissions were checked when the file was made: a new one opens whatever its mode.
 * 3. The file's open operation runs without any lock; that of a FIFO may wait for the other end.
 * 4. Flags that the kernel does not know or support are EINVAL.
 */
#include "lib/string.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

#define O_KNOWN                                                                               \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
	 O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH)
/* What the open file remembers. */
#define O_KEPT                                                                                 \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | \
	 O_NOATIME | O_PATH)
#define O_WITH_PATH (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_PATH)

/* Of a file that O_PATH names, or whose open failed: it can do nothing. */
static const struct file_ops no_file_ops;

static int open_flags_check(unsigned int flags)
{
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return refuse(EOPNOTSUPP, "O_TMPFILE is not supported");
	if (flags & ~O_KNOWN || (flags & O_ACCMODE) == O_ACCMODE)
		return refuse(EINVAL, "an open flag that is not supported");
	return 0;
}

/* ---- the file at the end of a path ---- */

static unsigned int open_may(unsigned int flags)
{
	unsigned int access = flags & O_ACCMODE;
	unsigned int may = 0;

	if (access != O_WRONLY)
		may |= MAY_READ;
	if (access != O_RDONLY || flags & O_TRUNC)
		may |= MAY_WRITE;
	return may;
}

static int check_type(const struct inode *inode, unsigned int flags)
{
	bool writes = open_may(flags) & MAY_WRITE;

	if (S_ISLNK(inode->mode))
		return -ELOOP; /* O_NOFOLLOW */
	if (flags & O_DIRECTORY && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (S_ISDIR(inode->mode) && (writes || flags & O_CREAT))
		return -EISDIR;
	return inode->file_ops ? 0 : -ENXIO;
}

static int check_open(const struct path *path, unsigned int flags, bool created)
{
	struct inode *inode = path->dentry->inode;
	unsigned int may = open_may(flags);
	int error = check_type(inode, flags);

	if (error || created)
		return error;
	error = inode_permission(inode, may);
	if (!error && may & MAY_WRITE && S_ISREG(inode->mode))
		error = mount_writable(path->mount);
	if (!error && flags & O_NOATIME && !inode_owner_or_root(inode))
		error = -EPERM;
	return error;
}

static int file_truncate_at_open(struct file *file)
{
	int error = 0;

	/* A file that is open for reading only is not counted among the writers. */
	if (!file->writable)
		error = inode_begin_writing(file->inode);
	if (error)
		return error;
	error = inode_truncate(file->inode, 0);
	if (!file->writable)
		inode_end_writing(file->inode);
	return error;
}

static struct file *open_checked(const struct path *path, unsigned int flags, bool created)
{
	struct inode *inode = path->dentry->inode;
	struct file *file;
	int error = 0;

	if (flags & O_PATH) {
		if (flags & O_DIRECTORY && !S_ISDIR(inode->mode))
			return ERR_PTR(-ENOTDIR);
	} else {
		error = check_open(path, flags, created);
	}
	if (error)
		return ERR_PTR(error);
	inode_get(inode);
	file = file_alloc(inode, flags & O_PATH ? &no_file_ops : inode->file_ops,
			  flags & (O_KEPT | O_NOCTTY));
	if (IS_ERR(file))
		return file;
	file->path = *path;
	path_get(path);
	if (file->ops->open)
		error = file->ops->open(inode, file);
	file->flags &= ~O_NOCTTY; /* a word to the terminal's open only */
	if (error)
		file->ops = &no_file_ops; /* nothing to release */
	else if (flags & O_TRUNC && !created && S_ISREG(inode->mode))
		error = file_truncate_at_open(file);
	if (!error)
		return file;
	file_put(file);
	return ERR_PTR(error);
}

struct file *file_open_path(const struct path *path, unsigned int flags)
{
	int error = open_flags_check(flags);

	return error ? ERR_PTR(error) : open_checked(path, flags, false);
}

/* ---- the walk ---- */

/* Make the file that `dentry` names; its directory's lock is held. */
static int create_file(struct walk *walk, struct dentry *dentry, unsigned int mode)
{
	struct inode *dir = walk->path.dentry->inode;
	struct inode *inode;
	int error = mount_writable(walk->path.mount);

	if (!error)
		error = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (error)
		return error;
	if (!dir->ops->create)
		return -EPERM;
	inode = dir->ops->create(dir, dentry, S_IFREG | mode, 0);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (!dentry->inode)
		dentry_set_inode(dentry, inode);
	return 0;
}

/* The last component of an open with O_CREAT: 0, 1 if it is a link to be walked, or an error. */
static int walk_last_create(struct walk *walk, unsigned int flags, unsigned int mode, bool *created)
{
	struct dentry *dir = walk->path.dentry;
	struct dentry *dentry;
	int error = 0;

	if (walk->last.len == 0 || walk->slash || name_is_dot(&walk->last) ||
	    name_is_dotdot(&walk->last))
		return -EISDIR;
	mutex_lock(&dir->inode->lock);
	dentry = dentry_lookup_locked(dir, &walk->last);
	if (IS_ERR(dentry)) {
		mutex_unlock(&dir->inode->lock);
		return PTR_ERR(dentry);
	}
	if (!dentry->inode) {
		error = create_file(walk, dentry, mode);
		*created = !error;
	} else if (flags & O_EXCL) {
		error = -EEXIST;
	}
	mutex_unlock(&dir->inode->lock);
	if (error) {
		dentry_put(dentry);
		return error;
	}
	if (S_ISLNK(dentry->inode->mode) && !(flags & O_NOFOLLOW))
		return walk_into_link(walk, dentry);
	walk_to(walk, dentry);
	return 0;
}

struct file *file_open(int dirfd, const char *name, unsigned int flags, unsigned int mode)
{
	struct file *file = NULL;
	bool created = false;
	struct walk walk;
	int error;

	if (flags & O_PATH)
		flags &= O_WITH_PATH; /* all others mean nothing then, by definition */
	error = open_flags_check(flags);
	if (error)
		return ERR_PTR(error);
	if (current->fs)
		mode &= ~current->fs->umask;
	error = walk_start(&walk, dirfd, name, 0);
	while (error == 0) {
		error = walk_to_last(&walk);
		if (error)
			break;
		error = flags & O_CREAT ? walk_last_create(&walk, flags, mode & 07777, &created)
					: walk_last(&walk, !(flags & O_NOFOLLOW));
		if (error <= 0)
			break;
		error = 0;
	}
	if (!error)
		file = open_checked(&walk.path, flags, created);
	walk_end(&walk);
	return error ? ERR_PTR(error) : file;
}

/* ---- system calls ---- */

long sys_openat(int dirfd, const char __user *user_name, unsigned int flags, unsigned int mode)
{
	char *name = name_from_user(user_name);
	struct file *file;
	int fd;

	if (IS_ERR(name))
		return PTR_ERR(name);
	fd = fd_reserve(0, flags & O_CLOEXEC);
	if (fd < 0)
		goto free_name;
	file = file_open(dirfd, name, flags, mode);
	if (IS_ERR(file)) {
		fd_unreserve(fd);
		fd = PTR_ERR(file);
	} else {
		fd_install(fd, file);
	}
free_name:
	name_free(name);
	return fd;
}

long sys_open(const char __user *name, unsigned int flags, unsigned int mode)
{
	return sys_openat(AT_FDCWD, name, flags, mode);
}

long sys_creat(const char __user *name, unsigned int mode)
{
	return sys_openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
