/*
 * What goes through sockets: read, write, send, receive, poll, FIONREAD, splice.
 *
 * Splice is what packets are made for: what comes out of a socket are slots with their offset and
 * length, what goes in are pages handed over, and bytes that are on their way stay so.
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

/* How many datagrams may be in the target's queue. */
static unsigned int most_at(struct socket *target, struct socket *sender)
{
	return READ_ONCE(target->peer) == sender ? UINT32_MAX : QUEUE_DATAGRAMS;
}

/* ---- sending and receiving ---- */

static unsigned int message_flags(const struct file *file)
{
	return file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

/* to: NULL the peer. */
static ssize_t send(struct file *file, struct iter *from, unsigned int flags,
		    struct socket_name *to)
{
	struct socket *socket = file->private, *target;
	bool stream = socket->type == SOCK_STREAM;
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
		n = packet_send(&target->in, from, most_at(target, socket), READ_ONCE(socket->name),
				(flags | message_flags(file)) & MSG_DONTWAIT);
	socket_put(target);
	return n == -EPIPE && stream && !(flags & MSG_NOSIGNAL) ? pipe_broken() : n;
}

static bool not_connected(struct socket *socket)
{
	return socket->type == SOCK_STREAM && READ_ONCE(socket->state) != SOCKET_CONNECTED;
}

/* As packet_receive(). *from is filled for streams too. */
static ssize_t receive_from(struct socket *socket, struct iter *to, unsigned int flags,
			    struct socket_name **from, size_t *full)
{
	ssize_t n;

	if (not_connected(socket))
		return refuse(EINVAL, "the socket is not connected");
	n = packet_receive(&socket->in, to, flags, from, full);
	if (n > 0 && from && socket->type == SOCK_STREAM)
		*from = socket_name_get(READ_ONCE(socket->peer->name));
	return n;
}

static ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos)
{
	if (to->left == 0)
		return 0;
	return receive_from(file->private, to, message_flags(file), NULL, NULL);
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

/* The sender's name goes to `address`, unless that is NULL; *told: MSG_TRUNC, or 0. */
static long receive(struct file *file, struct iter *to, unsigned int flags, void __user *address,
		    int32_t __user *len, unsigned int *told)
{
	struct socket_name *from = NULL;
	size_t full = 0;
	long n, error = 0;

	if (flags & ~(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL))
		return refuse(EINVAL, "an unknown flag");
	n = receive_from(file->private, to, flags | message_flags(file), &from, &full);
	if (n >= 0 && address)
		error = from ? socket_name_to_user(from, address, len) : put_user_u32(0, len);
	socket_name_put(from);
	*told = full > (size_t)n ? MSG_TRUNC : 0;
	if (*told & flags)
		n = full;
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

static unsigned int socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private, *target;
	bool on_its_way, shut = READ_ONCE(socket->send_shut);
	unsigned int events = 0;

	poll_wait(table, &socket->in.readable);
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return READ_ONCE(socket->nr_pending) ? POLLIN | POLLRDNORM : 0;
	target = socket_peer(socket);
	if (socket->type == SOCK_DGRAM)
		poll_wait(table, &datagram_room);
	else
		shut = !target || READ_ONCE(target->in.ended);
	/* The peer of a stream stays as long as this socket. */
	if (target && socket->type == SOCK_STREAM)
		poll_wait(table, target->in.writable);
	if (!target || packet_room(&target->in, most_at(target, socket)))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	if (target)
		socket_put(target);
	if (packet_readable(&socket->in, &on_its_way))
		events |= POLLIN | POLLRDNORM;
	if (READ_ONCE(socket->in.ended))
		events |= POLLRDHUP;
	if (READ_ONCE(socket->in.error))
		events |= POLLERR;
	if (socket->type == SOCK_STREAM && READ_ONCE(socket->state) == SOCKET_NEW)
		return events | POLLHUP;
	return events | (shut && events & POLLRDHUP && !on_its_way ? POLLHUP : 0);
}

static long socket_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct socket *socket = file->private;

	if (command != FIONREAD)
		return -ENOTTY;
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return refuse(EINVAL, "a listening socket has no bytes");
	return put_user_u32(packet_bytes(&socket->in), (void __user *)argument);
}

/* ---- splice ---- */

static ssize_t socket_splice_read(struct file *file, file_off_t *pos, size_t len,
				  struct slot_list *slots)
{
	struct socket *socket = file->private;

	if (not_connected(socket))
		return refuse(EINVAL, "the socket is not connected");
	return packet_splice_out(&socket->in, len, slots,
				 slots->nonblock || file->flags & O_NONBLOCK);
}

static ssize_t socket_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	ssize_t n = -EPIPE;

	if (!target)
		return -ENOTCONN;
	if (!READ_ONCE(socket->send_shut))
		n = packet_splice_in(&target->in, slots, most_at(target, socket), socket->name);
	socket_put(target);
	return n == -EPIPE && socket->type == SOCK_STREAM ? pipe_broken() : n;
}

static int socket_splice_wait(struct file *file, bool nonblock)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	int error;

	/* splice_write says what is wrong. */
	if (!target)
		return 0;
	error = packet_wait_room(&target->in, most_at(target, socket),
				 nonblock || file->flags & O_NONBLOCK);
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
};
