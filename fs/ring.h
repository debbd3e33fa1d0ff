/*
 * The ring's arithmetic: slots go in at the head and come out at the tail.
 *
 * 1. head and tail run freely and wrap at 2^32; only their difference and their low bits mean something, so
 *    nr_slots is a power of two.
 * 2. The caller holds pipe->lock; in a function that adds it holds `producer` too, in one that takes `consumer`.
 * 3. A slot goes in and out whole, by struct assignment.
 * 4. Nothing here sleeps, allocates or touches a page: this file runs in a host program as well.
 */
#ifndef FS_RING_H
#define FS_RING_H

#include "fs/pipe.h"

/* Publish a slot. There is room. */
static inline void ring_push(struct pipe *pipe, const struct pipe_slot *slot)
{
	*pipe_at(pipe, pipe->head) = *slot;
	pipe->head++;
}

/* The first slot leaves the ring, which is not empty. */
static inline struct pipe_slot ring_pop(struct pipe *pipe)
{
	return *pipe_at(pipe, pipe->tail++);
}

/* The first slot leaves the ring, but its place stays kept for it. */
static inline struct pipe_slot ring_take(struct pipe *pipe)
{
	pipe->taken++;
	return ring_pop(pipe);
}

/* The slot that was taken last comes back to its place. */
static inline void ring_put_back(struct pipe *pipe, const struct pipe_slot *slot)
{
	*pipe_at(pipe, --pipe->tail) = *slot;
	pipe->taken--;
}

/* Slots for that many bytes: a power of two, at least one; 0: more than a ring can have. */
unsigned int ring_slots_for(unsigned long bytes);

/* Move what is in the ring to `slots`, which has room for it, and go on with that. Both mutexes are held. */
void ring_resize(struct pipe *pipe, struct pipe_slot *slots, unsigned int nr_slots);

#endif
