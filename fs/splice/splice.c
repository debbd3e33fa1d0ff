/*
 * splice(2): slots move between files and pipes. The contract is in fs/splice/splice.h.
 *
 * 1. File to pipe: pages are looked up, lent, and their reads started with no mutex held; then what
 *    fits is published. Nothing waits for data.
 * 2. Pipe to pipe: slots move; nobody asks whether their bytes are there. `consumer` of the one is
 *    taken before `producer` of the other, and neither is held across a wait: any number of such
 *    splices between any pipes, in any directions, cannot wait for each other.
 * 3. Pipe to file: slots whose bytes are there leave the ring for the file to take (or steal) them,
 *    but keep their places; what the file did not take goes back. `consumer` is held meanwhile, so
 *    that the order of the bytes stays.
 * 4. After something was moved no call waits any more.
 */
#include "fs/splice/splice.h"
#include "drivers/disk/block.h"
#include "fs/pipe/ring.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

/* ---- positions ---- */

int splice_get_position(const file_off_t __user *user, file_off_t *pos)
{
	if (copy_from_user(pos, user, sizeof(*pos)))
		return -EFAULT;
	return *pos < 0 ? refuse(EINVAL, "the offset is negative") : 0;
}

int splice_put_position(file_off_t __user *user, file_off_t pos)
{
	return copy_to_user(user, &pos, sizeof(pos));
}

/* ---- file to pipe ---- */

//BOOK: publish
ssize_t splice_publish(struct pipe *pipe, struct slot_list *slots)
{
	ssize_t bytes = mutex_lock_killable(&pipe->producer);
	unsigned int nr = slots->nr;
	int room;

	if (bytes)
		return bytes;
	spin_lock(&pipe->lock);
	room = pipe_room_held(pipe);
	bytes = slots->bytes;
	if (unlikely(room < (int)nr)) {
		nr = MAX(room, 0);
		bytes = room < 0 ? room : (ssize_t)slots_bytes(slots->slots, nr);
	}
	if (likely(nr > 0)) {
		ring_fill(pipe, slots->slots, nr);
		WRITE_ONCE(pipe->head, pipe->head + nr);
		pipe->bytes += bytes;
		slots->slots += nr;
		slots->nr -= nr;
		slots->bytes -= bytes;
	}
	spin_unlock(&pipe->lock);
	wake_all(&pipe->readable);
	mutex_unlock(&pipe->producer);
	return bytes;
}

ssize_t splice_publish_all(struct pipe *pipe, struct slot_list *slots)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = splice_publish(pipe, slots);
		if (n >= 0) {
			done += n;
			n = slots->nr > 0 ? pipe_wait_room(pipe) : 0;
		}
	} while (n == 0 && slots->nr > 0);
	slot_list_release(slots);
	return done ? (ssize_t)done : n;
}

//BOOK: splice-file
ssize_t splice_file_to_pipe(struct file *in, file_off_t *pos, struct pipe *pipe, size_t len,
			    bool nonblock)
{
	/* Bytes that were read from a stream cannot be read again. */
	bool stream = !in->ops->llseek;
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		struct pipe_slot slots[SLOT_LIST_MAX];
		struct slot_list list = { .slots = slots, .nonblock = nonblock };
		file_off_t at = *pos;

		n = pipe_room(pipe, done == 0, nonblock);
		if (n <= 0)
			break;
		list.max = MIN((unsigned int)n, SLOT_LIST_MAX);
		n = in->ops->splice_read(in, &at, len - done, &list);
		if (n <= 0)
			break;
		list.bytes = n;
		n = stream ? splice_publish_all(pipe, &list) : splice_publish(pipe, &list);
		slot_list_release(&list);
		if (n < 0)
			break;
		*pos += n;
		done += n;
		if (stream)
			break;
	}
	if (n == -EPIPE)
		pipe_broken();
	return done ? (ssize_t)done : n;
}

/* ---- pipe to pipe ---- */

/*
 * Copies of the first nr slots are behind the head of `to`, where nobody sees them: they become to's,
 * and stay in `from`, too, if `keep`. How many; fewer, and *len shorter, if a page cannot count one
 * more holder. from->lock is held.
 */
static inline unsigned int hand_over(struct pipe *from, struct pipe *to, unsigned int nr, bool keep,
				     size_t *len)
{
	/* Only a ring's last slot can be appended to. */
	pipe_at(to, to->head + nr - 1)->flags &= ~SLOT_MERGE;
	if (keep) {
		unsigned int held = tee_slots(from, from->tail, to, to->head, nr);

		if (unlikely(held < nr))
			*len = ring_bytes(to, to->head, held);
		return held;
	}
	WRITE_ONCE(from->tail, from->tail + nr);
	WRITE_ONCE(from->kept, from->tail);
	from->bytes -= *len;
	return nr;
}

/*
 * The same with as many of the first slots as have *len bytes, up to max. The last one is divided:
 * its rest stays.
 */
static __noinline unsigned int hand_over_some(struct pipe *from, struct pipe *to, unsigned int max,
					      bool keep, size_t *len)
{
	size_t left = *len;
	struct pipe_slot *slot;
	unsigned int n = 0, whole, at;

	lockdep_held(&from->lock);
	while (n < max && (slot = pipe_at(from, from->tail + n))->len <= left) {
		left -= slot->len;
		n++;
	}
	ring_fill_from(to, from, from->tail, MIN(n + 1, max));
	*len -= left;
	whole = n ? hand_over(from, to, n, keep, len) : 0;
	if (whole < n || n == max || left == 0)
		return whole;
	/* Its page gets one more holder. */
	slot = pipe_at(to, to->head + n);
	slot->flags &= ~SLOT_MERGE;
	slot->len = left;
	at = from->tail + (keep ? n : 0);
	if (!tee_slots(from, at, to, to->head + n, 1))
		return whole;
	*len += left;
	if (!keep) {
		slot = pipe_at(from, at);
		slot->offset += left;
		slot->len -= left;
		from->bytes -= left;
	}
	return n + 1;
}

/*
 * Both mutexes are held. Bytes; 0 end of file; -EPIPE; -EFAULT a page cannot count one more holder;
 * -EAGAIN and which pipe to wait for.
 */
static inline ssize_t try_between(struct pipe *from, struct pipe *to, size_t len, bool keep,
				  bool *full)
{
	unsigned int nr;
	int room = pipe_room_held(to);

	if (room < 0)
		return room;
	/* One pipe's lock is never held with the other's. */
	spin_lock(&from->lock);
	nr = pipe_used(from);
	if (unlikely(room == 0 || nr == 0)) {
		bool ended = nr == 0 && from->writers == 0;

		spin_unlock(&from->lock);
		*full = nr > 0;
		return ended ? 0 : -EAGAIN;
	}
	if (likely(nr <= (unsigned int)room && from->bytes <= len)) {
		len = from->bytes;
		ring_fill_from(to, from, from->tail, nr);
		nr = hand_over(from, to, nr, keep, &len);
	} else {
		nr = hand_over_some(from, to, MIN(nr, (unsigned int)room), keep, &len);
	}
	spin_unlock(&from->lock);
	if (unlikely(nr == 0))
		return -EFAULT;
	spin_lock(&to->lock);
	WRITE_ONCE(to->head, to->head + nr);
	to->bytes += len;
	spin_unlock(&to->lock);
	wake_all(&to->readable);
	return len;
}

ssize_t splice_between(struct pipe *from, struct pipe *to, size_t len, bool nonblock, bool keep)
{
	ssize_t n;

	do {
		bool full = false;

		n = mutex_lock_killable(&from->consumer);
		if (n)
			return n;
		n = mutex_lock_killable(&to->producer);
		if (n == 0) {
			n = try_between(from, to, len, keep, &full);
			mutex_unlock(&to->producer);
		}
		mutex_unlock(&from->consumer);
		if (n != -EAGAIN)
			break;
		n = full ? pipe_wait_writable(to, nonblock)
			 : pipe_wait_readable(from, PIPE_NEED_SLOT, nonblock);
	} while (n == 0);
	return n == -EPIPE ? pipe_broken() : n;
}

static ssize_t pipe_to_pipe(struct pipe *from, struct pipe *to, size_t len, bool nonblock)
{
	ssize_t n = splice_between(from, to, len, nonblock, false);

	/* After the mutexes were given back: who wakes up finds them free. */
	if (n > 0) {
		wake_all(&from->writable);
		wake_all(&from->readable);
	}
	return n;
}

/* ---- pipe to file ---- */

/*
 * Slots that a file is taking from a pipe: either whole ones, which lie in their places of the
 * ring, or a part of the first one. `consumer` is held from take_slots to settle.
 */
struct taking {
	struct slot_list list;
	unsigned int part_len; /* 0: whole ones */
	struct pipe_slot part; /* a copy of the beginning of the first slot */
};

/* How many of the slots have their bytes, before one that has not; *error: why not even the first. */
static unsigned int arrived(struct pipe_slot *first, unsigned int run, ssize_t *error)
{
	unsigned int n;

	*error = slot_confirm(first);
	if (*error)
		return 0;
	for (n = 1; n < run && slot_confirm(first + n) == 0; n++)
		;
	return n;
}

/* A part of the first slot, which is longer than len: bytes, or an error. pipe->lock is held. */
static __noinline ssize_t take_part(struct taking *taking, size_t len)
{
	taking->part = *taking->list.slots;
	taking->part.len = taking->part_len = len;
	taking->list.slots = &taking->part;
	taking->list.nr = 1;
	return slot_get(&taking->part) ? (ssize_t)len : -EFAULT;
}

/*
 * Fill the list with up to len bytes. Bytes; 0 end of file; -EAGAIN, -EIO, -ENODATA: what the first
 * slot says.
 */
static inline ssize_t take_slots(struct pipe *pipe, struct taking *taking, size_t len,
				 enum pipe_need need)
{
	struct pipe_slot *first;
	unsigned int n, run;
	ssize_t bytes = 0;

	taking->part_len = 0;
	spin_lock(&pipe->lock);
	taking->list.slots = first = pipe_at(pipe, pipe->tail);
	run = ring_run(pipe);
	if (unlikely(run == 0))
		bytes = pipe->writers ? -EAGAIN : 0;
	else if (need == PIPE_NEED_BYTES)
		run = arrived(first, run, &bytes);
	if (likely(run > 0)) {
		if (likely(run == pipe_used(pipe) && pipe->bytes <= len)) {
			n = run;
			bytes = pipe->bytes;
		} else {
			for (n = 0; n < run && first[n].len <= len - bytes; n++)
				bytes += first[n].len;
		}
		taking->list.nr = n;
		if (n > 0)
			ring_take(pipe, n, bytes);
		else
			bytes = take_part(taking, len);
		taking->list.bytes = bytes;
	}
	spin_unlock(&pipe->lock);
	return bytes;
}

/*
 * The file has taken what it wanted: the rest is in the ring again. While slots were out the ring
 * looked shorter than it is, and fuller to writers: all who looked at it look again.
 */
//BOOK: settle
static void settle(struct pipe *pipe, struct taking *taking)
{
	struct slot_list *list = &taking->list;

	if (taking->part_len > 0) {
		unsigned int taken = taking->part_len - list->bytes;

		slot_list_release(list);
		if (taken > 0)
			pipe_advance(pipe, pipe_at(pipe, pipe->tail), taken);
		return;
	}
	spin_lock(&pipe->lock);
	ring_settle(pipe, list->nr, list->bytes);
	spin_unlock(&pipe->lock);
	wake_all(&pipe->writable);
	wake_all(&pipe->readable);
}

/*
 * Move what is there; `consumer` is held, and given back. Bytes, 0 end of file, an error; *wait:
 * nothing is there yet.
 */
static ssize_t drain_pipe(struct pipe *pipe, struct file *out, file_off_t *pos, size_t len,
			  enum pipe_need need, bool *wait)
{
	struct taking taking;
	ssize_t n, taken, done = 0;

	do {
		taken = n = take_slots(pipe, &taking, len - done, need);
		if (n <= 0)
			break;
		taken = out->ops->splice_write(out, pos, &taking.list);
		settle(pipe, &taking);
		done += MAX(taken, 0);
	} while (taken == n && done < (ssize_t)len);
	if (done == 0) {
		if (n == -EIO || n == -ENODATA)
			return pipe_report_failed(pipe, n);
		*wait = n == -EAGAIN;
		done = taken;
	}
	mutex_unlock(&pipe->consumer);
	return done;
}

static ssize_t pipe_to_file(struct pipe *pipe, struct file *out, file_off_t *pos, size_t len,
			    bool nonblock)
{
	enum pipe_need need = sink_needs_bytes(out) ? PIPE_NEED_BYTES : PIPE_NEED_SLOT;
	ssize_t n;

	for (;;) {
		bool wait = false;

		n = mutex_lock_killable(&pipe->consumer);
		if (n)
			return n;
		n = drain_pipe(pipe, out, pos, len, need, &wait);
		if (wait)
			n = pipe_wait_readable(pipe, need, nonblock);
		else if (n == -EAGAIN && out->ops->splice_wait)
			n = out->ops->splice_wait(out, nonblock);
		else
			return n;
		if (n)
			return n;
	}
}

/* ---- splice(2) ---- */

static ssize_t from_file(struct file *in, file_off_t __user *offset, struct pipe *to, size_t len,
			 bool nonblock)
{
	file_off_t pos;
	ssize_t n = splice_position(in, offset, &pos);

	if (n)
		return n;
	if (offset && !in->ops->llseek)
		return refuse(EINVAL, "an offset for a file that cannot seek");
	if (!in->ops->splice_read)
		return refuse(EINVAL, "the input cannot be spliced from");
	if (range_overflows(pos, len))
		return refuse(EINVAL, "the range ends behind the largest offset");
	n = splice_file_to_pipe(in, &pos, to, len, nonblock);
	if (n >= 0 && splice_set_position(in, offset, pos))
		return -EFAULT;
	return n;
}

static __noinline ssize_t to_file(struct pipe *from, struct file *out, file_off_t __user *offset,
				  size_t len, bool nonblock)
{
	file_off_t pos;
	ssize_t n = splice_position(out, offset, &pos);

	if (n)
		return n;
	if (offset && !out->ops->llseek)
		return refuse(EINVAL, "an offset for a file that cannot seek");
	if (out->flags & O_APPEND)
		return refuse(EINVAL, "the output is open with O_APPEND");
	if (!out->ops->splice_write)
		return refuse(EINVAL, "the output cannot be spliced to");
	if (range_overflows(pos, len))
		return refuse(EINVAL, "the range ends behind the largest offset");
	n = pipe_to_file(from, out, &pos, len, nonblock);
	if (n >= 0 && splice_set_position(out, offset, pos))
		return -EFAULT;
	return n;
}

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, bool nonblock)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);

	if (from && off_in)
		return refuse(ESPIPE, "an offset for a pipe");
	if (to && off_out)
		return refuse(ESPIPE, "an offset for a pipe");
	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not open to read, or the output not to write");
	if (from == to)
		return refuse(EINVAL, from ? "both ends are one pipe" : "neither end is a pipe");
	if (from)
		nonblock |= (in->flags & O_NONBLOCK) != 0;
	if (to)
		nonblock |= (out->flags & O_NONBLOCK) != 0;
	if (!from)
		return from_file(in, off_in, to, len, nonblock);
	if (!to)
		return to_file(from, out, off_out, len, nonblock);
	return pipe_to_pipe(from, to, len, nonblock);
}

long sys_splice(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len,
		unsigned int flags)
{
	struct fd_pair fds;
	ssize_t n;

	if (len == 0)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return refuse(EINVAL, "an unknown flag");
	if (!fd_get_pair(&fds, fd_in, fd_out))
		return -EBADF;
	n = splice(fds.in, off_in, fds.out, off_out, MIN(len, SPLICE_MAX_BYTES),
		   flags & SPLICE_F_NONBLOCK);
	fd_put_pair(&fds);
	return n;
}
