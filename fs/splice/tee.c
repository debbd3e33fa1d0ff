/*
 * tee(2): copies the slots of one pipe to another, without copying bytes or consuming them.
 *
 * 1. Both slots hold the page. That is safe, because no holder changes bytes that another one sees.
 *    The right to append stays with the pipe for which write(2) filled the page, and appended bytes
 *    lie behind the end of every other slot.
 * 2. The bytes need not have arrived.
 */
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"

static ssize_t tee(struct file *in, struct file *out, size_t len, unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	uint64_t until = flags & SPLICE_F_NONBLOCK || !file_waits(out) ? WAIT_NOT : file_wait(in);

	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not readable, or the output not writable");
	if (!from || !to)
		return refuse(EINVAL, "one of the two is not a pipe");
	if (from == to)
		return refuse(EINVAL, "both ends are one pipe");
	return splice_between(&from->ring, &to->ring, len, until, until, true);
}

long sys_tee(int fd_in, int fd_out, size_t len, unsigned int flags)
{
	struct fd_pair fds;
	ssize_t n;

	if (flags & ~SPLICE_F_ALL)
		return refuse(EINVAL, "an unknown flag");
	if (len == 0)
		return 0;
	if (!fd_get_pair(&fds, fd_in, fd_out))
		return -EBADF;
	n = tee(fds.in, fds.out, MIN(len, SPLICE_MAX_BYTES), flags);
	fd_put_pair(&fds);
	return n;
}
