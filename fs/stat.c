/*
 * stat and statfs in the forms that Linux/i386 has.
 *
 * 1. One function takes down what an inode says; the others lay it out for the caller: struct stat
 *    (calls 106 to 108), struct stat64, struct statx. No lock is taken, since a writer that waits
 *    for a disk holds it: what changes at that moment may be told in part.
 * 2. What does not fit a smaller form is EOVERFLOW.
 */
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

/* ---- taking it down ---- */

struct attributes {
	unsigned int mode, nr_links, dev, rdev, block_size;
	uint32_t uid, gid;
	uint64_t number, blocks;
	file_off_t size;
	struct timespec64 atime, mtime, ctime;
};

static void take_attributes(struct inode *inode, struct attributes *a)
{
	a->mode = inode->mode;
	a->nr_links = inode->nr_links;
	a->dev = inode->sb->dev;
	a->rdev = inode->rdev;
	a->block_size = inode->sb->block_size;
	a->uid = inode->uid;
	a->gid = inode->gid;
	a->number = inode->number;
	a->blocks = inode->blocks;
	a->size = inode_size(inode);
	a->atime = inode->atime;
	a->mtime = inode->mtime;
	a->ctime = inode->ctime;
}

static int attributes_at(int dirfd, const char __user *name, unsigned int flags,
			 struct attributes *attributes)
{
	struct object object;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return refuse(EINVAL, "a stat flag that is not supported");
	error = object_at(dirfd, name, flags, &object);
	if (error)
		return error;
	take_attributes(object.inode, attributes);
	object_put(&object);
	return 0;
}

static int attributes_of_fd(int number, struct attributes *attributes)
{
	struct fd fd = fd_get_any(number);

	if (!fd.file)
		return -EBADF;
	take_attributes(fd.file->inode, attributes);
	fd_put(fd);
	return 0;
}

/* ---- device numbers as user programs see them ---- */

static uint32_t encode_dev(unsigned int dev)
{
	return (MINOR(dev) & 0xff) | MAJOR(dev) << 8 | (MINOR(dev) & ~0xffu) << 12;
}

static bool fits_old_dev(unsigned int dev)
{
	return MAJOR(dev) < 256 && MINOR(dev) < 256;
}

/* ---- struct stat ---- */

struct stat32 {
	uint32_t dev, ino;
	uint16_t mode, nlink, uid, gid;
	uint32_t rdev, size, blksize, blocks;
	uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint32_t unused[2];
};
_Static_assert(sizeof(struct stat32) == 64, "struct stat of Linux/i386");

#define OVERFLOW_ID 65534u /* stands for ids that 16 bits cannot tell */

static uint16_t narrow_id(uint32_t id)
{
	return id > UINT16_MAX ? OVERFLOW_ID : id;
}

static int put_stat32(const struct attributes *a, void __user *result)
{
	struct stat32 st;

	if (!fits_old_dev(a->dev) || !fits_old_dev(a->rdev) || a->size > INT32_MAX ||
	    a->number > UINT32_MAX || a->nr_links > UINT16_MAX)
		return -EOVERFLOW;
	memset(&st, 0, sizeof(st));
	st.dev = encode_dev(a->dev);
	st.ino = a->number;
	st.mode = a->mode;
	st.nlink = a->nr_links;
	st.uid = narrow_id(a->uid);
	st.gid = narrow_id(a->gid);
	st.rdev = encode_dev(a->rdev);
	st.size = a->size;
	st.blksize = a->block_size;
	st.blocks = a->blocks;
	st.atime = a->atime.sec;
	st.atime_nsec = a->atime.nsec;
	st.mtime = a->mtime.sec;
	st.mtime_nsec = a->mtime.nsec;
	st.ctime = a->ctime.sec;
	st.ctime_nsec = a->ctime.nsec;
	return copy_to_user(result, &st, sizeof(st));
}

long sys_stat(const char __user *name, void __user *result)
{
	struct attributes attributes;
	int error = attributes_at(AT_FDCWD, name, 0, &attributes);

	return error ? error : put_stat32(&attributes, result);
}

long sys_lstat(const char __user *name, void __user *result)
{
	struct attributes attributes;
	int error = attributes_at(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &attributes);

	return error ? error : put_stat32(&attributes, result);
}

long sys_fstat(int fd, void __user *result)
{
	struct attributes attributes;
	int error = attributes_of_fd(fd, &attributes);

	return error ? error : put_stat32(&attributes, result);
}

/* ---- struct stat64 ---- */

struct stat64 {
	uint64_t dev;
	uint32_t pad0, short_ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev;
	uint32_t pad1;
	int64_t size;
	uint32_t blksize;
	uint64_t blocks;
	uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint64_t ino;
} __packed;
_Static_assert(sizeof(struct stat64) == 96, "struct stat64 of Linux/i386");

static int put_stat64(const struct attributes *a, void __user *result)
{
	struct stat64 st;

	memset(&st, 0, sizeof(st));
	st.dev = encode_dev(a->dev);
	st.short_ino = a->number;
	st.mode = a->mode;
	st.nlink = a->nr_links;
	st.uid = a->uid;
	st.gid = a->gid;
	st.rdev = encode_dev(a->rdev);
	st.size = a->size;
	st.blksize = a->block_size;
	st.blocks = a->blocks;
	st.atime = a->atime.sec;
	st.atime_nsec = a->atime.nsec;
	st.mtime = a->mtime.sec;
	st.mtime_nsec = a->mtime.nsec;
	st.ctime = a->ctime.sec;
	st.ctime_nsec = a->ctime.nsec;
	st.ino = a->number;
	return copy_to_user(result, &st, sizeof(st));
}

long sys_fstatat64(int dirfd, const char __user *name, void __user *result, unsigned int flags)
{
	struct attributes attributes;
	int error = attributes_at(dirfd, name, flags, &attributes);

	return error ? error : put_stat64(&attributes, result);
}

long sys_stat64(const char __user *name, void __user *result)
{
	return sys_fstatat64(AT_FDCWD, name, result, 0);
}

long sys_lstat64(const char __user *name, void __user *result)
{
	return sys_fstatat64(AT_FDCWD, name, result, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat64(int fd, void __user *result)
{
	struct attributes attributes;
	int error = attributes_of_fd(fd, &attributes);

	return error ? error : put_stat64(&attributes, result);
}

/* ---- struct statx ---- */

struct statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};
_Static_assert(sizeof(struct statx) == 256, "struct statx of Linux");

#define STATX_BASIC_STATS 0x000007ffu
#define STATX_RESERVED	  0x80000000u
#define AT_STATX_SYNC	  0x6000u /* how fresh: there is no other than fresh */

static struct statx_time statx_time(struct timespec64 time)
{
	return (struct statx_time){ time.sec, time.nsec, 0 };
}

static int put_statx(const struct attributes *a, void __user *result)
{
	struct statx st;

	memset(&st, 0, sizeof(st));
	st.mask = STATX_BASIC_STATS;
	st.blksize = a->block_size;
	st.nlink = a->nr_links;
	st.uid = a->uid;
	st.gid = a->gid;
	st.mode = a->mode;
	st.ino = a->number;
	st.size = a->size;
	st.blocks = a->blocks;
	st.atime = statx_time(a->atime);
	st.ctime = statx_time(a->ctime);
	st.mtime = statx_time(a->mtime);
	st.rdev_major = MAJOR(a->rdev);
	st.rdev_minor = MINOR(a->rdev);
	st.dev_major = MAJOR(a->dev);
	st.dev_minor = MINOR(a->dev);
	return copy_to_user(result, &st, sizeof(st));
}

long sys_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	       void __user *result)
{
	struct attributes attributes;
	int error;

	if (mask & STATX_RESERVED || (flags & AT_STATX_SYNC) == AT_STATX_SYNC)
		return -EINVAL;
	error = attributes_at(dirfd, name, flags & ~AT_STATX_SYNC, &attributes);
	return error ? error : put_statx(&attributes, result);
}

/* ---- statfs ---- */

struct statfs32 {
	uint32_t type, bsize, blocks, bfree, bavail, files, ffree, fsid[2], namelen, frsize, flags;
	uint32_t spare[4];
};
_Static_assert(sizeof(struct statfs32) == 64, "struct statfs of Linux/i386");

struct statfs64 {
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t fsid[2], namelen, frsize, flags, spare[4];
} __packed;
_Static_assert(sizeof(struct statfs64) == 84, "struct statfs64 of Linux/i386");

#define ST_RDONLY  1u
#define ST_VALID   0x20u
#define ST_NOATIME 0x400u

static int statfs_object(const struct object *object, struct statfs64 *st)
{
	struct super_block *sb = object->inode->sb;
	struct fs_statistics fs = { .type = sb->type->magic,
				    .block_size = sb->block_size,
				    .name_max = NAME_MAX };
	int error = sb->ops->statfs ? sb->ops->statfs(sb, &fs) : 0;

	if (error)
		return error;
	memset(st, 0, sizeof(*st));
	st->type = fs.type;
	st->bsize = st->frsize = fs.block_size;
	st->blocks = fs.blocks;
	st->bfree = st->bavail = fs.free;
	st->files = fs.files;
	st->ffree = fs.files_free;
	st->fsid[0] = encode_dev(sb->dev);
	st->namelen = fs.name_max;
	st->flags = ST_VALID | ST_NOATIME | (mount_writable(object->path.mount) ? ST_RDONLY : 0);
	return 0;
}

static int statfs_name(const char __user *name, struct statfs64 *st)
{
	struct object object;
	int error = object_at(AT_FDCWD, name, 0, &object);

	if (error)
		return error;
	error = statfs_object(&object, st);
	object_put(&object);
	return error;
}

static int statfs_fd(int fd, struct statfs64 *st)
{
	struct object object;
	int error = object_of_fd(fd, &object);

	if (error)
		return error;
	error = statfs_object(&object, st);
	object_put(&object);
	return error;
}

static int put_statfs32(const struct statfs64 *st, void __user *result)
{
	struct statfs32 small;

	if ((st->blocks | st->files) > UINT32_MAX)
		return -EOVERFLOW;
	memset(&small, 0, sizeof(small));
	small.type = st->type;
	small.bsize = st->bsize;
	small.blocks = st->blocks;
	small.bfree = st->bfree;
	small.bavail = st->bavail;
	small.files = st->files;
	small.ffree = st->ffree;
	small.fsid[0] = st->fsid[0];
	small.namelen = st->namelen;
	small.frsize = st->frsize;
	small.flags = st->flags;
	return copy_to_user(result, &small, sizeof(small));
}

long sys_statfs(const char __user *name, void __user *result)
{
	struct statfs64 st;
	int error = statfs_name(name, &st);

	return error ? error : put_statfs32(&st, result);
}

long sys_fstatfs(int fd, void __user *result)
{
	struct statfs64 st;
	int error = statfs_fd(fd, &st);

	return error ? error : put_statfs32(&st, result);
}

long sys_statfs64(const char __user *name, size_t size, void __user *result)
{
	struct statfs64 st;
	int error = size == sizeof(st) ? statfs_name(name, &st) : -EINVAL;

	return error ? error : copy_to_user(result, &st, sizeof(st));
}

long sys_fstatfs64(int fd, size_t size, void __user *result)
{
	struct statfs64 st;
	int error = size == sizeof(st) ? statfs_fd(fd, &st) : -EINVAL;

	return error ? error : copy_to_user(result, &st, sizeof(st));
}
