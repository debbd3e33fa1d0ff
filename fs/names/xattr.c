/*
 * Extended attributes (xattr(7)). No file system here has any. Each call checks its arguments in
 * Linux's order, and then says so: EOPNOTSUPP, or an empty list. Programs such as ls and cp expect
 * that answer.
 */
#include "lib/string.h"
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536
#define XATTR_CREATE   1u
#define XATTR_REPLACE  2u

/* A call, whichever way it names its file. */
struct request {
	enum { XATTR_LIST, XATTR_GET, XATTR_SET, XATTR_REMOVE } kind;
	const char __user *name;
	const char __user *value; /* of XATTR_SET, as the next two */
	size_t size;
	unsigned int flags;
};

/* Check that the value can be read. Returns 0, -E2BIG or -EFAULT. May sleep. */
static int check_value(const struct request *request)
{
	char page[256];
	size_t n;

	if (request->size > XATTR_SIZE_MAX)
		return -E2BIG;
	for (size_t done = 0; done < request->size; done += n) {
		n = MIN(sizeof(page), request->size - done);
		if (copy_from_user(page, request->value + done, n))
			return -EFAULT;
	}
	return 0;
}

/* `mount` may be NULL, for a pipe or a socket. */
static long refuse_attribute(struct mount *mount, struct inode *inode, const char *name,
			     bool change)
{
	bool has_user = S_ISREG(inode->mode) || S_ISDIR(inode->mode);
	int error;

	if (change && mount && mount_is_read_only(mount))
		return -EROFS;
	if ((strncmp(name, "user.", 5) == 0 && !has_user) ||
	    (strncmp(name, "trusted.", 8) == 0 && !capable(CAP_SYS_ADMIN)))
		return change ? -EPERM : -ENODATA;
	if (change && inode_stays(inode))
		return -EPERM;
	error = inode_permission(inode, change ? MAY_WRITE : MAY_READ);
	return error ? error : refuse(EOPNOTSUPP, "no file system here has extended attributes");
}

static long answer(struct mount *mount, struct inode *inode, const struct request *request)
{
	char name[XATTR_NAME_MAX + 1];
	ssize_t len;
	int error = 0;

	if (request->kind == XATTR_LIST)
		return 0;
	if (request->flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return refuse(EINVAL, "not XATTR_CREATE or XATTR_REPLACE");
	len = strncpy_from_user(name, request->name, sizeof(name));
	if (len == 0 || len == -ENAMETOOLONG)
		return refuse(ERANGE, "the attribute's name is empty or too long");
	if (len < 0)
		return len;
	if (request->kind == XATTR_SET)
		error = check_value(request);
	return error ? error : refuse_attribute(mount, inode, name, request->kind != XATTR_GET);
}

static long at_path(const char __user *name, unsigned int lookup, const struct request *request)
{
	struct path path;
	long result = path_lookup_user(AT_FDCWD, name, lookup, &path);

	if (result < 0)
		return result;
	result = answer(path.mount, path.dentry->inode, request);
	path_put(&path);
	return result;
}

static long at_fd(int number, const struct request *request)
{
	struct fd fd = fd_get(number);
	long result = fd.file ? answer(fd.file->path.mount, fd.file->inode, request) : -EBADF;

	fd_put(fd);
	return result;
}

/* ---- the calls: of the file at a path, of a link itself, of an open file ---- */

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value,
		  size_t size, unsigned int flags)
{
	return at_path(path, LOOKUP_FOLLOW,
		       &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value,
		   size_t size, unsigned int flags)
{
	return at_path(path, 0, &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_fsetxattr(int fd, const char __user *name, const void __user *value, size_t size,
		   unsigned int flags)
{
	return at_fd(fd, &(struct request){ XATTR_SET, name, value, size, flags });
}

long sys_getxattr(const char __user *path, const char __user *name)
{
	return at_path(path, LOOKUP_FOLLOW, &(struct request){ .kind = XATTR_GET, .name = name });
}

long sys_lgetxattr(const char __user *path, const char __user *name)
{
	return at_path(path, 0, &(struct request){ .kind = XATTR_GET, .name = name });
}

long sys_fgetxattr(int fd, const char __user *name)
{
	return at_fd(fd, &(struct request){ .kind = XATTR_GET, .name = name });
}

long sys_listxattr(const char __user *path)
{
	return at_path(path, LOOKUP_FOLLOW, &(struct request){ .kind = XATTR_LIST });
}

long sys_llistxattr(const char __user *path)
{
	return at_path(path, 0, &(struct request){ .kind = XATTR_LIST });
}

long sys_flistxattr(int fd)
{
	return at_fd(fd, &(struct request){ .kind = XATTR_LIST });
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
