/*
 * Waiting for a ring: for bytes, for room, and for the arrival of bytes from a disk. fs/pipe/wait.c
 * explains how no wakeup is lost. A wait ends at a time, in nanoseconds of time_now().
 */
#ifndef FS_PIPE_WAIT_H
#define FS_PIPE_WAIT_H

#include "fs/pipe/ring.h"

#define WAIT_NOT     0ull	/* do not wait, as that time has passed */
#define WAIT_FOREVER UINT64_MAX /* wait until a signal */

/* A reader waits for any slot, or for one whose bytes have arrived or failed. */
enum ring_need { RING_NEED_SLOT, RING_NEED_BYTES };

/*
 * Sleep until the first slot is as needed, or no writer is left. The caller holds neither mutex,
 * and checks again afterwards, because the condition may have become false. Returns 0, -EAGAIN if
 * the time has passed, or after a signal an error as that of wait_event_again_until().
 */
int ring_wait_readable(struct ring *ring, enum ring_need need, uint64_t until);
/* Sleep until there is room for a slot, or no reader is left. As ring_wait_readable(). */
int ring_wait_writable(struct ring *ring, uint64_t until);
/*
 * The same without a time, for slots that must find room. Only a SIGKILL interrupts it. Returns 0
 * or -ERESTARTSYS.
 */
int ring_wait_room(struct ring *ring);

/*
 * What a read would find: no slot; bytes that are still on their way; bytes or an error; or the
 * end, because no writer is left.
 */
enum ring_first { RING_EMPTY, RING_COMING, RING_READY, RING_ENDED };
/*
 * Returns the state of the first packet. If that is RING_COMING, its arrival will wake `readable`.
 * Takes ring->lock if there is a slot.
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
 * Returns how many bytes have arrived, from the first slot on. With `first_packet`, returns the
 * length of the first packet, or 0 if not all of it has arrived. Never sleeps.
 */
unsigned int ring_arrived_bytes(struct ring *ring, bool first_packet);

/* End the ring: it has no readers and writers from now on. The bytes in it can still be read. */
void ring_end(struct ring *ring);
/* Release all slots of a ring that is no longer used, and disarm its arrival waiter. May sleep. */
void ring_empty(struct ring *ring);

#endif
