/*
 * read, write and their relatives.
 *
 * 1. The common path is short: look up the descriptor, check the access mode, set up the iterator,
 *    call the file's own operation. Code for offsets and vectors, which few calls need, is kept
 *    apart from it.
 * 2. A file that can seek has a position, which one call at a time uses (pos_lock). A pipe or
 *    terminal has none, so its readers do not wait for each other here.
 * 3. pread and similar calls use the offset that they are given, and take no lock.
 */
#include "fs/cache/pageio.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/file/generic.h"
#include "mm/vm/iter.h"
#include "fs/names/vfs_internal.h"

#define RW_MAX (INT32_MAX & PAGE_MASK) /* most bytes that one call moves */

enum direction { READ, WRITE }; /* the indices in struct io_counts */

/* ---- files ---- */

static ssize_t cannot_read(struct file *file)
{
	if (!file->readable)
		return -EBADF;
	return S_ISDIR(file->inode->mode) ? -EISDIR : refuse(EINVAL, "the file cannot be read");
}

static inline ssize_t move_silently(struct file *file, struct iter *iter, file_off_t *pos,
				    enum direction direction)
{
	if (direction == WRITE) {
		if (likely(file->writable && file->ops->write))
			return file->ops->write(file, iter, pos);
		return file->writable ? refuse(EINVAL, "the file cannot be written") : -EBADF;
	}
	if (likely(file->readable && file->ops->read))
		return file->ops->read(file, iter, pos);
	return cannot_read(file);
}

static inline ssize_t move_at(struct file *file, struct iter *iter, file_off_t *pos,
			      enum direction direction)
{
	ssize_t n = move_silently(file, iter, pos, direction);

	file_moved(file, direction, n);
	return n;
}

static __noinline ssize_t move_seekable(struct file *file, struct iter *iter,
					enum direction direction)
{
	ssize_t result;

	/* A reader may sleep until another task writes to the same open file. */
	if (file->ops->own_place)
		return move_at(file, iter, &file->pos, direction);
	result = mutex_lock_killable(&file->pos_lock);
	if (result)
		return result;
	result = move_at(file, iter, &file->pos, direction);
	mutex_unlock(&file->pos_lock);
	return result;
}

/* Read or write at the file's position. */
static inline ssize_t file_move(struct file *file, struct iter *iter, enum direction direction)
{
	return unlikely(file->ops->llseek) ? move_seekable(file, iter, direction)
					   : move_at(file, iter, &file->pos, direction);
}

static inline bool may_move(struct file *file, enum direction direction)
{
	return direction == WRITE ? file->writable : file->readable;
}

/* ---- one buffer ---- */

static ssize_t buffer_check(const void __user *buf, size_t *len)
{
	if (unlikely(!user_range_ok(buf, *len)))
		return -EFAULT;
	if (unlikely(*len > RW_MAX)) {
		if ((ssize_t)*len < 0)
			return refuse(EINVAL, "a length that is negative as a ssize_t");
		*len = RW_MAX;
	}
	return 0;
}

static inline __attribute__((always_inline)) ssize_t move_buffer(unsigned int number,
								 void __user *buf, size_t len,
								 enum direction direction)
{
	struct fd fd = fd_get(number);
	struct iter iter;
	ssize_t result;

	if (unlikely(!fd.file))
		return -EBADF;
	result = buffer_check(buf, &len);
	if (likely(!result)) {
		iter_init_user(&iter, buf, len);
		result = file_move(fd.file, &iter, direction);
	} else if (!may_move(fd.file, direction)) {
		result = -EBADF;
	}
	fd_put(fd);
	return result;
}

long sys_read(unsigned int fd, void __user *buf, size_t len)
{
	return move_buffer(fd, buf, len, READ);
}

long sys_write(unsigned int fd, void __user *buf, size_t len)
{
	return move_buffer(fd, buf, len, WRITE);
}

/* Check the file. Its errors come before those of the memory. Returns 0 or an error. */
static ssize_t check_move_at(struct file *file, enum direction direction)
{
	if (!file->ops->llseek)
		return -ESPIPE;
	return may_move(file, direction) ? 0 : -EBADF;
}

static ssize_t move_buffer_at(unsigned int number, void __user *buf, size_t len, file_off_t pos,
			      enum direction direction)
{
	struct iter iter;
	struct fd fd;
	ssize_t result;

	if (pos < 0)
		return refuse(EINVAL, "a negative offset");
	fd = fd_get(number);
	if (!fd.file)
		return -EBADF;
	result = check_move_at(fd.file, direction);
	if (!result)
		result = buffer_check(buf, &len);
	if (!result && range_overflows(pos, len))
		result = refuse(EINVAL, "the range ends beyond the largest offset");
	if (!result) {
		iter_init_user(&iter, buf, len);
		result = move_at(fd.file, &iter, &pos, direction);
	}
	fd_put(fd);
	return result;
}

long sys_pread64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high)
{
	return move_buffer_at(fd, buf, len, offset_of(low, high), READ);
}

long sys_pwrite64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high)
{
	return move_buffer_at(fd, buf, len, offset_of(low, high), WRITE);
}

/* ---- vectors ---- */

/*
 * Can a call on the file promise not to wait for long (RWF_NOWAIT)? Linux refuses that for other
 * files as well, but for fewer.
 */
static bool knows_nowait(const struct file *file)
{
	return file->flags & O_DIRECT && mapping_allows_direct(&file->inode->mapping);
}

enum rw_flags { /* linux/fs.h */
		RWF_HIPRI = 0x01,
		RWF_DSYNC = 0x02,
		RWF_SYNC = 0x04,
		RWF_NOWAIT = 0x08,
		RWF_APPEND = 0x10,
		RWF_KNOWN = 0x1f,
};

/* Returns 0 or -EOPNOTSUPP. */
static int check_flags(const struct file *file, unsigned int flags)
{
	if (flags & ~RWF_KNOWN)
		return refuse(EOPNOTSUPP, "an unknown flag");
	if (flags & RWF_NOWAIT && !knows_nowait(file))
		return refuse(EOPNOTSUPP, "the file cannot promise not to wait");
	return 0;
}

/* Append a vector, wherever the file's position is. With `move` the position follows. */
static ssize_t append_vector(struct file *file, struct iter *iter, bool move)
{
	file_off_t pos = POS_APPEND;
	ssize_t result;
	int shared = move ? file_lock_position(file) : 0;

	if (shared < 0)
		return shared;
	result = move_at(file, iter, &pos, WRITE);
	if (move && result > 0)
		file->pos = pos;
	file_unlock_position(file, shared);
	return result;
}

/*
 * Make a file's bytes durable after a write with RWF_DSYNC or RWF_SYNC. Returns `written`, or an
 * error.
 */
static ssize_t sync_written(struct file *file, ssize_t written)
{
	int error = written > 0 && file->ops->fsync ? file->ops->fsync(file) : 0;

	return error ? error : written;
}

/*
 * Read or write a vector that has been imported, at *pos, or at the file's position if pos is NULL.
 * HIPRI asks a device to be polled, which makes no difference to the result; no device here is
 * polled. The checks are in the order of Linux.
 */
static ssize_t move_imported(struct file *file, struct iter *iter, file_off_t *pos,
			     enum direction direction, unsigned int flags)
{
	ssize_t result;

	if (!may_move(file, direction))
		return -EBADF;
	if (iter->left == 0)
		return 0;
	if (pos && range_overflows(*pos, iter->left))
		return refuse(EINVAL, "the range ends beyond the largest offset");
	result = check_flags(file, flags);
	if (result)
		return result;
	iter->nowait = flags & RWF_NOWAIT;
	if (direction == WRITE && flags & RWF_APPEND && S_ISREG(file->inode->mode))
		result = append_vector(file, iter, !pos);
	else
		result = pos ? move_at(file, iter, pos, direction)
			     : file_move(file, iter, direction);
	return direction == WRITE && flags & (RWF_DSYNC | RWF_SYNC) ? sync_written(file, result)
								    : result;
}

/* Read or write a vector, at *pos, or at the file's position if pos is NULL. */
static ssize_t move_vector(unsigned int number, const struct iovec __user *iov, unsigned int nr,
			   file_off_t *pos, enum direction direction, unsigned int flags)
{
	struct iovec fast[IOV_FAST];
	struct iovec *heap = NULL;
	struct iter iter;
	struct fd fd = fd_get(number);
	ssize_t result;

	if (!fd.file)
		return -EBADF;
	result = pos && !fd.file->ops->llseek ? -ESPIPE : iter_import(&iter, iov, nr, fast, &heap);
	if (!result)
		result = move_imported(fd.file, &iter, pos, direction, flags);
	kfree(heap);
	fd_put(fd);
	return result;
}

long sys_readv(unsigned int fd, const struct iovec __user *iov, unsigned int nr)
{
	return move_vector(fd, iov, nr, NULL, READ, 0);
}

long sys_writev(unsigned int fd, const struct iovec __user *iov, unsigned int nr)
{
	return move_vector(fd, iov, nr, NULL, WRITE, 0);
}

long sys_preadv(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		uint32_t high)
{
	file_off_t pos = offset_of(low, high);

	return pos < 0 ? -EINVAL : move_vector(fd, iov, nr, &pos, READ, 0);
}

long sys_pwritev(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		 uint32_t high)
{
	file_off_t pos = offset_of(low, high);

	return pos < 0 ? -EINVAL : move_vector(fd, iov, nr, &pos, WRITE, 0);
}

/* ---- preadv2 and pwritev2 ---- */

/*
 * Store the offset of the two calls in *pos. Returns NULL for -1, which means the file's position.
 */
static file_off_t *offset_or_position(file_off_t *pos, uint32_t low, uint32_t high)
{
	*pos = offset_of(low, high);
	return *pos == -1 ? NULL : pos;
}

long sys_preadv2(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		 uint32_t high, unsigned int flags)
{
	file_off_t pos, *at = offset_or_position(&pos, low, high);

	if (at && pos < 0)
		return -EINVAL;
	return move_vector(fd, iov, nr, at, READ, flags);
}

long sys_pwritev2(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		  uint32_t high, unsigned int flags)
{
	file_off_t pos, *at = offset_or_position(&pos, low, high);

	if (at && pos < 0)
		return -EINVAL;
	return move_vector(fd, iov, nr, at, WRITE, flags);
}

/* ---- positions ---- */

/* Seek, and store the new position, which has 64 bits, in *result. Returns 0 or an error. */
static int seek(unsigned int number, file_off_t offset, int whence, file_off_t *result)
{
	struct fd fd = fd_get(number);
	file_off_t pos = -ESPIPE;

	if (!fd.file)
		return -EBADF;
	if (whence < SEEK_SET || whence > SEEK_HOLE) {
		pos = refuse(EINVAL, "whence is not between SEEK_SET and SEEK_HOLE");
	} else if (fd.file->ops->ignores_seek) {
		pos = 0;
	} else if (fd.file->ops->llseek) {
		int shared = file_lock_position(fd.file);

		pos = shared;
		if (shared >= 0) {
			pos = fd.file->ops->llseek(fd.file, offset, whence);
			file_unlock_position(fd.file, shared);
		}
	}
	fd_put(fd);
	*result = pos;
	return pos < 0 ? pos : 0;
}

long sys_lseek(unsigned int fd, long offset, unsigned int whence)
{
	file_off_t pos;
	int error = seek(fd, offset, whence, &pos);

	if (error)
		return error;
	return pos > INT32_MAX ? -EOVERFLOW : (long)pos;
}

long sys_llseek(unsigned int fd, uint32_t high, uint32_t low, void __user *result,
		unsigned int whence)
{
	file_off_t pos;
	int error = seek(fd, offset_of(low, high), whence, &pos);

	if (error)
		return error;
	return copy_to_user(result, &pos, sizeof(pos)) ? -EFAULT : 0;
}
