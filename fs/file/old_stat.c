/*
 * stat(2) in the forms of the first Linux programs, whose structures have fields of 16 and 32 bits.
 *
 * A number of an inode or of links, or a size of 2 GiB or more, that does not fit is EOVERFLOW. A
 * user or group that does not fit is shown as OVERFLOW_ID. Like the newer calls (fs/file/stat.c),
 * these take no lock of the inode.
 */
#include "fs/file/file.h"
#include "fs/file/stat.h"
#include "fs/names/vfs_internal.h"
#include "kernel/process/credentials.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

struct oldest_stat { /* struct __old_kernel_stat of Linux/i386 */
	uint16_t dev, ino, mode, nlink, uid, gid, rdev;
	uint32_t size, atime, mtime, ctime;
};
_Static_assert(sizeof(struct oldest_stat) == 32, "struct __old_kernel_stat of Linux/i386");

struct old_stat { /* struct stat of Linux/i386 */
	uint32_t dev, ino;
	uint16_t mode, nlink, uid, gid;
	uint32_t rdev, size, blksize, blocks;
	uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec, unused[2];
};
_Static_assert(sizeof(struct old_stat) == 64, "struct stat of Linux/i386");

/* A device number of 16 bits: the lowest eight bits of both parts. */
static uint16_t device_encode_short(unsigned int dev)
{
	return MAJOR(dev) << 8 | (MINOR(dev) & 0xff);
}

/* Are the numbers small enough for the fields of both structures? Else the call is EOVERFLOW. */
static bool fits(const struct stat64 *st)
{
	return st->size <= INT32_MAX && st->ino == (uint32_t)st->ino &&
	       st->nlink == (uint16_t)st->nlink;
}

/* Copy the inode's attributes to a struct old_stat. Returns 0, -EOVERFLOW or -EFAULT. */
static int tell_old(struct inode *inode, void __user *result)
{
	const struct stat64 now = inode_stat(inode);
	const struct old_stat st = {
		.dev = now.dev,
		.ino = now.ino,
		.mode = now.mode,
		.nlink = now.nlink,
		.uid = id_narrow(now.uid),
		.gid = id_narrow(now.gid),
		.rdev = now.rdev,
		.size = now.size,
		.blksize = now.blksize,
		.blocks = now.blocks,
		.atime = now.atime,
		.atime_nsec = now.atime_nsec,
		.mtime = now.mtime,
		.mtime_nsec = now.mtime_nsec,
		.ctime = now.ctime,
		.ctime_nsec = now.ctime_nsec,
	};

	if (!fits(&now))
		return refuse(EOVERFLOW, "a number that the structure has no room for");
	return copy_to_user(result, &st, sizeof(st));
}

/* The same for a struct oldest_stat. */
static int tell_oldest(struct inode *inode, void __user *result)
{
	const struct stat64 now = inode_stat(inode);
	const struct oldest_stat st = {
		.dev = device_encode_short(inode->sb->dev),
		.ino = now.ino,
		.mode = now.mode,
		.nlink = now.nlink,
		.uid = id_narrow(now.uid),
		.gid = id_narrow(now.gid),
		.rdev = device_encode_short(inode->rdev),
		.size = now.size,
		.atime = now.atime,
		.mtime = now.mtime,
		.ctime = now.ctime,
	};

	if (!fits(&now))
		return refuse(EOVERFLOW, "a number that the structure has no room for");
	return copy_to_user(result, &st, sizeof(st));
}

static long stat_by(int (*tell)(struct inode *, void __user *), int dirfd, const char __user *name,
		    unsigned int flags, void __user *result)
{
	struct path path;
	int error = path_at(dirfd, name, flags, &path);

	if (error)
		return error;
	error = tell(path.dentry->inode, result);
	path_put(&path);
	return error;
}

long sys_stat(const char __user *name, void __user *result)
{
	return stat_by(tell_old, AT_FDCWD, name, 0, result);
}

long sys_lstat(const char __user *name, void __user *result)
{
	return stat_by(tell_old, AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, result);
}

long sys_fstat(int fd, void __user *result)
{
	return stat_by(tell_old, fd, this_file, 0, result);
}

long sys_oldstat(const char __user *name, void __user *result)
{
	return stat_by(tell_oldest, AT_FDCWD, name, 0, result);
}

long sys_oldlstat(const char __user *name, void __user *result)
{
	return stat_by(tell_oldest, AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, result);
}

long sys_oldfstat(int fd, void __user *result)
{
	return stat_by(tell_oldest, fd, this_file, 0, result);
}
