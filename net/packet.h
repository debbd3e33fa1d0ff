/*
 * Packets: what is in a socket. A packet is a small header and an array of page fragments; a
 * fragment is a pipe_slot, with the same promise and the same operations (fs/pipe/pipe.h): (page,
 * offset, length), bytes that will not change though they may not have arrived.
 *
 * 1. A queue belongs to the socket that reads it. `consumer` serialises those who take, `producer`
 *    those who append to the last fragment; neither is held across a wait for data, room or a page
 *    fault. queue->lock guards the list, the fragments and the counts, for a few lines.
 * 2. A packet is built by its sender alone, and then queued whole. In a stream, a small write may
 *    go behind the last byte of the last packet instead (SLOT_MERGE), so that a byte does not cost
 *    a page; in a queue of datagrams a packet is taken whole or not at all.
 * 3. Splice moves fragments: out of the queue they are slots of a pipe, and slots of a pipe become
 *    the fragments of a packet. Nobody asks whether their bytes are there. Who copies waits for
 *    them, by the queue's one arrival waiter (as fs/pipe/wait.c does).
 * 4. A queue that has ended takes no packet any more. What is in it can be read, then comes `error`,
 *    once, then the end.
 * 5. Senders are held up by what the queue holds: a packet counts with the memory of its fragments,
 *    in whole pages, from the day it is queued until the last of it is taken.
 * 6. Every change is made under queue->lock before the sleepers are woken, and sleepers look at
 *    the queue under it after they have joined: no wakeup is lost.
 */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include "fs/splice/splice.h"
#include "mm/slab.h"

/* A socket's address. The bytes never change. */
struct socket_name {
	struct atomic refs;
	unsigned int len; /* of what user programs are told: the family and the path */
	char bytes[112];  /* struct sockaddr_un, and a NUL behind it */
};

static inline struct socket_name *socket_name_get(struct socket_name *name)
{
	if (name)
		atomic_inc(&name->refs);
	return name;
}
/* NULL is fine. */
static inline void socket_name_put(struct socket_name *name)
{
	if (name && atomic_dec_and_test(&name->refs))
		kfree(name);
}

//BOOK: packet
struct packet {
	struct list link;	  /* queue->packets */
	struct socket_name *from; /* of a datagram: its sender's name, a reference; or NULL */
	unsigned int charge; /* bytes of memory, in whole pages; of the fragments it began with */
	unsigned int first, nr; /* fragments [first, nr) are still here */
	struct pipe_slot fragments[];
};

struct packet_queue {
	struct mutex consumer, producer;
	spinlock_t lock;	 /* plain; guards the next seven */
	struct list packets;	 /* of struct packet; none of a stream's is empty */
	unsigned int nr_packets; /* of them */
	unsigned int charged;	 /* the sum of their charges */
	int error;		 /* told once to who finds the queue empty: negative, or 0 */
	bool datagrams;		 /* never changes */
	bool ended;		 /* nothing comes in any more */
	bool closed;		 /* and nobody reads */
	struct wait_queue readable, room;
	struct wait_queue *writable; /* senders: `room`, or what datagram sockets share */
	struct page_waiter arrival;  /* of the first fragment that is not here; wakes readable */
};

#define MSG_PEEK	0x2
#define MSG_TRUNC	0x20
#define MSG_DONTWAIT	0x40
#define MSG_WAITALL	0x100
#define MSG_NOSIGNAL	0x4000
#define MSG_MORE	0x8000 /* a hint, as SPLICE_F_MORE is: bytes are there for the peer at once */

#define QUEUE_BYTES	180224 /* of memory, then a sender waits: as on Linux/i386 */
#define QUEUE_DATAGRAMS 10u    /* may wait for a reader, and one more */

/* datagrams: of a datagram socket. */
void packet_queue_init(struct packet_queue *queue, bool datagrams);
/* Nothing comes in any more; whoever finds the queue empty is told `error` (or 0) once. */
void packet_queue_end(struct packet_queue *queue, int error);
/*
 * Its socket is closed: end it and release what is in it. Returns whether there was anything. May
 * sleep.
 */
bool packet_queue_close(struct packet_queue *queue);

/*
 * Send to a stream as write(2); or one datagram, whole or not at all. `most`: how many datagrams may
 * be there before it; `name` is its sender's. Bytes; -EPIPE (nobody reads; no signal is sent),
 * -ECONNREFUSED (the datagrams' reader has closed), -EMSGSIZE, -EAGAIN, -ENOMEM, -EFAULT,
 * -ERESTARTSYS.
 */
ssize_t packet_send(struct packet_queue *queue, struct iter *from, unsigned int most,
		    struct socket_name *name, bool nonblock);
/* Take over slots as a packet, without waiting for room. The same. */
ssize_t packet_splice_in(struct packet_queue *queue, struct slot_list *slots, unsigned int most,
			 struct socket_name *name);
/* Bytes of memory that the queue would still take; -EPIPE, -ECONNREFUSED. */
int packet_room(struct packet_queue *queue, unsigned int most);
/* Sleep until there is room, or the queue has ended: 0, -EAGAIN if nonblock, -ERESTARTSYS. */
int packet_wait_room(struct packet_queue *queue, unsigned int most, bool nonblock);

/*
 * Receive: as read(2), and by MSG_PEEK (of a stream: its first packet alone), MSG_DONTWAIT,
 * MSG_WAITALL (stream). Of a datagram *from is the sender's name (a reference, or NULL) and *full
 * its length; `from` may be NULL.
 */
ssize_t packet_receive(struct packet_queue *queue, struct iter *to, unsigned int flags,
		       struct socket_name **from, size_t *full);
/* The same by slots: at least one, without waiting for its bytes. */
ssize_t packet_splice_out(struct packet_queue *queue, size_t len, struct slot_list *slots,
			  bool nonblock);

/* Bytes that a receive would get now: of a stream all that have arrived, else the first datagram. */
unsigned int packet_bytes(struct packet_queue *queue);
/*
 * For poll: would a receive return at once? *on_its_way: something is there, but its bytes are not;
 * their arrival wakes `readable`.
 */
bool packet_readable(struct packet_queue *queue, bool *on_its_way);

#endif
