/*
 * Bringing bytes to the disk, and dropping them from memory.
 *
 * 1. fsync waits until the file's dirty pages and what leads to them are on the disk; an error of
 *    an earlier write-back is reported once.
 * 2. sync does so for every mounted file system and every disk that was written to directly.
 */
#include "drivers/block.h"
#include "kernel/syscalls.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

int block_sync(struct block_device *device)
{
	int error = device->inode ? mapping_sync(&device->inode->mapping) : 0;
	int flush_error = device->ops->flush ? device->ops->flush(device) : 0;

	return error ? error : flush_error;
}

static void sync_one(struct super_block *sb)
{
	super_sync(sb); /* sync(2) reports nothing */
}

long sys_sync(void)
{
	struct block_device *device;

	mounts_walk(sync_one);
	list_for_each(device, &block_devices, link)
		block_sync(device);
	return 0;
}

long sys_syncfs(int number)
{
	struct fd fd = fd_get(number);
	long error;

	if (!fd.file)
		return -EBADF;
	error = super_sync(fd.file->inode->sb);
	fd_put(fd);
	return error;
}

long sys_fsync(int number)
{
	struct fd fd = fd_get(number);
	long error = -EINVAL;

	if (!fd.file)
		return -EBADF;
	if (fd.file->ops->fsync)
		error = fd.file->ops->fsync(fd.file);
	fd_put(fd);
	return error;
}

long sys_fdatasync(int number)
{
	return sys_fsync(number);
}

/* ---- posix_fadvise ---- */

enum fadvice {
	FADV_NORMAL,
	FADV_RANDOM,
	FADV_SEQUENTIAL,
	FADV_WILLNEED,
	FADV_DONTNEED,
	FADV_NOREUSE,
};
#define WILLNEED_PAGES 16u /* asked for at a time */

/*
 * Where the file's pages are: those of a disk are not in the inode of its node. NULL: it has
 * none.
 */
static struct inode *cached_inode(struct inode *inode)
{
	struct block_device *device;

	if (!S_ISBLK(inode->mode))
		return inode->mapping.ops ? inode : NULL;
	device = block_find_number(MAJOR(inode->rdev), MINOR(inode->rdev));
	return device ? device->inode : NULL;
}

/* Start reading; pages that fail will be read again by who needs them. */
static int start_reading(struct inode *inode, unsigned int first, unsigned int last)
{
	struct page *pages[WILLNEED_PAGES];

	while (first <= last) {
		int nr = mapping_start(&inode->mapping, NULL, first,
				       MIN(WILLNEED_PAGES, last - first + 1), pages);

		if (nr <= 0)
			return nr;
		for (int i = 0; i < nr; i++)
			page_put(pages[i]);
		first += nr;
		if (first == 0)
			break; /* that was the last page there can be */
	}
	return 0;
}

/* Whole pages only: the ends may be wanted by their other halves. */
static int drop_range(struct inode *inode, file_off_t start, file_off_t end)
{
	struct mapping *mapping = &inode->mapping;
	file_off_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	file_off_t last = end >> PAGE_SHIFT; /* one too far */
	int error = 0;

	if (end >= inode_size(inode))
		last = (file_off_t)UINT32_MAX + 1;
	if (first >= last)
		return 0;
	if (mapping->ops->has_store) {
		error = mapping_sync(mapping);
		mapping_drop_clean(mapping, first, last - 1);
	}
	return error;
}

static int file_advise(struct file *file, file_off_t start, file_off_t len, unsigned int advice)
{
	struct inode *inode = cached_inode(file->inode);
	file_off_t end;

	if (S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if (len < 0 || start < 0)
		return -EINVAL;
	if (len == 0 || __builtin_add_overflow(start, len, &end))
		end = INT64_MAX;
	switch (advice) {
	case FADV_NORMAL: /* read-ahead finds out by itself how a file is read */
	case FADV_RANDOM:
	case FADV_SEQUENTIAL:
	case FADV_NOREUSE:
		return 0;
	case FADV_DONTNEED:
		return inode ? drop_range(inode, start, end) : 0;
	case FADV_WILLNEED:
		if (inode)
			end = MIN(end, inode_size(inode));
		if (!inode || start >= end)
			return 0;
		return start_reading(inode, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	}
	return -EINVAL;
}

static long advise(int number, file_off_t start, file_off_t len, unsigned int advice)
{
	struct fd fd = fd_get(number);
	long error;

	if (!fd.file)
		return -EBADF;
	error = file_advise(fd.file, start, len, advice);
	fd_put(fd);
	return error;
}

long sys_fadvise64(int fd, uint32_t low, uint32_t high, uint32_t len, unsigned int advice)
{
	return advise(fd, offset_of(low, high), len, advice);
}

long sys_fadvise64_64(int fd, uint32_t low, uint32_t high, uint32_t len_low, uint32_t len_high,
		      unsigned int advice)
{
	return advise(fd, offset_of(low, high), offset_of(len_low, len_high), advice);
}
