/*
 * splice(2): slots move between files and pipes. The contract is in fs/splice/splice.h.
 *
 * 1. From a file to a pipe: pages are looked up and lent, and their reads are started, with no
 *    mutex held. Then the slots that fit are published. Nothing waits for data.
 * 2. From ring to ring, where a ring belongs to a pipe or a stream socket: slots move whether or
 *    not their bytes have arrived. `consumer` of the one ring is taken before `producer` of the
 *    other, and neither is held during a wait. So any number of such splices, in any directions,
 *    cannot deadlock.
 * 3. From a pipe to a file: slots whose bytes have arrived leave the ring, so that the file can
 *    copy or steal them, but keep their places. Slots that the file does not take go back.
 *    `consumer` is held meanwhile, so that the bytes stay in order.
 * 4. A call that has moved something does not wait any more.
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
	unsigned int nr = slots->nr;
	size_t bytes = slots->bytes;

	if (error)
		return error;
	room = ring_room(ring);
	if (unlikely(room < (int)nr)) {
		nr = MAX(room, 0);
		bytes = slots_bytes(slots->slots, nr);
	}
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

static __noinline int wait_for_room(struct ring *ring, uint64_t until)
{
	int room, error = 0;

	while (!error && (room = ring_room(ring)) == 0)
		error = ring_wait_writable(ring, until);
	return error ? error : room;
}

int splice_wait_room(struct ring *ring, uint64_t until)
{
	int room = ring_room(ring);

	return likely(room) ? room : wait_for_room(ring, until);
}

//BOOK: splice-file
ssize_t splice_file_to_ring(struct file *in, file_off_t *pos, struct ring *ring, size_t len,
			    uint64_t until)
{
	/* Bytes that were read from a stream cannot be put back. */
	bool stream = !in->ops->llseek;
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		struct pipe_slot slots[SLOT_LIST_MAX];
		struct slot_list list = { .slots = slots, .nonblock = until == WAIT_NOT };
		file_off_t at = *pos;

		n = splice_wait_room(ring, done ? WAIT_NOT : until);
		/* At the end of a file it does not matter that a socket has lost its peer. */
		if (n < 0 && (n != -EPIPE || stream || !ring->encloses))
			break;
		list.max = n < 0 ? 1 : MIN((unsigned int)n, SLOT_LIST_MAX);
		n = in->ops->splice_read(in, &at, len - done, &list);
		if (n <= 0)
			break;
		list.bytes = n;
		n = stream ? splice_publish_all(ring, &list) : splice_publish(ring, &list);
		if (list.nr > 0)
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
 * The slots that move from one ring to another: whole slots, and perhaps the first bytes of the
 * next one. They have been copied behind the head of `to`, where they are still invisible.
 */
struct move {
	struct ring *from, *to;
	bool keep;		   /* they also stay in `from` */
	unsigned int whole;	   /* number of whole slots */
	unsigned int part;	   /* bytes of the next slot */
	size_t bytes;		   /* in all */
	struct envelope *envelope; /* of the whole slots in `from` */
};

/*
 * Copy the first `part` bytes of the slot behind the whole ones, with a reference of its own. Does
 * nothing if it has another envelope, or a reference count is full. from->lock is held.
 */
static void copy_part(struct move *move, unsigned int part)
{
	struct pipe_slot slot = *ring_at(move->from, move->from->tail + move->whole);

	if (slot.envelope != move->envelope)
		return;
	slot.len = part;
	slot.flags &= ~SLOT_MERGE;
	slot.envelope = NULL;
	if (!slot_get(&slot))
		return;
	*ring_at(move->to, move->to->head + move->whole) = slot;
	move->part = part;
	move->bytes += part;
}

/* Copy the first slots, up to len bytes and max slots. from->lock is held. */
static void copy_slots(struct move *move, unsigned int max, size_t len)
{
	struct ring *from = move->from, *to = move->to;
	unsigned int held;

	lockdep_held(&from->lock);
	move->whole = ring_whole_slots(from, max, len, &move->bytes);
	ring_copy_slots(to, from, from->tail, move->whole);
	if (unlikely(from->encloses))
		move->envelope = ring_at(from, from->tail)->envelope;
	if (move->keep) {
		held = ring_share_copies(to, move->whole);
		if (unlikely(held < move->whole)) {
			move->whole = ring_whole_slots(from, held, len, &move->bytes);
			return;
		}
	}
	/* Only a ring's last slot can have the right to append. */
	if (move->whole > 0)
		ring_at(to, to->head + move->whole - 1)->flags &= ~SLOT_MERGE;
	for (unsigned int n = 0; unlikely(move->envelope) && n < move->whole; n++)
		ring_at(to, to->head + n)->envelope = NULL;
	if (move->whole < max && move->bytes < len)
		copy_part(move, len - move->bytes);
}

/* Remove the copied slots from `from`. from->lock is held. */
static void remove_slots(struct move *move)
{
	struct ring *from = move->from;

	ring_take(from, move->whole, move->bytes);
	ring_free_places(from);
	if (move->part > 0) {
		struct pipe_slot *rest = ring_at(from, from->tail);

		rest->offset += move->part;
		rest->len -= move->part;
	}
}

/*
 * Move slots with both mutexes held. Returns the number of bytes, 0 at the end, -EPIPE, -EFAULT if
 * a reference count is full, -EAGAIN if there is no slot, or -ENOSPC if there is no room.
 */
static ssize_t move_slots(struct move *move, size_t len)
{
	struct ring *from = move->from, *to = move->to;
	int room = ring_room(to), error = ring_look(from, from->tail);

	/*
	 * This is the order of Linux: a source that may get bytes counts more than a target's
	 * state, and so does the end of the source if the target is a socket.
	 */
	if (error == -EAGAIN)
		return error;
	if (room <= 0 && !(error && to->encloses))
		return room ? room : -ENOSPC;
	if (error)
		return 0;
	/* The locks of the two rings are never held together. */
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

ssize_t splice_between(struct ring *from, struct ring *to, size_t len, uint64_t slots_until,
		       uint64_t room_until, bool keep)
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
			n = ring_wait_readable(from, RING_NEED_SLOT, slots_until);
		else if (n == -ENOSPC)
			n = ring_wait_writable(to, room_until);
		else
			break;
	} while (n == 0);
	/* Wake after releasing the mutexes, so that the tasks find them free. */
	if (n > 0 && !keep) {
		wake_both(&from->writable, &from->readable);
		for (unsigned int i = 0; unlikely(move.envelope) && i < move.whole; i++)
			envelope_put(move.envelope);
	}
	return n == -EPIPE ? pipe_broken() : n;
}

/* ---- pipe to file ---- */

/*
 * The slots that a file takes from a pipe: either whole ones, which are in their places of the
 * ring, or a part of the first one. `consumer` is held from take_slots() to settle().
 */
struct taking {
	struct slot_list list;
	unsigned int part_len; /* length of the part in bytes, or 0 for whole slots */
	struct pipe_slot part; /* a copy of the beginning of the first slot */
};

/* Returns how many of the slots have arrived, up to the first one that has not. */
static unsigned int arrived_slots(struct pipe_slot *first, unsigned int run)
{
	unsigned int n = 0;

	while (n < run && slot_confirm(first + n) == 0)
		n++;
	return n;
}

/* Take len bytes of the first slot, which has more. Returns len or an error. ring->lock is held. */
static ssize_t take_part(struct taking *taking, size_t len)
{
	taking->part = *taking->list.slots;
	taking->part.len = taking->part_len = taking->list.bytes = len;
	taking->list.slots = &taking->part;
	taking->list.nr = 1;
	return slot_get(&taking->part) ? (ssize_t)len : -EFAULT;
}

/*
 * Fill the list with up to len bytes. Returns the number of bytes, 0 at the end, -EAGAIN, or the
 * first slot's error.
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
	run = ring_run(ring, ring->tail, ring_used(ring));
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
 * Put the slots that the file has not taken back into the ring. While they were out, the ring
 * looked shorter to readers than it is now, and fuller to writers. So wake both.
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
	if (list->nr > 0) {
		spin_lock(&ring->lock);
		ring_put_back(ring, list->nr, list->bytes);
		spin_unlock(&ring->lock);
	}
	ring_free_places(ring);
	wake_both(&ring->writable, &ring->readable);
}

/*
 * Move the slots that have arrived. Returns the number of bytes, 0 at the end of file, or an error.
 * -EAGAIN means that nothing has arrived if *empty is set, and that the file has no room otherwise.
 * `consumer` is held, and is released.
 */
static ssize_t drain_ring(struct ring *ring, struct file *out, file_off_t *pos, size_t len,
			  enum ring_need need, bool *empty)
{
	struct taking taking;
	ssize_t had, n, done = 0;

	do {
		had = n = take_slots(ring, &taking, len - done, need);
		if (n <= 0)
			break;
		n = out->ops->splice_write(out, pos, &taking.list);
		settle(ring, &taking);
		done += MAX(n, 0);
	} while (n == had && done < (ssize_t)len);
	*empty = had < 0;
	if (done == 0 && ring_failed(had))
		return ring_report_failed(ring, had);
	mutex_unlock(&ring->consumer);
	file_tell_moved(out, 1, done);
	return done ? done : n;
}

ssize_t splice_ring_to_file(struct ring *ring, struct file *out, file_off_t *pos, size_t len,
			    bool wait)
{
	enum ring_need need = sink_needs_bytes(out) ? RING_NEED_BYTES : RING_NEED_SLOT;
	int error;

	do {
		bool empty;
		ssize_t n;

		error = mutex_lock_killable(&ring->consumer);
		if (error)
			break;
		n = drain_ring(ring, out, pos, len, need, &empty);
		if (n != -EAGAIN || !(empty || out->ops->splice_wait))
			return n;
		error = empty ? ring_wait_readable(ring, need, wait_until(wait))
			      : out->ops->splice_wait(out);
	} while (error == 0);
	return error;
}

/* ---- splice(2) ---- */

/* Find the position at which the call begins in a file that has no ring. Returns 0 or an error. */
static int begin_at(struct file *file, file_off_t __user *offset, size_t len, file_off_t *pos)
{
	int error = file_get_position(file, offset, pos);

	if (error)
		return error;
	if (offset && !file->ops->llseek)
		return refuse(EINVAL, "an offset for a file that cannot seek");
	if (range_overflows(*pos, len))
		return refuse(EINVAL, "the range ends behind the largest offset");
	return 0;
}

static ssize_t from_file(struct file *in, file_off_t *pos, struct ring *to, size_t len, bool wait)
{
	if (!in->ops->splice_read)
		return refuse(EINVAL, "the input cannot be spliced from");
	return splice_file_to_ring(in, pos, to, len, wait_until(wait));
}

static ssize_t to_file(struct ring *from, struct file *out, file_off_t *pos, size_t len, bool wait)
{
	if (out->flags & O_APPEND)
		return refuse(EINVAL, "the output is open with O_APPEND");
	if (!out->ops->splice_write)
		return refuse(EINVAL, "the output cannot be spliced to");
	return splice_ring_to_file(from, out, pos, len, wait);
}

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, bool wait)
{
	struct pipe *pipe_in = file_pipe(in), *pipe_out = file_pipe(out);
	struct ring *from, *to;
	struct file *file;
	file_off_t __user *offset;
	file_off_t pos;
	ssize_t n;

	if ((off_in && pipe_in) || (off_out && pipe_out))
		return refuse(ESPIPE, "an offset for a pipe");
	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not readable, or the output not writable");
	if (pipe_in == pipe_out)
		return refuse(EINVAL, pipe_in ? "both ends are one pipe" : "neither end is a pipe");
	from = pipe_in ? &pipe_in->ring : file_source_ring(in);
	to = pipe_out ? &pipe_out->ring : file_sink_ring(out);
	if (IS_ERR(from) || IS_ERR(to))
		return IS_ERR(from) ? PTR_ERR(from) : PTR_ERR(to);
	if ((off_in && from) || (off_out && to))
		return refuse(EINVAL, "an offset, but the file cannot seek");
	/*
	 * SPLICE_F_NONBLOCK and O_NONBLOCK of a pipe are for pipes, and for what is read into one.
	 */
	if ((pipe_in && !file_waits(in)) || (pipe_out && !file_waits(out)))
		wait = false;
	/* As with a file, the state of the pipe counts more than whether the socket has bytes. */
	n = from && pipe_out && !pipe_in ? splice_wait_room(to, wait_until(wait)) : 0;
	if (n < 0)
		return n == -EPIPE ? pipe_broken() : n;
	if (from && to)
		return splice_between(from, to, len, wait ? file_ring_wait(in, false) : WAIT_NOT,
				      wait || !pipe_out ? file_ring_wait(out, true) : WAIT_NOT,
				      false);
	file = from ? out : in;
	offset = from ? off_out : off_in;
	n = begin_at(file, offset, len, &pos);
	if (n)
		return n;
	n = from ? to_file(from, out, &pos, len, wait) : from_file(in, &pos, to, len, wait);
	return n >= 0 && file_set_position(file, offset, pos) ? -EFAULT : n;
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
		   !(flags & SPLICE_F_NONBLOCK));
	fd_put_pair(&fds);
	return n < 0 ? splice_refused(n, off_in, off_out) : n;
}
