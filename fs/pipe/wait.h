/*
 * Waiting for a ring: for bytes, for room, and for the arrival of bytes from a disk. The contract is
 * in fs/pipe/wait.c. A wait has a time until which it may last, in the nanoseconds of time_now().
 */
#ifndef FS_PIPE_WAIT_H
#define FS_PIPE_WAIT_H

#include "fs/pipe/ring.h"

#define WAIT_NOT     0ull	/* do not wait: that time has passed */
#define WAIT_FOREVER UINT64_MAX /* until a signal */

/* What a reader wants: any slot, or one whose bytes have arrived or failed. */
enum ring_need { RING_NEED_SLOT, RING_NEED_BYTES };

/*
 * Sleep until the first slot is what is needed, or no writer is left. The caller holds neither mutex
 * and looks again afterwards: the condition may be false when this returns 0. Returns -EAGAIN if the
 * time has passed, -ERESTARTSYS on a signal.
 */
int ring_wait_readable(struct ring *ring, enum ring_need need, uint64_t until);
/* Sleep until there is room for a slot, or no reader is left. As ring_wait_readable(). */
int ring_wait_writable(struct ring *ring, uint64_t until);
/* For slots that must find room: the same, but only a SIGKILL interrupts it. 0, -ERESTARTSYS. */
int ring_wait_room(struct ring *ring);

/*
 * What a read would find: nothing; bytes that are still on their way; bytes or an error; or the end,
 * because no writer is left.
 */
enum ring_first { RING_EMPTY, RING_COMING, RING_READY, RING_ENDED };
/*
 * Returns what the first packet is. If it is RING_COMING, its arrival will wake `readable`. Takes
 * ring->lock if there is a slot.
 */
enum ring_first ring_first_there(struct ring *ring);
static inline enum ring_first ring_first(struct ring *ring)
{
	unsigned int tail = READ_ONCE(ring->tail);
	int error = ring_look(ring, tail);

	if (!error)
		return ring_first_there(ring);
	/* A splice that has slots out may put them back. */
	return error == -EPIPE && READ_ONCE(ring->kept) == tail ? RING_ENDED : RING_EMPTY;
}
/*
 * Returns how many bytes have arrived, from the first slot on: in all, or only those of the first
 * packet, which counts only if it is whole.
 */
unsigned int ring_arrived_bytes(struct ring *ring, bool first_packet);

/* Nobody reads or writes any more: what is in the ring can be read, then comes the end. */
void ring_end(struct ring *ring);
/* Disarm the arrival waiter and release all slots. Nobody puts or takes any more. May sleep. */
void ring_empty(struct ring *ring);

#endif
