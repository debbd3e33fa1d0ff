/* Reading from a ring. The contract is in fs/pipe/io.h. */
#include "fs/pipe/io.h"

/*
 * So many slots, whose bytes had arrived, were popped. For writers that is an event only if the
 * ring was full, except that a socket may have limits of its own. Wake readers too: they may be
 * waiting for the arrival of the page of a popped slot, and now must wait for another one. If that
 * is still on its way, those who watch the ring for events must look at it, because its arrival
 * will be one. `consumer` is held.
 */
static __noinline void wake_popped(struct ring *ring, int popped)
{
	if (wait_queue_used(&ring->writable)) {
		bool event = ring_room(ring) <= popped || ring->encloses;

		wake_all_for(&ring->writable, event ? WAKE_EVENT : WAKE_CHANGE);
	}
	if (wait_queue_used(&ring->readable)) {
		bool coming = ring_first(ring) == RING_COMING;

		wake_all_for(&ring->readable, coming ? WAKE_EVENT : WAKE_CHANGE);
	}
}

//BOOK: advance
void ring_consume(struct ring *ring, unsigned int n)
{
	struct pipe_slot *first = ring_at(ring, ring->tail);
	bool empty;

	spin_lock(&ring->lock);
	ring->bytes -= n;
	first->offset += n;
	first->len -= n;
	/* A writer may just have appended to the slot. */
	empty = first->len == 0;
	if (empty)
		ring_take(ring, 1, 0);
	spin_unlock(&ring->lock);
	if (!empty)
		return;
	slot_release(first);
	ring_free_places(ring);
	if (wait_queues_used(&ring->writable, &ring->readable))
		wake_popped(ring, 1);
}

void ring_drop_packet(struct ring *ring)
{
	struct pipe_slot *gone;
	int popped = 0;

	do {
		gone = ring_at(ring, ring->tail);
		spin_lock(&ring->lock);
		ring_take(ring, 1, gone->len);
		spin_unlock(&ring->lock);
		slot_release(gone);
		popped++;
	} while (gone->flags & SLOT_GOES_ON);
	ring_free_places(ring);
	wake_popped(ring, popped);
}

//BOOK: failed
int ring_report_failed(struct ring *ring, int error)
{
	unsigned int at = ring->tail;
	struct envelope *envelope;
	struct pipe_slot failed;
	bool held;

	if (error == -ENODATA) {
		/* Keep the envelope, so that its files are not closed with the mutex held. */
		envelope = envelope_get(ring_at(ring, at)->envelope);
		ring_drop_packet(ring);
		mutex_unlock(&ring->consumer);
		envelope_put(envelope);
		return error;
	}
	/* In a packet, any of its slots may have failed. */
	while (slot_confirm(ring_at(ring, at)) != error && ring_at(ring, at)->flags & SLOT_GOES_ON)
		at++;
	failed = *ring_at(ring, at);
	failed.envelope = NULL;
	held = slot_get(&failed);
	/* Starting a read may wait for a block map, so release the mutex first. */
	mutex_unlock(&ring->consumer);
	if (held) {
		slot_retry(&failed);
		if (error == -ENOMEM && slot_confirm(&failed) != error)
			error = -EAGAIN;
		slot_release(&failed);
		/* An edge-triggered epoll has told of the failure, and must tell of the arrival. */
		ring_first_there(ring);
	}
	return error;
}

/*
 * Has all of the first packet arrived? Returns 0 and sets *len to its length, or confirm's error.
 */
static int confirm_packet(struct ring *ring, size_t *len)
{
	unsigned int at = ring->tail, flags;

	*len = 0;
	do {
		struct pipe_slot *slot = ring_at(ring, at++);
		int error = slot_confirm(slot);

		if (error)
			return error;
		*len += slot->len;
		flags = slot->flags;
	} while (flags & SLOT_GOES_ON);
	return 0;
}

/*
 * Copy as much of the first packet as the reader has room for, and drop it. Returns 0, confirm's
 * error, or -EFAULT if user memory must be brought in before the copy starts over. `consumer` is
 * held.
 */
static int take_packet(struct ring *ring, struct ring_read *read)
{
	unsigned int at = ring->tail;
	int error = confirm_packet(ring, &read->packet_len);
	struct pipe_slot *first = ring_at(ring, at), *slot;

	if (error)
		return error;
	do {
		size_t n;

		slot = ring_at(ring, at++);
		n = MIN((size_t)slot->len, read->to->left);
		if (unlikely(slot_copy_to(slot, n, read->to) < n))
			return -EFAULT;
	} while (slot->flags & SLOT_GOES_ON);
	read->envelope = envelope_get(first->envelope);
	if (!read->peek)
		ring_drop_packet(ring);
	return 0;
}

/*
 * Copy the bytes that are there, slot by slot. `consumer` is held, so the slots stay in their
 * places, and only a merging writer changes one, by increasing its len. `wanted` is the iterator's
 * length when the read began. Returns 0 if the read is complete, -EAGAIN if there are no more bytes
 * yet, -EPIPE if there will be none, confirm's error, or -EFAULT if user memory must be brought in.
 */
//BOOK: take-piece
static int take(struct ring *ring, struct ring_read *read, size_t wanted)
{
	struct iter *to = read->to;
	unsigned int at = ring->tail;

	read->packet_len = 0;
	do {
		struct pipe_slot *slot = ring_at(ring, at);
		int error = ring_look(ring, at);
		bool first = to->left == wanted;
		size_t n, copied;

		if (unlikely(error))
			return error;
		if (slot->flags & SLOT_PACKET)
			return first ? take_packet(ring, read) : 0;
		if (!first && read->envelope && slot->envelope != read->envelope)
			return 0;
		error = slot_confirm(slot);
		if (unlikely(error))
			return error;
		n = MIN((size_t)READ_ONCE(slot->len), to->left);
		copied = slot_copy_to(slot, n, to);
		if (unlikely(copied < n && (copied == 0 || read->peek)))
			return -EFAULT;
		if (unlikely(slot->envelope) && !read->envelope &&
		    (slot->envelope->apart || read->apart))
			read->envelope = envelope_get(slot->envelope);
		if (read->peek) {
			at++;
		} else if (copied > 0) {
			ring_consume(ring, copied);
			at = ring->tail;
		}
	} while (to->left > 0);
	return 0;
}

/*
 * Bring in the user memory where the copy stopped after `done` bytes. A packet and a peek start
 * over at their first byte. Returns 0 to try again, or -EFAULT.
 */
static int bring_in(struct ring_read *read, size_t done)
{
	struct iter *to = read->to;
	size_t n = to->left;
	int error;

	if (read->packet_len > 0)
		n = MIN(n, read->packet_len - done);
	error = iter_fault_in(to, n, false, true);
	/* The bytes are still in the ring, and will be copied from their beginning again. */
	if (read->packet_len > 0 || read->peek) {
		iter_rewind(to, done);
		envelope_put(read->envelope);
		read->envelope = NULL;
	}
	return error;
}

ssize_t ring_read(struct ring *ring, struct ring_read *read)
{
	struct iter *to = read->to;
	size_t wanted = to->left;
	int error;

	do {
		error = mutex_lock_killable(&ring->consumer);
		if (error)
			break;
		error = take(ring, read, wanted);
		if (ring_failed(error) && to->left == wanted)
			error = ring_report_failed(ring, error);
		else
			mutex_unlock(&ring->consumer);
		if (error == -EFAULT)
			error = bring_in(read, wanted - to->left);
		else if (error == -EAGAIN &&
			 (to->left == wanted || wanted - to->left < read->least))
			error = ring_wait_readable(ring, RING_NEED_BYTES, read->until);
		else
			break;
	} while (error == 0);
	if (to->left < wanted)
		return wanted - to->left;
	return error == -EPIPE ? 0 : error;
}
