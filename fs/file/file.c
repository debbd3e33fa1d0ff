/*
 * Open files.
 *
 * 1. Descriptors, mappings and calls in progress hold references to a file. Dropping the last one
 *    runs the file's release operation, which may sleep.
 * 2. release runs only if open has succeeded.
 */
#include "fs/file/file.h"
#include "fs/file/dnotify.h"
#include "fs/file/lease.h"
#include "fs/file/lock.h"
#include "fs/file/owner.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/syscall.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

#define FILES_MIN 8192u /* this many may be open, however small the memory is */

void (*before_watched_file_closes)(struct file *file);

struct atomic nr_open_files = ATOMIC_INIT(0);
uint32_t max_open_files = FILES_MIN;
SLAB_CACHE(file_cache, "file", struct file, 0);

struct file *file_alloc(struct inode *inode, const struct file_ops *ops, unsigned int flags)
{
	unsigned int access = flags & O_ACCMODE; /* 3: neither */
	struct file *file = NULL;
	int error = -ENFILE;

	if (atomic_add_return(&nr_open_files, 1) > (int)max_open_files && !capable(CAP_SYS_ADMIN))
		goto uncount;
	error = -ENOMEM;
	file = slab_alloc(file_cache, ALLOC_ZERO);
	if (!file)
		goto uncount;
	atomic_set(&file->refs, 1);
	file->flags = flags;
	file->readable = access == O_RDONLY || access == O_RDWR;
	file->writable = access == O_WRONLY || access == O_RDWR;
	file->ops = ops;
	file->inode = inode;
	mutex_init(&file->pos_lock, "file position");
	return file;
uncount:
	atomic_dec(&nr_open_files);
	inode_put(inode);
	return ERR_PTR(error);
}

void file_get(struct file *file)
{
	atomic_inc(&file->refs);
}

void file_put(struct file *file)
{
	if (!atomic_dec_and_test(&file->refs))
		return;
	if (unlikely(READ_ONCE(file->epolls)))
		before_watched_file_closes(file);
	lease_drop(file);
	if (unlikely(file->owner)) {
		dir_notify_released(file);
		file_owner_free(file);
	}
	lock_drop_owner(file, file);
	if (file->opened)
		notify_file(file, file->writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (file->ops->release)
		file->ops->release(file);
	if (file->writing) {
		inode_end_writing(file->inode);
		mount_end_writing(file->path.mount);
	}
	if (file->reading)
		atomic_dec(&file->inode->readers);
	inode_put(file->inode);
	path_put(&file->path);
	slab_free(file_cache, file);
	atomic_dec(&nr_open_files);
}

int file_path(struct file *file, struct path *result)
{
	*result = file->path;
	if (result->dentry) {
		path_get(result);
		return 0;
	}
	result->dentry = dentry_make_nameless(file->inode);
	if (!result->dentry)
		return -ENOMEM;
	result->mount = &anonymous_mount;
	mount_get(result->mount);
	return 0;
}

file_off_t generic_llseek(struct file *file, file_off_t offset, int whence)
{
	file_off_t base = 0;

	if (whence == SEEK_CUR)
		base = file->pos;
	else if (whence == SEEK_END)
		base = inode_size(file->inode);
	else if (whence != SEEK_SET)
		return refuse(EINVAL, "whence is not SEEK_SET, SEEK_CUR or SEEK_END");
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0 ||
	    offset > file->inode->sb->size_max)
		return refuse(EINVAL, "a negative offset, or one that no file can have");
	file->pos = offset;
	return offset;
}

file_off_t regular_llseek(struct file *file, file_off_t offset, int whence)
{
	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		file_off_t size = inode_size(file->inode);

		if (offset < 0 || offset >= size)
			return -ENXIO;
		if (whence == SEEK_HOLE)
			offset = size;
		whence = SEEK_SET;
	}
	return generic_llseek(file, offset, whence);
}

static void file_init(void)
{
	struct memory_stats stats;

	memory_stats(&stats);
	max_open_files = MAX(stats.total, FILES_MIN);
}
INITCALL(1, file_init);

/* ---- positions ---- */

/*
 * Most calls need no lock. Those that do are in functions of their own, so that the others save no
 * registers for them.
 */

static int get_user_position(const int64_t __user *user, int64_t *pos)
{
	if (get_user_u64((uint64_t *)pos, user))
		return -EFAULT;
	return *pos < 0 ? refuse(EINVAL, "the offset is negative") : 0;
}

static __noinline int get_shared_position(struct file *file, int64_t *pos)
{
	int shared = file_lock_position(file);

	if (shared < 0)
		return shared;
	*pos = file->pos;
	file_unlock_position(file, shared);
	return 0;
}

int file_get_position(struct file *file, const int64_t __user *user, int64_t *pos)
{
	if (user)
		return get_user_position(user, pos);
	*pos = 0;
	if (!file->ops->llseek)
		return 0;
	if (file_is_shared(file))
		return get_shared_position(file, pos);
	*pos = file->pos;
	return 0;
}

static __noinline int set_shared_position(struct file *file, int64_t pos)
{
	int shared = file_lock_position(file);

	if (shared < 0)
		return shared;
	file->pos = pos;
	file_unlock_position(file, shared);
	return 0;
}

int file_set_position(struct file *file, int64_t __user *user, int64_t pos)
{
	if (user)
		return put_user_u64(pos, user);
	if (!file->ops->llseek)
		return 0;
	if (file_is_shared(file))
		return set_shared_position(file, pos);
	file->pos = pos;
	return 0;
}
