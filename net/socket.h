/*
 * AF_UNIX sockets: streams and datagrams within the machine.
 *
 * 1. A socket belongs to its file; a reference is also held by a peer that sends to it, and by who
 *    is just using it. It is closed with its file, and freed with the last reference.
 * 2. What it receives is in its queue, `in` (net/packet.h). A sender puts packets into the queue of
 *    its peer; there is no other buffer.
 * 3. sockets_lock (plain) guards names, states, peers, and the sockets that wait for accept. The
 *    peer of a stream never changes until the socket's own close, so who uses the socket may read
 *    it without the lock once the state says SOCKET_CONNECTED.
 * 4. A stream that is shut down is a queue that has ended: a socket's SHUT_RD ends its own, SHUT_WR
 *    that of its peer, close both.
 * 5. A listening socket has no data: connect and accept sleep on its queue's `room` and `readable`.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/packet.h"

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define BUFFER_DEFAULT 180224 /* as on Linux/i386: SO_SNDBUF, SO_RCVBUF */

enum socket_state { SOCKET_NEW, SOCKET_LISTENING, SOCKET_CONNECTED, SOCKET_CLOSED };

struct peer_cred { /* struct ucred */
	uint32_t pid, uid, gid;
};

struct socket {
	struct atomic refs;
	int type;		  /* SOCK_*; never changes */
	enum socket_state state;  /* sockets_lock, these and the next nine; of a stream */
	bool send_shut;		  /* a datagram socket after SHUT_WR */
	struct socket *peer;	  /* a reference */
	struct socket_name *name; /* NULL: not bound */
	struct inode *node;	  /* what it is bound to, a reference; NULL: an abstract name */
	struct list bound_link;	  /* all bound sockets */
	struct list pending;	  /* connected sockets that wait for accept */
	struct list pending_link;
	unsigned int nr_pending, backlog;
	struct peer_cred cred, peer_cred;	  /* of who listens; SO_PEERCRED */
	unsigned int send_buffer, receive_buffer; /* SO_SNDBUF, SO_RCVBUF */
	struct packet_queue in;
};

/* A new socket with one reference, the caller's, to be closed; NULL: no memory. */
struct socket *socket_alloc(int type);
void socket_put(struct socket *socket);
/* Its file is gone: everything ends, and the caller's reference goes. May sleep. */
void socket_close(struct socket *socket);
/* Its peer, with a reference, or NULL. */
struct socket *socket_peer(struct socket *socket);
/* Two new sockets become each other's peers. */
void socket_pair(struct socket *one, struct socket *other);

/*
 * These are the calls of the same name: 0 or an error. They may sleep; `name` stays the caller's.
 */
int socket_bind(struct socket *socket, struct socket_name *name);
int socket_listen(struct socket *socket, unsigned int backlog);
/* name NULL: a datagram socket has no peer any more. */
int socket_connect(struct socket *socket, struct socket_name *name, bool nonblock);
/* The next connected socket, to be closed by the caller; ERR_PTR. */
struct socket *socket_accept(struct socket *socket, bool nonblock);
int socket_shutdown(struct socket *socket, bool receive, bool send);
/* to: NULL the peer. flags: MSG_DONTWAIT, MSG_NOSIGNAL. Bytes, or an error. */
ssize_t socket_send(struct socket *socket, struct iter *from, struct socket_name *to,
		    unsigned int flags);
/* As packet_receive(). *from is filled for streams too. */
ssize_t socket_receive(struct socket *socket, struct iter *to, unsigned int flags,
		       struct socket_name **from, size_t *full);

/* ---- net/socket_file.c ---- */

/* An open file with no socket yet: the caller sets file->private. ERR_PTR. */
struct file *socket_file(unsigned int flags);
/* The socket of an open file, or NULL. */
struct socket *file_socket(struct file *file);
/*
 * Where a socket's slots and POLLOUT go: the peer with a reference, and how many packets may be in
 * its queue (*most). ERR_PTR(-ENOTCONN).
 */
struct socket *socket_target(struct socket *socket, unsigned int *most);

/* Senders to datagram sockets sleep here: a queue that they poll may go away with its socket. */
extern struct wait_queue datagram_room;

#endif
