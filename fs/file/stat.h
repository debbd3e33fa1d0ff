/* The attributes of an inode, as stat64(2) tells them. */
#ifndef FS_FILE_STAT_H
#define FS_FILE_STAT_H

#include "fs/names/vfs.h"

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

/*
 * Returns the inode's attributes. Takes no lock, so a change that is in progress may be in the
 * result only in part. Never sleeps.
 */
struct stat64 inode_stat(struct inode *inode);

#endif
