/*
 * AF_UNIX sockets: names, connections, sending. The contract is in net/socket.h.
 *
 * 1. A name is a path, at which a node of type S_IFSOCK is made, or an abstract one, which begins
 *    with a NUL and is nowhere but here. A path finds its socket by the node's inode.
 * 2. connect makes the socket at the other end, which waits in the listener's list for accept. So
 *    it is connected before anybody accepts, and may send.
 */
#include "net/socket.h"
#include "kernel/init.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/string.h"

static spinlock_t sockets_lock = SPINLOCK_INIT("sockets");
static struct list bound = LIST_INIT(bound); /* of struct socket; sockets_lock */
static struct slab_cache *socket_cache;
struct wait_queue datagram_room = WAIT_QUEUE_INIT(datagram_room);

static void socket_init(void)
{
	socket_cache = slab_cache_create("socket", sizeof(struct socket), 0);
}
INITCALL(1, socket_init);

struct socket *socket_alloc(int type)
{
	struct socket *socket = slab_alloc(socket_cache, ALLOC_ZERO);

	if (!socket)
		return NULL;
	atomic_set(&socket->refs, 1);
	socket->type = type;
	socket->peer_cred = (struct peer_cred){ 0, -1, -1 };
	socket->send_buffer = socket->receive_buffer = BUFFER_DEFAULT;
	list_init(&socket->bound_link);
	list_init(&socket->pending);
	list_init(&socket->pending_link);
	packet_queue_init(&socket->in, type == SOCK_DGRAM);
	if (type == SOCK_DGRAM)
		socket->in.writable = &datagram_room;
	return socket;
}

void socket_put(struct socket *socket)
{
	if (!atomic_dec_and_test(&socket->refs))
		return;
	socket_name_put(socket->name);
	slab_free(socket_cache, socket);
}

/* embryo: nobody has accepted it. */
static void close_one(struct socket *socket, bool embryo)
{
	struct socket *peer;
	struct inode *node;
	bool unread;

	spin_lock(&sockets_lock);
	list_del(&socket->bound_link);
	socket->state = SOCKET_CLOSED;
	peer = socket->peer;
	socket->peer = NULL;
	node = socket->node;
	socket->node = NULL;
	spin_unlock(&sockets_lock);
	unread = packet_queue_close(&socket->in);
	if (peer && socket->type == SOCK_STREAM)
		packet_queue_end(&peer->in, unread || embryo ? -ECONNRESET : 0);
	if (peer)
		socket_put(peer);
	if (node)
		inode_put(node);
	socket_put(socket);
}

/* The next socket that waits for accept, or NULL. sockets_lock is held. */
static struct socket *take_pending(struct socket *listener)
{
	struct socket *first;

	if (list_empty(&listener->pending))
		return NULL;
	first = list_first(&listener->pending, struct socket, pending_link);
	list_del(&first->pending_link);
	listener->nr_pending--;
	return first;
}

void socket_close(struct socket *socket)
{
	struct socket *waiting;

	do {
		spin_lock(&sockets_lock);
		socket->state = SOCKET_CLOSED;
		waiting = take_pending(socket);
		spin_unlock(&sockets_lock);
		if (waiting)
			close_one(waiting, true);
	} while (waiting);
	close_one(socket, false);
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

static struct peer_cred current_cred(void)
{
	const struct credentials *cred = &current->process->cred;

	return (struct peer_cred){ current->process->pid, cred->euid, cred->egid };
}

/* Nobody else knows them, or sockets_lock is held. */
static void join(struct socket *one, struct socket *other)
{
	atomic_inc(&one->refs);
	atomic_inc(&other->refs);
	one->peer = other;
	other->peer = one;
	one->state = other->state = SOCKET_CONNECTED;
}

void socket_pair(struct socket *one, struct socket *other)
{
	join(one, other);
	one->peer_cred = other->peer_cred = current_cred();
}

/* ---- names ---- */

static bool is_abstract(const struct socket_name *name)
{
	return name->bytes[2] == '\0';
}

/* sockets_lock is held. Datagram and stream sockets have abstract names of their own. */
static struct socket *find_bound(const struct socket_name *name, int type, struct inode *node)
{
	struct socket *socket;

	list_for_each(socket, &bound, bound_link) {
		if (node ? socket->node == node
			 : !socket->node && socket->type == type &&
				    socket->name->len == name->len &&
				    !memcmp(socket->name->bytes, name->bytes, name->len))
			return socket;
	}
	return NULL;
}

/* The inode that a path names, with a reference; ERR_PTR. follow: 0 or LOOKUP_FOLLOW. */
static struct inode *find_node(struct socket_name *name, unsigned int follow)
{
	struct inode *node;
	struct path path;
	int error = path_lookup(AT_FDCWD, name->bytes + 2, follow, &path);

	if (error)
		return ERR_PTR(error);
	node = path.dentry->inode;
	inode_get(node);
	path_put(&path);
	return node;
}

/* The socket of that name, with a reference; ERR_PTR. */
static struct socket *find_socket(struct socket_name *name, int type)
{
	struct inode *node = is_abstract(name) ? NULL : find_node(name, LOOKUP_FOLLOW);
	struct socket *socket = NULL;
	int error = 0;

	if (IS_ERR(node))
		return ERR_PTR(PTR_ERR(node));
	if (node)
		error = inode_permission(node, MAY_WRITE);
	spin_lock(&sockets_lock);
	if (!error)
		socket = find_bound(name, type, node);
	if (socket)
		atomic_inc(&socket->refs);
	spin_unlock(&sockets_lock);
	if (node)
		inode_put(node);
	if (!socket)
		return ERR_PTR(error ? error : -ECONNREFUSED);
	if (socket->type == type)
		return socket;
	socket_put(socket);
	return ERR_PTR(-EPROTOTYPE);
}

int socket_bind(struct socket *socket, struct socket_name *name)
{
	struct inode *node = NULL;
	int error = 0;

	if (READ_ONCE(socket->name))
		return refuse(EINVAL, "the socket has a name");
	if (!is_abstract(name)) {
		error = path_make_node(AT_FDCWD, name->bytes + 2, S_IFSOCK | 0777, 0);
		if (error)
			return error == -EEXIST ? -EADDRINUSE : error;
		node = find_node(name, 0);
		if (IS_ERR(node))
			return PTR_ERR(node);
	}
	spin_lock(&sockets_lock);
	if (socket->name) {
		error = -EINVAL;
	} else if (find_bound(name, socket->type, node)) {
		error = -EADDRINUSE;
	} else {
		socket->name = socket_name_get(name);
		socket->node = node;
		list_add_tail(&bound, &socket->bound_link);
	}
	spin_unlock(&sockets_lock);
	if (error && node)
		inode_put(node);
	return error;
}

/* ---- connections ---- */

int socket_listen(struct socket *socket, unsigned int backlog)
{
	int error = 0;

	if (socket->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	spin_lock(&sockets_lock);
	if (!socket->name || socket->state == SOCKET_CONNECTED) {
		error = refuse(EINVAL, "the socket has no name, or a peer");
	} else {
		socket->state = SOCKET_LISTENING;
		socket->backlog = MIN(backlog, 4096u);
		socket->cred = current_cred();
	}
	spin_unlock(&sockets_lock);
	wake_all(&socket->in.room);
	return error;
}

/* `fresh` becomes the listener's end of a connection: 0; -EAGAIN: too many wait for accept. */
static int enter(struct socket *listener, struct socket *socket, struct socket *fresh)
{
	int error = 0;

	spin_lock(&sockets_lock);
	if (socket->state == SOCKET_CONNECTED) {
		error = -EISCONN;
	} else if (socket->state == SOCKET_LISTENING) {
		error = refuse(EINVAL, "the socket listens");
	} else if (listener->state != SOCKET_LISTENING || listener->in.ended) {
		error = -ECONNREFUSED;
	} else if (listener->nr_pending > listener->backlog) {
		error = -EAGAIN;
	} else {
		join(socket, fresh);
		fresh->name = socket_name_get(listener->name);
		fresh->peer_cred = current_cred();
		socket->peer_cred = listener->cred;
		list_add_tail(&listener->pending, &fresh->pending_link);
		listener->nr_pending++;
	}
	spin_unlock(&sockets_lock);
	return error;
}

static bool may_enter(struct socket *listener)
{
	bool may;

	spin_lock(&sockets_lock);
	may = listener->state != SOCKET_LISTENING || listener->in.ended ||
	      listener->nr_pending <= listener->backlog;
	spin_unlock(&sockets_lock);
	return may;
}

static int connect_stream(struct socket *socket, struct socket_name *name, bool nonblock)
{
	struct socket *listener = find_socket(name, SOCK_STREAM), *fresh;
	int error;

	if (IS_ERR(listener))
		return PTR_ERR(listener);
	fresh = socket_alloc(SOCK_STREAM);
	error = fresh ? -EAGAIN : -ENOMEM;
	while (error == -EAGAIN) {
		error = enter(listener, socket, fresh);
		if (error != -EAGAIN || nonblock)
			break;
		error = wait_event_interruptible(&listener->in.room, may_enter(listener));
		error = error ? error : -EAGAIN;
	}
	if (!error) {
		wake_all(&listener->in.readable);
		wake_all(&socket->in.readable);
	} else if (fresh) {
		socket_put(fresh);
	}
	socket_put(listener);
	return error;
}

/* May `socket` send to `other`, which talks to nobody or to it alone? sockets_lock is not held. */
static int may_send(struct socket *socket, struct socket *other)
{
	struct socket *peer = READ_ONCE(other->peer);

	return !peer || peer == socket ? 0 : refuse(EPERM, "the socket has another peer");
}

int socket_connect(struct socket *socket, struct socket_name *name, bool nonblock)
{
	struct socket *peer = NULL, *old;
	int error;

	if (socket->type == SOCK_STREAM)
		return name ? connect_stream(socket, name, nonblock)
			    : refuse(EINVAL, "a stream stays connected");
	if (name) {
		peer = find_socket(name, SOCK_DGRAM);
		if (IS_ERR(peer))
			return PTR_ERR(peer);
		error = may_send(socket, peer);
		if (error) {
			socket_put(peer);
			return error;
		}
	}
	spin_lock(&sockets_lock);
	old = socket->peer;
	socket->peer = peer;
	spin_unlock(&sockets_lock);
	wake_all(&datagram_room);
	if (old)
		socket_put(old);
	return 0;
}

/* True: *taken is one, or nobody will come. */
static bool try_accept(struct socket *socket, struct socket **taken)
{
	bool over;

	spin_lock(&sockets_lock);
	*taken = take_pending(socket);
	over = socket->state != SOCKET_LISTENING || socket->in.ended;
	spin_unlock(&sockets_lock);
	return *taken || over;
}

struct socket *socket_accept(struct socket *socket, bool nonblock)
{
	struct socket *taken;
	int error = 0;

	if (socket->type != SOCK_STREAM)
		return ERR_PTR(-EOPNOTSUPP);
	if (nonblock)
		error = try_accept(socket, &taken) ? 0 : -EAGAIN;
	else
		error = wait_event_interruptible(&socket->in.readable, try_accept(socket, &taken));
	if (error)
		return ERR_PTR(error);
	if (!taken)
		return ERR_PTR(refuse(EINVAL, "the socket does not listen"));
	wake_all(&socket->in.room);
	return taken;
}

int socket_shutdown(struct socket *socket, bool receive, bool send)
{
	bool stream = socket->type == SOCK_STREAM;
	struct socket *peer = stream ? socket_peer(socket) : NULL;

	if (stream && !peer && socket->state != SOCKET_LISTENING)
		return -ENOTCONN;
	if (receive)
		packet_queue_end(&socket->in, 0);
	if (receive && stream)
		wake_all(&socket->in.room);
	if (send && peer)
		packet_queue_end(&peer->in, 0);
	if (send && !stream) {
		WRITE_ONCE(socket->send_shut, true);
		wake_all(&datagram_room);
	}
	if (peer) {
		/* Its poll has more to say, in either case. */
		wake_all(&peer->in.readable);
		socket_put(peer);
	}
	return 0;
}

/* ---- sending and receiving ---- */

struct socket *socket_target(struct socket *socket, unsigned int *most)
{
	struct socket *peer = socket_peer(socket);

	if (!peer)
		return ERR_PTR(-ENOTCONN);
	*most = READ_ONCE(peer->peer) == socket ? UINT32_MAX : QUEUE_DATAGRAMS;
	return peer;
}

static ssize_t send_stream(struct socket *socket, struct iter *from, unsigned int flags)
{
	ssize_t n;

	if (READ_ONCE(socket->state) != SOCKET_CONNECTED)
		return -ENOTCONN;
	n = packet_send(&socket->peer->in, from, socket->send_buffer, flags & MSG_DONTWAIT);
	return n == -EPIPE && !(flags & MSG_NOSIGNAL) ? pipe_broken() : n;
}

/* 0, or an error; the packet stays the caller's then. */
static int send_packet_to(struct socket *socket, struct socket *target, struct packet *packet,
			  unsigned int flags)
{
	unsigned int most = READ_ONCE(target->peer) == socket ? UINT32_MAX : QUEUE_DATAGRAMS;
	int error = may_send(socket, target);

	if (!error && READ_ONCE(socket->send_shut))
		error = -EPIPE;
	if (error)
		return error;
	packet->from = socket_name_get(READ_ONCE(socket->name));
	return packet_send_datagram(&target->in, packet, socket->send_buffer, most,
				    flags & MSG_DONTWAIT);
}

/* Its reader is gone: the next one to send is told that there is no peer. */
static void forget_peer(struct socket *socket, struct socket *gone)
{
	bool ours;

	spin_lock(&sockets_lock);
	ours = socket->peer == gone;
	if (ours)
		socket->peer = NULL;
	spin_unlock(&sockets_lock);
	if (ours)
		socket_put(gone);
}

ssize_t socket_send(struct socket *socket, struct iter *from, struct socket_name *to,
		    unsigned int flags)
{
	struct socket *target;
	struct packet *packet;
	size_t len = from->left;
	int error;

	if (socket->type == SOCK_STREAM && to)
		return socket->state == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (socket->type == SOCK_STREAM)
		return send_stream(socket, from, flags);
	target = to ? find_socket(to, SOCK_DGRAM) : socket_peer(socket);
	if (IS_ERR(target))
		return PTR_ERR(target);
	if (!target)
		return -ENOTCONN;
	error = -EMSGSIZE;
	if (len > socket->send_buffer - 32)
		goto put;
	packet = packet_build(from, len, false);
	error = PTR_ERR(packet);
	if (IS_ERR(packet))
		goto put;
	error = from->left > 0 ? -EFAULT : send_packet_to(socket, target, packet, flags);
	if (error)
		packet_free(packet);
	if (error == -ECONNREFUSED && !to)
		forget_peer(socket, target);
put:
	socket_put(target);
	return error ? error : (ssize_t)len;
}

ssize_t socket_receive(struct socket *socket, struct iter *to, unsigned int flags,
		       struct socket_name **from, size_t *full)
{
	ssize_t n;

	if (socket->type == SOCK_STREAM && READ_ONCE(socket->state) != SOCKET_CONNECTED)
		return refuse(EINVAL, "the socket is not connected");
	n = packet_receive(&socket->in, to, flags, from, full);
	if (n > 0 && from && socket->type == SOCK_STREAM)
		*from = socket_name_get(READ_ONCE(socket->peer->name));
	return n;
}
