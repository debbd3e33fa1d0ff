/*
 * sendfile: splice through a ring on the stack. copy_file_range uses it too.
 *
 * 1. A sendfile is two splices: one from the input to the ring, which does not wait for the disk,
 *    and one from the ring to the output.
 * 2. The input's position advances only by the bytes that the output has taken.
 * 3. If the output is a pipe or a stream socket, the slots go directly to its ring, as in splice.
 */
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mm/vm/uaccess.h"

/* One ringful. Returns how many bytes `out` took, 0 at the end of the input, or an error. */
static ssize_t pass_ring(struct file *in, file_off_t *pos_in, struct file *out, file_off_t *pos_out,
			 size_t len)
{
	struct pipe_slot slots[SLOT_LIST_MAX];
	struct ring ring;
	file_off_t at = *pos_in;
	ssize_t had, n, taken = 0;

	ring_init(&ring, slots, SLOT_LIST_MAX, "sendfile");
	ring.readers = ring.writers = 1;
	n = had = splice_file_to_ring(in, &at, &ring, len, WAIT_NOT);
	while (n > 0 && taken < had) {
		n = splice_ring_to_file(&ring, out, pos_out, had - taken, true);
		taken += MAX(n, 0);
	}
	ring_empty(&ring);
	*pos_in += taken;
	return taken ? taken : n;
}

/* Kernel code is not preempted, and a long sendfile may never sleep, so let other tasks run. */
static void give_way(void)
{
	if (this_cpu()->need_resched)
		schedule();
}

ssize_t splice_through_ring(struct file *in, file_off_t *pos_in, struct file *out,
			    file_off_t *pos_out, size_t len)
{
	ssize_t n, done = 0;

	do {
		n = pass_ring(in, pos_in, out, pos_out, len - done);
		done += MAX(n, 0);
		give_way();
	} while (n > 0 && done < (ssize_t)len && !signal_pending());
	return done ? done : n;
}

/* ---- sendfile ---- */

/*
 * Send to a ring as much as fits, as splice does. For a stream socket, repeat until all is sent.
 */
static ssize_t send_to_ring(struct file *in, file_off_t *pos, struct file *out, struct ring *ring,
			    size_t count)
{
	ssize_t n, done = 0;

	do {
		n = splice_file_to_ring(in, pos, ring, count - done, file_ring_wait(out, true));
		done += MAX(n, 0);
		give_way();
	} while (n > 0 && done < (ssize_t)count && !file_pipe(out) && !signal_pending());
	return done ? done : n;
}

static ssize_t send(struct file *in, file_off_t *pos, struct file *out, size_t count)
{
	struct ring *ring = file_sink_ring(out);
	file_off_t pos_out;
	ssize_t n;
	int error;

	if (!in->ops->splice_read || file_source_ring(in))
		return refuse(EINVAL, "the input cannot be spliced from");
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	if (ring)
		return send_to_ring(in, pos, out, ring, count);
	/*
	 * Bytes that the output does not take are read again later, so the input must be able to
	 * seek.
	 */
	if (!in->ops->llseek)
		return refuse(EINVAL, "the input cannot seek, and the output is not a pipe");
	if (out->flags & O_APPEND)
		return refuse(EINVAL, "the output is open with O_APPEND");
	if (!out->ops->splice_write)
		return refuse(EINVAL, "the output cannot be spliced to");
	error = file_get_position(out, NULL, &pos_out);
	if (error)
		return error;
	n = splice_through_ring(in, pos, out, &pos_out, count);
	if (n > 0)
		file_set_position(out, NULL, pos_out);
	return n;
}

/*
 * Send from *offset on, and set it to the end of what was sent. If `offset` is NULL, use the
 * input's own position. No byte at or beyond the offset `max` is sent.
 */
static ssize_t sendfile(int fd_out, int fd_in, file_off_t *offset, size_t count, file_off_t max)
{
	file_off_t pos = offset ? *offset : 0;
	struct fd_pair fds;
	ssize_t n;

	if (!fd_get_pair(&fds, fd_in, fd_out))
		return sendfile_refused(fd_in, offset, count);
	if (!fds.in->readable || !fds.out->writable) {
		n = sendfile_refused(fd_in, offset, count);
		goto put;
	}
	n = -ESPIPE;
	if (offset && !fds.in->ops->llseek)
		goto put;
	if (!offset)
		file_get_position(fds.in, NULL, &pos);
	if (pos < 0 || (ssize_t)count < 0 || range_overflows(pos, count)) {
		n = refuse(EINVAL, "a negative offset or size, or an offset near the largest");
		goto put;
	}
	count = MIN(count, SPLICE_MAX_BYTES);
	n = -EOVERFLOW;
	if (pos >= max)
		goto put;
	if ((file_off_t)count > max - pos)
		count = max - pos;
	n = send(fds.in, &pos, fds.out, count);
	file_moved(fds.in, 0, n);
	file_moved(fds.out, 1, n);
	if (offset)
		*offset = pos;
	else if (n > 0)
		file_set_position(fds.in, NULL, pos);
put:
	fd_put_pair(&fds);
	return n;
}

long sys_sendfile64(int fd_out, int fd_in, int64_t __user *offset, size_t count)
{
	file_off_t pos;
	ssize_t n;

	if (!offset)
		return sendfile(fd_out, fd_in, NULL, count, INT64_MAX);
	if (copy_from_user(&pos, offset, sizeof(pos)))
		return -EFAULT;
	n = sendfile(fd_out, fd_in, &pos, count, INT64_MAX);
	if (copy_to_user(offset, &pos, sizeof(pos)))
		return -EFAULT;
	return n;
}

long sys_sendfile(int fd_out, int fd_in, int32_t __user *offset, size_t count)
{
	file_off_t pos;
	uint32_t word;
	ssize_t n;

	if (!offset)
		return sendfile(fd_out, fd_in, NULL, count, INT64_MAX);
	if (get_user_u32(&word, offset))
		return -EFAULT;
	pos = (int32_t)word;
	n = sendfile(fd_out, fd_in, &pos, count, INT32_MAX);
	if (put_user_u32(pos, offset))
		return -EFAULT;
	return n;
}
