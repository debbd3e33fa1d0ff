/*
 * The peers of datagram sockets. The contract is in net/socket.h.
 *
 * 1. A datagram socket has a peer to which it sends when it is given no name, and from which alone
 *    it receives. The peer may have another peer, or none.
 * 2. A socket that changes or loses its peer loses the packets that it has not read. If its old
 *    peer still has it as its own peer, the old peer's next call reports ECONNRESET.
 * 3. A peer that has been closed remains the socket's peer until the socket sends to it. That send
 *    is ECONNREFUSED, and disconnects the socket.
 */
#include "net/socket.h"
#include "kernel/syscall.h"

int socket_may_send(struct socket *socket, struct socket *target)
{
	struct socket *peer = READ_ONCE(target->peer);

	return !peer || peer == socket ? 0 : refuse(EPERM, "the socket has another peer");
}

/*
 * Drop the packets that the socket has received up to now. Returns whether there were any. A task
 * that is being killed may leave some.
 */
static bool drop_packets(struct socket *socket)
{
	unsigned int end = READ_ONCE(socket->in.head);
	struct slot_list none = { .nr = 0 };
	bool any = false;

	while ((int)(end - READ_ONCE(socket->in.tail)) > 0 &&
	       packet_splice_out(&socket->in, 0, &none, WAIT_NOT) == 0)
		any = true;
	wake_all(&datagram_room);
	return any;
}

/* The socket has lost its peer `old`. Drop what it has not read, and tell the old peer of that. */
static void lose_peer(struct socket *socket, struct socket *old)
{
	bool tell;

	if (!drop_packets(socket))
		return;
	spin_lock(&sockets_lock);
	tell = old->state != SOCKET_CLOSED && old->peer == socket;
	spin_unlock(&sockets_lock);
	if (!tell)
		return;
	WRITE_ONCE(old->error, -ECONNRESET);
	wake_all_for(&old->in.readable, WAKE_STATE);
	wake_all(&datagram_room);
}

int socket_connect_datagrams(struct socket *socket, struct socket *peer)
{
	struct socket *old;
	int error = peer ? socket_may_send(socket, peer) : 0;

	if (error)
		return error;
	if (peer)
		atomic_inc(&peer->refs);
	spin_lock(&sockets_lock);
	old = socket->peer;
	WRITE_ONCE(socket->peer, peer);
	spin_unlock(&sockets_lock);
	wake_all(&datagram_room);
	if (!old)
		return 0;
	if (old != peer)
		lose_peer(socket, old);
	socket_put(old);
	return 0;
}

void socket_disconnect(struct socket *socket, struct socket *old)
{
	bool was_peer;

	spin_lock(&sockets_lock);
	was_peer = socket->peer == old;
	if (was_peer)
		WRITE_ONCE(socket->peer, NULL);
	spin_unlock(&sockets_lock);
	if (!was_peer)
		return;
	wake_all(&datagram_room);
	lose_peer(socket, old);
	socket_put(old);
}
