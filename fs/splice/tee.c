/*
 * tee(2): the slots of one pipe once more in another, without copying a byte or consuming one.
 *
 * 1. The page gets one more holder. It is shared; that is safe because no holder changes bytes that
 *    another one sees: who appends does so behind everybody's end, and the right to append stays
 *    with the pipe that write(2) gave the page to.
 * 2. Nobody asks whether the bytes have arrived.
 */
#include "fs/splice/splice.h"
#include "fs/pipe/ring.h"
#include "kernel/syscalls.h"

/*
 * One more holder of a slot with a holder's own rules. Where the bytes of a file's page have come
 * meanwhile, neither the slot nor its copy needs the inode to read them again.
 */
static __noinline bool share_by_ops(struct pipe_slot *slot, struct pipe_slot *copy)
{
	struct inode *inode = (struct inode *)slot->private;

	if (slot->ops != &coming_slot_ops || !(READ_ONCE(slot->page->flags) & PG_UPTODATE))
		return copy->ops->get(copy);
	copy->ops = &cache_slot_ops;
	copy->private = 0;
	/* A spinlock is held: the file's last holder must not go here. */
	if (atomic_dec_not_one(&inode->refs)) {
		slot->ops = copy->ops;
		slot->private = 0;
	}
	return page_slot_get(copy);
}

/* The slots of `from` from position `at` on, and their copies [first, end): how many could. */
static inline unsigned int share_run(struct pipe *from, unsigned int at, struct pipe_slot *first,
				     struct pipe_slot *end)
{
	struct pipe_slot *copy;

	for (copy = first; copy < end; copy++) {
		if (likely(!copy->ops->get)) {
			if (unlikely(!page_slot_get(copy)))
				break;
		} else if (!share_by_ops(pipe_at(from, at + (copy - first)), copy)) {
			break;
		}
	}
	return copy - first;
}

unsigned int tee_slots(struct pipe *from, unsigned int at, struct pipe *to, unsigned int to_at,
		       unsigned int nr)
{
	struct pipe_slot *first = pipe_at(to, to_at), *end = to->slots + to->nr_slots;
	unsigned int done;

	lockdep_held(&from->lock);
	if (likely(first + nr <= end))
		return share_run(from, at, first, first + nr);
	done = share_run(from, at, first, end);
	if (first + done == end)
		done += share_run(from, at + done, to->slots, to->slots + nr - done);
	return done;
}

static ssize_t tee(struct file *in, struct file *out, size_t len, unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	bool nonblock = flags & SPLICE_F_NONBLOCK || (in->flags | out->flags) & O_NONBLOCK;

	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not open to read, or the output not to write");
	if (!from || !to)
		return refuse(EINVAL, "not two pipes");
	if (from == to)
		return refuse(EINVAL, "both ends are one pipe");
	return splice_between(from, to, len, nonblock, true);
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
