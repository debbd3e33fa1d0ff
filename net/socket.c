/*
 * AF_UNIX sockets and their connections. The contract is in net/socket.h.
 *
 * connect also makes the socket at the other end, which waits in the listener's list for accept. So
 * the connection exists, and the client may send, before the server accepts it.
 */
#include "fs/pipe/owners.h"
#include "net/socket.h"
#include "fs/file/file.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "net/passing.h"

spinlock_t sockets_lock = SPINLOCK_INIT("sockets");
SLAB_CACHE(socket_cache, "socket", struct socket, 0);
struct wait_queue datagram_room = WAIT_QUEUE_INIT(datagram_room);

struct socket *socket_alloc(int type)
{
	struct socket *socket = slab_alloc(socket_cache, ALLOC_ZERO);
	struct pipe_slot *slots;

	if (!socket)
		return NULL;
	atomic_set(&socket->refs, 1);
	socket->type = type;
	list_init(&socket->pending);
	list_init(&socket->pending_link);
	list_init(&socket->abstract_link);
	slots = kmalloc(SOCKET_SLOTS * sizeof(*slots), 0);
	if (!slots) {
		slab_free(socket_cache, socket);
		return NULL;
	}
	ring_init(&socket->in, slots, SOCKET_SLOTS, "socket");
	socket->in.encloses = true;
	ring_register(&socket->in);
	socket->in.readers = socket->in.writers = 1;
	socket->send_bytes = socket->receive_bytes = SOCKET_SEND_BYTES;
	socket->send_timeout = socket->receive_timeout = WAIT_FOREVER;
	socket->receive_least = 1;
	socket->peer_sender = (struct sender){ 0, -1, -1 };
	return socket;
}

void socket_put(struct socket *socket)
{
	if (!atomic_dec_and_test(&socket->refs))
		return;
	ring_unregister(&socket->in);
	socket_name_put(socket->name);
	kfree(socket->in.slots);
	slab_free(socket_cache, socket);
}

/* End the socket's input. A reader that reaches the end gets `error` once, unless it is 0. */
static void end_input(struct socket *socket, int error)
{
	if (error)
		WRITE_ONCE(socket->error, error);
	ring_end(&socket->in);
}

/*
 * End the socket's input and drop everything in its ring. Returns true if there was anything in it.
 */
static bool close_input(struct socket *socket)
{
	struct ring *ring = &socket->in;
	bool unread;

	ring_end(ring);
	/* Wait for a sender that has found the ring open. Later ones get -EPIPE. */
	mutex_lock(&ring->producer);
	mutex_unlock(&ring->producer);
	unread = ring_used(ring) > 0;
	ring_empty(ring);
	wake_all(&datagram_room);
	return unread;
}

/* Close one socket. `embryo` means that it has not been accepted. */
static void close_one(struct socket *socket, bool embryo)
{
	struct socket *peer;
	struct inode *node;
	bool unread;

	spin_lock(&sockets_lock);
	WRITE_ONCE(socket->state, SOCKET_CLOSED);
	WRITE_ONCE(socket->file, NULL);
	peer = socket->peer;
	WRITE_ONCE(socket->peer, NULL);
	list_del(&socket->abstract_link);
	list_init(&socket->abstract_link);
	node = socket->node;
	socket->node = NULL;
	if (node)
		node->socket = NULL;
	spin_unlock(&sockets_lock);
	unread = close_input(socket);
	if (peer && socket_connects(socket))
		end_input(peer, unread || embryo ? -ECONNRESET : 0);
	if (peer)
		socket_put(peer);
	if (node)
		inode_put(node);
	socket_put(socket);
}

/* Take the next socket off the list that waits for accept, or NULL. sockets_lock is held. */
static struct socket *take_pending(struct socket *listener)
{
	struct socket *first;

	if (list_empty(&listener->pending))
		return NULL;
	first = list_first(&listener->pending, struct socket, pending_link);
	list_del(&first->pending_link);
	first->listener = NULL;
	WRITE_ONCE(listener->nr_pending, listener->nr_pending - 1);
	return first;
}

void socket_close(struct socket *socket)
{
	struct socket *waiting;

	do {
		spin_lock(&sockets_lock);
		WRITE_ONCE(socket->state, SOCKET_CLOSED);
		waiting = take_pending(socket);
		spin_unlock(&sockets_lock);
		if (waiting)
			close_one(waiting, true);
	} while (waiting);
	close_one(socket, false);
	passed_files_collect();
}

struct socket *socket_peer(struct socket *socket)
{
	struct socket *peer;

	spin_lock(&sockets_lock);
	peer = socket->peer;
	if (peer)
		atomic_inc(&peer->refs);
	spin_unlock(&sockets_lock);
	return peer;
}

void socket_open(struct socket *socket, struct file *file)
{
	file->private = socket;
	spin_lock(&sockets_lock);
	WRITE_ONCE(socket->file, file);
	spin_unlock(&sockets_lock);
}

/* Returns the current process with its effective user and group, for SO_PEERCRED. */
static struct sender effective_sender(void)
{
	struct sender sender = current_sender();

	if (current->process) {
		sender.uid = current->process->cred.euid;
		sender.gid = current->process->cred.egid;
	}
	return sender;
}

struct sender socket_peer_sender(struct socket *socket)
{
	struct sender sender;

	spin_lock(&sockets_lock);
	sender = socket->peer_sender;
	spin_unlock(&sockets_lock);
	return sender;
}

/*
 * Apply the socket's send buffer as the limit of its peer's ring. sockets_lock is held, or no other
 * task can reach the sockets.
 */
static void limit_ring(struct socket *socket)
{
	struct ring *ring = &socket->peer->in;

	spin_lock(&ring->lock);
	ring->max_slots = socket_slots(socket->send_bytes);
	spin_unlock(&ring->lock);
}

void socket_set_send_bytes(struct socket *socket, unsigned int bytes)
{
	struct socket *peer = NULL;

	spin_lock(&sockets_lock);
	WRITE_ONCE(socket->send_bytes, bytes);
	if (socket_connects(socket) && socket->peer) {
		peer = socket->peer;
		atomic_inc(&peer->refs);
		limit_ring(socket);
	}
	spin_unlock(&sockets_lock);
	/* If the limit has grown, there may be room now. */
	if (peer) {
		wake_all(&peer->in.writable);
		socket_put(peer);
	}
	wake_all(&datagram_room);
}

/* Connect two sockets. sockets_lock is held, or no other task can reach them. */
static void make_peers(struct socket *one, struct socket *other)
{
	atomic_inc(&one->refs);
	atomic_inc(&other->refs);
	WRITE_ONCE(one->peer, other);
	WRITE_ONCE(other->peer, one);
	limit_ring(one);
	limit_ring(other);
	WRITE_ONCE(one->state, SOCKET_CONNECTED);
	WRITE_ONCE(other->state, SOCKET_CONNECTED);
}

void socket_pair(struct socket *one, struct socket *other)
{
	one->peer_sender = other->peer_sender = effective_sender();
	make_peers(one, other);
}

/* ---- connections ---- */

long socket_listen(struct file *file, unsigned int backlog)
{
	struct socket *socket = file->private;
	long error = 0;

	if (!socket_connects(socket))
		return -EOPNOTSUPP;
	spin_lock(&sockets_lock);
	if (!socket->name || socket->state == SOCKET_CONNECTED) {
		error = refuse(EINVAL, "the socket has no name, or a peer");
	} else {
		WRITE_ONCE(socket->state, SOCKET_LISTENING);
		socket->backlog = MIN(backlog, 4096u);
		socket->peer_sender = effective_sender();
	}
	spin_unlock(&sockets_lock);
	wake_all(&socket->in.writable);
	return error;
}

/*
 * Connect `socket` to `fresh`, which joins the listener's list. Returns 0, -EAGAIN if too many
 * sockets wait for accept, or another error.
 */
static int enter(struct socket *listener, struct socket *socket, struct socket *fresh)
{
	int error = 0;

	spin_lock(&sockets_lock);
	if (socket->state == SOCKET_CONNECTED) {
		error = -EISCONN;
	} else if (socket->state == SOCKET_LISTENING) {
		error = refuse(EINVAL, "the socket listens");
	} else if (listener->state != SOCKET_LISTENING || socket_ended(listener)) {
		error = -ECONNREFUSED;
	} else if (listener->nr_pending > listener->backlog) {
		error = -EAGAIN;
	} else {
		fresh->peer_sender = effective_sender();
		socket->peer_sender = listener->peer_sender;
		make_peers(socket, fresh);
		fresh->listener = listener;
		store_release(&fresh->name, socket_name_get(listener->name));
		list_add_tail(&listener->pending, &fresh->pending_link);
		WRITE_ONCE(listener->nr_pending, listener->nr_pending + 1);
	}
	spin_unlock(&sockets_lock);
	return error;
}

/* Would enter() return something other than -EAGAIN? */
static bool may_enter(struct socket *listener)
{
	bool may;

	spin_lock(&sockets_lock);
	may = listener->state != SOCKET_LISTENING || socket_ended(listener) ||
	      listener->nr_pending <= listener->backlog;
	spin_unlock(&sockets_lock);
	return may;
}

static int connect_to_listener(struct socket *socket, struct socket *listener, uint64_t until)
{
	struct socket *fresh = socket_alloc(socket->type);
	int error;

	if (!fresh)
		return -ENOMEM;
	while ((error = enter(listener, socket, fresh)) == -EAGAIN && until != WAIT_NOT) {
		error = wait_event_until(&listener->in.writable, may_enter(listener), until);
		if (error)
			break;
	}
	if (error) {
		socket_put(fresh);
		return error;
	}
	wake_all(&listener->in.readable);
	wake_all_for(&socket->in.readable, WAKE_STATE);
	return 0;
}

long socket_connect(struct file *file, const void __user *address, unsigned int len)
{
	struct socket *socket = file->private, *target;
	uint64_t until = socket_wait(file, 0, socket->send_timeout);
	struct socket_name *name;
	long error;

	if (!socket_connects(socket)) {
		error = socket_without_family(address, len);
		if (error)
			return error < 0 ? error : socket_connect_datagrams(socket, NULL);
	}
	name = socket_name_from_user(address, len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	target = socket_find(name, socket->type);
	socket_name_put(name);
	if (IS_ERR(target))
		return PTR_ERR(target);
	error = socket_connects(socket) ? connect_to_listener(socket, target, until)
					: socket_connect_datagrams(socket, target);
	socket_put(target);
	return socket_interrupted(error, socket->send_timeout);
}

/*
 * Returns the next connected socket, NULL if there is none yet, or ERR_PTR(-EINVAL) if the socket
 * does not listen.
 */
static struct socket *try_accept(struct socket *socket)
{
	struct socket *taken;
	bool over;

	spin_lock(&sockets_lock);
	taken = take_pending(socket);
	over = socket->state != SOCKET_LISTENING || socket_ended(socket);
	spin_unlock(&sockets_lock);
	if (!taken && over)
		return ERR_PTR(refuse(EINVAL, "the socket does not listen"));
	return taken;
}

/* Would try_accept() return something other than NULL? */
static bool may_accept(struct socket *socket)
{
	bool may;

	spin_lock(&sockets_lock);
	may = socket->nr_pending > 0 || socket->state != SOCKET_LISTENING || socket_ended(socket);
	spin_unlock(&sockets_lock);
	return may;
}

/* Wait for the next connected socket. Returns it with a reference, or ERR_PTR. */
static struct socket *accept_next(struct socket *socket, uint64_t until)
{
	struct socket *taken;

	if (!socket_connects(socket))
		return ERR_PTR(-EOPNOTSUPP);
	while (!(taken = try_accept(socket))) {
		int error = -EAGAIN;

		if (until != WAIT_NOT)
			error = wait_event_until(&socket->in.readable, may_accept(socket), until);
		if (error)
			return ERR_PTR(socket_interrupted(error, socket->receive_timeout));
	}
	if (!IS_ERR(taken))
		wake_all(&socket->in.writable);
	return taken;
}

/*
 * The descriptor and the file are allocated first, so that no connection is lost for lack of them.
 */
long socket_accept4(struct file *file, void __user *address, int32_t __user *len,
		    unsigned int flags)
{
	struct socket *socket = file->private, *taken;
	struct file *fresh;
	long error = 0;
	int number;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return refuse(EINVAL, "an unknown flag");
	number = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (number < 0)
		return number;
	fresh = socket_file(NULL, flags);
	if (IS_ERR(fresh)) {
		fd_unreserve(number);
		return PTR_ERR(fresh);
	}
	taken = accept_next(socket, socket_wait(file, 0, socket->receive_timeout));
	if (IS_ERR(taken))
		error = PTR_ERR(taken);
	else
		socket_open(taken, fresh);
	if (!error && address)
		error = socket_name_to_user(load_acquire(&taken->peer->name), address, len);
	if (!error) {
		fd_install(number, fresh);
		return number;
	}
	file_put(fresh);
	fd_unreserve(number);
	return error;
}

long socket_shutdown(struct file *file, unsigned int how)
{
	bool receive = how != 1, send = how != 0;
	struct socket *socket = file->private;
	bool connects = socket_connects(socket);
	struct socket *peer;

	if (how > 2)
		return refuse(EINVAL, "not SHUT_RD, SHUT_WR or SHUT_RDWR");
	peer = connects ? socket_peer(socket) : NULL;
	if (receive) {
		end_input(socket, 0);
	}
	if (send && !peer) {
		WRITE_ONCE(socket->send_shut, true);
		wake_all(&datagram_room);
	}
	if (!peer)
		return 0;
	if (send)
		end_input(peer, 0);
	/* Wake a poll of the peer: the state of the connection has changed for it in any case. */
	wake_all_for(&peer->in.readable, WAKE_STATE);
	socket_put(peer);
	return 0;
}
