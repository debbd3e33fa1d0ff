/*
 * The flags of inodes that chattr(1) sets (ioctl_iflags(2)).
 *
 * 1. An immutable file or directory does not change at all, not even for root. It takes no new
 *    names and gets none.
 * 2. To a file that is append-only, bytes are added at its end, and nothing else changes. A
 *    directory that is append-only takes new names and loses none.
 * 3. inode->flags is set with inode->lock held. Calls that change an inode look at it with that
 *    lock held, or at the permission check before. A file that is open already cannot be written
 *    either once it is immutable. A mapping that exists stays writable.
 */
#ifndef FS_NAMES_INODE_FLAGS_H
#define FS_NAMES_INODE_FLAGS_H

#include "fs/names/vfs.h"

#define INODE_IMMUTABLE 0x10u /* linux/fs.h, FS_IMMUTABLE_FL and others */
#define INODE_APPEND	0x20u
#define INODE_NODUMP	0x40u
#define INODE_NOATIME	0x80u
#define INODE_FLAGS	0xf0u /* those that can be set */

/* A new inode has these from its directory. */
#define INODE_INHERITED (INODE_NODUMP | INODE_NOATIME)

/* Are the attributes and the names of the inode as they must stay? */
static inline bool inode_stays(const struct inode *inode)
{
	return READ_ONCE(inode->flags) & (INODE_IMMUTABLE | INODE_APPEND);
}
static inline bool inode_is_immutable(const struct inode *inode)
{
	return READ_ONCE(inode->flags) & INODE_IMMUTABLE;
}
static inline bool inode_only_grows(const struct inode *inode)
{
	return READ_ONCE(inode->flags) & INODE_APPEND;
}
/*
 * The ioctls FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, whose argument points to 32 bits. Returns 0,
 * -ENOTTY for another command or an inode that can have no flags, -EFAULT, -EROFS, -EPERM for a
 * user who must not set them, -EOPNOTSUPP for a flag that cannot be changed, or -ERESTARTSYS. May
 * sleep.
 */
long inode_flags_ioctl(struct file *file, unsigned int command, void __user *argument);

#endif
