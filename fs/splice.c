/*
 * splice(2): slots move between files and pipes. The contract is in fs/splice.h.
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
#include "fs/splice.h"
#include "drivers/block.h"
#include "fs/file.h"
#include "fs/ring.h"
#include "kernel/syscalls.h"
#include "mm/uaccess.h"

/* ---- positions ---- */

/* The position of a file that other tasks have open too is read and written as a whole. */
int splice_position(struct file *file, const file_off_t __user *user, file_off_t *pos)
{
	bool shared;

	if (user) {
		if (copy_from_user(pos, user, sizeof(*pos)))
			return -EFAULT;
		return *pos < 0 ? refuse(EINVAL, "the offset is negative") : 0;
	}
	*pos = 0;
	if (!file->ops->llseek)
		return 0;
	shared = file_lock_position(file);
	*pos = file->pos;
	file_unlock_position(file, shared);
	return 0;
}

int splice_set_position(struct file *file, file_off_t __user *user, file_off_t pos)
{
	bool shared;

	if (user)
		return copy_to_user(user, &pos, sizeof(pos));
	if (!file->ops->llseek)
		return 0;
	shared = file_lock_position(file);
	file->pos = pos;
	file_unlock_position(file, shared);
	return 0;
}

/* ---- file to pipe ---- */

//BOOK: publish
ssize_t splice_publish(struct pipe *pipe, struct slot_list *slots, size_t bytes)
{
	int error = mutex_lock_killable(&pipe->producer);
	unsigned int room;

	if (error)
		return error;
	spin_lock(&pipe->lock);
	room = MIN(pipe->nr_slots - pipe->taken - pipe_used(pipe), slots->nr);
	if (likely(pipe->readers > 0)) {
		ring_fill(pipe, slots->slots, room);
		pipe->head += room;
	} else {
		room = 0;
		error = -EPIPE;
	}
	spin_unlock(&pipe->lock);
	wake_all(&pipe->readable);
	mutex_unlock(&pipe->producer);
	slots->slots += room;
	slots->nr -= room;
	return error ? error : (ssize_t)(bytes - slot_list_bytes(slots));
}

ssize_t splice_publish_all(struct pipe *pipe, struct slot_list *slots, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = splice_publish(pipe, slots, bytes - done);
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
	struct list held;
	ssize_t n = 0;

	bio_hold(&held);
	while (done < len) {
		struct pipe_slot slots[SLOT_LIST_MAX];
		struct slot_list list = { .slots = slots, .nonblock = nonblock };
		file_off_t at = *pos;

		n = pipe_room(pipe);
		if (n == 0 && done == 0) {
			n = pipe_wait_writable(pipe, nonblock);
			if (n == 0)
				continue;
		}
		if (n <= 0)
			break;
		list.max = MIN((unsigned int)n, SLOT_LIST_MAX);
		n = in->ops->splice_read(in, &at, len - done, &list);
		if (n <= 0)
			break;
		n = stream ? splice_publish_all(pipe, &list, n) : splice_publish(pipe, &list, n);
		slot_list_release(&list);
		if (n < 0)
			break;
		*pos += n;
		done += n;
		if (stream)
			break;
	}
	bio_start_held();
	if (n == -EPIPE)
		pipe_broken();
	return done ? (ssize_t)done : n;
}

/* ---- pipe to pipe ---- */

/* Both mutexes are held. Bytes; 0 end of file; -EPIPE; -EAGAIN and which pipe to wait for. */
static ssize_t try_between(struct pipe *from, struct pipe *to, size_t len, slot_mover mover,
			   bool *full)
{
	unsigned int head = to->head, nr = 0;
	int room = pipe_room(to);
	size_t left = len;
	ssize_t error = 0;

	if (room < 0)
		return room;
	/*
	 * Only producers fill places, so the room stays; one pipe's lock is never held with the
	 * other's.
	 */
	spin_lock(&from->lock);
	if (from->head == from->tail) {
		error = from->writers ? -EAGAIN : 0;
	} else if (room == 0) {
		*full = true;
		error = -EAGAIN;
	} else {
		nr = mover(from, to, room, &left);
		if (nr == 0)
			error = -EFAULT; /* the page cannot count one more holder */
	}
	spin_unlock(&from->lock);
	if (nr == 0)
		return error;
	spin_lock(&to->lock);
	to->head = head + nr;
	spin_unlock(&to->lock);
	wake_all(&to->readable);
	return len - left;
}

/* How many of the n slots, which lie in one piece, are no longer than *left together. */
static inline unsigned int movable(struct pipe_slot *slot, unsigned int n, size_t *left)
{
	struct pipe_slot *first = slot, *end = slot + n;

	for (; slot < end && slot->len <= *left; slot++) {
		*left -= slot->len;
		slot->flags &= ~(SLOT_MERGE | SLOT_GIFT);
	}
	return slot - first;
}

/* The slots leave `from`; of the last one perhaps only a part. */
static unsigned int move_slots(struct pipe *from, struct pipe *to, unsigned int room, size_t *len)
{
	unsigned int max = MIN(pipe_used(from), room), run = MIN(ring_run(from), max), n;
	struct pipe_slot *slot;
	size_t left = *len;

	lockdep_held(&from->lock);
	n = movable(pipe_at(from, from->tail), run, &left);
	if (n == run && n < max)
		n += movable(from->slots, max - n, &left);
	ring_fill_from(to, from, from->tail, n);
	from->tail += n;
	slot = pipe_at(from, from->tail);
	if (unlikely(left > 0 && n < max && slot_get(slot))) {
		struct pipe_slot *part = pipe_at(to, to->head + n++);

		*part = *slot;
		part->len = left;
		part->flags &= ~(SLOT_MERGE | SLOT_GIFT);
		slot->offset += left;
		slot->len -= left;
		left = 0;
	}
	*len = left;
	return n;
}

ssize_t splice_between(struct pipe *from, struct pipe *to, size_t len, bool nonblock,
		       slot_mover mover)
{
	ssize_t n;

	do {
		bool full = false;

		n = mutex_lock_killable(&from->consumer);
		if (n)
			return n;
		n = mutex_lock_killable(&to->producer);
		if (n == 0) {
			n = try_between(from, to, len, mover, &full);
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
	ssize_t n = splice_between(from, to, len, nonblock, move_slots);

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

/*
 * Fill the list with up to len bytes. Bytes; 0 end of file; -EAGAIN, -EIO, -ENODATA: what the first
 * slot says.
 */
static ssize_t take_slots(struct pipe *pipe, struct taking *taking, size_t len, bool need_bytes)
{
	struct pipe_slot *first;
	unsigned int n, run;
	ssize_t error = 0;
	size_t left = len;

	taking->part_len = 0;
	spin_lock(&pipe->lock);
	first = pipe_at(pipe, pipe->tail);
	run = ring_run(pipe);
	if (run == 0)
		error = pipe->writers ? -EAGAIN : 0;
	else if (need_bytes)
		run = arrived(first, run, &error);
	for (n = 0; n < run && first[n].len <= left; n++)
		left -= first[n].len;
	if (n > 0) {
		taking->list = (struct slot_list){ .nr = n, .max = n, .slots = ring_take(pipe, n) };
	} else if (run > 0 && !error) { /* len is not 0: the first slot is longer */
		taking->part = *first;
		taking->part.len = taking->part_len = left;
		taking->list = (struct slot_list){ .nr = 1, .max = 1, .slots = &taking->part };
		left = 0;
		error = slot_get(&taking->part) ? 0 : -EFAULT;
	}
	spin_unlock(&pipe->lock);
	return n > 0 || !error ? (ssize_t)(len - left) : error;
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
		unsigned int taken = taking->part_len - slot_list_bytes(list);

		slot_list_release(list);
		if (taken > 0)
			pipe_advance(pipe, taken);
		return;
	}
	spin_lock(&pipe->lock);
	ring_settle(pipe, list->nr);
	spin_unlock(&pipe->lock);
	wake_all(&pipe->writable);
	wake_all(&pipe->readable);
}

/*
 * Move what is there; `consumer` is held, and given back. Bytes, 0 end of file, an error; *wait:
 * nothing is there yet.
 */
static ssize_t drain_pipe(struct pipe *pipe, struct file *out, file_off_t *pos, size_t len,
			  bool *wait)
{
	struct taking taking;
	ssize_t n, taken, done = 0;

	while (done < (ssize_t)len) {
		n = take_slots(pipe, &taking, len - done, sink_needs_bytes(out));
		if (n <= 0 && done == 0) {
			if (n == -EIO || n == -ENODATA)
				return pipe_report_failed(pipe, n);
			*wait = n == -EAGAIN;
			done = n;
		}
		if (n <= 0)
			break;
		taken = out->ops->splice_write(out, pos, &taking.list);
		settle(pipe, &taking);
		if (taken > 0)
			done += taken;
		else if (done == 0)
			done = taken;
		if (taken < n)
			break;
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
		n = drain_pipe(pipe, out, pos, len, &wait);
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
	n = splice_file_to_pipe(in, &pos, to, len, nonblock);
	if (n > 0 && splice_set_position(in, offset, pos))
		return -EFAULT;
	return n;
}

static ssize_t to_file(struct pipe *from, struct file *out, file_off_t __user *offset, size_t len,
		       bool nonblock)
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
	n = pipe_to_file(from, out, &pos, len, nonblock);
	if (n > 0 && splice_set_position(out, offset, pos))
		return -EFAULT;
	return n;
}

static ssize_t splice(struct file *in, file_off_t __user *off_in, struct file *out,
		      file_off_t __user *off_out, size_t len, unsigned int flags)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	unsigned int ends = flags & SPLICE_F_NONBLOCK ? O_NONBLOCK : 0;

	if ((from && off_in) || (to && off_out))
		return refuse(ESPIPE, "an offset for a pipe");
	if (!in->readable || !out->writable)
		return refuse(EBADF, "the input is not open to read, or the output not to write");
	if (from)
		ends |= in->flags;
	if (to)
		ends |= out->flags;
	if (from == to)
		return refuse(EINVAL, from ? "both ends are one pipe" : "neither end is a pipe");
	if (!from)
		return from_file(in, off_in, to, len, ends & O_NONBLOCK);
	return to ? pipe_to_pipe(from, to, len, ends & O_NONBLOCK)
		  : to_file(from, out, off_out, len, ends & O_NONBLOCK);
}

long sys_splice(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len,
		unsigned int flags)
{
	struct fd in, out;
	ssize_t n = -EBADF;

	if (len == 0)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return refuse(EINVAL, "an unknown flag");
	in = fd_get(fd_in);
	out = fd_get(fd_out);
	if (in.file && out.file)
		n = splice(in.file, off_in, out.file, off_out, MIN(len, SPLICE_MAX_BYTES), flags);
	fd_put(in);
	fd_put(out);
	return n;
}
