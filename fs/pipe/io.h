/*
 * Bytes into a ring and out of it: what read(2) and write(2) do on pipes and on sockets.
 *
 * 1. User memory is copied with one of the mutexes held and page faults off. If a page is not there,
 *    or memory for a new one is short, the mutex is given back, the page is brought in, and the
 *    operation starts over.
 * 2. Bytes leave the ring when they have been copied, not before.
 * 3. A write up to PIPE_BUF goes whole into one slot.
 */
#ifndef FS_PIPE_IO_H
#define FS_PIPE_IO_H

#include "fs/pipe/wait.h"

#define PIPE_BUF 4096u

/* A read: what is asked for, and what came of it. */
struct ring_read {
	struct iter *to;
	uint64_t until; /* wait for the first bytes until then */
	bool all;	/* go on until the iterator is full */
	bool peek;	/* leave the bytes in the ring */
	/* The results; to begin with they are 0. */
	struct envelope *envelope; /* of the last bytes that were read; a reference, or NULL */
	size_t packet_len;	   /* a packet's length, of which more may be than was copied */
};
/*
 * Copy what is there to read->to, and wait if nothing is there yet. A packet ends the read, and so
 * does the end of an envelope's bytes; those before them, which have none, are read with them. Returns the number of bytes; 0 at the end, when no writer is left, or for
 * an empty packet; -EAGAIN, -ERESTARTSYS, -EFAULT; -EIO, after which the disk's read has been
 * started again; -ENODATA for a page that left its file unread, which is dropped.
 */
ssize_t ring_read(struct ring *ring, struct ring_read *read);
/* Drop n bytes of the first slot, which has as many. `consumer` is held. */
void ring_consume(struct ring *ring, unsigned int n);
/* Drop the first packet: a slot that is none is one of its own. `consumer` is held. */
void ring_drop_packet(struct ring *ring);
/*
 * The first slot has failed (-EIO) or gone (-ENODATA), and nothing was taken yet. Start its read
 * again, or drop its packet. `consumer` is held, and given back. Returns the error.
 */
int ring_report_failed(struct ring *ring, int error);

/* A write: what is to be written, and how. */
struct ring_write {
	struct iter *from;
	uint64_t until;		   /* wait for room until then */
	bool packets;		   /* each slot is a packet */
	struct envelope *envelope; /* of all bytes; the caller's reference, or NULL */
	struct page *spare;	   /* to begin with NULL: a page that is not used yet */
};
/*
 * Write all of write->from, which has at least a byte. Returns the number of bytes; -EPIPE if no
 * reader is left (no signal is sent), -EAGAIN, -ERESTARTSYS, -EFAULT, -ENOMEM if none were written.
 */
ssize_t ring_write(struct ring *ring, struct ring_write *write);

#endif
