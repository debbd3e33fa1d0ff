/*
 * AF_UNIX sockets within the machine: streams, datagrams, and sequenced packets, which are
 * datagrams over a connection.
 *
 * 1. A socket's file holds a reference to it. So do a peer that sends to it, and a call that is
 *    using it. It is closed with its file, and freed with the last reference.
 * 2. The bytes that a socket receives are in its ring, `in`, which works like that of a pipe
 *    (fs/pipe/ring.h). A sender writes to the ring of its peer. There is no other buffer. The
 *    sender's limit in bytes (SO_SNDBUF) is converted to a number of slots, where each slot counts
 *    as a page.
 * 3. sockets_lock, a plain spinlock, guards names, states, peers, and the sockets that wait for
 *    accept. Some functions look at one of these without it, so writers mark their stores. A name
 *    does not change once it is set. The peer of a connected socket does not change until the
 *    socket itself is closed. So a call on the socket may read it without the lock once the state
 *    is SOCKET_CONNECTED.
 * 4. To shut down a connection is to end a ring. SHUT_RD ends the socket's own ring, SHUT_WR ends
 *    that of its peer, and close ends both. SHUT_WR without a connection sets `send_shut`.
 * 5. A listening socket has no data. connect and accept sleep on the queues of its ring.
 * 6. A name is either a path or abstract. For a path, bind makes a node of type S_IFSOCK, whose
 *    inode points to the socket. An abstract name begins with a NUL, and disappears with its
 *    socket.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "fs/pipe/pipe.h"
#include "net/datagram.h"
#include "net/message.h"

#define AF_UNSPEC	  0
#define AF_UNIX		  1
#define SOCK_STREAM	  1
#define SOCK_DGRAM	  2
#define SOCK_SEQPACKET	  5
#define SOCK_NONBLOCK	  O_NONBLOCK
#define SOCK_CLOEXEC	  O_CLOEXEC
#define ADDRESS_MAX	  128u /* sizeof(struct sockaddr_storage) */

#define MSG_OOB		  0x1
#define MSG_PEEK	  0x2
#define MSG_CTRUNC	  0x8
#define MSG_TRUNC	  0x20
#define MSG_DONTWAIT	  0x40
#define MSG_EOR		  0x80 /* every packet is a record of its own */
#define MSG_WAITALL	  0x100
#define MSG_NOSIGNAL	  0x4000
#define MSG_WAITFORONE	  0x10000 /* recvmmsg(2) waits for the first message alone */
#define MSG_CMSG_CLOEXEC  0x40000000
#define MSG_MORE	  0x8000 /* a hint without effect: bytes are sent at once */

#define SOCKET_SLOTS	  128u	  /* of a ring, so that it has room for the largest send buffer */
#define SOCKET_SEND_BYTES 180224u /* the default send buffer, as on Linux/i386 */
#define SOCKET_OVERHEAD	  32u	  /* a datagram must be this much smaller than the send buffer */
#define SOCKET_DATAGRAMS  10u	  /* a sender waits if more than this many are unread */

enum socket_state { SOCKET_NEW, SOCKET_LISTENING, SOCKET_CONNECTED, SOCKET_CLOSED };

struct socket {
	struct atomic refs;
	int type; /* SOCK_*; never changes */
	/* Guarded by sockets_lock. */
	enum socket_state state;  /* a datagram socket stays SOCKET_NEW until it is closed */
	bool send_shut;		  /* after SHUT_WR without a connection; read without the lock */
	struct socket *peer;	  /* a reference, or NULL */
	struct socket_name *name; /* NULL: not bound */
	struct inode *node;	  /* a reference to the node it is bound to, or NULL */
	struct list pending;	  /* connected sockets that wait for accept here */
	struct list pending_link;
	unsigned int nr_pending, backlog;
	struct list abstract_link; /* in abstract_names, if its name is abstract */
	struct file *file;	   /* its open file, without a reference; NULL before accept and
				    * after close */
	struct socket *listener;   /* where it waits for accept, or NULL */
	struct sender peer_sender; /* SO_PEERCRED; set before others see the connection */
	/* The error that the next call reports, negative, or 0. Changed by atomic exchange. */
	int error;
	struct ring in;
	/* Options. Each is read and written without a lock. */
	unsigned int send_bytes, receive_bytes; /* SO_SNDBUF, SO_RCVBUF */
	uint64_t send_timeout, receive_timeout; /* nanoseconds, or WAIT_FOREVER */
	bool pass_credentials, reuse_address, linger, broadcast, keep_alive, urgent_inline;
	unsigned int receive_least; /* SO_RCVLOWAT, in bytes */
	int32_t priority;
	uint8_t timestamp; /* enum timestamp_form: net/control.h */
	uint32_t linger_seconds;
	/*
	 * For net/passing.c: the number of messages that carry the socket, and whether one of them
	 * can still be received.
	 */
	unsigned int in_flight;
	bool reached;
};

/* Is the socket of a type that has connections? */
static inline bool socket_connects(const struct socket *socket)
{
	return socket->type != SOCK_DGRAM;
}
/* Is the socket of such a type, and not connected? Its state may change at once. */
static inline bool socket_not_connected(const struct socket *socket)
{
	return socket_connects(socket) && READ_ONCE(socket->state) != SOCKET_CONNECTED;
}
/* Do the socket's messages have boundaries? */
static inline bool socket_has_packets(const struct socket *socket)
{
	return socket->type != SOCK_STREAM;
}

/* Returns the number of slots to which a send buffer of so many bytes corresponds. */
static inline unsigned int socket_slots(unsigned int bytes)
{
	return MIN(MAX(bytes / PAGE_SIZE, 1u), SOCKET_SLOTS);
}
/* Has the socket's input ended? It may still have bytes to be read. */
static inline bool socket_ended(const struct socket *socket)
{
	return READ_ONCE(socket->in.writers) == 0;
}
/* Returns the socket's pending error, negative or 0, and clears it. */
static inline int socket_take_error(struct socket *socket)
{
	return __sync_lock_test_and_set(&socket->error, 0);
}
/* The next call reports the error, which is negative. */
static inline void socket_set_error(struct socket *socket, int error)
{
	(void)__sync_lock_test_and_set(&socket->error, error);
}

/* ---- net/socket.c ---- */

extern spinlock_t sockets_lock;

/*
 * A poll of a datagram socket for writing sleeps on this queue, because the receiver's own queue
 * may be freed meanwhile. It is woken after each datagram that is received.
 */
extern struct wait_queue datagram_room;

/*
 * Allocate a socket with one reference. The caller calls socket_close(). NULL if there is no
 * memory.
 */
struct socket *socket_alloc(int type);
/* Drop a reference. The last one frees the socket. Never sleeps. */
void socket_put(struct socket *socket);
/*
 * Close a socket: end its connection, remove its name, drop what it has not read, and drop the
 * caller's reference. May sleep.
 */
void socket_close(struct socket *socket);
/* Returns the socket's peer with a reference, or NULL. */
struct socket *socket_peer(struct socket *socket);
/* Connect two new sockets that no other task can reach yet. */
void socket_pair(struct socket *one, struct socket *other);
/* Returns the process that made the other end of the connection (SO_PEERCRED). */
struct sender socket_peer_sender(struct socket *socket);
/* Set SO_SNDBUF, the number of bytes that may wait in the peer's ring. */
void socket_set_send_bytes(struct socket *socket, unsigned int bytes);
/* Make `file` the open file of the socket, which is closed with it. */
void socket_open(struct socket *socket, struct file *file);

/* ---- net/peers.c: datagram sockets ---- */

/* May `socket` send to `target`? Returns 0, or -EPERM if the target has another peer. */
int socket_may_send(struct socket *socket, struct socket *target);
/*
 * Make `peer` the datagram socket's peer. If it is NULL, the socket has none from now on. If the
 * socket had another peer, it loses the packets that it has not read, and the old peer gets
 * ECONNRESET if it is connected to the socket. Returns 0 or -EPERM. May sleep.
 */
int socket_connect_datagrams(struct socket *socket, struct socket *peer);
/* Do the same with NULL if `old` is still the socket's peer. May sleep. */
void socket_disconnect(struct socket *socket, struct socket *old);

/* ---- net/names.c ---- */

/*
 * Copy an address of `len` bytes from user memory. Returns a name with one reference, or
 * ERR_PTR(-EINVAL, -EFAULT, -ENOMEM). May sleep.
 */
struct socket_name *socket_name_from_user(const void __user *from, unsigned int len);
/*
 * Does the address in user memory have the family AF_UNSPEC, which asks for no peer? Returns 1 or
 * 0, which also stands for an address that is too short, or -EFAULT. May sleep.
 */
int socket_without_family(const void __user *from, unsigned int len);
/*
 * Copy a name to user memory, cut to the *len bytes that the caller has room for, and set *len to
 * its full length. If `name` is NULL, the address is just the family. Returns 0, -EFAULT or
 * -EINVAL. May sleep.
 */
int socket_name_to_user(struct socket_name *name, void __user *to, int32_t __user *len);
/* Returns the socket with that name and type, with a reference, or ERR_PTR. May sleep. */
struct socket *socket_find(struct socket_name *name, int type);

/* ---- net/names.c and net/socket.c ---- */

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

/*
 * Returns until when a call may wait that has these MSG_* flags and this timeout in nanoseconds:
 * WAIT_NOT, WAIT_FOREVER or a time.
 */
uint64_t socket_wait(const struct file *file, unsigned int flags, uint64_t timeout);
/*
 * Returns the error of a call that may have waited. A call with a timeout is not restarted after a
 * signal, so -ERESTARTSYS becomes -EINTR.
 */
static inline long socket_interrupted(long error, uint64_t timeout)
{
	return error == -ERESTARTSYS && timeout != WAIT_FOREVER ? -EINTR : error;
}
/*
 * Allocate an open file for a socket, which is closed with the file. On an error the socket is
 * closed at once. The socket may be NULL, and be set by socket_open() later. Returns
 * ERR_PTR(-ENFILE, -ENOMEM) on failure. May sleep.
 */
struct file *socket_file(struct socket *socket, unsigned int flags);
/* Is this the file of a socket? If so, file->private is the socket. */
bool is_socket(struct file *file);

/* ---- net/message_calls.c: the system calls of the same name, as above ---- */

long socket_sendto(struct file *file, void __user *base, size_t len, unsigned int flags,
		   const void __user *address, unsigned int address_len);
long socket_recvfrom(struct file *file, void __user *base, size_t len, unsigned int flags,
		     void __user *address, int32_t __user *address_len);
long socket_sendmsg(struct file *file, const void __user *user, unsigned int flags);
long socket_recvmsg(struct file *file, void __user *user, unsigned int flags);

#endif
