/*
 * Reading and setting the flags of inodes. See fs/names/inode_flags.h.
 */
#include "fs/file/open_file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/capability.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

#define GET_FLAGS 0x80046601u
#define SET_FLAGS 0x40046602u

static int set_locked(struct inode *inode, uint32_t flags)
{
	uint32_t changed = flags ^ inode->flags;

	if (!inode_owner_or_root(inode))
		return -EPERM;
	if (changed & ~INODE_FLAGS)
		return -EOPNOTSUPP;
	if (changed & (INODE_IMMUTABLE | INODE_APPEND) && !capable(CAP_LINUX_IMMUTABLE))
		return refuse(EPERM, "CAP_LINUX_IMMUTABLE is needed");
	inode->flags = flags;
	inode_status_changed(inode);
	inode_changed(inode);
	return 0;
}

static long set_flags(struct file *file, const void __user *argument)
{
	struct inode *inode = file->inode;
	uint32_t flags;
	int error;

	if (get_user_u32(&flags, argument))
		return -EFAULT;
	error = mount_begin_writing(file->path.mount);
	if (error)
		return error;
	error = mutex_lock_killable(&inode->lock);
	if (!error) {
		error = set_locked(inode, flags);
		mutex_unlock(&inode->lock);
	}
	mount_end_writing(file->path.mount);
	return error;
}

long inode_flags_ioctl(struct file *file, unsigned int command, void __user *argument)
{
	const struct inode *inode = file->inode;

	if (!inode->sb->has_flags || !(S_ISREG(inode->mode) || S_ISDIR(inode->mode)))
		return -ENOTTY;
	if (command == SET_FLAGS)
		return set_flags(file, argument);
	return command == GET_FLAGS ? put_user_u32(READ_ONCE(inode->flags), argument) : -ENOTTY;
}
