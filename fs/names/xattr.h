/*
 * Extended attributes (xattr(7)): what a file system provides.
 *
 * 1. fs/names/xattr.c checks arguments and permissions, and copies from and to the program. It
 *    calls the operations with names as programs write them ("user.note").
 * 2. user.*, trusted.* and security.* are attributes that a program may set. The kernel has no
 *    access control lists (system.posix_acl_*), and gives no program the capabilities of a file
 *    (security.capability). Setting these is -EOPNOTSUPP. What another system has set stays.
 */
#ifndef FS_NAMES_XATTR_H
#define FS_NAMES_XATTR_H

#include "lib/types.h"

struct inode;
struct xattr_names;

#define XATTR_NAME_MAX 255u   /* limits.h of Linux */
#define XATTR_SIZE_MAX 65536u /* of a value */
#define XATTR_LIST_MAX 65536u

#define XATTR_CREATE   1u
#define XATTR_REPLACE  2u

struct xattr_ops {
	/*
	 * Copy the value of an attribute. Returns its size. A size of 0 copies nothing. -ENODATA:
	 * the file has no such attribute. -ERANGE: it does not fit. -EOPNOTSUPP: no file here has
	 * an attribute with such a name. -EINVAL: nothing follows the dot. Others: -EIO, -ENOMEM,
	 * -ERESTARTSYS after a SIGKILL. May sleep. inode->lock is not held.
	 */
	ssize_t (*get)(struct inode *inode, const char *name, void *value, size_t size);
	/*
	 * Set an attribute. With a value of NULL, remove it. `flags` may have XATTR_CREATE
	 * (-EEXIST) and XATTR_REPLACE (-ENODATA). Sets ctime if anything changes. Returns 0, or an
	 * error as above, or -ENOSPC or -EROFS, and then nothing has changed. May sleep.
	 * inode->lock is held, and the mount is being written to.
	 */
	int (*set)(struct inode *inode, const char *name, const void *value, size_t size,
		   unsigned int flags);
	/*
	 * Call xattr_emit() for each attribute. Returns 0, or an error as above or of xattr_emit().
	 * May sleep. inode->lock is not held.
	 */
	int (*list)(struct inode *inode, struct xattr_names *names);
};

/* The names that a call lists, each with a '\0' behind it. */
struct xattr_names {
	char *to;	   /* NULL: they are only counted */
	size_t size, used; /* bytes */
};

/*
 * Add a name, which consists of a beginning such as "user." and a rest. A name that the program
 * must not see is left out. Returns 0 or -ERANGE. Never sleeps.
 */
int xattr_emit(struct xattr_names *names, const char *beginning, const char *rest, size_t rest_len);

#endif
