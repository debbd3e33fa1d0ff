/*
 * tee(2): the slots of one pipe once more in another, without copying a byte or consuming one.
 *
 * 1. The page gets one more holder. It is shared; that is safe because no holder changes bytes that
 *    another one sees: who appends does so behind everybody's end, and the right to append stays
 *    with the pipe that write(2) gave the page to.
 * 2. Nobody asks whether the bytes have arrived.
 */
#include "fs/splice.h"
#include "fs/file.h"
#include "fs/ring.h"
#include "kernel/syscalls.h"

static unsigned int share_slots(struct pipe *from, struct pipe *to, unsigned int room, size_t *len)
{
	struct pipe_slot *copy = pipe_at(to, to->head), *end = to->slots + to->nr_slots;
	unsigned int n = MIN(pipe_used(from), room), done;
	size_t left = *len;

	lockdep_held(&from->lock);
	ring_fill_from(to, from, from->tail, n);
	for (done = 0; done < n && left > 0; done++) {
		slot_arrived(copy);
		if (unlikely(!slot_get(copy)))
			break;
		copy->flags &= ~(SLOT_MERGE | SLOT_GIFT);
		copy->len = MIN(copy->len, left);
		left -= copy->len;
		if (++copy == end)
			copy = to->slots;
	}
	*len = left;
	return done;
}

static ssize_t tee(struct file *in, struct file *out, size_t len, unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	bool nonblock = flags & SPLICE_F_NONBLOCK || (in->flags | out->flags) & O_NONBLOCK;

	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not open to read, or the output not to write");
	if (!from || !to || from == to)
		return refuse(EINVAL, "not two different pipes");
	return splice_between(from, to, len, nonblock, share_slots);
}

long sys_tee(int fd_in, int fd_out, size_t len, unsigned int flags)
{
	struct fd in, out;
	ssize_t n = -EBADF;

	if (flags & ~SPLICE_F_ALL)
		return refuse(EINVAL, "an unknown flag");
	if (len == 0)
		return 0;
	in = fd_get(fd_in);
	out = fd_get(fd_out);
	if (in.file && out.file)
		n = tee(in.file, out.file, MIN(len, SPLICE_MAX_BYTES), flags);
	fd_put(in);
	fd_put(out);
	return n;
}
