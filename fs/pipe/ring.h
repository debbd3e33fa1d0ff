/*
 * The ring's arithmetic: slots go in at the head and come out at the tail.
 *
 * 1. head and tail run freely and wrap at 2^32; only their difference and their low bits mean
 *    something, so nr_slots is a power of two.
 * 2. The caller holds pipe->lock; in a function that adds it holds `producer` too, in one that
 *    takes `consumer`.
 * 3. A slot goes in and out whole, by struct assignment.
 * 4. Nothing here sleeps, allocates or touches a page: this file runs in a host program as well.
 */
#ifndef FS_PIPE_RING_H
#define FS_PIPE_RING_H

#include "fs/pipe/pipe.h"
#include "lib/string.h"

/* Publish a slot. There is room. */
static inline void ring_push(struct pipe *pipe, struct pipe_slot slot)
{
	*pipe_at(pipe, pipe->head) = slot;
	WRITE_ONCE(pipe->head, pipe->head + 1);
	pipe->bytes += slot.len;
}

/* The first slot leaves the ring, which is not empty. */
static inline struct pipe_slot ring_pop(struct pipe *pipe)
{
	struct pipe_slot slot = *pipe_at(pipe, pipe->tail);

	WRITE_ONCE(pipe->tail, pipe->tail + 1);
	WRITE_ONCE(pipe->kept, pipe->tail);
	pipe->bytes -= slot.len;
	return slot;
}

/*
 * The first n slots, which have so many bytes, leave the ring, but their places are kept, and the
 * slots stay there: they are the caller's until ring_settle(). They lie in one piece: n is not more
 * than ring_run() says.
 */
static inline struct pipe_slot *ring_take(struct pipe *pipe, unsigned int n, size_t bytes)
{
	struct pipe_slot *first = pipe_at(pipe, pipe->tail);

	WRITE_ONCE(pipe->tail, pipe->tail + n);
	pipe->bytes -= bytes;
	return first;
}

/*
 * The last n of the slots that were taken, with so many bytes left, are in the ring again; the places
 * of the others are free.
 */
static inline void ring_settle(struct pipe *pipe, unsigned int n, size_t bytes)
{
	WRITE_ONCE(pipe->tail, pipe->tail - n);
	WRITE_ONCE(pipe->kept, pipe->tail);
	pipe->bytes += bytes;
}

/* What n slots from position `at` on have together. */
static inline size_t ring_bytes(struct pipe *pipe, unsigned int at, unsigned int n)
{
	size_t bytes = 0;

	while (n > 0)
		bytes += pipe_at(pipe, at + --n)->len;
	return bytes;
}

/* How many slots from the first one on lie in one piece. */
static inline unsigned int ring_run(const struct pipe *pipe)
{
	unsigned int place = pipe->tail & (pipe->nr_slots - 1);

	return MIN(pipe_used(pipe), pipe->nr_slots - place);
}

/*
 * The next n places behind the head are filled from an array, or from another ring's slots from
 * position `at` on. There is room; nobody sees them before the caller has moved the head, and has
 * counted their bytes.
 */
void ring_fill_array(struct pipe *pipe, const struct pipe_slot *slots, unsigned int n);
static inline void ring_fill(struct pipe *pipe, const struct pipe_slot *slots, unsigned int n)
{
	if (n == 1)
		*pipe_at(pipe, pipe->head) = *slots;
	else
		ring_fill_array(pipe, slots, n);
}
void ring_fill_around(struct pipe *pipe, struct pipe *from, unsigned int at, unsigned int n);
static inline void ring_fill_from(struct pipe *pipe, struct pipe *from, unsigned int at,
				  unsigned int n)
{
	unsigned int to = pipe->head & (pipe->nr_slots - 1), place = at & (from->nr_slots - 1);

	if (likely(to + n <= pipe->nr_slots) && likely(place + n <= from->nr_slots))
		memcpy(pipe->slots + to, from->slots + place, n * sizeof(*pipe->slots));
	else
		ring_fill_around(pipe, from, at, n);
}

/* Slots for that many bytes: a power of two, at least one; 0: more than a ring can have. */
unsigned int ring_slots_for(unsigned long bytes);

/*
 * Move what is in the ring to `slots`, which has room for it, and go on with that. Both mutexes are
 * held.
 */
void ring_resize(struct pipe *pipe, struct pipe_slot *slots, unsigned int nr_slots);

#endif
