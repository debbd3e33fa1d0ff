/* The ring's arithmetic; the contract is in fs/pipe/ring.h. */
#include "fs/pipe/ring.h"
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

void ring_fill_array(struct pipe *pipe, const struct pipe_slot *slots, unsigned int n)
{
	struct pipe_slot *to = pipe_at(pipe, pipe->head);
	unsigned int run = MIN(n, (unsigned int)(pipe->slots + pipe->nr_slots - to));

	memcpy(to, slots, run * sizeof(*slots));
	if (unlikely(run < n))
		memcpy(pipe->slots, slots + run, (n - run) * sizeof(*slots));
}

/* One of the rings ends in between. */
void ring_fill_around(struct pipe *pipe, struct pipe *from, unsigned int at, unsigned int n)
{
	while (n-- > 0)
		*pipe_at(pipe, pipe->head + n) = *pipe_at(from, at + n);
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
