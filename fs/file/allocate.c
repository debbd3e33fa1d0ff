/*
 * fallocate(2): room in a file before it is written, and holes afterwards. What a file system can
 * do is in its inode_ops.allocate.
 */
#include "fs/file/allocate.h"
#include "fs/file/file.h"
#include "fs/file/seal.h"
#include "fs/names/inode_flags.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"

/* Linux checks the mode in this order. */
static int check_mode(unsigned int mode)
{
	const unsigned int both = FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE;

	if (mode & ~FALLOC_KNOWN || (mode & both) == both ||
	    (mode & FALLOC_PUNCH_HOLE && !(mode & FALLOC_KEEP_SIZE)))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_COLLAPSE_RANGE && mode != FALLOC_COLLAPSE_RANGE) ||
	    (mode & FALLOC_INSERT_RANGE && mode != FALLOC_INSERT_RANGE) ||
	    (mode & FALLOC_UNSHARE_RANGE && mode & ~(FALLOC_UNSHARE_RANGE | FALLOC_KEEP_SIZE)))
		return refuse(EINVAL, "modes that exclude each other");
	return 0;
}

static int check_file(const struct file *file)
{
	unsigned int mode = file->inode->mode;

	if (!file->writable)
		return -EBADF;
	if (S_ISFIFO(mode))
		return -ESPIPE;
	if (S_ISDIR(mode))
		return -EISDIR;
	return S_ISREG(mode) || S_ISBLK(mode) ? 0 : -ENODEV;
}

static int allocate_locked(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end)
{
	int error;

	if (mode & FALLOC_PUNCH_HOLE ? sealed_against_writing(inode)
				     : end > inode->size && sealed_against_size(inode, end))
		return refuse(EPERM, "the file is sealed");
	if (inode_is_immutable(inode) || (mode & ~FALLOC_KEEP_SIZE && inode_only_grows(inode)))
		return refuse(EPERM, "the file is immutable or append-only");
	error = inode->ops->allocate(inode, mode, start, end);
	if (error)
		return MIN(error, 0);
	inode_drop_privileges(inode);
	if (!(mode & FALLOC_KEEP_SIZE) && end > inode->size)
		inode_set_size(inode, end);
	inode_modified(inode);
	return 0;
}

int file_allocate(struct file *file, unsigned int mode, file_off_t start, file_off_t len)
{
	struct inode *inode = file->inode;
	int error = check_mode(mode);

	if (!error)
		error = check_file(file);
	if (error)
		return error;
	if (len > FILE_SIZE_MAX - start)
		return -EFBIG;
	if (!inode->ops || !inode->ops->allocate)
		return -EOPNOTSUPP;
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	error = allocate_locked(inode, mode, start, start + len);
	mutex_unlock(&inode->lock);
	return error;
}

long sys_fallocate(int number, unsigned int mode, uint32_t low, uint32_t high, uint32_t len_low,
		   uint32_t len_high)
{
	file_off_t start = offset_of(low, high), len = offset_of(len_low, len_high);
	struct fd fd = fd_get(number);
	long error = -EBADF;

	if (fd.file && (start < 0 || len <= 0))
		error = refuse(EINVAL, "a negative offset, or no length");
	else if (fd.file)
		error = file_allocate(fd.file, mode, start, len);
	if (!error)
		notify_file(fd.file, IN_MODIFY);
	fd_put(fd);
	return error;
}
