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
	unsigned int at = from->tail, end = at + MIN(pipe_used(from), room);
	struct pipe_slot *slot = pipe_at(from, at), *copy = pipe_at(to, to->head);
	const struct pipe_slot *slot_end = from->slots + from->nr_slots;
	const struct pipe_slot *copy_end = to->slots + to->nr_slots;
	struct pipe_slot part;
	size_t left = *len;

	lockdep_held(&from->lock);
	for (; at != end && left > 0; at++, slot++, copy++) {
		if (slot == slot_end)
			slot = from->slots;
		if (copy == copy_end)
			copy = to->slots;
		part = (struct pipe_slot){ slot->page,
					   slot->offset,
					   MIN(slot->len, left),
					   slot->ops,
					   slot->flags & ~(SLOT_MERGE | SLOT_GIFT),
					   slot->private };
		slot_arrived(&part);
		if (unlikely(!slot_get(&part)))
			break;
		*copy = part;
		left -= part.len;
	}
	*len = left;
	return at - from->tail;
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
