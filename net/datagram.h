/*
 * Packets: messages with borders, of datagram and sequenced-packet sockets. A packet is a run of
 * slots in the receiver's ring, from one to as many as its bytes need; all have SLOT_PACKET, and all
 * but the last SLOT_GOES_ON.
 *
 * 1. A packet is built by its sender without any lock, and published whole or not at all.
 * 2. A packet without bytes is one slot of the zero page.
 * 3. Splice moves slots: out of a socket they are slots of a pipe, and slots of a pipe become a
 *    packet. Nobody asks whether their bytes are there.
 * 4. Reading is ring_read() (fs/pipe/io.h): it takes one packet, when all of it has arrived.
 */
#ifndef NET_DATAGRAM_H
#define NET_DATAGRAM_H

#include "fs/splice/splice.h"

/* What lets a sender wait. */
struct packet_limits {
	unsigned int slots;   /* a ring that holds as many takes no more packets */
	unsigned int packets; /* nor one with more packets than that */
};

/*
 * Send all of `from` as one packet. The envelope may be NULL. Returns the number of bytes; -EPIPE if
 * nobody reads the ring, -EAGAIN, -ENOMEM, -EFAULT, -ERESTARTSYS.
 */
ssize_t packet_send(struct ring *ring, struct iter *from, struct packet_limits limits,
		    struct envelope *envelope, uint64_t until);
/* Take over all slots of the list as one packet, without waiting for room. The same. */
ssize_t packet_splice_in(struct ring *ring, struct slot_list *slots, struct packet_limits limits,
			 struct envelope *envelope);
/*
 * Append the slots of the next packet to the list, up to len bytes and as far as there is room; the
 * rest of the packet is dropped. Does not wait for bytes, but until then for a packet. Returns the
 * number of bytes, 0 at the end, -EAGAIN, -ERESTARTSYS.
 */
ssize_t packet_splice_out(struct ring *ring, size_t len, struct slot_list *slots, uint64_t until);
/* May a packet be sent? Returns 1, 0 if there is no room, or -EPIPE. */
int packet_room(struct ring *ring, struct packet_limits limits);
/* Sleep until one may, or nobody reads the ring any more: 0, -EAGAIN, -ERESTARTSYS. */
int packet_wait_room(struct ring *ring, struct packet_limits limits, uint64_t until);

#endif
