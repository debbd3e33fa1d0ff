/*
 * How the size of a file changes: truncate(2) and its relatives.
 *
 * 1. inode->lock is held while the size changes. While a task truncates a file it counts as a
 *    writer, so that no program is run from the file.
 * 2. truncate(2) has no open file, but it breaks leases like an open for writing. As that does, it
 *    counts itself before it looks for leases (fs/file/lease.h).
 */
#include "fs/cache/writeback.h"
#include "fs/file/file.h"
#include "fs/file/lease.h"
#include "fs/file/seal.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"

/*
 * Everything that can fail comes first, so that the file is unchanged after an error. Then the size
 * changes. If it shrinks, no task can bring pages beyond it back into the cache from now on. Then
 * those pages are removed, which waits for reads in flight. Only then does the file system free
 * their blocks.
 */
static int truncate_locked(struct inode *inode, file_off_t size)
{
	const struct inode_ops *ops = inode->ops;
	file_off_t old = inode->size;
	struct page *tail = NULL;
	int error;

	if (size > old && size > file_size_limit(inode, size - 1))
		return -EFBIG;
	if (sealed_against_size(inode, size) || inode_stays(inode))
		return refuse(EPERM, "the file's size is sealed, or must stay");
	error = ops && ops->truncate ? ops->truncate(inode, size) : 0;
	if (error)
		return error;
	if (size < old)
		tail = mapping_begin_truncate(&inode->mapping, size);
	if (IS_ERR(tail)) {
		if (ops && ops->truncated)
			ops->truncated(inode);
		return PTR_ERR(tail);
	}
	inode_drop_privileges(inode);
	inode_set_size(inode, size);
	if (size > old)
		mapping_grown(&inode->mapping, old);
	else /* beyond its end a file may have pages from fallocate(2) */
		mapping_truncate(&inode->mapping, size, tail);
	if (ops && ops->truncated)
		ops->truncated(inode);
	inode_modified(inode);
	inode_changed(inode);
	return 0;
}

int inode_truncate(struct inode *inode, file_off_t size)
{
	int error = inode_begin_writing(inode);

	if (error)
		return error;
	error = mutex_lock_killable(&inode->lock);
	if (!error) {
		error = truncate_locked(inode, size);
		mutex_unlock(&inode->lock);
	}
	inode_end_writing(inode);
	return error;
}

/*
 *	truncate				F_SETLEASE
 *	there is no lease
 *						nobody writes: sets one
 *	counts itself, truncates
 *
 * cannot happen, because it counts itself first.
 */
static int truncate_counted(struct inode *inode, file_off_t size)
{
	int error = inode_begin_writing(inode);

	if (error)
		return error;
	error = lease_break(inode, true, true);
	if (!error)
		error = inode_truncate(inode, size);
	inode_end_writing(inode);
	return error;
}

static int truncate_through(struct mount *mount, struct inode *inode, file_off_t size)
{
	int error = mount_begin_writing(mount);

	if (error)
		return error;
	error = inode_permission(inode, MAY_WRITE);
	if (!error)
		error = truncate_counted(inode, size);
	mount_end_writing(mount);
	return error;
}

long sys_truncate64(const char __user *name, uint32_t low, uint32_t high)
{
	file_off_t size = offset_of(low, high);
	struct inode *inode;
	struct path path;
	int error;

	if (size < 0)
		return refuse(EINVAL, "a negative size");
	error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	if (error)
		return error;
	inode = path.dentry->inode;
	if (S_ISDIR(inode->mode))
		error = -EISDIR;
	else if (!S_ISREG(inode->mode))
		error = refuse(EINVAL, "not an ordinary file");
	else
		error = truncate_through(path.mount, inode, size);
	if (!error)
		notify_path(path.dentry, IN_MODIFY);
	path_put(&path);
	return error;
}

long sys_truncate(const char __user *name, int32_t size)
{
	return sys_truncate64(name, size, size >> 31);
}

long sys_ftruncate64(int number, uint32_t low, uint32_t high)
{
	file_off_t size = offset_of(low, high);
	struct fd fd;
	long error;

	if (size < 0)
		return refuse(EINVAL, "a negative size");
	fd = fd_get(number);
	if (!fd.file)
		return -EBADF;
	if (!fd.file->writable || !S_ISREG(fd.file->inode->mode))
		error = refuse(EINVAL, "no ordinary file that is open for writing");
	else
		error = inode_truncate(fd.file->inode, size);
	if (!error)
		notify_file(fd.file, IN_MODIFY);
	fd_put(fd);
	return error;
}

long sys_ftruncate(int fd, int32_t size)
{
	return sys_ftruncate64(fd, size, size >> 31);
}
