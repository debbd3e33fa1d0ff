/*
 * The open file of a socket: how long a call on it waits, poll, FIONREAD, the rings that splice
 * uses, and the table of its operations. Those that move bytes are in net/receive.c and net/send.c.
 */
#include "fs/file/poll.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"
#include "net/transfer.h"

#define FIONREAD  0x541b /* SIOCINQ */
#define TIOCOUTQ  0x5411 /* SIOCOUTQ */

#define POLL_SEND (POLLOUT | POLLWRNORM | POLLWRBAND)

static const struct file_ops socket_file_ops;

bool is_socket(struct file *file)
{
	return file->ops == &socket_file_ops;
}

struct file *socket_file(struct socket *socket, unsigned int flags)
{
	struct inode *inode = inode_anonymous(0, "socket");
	struct file *file = (void *)inode;

	if (!IS_ERR(inode)) {
		/* The inode has no file_ops, so opening it through /proc/self/fd is ENXIO. */
		inode_init_special(inode, S_IFSOCK | 0777, 0);
		file = file_alloc(inode, &socket_file_ops, O_RDWR | (flags & O_NONBLOCK));
	}
	if (!IS_ERR(file) && socket)
		socket_open(socket, file);
	else if (socket)
		socket_close(socket);
	return file;
}

static void socket_release(struct file *file)
{
	if (file->private)
		socket_close(file->private);
}

uint64_t socket_wait(const struct file *file, unsigned int flags, uint64_t timeout)
{
	if (flags & MSG_DONTWAIT || file->flags & O_NONBLOCK)
		return WAIT_NOT;
	return timeout == WAIT_FOREVER ? WAIT_FOREVER : deadline_after(timeout);
}

/* ---- poll ---- */

/* Returns the events of the socket's input. Sets *coming if its next bytes have not arrived yet. */
static unsigned int poll_input(struct socket *socket, bool *coming)
{
	struct ring *ring = &socket->in;
	unsigned int events = 0;
	enum ring_first first = ring_first(ring);

	if (READ_ONCE(ring->writers) == 0)
		events |= POLLRDHUP;
	*coming = first == RING_COMING;
	if (first == RING_READY || first == RING_ENDED)
		events |= POLLIN | POLLRDNORM;
	return events | (READ_ONCE(socket->error) ? POLLERR : 0);
}

static unsigned int socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private, *target;
	bool connects = socket_connects(socket), coming, shut;
	unsigned int events;

	poll_wait(table, &socket->in.readable, POLLIN | POLLRDNORM);
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return READ_ONCE(socket->nr_pending) ? POLLIN | POLLRDNORM : 0;
	target = socket_peer(socket);
	/* The peer of a connection, and so its queue, exists as long as this socket. */
	if (connects && target)
		poll_wait(table, &target->in.writable, POLL_SEND);
	if (!connects && !(table && table->own))
		poll_wait(table, &datagram_room, POLL_SEND);
	shut = READ_ONCE(socket->send_shut) || (connects && (!target || socket_ended(target)));
	events = poll_input(socket, &coming);
	if (socket_has_room(socket, target))
		events |= POLL_SEND;
	if (target)
		socket_put(target);
	if (connects && READ_ONCE(socket->state) == SOCKET_NEW)
		return events | POLLHUP;
	return events | (shut && events & POLLRDHUP && !coming ? POLLHUP : 0);
}

/*
 * Returns how many bytes of the socket its peer has not read yet. Others may send to the peer of a
 * datagram socket, too: their names tell whose the packets are.
 */
static unsigned int unread_bytes(struct socket *socket, struct socket *peer)
{
	struct ring *ring = &peer->in;
	const struct message *message;
	unsigned int bytes = 0;
	bool goes_on = false, own = true;

	spin_lock(&ring->lock);
	for (unsigned int at = ring->tail; at != ring->head; at++) {
		const struct pipe_slot *slot = ring_at(ring, at);

		if (!socket_connects(socket) && !goes_on) {
			message = message_of(slot->envelope);
			own = (message ? message->from : NULL) == load_acquire(&socket->name);
		}
		goes_on = slot->flags & SLOT_GOES_ON;
		bytes += own ? MAX(slot->len, 1u) : 0; /* an empty packet is unread, too */
	}
	spin_unlock(&ring->lock);
	return bytes;
}

static long output_waiting(struct socket *socket, void __user *to)
{
	struct socket *peer = socket_peer(socket);
	unsigned int bytes = peer ? unread_bytes(socket, peer) : 0;

	if (peer)
		socket_put(peer);
	return put_user_u32(bytes, to);
}

static long socket_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct socket *socket = file->private;

	if (command == TIOCOUTQ)
		return output_waiting(socket, (void __user *)argument);
	if (command != FIONREAD)
		return -ENOTTY;
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return refuse(EINVAL, "a listening socket has no bytes");
	return put_user_u32(ring_arrived_bytes(&socket->in, socket->type == SOCK_DGRAM),
			    (void __user *)argument);
}

/* ---- splice ---- */

static struct ring *socket_source_ring(struct file *file)
{
	struct socket *socket = file->private;

	if (socket_not_connected(socket))
		return ERR_PTR(refuse(EINVAL, "the socket is not connected"));
	return socket->type == SOCK_STREAM ? &socket->in : NULL;
}

static struct ring *socket_sink_ring(struct file *file)
{
	struct socket *socket = file->private;

	if (socket->type != SOCK_STREAM)
		return NULL;
	if (socket_not_connected(socket))
		return ERR_PTR(-ENOTCONN);
	return READ_ONCE(socket->send_shut) ? ERR_PTR(pipe_broken()) : &socket->peer->in;
}

static uint64_t socket_ring_wait(struct file *file, bool write)
{
	struct socket *socket = file->private;

	return socket_wait(file, 0, write ? socket->send_timeout : socket->receive_timeout);
}

static const struct file_ops socket_file_ops = {
	.async = ASYNC_AT_ONCE,
	.release = socket_release,
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.splice_read = socket_splice_read,
	.splice_write = socket_splice_write,
	.splice_wait = socket_splice_wait,
	.source_ring = socket_source_ring,
	.sink_ring = socket_sink_ring,
	.ring_wait = socket_ring_wait,
};
