/*
 * Reading directories.
 *
 * 1. The file system emits its entries into a kernel buffer, with the directory's lock held. The
 *    buffer is copied to the user after the lock is released, so no page fault happens under the
 *    lock.
 * 2. An entry contains the position of its successor, which becomes known when the successor is
 *    emitted, or at the end.
 * 3. The file's position moves only if the copy succeeded.
 */
#include "lib/string.h"
#include "fs/file/generic.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

#define BUFFER_MAX PAGE_SIZE /* a call may return fewer entries than fit the user's buffer */

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __packed;

struct dirent_buffer {
	struct dir_context context;
	char *buf;
	size_t size, used;
	struct dirent64 *last; /* the entry whose `off` is not yet set */
	int error;	       /* -EINVAL: an entry did not fit */
};

static bool emit_entry(struct dir_context *context, const char *name, size_t len, uint64_t ino,
		       unsigned int type)
{
	struct dirent_buffer *buffer = container_of(context, struct dirent_buffer, context);
	size_t reclen = ALIGN_UP(offsetof(struct dirent64, name) + len + 1, 8u);
	struct dirent64 *entry = (void *)(buffer->buf + buffer->used);

	if (reclen > buffer->size - buffer->used) {
		buffer->error = refuse(EINVAL, "no room for even one entry");
		return false;
	}
	if (buffer->last)
		buffer->last->off = context->pos;
	memset(entry, 0, reclen);
	entry->ino = ino;
	entry->reclen = reclen;
	entry->type = type;
	memcpy(entry->name, name, len);
	buffer->last = entry;
	buffer->used += reclen;
	return true;
}

const struct file_ops dir_file_ops = { .llseek = generic_llseek, .fsync = generic_file_fsync };

bool dir_emit_dots(struct dir_context *context, uint64_t self, uint64_t parent)
{
	for (; context->pos < 2; context->pos++)
		if (!context->emit(context, "..", context->pos + 1, context->pos ? parent : self,
				   DT_OF_MODE(S_IFDIR)))
			return false;
	return true;
}

static long read_directory(struct file *file, void __user *result, size_t size)
{
	struct dirent_buffer buffer = { .context.emit = emit_entry, .size = MIN(size, BUFFER_MAX) };
	struct inode *inode = file->inode;
	long error;

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	buffer.buf = kmalloc(BUFFER_MAX, 0);
	if (!buffer.buf)
		return -ENOMEM;
	error = mutex_lock_killable(&file->pos_lock);
	if (error)
		goto free;
	buffer.context.pos = file->pos;
	error = mutex_lock_killable(&inode->lock);
	if (error)
		goto unlock;
	error = inode->deleted ? -ENOENT : inode->ops->readdir(file->path.dentry, &buffer.context);
	mutex_unlock(&inode->lock);
	if (!error)
		notify_file(file, IN_ACCESS);
	if (buffer.used > 0) {
		buffer.last->off = buffer.context.pos;
		error = copy_to_user(result, buffer.buf, buffer.used);
	} else if (!error) {
		error = buffer.error;
	}
	if (!error) {
		file->pos = buffer.context.pos;
		error = buffer.used;
	}
unlock:
	mutex_unlock(&file->pos_lock);
free:
	kfree(buffer.buf);
	return error;
}

long sys_getdents64(unsigned int number, void __user *result, size_t size)
{
	struct fd fd = fd_get(number);
	long n = fd.file ? read_directory(fd.file, result, size) : -EBADF;

	fd_put(fd);
	return n;
}
