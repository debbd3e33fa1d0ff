/* Receiving through sockets. The contract is in net/transfer.h. */
#include "net/transfer.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

/* Is the first slot as needed, or no sender left, or has the socket an error? */
static bool has_packet(struct socket *socket, enum ring_need need)
{
	enum ring_first first = ring_first(&socket->in);

	return READ_ONCE(socket->error) ||
	       (first != RING_EMPTY && (need == RING_NEED_SLOT || first != RING_COMING));
}

/* Sleep until has_packet(). Returns the same as ring_wait_readable(). */
static int wait_packet(struct socket *socket, enum ring_need need, uint64_t until)
{
	if (until == WAIT_NOT)
		return -EAGAIN;
	return wait_event_again_until(&socket->in.readable, has_packet(socket, need), until);
}

/*
 * Nothing more comes to a datagram socket after SHUT_RD. Only a call that may wait reports that as
 * an end.
 */
static bool is_refused(struct socket *socket, uint64_t until)
{
	return socket->type == SOCK_DGRAM && until == WAIT_NOT && socket_ended(socket) &&
	       ring_first(&socket->in) == RING_ENDED;
}

/* As ring_read() for packets, but returns the socket's pending error first. */
static ssize_t receive_packet(struct socket *socket, struct ring_read *read)
{
	uint64_t until = read->until;
	ssize_t n;

	read->until = WAIT_NOT;
	do {
		n = socket_take_error(socket);
		if (n == 0)
			n = is_refused(socket, until) ? -EAGAIN : ring_read(&socket->in, read);
		if (n != -EAGAIN)
			return n;
		n = wait_packet(socket, RING_NEED_BYTES, until);
	} while (n == 0);
	return n;
}

/*
 * As ring_read(). A packet socket returns its pending error before any packet, and a stream at the
 * end of the bytes.
 */
static ssize_t receive_bytes(struct socket *socket, struct ring_read *read)
{
	ssize_t n;

	if (socket_not_connected(socket)) {
		if (socket_has_packets(socket))
			return -ENOTCONN;
		return refuse(EINVAL, "the socket is not connected");
	}
	n = socket_has_packets(socket) ? receive_packet(socket, read)
				       : ring_read(&socket->in, read);
	n = socket_interrupted(n, socket->receive_timeout);
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

/*
 * Returns for how many bytes a receive with these MSG_* flags waits that has room for so many. A
 * peek waits for the first one alone.
 */
static size_t least_bytes(const struct socket *socket, unsigned int flags, size_t room)
{
	if (flags & MSG_PEEK)
		return 1;
	return flags & MSG_WAITALL ? room : READ_ONCE(socket->receive_least);
}

ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct socket *socket = file->private;
	struct ring_read read = {
		.to = to,
		.until = socket_wait(file, 0, socket->receive_timeout),
		.least = least_bytes(socket, 0, to->left),
		.apart = READ_ONCE(socket->pass_credentials),
	};
	ssize_t n = to->left ? receive_bytes(socket, &read) : 0;

	drop_files(&read);
	envelope_put(read.envelope);
	return n;
}

ssize_t socket_splice_read(struct file *file, file_off_t *pos, size_t len, struct slot_list *slots)
{
	struct socket *socket = file->private;
	uint64_t until = slots->nonblock ? WAIT_NOT : socket_wait(file, 0, socket->receive_timeout);
	ssize_t n;

	do {
		n = socket_take_error(socket);
		if (n == 0)
			n = packet_splice_out(&socket->in, len, slots, WAIT_NOT);
		if (n != -EAGAIN)
			break;
		n = wait_packet(socket, RING_NEED_SLOT, until);
	} while (n == 0);
	wake_all(&datagram_room);
	return socket_interrupted(n, socket->receive_timeout);
}

/* Returns the name of the socket that sent the bytes, or NULL. No reference is taken. */
static struct socket_name *sender_of(struct socket *socket, struct ring_read *read)
{
	struct message *message = message_of(read->envelope);

	if (socket_connects(socket))
		return load_acquire(&socket->peer->name);
	return message ? message->from : NULL;
}

/* The sender has no name. Write a length of 0 over the one that says how much room there is. */
static int no_name_to_user(int32_t __user *len)
{
	uint32_t room;

	if (get_user_u32(&room, len))
		return -EFAULT;
	if ((int32_t)room < 0)
		return refuse(EINVAL, "a negative length");
	return put_user_u32(0, len);
}

/* Write the control messages for the bytes that were read to `room`. */
static void receive_control(struct socket *socket, struct ring_read *read,
			    struct control_room *room, unsigned int flags)
{
	struct message *message = message_of(read->envelope);
	enum timestamp_form form = READ_ONCE(socket->timestamp);

	/* Bytes of a stream have no time, and neither has the end of a connection. */
	if (form && (socket->type == SOCK_DGRAM || read->packet_len > 0))
		control_put_time(room, form);
	if (READ_ONCE(socket->pass_credentials))
		control_put_sender(room, message);
	if (message)
		control_put_files(room, message, read->peek, flags & MSG_CMSG_CLOEXEC);
}

long socket_receive(struct file *file, struct iter *to, unsigned int flags,
		    struct receive_results *results)
{
	struct socket *socket = file->private;
	struct ring_read read = {
		.to = to,
		.until = socket_wait(file, flags, socket->receive_timeout),
		.least = least_bytes(socket, flags, to->left),
		.peek = flags & MSG_PEEK,
		.apart = READ_ONCE(socket->pass_credentials),
	};
	struct socket_name *from;
	long n, error = 0;

	if (flags & MSG_OOB && socket_has_packets(socket))
		return -EOPNOTSUPP;
	if (flags & MSG_OOB)
		return refuse(EINVAL, "there are no urgent bytes");
	n = receive_bytes(socket, &read);
	if (n >= 0 && results->address) {
		from = n > 0 || !socket_connects(socket) ? sender_of(socket, &read) : NULL;
		error = from ? socket_name_to_user(from, results->address, results->len)
			     : no_name_to_user(results->len);
	}
	if (n >= 0 && results->room)
		receive_control(socket, &read, results->room, flags);
	else
		drop_files(&read);
	envelope_put(read.envelope);
	results->flags = flags & MSG_CMSG_CLOEXEC;
	if (n >= 0 && read.packet_len > (size_t)n) {
		results->flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			n = read.packet_len;
	}
	return error ? error : n;
}
