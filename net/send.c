/* Sending through sockets. The contract is in net/transfer.h. */
#include "net/transfer.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

/*
 * A socket whose peer receives from it alone is writable while it uses at most a quarter of its
 * send buffer, as on Linux. A program that waits for POLLOUT is then woken for many bytes at once,
 * not for each page that the peer reads.
 */
#define WRITABLE_PART 4

/* Returns the limits at which `sender` waits. They are wider if it is the target's peer. */
static struct packet_limits limits_at(struct socket *target, struct socket *sender)
{
	bool peers = READ_ONCE(target->peer) == sender;

	return (struct packet_limits){ socket_slots(READ_ONCE(sender->send_bytes)),
				       peers ? UINT32_MAX : SOCKET_DATAGRAMS };
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

/*
 * Returns why the socket may not send to the target now, or 0. The pending error of a packet socket
 * comes first, and is cleared.
 */
static int send_error(struct socket *socket, struct socket *target)
{
	int error = socket_has_packets(socket) ? socket_take_error(socket) : 0;

	if (error)
		return error;
	return READ_ONCE(socket->send_shut) ? -EPIPE : socket_may_send(socket, target);
}

/*
 * The target takes no packets any more. Returns the error for that. A datagram socket has no peer
 * from now on if the target is closed. May sleep.
 */
static int refused_by(struct socket *socket, struct socket *target)
{
	if (socket_connects(socket) || READ_ONCE(target->state) != SOCKET_CLOSED)
		return -EPIPE;
	socket_disconnect(socket, target);
	return -ECONNREFUSED;
}

static ssize_t send_packet(struct socket *socket, struct socket *target, struct iter *from,
			   struct message *message, uint64_t until)
{
	ssize_t n;

	n = packet_send(&target->in, from, limits_at(target, socket), message_envelope(message),
			until);
	return n == -EPIPE ? refused_by(socket, target) : n;
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

	if (socket_has_packets(socket) &&
	    from->left > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		return -EMSGSIZE;
	n = send_error(socket, target);
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

/* Send to the socket named `to`, or to the peer if that is NULL. */
static ssize_t send(struct file *file, struct iter *from, unsigned int flags,
		    struct socket_name *to, struct control *control)
{
	struct socket *socket = file->private, *target;
	bool stream = socket->type == SOCK_STREAM;
	ssize_t n;

	target = to ? socket_find(to, SOCK_DGRAM) : socket_peer(socket);
	if (!target)
		return -ENOTCONN;
	if (IS_ERR(target))
		return PTR_ERR(target);
	n = send_to_target(file, target, from, flags, control);
	socket_put(target);
	return n == -EPIPE && stream && !(flags & MSG_NOSIGNAL) ? pipe_broken() : n;
}

ssize_t socket_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct control control = { NULL };

	return send(file, from, 0, NULL, &control);
}

bool socket_has_room(struct socket *socket, struct socket *target)
{
	struct ring *ring;
	unsigned int places;

	if (!target)
		return true;
	ring = &target->in;
	if (READ_ONCE(target->peer) != socket)
		return packet_room(ring, limits_at(target, socket)) != 0;
	places = READ_ONCE(ring->head) - load_acquire(&ring->kept);
	return places <= socket_slots(READ_ONCE(socket->send_bytes)) / WRITABLE_PART ||
	       READ_ONCE(ring->readers) == 0;
}

ssize_t socket_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	struct control control = { NULL };
	struct message *message;
	ssize_t n;

	if (!target)
		return -ENOTCONN;
	if (slots->bytes > READ_ONCE(socket->send_bytes) - SOCKET_OVERHEAD)
		n = -EMSGSIZE;
	else
		n = send_error(socket, target);
	if (n)
		goto put_target;
	message = enclose(socket, target, &control);
	n = PTR_ERR(message);
	if (IS_ERR(message))
		goto put_target;
	n = packet_splice_in(&target->in, slots, limits_at(target, socket),
			     message_envelope(message));
	envelope_put(message_envelope(message));
	if (n == -EPIPE)
		n = refused_by(socket, target);
put_target:
	socket_put(target);
	return n;
}

int socket_splice_wait(struct file *file)
{
	struct socket *socket = file->private, *target = socket_peer(socket);
	int error;

	/* Without a peer, let splice_write() report the error. */
	if (!target)
		return 0;
	error = packet_wait_room(&target->in, limits_at(target, socket),
				 socket_wait(file, 0, socket->send_timeout));
	socket_put(target);
	return socket_interrupted(error, socket->send_timeout);
}

/*
 * A socket that makes connections sends to its peer alone. A stream refuses an address. A socket of
 * sequenced packets ignores it, of whatever family it is, but it must be readable. May sleep.
 */
static int refuse_address(struct socket *socket, const void __user *address, unsigned int len)
{
	char ignored[ADDRESS_MAX];

	if (len > ADDRESS_MAX)
		return refuse(EINVAL, "no address has that length");
	if (copy_from_user(ignored, address, len))
		return -EFAULT;
	if (socket->type == SOCK_SEQPACKET)
		return 0;
	return READ_ONCE(socket->state) == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
}

long socket_send(struct file *file, struct iter *from, unsigned int flags,
		 const void __user *address, unsigned int len, struct control *control)
{
	struct socket *socket = file->private;
	struct socket_name *name = NULL;
	long n = 0;

	/* Other flags that have no meaning on AF_UNIX are ignored, as on Linux. */
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (address && len > 0 && socket_connects(socket))
		n = refuse_address(socket, address, len);
	else if (address && len > 0)
		name = socket_name_from_user(address, len);
	if (n)
		return n;
	if (IS_ERR(name))
		return PTR_ERR(name);
	n = send(file, from, flags, name, control);
	socket_name_put(name);
	return n;
}
