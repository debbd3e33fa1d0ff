/*
 * Reading directories.
 *
 * 1. The file system emits its entries into a kernel buffer, with the directory's lock held. The
 *    buffer is copied to the user after the lock is released, so no page fault happens under the
 *    lock.
 * 2. An entry contains the position of its successor, which becomes known when the successor is
 *    emitted, or at the end.
 * 3. The file's position moves only if the copy succeeded.
 * 4. There are three forms of an entry: that of getdents64, the older one of getdents, and that of
 *    readdir, a call that returns a single entry.
 */
#include "lib/string.h"
#include "fs/file/dnotify.h"
#include "fs/file/generic.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/notify.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"

#define BUFFER_MAX PAGE_SIZE /* a call may return fewer entries than fit the user's buffer */

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __packed;

struct dirent32 {
	uint32_t ino;
	int32_t off;
	uint16_t reclen; /* readdir: the length of the name */
	char name[];	 /* getdents: the type is the last byte of the entry */
} __packed;

enum form { WIDE, NARROW, SINGLE };

struct dirent_buffer {
	struct dir_context context;
	const struct super_block *sb;
	enum form form;
	char *buf;
	size_t size, used;
	char *last; /* the entry whose `off` is not yet set; of two forms */
	int error;  /* -EINVAL: an entry did not fit */
};

/* Complete the last entry. */
static void set_next(struct dirent_buffer *buffer)
{
	if (buffer->form == WIDE)
		((struct dirent64 *)buffer->last)->off = buffer->context.pos;
	else if (buffer->form == NARROW)
		((struct dirent32 *)buffer->last)->off = buffer->context.pos;
}

static size_t entry_size(enum form form, size_t len)
{
	switch (form) {
	case WIDE:
		return ALIGN_UP(offsetof(struct dirent64, name) + len + 1, 8u);
	case NARROW:
		return ALIGN_UP(offsetof(struct dirent32, name) + len + 2, 4u);
	case SINGLE:
		break;
	}
	return offsetof(struct dirent32, name) + len + 1;
}

static bool emit_entry(struct dir_context *context, const char *name, size_t len, uint64_t number,
		       unsigned int type)
{
	struct dirent_buffer *buffer = container_of(context, struct dirent_buffer, context);
	uint64_t ino = shown_number(buffer->sb, number);
	size_t size = entry_size(buffer->form, len);
	char *entry = buffer->buf + buffer->used;

	if (buffer->form == SINGLE && buffer->last)
		return false;
	if (size > buffer->size - buffer->used) {
		buffer->error = refuse(EINVAL, "no room for even one entry");
		return false;
	}
	if (buffer->form != WIDE && ino > UINT32_MAX) {
		buffer->error = -EOVERFLOW;
		return false;
	}
	if (buffer->last)
		set_next(buffer);
	memset(entry, 0, size);
	if (buffer->form == WIDE) {
		*(struct dirent64 *)entry = (struct dirent64){ ino, 0, size, type };
		memcpy(((struct dirent64 *)entry)->name, name, len);
	} else {
		*(struct dirent32 *)entry =
			(struct dirent32){ ino, context->pos, buffer->form == NARROW ? size : len };
		memcpy(((struct dirent32 *)entry)->name, name, len);
		if (buffer->form == NARROW)
			entry[size - 1] = type;
	}
	buffer->last = entry;
	buffer->used += size;
	return true;
}

const struct file_ops dir_file_ops = {
	.llseek = regular_llseek,
	.fsync = generic_file_fsync,
	.closed = dir_notify_closed,
};

static file_off_t memory_dir_llseek(struct file *file, file_off_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return refuse(EINVAL, "a directory in memory has no end to count from");
	return generic_llseek(file, offset, whence);
}

const struct file_ops memory_dir_file_ops = {
	.llseek = memory_dir_llseek,
	.fsync = generic_file_fsync,
	.closed = dir_notify_closed,
};

bool dir_emit_dots(struct dir_context *context, uint64_t self, uint64_t parent)
{
	for (; context->pos < 2; context->pos++)
		if (!context->emit(context, "..", context->pos + 1, context->pos ? parent : self,
				   DT_OF_MODE(S_IFDIR)))
			return false;
	return true;
}

static long read_directory(struct file *file, void __user *result, size_t size, enum form form)
{
	struct inode *inode = file->inode;
	struct dirent_buffer buffer = { .context.emit = emit_entry,
					.sb = inode->sb,
					.form = form,
					.size = MIN(size, BUFFER_MAX) };
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
	if (!error) {
		notify_file(file, IN_ACCESS);
		file_accessed(file);
	}
	if (buffer.used > 0) {
		set_next(&buffer);
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

static long read_directory_of(unsigned int number, void __user *result, size_t size, enum form form)
{
	struct fd fd = fd_get(number);
	long n = fd.file ? read_directory(fd.file, result, size, form) : -EBADF;

	fd_put(fd);
	return n;
}

long sys_getdents64(unsigned int number, void __user *result, size_t size)
{
	return read_directory_of(number, result, size, WIDE);
}

long sys_getdents(unsigned int number, void __user *result, size_t size)
{
	return read_directory_of(number, result, size, NARROW);
}

/* The third argument has no meaning. Returns 1 for an entry, and 0 at the end. */
long sys_readdir(unsigned int number, void __user *result)
{
	long n = read_directory_of(number, result, BUFFER_MAX, SINGLE);

	return n > 0 ? 1 : n;
}
