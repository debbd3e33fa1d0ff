/*
 * splice(2): slots move between files and pipes. The contract is in fs/splice/splice.h.
 *
 * 1. File to pipe: pages are looked up, lent, and their reads started with no mutex held; then what
 *    fits is published. Nothing waits for data.
 * 2. Ring to ring, where a ring is a pipe's or a stream socket's: slots move; nobody asks whether
 *    their bytes are there. `consumer` of the one is taken before `producer` of the other, and
 *    neither is held across a wait: any number of such splices between any rings, in any directions,
 *    cannot wait for each other.
 * 3. Pipe to file: slots whose bytes are there leave the ring for the file to take (or steal) them,
 *    but keep their places; what the file did not take goes back. `consumer` is held meanwhile, so
 *    that the order of the bytes stays.
 * 4. After something was moved no call waits any more.
 */
#include "fs/splice/splice.h"
#include "drivers/disk/block.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

/* ---- file to ring ---- */

//BOOK: publish
ssize_t splice_publish(struct ring *ring, struct slot_list *slots)
{
	int error = mutex_lock_killable(&ring->producer), room;
	unsigned int nr;
	size_t bytes;

	if (error)
		return error;
	room = ring_room(ring);
	nr = MIN(slots->nr, (unsigned int)MAX(room, 0));
	bytes = nr == slots->nr ? slots->bytes : slots_bytes(slots->slots, nr);
	ring_copy_array(ring, slots->slots, nr);
	spin_lock(&ring->lock);
	ring_fill_places(ring, nr, bytes);
	spin_unlock(&ring->lock);
	mutex_unlock(&ring->producer);
	if (room < 0)
		return room;
	wake_all(&ring->readable);
	slots->slots += nr;
	slots->nr -= nr;
	slots->bytes -= bytes;
	return bytes;
}

ssize_t splice_publish_all(struct ring *ring, struct slot_list *slots)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = splice_publish(ring, slots);
		if (n >= 0) {
			done += n;
			n = slots->nr > 0 ? ring_wait_room(ring) : 0;
		}
	} while (n == 0 && slots->nr > 0);
	slot_list_release(slots);
	return done ? (ssize_t)done : n;
}

int splice_wait_room(struct ring *ring, uint64_t until)
{
	int room;

	while ((room = ring_room(ring)) == 0) {
		int error = ring_wait_writable(ring, until);

		if (error)
			return error;
	}
	return room;
}

//BOOK: splice-file
ssize_t splice_file_to_ring(struct file *in, file_off_t *pos, struct ring *ring, size_t len,
			    uint64_t until)
{
	/* Bytes that were read from a stream cannot be read again. */
	bool stream = !in->ops->llseek;
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		struct pipe_slot slots[SLOT_LIST_MAX];
		struct slot_list list = { .slots = slots, .nonblock = until == WAIT_NOT };
		file_off_t at = *pos;

		n = splice_wait_room(ring, done ? WAIT_NOT : until);
		if (n < 0)
			break;
		list.max = MIN((unsigned int)n, SLOT_LIST_MAX);
		n = in->ops->splice_read(in, &at, len - done, &list);
		if (n <= 0)
			break;
		list.bytes = n;
		n = stream ? splice_publish_all(ring, &list) : splice_publish(ring, &list);
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

/* ---- ring to ring ---- */

/*
 * What moves from one ring to another: whole slots, and perhaps the first bytes of the next one. The
 * copies are behind the head of `to`, where nobody sees them.
 */
struct move {
	struct ring *from, *to;
	bool keep;		   /* they stay in `from`, too */
	unsigned int whole;	   /* slots */
	unsigned int part;	   /* bytes of the next one */
	size_t bytes;		   /* of all */
	struct envelope *envelope; /* that the whole slots had in `from` */
};

/*
 * Copy the first `part` bytes of the slot behind the whole ones; the page gets one more holder.
 * Nothing is copied if it cannot count one more. from->lock is held.
 */
static void copy_part(struct move *move, unsigned int part)
{
	struct pipe_slot slot = *ring_at(move->from, move->from->tail + move->whole);

	slot.len = part;
	slot.flags &= ~SLOT_MERGE;
	slot.envelope = NULL;
	if (!slot_get(&slot))
		return;
	*ring_at(move->to, move->to->head + move->whole) = slot;
	move->part = part;
	move->bytes += part;
}

/* Copy as many of the first slots as have len bytes, up to max. from->lock is held. */
static void copy_slots(struct move *move, unsigned int max, size_t len)
{
	struct ring *from = move->from, *to = move->to;
	struct pipe_slot *next;
	unsigned int held;

	lockdep_held(&from->lock);
	move->whole = ring_whole_slots(from, max, len, &move->bytes);
	ring_copy_slots(to, from, from->tail, move->whole);
	move->envelope = ring_at(from, from->tail)->envelope;
	if (move->keep) {
		held = ring_share_copies(to, move->whole);
		if (unlikely(held < move->whole)) {
			move->whole = ring_whole_slots(from, held, len, &move->bytes);
			return;
		}
	}
	/* Only a ring's last slot can be appended to. */
	if (move->whole > 0)
		ring_at(to, to->head + move->whole - 1)->flags &= ~SLOT_MERGE;
	for (unsigned int n = 0; unlikely(move->envelope) && n < move->whole; n++)
		ring_at(to, to->head + n)->envelope = NULL;
	next = ring_at(from, from->tail + move->whole);
	if (move->whole < max && move->bytes < len && next->envelope == move->envelope)
		copy_part(move, len - move->bytes);
}

/* The slots that were copied leave `from`. from->lock is held. */
static void remove_slots(struct move *move)
{
	struct ring *from = move->from;

	ring_take(from, move->whole, move->bytes);
	ring_settle(from, 0, 0);
	if (move->part > 0) {
		struct pipe_slot *rest = ring_at(from, from->tail);

		rest->offset += move->part;
		rest->len -= move->part;
	}
}

/*
 * Both mutexes are held. Returns bytes; 0 at the end; -EPIPE; -EFAULT if a page cannot count one
 * more holder; -EAGAIN if there is no slot, -ENOSPC if there is no room.
 */
static ssize_t move_slots(struct move *move, size_t len)
{
	struct ring *from = move->from, *to = move->to;
	int room = ring_room(to), error = ring_look(from, from->tail);

	if (room < 0)
		return room;
	if (error)
		return error == -EPIPE ? 0 : error;
	if (room == 0)
		return -ENOSPC;
	/* One ring's lock is never held with the other's. */
	spin_lock(&from->lock);
	copy_slots(move, MIN(ring_used(from), (unsigned int)room), len);
	if (!move->keep)
		remove_slots(move);
	spin_unlock(&from->lock);
	if (unlikely(move->bytes == 0))
		return -EFAULT;
	spin_lock(&to->lock);
	ring_fill_places(to, move->whole + (move->part > 0), move->bytes);
	spin_unlock(&to->lock);
	wake_all(&to->readable);
	return move->bytes;
}

ssize_t splice_between(struct ring *from, struct ring *to, size_t len, uint64_t until, bool keep)
{
	struct move move = { .from = from, .to = to, .keep = keep };
	ssize_t n;

	do {
		n = mutex_lock_killable(&from->consumer);
		if (n)
			return n;
		n = mutex_lock_killable(&to->producer);
		if (n == 0) {
			n = move_slots(&move, len);
			mutex_unlock(&to->producer);
		}
		mutex_unlock(&from->consumer);
		if (n == -EAGAIN)
			n = ring_wait_readable(from, RING_NEED_SLOT, until);
		else if (n == -ENOSPC)
			n = ring_wait_writable(to, until);
		else
			break;
	} while (n == 0);
	/* After the mutexes were given back: a task that wakes up finds them free. */
	if (n > 0 && !keep) {
		wake_all(&from->writable);
		wake_all(&from->readable);
		for (unsigned int i = 0; unlikely(move.envelope) && i < move.whole; i++)
			envelope_put(move.envelope);
	}
	return n == -EPIPE ? pipe_broken() : n;
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

/* How many of the slots have their bytes, before the first one that has not. */
static unsigned int arrived_slots(struct pipe_slot *first, unsigned int run)
{
	unsigned int n;

	for (n = 0; n < run && slot_confirm(first + n) == 0; n++)
		;
	return n;
}

/* A part of the first slot, which is longer than len: bytes, or an error. ring->lock is held. */
static ssize_t take_part(struct taking *taking, size_t len)
{
	taking->part = *taking->list.slots;
	taking->part.len = taking->part_len = taking->list.bytes = len;
	taking->list.slots = &taking->part;
	taking->list.nr = 1;
	return slot_get(&taking->part) ? (ssize_t)len : -EFAULT;
}

/*
 * Fill the list with up to len bytes. Returns bytes, or 0 at the end of file; -EAGAIN, -EIO,
 * -ENODATA: what the first slot says.
 */
static ssize_t take_slots(struct ring *ring, struct taking *taking, size_t len, enum ring_need need)
{
	struct slot_list *list = &taking->list;
	int error = ring_look(ring, ring->tail);
	unsigned int run;
	ssize_t n;

	taking->part_len = 0;
	list->slots = ring_at(ring, ring->tail);
	if (!error && need == RING_NEED_BYTES)
		error = slot_confirm(list->slots);
	if (unlikely(error))
		return error == -EPIPE ? 0 : error;
	spin_lock(&ring->lock);
	run = ring_run(ring);
	if (need == RING_NEED_BYTES)
		run = arrived_slots(list->slots, run);
	list->nr = ring_whole_slots(ring, run, len, &list->bytes);
	n = list->bytes;
	if (list->nr > 0)
		ring_take(ring, list->nr, list->bytes);
	else
		n = take_part(taking, len);
	spin_unlock(&ring->lock);
	return n;
}

/*
 * The file has taken what it wanted: the rest is in the ring again. While slots were out the ring
 * looked shorter than it is, and fuller to writers: all who looked at it look again.
 */
//BOOK: settle
static void settle(struct ring *ring, struct taking *taking)
{
	struct slot_list *list = &taking->list;

	if (taking->part_len > 0) {
		unsigned int taken = taking->part_len - list->bytes;

		slot_list_release(list);
		if (taken > 0)
			ring_consume(ring, taken);
		return;
	}
	spin_lock(&ring->lock);
	ring_settle(ring, list->nr, list->bytes);
	spin_unlock(&ring->lock);
	wake_all(&ring->writable);
	wake_all(&ring->readable);
}

/* What became of an attempt to move slots to a file. */
struct drained {
	ssize_t n;    /* bytes, 0 at the end of file, or an error */
	bool nothing; /* nothing is there yet: wait for the ring, not for the file */
};

/* Move what is there; `consumer` is held, and given back. */
static struct drained drain_ring(struct ring *ring, struct file *out, file_off_t *pos, size_t len,
				 enum ring_need need)
{
	struct taking taking;
	ssize_t n, taken, done = 0;

	do {
		taken = n = take_slots(ring, &taking, len - done, need);
		if (n <= 0)
			break;
		taken = out->ops->splice_write(out, pos, &taking.list);
		settle(ring, &taking);
		done += MAX(taken, 0);
	} while (taken == n && done < (ssize_t)len);
	if (done == 0 && (n == -EIO || n == -ENODATA))
		return (struct drained){ ring_report_failed(ring, n), false };
	mutex_unlock(&ring->consumer);
	return (struct drained){ done ? done : taken, done == 0 && n == -EAGAIN };
}

static ssize_t pipe_to_file(struct ring *ring, struct file *out, file_off_t *pos, size_t len,
			    uint64_t until)
{
	enum ring_need need = sink_needs_bytes(out) ? RING_NEED_BYTES : RING_NEED_SLOT;
	int error;

	do {
		struct drained drained;

		error = mutex_lock_killable(&ring->consumer);
		if (error)
			break;
		drained = drain_ring(ring, out, pos, len, need);
		if (drained.nothing)
			error = ring_wait_readable(ring, need, until);
		else if (drained.n == -EAGAIN && out->ops->splice_wait)
			error = out->ops->splice_wait(out, until == WAIT_NOT);
		else
			return drained.n;
	} while (error == 0);
	return error;
}

/* ---- splice(2) ---- */

static ssize_t from_file(struct file *in, file_off_t __user *offset, struct ring *to, size_t len,
			 uint64_t until)
{
	file_off_t pos;
	ssize_t n = file_get_position(in, offset, &pos);

	if (n)
		return n;
	if (offset && !in->ops->llseek)
		return refuse(EINVAL, "an offset for a file that cannot seek");
	if (!in->ops->splice_read)
		return refuse(EINVAL, "the input cannot be spliced from");
	if (range_overflows(pos, len))
		return refuse(EINVAL, "the range ends behind the largest offset");
	n = splice_file_to_ring(in, &pos, to, len, until);
	if (n >= 0 && file_set_position(in, offset, pos))
		return -EFAULT;
	return n;
}

static ssize_t to_file(struct ring *from, struct file *out, file_off_t __user *offset, size_t len,
		       uint64_t until)
{
	file_off_t pos;
	ssize_t n = file_get_position(out, offset, &pos);

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
	n = pipe_to_file(from, out, &pos, len, until);
	if (n >= 0 && file_set_position(out, offset, pos))
		return -EFAULT;
	return n;
}

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, bool nonblock)
{
	struct pipe *pipe_in = file_pipe(in), *pipe_out = file_pipe(out);
	struct ring *from, *to;
	uint64_t until;

	if ((pipe_in && off_in) || (pipe_out && off_out))
		return refuse(ESPIPE, "an offset for a pipe");
	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not open to read, or the output not to write");
	if (pipe_in == pipe_out)
		return refuse(EINVAL, pipe_in ? "both ends are one pipe" : "neither end is a pipe");
	from = file_source_ring(in);
	to = file_sink_ring(out);
	if (IS_ERR(from) || IS_ERR(to))
		return IS_ERR(from) ? PTR_ERR(from) : PTR_ERR(to);
	if ((from && off_in) || (to && off_out))
		return refuse(EINVAL, "an offset for a file that cannot seek");
	nonblock |= (from && in->flags & O_NONBLOCK) || (to && out->flags & O_NONBLOCK);
	until = nonblock ? WAIT_NOT : WAIT_FOREVER;
	if (!from)
		return from_file(in, off_in, to, len, until);
	if (!to)
		return to_file(from, out, off_out, len, until);
	return splice_between(from, to, len, until, false);
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
