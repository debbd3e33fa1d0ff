/*
 * fcntl and ioctl: control of a descriptor or of its file.
 *
 * 1. Descriptor flags belong to the file table. File flags belong to the open file, which dup and
 *    fork share.
 * 2. The commands that are about signals of files are in fs/file/owner.c, locks in lock_calls.c,
 *    leases in lease.c, and signals about directories in dnotify.c.
 */
#include "fs/cache/pageio.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/file/dnotify.h"
#include "fs/file/extents.h"
#include "fs/file/lease.h"
#include "fs/file/lock.h"
#include "fs/file/owner.h"
#include "fs/file/seal.h"
#include "fs/pipe/limits.h"
#include "fs/names/inode_flags.h"
#include "fs/names/vfs_internal.h"

enum fcntl_command {
	F_DUPFD = 0,
	F_GETFD = 1,
	F_SETFD = 2,
	F_GETFL = 3,
	F_SETFL = 4,
	F_DUPFD_CLOEXEC = 1030,
	F_SETPIPE_SZ = 1031,
	F_GETPIPE_SZ = 1032,
	F_SETLEASE = 1024,
	F_GETLEASE = 1025,
	F_NOTIFY = 1026,
	F_ADD_SEALS = 1033,
	F_GET_SEALS = 1034,
	F_GET_RW_HINT = 1035,
	F_SET_RW_HINT = 1036,
};
#define FD_CLOEXEC   1u

#define RW_HINT_MAX  5 /* linux/fcntl.h: RWH_WRITE_LIFE_EXTREME */

#define FIBMAP	     0x1
#define FIGETBSZ     0x2
#define FIEMAP	     0xc020660b /* FS_IOC_FIEMAP */
#define FICLONE	     0x40049409
#define FICLONERANGE 0x4020940d
#define FIONREAD     0x541b
#define FIONBIO	     0x5421
#define FIOASYNC     0x5452
#define FIOSETOWN    0x8901
#define SIOCSPGRP    0x8902
#define FIOGETOWN    0x8903
#define SIOCGPGRP    0x8904
#define FIONCLEX     0x5450
#define FIOCLEX	     0x5451
#define FIOQSIZE     0x5460

#define SETFL_MASK   (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

/*
 * Set the flags of `mask` to their values in `flags`. `fd` is the descriptor, which O_ASYNC tells.
 */
static long file_set_flags(struct file *file, unsigned int fd, unsigned int mask,
			   unsigned int flags)
{
	unsigned int old = READ_ONCE(file->flags);
	unsigned int seen;
	long error;

	if (flags & mask & O_DIRECT && !S_ISFIFO(file->inode->mode) &&
	    !mapping_allows_direct(&file->inode->mapping))
		return refuse(EINVAL, "the file is always read and written through memory");
	if (flags & ~old & mask & O_NOATIME && !inode_owner_or_root(file->inode))
		return refuse(EPERM, "O_NOATIME is for the file's owner");
	if ((flags ^ old) & mask & O_APPEND && inode_only_grows(file->inode))
		return refuse(EPERM, "the file is append-only");
	if (file->ops->async == ASYNC_NEVER)
		mask &= ~O_ASYNC;
	error = (flags ^ old) & mask & O_ASYNC ? file_set_async(file, fd, flags & O_ASYNC) : 0;
	if (error)
		return error;
	/* Two threads may set flags of one file at once. Neither must undo the other's change. */
	while ((seen = __sync_val_compare_and_swap(&file->flags, old,
						   (old & ~mask) | (flags & mask))) != old)
		old = seen;
	return 0;
}

/*
 * How long the bytes of a file will last is only kept for those who ask. No disk here is told.
 */
static long set_write_hint(struct inode *inode, const void __user *from)
{
	uint64_t hint;
	int error;

	if (get_user_u64(&hint, from))
		return -EFAULT;
	if (hint > RW_HINT_MAX)
		return refuse(EINVAL, "an unknown hint");
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	inode->write_hint = hint;
	mutex_unlock(&inode->lock);
	return 0;
}

static long file_fcntl(struct file *file, unsigned int fd, unsigned int command,
		       unsigned long argument)
{
	switch (command) {
	case F_GETFL:
		return file->flags;
	case F_SETFL:
		return file_set_flags(file, fd, SETFL_MASK, argument);
	case F_SETPIPE_SZ:
		return pipe_set_size(file, argument);
	case F_GETPIPE_SZ:
		return pipe_get_size(file);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return file_owner_fcntl(file, command, argument);
	case F_SETLEASE:
		return lease_set(fd, file, argument);
	case F_GETLEASE:
		return lease_get(file);
	case F_NOTIFY:
		return dir_notify_set(fd, file, argument);
	case F_ADD_SEALS:
		return file_add_seals(file, argument);
	case F_GET_SEALS:
		return file_get_seals(file);
	case F_GET_RW_HINT:
		return put_user_u64(file->inode->write_hint, (void __user *)argument);
	case F_SET_RW_HINT:
		return set_write_hint(file->inode, (void __user *)argument);
	}
	return refuse(EINVAL, "an fcntl command that is not supported");
}

long sys_fcntl64(unsigned int number, unsigned int command, unsigned long argument)
{
	struct fd fd;
	long result = -EBADF;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fd_duplicate(number, argument, command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(number, -1);
	case F_SETFD:
		return MIN(fd_cloexec(number, argument & FD_CLOEXEC), 0);
	}
	fd = command == F_GETFL ? fd_get_any(number) : fd_get(number);
	if (fd.file && is_lock_command(command))
		result = fcntl_lock(number, fd.file, command, (void __user *)argument);
	else if (fd.file)
		result = file_fcntl(fd.file, number, command, argument);
	fd_put(fd);
	return result;
}

static long bytes_to_read(struct file *file, void __user *argument)
{
	file_off_t left = inode_size(file->inode) - file->pos;

	return put_user_u32(left > INT32_MAX ? INT32_MAX : left, argument);
}

/* How many bytes of its disk or memory the file takes. */
static long size_on_disk(struct inode *inode, void __user *argument)
{
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return -ENOTTY;
	return put_user_u64(READ_ONCE(inode->blocks) * 512, argument);
}

/*
 * Refuse to share the blocks of another file (FICLONE, FICLONERANGE), because no file system here
 * can. Programs then copy the file.
 */
static long refuse_clone(struct file *to, unsigned int number)
{
	struct fd fd = fd_get(number);
	long error = -EOPNOTSUPP;

	if (!fd.file)
		return -EBADF;
	if (fd.file->inode->sb != to->inode->sb)
		error = -EXDEV;
	else if (S_ISDIR(fd.file->inode->mode) || S_ISDIR(to->inode->mode))
		error = -EISDIR;
	else if (!S_ISREG(fd.file->inode->mode) || !S_ISREG(to->inode->mode))
		error = refuse(EINVAL, "not a regular file");
	else if (!fd.file->readable || !to->writable || to->flags & O_APPEND)
		error = -EBADF;
	fd_put(fd);
	return error;
}

/* The structure of FICLONERANGE begins with the descriptor, which has 64 bits there. */
static long refuse_clone_range(struct file *to, const void __user *from)
{
	int64_t range[4]; /* struct file_clone_range */

	return copy_from_user(range, from, sizeof(range)) ? -EFAULT : refuse_clone(to, range[0]);
}

/* FIONBIO and FIOASYNC set a flag. `from` points to a number, which is 0 or not. */
static long set_flag(struct file *file, unsigned int fd, unsigned int flag, const void __user *from)
{
	uint32_t on;

	if (get_user_u32(&on, from))
		return -EFAULT;
	if (flag == O_ASYNC && file->ops->async == ASYNC_NEVER && !on != !(file->flags & O_ASYNC))
		return -ENOTTY;
	return file_set_flags(file, fd, flag, on ? flag : 0);
}

static long socket_owner(struct file *file, unsigned int command, void __user *argument)
{
	return command == FIOSETOWN || command == SIOCSPGRP ? file_owner_from_user(file, argument)
							    : file_owner_to_user(file, argument);
}

/* Handle the commands that every file has, and pass others to the file's own operation. */
static long file_ioctl(struct file *file, unsigned int fd, unsigned int command,
		       unsigned long argument)
{
	if (command == FIGETBSZ)
		return put_user_u32(file->inode->sb->block_size, (void __user *)argument);
	if (command == FIEMAP)
		return extents_map(file->inode, (void __user *)argument);
	if (command == FIBMAP && S_ISREG(file->inode->mode))
		return extents_block(file->inode, (void __user *)argument);
	if (command == FIOQSIZE)
		return size_on_disk(file->inode, (void __user *)argument);
	if (command == FIONREAD && S_ISREG(file->inode->mode))
		return bytes_to_read(file, (void __user *)argument);
	if (command == FIONBIO || command == FIOASYNC)
		return set_flag(file, fd, command == FIONBIO ? O_NONBLOCK : O_ASYNC,
				(void __user *)argument);
	if (command >= FIOSETOWN && command <= SIOCGPGRP && S_ISSOCK(file->inode->mode))
		return socket_owner(file, command, (void __user *)argument);
	if (command == FICLONE)
		return refuse_clone(file, argument);
	if (command == FICLONERANGE)
		return refuse_clone_range(file, (void __user *)argument);
	if (file->ops->ioctl)
		return file->ops->ioctl(file, command, argument);
	return inode_flags_ioctl(file, command, (void __user *)argument);
}

long sys_ioctl(unsigned int number, unsigned int command, unsigned long argument)
{
	struct fd fd = fd_get(number);
	long result;

	if (!fd.file)
		return -EBADF;
	if (command == FIOCLEX || command == FIONCLEX)
		result = MIN(fd_cloexec(number, command == FIOCLEX ? FD_CLOEXEC : 0), 0);
	else
		result = file_ioctl(fd.file, number, command, argument);
	fd_put(fd);
	return result;
}
