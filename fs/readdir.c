/*
 * Reading directories: getdents and getdents64.
 *
 * 1. The file system emits its entries, with the directory's lock held, into a buffer of the
 *    kernel's; it is copied to the user when the lock is given back. So no page fault happens under
 *    the lock.
 * 2. An entry tells the position of its successor, which is known when that one is emitted, or at
 *    the end.
 * 3. The file's position moves only if the copy succeeded.
 */
#include "lib/string.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

#define BUFFER_MAX PAGE_SIZE /* a call may return less than there is */

struct dirent32 { /* the type is the last byte of the entry */
	uint32_t ino, off;
	uint16_t reclen;
	char name[];
} __packed;

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __packed;

struct dirent_buffer {
	struct dir_context context;
	bool wide; /* getdents64 */
	char *buf;
	size_t size, used;
	void *last; /* whose `off` is still to be told */
	int error;  /* an entry that no buffer of this form or size can hold */
};

static void tell_last(struct dirent_buffer *buffer, file_off_t pos)
{
	if (!buffer->last)
		return;
	if (buffer->wide)
		((struct dirent64 *)buffer->last)->off = pos;
	else
		((struct dirent32 *)buffer->last)->off = pos;
}

static bool emit_entry(struct dir_context *context, const char *name, size_t len, uint64_t ino,
		       unsigned int type)
{
	struct dirent_buffer *buffer = container_of(context, struct dirent_buffer, context);
	size_t header =
		buffer->wide ? offsetof(struct dirent64, name) : offsetof(struct dirent32, name);
	size_t reclen = ALIGN_UP(header + len + (buffer->wide ? 1 : 2), buffer->wide ? 8u : 4u);
	void *entry = buffer->buf + buffer->used;

	if (!buffer->wide && ino > UINT32_MAX) {
		buffer->error = -EOVERFLOW;
		return false;
	}
	if (reclen > buffer->size - buffer->used) {
		buffer->error = -EINVAL;
		return false;
	}
	tell_last(buffer, context->pos);
	memset(entry, 0, reclen);
	if (buffer->wide) {
		struct dirent64 *dirent = entry;

		dirent->ino = ino;
		dirent->reclen = reclen;
		dirent->type = type;
		memcpy(dirent->name, name, len);
	} else {
		struct dirent32 *dirent = entry;

		dirent->ino = ino;
		dirent->reclen = reclen;
		memcpy(dirent->name, name, len);
		((uint8_t *)entry)[reclen - 1] = type;
	}
	buffer->last = entry;
	buffer->used += reclen;
	return true;
}

static int fill_buffer(struct file *file, struct dirent_buffer *buffer)
{
	struct inode *inode = file->inode;
	int error = -ENOENT;

	mutex_lock(&inode->lock);
	buffer->context.pos = file->pos;
	if (!inode->deleted)
		error = file->ops->readdir(file, &buffer->context);
	mutex_unlock(&inode->lock);
	return error;
}

static long read_directory(struct file *file, void __user *result, size_t size, bool wide)
{
	struct dirent_buffer buffer = { .context.emit = emit_entry, .wide = wide };
	long error;

	if (!file->ops->readdir)
		return -ENOTDIR;
	buffer.size = MIN(size, BUFFER_MAX);
	buffer.buf = kmalloc(MAX(buffer.size, 1u), 0);
	if (!buffer.buf)
		return -ENOMEM;
	mutex_lock(&file->pos_lock);
	error = fill_buffer(file, &buffer);
	if (buffer.used > 0) {
		tell_last(&buffer, buffer.context.pos);
		error = copy_to_user(result, buffer.buf, buffer.used);
	} else if (!error) {
		error = buffer.error;
	}
	if (!error) {
		file->pos = buffer.context.pos;
		error = buffer.used;
	}
	mutex_unlock(&file->pos_lock);
	kfree(buffer.buf);
	return error;
}

static long getdents(unsigned int number, void __user *result, size_t size, bool wide)
{
	struct fd fd = fd_get(number);
	long n;

	if (!fd.file)
		return -EBADF;
	n = read_directory(fd.file, result, size, wide);
	fd_put(fd);
	return n;
}

long sys_getdents(unsigned int fd, void __user *result, size_t size)
{
	return getdents(fd, result, size, false);
}

long sys_getdents64(unsigned int fd, void __user *result, size_t size)
{
	return getdents(fd, result, size, true);
}
