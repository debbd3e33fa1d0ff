/* The ring's arithmetic; the contract is in fs/ring.h. */
#include "fs/ring.h"
#include "lib/string.h"

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

/* Copy n slots to position `at`, which is not in use, and on around the ring's end. */
static void copy_in(struct pipe *pipe, unsigned int at, const struct pipe_slot *slots,
		    unsigned int n)
{
	unsigned int place = at & (pipe->nr_slots - 1);
	unsigned int run = MIN(n, pipe->nr_slots - place);

	memcpy(&pipe->slots[place], slots, run * sizeof(*slots));
	if (unlikely(run < n))
		memcpy(pipe->slots, slots + run, (n - run) * sizeof(*slots));
}

void ring_fill(struct pipe *pipe, const struct pipe_slot *slots, unsigned int n)
{
	copy_in(pipe, pipe->head, slots, n);
}

void ring_fill_from(struct pipe *pipe, struct pipe *from, unsigned int at, unsigned int n)
{
	unsigned int place = at & (from->nr_slots - 1);
	unsigned int run = MIN(n, from->nr_slots - place);

	copy_in(pipe, pipe->head, &from->slots[place], run);
	if (unlikely(run < n))
		copy_in(pipe, pipe->head + run, from->slots, n - run);
}

void ring_resize(struct pipe *pipe, struct pipe_slot *slots, unsigned int nr_slots)
{
	unsigned int at;

	/* Positions keep their numbers; only the place that a number means is another one. */
	for (at = pipe->tail; at != pipe->head; at++)
		slots[at & (nr_slots - 1)] = *pipe_at(pipe, at);
	pipe->slots = slots;
	pipe->nr_slots = nr_slots;
}
