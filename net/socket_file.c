/*
 * Moving bytes through sockets: read, write, send, receive, poll, FIONREAD, splice.
 *
 * A stream is read, written and spliced through its rings as a pipe is (fs/pipe/io.h,
 * fs/splice/splice.h). Packets use net/datagram.h. Splice moves slots in and out of a socket as
 * they are, with their offset and length, even if their bytes have not arrived yet.
 */
#include "net/socket.h"
#include "fs/file/poll.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"
#include "net/control.h"

#define FIONREAD  0x541b

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

/* Returns the limits at which `sender` waits. They are wider if it is the target's peer. */
static struct packet_limits limits_at(struct socket *target, struct socket *sender)
{
	bool peers = READ_ONCE(target->peer) == sender;

	return (struct packet_limits){ socket_slots(READ_ONCE(sender->send_bytes)),
				       peers ? UINT32_MAX : SOCKET_DATAGRAMS };
}

/* ---- sending and receiving ---- */

uint64_t socket_wait(const struct file *file, unsigned int flags, uint64_t timeout)
{
	if (flags & MSG_DONTWAIT || file->flags & O_NONBLOCK)
		return WAIT_NOT;
	return timeout == WAIT_FOREVER ? WAIT_FOREVER : deadline_after(timeout);
}

/* An empty message on a stream sends nothing, but fails if the stream has ended. */
static ssize_t send_stream(struct socket *target, struct iter *from, struct message *message,
			   uint64_t until)
{
	struct ring_write write = {
		.from = from,
		.until = until,
		.envelope = message_envelope(message),
	};

	if (from->left > 0)
		return ring_write(&target->in, &write);
	return READ_ONCE(target->in.readers) ? 0 : -EPIPE;
}

static ssize_t send_packet(struct socket *socket, struct socket *target, struct iter *from,
			   struct message *message, uint64_t until)
{
	ssize_t n;

	if (from->left > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		return -EMSGSIZE;
	n = packet_send(&target->in, from, limits_at(target, socket), message_envelope(message),
			until);
	if (n == -EPIPE && !socket_connects(socket) && READ_ONCE(target->state) == SOCKET_CLOSED)
		return -ECONNREFUSED;
	return n;
}

/*
 * Make the message that accompanies the bytes. It takes over the files of `control`. Returns NULL
 * if there is nothing to send besides the bytes, or ERR_PTR(-ENOMEM, -ETOOMANYREFS). The message
 * names its sender if the receiver asks for that, or may still do so because it has not been
 * accepted yet.
 */
static struct message *enclose(struct socket *socket, struct socket *target,
			       struct control *control)
{
	struct socket_name *name = socket_connects(socket) ? NULL : load_acquire(&socket->name);
	bool sender = control->has_sender || READ_ONCE(socket->pass_credentials) ||
		      READ_ONCE(target->pass_credentials) || !READ_ONCE(target->file);
	struct message *message;
	int error = 0;

	if (!name && !sender && !control->files)
		return NULL;
	message = message_create();
	if (!message)
		return ERR_PTR(-ENOMEM);
	message->envelope.apart = control->files != NULL;
	message->from = socket_name_get(name);
	message->has_sender = sender;
	message->sender = control->has_sender ? control->sender : current_sender();
	if (control->files)
		error = passed_files_send(message, control->files, target);
	if (error) {
		envelope_put(&message->envelope);
		return ERR_PTR(error);
	}
	control->files = NULL;
	return message;
}

static ssize_t send_to_target(struct file *file, struct socket *target, struct iter *from,
			      unsigned int flags, struct control *control)
{
	struct socket *socket = file->private;
	uint64_t until = socket_wait(file, flags, socket->send_timeout);
	struct message *message;
	ssize_t n;

	if (READ_ONCE(socket->send_shut))
		return -EPIPE;
	n = socket_may_send(socket, target);
	if (n)
		return n;
	message = enclose(socket, target, control);
	if (IS_ERR(message))
		return PTR_ERR(message);
	n = socket_has_packets(socket) ? send_packet(socket, target, from, message, until)
				       : send_stream(target, from, message, until);
	envelope_put(message_envelope(message));
	return socket_interrupted(n, socket->send_timeout);
}

/*
 * Send to the socket named `to`, or to the peer if that is NULL. A sequenced-packet socket ignores
 * `to` and sends to its peer.
 */
static ssize_t send(struct file *file, struct iter *from, unsigned int flags,
		    struct socket_name *to, struct control *control)
{
	struct socket *socket = file->private, *target;
	bool stream = socket->type == SOCK_STREAM;
	ssize_t n;

	if (stream && to)
		return READ_ONCE(socket->state) == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	target = to && !socket_connects(socket) ? socket_find(to, SOCK_DGRAM) : socket_peer(socket);
	if (!target)
		return -ENOTCONN;
	if (IS_ERR(target))
		return PTR_ERR(target);
	n = send_to_target(file, target, from, flags, control);
	socket_put(target);
	return n == -EPIPE && stream && !(flags & MSG_NOSIGNAL) ? pipe_broken() : n;
}

static bool not_connected(struct socket *socket)
{
	return socket_connects(socket) && READ_ONCE(socket->state) != SOCKET_CONNECTED;
}

/* As ring_read(), but at the end of the bytes returns the socket's pending error. */
static ssize_t receive_bytes(struct socket *socket, struct ring_read *read)
{
	ssize_t n;

	if (not_connected(socket)) {
		if (socket_has_packets(socket))
			return -ENOTCONN;
		return refuse(EINVAL, "the socket is not connected");
	}
	n = socket_interrupted(ring_read(&socket->in, read), socket->receive_timeout);
	if (socket->type == SOCK_DGRAM)
		wake_all(&datagram_room);
	if (n == 0 && socket_ended(socket) && !read->envelope)
		n = socket_take_error(socket);
	return n;
}

/* Close the files that came with the bytes, because the receiver has no buffer for descriptors. */
static void drop_files(struct ring_read *read)
{
	if (read->envelope && !read->peek)
		passed_files_close(passed_files_take(message_of(read->envelope)));
}

static ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct socket *socket = file->private;
	struct ring_read read = {
		.to = to,
		.until = socket_wait(file, 0, socket->receive_timeout),
		.apart = READ_ONCE(socket->pass_credentials),
	};
	ssize_t n = to->left ? receive_bytes(socket, &read) : 0;

	drop_files(&read);
	envelope_put(read.envelope);
	return n;
}

static ssize_t socket_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct control control = { NULL };

	return send(file, from, 0, NULL, &control);
}

static long send_to(struct file *file, struct iter *from, unsigned int flags,
		    const void __user *address, unsigned int len, struct control *control)
{
	struct socket_name *name = NULL;
	long n;

	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_CMSG_CLOEXEC))
		return refuse(EINVAL, "an unknown flag");
	if (address && len > 0)
		name = socket_name_from_user(address, len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	n = send(file, from, flags, name, control);
	socket_name_put(name);
	return n;
}

/* Returns the name of the socket that sent the bytes, or NULL. No reference is taken. */
static struct socket_name *sender_of(struct socket *socket, struct ring_read *read)
{
	struct message *message = message_of(read->envelope);

	if (socket_connects(socket))
		return load_acquire(&socket->peer->name);
	return message ? message->from : NULL;
}

/* Write the control messages for the bytes that were read to `room`. */
static void receive_control(struct socket *socket, struct ring_read *read,
			    struct control_room *room, unsigned int flags)
{
	struct message *message = message_of(read->envelope);

	if (READ_ONCE(socket->pass_credentials))
		control_put_sender(room, message);
	if (message)
		control_put_files(room, message, read->peek, flags & MSG_CMSG_CLOEXEC);
}

/* Where a receiver's results go, besides the bytes. */
struct told {
	void __user *address; /* for the sender's name, or NULL */
	int32_t __user *len;
	struct control_room *room; /* for control messages, or NULL */
	unsigned int flags;	   /* MSG_* flags that the call returns */
};

static long receive(struct file *file, struct iter *to, unsigned int flags, struct told *told)
{
	struct socket *socket = file->private;
	struct ring_read read = {
		.to = to,
		.until = socket_wait(file, flags, socket->receive_timeout),
		.all = flags & MSG_WAITALL && !(flags & MSG_PEEK),
		.peek = flags & MSG_PEEK,
		.apart = READ_ONCE(socket->pass_credentials),
	};
	struct socket_name *from;
	long n, error = 0;

	if (flags &
	    ~(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC))
		return refuse(EINVAL, "an unknown flag");
	n = receive_bytes(socket, &read);
	if (n >= 0 && told->address) {
		from = n > 0 || !socket_connects(socket) ? sender_of(socket, &read) : NULL;
		error = from ? socket_name_to_user(from, told->address, told->len)
			     : put_user_u32(0, told->len);
	}
	if (n >= 0 && told->room)
		receive_control(socket, &read, told->room, flags);
	else
		drop_files(&read);
	envelope_put(read.envelope);
	told->flags = flags & MSG_CMSG_CLOEXEC;
	if (n >= 0 && read.packet_len > (size_t)n) {
		told->flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			n = read.packet_len;
	}
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
	struct control control = { NULL };
	struct iter from;
	long error = buffer(&from, base, len);

	return error ? error : send_to(file, &from, flags, address, address_len, &control);
}

long socket_recvfrom(struct file *file, void __user *base, size_t len, unsigned int flags,
		     void __user *address, int32_t __user *address_len)
{
	struct told told = { .address = address, .len = address_len };
	struct iter to;
	long error = buffer(&to, base, len);

	return error ? error : receive(file, &to, flags, &told);
}

struct user_message { /* struct msghdr */
	void __user *name;
	uint32_t name_len;
	struct iovec __user *segments;
	uint32_t nr_segments;
	void __user *control;
	uint32_t control_len, flags;
};

/*
 * Read a struct msghdr and its segments. Returns 0 or an error. The caller frees *heap in either
 * case.
 */
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
	struct control control = { NULL };
	struct iter from;
	long n = get_message(&message, user, &from, fast, &heap);

	if (!n)
		n = control_from_user(&control, message.control, message.control_len);
	if (!n)
		n = send_to(file, &from, flags, message.name, message.name_len, &control);
	passed_files_close(control.files);
	kfree(heap);
	return n;
}

long socket_recvmsg(struct file *file, void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	struct control_room room = { NULL };
	/* Do not access members of `user`, because the program's structure may be misaligned. */
	struct told told = {
		.len = (void __user *)((uintptr_t)user + offsetof(struct user_message, name_len)),
		.room = &room,
	};
	struct iter to;
	long n = get_message(&message, user, &to, fast, &heap);

	if (!n) {
		told.address = message.name;
		room = (struct control_room){ message.control, message.control_len, 0 };
		n = receive(file, &to, flags, &told);
	}
	if (n >= 0 &&
	    (put_user_u32(message.control_len - room.left,
			  user + offsetof(struct user_message, control_len)) ||
	     put_user_u32(told.flags | room.told, user + offsetof(struct user_message, flags))))
		n = -EFAULT;
	kfree(heap);
	return n;
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

/* Would a send return at once? */
static bool may_send(struct socket *socket, struct socket *target)
{
	if (!target)
		return true;
	if (socket->type == SOCK_STREAM)
		return ring_room(&target->in) != 0;
	return packet_room(&target->in, limits_at(target, socket)) != 0;
}

static unsigned int socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private, *target;
	bool coming, shut = READ_ONCE(socket->send_shut);
	bool connects = socket_connects(socket);
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
	else
		shut = !target || socket_ended(target);
	events = poll_input(socket, &coming);
	if (may_send(socket, target))
		events |= POLL_SEND;
	if (target)
		socket_put(target);
	if (connects && READ_ONCE(socket->state) == SOCKET_NEW)
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

/* The next three functions are for packets. */
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
	struct control control = { NULL };
	struct message *message;
	ssize_t n = -EPIPE;

	if (!target)
		return -ENOTCONN;
	message = enclose(socket, target, &control);
	if (IS_ERR(message))
		n = PTR_ERR(message);
	else if (slots->bytes > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		n = -EMSGSIZE;
	else if (!READ_ONCE(socket->send_shut))
		n = packet_splice_in(&target->in, slots, limits_at(target, socket),
				     message_envelope(message));
	if (!IS_ERR(message))
		envelope_put(message_envelope(message));
	socket_put(target);
	return n;
}

static int socket_splice_wait(struct file *file)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	int error;

	/* Without a peer, let splice_write() report the error. */
	if (!target)
		return 0;
	error = packet_wait_room(&target->in, limits_at(target, socket), file_wait(file));
	socket_put(target);
	return error;
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
};
