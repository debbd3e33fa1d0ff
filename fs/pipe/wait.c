/*
 * Waiting for a ring: readers, writers, poll, and the arrival of bytes from a disk.
 *
 * 1. A task that needs bytes sleeps on `readable`. If the first slot is on its way, the ring's one
 *    arrival waiter is armed on that slot's page, and the completion of the page's read wakes
 *    `readable`. The sleeper is woken for any change of the first slot and then starts over.
 * 2. The arrival waiter is armed under ring->lock, while the slot holds the page, and then the page
 *    is checked again:
 *
 *	sleeper				interrupt
 *	confirm: on its way
 *					page is uptodate; no waiter is armed: wakes nobody
 *	arms, sleeps for ever
 *
 * 3. A slot that leaves the ring leaves the arrival waiter armed on its page. That costs a needless
 *    wakeup at most: the waiter does not touch the page. Arming it for the next first slot moves
 *    it. A task that finds the ring empty, and the last close, disarm it.
 * 4. All sleepers share the first packet, so one waiter is enough. A task that moves or disarms it
 *    has seen that the old first slot was popped, and the pop has woken all tasks that slept for
 *    that slot.
 * 5. Completions never take ring->lock: they run in interrupts.
 * 6. Sleepers of either queue check the ring after they have joined the queue, and every change of
 *    the ring comes before the wakeup:
 *
 *	reader				writer
 *	joins `readable`
 *	head == tail
 *					head++
 *					`readable` has a waiter: wakes it
 *	schedule(): goes on
 *
 *    They check the ring without ring->lock. If other tasks change the ring meanwhile, they may see
 *    a state that never was. That does no harm: each of these changes wakes them again, and a
 *    sleeper that was woken for nothing checks once more.
 */
#include "fs/pipe/io.h"
#include "kernel/time.h"

static bool wake_readers(struct waiter *waiter, enum wake_reason reason)
{
	wake_all(&container_of(waiter, struct ring, arrival.waiter)->readable);
	return false;
}

void ring_init(struct ring *ring, struct pipe_slot *slots, unsigned int nr, const char *name)
{
	memset(ring, 0, sizeof(*ring));
	ring->slots = slots;
	ring->nr_slots = ring->max_slots = nr;
	mutex_init(&ring->consumer, "ring consumer");
	mutex_init(&ring->producer, "ring producer");
	spin_init(&ring->lock, name);
	wait_queue_init(&ring->readable, "ring readable");
	wait_queue_init(&ring->writable, "ring writable");
	ring->arrival.waiter.wake = wake_readers;
}

/* Is the slot on its way? If so, its arrival will wake `readable`. */
//BOOK: arrival
static bool slot_on_its_way(struct ring *ring, struct pipe_slot *slot)
{
	if (likely(slot_confirm(slot) != -EAGAIN))
		return false;
	page_waiter_arm(&ring->arrival, slot->page);
	return slot_confirm(slot) == -EAGAIN;
}

enum ring_first ring_first_there(struct ring *ring)
{
	enum ring_first first = RING_EMPTY;
	unsigned int at;

	spin_lock(&ring->lock);
	for (at = ring->tail; at != ring->head; at++) {
		struct pipe_slot *slot = ring_at(ring, at);

		first = slot_on_its_way(ring, slot) ? RING_COMING : RING_READY;
		if (first == RING_COMING || likely(!(slot->flags & SLOT_GOES_ON)))
			break;
	}
	if (first == RING_EMPTY)
		page_waiter_disarm(&ring->arrival);
	spin_unlock(&ring->lock);
	return first;
}

//BOOK: wait-readable
static bool can_read(struct ring *ring, enum ring_need need)
{
	enum ring_first first = ring_first(ring);

	/* Pages share queues, so a waiter left on one would be woken for other pages. */
	if (first == RING_EMPTY && READ_ONCE(ring->arrival.page))
		first = ring_first_there(ring);
	return first != RING_EMPTY && (need == RING_NEED_SLOT || first != RING_COMING);
}

int ring_wait_readable(struct ring *ring, enum ring_need need, uint64_t until)
{
	if (until == WAIT_NOT)
		return -EAGAIN;
	return wait_event_again_until(&ring->readable, can_read(ring, need), until);
}

int ring_wait_writable(struct ring *ring, uint64_t until)
{
	if (until == WAIT_NOT)
		return -EAGAIN;
	return wait_event_again_until(&ring->writable, ring_room(ring) != 0, until);
}

int ring_wait_room(struct ring *ring)
{
	return wait_event_killable(&ring->writable, ring_room(ring) != 0);
}

unsigned int ring_arrived_bytes(struct ring *ring, bool first_packet)
{
	unsigned int at, bytes = 0;

	spin_lock(&ring->lock);
	for (at = ring->tail; at != ring->head; at++) {
		struct pipe_slot *slot = ring_at(ring, at);

		if (slot_confirm(slot)) {
			bytes = first_packet ? 0 : bytes;
			break;
		}
		bytes += slot->len;
		if (first_packet && !(slot->flags & SLOT_GOES_ON))
			break;
	}
	spin_unlock(&ring->lock);
	return bytes;
}

void ring_end(struct ring *ring)
{
	spin_lock(&ring->lock);
	WRITE_ONCE(ring->readers, 0);
	WRITE_ONCE(ring->writers, 0);
	spin_unlock(&ring->lock);
	wake_all_for(&ring->readable, WAKE_STATE);
	wake_all_for(&ring->writable, WAKE_STATE);
}

void ring_empty(struct ring *ring)
{
	while (ring_used(ring) > 0)
		ring_consume(ring, ring_at(ring, ring->tail)->len);
	page_waiter_disarm(&ring->arrival);
}
