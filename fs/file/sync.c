/*
 * Writing bytes to the disk, and dropping them from memory.
 *
 * 1. fsync waits until the file's dirty pages, and the metadata that leads to them, are on the
 *    disk. It reports an error of an earlier write-back once.
 * 2. sync does the same for every file system that is mounted or in use, and for every raw disk.
 */
#include "fs/dev/device.h"
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "kernel/syscalls.h"
#include "fs/file/file.h"
#include "fs/names/vfs_internal.h"

int block_sync(struct block_device *device)
{
	int error = device->inode ? mapping_sync(&device->inode->mapping) : 0;
	int flush_error = device->ops->flush ? device->ops->flush(device) : 0;

	return error ? error : flush_error;
}

int generic_file_fsync(struct file *file)
{
	struct inode *inode = file->inode;
	struct block_device *device = inode->sb->device;
	int error;

	if (S_ISBLK(inode->mode))
		return block_sync(inode->private);
	if (inode->sb->ops->fsync)
		return inode->sb->ops->fsync(inode);
	error = mapping_sync(&inode->mapping);

	if (!error && device && device->ops->flush)
		error = device->ops->flush(device);
	return error;
}

/* ---- the calls ---- */

/* Store a file system, if it has more to store than the pages of its raw device. */
static void sync_super(struct super_block *sb)
{
	if (sb->ops->sync)
		(void)sb->ops->sync(sb); /* sync(2) reports no errors */
}

long sys_sync(void)
{
	struct block_device *device;

	mounts_walk(sync_super);
	list_for_each(device, &block_devices, link)
		block_sync(device); /* sync(2) reports no errors */
	return 0;
}

long sys_fsync(int number)
{
	struct fd fd = fd_get(number);
	long error;

	if (!fd.file)
		return -EBADF;
	error = fd.file->ops->fsync ? fd.file->ops->fsync(fd.file)
				    : refuse(EINVAL, "the file is on no disk");
	fd_put(fd);
	return error;
}

long sys_syncfs(int number)
{
	struct fd fd = fd_get(number);
	long error = fd.file ? 0 : -EBADF;
	struct super_block *sb = fd.file ? fd.file->inode->sb : NULL;

	if (sb && sb->ops->sync)
		error = sb->ops->sync(sb);
	if (sb && sb->device && !error)
		error = block_sync(sb->device);
	fd_put(fd);
	return error;
}

enum sync_range_flags {
	SYNC_RANGE_WAIT_BEFORE = 1,
	SYNC_RANGE_WRITE = 2,
	SYNC_RANGE_WAIT_AFTER = 4
};

#define SYNC_RANGE_WAIT (SYNC_RANGE_WAIT_BEFORE | SYNC_RANGE_WAIT_AFTER)
#define SYNC_RANGE_ALL	(SYNC_RANGE_WAIT | SYNC_RANGE_WRITE)

/*
 * Do what the flags say for the pages [first, last]. Only with all flags must no page be passed
 * over.
 */
static int sync_pages(struct mapping *mapping, unsigned int first, unsigned int last,
		      unsigned int flags)
{
	int error = 0, failed;

	if (flags == SYNC_RANGE_ALL)
		error = mapping_write_range(mapping, first, last);
	else if (flags & SYNC_RANGE_WAIT_BEFORE)
		error = mapping_wait_range(mapping, first, last);
	if (!error && flags != SYNC_RANGE_ALL && flags & SYNC_RANGE_WRITE)
		error = mapping_start_range(mapping, first, last);
	if (!error && flags & SYNC_RANGE_WAIT_AFTER)
		error = mapping_wait_range(mapping, first, last);
	failed = flags & SYNC_RANGE_WAIT ? mapping_take_error(mapping) : 0;
	return failed ? failed : error;
}

/* Nothing is promised about metadata, or about the disk's own cache. */
static long sync_range(struct file *file, file_off_t start, file_off_t len, unsigned int flags)
{
	unsigned int mode = file->inode->mode;
	file_off_t end, pages = (file_off_t)UINT32_MAX + 1;

	if (flags & ~SYNC_RANGE_ALL || start < 0 || __builtin_add_overflow(start, len, &end) ||
	    end < start)
		return refuse(EINVAL, "an unknown flag, or a negative range");
	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ESPIPE;
	if (start >> PAGE_SHIFT >= pages)
		return 0;
	if (len == 0 || end > pages << PAGE_SHIFT)
		end = pages << PAGE_SHIFT;
	return sync_pages(&file->inode->mapping, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT,
			  flags);
}

long sys_sync_file_range(int number, uint32_t low, uint32_t high, uint32_t len_low,
			 uint32_t len_high, unsigned int flags)
{
	struct fd fd = fd_get(number);
	long error = -EBADF;

	if (fd.file)
		error = sync_range(fd.file, offset_of(low, high), offset_of(len_low, len_high),
				   flags);
	fd_put(fd);
	return error;
}

/* ---- posix_fadvise and readahead ---- */

#define READAHEAD_BATCH 32u  /* pages looked up at a time */
#define READAHEAD_MAX	512u /* pages that one call starts to read: 2 MiB */

/* Start to read a part of the file into the cache, without waiting for it. Errors are not told. */
static void start_reading(struct file *file, file_off_t start, file_off_t len)
{
	struct mapping *mapping = &file->inode->mapping;
	struct page *pages[READAHEAD_BATCH];
	unsigned int index = start >> PAGE_SHIFT, left;
	file_off_t size = inode_size(file->inode), end;

	if (len == 0 || __builtin_add_overflow(start, len, &end) || end > size)
		end = size;
	if (start >= end || !mapping->ops || !mapping->ops->has_store)
		return;
	left = MIN((end - 1) / PAGE_SIZE - index + 1, (file_off_t)READAHEAD_MAX);
	while (left > 0) {
		int nr = mapping_start(mapping, NULL, index, MIN(left, READAHEAD_BATCH), pages,
				       false);

		if (nr <= 0)
			break;
		index += nr;
		left -= nr;
		while (nr > 0)
			page_put(pages[--nr]);
	}
}

long sys_readahead(int number, uint32_t low, uint32_t high, size_t len)
{
	struct fd fd = fd_get(number);
	file_off_t start = offset_of(low, high);
	long error = 0;

	if (!fd.file || !fd.file->readable)
		error = -EBADF;
	else if (!S_ISREG(fd.file->inode->mode) && !S_ISBLK(fd.file->inode->mode))
		error = refuse(EINVAL, "the file is not read through the page cache");
	else if (start >= 0 && len > 0)
		start_reading(fd.file, start, len);
	fd_put(fd);
	return error;
}

enum fadvice { FADV_WILLNEED = 3, FADV_DONTNEED = 4, FADV_MAX = 5 };

/*
 * Act on FADV_WILLNEED and FADV_DONTNEED. Other advice has no effect: read-ahead detects how a file
 * is read.
 */
static int file_advise(struct file *file, file_off_t start, file_off_t len, unsigned int advice)
{
	struct mapping *mapping = &file->inode->mapping;
	file_off_t end, first, last;
	int error;

	if (S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if (len < 0 || start < 0 || advice > FADV_MAX)
		return refuse(EINVAL, "a negative range, or unknown advice");
	if (advice == FADV_WILLNEED)
		start_reading(file, start, len);
	if (advice != FADV_DONTNEED || !mapping->ops || !mapping->ops->has_store)
		return 0;
	/* Drop whole pages only, because the rest of a page at either end may still be needed. */
	first = ((uint64_t)start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	last = UINT32_MAX;
	if (len > 0 && !__builtin_add_overflow(start, len, &end) && end < inode_size(file->inode))
		last = (end >> PAGE_SHIFT) - 1;
	if (first > last)
		return 0;
	error = mapping_sync(mapping);
	mapping_drop_clean(mapping, first, last);
	return error;
}

long sys_fadvise64_64(int number, uint32_t low, uint32_t high, uint32_t len_low, uint32_t len_high,
		      unsigned int advice)
{
	struct fd fd = fd_get(number);
	long error = -EBADF;

	if (fd.file)
		error = file_advise(fd.file, offset_of(low, high), offset_of(len_low, len_high),
				    advice);
	fd_put(fd);
	return error;
}

long sys_fadvise64(int fd, uint32_t low, uint32_t high, uint32_t len, unsigned int advice)
{
	return sys_fadvise64_64(fd, low, high, len, 0, advice);
}
