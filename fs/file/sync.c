/*
 * Writing bytes to the disk, and dropping them from memory.
 *
 * 1. fsync waits until the file's dirty pages, and the metadata that leads to them, are on the
 *    disk. It reports an error of an earlier write-back once.
 * 2. sync does the same for every disk. File systems need no call of their own for that, because
 *    all they write is in pages of the cache.
 */
#include "drivers/disk/block.h"
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
	error = mapping_sync(&inode->mapping);

	if (!error && device && device->ops->flush)
		error = device->ops->flush(device);
	return error;
}

/* ---- the calls ---- */

long sys_sync(void)
{
	struct block_device *device;

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

/* ---- posix_fadvise ---- */

enum fadvice { FADV_DONTNEED = 4, FADV_MAX = 5 };

/* Act on FADV_DONTNEED. Other advice has no effect: read-ahead detects how a file is read. */
static int file_advise(struct file *file, file_off_t start, file_off_t len, unsigned int advice)
{
	struct mapping *mapping = &file->inode->mapping;
	file_off_t end, first, last;
	int error;

	if (S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if (len < 0 || start < 0 || advice > FADV_MAX)
		return refuse(EINVAL, "a negative range, or unknown advice");
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
