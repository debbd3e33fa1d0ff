/*
 * AF_UNIX sockets within the machine: streams, datagrams, and sequenced packets, which are datagrams
 * over a connection.
 *
 * 1. A socket belongs to its file; a reference is also held by a peer that sends to it, and by who
 *    is just using it. It is closed with its file, and freed with the last reference.
 * 2. What it receives is in its ring, `in` (fs/pipe/ring.h), which is that of a pipe. A sender writes to
 *    the ring of its peer; there is no other buffer. The sender's limit in bytes (SO_SNDBUF) is a
 *    number of slots there: every slot counts as a page.
 * 3. sockets_lock (plain) guards names, states, peers, and the sockets that wait for accept. The
 *    peer of a connected socket never changes until the socket's own close, so a call on the socket
 *    may read it without the lock once the state says SOCKET_CONNECTED.
 * 4. A connection that is shut down is a ring that has ended: a socket's SHUT_RD ends its own,
 *    SHUT_WR that of its peer, close both.
 * 5. A listening socket has no data: connect and accept sleep on its ring's queues.
 * 6. A name is a path, at which bind makes a node of type S_IFSOCK; the node's inode leads to the
 *    socket. Or it is abstract: it begins with a NUL, and goes with its socket.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "fs/pipe/pipe.h"
#include "net/datagram.h"
#include "net/message.h"

#define AF_UNIX		  1
#define SOCK_STREAM	  1
#define SOCK_DGRAM	  2
#define SOCK_SEQPACKET	  5
#define SOCK_NONBLOCK	  O_NONBLOCK
#define SOCK_CLOEXEC	  O_CLOEXEC

#define MSG_PEEK	  0x2
#define MSG_CTRUNC	  0x8
#define MSG_TRUNC	  0x20
#define MSG_DONTWAIT	  0x40
#define MSG_EOR		  0x80 /* every packet is a record of its own */
#define MSG_WAITALL	  0x100
#define MSG_NOSIGNAL	  0x4000
#define MSG_CMSG_CLOEXEC  0x40000000
#define MSG_MORE	  0x8000 /* a hint, as SPLICE_F_MORE is: bytes are there for the peer at once */

#define SOCKET_SLOTS	  128u	  /* of a ring: room for the largest send buffer */
#define SOCKET_SEND_BYTES 180224u /* of a send buffer, if nothing else is said: as on Linux/i386 */
#define SOCKET_OVERHEAD	  32u	  /* of these a datagram cannot have so many */
#define SOCKET_DATAGRAMS  10u	  /* may wait for a reader, and one more */

enum socket_state { SOCKET_NEW, SOCKET_LISTENING, SOCKET_CONNECTED, SOCKET_CLOSED };

struct socket {
	struct atomic refs;
	int type;		  /* SOCK_*; never changes */
	enum socket_state state;  /* sockets_lock, up to `listener`; of one that connects */
	bool send_shut;		  /* a datagram socket after SHUT_WR */
	struct socket *peer;	  /* a reference */
	struct socket_name *name; /* NULL: not bound */
	struct inode *node;	  /* what it is bound to, a reference */
	struct list pending;	  /* connected sockets that wait for accept */
	struct list pending_link;
	unsigned int nr_pending, backlog;
	struct list abstract_link; /* abstract_names, if its name is one */
	struct file *file;	 /* its open file, no reference: NULL before accept, after close */
	struct socket *listener; /* at which it waits for accept */
	struct sender peer_sender; /* SO_PEERCRED: set before others see the connection */
	int error;		   /* negative: told once, and set to 0; changed by exchange */
	struct ring in;
	/* Options. Each is read and written by itself. */
	unsigned int send_bytes, receive_bytes; /* SO_SNDBUF, SO_RCVBUF */
	uint64_t send_timeout, receive_timeout; /* nanoseconds, or WAIT_FOREVER */
	bool pass_credentials, reuse_address, linger;
	uint32_t linger_seconds;
	/* net/passing.c: how many messages have it, and whether one of them can be received. */
	unsigned int in_flight;
	bool reached;
};

/* Has it a connection, or is it to have one? */
static inline bool socket_connects(const struct socket *socket)
{
	return socket->type != SOCK_DGRAM;
}
/* Do messages have borders? */
static inline bool socket_has_packets(const struct socket *socket)
{
	return socket->type != SOCK_STREAM;
}

/* How many slots a send buffer of so many bytes is. */
static inline unsigned int socket_slots(unsigned int bytes)
{
	return MIN(MAX(bytes / PAGE_SIZE, 1u), SOCKET_SLOTS);
}
/* Has what comes in ended? */
static inline bool socket_ended(const struct socket *socket)
{
	return READ_ONCE(socket->in.writers) == 0;
}
/* The error that is to be told, which is then gone; 0. */
static inline int socket_take_error(struct socket *socket)
{
	return __sync_lock_test_and_set(&socket->error, 0);
}

/* ---- net/socket.c ---- */

/*
 * poll of a sender to a datagram socket sleeps here, since the receiver's own queue may go away with
 * it. Woken after a datagram was taken.
 */
extern struct wait_queue datagram_room;

/* A new socket with one reference, the caller's, to be closed; NULL: no memory. */
struct socket *socket_alloc(int type);
void socket_put(struct socket *socket);
/* Its file is gone: everything ends, and the caller's reference goes. May sleep. */
void socket_close(struct socket *socket);
/* Its peer, with a reference, or NULL. */
struct socket *socket_peer(struct socket *socket);
/* Two new sockets become each other's peers. Nobody else knows them. */
void socket_pair(struct socket *one, struct socket *other);
/* SO_PEERCRED: of the process that made the other end. */
struct sender socket_peer_sender(struct socket *socket);
/* SO_SNDBUF: the limit of what may be in the peer's ring. */
void socket_set_send_bytes(struct socket *socket, unsigned int bytes);
/* The file is the socket's open file, through which it is read. */
void socket_open(struct socket *socket, struct file *file);
/* sockets_lock, for net/passing.c, which looks at `file` and `listener` of many sockets. */
void sockets_freeze(void);
void sockets_thaw(void);
/* May `socket` send to `target`, which talks to nobody or to it alone? 0, -EPERM. */
int socket_may_send(struct socket *socket, struct socket *target);

/* An address from user memory; ERR_PTR(-EINVAL, -EFAULT, -ENOMEM). */
struct socket_name *socket_name_from_user(const void __user *from, unsigned int len);
/*
 * Tell a name (NULL: just the family) as far as there is room; its whole length in *len. 0,
 * -EFAULT, -EINVAL.
 */
int socket_name_to_user(struct socket_name *name, void __user *to, int32_t __user *len);
/* The socket of that name and type, with a reference; ERR_PTR. May sleep. */
struct socket *socket_find(struct socket_name *name, int type);

/*
 * The system calls of the same name, on a socket's open file. They check their arguments and may
 * sleep.
 */
long socket_bind(struct file *file, const void __user *address, unsigned int len);
long socket_connect(struct file *file, const void __user *address, unsigned int len);
long socket_listen(struct file *file, unsigned int backlog);
long socket_accept4(struct file *file, void __user *address, int32_t __user *len,
		    unsigned int flags);
long socket_shutdown(struct file *file, unsigned int how);
long socket_getsockname(struct file *file, void __user *address, int32_t __user *len);
long socket_getpeername(struct file *file, void __user *address, int32_t __user *len);

/* ---- net/options.c: the system calls of the same name ---- */

long socket_getsockopt(struct file *file, int level, unsigned int option, void __user *to,
		       uint32_t __user *len);
long socket_setsockopt(struct file *file, int level, unsigned int option, const void __user *from,
		       uint32_t len);

/* ---- net/socket_file.c ---- */

/* Until when a call may wait that has such flags of messages, and such a timeout. */
uint64_t socket_wait(const struct file *file, unsigned int flags, uint64_t timeout);
/* The error of a wait that a signal ended: with a timeout it is not begun again. */
static inline long socket_interrupted(long error, uint64_t timeout)
{
	return error == -ERESTARTSYS && timeout != WAIT_FOREVER ? -EINTR : error;
}
/*
 * An open file for a socket, which is closed with it; at once on an error. The socket may be NULL,
 * and be put into file->private later.
 */
struct file *socket_file(struct socket *socket, unsigned int flags);
/* Is it a socket's file? Its socket is file->private. */
bool is_socket(struct file *file);

long socket_sendto(struct file *file, void __user *base, size_t len, unsigned int flags,
		   const void __user *address, unsigned int address_len);
long socket_recvfrom(struct file *file, void __user *base, size_t len, unsigned int flags,
		     void __user *address, int32_t __user *address_len);
long socket_sendmsg(struct file *file, const void __user *user, unsigned int flags);
long socket_recvmsg(struct file *file, void __user *user, unsigned int flags);

#endif
