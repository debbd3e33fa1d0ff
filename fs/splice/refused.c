/*
 * Which error a failed call reports, if several things are wrong with it. splice and sendfile check
 * first what costs least. Programs expect the order of Linux, which is restored here.
 */
#include "fs/splice/splice.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

static long input_error(struct file *in, const file_off_t *offset, size_t count)
{
	file_off_t pos = offset ? *offset : 0;

	if (!in || !in->readable)
		return -EBADF;
	if (offset && !in->ops->llseek)
		return -ESPIPE;
	if (!offset)
		file_get_position(in, NULL, &pos);
	if (pos < 0 || (ssize_t)count < 0 || range_overflows(pos, count))
		return refuse(EINVAL, "a negative offset or size, or an offset near the largest");
	return -EBADF; /* the output is bad */
}

long sendfile_refused(int fd_in, const file_off_t *offset, size_t count)
{
	struct fd fd = fd_get(fd_in);
	long error = input_error(fd.file, offset, count);

	fd_put(fd);
	return error;
}

long splice_refused(long error, const file_off_t __user *off_in, const file_off_t __user *off_out)
{
	file_off_t pos;

	if (error == -ESPIPE) /* an offset for a pipe is not even looked at */
		return error;
	if ((off_out && copy_from_user(&pos, off_out, sizeof(pos))) ||
	    (off_in && copy_from_user(&pos, off_in, sizeof(pos))))
		return -EFAULT;
	return error;
}
