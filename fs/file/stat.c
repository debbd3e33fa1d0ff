/*
 * stat and statfs in the forms that current programs use: struct stat64, struct statx, struct
 * statfs64. They do not take inode->lock, because a writer may hold it while it waits for a disk.
 * So they may report a change that is in progress only in part.
 */
#include "fs/file/stat.h"
#include "fs/cache/pageio.h"
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

struct stat64 inode_stat(struct inode *inode)
{
	uint64_t number = shown_number(inode->sb, inode->number);

	return (struct stat64){
		.dev = device_encode(inode->sb->dev),
		.short_ino = number,
		.mode = inode->mode,
		.nlink = inode->nr_links,
		.uid = inode->uid,
		.gid = inode->gid,
		.rdev = device_encode(inode->rdev),
		.size = inode_size(inode),
		.blksize = inode->sb->block_size,
		.blocks = inode->blocks,
		.atime = inode->atime.sec,
		.atime_nsec = inode->atime.nsec,
		.mtime = inode->mtime.sec,
		.mtime_nsec = inode->mtime.nsec,
		.ctime = inode->ctime.sec,
		.ctime_nsec = inode->ctime.nsec,
		.ino = number,
	};
}

/* The contract is that of path_at(). No directory here mounts something by itself. */
static int stat_at(int dirfd, const char __user *name, unsigned int flags, struct path *result)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return refuse(EINVAL, "a stat flag that is not supported");
	return path_at(dirfd, name, flags, result);
}

long sys_fstatat64(int dirfd, const char __user *name, void __user *result, unsigned int flags)
{
	struct path path;
	struct stat64 st;
	int error = stat_at(dirfd, name, flags, &path);

	if (error)
		return error;
	st = inode_stat(path.dentry->inode);
	path_put(&path);
	return copy_to_user(result, &st, sizeof(st));
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
	return sys_fstatat64(fd, this_file, result, 0);
}

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
	uint64_t mount_id;
	uint32_t direct_memory_align, direct_offset_align;
	uint64_t spare[12];
};
_Static_assert(sizeof(struct statx) == 256, "struct statx of Linux");

#define STATX_BASIC_STATS     0x000007ffu
#define STATX_BTIME	      0x00000800u
#define STATX_MNT_ID	      0x00001000u
#define STATX_DIOALIGN	      0x00002000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u
#define STATX_ATTR_FLAGS      0x0070u /* immutable, append-only, no dump: as in inode->flags */
#define STATX_RESERVED	      0x80000000u
#define AT_STATX_SYNC	      0x6000u /* how current the result must be; it always is */

/* Say how memory and offsets must be aligned for O_DIRECT, if the file can be open with it. */
static void add_direct_align(const struct inode *inode, struct statx *st)
{
	bool disk =
		S_ISBLK(inode->mode) && block_find_number(MAJOR(inode->rdev), MINOR(inode->rdev));

	if (!disk && !(S_ISREG(inode->mode) && mapping_allows_direct(&inode->mapping)))
		return;
	st->mask |= STATX_DIOALIGN;
	st->direct_memory_align = st->direct_offset_align = SECTOR_SIZE;
}

long sys_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	       void __user *result)
{
	struct path path;
	struct inode *inode;
	struct statx st;
	int error;

	if (mask & STATX_RESERVED || (flags & AT_STATX_SYNC) == AT_STATX_SYNC)
		return refuse(EINVAL, "reserved mask bits, or both ways to synchronise");
	error = stat_at(dirfd, name, flags & ~AT_STATX_SYNC, &path);
	if (error)
		return error;
	inode = path.dentry->inode;
	st = (struct statx){
		.mask = STATX_BASIC_STATS | STATX_MNT_ID,
		.attributes = (path.dentry == path.mount->root ? STATX_ATTR_MOUNT_ROOT : 0) |
			      (inode->flags & STATX_ATTR_FLAGS),
		.attributes_mask =
			STATX_ATTR_MOUNT_ROOT | (inode->sb->has_flags ? STATX_ATTR_FLAGS : 0),
		.mount_id = path.mount->id,
		.blksize = inode->sb->block_size,
		.nlink = inode->nr_links,
		.uid = inode->uid,
		.gid = inode->gid,
		.mode = inode->mode,
		.ino = shown_number(inode->sb, inode->number),
		.size = inode_size(inode),
		.blocks = inode->blocks,
		.atime = { inode->atime.sec, inode->atime.nsec, 0 },
		.ctime = { inode->ctime.sec, inode->ctime.nsec, 0 },
		.mtime = { inode->mtime.sec, inode->mtime.nsec, 0 },
		.rdev_major = MAJOR(inode->rdev),
		.rdev_minor = MINOR(inode->rdev),
		.dev_major = MAJOR(inode->sb->dev),
		.dev_minor = MINOR(inode->sb->dev),
	};
	if (mask & STATX_BTIME && inode->sb->ops->birth) {
		struct timespec64 birth = inode->sb->ops->birth(inode);

		st.mask |= STATX_BTIME;
		st.btime = (struct statx_time){ birth.sec, birth.nsec, 0 };
	}
	if (mask & STATX_DIOALIGN)
		add_direct_align(inode, &st);
	path_put(&path);
	return copy_to_user(result, &st, sizeof(st));
}

/* ---- statfs ---- */

struct statfs64 {
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t fsid[2], namelen, frsize, flags, spare[4];
} __packed;
_Static_assert(sizeof(struct statfs64) == STATFS64_SIZE, "struct statfs64 of Linux/i386");

#define ST_RDONLY 1u
#define ST_VALID  0x20u

/* Write the older struct statfs. Returns 0, -EFAULT, or -EOVERFLOW if a number does not fit. */
static long statfs32_to_user(const struct statfs64 *st, void __user *result)
{
	uint32_t words[16] = {
		st->type,  st->bsize,	st->blocks,  st->bfree,	  st->bavail, st->files,
		st->ffree, st->fsid[0], st->fsid[1], st->namelen, st->frsize, st->flags,
	};

	if ((st->blocks | st->bfree | st->bavail | st->files | st->ffree) > UINT32_MAX)
		return -EOVERFLOW;
	return copy_to_user(result, words, sizeof(words));
}

long statfs_at(int dirfd, const char __user *name, bool wide, void __user *result)
{
	struct fs_statistics fs = { 0 };
	struct super_block *sb;
	struct statfs64 st;
	struct path path;
	int error = path_at(dirfd, name, 0, &path);

	if (error)
		return error;
	sb = path.dentry->inode->sb;
	if (sb->ops->statfs)
		sb->ops->statfs(sb, &fs);
	st = (struct statfs64){
		.type = sb->type->magic,
		.bsize = sb->block_size,
		.frsize = sb->block_size,
		.blocks = fs.blocks,
		.bfree = fs.free,
		.bavail = fs.free - MIN(fs.free, fs.kept),
		.files = fs.files,
		.ffree = fs.files_free,
		.fsid = { device_encode(sb->dev) },
		.namelen = NAME_MAX,
		.flags = ST_VALID | path.mount->flags |
			 (mount_is_read_only(path.mount) ? ST_RDONLY : 0),
	};
	path_put(&path);
	return wide ? copy_to_user(result, &st, sizeof(st)) : statfs32_to_user(&st, result);
}

/* struct ustat of Linux/i386. Its two names are never filled in. */
struct ustat {
	int32_t free_blocks;
	uint32_t free_files;
	char names[12];
};

/*
 * Fill in the figures of the mounted file system on a device. Returns 0, -EINVAL or -ERESTARTSYS.
 */
static int find_mounted(unsigned int device, struct fs_statistics *fs)
{
	struct super_block *sb = NULL;
	struct mount *mount;
	int error = mutex_lock_killable(&mount_mutex);

	if (error)
		return error;
	list_for_each(mount, &mounts, link)
		if (device_encode(mount->sb->dev) == device)
			sb = mount->sb;
	if (!sb)
		error = refuse(EINVAL, "no file system on that device is mounted");
	else if (sb->ops->statfs)
		sb->ops->statfs(sb, fs);
	mutex_unlock(&mount_mutex);
	return error;
}

long sys_ustat(unsigned int device, void __user *result)
{
	struct fs_statistics fs = { 0 };
	struct ustat st = { 0 };
	int error = find_mounted(device, &fs);

	if (error)
		return error;
	st.free_blocks = fs.free;
	st.free_files = fs.files_free;
	return copy_to_user(result, &st, sizeof(st));
}

long sys_fstatfs64(int fd, size_t size, void __user *result)
{
	return size == STATFS64_SIZE ? statfs_at(fd, this_file, true, result) : -EINVAL;
}

long sys_statfs64(const char __user *name, size_t size, void __user *result)
{
	return size == STATFS64_SIZE ? statfs_at(AT_FDCWD, name, true, result) : -EINVAL;
}

long sys_fstatfs(int fd, void __user *result)
{
	return statfs_at(fd, this_file, false, result);
}

long sys_statfs(const char __user *name, void __user *result)
{
	return statfs_at(AT_FDCWD, name, false, result);
}
