/*
 * Packets in a ring. The contract is in net/datagram.h.
 *
 * Senders to datagram sockets sleep on the receiver's ring->writable, and check the ring under
 * ring->lock after they have joined the queue. A reader drops a packet under that lock before it
 * wakes the queue, so no wakeup is lost (fs/pipe/wait.c).
 */
#include "net/datagram.h"
#include "mm/slab.h"

/* packet_room() with ring->lock held. */
//BOOK: packet-room
static int room_left(struct ring *ring, struct packet_limits limits)
{
	unsigned int packets = 0;

	lockdep_held(&ring->lock);
	if (ring->readers == 0)
		return -EPIPE;
	if (ring->head - load_acquire(&ring->kept) >= limits.slots)
		return 0;
	for (unsigned int at = ring->tail; at != ring->head; at++)
		packets += !(ring_at(ring, at)->flags & SLOT_GOES_ON);
	return packets <= limits.packets;
}

int packet_room(struct ring *ring, struct packet_limits limits)
{
	int room;

	spin_lock(&ring->lock);
	room = room_left(ring, limits);
	spin_unlock(&ring->lock);
	return room;
}

int packet_wait_room(struct ring *ring, struct packet_limits limits, uint64_t until)
{
	if (packet_room(ring, limits) != 0)
		return 0;
	if (until == WAIT_NOT)
		return -EAGAIN;
	return wait_event_until(&ring->writable, packet_room(ring, limits) != 0, until);
}

/* ---- in ---- */

/*
 * Publish the slots as one packet. Returns 0, or -EPIPE, -EAGAIN or -ERESTARTSYS. After an error
 * the slots are still the caller's.
 */
//BOOK: packet-in
static int publish(struct ring *ring, struct pipe_slot *slots, unsigned int nr,
		   struct packet_limits limits, struct envelope *envelope)
{
	int error = mutex_lock_killable(&ring->producer);

	if (error)
		return error;
	for (unsigned int i = 0; i < nr; i++) {
		slots[i].flags = SLOT_PACKET | (i + 1 < nr ? SLOT_GOES_ON : 0);
		slots[i].envelope = NULL;
	}
	slots[0].envelope = envelope_get(envelope);
	spin_lock(&ring->lock);
	error = room_left(ring, limits);
	if (error > 0 && nr <= ring->nr_slots - (ring->head - load_acquire(&ring->kept))) {
		ring_copy_array(ring, slots, nr);
		ring_fill_places(ring, nr, slots_bytes(slots, nr));
		error = 0;
	} else if (error >= 0) {
		error = -EAGAIN;
	}
	spin_unlock(&ring->lock);
	mutex_unlock(&ring->producer);
	if (error) {
		slots[0].envelope = NULL;
		envelope_put(envelope);
		return error;
	}
	wake_all(&ring->readable);
	return 0;
}

/* Make a slot with a copy of the next bytes. Returns 0, -ENOMEM or -EFAULT. */
static int build_slot(struct pipe_slot *slot, struct iter *from)
{
	size_t n = MIN(from->left, (size_t)PAGE_SIZE), copied;
	struct page *page;
	char *to;

	if (n == 0) {
		*slot = (struct pipe_slot){ .page = zero_page, .ops = &zero_slot_ops };
		return 0;
	}
	page = page_alloc(0, ALLOC_HIGH);
	if (!page)
		return -ENOMEM;
	to = kmap_local(page);
	copied = iter_copy_from_nofault(from, to, n);
	if (unlikely(copied < n))
		copied += iter_copy_from(from, to + copied, n - copied);
	kunmap_local(to);
	if (unlikely(copied < n)) {
		page_put(page);
		return -EFAULT;
	}
	atomic_set(&page->lent, 1);
	*slot = (struct pipe_slot){ .page = page, .len = n, .ops = &skb_slot_ops };
	return 0;
}

/* Make slots for all bytes. No lock is held, so page faults are fine. Returns 0 or an error. */
//BOOK: packet-build
static int build(struct slot_list *slots, struct iter *from)
{
	int error;

	do {
		error = build_slot(&slots->slots[slots->nr], from);
		if (error)
			return error;
		slots->nr++;
	} while (from->left > 0);
	return 0;
}

/* Publish the slots as soon as there is room. Returns 0 or an error. */
static int send_slots(struct ring *ring, struct slot_list *slots, struct packet_limits limits,
		      struct envelope *envelope, uint64_t until)
{
	int error;

	while ((error = publish(ring, slots->slots, slots->nr, limits, envelope)) == -EAGAIN) {
		error = packet_wait_room(ring, limits, until);
		if (error)
			return error;
	}
	return error;
}

ssize_t packet_send(struct ring *ring, struct iter *from, struct packet_limits limits,
		    struct envelope *envelope, uint64_t until)
{
	size_t len = from->left;
	struct slot_list slots = { .nr = 0 };
	int error = packet_wait_room(ring, limits, until);

	if (error)
		return error;
	slots.slots = kmalloc(MAX(DIV_ROUND_UP(len, PAGE_SIZE), 1u) * sizeof(*slots.slots), 0);
	if (!slots.slots)
		return -ENOMEM;
	error = build(&slots, from);
	if (!error)
		error = send_slots(ring, &slots, limits, envelope, until);
	if (error)
		slot_list_release(&slots);
	kfree(slots.slots);
	return error ? error : (ssize_t)len;
}

ssize_t packet_splice_in(struct ring *ring, struct slot_list *slots, struct packet_limits limits,
			 struct envelope *envelope)
{
	int error = publish(ring, slots->slots, slots->nr, limits, envelope);
	size_t bytes = slots->bytes;

	if (error)
		return error;
	slots->nr = 0;
	slots->bytes = 0;
	return bytes;
}

/* ---- out ---- */

/*
 * Take the first slot from the ring. Returns the number of its bytes that the list has room for,
 * and cuts the slot to that, or 0 if the slot is to be dropped.
 */
static size_t take_slot(struct ring *ring, size_t len, struct slot_list *slots,
			struct pipe_slot *taken)
{
	*taken = *ring_at(ring, ring->tail);
	spin_lock(&ring->lock);
	ring_take(ring, 1, taken->len);
	spin_unlock(&ring->lock);
	ring_free_places(ring);
	if (slots->nr == slots->max || len == 0 || taken->len == 0)
		return 0;
	taken->len = MIN((size_t)taken->len, len);
	return taken->len;
}

/*
 * Move the first packet to the list, and set *envelope to its envelope. `consumer` is held. Returns
 * the number of bytes, -EAGAIN if there is no packet, or -EPIPE at the end.
 */
static ssize_t take_packet(struct ring *ring, size_t len, struct slot_list *slots,
			   struct envelope **envelope)
{
	struct pipe_slot slot;
	size_t done = 0, n;
	int error = ring_look(ring, ring->tail);

	if (error)
		return error;
	*envelope = ring_at(ring, ring->tail)->envelope;
	do {
		unsigned int goes_on;

		n = take_slot(ring, len - done, slots, &slot);
		goes_on = slot.flags & SLOT_GOES_ON;
		slot.flags = 0;
		slot.envelope = NULL;
		if (n > 0)
			slots->slots[slots->nr++] = slot;
		else
			slot_release(&slot);
		done += n;
		if (!goes_on)
			return done;
	} while (true);
}

//BOOK: packet-out
ssize_t packet_splice_out(struct ring *ring, size_t len, struct slot_list *slots, uint64_t until)
{
	struct envelope *envelope = NULL;
	ssize_t n;

	do {
		n = mutex_lock_killable(&ring->consumer);
		if (n)
			return n;
		n = take_packet(ring, len, slots, &envelope);
		mutex_unlock(&ring->consumer);
		if (n != -EAGAIN)
			break;
		n = ring_wait_readable(ring, RING_NEED_SLOT, until);
	} while (n == 0);
	envelope_put(envelope);
	wake_all(&ring->writable);
	wake_all(&ring->readable);
	return n == -EPIPE ? 0 : n;
}
