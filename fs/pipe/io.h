/*
 * Copying bytes to and from a ring: read(2) and write(2) of pipes and sockets.
 *
 * 1. User memory is copied with one of the mutexes held and page faults disabled. If a user page is
 *    missing, or memory for a new page is short, the mutex is released, the page is brought in, and
 *    the operation starts over.
 * 2. Bytes leave the ring only after they have been copied.
 * 3. A write of up to PIPE_BUF bytes goes into one slot as a whole.
 */
#ifndef FS_PIPE_IO_H
#define FS_PIPE_IO_H

#include "fs/pipe/wait.h"

#define PIPE_BUF 4096u

/* The arguments and the results of a read. */
struct ring_read {
	struct iter *to;
	uint64_t until;	  /* wait for the first bytes until then */
	size_t least;	  /* go on until that many bytes have been read, or the iterator is full */
	bool peek, apart; /* leave the bytes in the ring; respect each envelope */
	/* The results. The caller sets them to 0. */
	struct envelope *envelope; /* a reference to that of the last bytes read, or NULL */
	size_t packet_len;	   /* of the whole packet; less may have been copied */
};
/*
 * Copy the bytes that are there to read->to, and wait if there are none yet. The read ends after a
 * packet, and after the last byte that has an envelope, if that or the read is `apart`. Bytes
 * without such an envelope before those are read with them. read->to is not empty.
 *
 * Returns the number of bytes, 0 for an empty packet or at the end when no writer is left, -EAGAIN,
 * -ERESTARTSYS or -EFAULT. After -EIO, the disk's read has been started again. After -ENODATA, a
 * page that left its file unread has been dropped. May sleep, and takes `consumer`.
 */
ssize_t ring_read(struct ring *ring, struct ring_read *read);
/* Drop n bytes of the first slot, which has at least as many. `consumer` is held. May sleep. */
void ring_consume(struct ring *ring, unsigned int n);
/*
 * Drop the first packet, or the first slot if it is not part of one. `consumer` is held. May sleep.
 */
void ring_drop_packet(struct ring *ring);
/* Is this confirm's error of a slot whose bytes are not on their way? */
static inline bool ring_failed(int error)
{
	return error == -EIO || error == -ENODATA || error == -ENOMEM;
}
/*
 * Called when the first slot's bytes are not on their way (ring_failed()), before any byte was
 * taken. Starts its read again, and its arrival will wake `readable`. After -ENODATA, drops its
 * packet. `consumer` is held, and is released. Returns the error, but -EAGAIN instead of -ENOMEM if
 * the bytes are on their way now: only the task that had started the read lacked memory. May sleep.
 */
int ring_report_failed(struct ring *ring, int error);

/* The arguments of a write. */
struct ring_write {
	struct iter *from;
	uint64_t until;		   /* wait for room until then */
	bool packets;		   /* each slot is a packet */
	struct envelope *envelope; /* for all bytes, or NULL; the reference stays the caller's */
	struct page *spare;	   /* a page not used yet; NULL before and after ring_write() */
};
/*
 * Write all of write->from, which is not empty. Returns the number of bytes written, or, if that is
 * none, -EPIPE if no reader is left (without a signal), -EAGAIN, -ERESTARTSYS, -EFAULT or -ENOMEM.
 * May sleep, and takes `producer`.
 */
ssize_t ring_write(struct ring *ring, struct ring_write *write);

#endif
