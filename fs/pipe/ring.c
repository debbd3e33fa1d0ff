/* The ring's arithmetic. The contract is in fs/pipe/ring.h. */
#include "fs/pipe/ring.h"

#define RING_MAX_BYTES (1ul << 31)

unsigned int ring_slots_for(unsigned long bytes)
{
	unsigned int nr = 1;

	if (bytes > RING_MAX_BYTES)
		return 0;
	while ((unsigned long)nr * PAGE_SIZE < bytes)
		nr <<= 1;
	return nr;
}

static __noinline unsigned int count_slots(const struct ring *ring, unsigned int max, size_t len,
					   size_t *bytes)
{
	struct pipe_slot *slot = ring_at(ring, ring->tail), *end = ring->slots + ring->nr_slots;
	struct envelope *envelope = slot->envelope;
	size_t left = len;
	unsigned int n;

	for (n = 0; n < max && slot->len <= left && slot->envelope == envelope; n++) {
		left -= slot->len;
		if (++slot == end)
			slot = ring->slots;
	}
	*bytes = len - left;
	return n;
}

unsigned int ring_whole_slots(const struct ring *ring, unsigned int max, size_t len, size_t *bytes)
{
	if (max != ring_used(ring) || ring->bytes > len || ring->encloses)
		return count_slots(ring, max, len, bytes);
	*bytes = ring->bytes;
	return max;
}

void ring_copy_array(struct ring *ring, const struct pipe_slot *slots, unsigned int n)
{
	unsigned int run = ring_run(ring, ring->head, n);

	memcpy(ring_at(ring, ring->head), slots, run * sizeof(*slots));
	if (run < n)
		memcpy(ring->slots, slots + run, (n - run) * sizeof(*slots));
}

void ring_copy_slots(struct ring *ring, const struct ring *from, unsigned int at, unsigned int n)
{
	unsigned int to = ring->head, run;

	for (; n > 0; n -= run, at += run, to += run) {
		run = ring_run(ring, to, ring_run(from, at, n));
		memcpy(ring_at(ring, to), ring_at(from, at), run * sizeof(struct pipe_slot));
	}
}

unsigned int ring_share_copies(struct ring *ring, unsigned int n)
{
	struct pipe_slot *slot = ring_at(ring, ring->head), *end = ring->slots + ring->nr_slots;
	unsigned int done;

	for (done = 0; done < n && slot_get(slot); done++)
		if (++slot == end)
			slot = ring->slots;
	return done;
}

void ring_resize(struct ring *ring, struct pipe_slot *slots, unsigned int nr_slots)
{
	unsigned int at;

	/* Positions stay the same, but a position now has another place. */
	for (at = ring->tail; at != ring->head; at++)
		slots[at & (nr_slots - 1)] = *ring_at(ring, at);
	ring->slots = slots;
	ring->nr_slots = nr_slots;
	WRITE_ONCE(ring->max_slots, nr_slots);
}
