/*
 * Extended attributes (xattr(7)): the system calls. What a file system provides is in
 * fs/names/xattr.h. On other file systems the answers are EOPNOTSUPP and an empty list, which
 * programs such as ls and cp expect there.
 *
 * 1. Arguments are checked in Linux's order.
 * 2. A value is copied from the program before the inode is locked, and to the program after that.
 */
#include "fs/names/xattr.h"
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define FILE_CAPABILITIES "security.capability"

/* A call, whichever way it names its file. */
struct request {
	enum { XATTR_LIST, XATTR_GET, XATTR_SET, XATTR_REMOVE } kind;
	const char __user *name;
	void __user *value; /* or the list */
	size_t size;
	unsigned int flags;
};

static bool begins(const char *name, const char *beginning)
{
	return strncmp(name, beginning, strlen(beginning)) == 0;
}

/* ---- permissions ---- */

/* May the current process read or change this attribute? Returns 0, -EPERM, -ENODATA or others. */
static int check_permission(struct inode *inode, const char *name, bool change)
{
	bool refused = false;

	if (change && inode_stays(inode))
		return refuse(EPERM, "the file is immutable or append-only");
	if (begins(name, "security."))
		return change && !capable(strcmp(name, FILE_CAPABILITIES) ? CAP_SYS_ADMIN
									  : CAP_SETFCAP)
			       ? -EPERM
			       : 0;
	if (begins(name, "system."))
		return 0;
	if (begins(name, "trusted."))
		return capable(CAP_SYS_ADMIN) ? 0 : change ? -EPERM : -ENODATA;
	if (begins(name, "user."))
		refused = (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode)) ||
			  (change && S_ISDIR(inode->mode) && inode->mode & S_ISVTX &&
			   !inode_owner_or_root(inode));
	if (refused)
		return change ? -EPERM : -ENODATA;
	return inode_permission(inode, change ? MAY_WRITE : MAY_READ);
}

static const struct xattr_ops *ops_of(const struct inode *inode)
{
	return inode->ops ? inode->ops->xattrs : NULL;
}

/* ---- getting and listing ---- */

static ssize_t get(struct inode *inode, const char *name, const struct request *request)
{
	const struct xattr_ops *ops = ops_of(inode);
	size_t size = MIN(request->size, (size_t)XATTR_SIZE_MAX);
	ssize_t len = check_permission(inode, name, false);
	void *value = NULL;

	if (len < 0)
		return len;
	if (!ops)
		return refuse(EOPNOTSUPP, "the file system has no extended attributes");
	if (size > 0 && !(value = kmalloc(size, 0)))
		return -ENOMEM;
	len = ops->get(inode, name, value, size);
	if (len > 0 && size > 0 && copy_to_user(request->value, value, len))
		len = -EFAULT;
	kfree(value);
	return len == -ERANGE && size == XATTR_SIZE_MAX ? -E2BIG : len;
}

int xattr_emit(struct xattr_names *names, const char *beginning, const char *rest, size_t rest_len)
{
	size_t len = strlen(beginning);

	if (begins(beginning, "trusted.") && !capable(CAP_SYS_ADMIN))
		return 0;
	if (names->to) {
		if (len + rest_len + 1 > names->size - names->used)
			return -ERANGE;
		memcpy(names->to + names->used, beginning, len);
		memcpy(names->to + names->used + len, rest, rest_len);
		names->to[names->used + len + rest_len] = '\0';
	}
	names->used += len + rest_len + 1;
	return 0;
}

static ssize_t list(struct inode *inode, const struct request *request)
{
	const struct xattr_ops *ops = ops_of(inode);
	struct xattr_names names = { .size = MIN(request->size, (size_t)XATTR_LIST_MAX) };
	ssize_t result;

	if (!ops)
		return 0;
	if (names.size > 0 && !(names.to = kmalloc(names.size, 0)))
		return -ENOMEM;
	result = ops->list(inode, &names);
	if (result == 0) {
		result = names.used;
		if (names.to && copy_to_user(request->value, names.to, names.used))
			result = -EFAULT;
	}
	kfree(names.to);
	return result == -ERANGE && names.size == XATTR_LIST_MAX ? -E2BIG : result;
}

/* ---- setting and removing ---- */

static int set_locked(struct inode *inode, const char *name, const void *value, size_t size,
		      unsigned int flags)
{
	int error = check_permission(inode, name, true);

	if (error)
		return error;
	if (!ops_of(inode) || (value && strcmp(name, FILE_CAPABILITIES) == 0))
		return refuse(EOPNOTSUPP, "the kernel or the file system has no such attributes");
	return ops_of(inode)->set(inode, name, value, size, flags);
}

/* Copy the program's value. A value of no bytes is one, too. Returns it, or ERR_PTR. */
static void *value_from_user(const struct request *request)
{
	void *value;

	if (request->size > XATTR_SIZE_MAX)
		return ERR_PTR(-E2BIG);
	value = kmalloc(MAX(request->size, (size_t)1), 0);
	if (!value)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(value, request->value, request->size)) {
		kfree(value);
		return ERR_PTR(-EFAULT);
	}
	return value;
}

static int change(struct inode *inode, const char *name, const struct request *request)
{
	bool removes = request->kind == XATTR_REMOVE;
	void *value = removes ? NULL : value_from_user(request);
	int error;

	if (IS_ERR(value))
		return PTR_ERR(value);
	error = mutex_lock_killable(&inode->lock);
	if (!error) {
		error = set_locked(inode, name, value, request->size,
				   removes ? XATTR_REPLACE : request->flags);
		mutex_unlock(&inode->lock);
	}
	kfree(value);
	return error;
}

/* ---- the arguments ---- */

static int name_from_program(char *name, const struct request *request)
{
	ssize_t len;

	if (request->flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return refuse(EINVAL, "not XATTR_CREATE or XATTR_REPLACE");
	len = strncpy_from_user(name, request->name, XATTR_NAME_MAX + 1);
	if (len == 0 || len == -ENAMETOOLONG)
		return refuse(ERANGE, "the attribute's name is empty or too long");
	return MIN(len, 0);
}

/* `path` has no mount if the file is a pipe or a socket. */
static long answer(const struct path *path, struct inode *inode, const struct request *request)
{
	char name[XATTR_NAME_MAX + 1];
	bool changes = request->kind == XATTR_SET || request->kind == XATTR_REMOVE;
	ssize_t result = 0;

	if (request->kind == XATTR_LIST)
		return list(inode, request);
	if (changes && path->mount)
		result = mount_begin_writing(path->mount);
	if (result < 0)
		return result;
	result = name_from_program(name, request);
	if (result == 0)
		result = changes ? change(inode, name, request) : get(inode, name, request);
	if (changes && path->mount)
		mount_end_writing(path->mount);
	if (changes && result == 0)
		notify_path(path->dentry, IN_ATTRIB);
	return result;
}

static long at_path(const char __user *name, unsigned int lookup, const struct request *request)
{
	struct path path;
	long result = path_lookup_user(AT_FDCWD, name, lookup, &path);

	if (result < 0)
		return result;
	result = answer(&path, path.dentry->inode, request);
	path_put(&path);
	return result;
}

static long at_fd(int number, const struct request *request)
{
	struct fd fd = fd_get(number);
	long result = fd.file ? answer(&fd.file->path, fd.file->inode, request) : -EBADF;

	fd_put(fd);
	return result;
}

/* ---- the calls: of the file at a path, of a link itself, of an open file ---- */

long sys_setxattr(const char __user *path, const char __user *name, void __user *value, size_t size,
		  unsigned int flags)
{
	return at_path(path, LOOKUP_FOLLOW,
		       &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_lsetxattr(const char __user *path, const char __user *name, void __user *value,
		   size_t size, unsigned int flags)
{
	return at_path(path, 0, &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_fsetxattr(int fd, const char __user *name, void __user *value, size_t size,
		   unsigned int flags)
{
	return at_fd(fd, &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	return at_path(path, LOOKUP_FOLLOW, &(struct request){ XATTR_GET, name, value, size, 0 });
}

long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value,
		   size_t size)
{
	return at_path(path, 0, &(struct request){ XATTR_GET, name, value, size, 0 });
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
	return at_fd(fd, &(struct request){ XATTR_GET, name, value, size, 0 });
}

long sys_listxattr(const char __user *path, void __user *list, size_t size)
{
	return at_path(path, LOOKUP_FOLLOW, &(struct request){ XATTR_LIST, NULL, list, size, 0 });
}

long sys_llistxattr(const char __user *path, void __user *list, size_t size)
{
	return at_path(path, 0, &(struct request){ XATTR_LIST, NULL, list, size, 0 });
}

long sys_flistxattr(int fd, void __user *list, size_t size)
{
	return at_fd(fd, &(struct request){ XATTR_LIST, NULL, list, size, 0 });
}

long sys_removexattr(const char __user *path, const char __user *name)
{
	return at_path(path, LOOKUP_FOLLOW,
		       &(struct request){ .kind = XATTR_REMOVE, .name = name });
}

long sys_lremovexattr(const char __user *path, const char __user *name)
{
	return at_path(path, 0, &(struct request){ .kind = XATTR_REMOVE, .name = name });
}

long sys_fremovexattr(int fd, const char __user *name)
{
	return at_fd(fd, &(struct request){ .kind = XATTR_REMOVE, .name = name });
}
