/*
 * Packets: messages with boundaries, of datagram and sequenced-packet sockets. A packet is one slot
 * or several consecutive slots in the receiver's ring. All of them have SLOT_PACKET, and all but
 * the last have SLOT_GOES_ON.
 *
 * 1. The sender builds a packet without any lock, and publishes it whole or not at all.
 * 2. A packet without bytes is one slot of the zero page.
 * 3. Splice moves slots. The slots of a packet become slots of a pipe, and slots of a pipe become a
 *    packet. Neither waits until their bytes have arrived.
 * 4. ring_read() (fs/pipe/io.h) reads packets. It takes one packet, once all of it has arrived.
 */
#ifndef NET_DATAGRAM_H
#define NET_DATAGRAM_H

#include "fs/splice/splice.h"

/* When a ring takes no more packets, so that a sender waits. */
struct packet_limits {
	unsigned int slots;   /* if it holds this many slots or more */
	unsigned int packets; /* if it holds more packets than this */
};

/*
 * Send all of `from` as one packet, and wait for room until the time `until`. The envelope may be
 * NULL. Returns the number of bytes, -EPIPE if the ring has no reader, -EAGAIN, -ENOMEM, -EFAULT or
 * -ERESTARTSYS. May sleep.
 */
ssize_t packet_send(struct ring *ring, struct iter *from, struct packet_limits limits,
		    struct envelope *envelope, uint64_t until);
/*
 * Send all slots of the list as one packet, without waiting for room. Returns the same. May sleep.
 */
ssize_t packet_splice_in(struct ring *ring, struct slot_list *slots, struct packet_limits limits,
			 struct envelope *envelope);
/*
 * Append the slots of the next packet to the list, up to len bytes and as far as the list has room.
 * The rest of the packet is dropped. Waits for a packet until the time `until`, but not for its
 * bytes to arrive. Returns the number of bytes, 0 at the end, -EAGAIN or -ERESTARTSYS. May sleep.
 */
ssize_t packet_splice_out(struct ring *ring, size_t len, struct slot_list *slots, uint64_t until);
/* Does the ring take another packet? Returns 1, 0 if there is no room, or -EPIPE. Never sleeps. */
int packet_room(struct ring *ring, struct packet_limits limits);
/*
 * Sleep until the ring takes another packet or has no reader, or until the time `until`. Returns 0,
 * -EAGAIN or -ERESTARTSYS.
 */
int packet_wait_room(struct ring *ring, struct packet_limits limits, uint64_t until);

#endif
