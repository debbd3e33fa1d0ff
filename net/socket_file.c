/*
 * Sockets as open files: read, write, poll, FIONREAD, splice.
 *
 * Splice is what packets are made for: what comes out of a socket are slots with their offset and
 * length, what goes in are pages handed over, and bytes that are on their way stay so.
 */
#include "net/socket.h"
#include "fs/poll.h"
#include "kernel/syscall.h"
#include "mm/uaccess.h"

#define FIONREAD 0x541b

static const struct file_ops socket_file_ops;

struct socket *file_socket(struct file *file)
{
	return file->ops == &socket_file_ops ? file->private : NULL;
}

struct file *socket_file(unsigned int flags)
{
	struct inode *inode = inode_anonymous(0, "socket");

	if (IS_ERR(inode))
		return ERR_PTR(PTR_ERR(inode));
	/* Opened through /proc/self/fd it says ENXIO, as its node in a file system does. */
	inode_init_special(inode, S_IFSOCK | 0777, 0);
	return file_alloc(inode, &socket_file_ops, O_RDWR | (flags & O_NONBLOCK));
}

static void socket_release(struct file *file)
{
	if (file->private)
		socket_close(file->private);
}

static unsigned int message_flags(const struct file *file)
{
	return file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

static ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos)
{
	if (to->left == 0)
		return 0;
	return socket_receive(file->private, to, message_flags(file), NULL, NULL);
}

static ssize_t socket_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return socket_send(file->private, from, NULL, message_flags(file));
}

/* ---- poll ---- */

static unsigned int poll_receive(struct socket *socket, bool *on_its_way)
{
	unsigned int events = 0;

	if (packet_readable(&socket->in, on_its_way))
		events |= POLLIN | POLLRDNORM;
	if (READ_ONCE(socket->in.ended))
		events |= POLLRDHUP;
	if (READ_ONCE(socket->in.error))
		events |= POLLERR;
	return events;
}

static unsigned int poll_send(struct socket *socket, struct poll_table *table, bool *shut)
{
	unsigned int most;
	struct socket *target = socket_target(socket, &most);
	bool room = true;

	*shut = READ_ONCE(socket->send_shut);
	if (socket->type == SOCK_DGRAM)
		poll_wait(table, &datagram_room);
	if (!IS_ERR(target)) {
		/* The peer of a stream stays as long as this socket. */
		if (socket->type == SOCK_STREAM)
			poll_wait(table, target->in.writable);
		room = packet_has_room(&target->in, socket->send_buffer, most);
		if (socket->type == SOCK_STREAM)
			*shut = READ_ONCE(target->in.ended);
		socket_put(target);
	} else if (socket->type == SOCK_STREAM) {
		*shut = true;
	}
	return room ? POLLOUT | POLLWRNORM | POLLWRBAND : 0;
}

static unsigned int socket_poll(struct file *file, struct poll_table *table)
{
	struct socket *socket = file->private;
	bool on_its_way, shut;
	unsigned int events;

	poll_wait(table, &socket->in.readable);
	if (READ_ONCE(socket->state) == SOCKET_LISTENING)
		return READ_ONCE(socket->nr_pending) ? POLLIN | POLLRDNORM : 0;
	events = poll_send(socket, table, &shut) | poll_receive(socket, &on_its_way);
	if (socket->type == SOCK_STREAM && READ_ONCE(socket->state) == SOCKET_NEW)
		return events | POLLHUP;
	if (shut && events & POLLRDHUP && !on_its_way)
		events |= POLLHUP;
	return events;
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

	if (socket->type == SOCK_STREAM && READ_ONCE(socket->state) != SOCKET_CONNECTED)
		return refuse(EINVAL, "the socket is not connected");
	return packet_splice_out(&socket->in, len, slots,
				 slots->nonblock || file->flags & O_NONBLOCK);
}

static ssize_t socket_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct socket *socket = file->private;
	unsigned int most;
	struct socket *target = socket_target(socket, &most);
	ssize_t n = -EPIPE;

	if (IS_ERR(target))
		return PTR_ERR(target);
	if (!READ_ONCE(socket->send_shut))
		n = packet_splice_in(&target->in, slots, socket->send_buffer, most, socket->name);
	socket_put(target);
	return n == -EPIPE && socket->type == SOCK_STREAM ? pipe_broken() : n;
}

static int socket_splice_wait(struct file *file, bool nonblock)
{
	struct socket *socket = file->private;
	unsigned int most;
	struct socket *target = socket_target(socket, &most);
	int error;

	/* splice_write says what is wrong. */
	if (IS_ERR(target))
		return 0;
	error = packet_wait_room(&target->in, socket->send_buffer, most,
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
