/*
 * What goes through sockets: read, write, send, receive, poll, FIONREAD, splice.
 *
 * A stream is written, read and spliced through its rings as a pipe is (fs/pipe/io.h, fs/splice/splice.h);
 * packets have net/datagram.h. What comes out of a socket are slots with their offset and length,
 * what goes in are pages handed over, and bytes that are on their way stay so.
 */
#include "net/socket.h"
#include "fs/file/poll.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

#define FIONREAD 0x541b

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
		/* Opened through /proc/self/fd it says ENXIO, as its node in a file system does. */
		inode_init_special(inode, S_IFSOCK | 0777, 0);
		file = file_alloc(inode, &socket_file_ops, O_RDWR | (flags & O_NONBLOCK));
	}
	if (!IS_ERR(file))
		file->private = socket;
	else if (socket)
		socket_close(socket);
	return file;
}

static void socket_release(struct file *file)
{
	if (file->private)
		socket_close(file->private);
}

/* What lets the sender wait, whose peer may be the target. */
static struct packet_limits limits_at(struct socket *target, struct socket *sender)
{
	bool peers = READ_ONCE(target->peer) == sender;

	return (struct packet_limits){ socket_slots(READ_ONCE(sender->send_bytes)),
				       peers ? UINT32_MAX : SOCKET_DATAGRAMS };
}

/* ---- sending and receiving ---- */

/* Until when a call with those flags may wait. */
static uint64_t wait_of(const struct file *file, unsigned int flags)
{
	return flags & MSG_DONTWAIT ? WAIT_NOT : file_wait(file);
}

/* A stream takes no message without bytes, but says whether it would. */
static ssize_t send_stream(struct socket *target, struct iter *from, uint64_t until)
{
	struct ring_write write = { .from = from, .until = until };

	if (from->left > 0)
		return ring_write(&target->in, &write);
	return READ_ONCE(target->in.readers) ? 0 : -EPIPE;
}

static ssize_t send_datagram(struct socket *socket, struct socket *target, struct iter *from,
			     uint64_t until)
{
	struct socket_name *name = READ_ONCE(socket->name);
	struct message *message = NULL;
	ssize_t n;

	if (from->left > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		return -EMSGSIZE;
	if (name) {
		message = message_create(name);
		if (!message)
			return -ENOMEM;
	}
	n = packet_send(&target->in, from, limits_at(target, socket),
			message ? &message->envelope : NULL, until);
	if (message)
		envelope_put(&message->envelope);
	return n == -EPIPE && READ_ONCE(target->state) == SOCKET_CLOSED ? -ECONNREFUSED : n;
}

/* to: NULL the peer. */
static ssize_t send(struct file *file, struct iter *from, unsigned int flags,
		    struct socket_name *to)
{
	struct socket *socket = file->private, *target;
	bool stream = socket->type == SOCK_STREAM;
	uint64_t until = wait_of(file, flags);
	ssize_t n;

	if (stream && to)
		return socket->state == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	target = to ? socket_find(to, SOCK_DGRAM) : socket_peer(socket);
	if (!target)
		return -ENOTCONN;
	if (IS_ERR(target))
		return PTR_ERR(target);
	n = READ_ONCE(socket->send_shut) ? -EPIPE : socket_may_send(socket, target);
	if (!n)
		n = stream ? send_stream(target, from, until)
			   : send_datagram(socket, target, from, until);
	socket_put(target);
	return n == -EPIPE && stream && !(flags & MSG_NOSIGNAL) ? pipe_broken() : n;
}

static bool not_connected(struct socket *socket)
{
	return socket->type == SOCK_STREAM && READ_ONCE(socket->state) != SOCKET_CONNECTED;
}

/* Read as ring_read() does, and tell the socket's error where the bytes end. */
static ssize_t receive_bytes(struct socket *socket, struct ring_read *read)
{
	ssize_t n;

	if (not_connected(socket))
		return refuse(EINVAL, "the socket is not connected");
	n = ring_read(&socket->in, read);
	if (socket->type == SOCK_DGRAM)
		wake_all(&datagram_room);
	if (n == 0 && socket_ended(socket) && !read->envelope)
		n = socket_take_error(socket);
	return n;
}

static ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct ring_read read = { .to = to, .until = file_wait(file) };
	ssize_t n = to->left ? receive_bytes(file->private, &read) : 0;

	envelope_put(read.envelope);
	return n;
}

static ssize_t socket_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return send(file, from, 0, NULL);
}

static long send_to(struct file *file, struct iter *from, unsigned int flags,
		    const void __user *address, unsigned int len)
{
	struct socket_name *name = NULL;
	long n;

	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE))
		return refuse(EINVAL, "an unknown flag");
	if (address && len > 0)
		name = socket_name_from_user(address, len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	n = send(file, from, flags, name);
	socket_name_put(name);
	return n;
}

/* Who sent what was read. */
static struct socket_name *sender_of(struct socket *socket, struct ring_read *read)
{
	struct message *message = message_of(read->envelope);

	if (socket->type == SOCK_STREAM)
		return READ_ONCE(socket->peer->name);
	return message ? message->from : NULL;
}

/* The sender's name goes to `address`, unless that is NULL; *told: MSG_TRUNC, or 0. */
static long receive(struct file *file, struct iter *to, unsigned int flags, void __user *address,
		    int32_t __user *len, unsigned int *told)
{
	struct socket *socket = file->private;
	struct ring_read read = {
		.to = to,
		.until = wait_of(file, flags),
		.all = flags & MSG_WAITALL && !(flags & MSG_PEEK),
		.peek = flags & MSG_PEEK,
	};
	struct socket_name *from;
	long n, error = 0;

	if (flags & ~(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL))
		return refuse(EINVAL, "an unknown flag");
	n = receive_bytes(socket, &read);
	if (n >= 0 && address) {
		from = n > 0 || socket->type == SOCK_DGRAM ? sender_of(socket, &read) : NULL;
		error = from ? socket_name_to_user(from, address, len) : put_user_u32(0, len);
	}
	envelope_put(read.envelope);
	*told = n >= 0 && read.packet_len > (size_t)n ? MSG_TRUNC : 0;
	if (*told & flags)
		n = read.packet_len;
	return error ? error : n;
}

static int buffer(struct iter *iter, void __user *base, size_t len)
{
	if (!user_range_ok(base, len))
		return -EFAULT;
	iter_init_user(iter, base, MIN(len, SPLICE_MAX_BYTES));
	return 0;
}

long socket_sendto(struct file *file, void __user *base, size_t len, unsigned int flags,
		   const void __user *address, unsigned int address_len)
{
	struct iter from;
	long error = buffer(&from, base, len);

	return error ? error : send_to(file, &from, flags, address, address_len);
}

long socket_recvfrom(struct file *file, void __user *base, size_t len, unsigned int flags,
		     void __user *address, int32_t __user *address_len)
{
	unsigned int told;
	struct iter to;
	long error = buffer(&to, base, len);

	return error ? error : receive(file, &to, flags, address, address_len, &told);
}

struct user_message { /* struct msghdr */
	void __user *name;
	uint32_t name_len;
	struct iovec __user *segments;
	uint32_t nr_segments;
	void __user *control;
	uint32_t control_len, flags;
};

/* A struct msghdr and its segments: 0, or an error; *heap is to be freed in either case. */
static long get_message(struct user_message *message, const void __user *from, struct iter *iter,
			struct iovec fast[IOV_FAST], struct iovec **heap)
{
	*heap = NULL;
	if (copy_from_user(message, from, sizeof(*message)))
		return -EFAULT;
	if (message->nr_segments > IOV_MAX)
		return -EMSGSIZE;
	if (message->nr_segments == 0)
		return buffer(iter, NULL, 0);
	return iter_import(iter, message->segments, message->nr_segments, fast, heap);
}

long socket_sendmsg(struct file *file, const void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	struct iter from;
	long n = get_message(&message, user, &from, fast, &heap);

	if (!n && message.control_len > 0)
		n = refuse(EINVAL, "control messages are not known");
	if (!n)
		n = send_to(file, &from, flags, message.name, message.name_len);
	kfree(heap);
	return n;
}

long socket_recvmsg(struct file *file, void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	unsigned int told = 0;
	struct iter to;
	long n = get_message(&message, user, &to, fast, &heap);

	/* No members of `user`: the caller's structure may stand at any address. */
	if (!n)
		n = receive(file, &to, flags, message.name,
			    user + offsetof(struct user_message, name_len), &told);
	if (n >= 0 && (put_user_u32(0, user + offsetof(struct user_message, control_len)) ||
		       put_user_u32(told, user + offsetof(struct user_message, flags))))
		n = -EFAULT;
	kfree(heap);
	return n;
}

/* ---- poll ---- */

/* What poll says of what comes in: events, and whether it is bytes that are on their way. */
static unsigned int poll_input(struct socket *socket, bool *coming)
{
	struct ring *ring = &socket->in;
	unsigned int events = 0;
	enum ring_first first;

	spin_lock(&ring->lock);
	first = ring_first(ring);
	if (ring->writers == 0)
		events |= POLLRDHUP;
	spin_unlock(&ring->lock);
	*coming = first == RING_COMING;
	if (first == RING_READY || (first == RING_EMPTY && events))
		events |= POLLIN | POLLRDNORM;
	return events | (READ_ONCE(socket->error) ? POLLERR : 0);
}

/* Would a send return at once? */
static bool may_send(struct socket *socket, struct socket *target)
{
	if (!target)
		return true;
	if (socket->type == SOCK_STREAM)
		return ring_has_room(&target->in);
	return packet_room(&target->in, limits_at(target, socket)) != 0;
}

static unsigned int socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private, *target;
	bool coming, shut = READ_ONCE(socket->send_shut);
	bool stream = socket->type == SOCK_STREAM;
	unsigned int events;

	poll_wait(table, &socket->in.readable);
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return READ_ONCE(socket->nr_pending) ? POLLIN | POLLRDNORM : 0;
	target = socket_peer(socket);
	/* The peer of a stream stays as long as this socket. */
	if (stream && target)
		poll_wait(table, &target->in.writable);
	if (!stream)
		poll_wait(table, &datagram_room);
	else
		shut = !target || socket_ended(target);
	events = poll_input(socket, &coming);
	if (may_send(socket, target))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	if (target)
		socket_put(target);
	if (stream && READ_ONCE(socket->state) == SOCKET_NEW)
		return events | POLLHUP;
	return events | (shut && events & POLLRDHUP && !coming ? POLLHUP : 0);
}

static long socket_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct socket *socket = file->private;

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

	if (not_connected(socket))
		return ERR_PTR(refuse(EINVAL, "the socket is not connected"));
	return socket->type == SOCK_STREAM ? &socket->in : NULL;
}

static struct ring *socket_sink_ring(struct file *file)
{
	struct socket *socket = file->private;

	if (socket->type != SOCK_STREAM)
		return NULL;
	return not_connected(socket) ? ERR_PTR(-ENOTCONN) : &socket->peer->in;
}

/* The next three are for packets. */
static ssize_t socket_splice_read(struct file *file, file_off_t *pos, size_t len,
				  struct slot_list *slots)
{
	struct socket *socket = file->private;
	ssize_t n = packet_splice_out(&socket->in, len, slots,
				      slots->nonblock ? WAIT_NOT : file_wait(file));

	wake_all(&datagram_room);
	return n;
}

static ssize_t socket_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	struct message *message;
	ssize_t n = -EPIPE;

	if (!target)
		return -ENOTCONN;
	message = message_create(READ_ONCE(socket->name));
	if (!message)
		n = -ENOMEM;
	else if (slots->bytes > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		n = -EMSGSIZE;
	else if (!READ_ONCE(socket->send_shut))
		n = packet_splice_in(&target->in, slots, limits_at(target, socket),
				     &message->envelope);
	if (message)
		envelope_put(&message->envelope);
	socket_put(target);
	return n;
}

static int socket_splice_wait(struct file *file, bool nonblock)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	int error;

	/* splice_write says what is wrong. */
	if (!target)
		return 0;
	error = packet_wait_room(&target->in, limits_at(target, socket),
				 nonblock ? WAIT_NOT : file_wait(file));
	socket_put(target);
	return error;
}

static const struct file_ops socket_file_ops = {
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
};
