/*
 * copy_file_range(2): from one regular file to another of the same file system, by the means of
 * sendfile. Pages are moved instead of copied where that is possible.
 */
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

/* Returns how many of the len bytes at pos_in may be copied to pos_out, or an error. */
static ssize_t check_range(struct file *in, file_off_t pos_in, struct file *out, file_off_t pos_out,
			   size_t len)
{
	struct inode *from = in->inode, *to = out->inode;
	file_off_t size;
	uint64_t end;

	if (S_ISDIR(from->mode) || S_ISDIR(to->mode))
		return -EISDIR;
	if (!S_ISREG(from->mode) || !S_ISREG(to->mode))
		return refuse(EINVAL, "not a regular file");
	if (!in->readable || !out->writable || out->flags & O_APPEND)
		return refuse(EBADF, "not readable, not writable, or open with O_APPEND");
	if (from->sb != to->sb)
		return -EXDEV;
	if (!in->ops->splice_read || !out->ops->splice_write)
		return refuse(EINVAL, "the file cannot be spliced");
	/* Offsets count without a sign here: a small negative one has too little room above it. */
	if (__builtin_add_overflow((uint64_t)pos_in, (uint64_t)len, &end) ||
	    __builtin_add_overflow((uint64_t)pos_out, (uint64_t)len, &end))
		return -EOVERFLOW;
	if (pos_out >= to->sb->size_max)
		return -EFBIG;
	if (pos_in < 0 || pos_out < 0)
		return refuse(EINVAL, "a negative offset");
	size = inode_size(from);
	if (pos_in >= size)
		return 0;
	len = MIN(len, SPLICE_MAX_BYTES);
	len = MIN((file_off_t)len, MIN(size - pos_in, to->sb->size_max - pos_out));
	if (from == to && pos_in < pos_out + (file_off_t)len && pos_out < pos_in + (file_off_t)len)
		return refuse(EINVAL, "the ranges overlap");
	return len;
}

/* As file_get_position(), but whether an offset may be negative is asked later. */
static int get_offset(struct file *file, const file_off_t __user *offset, file_off_t *pos)
{
	if (!offset)
		return file_get_position(file, NULL, pos);
	return copy_from_user(pos, offset, sizeof(*pos)) ? -EFAULT : 0;
}

static ssize_t copy_range(struct file *in, file_off_t __user *off_in, struct file *out,
			  file_off_t __user *off_out, size_t len, unsigned int flags)
{
	file_off_t pos_in, pos_out;
	int error = get_offset(in, off_in, &pos_in);
	ssize_t n;

	if (!error)
		error = get_offset(out, off_out, &pos_out);
	if (error)
		return error;
	if (flags)
		return refuse(EINVAL, "an unknown flag");
	n = check_range(in, pos_in, out, pos_out, len);
	if (n > 0)
		n = splice_through_ring(in, &pos_in, out, &pos_out, n);
	file_moved(in, 0, n);
	file_moved(out, 1, n);
	if (n <= 0)
		return n;
	if (file_set_position(in, off_in, pos_in) || file_set_position(out, off_out, pos_out))
		return -EFAULT;
	return n;
}

long sys_copy_file_range(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out,
			 size_t len, unsigned int flags)
{
	struct fd_pair fds;
	ssize_t n;

	if (!fd_get_pair(&fds, fd_in, fd_out))
		return -EBADF;
	n = copy_range(fds.in, off_in, fds.out, off_out, len, flags);
	fd_put_pair(&fds);
	return n;
}
