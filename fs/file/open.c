/*
 * Opening files by name.
 *
 * 1. With O_CREAT, the last component is looked up and, if it does not exist, made, with its
 *    directory's lock held. If two tasks create the same name, one makes it and the other one finds
 *    it.
 * 2. The permission to make a file includes the permission to open it, whatever its mode.
 * 3. The file's open operation runs without any lock. That of a FIFO may wait for the other end.
 * 4. All that an open file needs is allocated before a name is made. An open that fails for lack of
 *    memory, descriptors or files has therefore made nothing.
 * 5. With O_PATH the result only stands for the path. The file is not opened, and no permission is
 *    needed but that to walk there. The flags that such an open cannot obey are dropped, as on
 *    Linux.
 * 6. With O_TMPFILE the path is that of a directory, and the file is made on its file system
 *    without a name. Unless O_EXCL forbids it, linkat(2) can give it one later.
 * 7. Unknown and unsupported flags are EINVAL.
 * 8. The access mode 3 needs the permissions to read and to write, and the open file can do
 *    neither. Its other calls, such as ioctl(2), work.
 */
#include "fs/cache/pageio.h"
#include "lib/print.h"
#include "lib/string.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/file/lease.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

#define O_KNOWN                                                                               \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
	 O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME | O_PATH | \
	 O_TMPFILE)
#define O_WITH_PATH (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/*
 * Flags that the open file does not keep. (open_path() also drops O_NOCTTY after the open
 * operation.)
 */
#define O_AT_ONCE (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)

static const struct file_ops failed_file_ops; /* after a failed open: has no release */
static const struct file_ops path_file_ops;   /* of a path descriptor, which nothing can use */

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
	if (S_ISFIFO(inode->mode) && (flags & O_ACCMODE) == O_ACCMODE)
		return refuse(EINVAL, "a FIFO that is neither read nor written");
	return inode->file_ops ? 0 : -ENXIO;
}

/* Allocate an open file without an inode, before a name is made. Returns ERR_PTR on failure. */
static struct file *file_prepare(unsigned int flags)
{
	return file_alloc(NULL, &failed_file_ops, flags & ~O_AT_ONCE);
}

/* Let the prepared file stand for the path. Returns 0 or -ENOTDIR. */
static int point_to_path(struct file *file, const struct path *path)
{
	if (file->flags & O_DIRECTORY && !S_ISDIR(path->dentry->inode->mode))
		return -ENOTDIR;
	inode_get(path->dentry->inode);
	file->inode = path->dentry->inode;
	file->ops = &path_file_ops;
	file->path = *path;
	path_get(&file->path);
	file->readable = file->writable = false;
	return 0;
}

static bool is_device(const struct inode *inode)
{
	return S_ISCHR(inode->mode) || S_ISBLK(inode->mode);
}

static int truncate_opened(struct file *file)
{
	int error = mount_begin_writing(file->path.mount); /* O_TRUNC may come without writing */

	if (error)
		return error;
	error = inode_truncate(file->inode, 0);
	mount_end_writing(file->path.mount);
	if (!error)
		notify_file(file, IN_MODIFY);
	return error;
}

/* Count one more file that is open for writing. Returns 0, -EROFS or -ETXTBSY. */
static int begin_writing(struct mount *mount, struct inode *inode)
{
	int error = mount_begin_writing(mount);

	if (error)
		return error;
	error = inode_begin_writing(inode);
	if (error)
		mount_end_writing(mount);
	return error;
}

/* An ordinary file is open. Returns 0, -EAGAIN or -ERESTARTSYS. */
static int count_and_break_leases(struct file *file, unsigned int flags)
{
	if (!file->writable) {
		atomic_inc(&file->inode->readers);
		file->reading = true;
	}
	return lease_break(file->inode, file->writable, !(flags & O_NONBLOCK));
}

/*
 * Open `path` as the prepared file. If the call has just created it, permissions are not checked
 * again. Returns 0 or an error.
 */
static int open_path(struct file *file, const struct path *path, unsigned int flags, bool created)
{
	struct inode *inode = path->dentry->inode;
	int error;

	if (flags & O_PATH)
		return point_to_path(file, path);
	error = check_type(inode, flags);
	if (!error && is_device(inode) && path->mount->flags & MOUNT_NODEV)
		error = refuse(EACCES, "the mount has no devices");
	if (!error && !created)
		error = inode_permission(inode, open_may(flags));
	if (!error && !created && inode_only_grows(inode) &&
	    (flags & O_TRUNC || (open_may(flags) & MAY_WRITE && !(flags & O_APPEND))))
		error = refuse(EPERM, "the file is append-only");
	if (!error && flags & O_NOATIME && !inode_owner_or_root(inode))
		error = refuse(EPERM, "O_NOATIME is for the file's owner");
	if (error)
		return error;
	if (S_ISREG(inode->mode) && file->writable) {
		error = begin_writing(path->mount, inode);
		if (error)
			return error;
		file->writing = true;
	}
	inode_get(inode);
	file->inode = inode;
	file->ops = inode->file_ops;
	file->path = *path;
	path_get(&file->path);
	file->exclusive = flags & O_EXCL;
	if (S_ISREG(inode->mode))
		error = count_and_break_leases(file, flags);
	if (!error && file->ops->open)
		error = file->ops->open(inode, file);
	file->flags &= ~O_NOCTTY;
	if (error)
		file->ops = &failed_file_ops;
	else if (flags & O_DIRECT && !mapping_allows_direct(&file->inode->mapping))
		error = refuse(EINVAL, "the file is always read and written through memory");
	else if (flags & O_TRUNC && !created && S_ISREG(inode->mode))
		error = truncate_opened(file);
	file->opened = !error;
	if (!error)
		notify_file(file, IN_OPEN);
	return error;
}

/* Returns the file, or, if there was an error, drops it and returns that as ERR_PTR. */
static struct file *opened(struct file *file, int error)
{
	if (!error)
		return file;
	file_put(file);
	return ERR_PTR(error);
}

struct file *file_open_path(const struct path *path, unsigned int flags)
{
	struct file *file = file_prepare(flags);

	return IS_ERR(file) ? file : opened(file, open_path(file, path, flags, false));
}

struct file *file_open_program(const struct path *path)
{
	struct file *file;

	if (!S_ISREG(path->dentry->inode->mode))
		return ERR_PTR(refuse(EACCES, "not a regular file"));
	if (path->mount->flags & MOUNT_NOEXEC)
		return ERR_PTR(refuse(EACCES, "the mount has no programs"));
	if (inode_permission(path->dentry->inode, MAY_EXEC) < 0)
		return ERR_PTR(refuse(EACCES, "not executable for this user"));
	file = file_prepare(O_RDONLY);
	/* Read permission is not checked: the program runs, and the caller gets no descriptor. */
	return IS_ERR(file) ? file : opened(file, open_path(file, path, O_RDONLY, true));
}

/* ---- files without a name ---- */

static bool wants_nameless(unsigned int flags)
{
	return flags & O_TMPFILE & ~O_DIRECTORY;
}

/* Returns a dentry for a new file without a name, or ERR_PTR. */
static struct dentry *make_nameless(struct dentry *dir, unsigned int flags, unsigned int mode)
{
	struct inode *inode;
	struct name name = { 0 };
	struct dentry *dentry;
	char text[16];
	int error = mutex_lock_killable(&dir->inode->lock);

	if (error)
		return ERR_PTR(error);
	mode = S_IFREG | (mode & 07777 & ~current->fs->umask);
	inode = dir->inode->deleted ? ERR_PTR(-ENOENT)
				    : dir->inode->ops->nameless(dir->inode, mode);
	mutex_unlock(&dir->inode->lock);
	if (IS_ERR(inode))
		return (void *)inode;
	inode->linkable = !(flags & O_EXCL);
	name.text = text;
	name.len = snprintf(text, sizeof(text), "#%u", (unsigned int)inode->number);
	dentry = dentry_make_deleted(dir, &name, inode);
	return dentry ? dentry : ERR_PTR(-ENOMEM);
}

/* Make a file without a name in the directory, and open it as the prepared file. */
static int open_nameless(struct file *file, const struct path *directory, unsigned int flags,
			 unsigned int mode)
{
	struct inode *dir = directory->dentry->inode;
	struct path path = *directory;
	int error;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	error = mount_begin_writing(directory->mount);
	if (error)
		return error;
	error = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (!error && !dir->ops->nameless)
		error = -EOPNOTSUPP;
	if (!error) {
		path.dentry = make_nameless(directory->dentry, flags, mode);
		error = IS_ERR(path.dentry) ? PTR_ERR(path.dentry) : 0;
	}
	if (!error) {
		error = open_path(file, &path, flags & ~O_TMPFILE, true);
		dentry_put(path.dentry);
	}
	mount_end_writing(directory->mount);
	return error;
}

/* ---- the walk ---- */

/* Walk the last component for O_CREAT, and make it if needed. Returns the same as walk_last(). */
static int create_last(struct walk *walk, unsigned int flags, unsigned int mode, bool *created)
{
	const struct new_name new = { .mode = S_IFREG | (mode & 07777) };
	struct inode *dir = walk_dir(walk);
	struct dentry *dentry;
	int error = 0, read_only;

	if (!walk_last_is_name(walk))
		return flags & O_EXCL ? -EEXIST : -EISDIR;
	if (walk->slash)
		return -EISDIR;
	read_only = mount_begin_writing(walk->at.mount); /* is no error for a file that exists */
	dentry = walk_lock_last(walk);
	if (IS_ERR(dentry)) {
		if (!read_only)
			mount_end_writing(walk->at.mount);
		return PTR_ERR(dentry);
	}
	if (!dentry->inode) {
		error = read_only ? read_only : make_locked(dir, dentry, &new);
		*created = !error;
	} else if (flags & O_EXCL) {
		error = -EEXIST;
	}
	mutex_unlock(&dir->lock);
	if (!read_only)
		mount_end_writing(walk->at.mount);
	if (error) {
		dentry_put(dentry);
		return error;
	}
	if (S_ISLNK(dentry->inode->mode) && !(flags & O_NOFOLLOW))
		return walk_into_link(walk, dentry);
	return walk_to(walk, dentry);
}

/* Drop the flags that have no meaning. Returns 0, or -EINVAL for flags that exclude each other. */
static int check_flags(unsigned int *flags)
{
	if (*flags & O_PATH)
		*flags &= O_WITH_PATH;
	*flags &= O_KNOWN; /* openat2(2) has refused other ones */
	if (wants_nameless(*flags) &&
	    ((*flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || !(*flags & O_ACCMODE)))
		return refuse(EINVAL, "a file without a name that cannot be written");
	if (*flags & O_CREAT && *flags & O_DIRECTORY)
		return refuse(EINVAL, "open makes no directories");
	return 0;
}

struct file *file_open_again(const struct path *path, unsigned int flags)
{
	struct file *file;
	int error = check_flags(&flags);

	if (!error && flags & O_CREAT && flags & O_EXCL)
		error = -EEXIST;
	if (error)
		return ERR_PTR(error);
	file = file_prepare(flags);
	if (IS_ERR(file))
		return file;
	return opened(file, wants_nameless(flags) ? open_nameless(file, path, flags, 0)
						  : open_path(file, path, flags, false));
}

/* `name` may be an ERR_PTR. Returns a file with one reference, or ERR_PTR. */
static struct file *open_at(int dirfd, const char *name, unsigned int flags, unsigned int mode,
			    unsigned int resolve)
{
	bool created = false;
	struct file *file;
	struct walk walk;
	int error;

	error = check_flags(&flags);
	if (error)
		return ERR_PTR(error);
	file = file_prepare(flags);
	if (IS_ERR(file))
		return file;
	error = walk_parent_resolve(&walk, dirfd, name, resolve);
	while (!error) {
		error = flags & O_CREAT ? create_last(&walk, flags, mode, &created)
					: walk_last(&walk, !(flags & O_NOFOLLOW));
		if (error <= 0)
			break;
		error = walk_to_last(&walk);
	}
	if (!error && wants_nameless(flags))
		error = open_nameless(file, &walk.at, flags, mode);
	else if (!error)
		error = open_path(file, &walk.at, flags, created);
	walk_end(&walk);
	return opened(file, error);
}

static long open_user(int dirfd, const char __user *user_name, unsigned int flags,
		      unsigned int mode, unsigned int resolve)
{
	char *name = name_from_user(user_name);
	int fd = fd_reserve(0, flags & O_CLOEXEC);
	struct file *file = fd < 0 ? ERR_PTR(fd) : open_at(dirfd, name, flags, mode, resolve);

	name_free(name);
	if (!IS_ERR(file)) {
		fd_install(fd, file);
		return fd;
	}
	if (fd >= 0)
		fd_unreserve(fd);
	return PTR_ERR(file);
}

long sys_openat(int dirfd, const char __user *name, unsigned int flags, unsigned int mode)
{
	return open_user(dirfd, name, flags, mode, 0);
}

/* ---- openat2 ---- */

struct open_how { /* linux/openat2.h */
	uint64_t flags, mode, resolve;
};

/*
 * Copy the structure. A longer one may be used if the rest is zero. Returns 0 or an error. May
 * sleep.
 */
static int copy_how(struct open_how *how, const char __user *from, size_t size)
{
	char byte;

	if (size < sizeof(*how))
		return refuse(EINVAL, "a structure that is too short");
	if (size > PAGE_SIZE)
		return -E2BIG;
	for (size_t at = sizeof(*how); at < size; at++) {
		if (copy_from_user(&byte, from + at, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return copy_from_user(how, from, sizeof(*how));
}

/* Unlike openat(2), this call ignores nothing. Returns 0, -EINVAL or -EAGAIN. */
static int check_how(const struct open_how *how)
{
	bool makes = how->flags & O_CREAT || wants_nameless(how->flags);

	if (how->flags & ~(uint64_t)O_KNOWN || how->resolve & ~(uint64_t)RESOLVE_ALL)
		return refuse(EINVAL, "a flag that is not supported");
	if ((how->resolve & RESOLVE_SCOPED) == RESOLVE_SCOPED)
		return refuse(EINVAL, "RESOLVE_BENEATH with RESOLVE_IN_ROOT");
	if (how->mode & ~(uint64_t)07777 || (how->mode && !makes))
		return refuse(EINVAL, "a mode that is not needed or impossible");
	if (how->flags & O_PATH && how->flags & ~(uint64_t)O_WITH_PATH)
		return refuse(EINVAL, "O_PATH with a flag that it excludes");
	if (how->resolve & RESOLVE_CACHED && (makes || how->flags & O_TRUNC))
		return -EAGAIN;
	return 0;
}

long sys_openat2(int dirfd, const char __user *name, const void __user *user_how, size_t size)
{
	struct open_how how;
	int error = copy_how(&how, user_how, size);

	if (!error)
		error = check_how(&how);
	return error ? error : open_user(dirfd, name, how.flags, how.mode, how.resolve);
}

long sys_open(const char __user *name, unsigned int flags, unsigned int mode)
{
	return sys_openat(AT_FDCWD, name, flags, mode);
}

long sys_creat(const char __user *name, unsigned int mode)
{
	return sys_openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
