/*
 * AF_UNIX sockets: names and connections. The contract is in net/socket.h.
 *
 * connect makes the socket at the other end, which waits in the listener's list for accept. So it is
 * connected before anybody accepts, and may send.
 */
#include "net/socket.h"
#include "fs/file/file.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define NAME_LEN   110u /* sizeof(struct sockaddr_un) */
#define FAMILY_LEN 2u

static spinlock_t sockets_lock = SPINLOCK_INIT("sockets");
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
	slots = kmalloc(SOCKET_SLOTS * sizeof(*slots), 0);
	if (!slots) {
		slab_free(socket_cache, socket);
		return NULL;
	}
	ring_init(&socket->in, slots, SOCKET_SLOTS, "socket");
	socket->in.readers = socket->in.writers = 1;
	socket->send_bytes = SOCKET_SEND_BYTES;
	return socket;
}

void socket_put(struct socket *socket)
{
	if (!atomic_dec_and_test(&socket->refs))
		return;
	socket_name_put(socket->name);
	kfree(socket->in.slots);
	slab_free(socket_cache, socket);
}

/* Nothing comes in any more. A reader that has reached the end is told `error` (or 0) once. */
static void end_input(struct socket *socket, int error)
{
	if (error)
		WRITE_ONCE(socket->error, error);
	ring_end(&socket->in);
}

/*
 * Nobody reads the ring any more: end it and release what is in it. Returns whether there was
 * anything.
 */
static bool close_input(struct socket *socket)
{
	struct ring *ring = &socket->in;
	bool unread;

	ring_end(ring);
	/* A sender that saw readers has published; later ones get -EPIPE. */
	mutex_lock(&ring->producer);
	mutex_unlock(&ring->producer);
	unread = ring_used(ring) > 0;
	ring_empty(ring);
	wake_all(&datagram_room);
	return unread;
}

/* embryo: nobody has accepted it. */
static void close_one(struct socket *socket, bool embryo)
{
	struct socket *peer;
	struct inode *node;
	bool unread;

	spin_lock(&sockets_lock);
	socket->state = SOCKET_CLOSED;
	peer = socket->peer;
	socket->peer = NULL;
	node = socket->node;
	socket->node = NULL;
	if (node)
		node->socket = NULL;
	spin_unlock(&sockets_lock);
	unread = close_input(socket);
	if (peer && socket->type == SOCK_STREAM)
		end_input(peer, unread || embryo ? -ECONNRESET : 0);
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

/* Nobody else knows them, or sockets_lock is held. */
void socket_pair(struct socket *one, struct socket *other)
{
	atomic_inc(&one->refs);
	atomic_inc(&other->refs);
	one->peer = other;
	other->peer = one;
	one->in.max_slots = socket_slots(other->send_bytes);
	other->in.max_slots = socket_slots(one->send_bytes);
	one->state = other->state = SOCKET_CONNECTED;
}

/* ---- names ---- */

struct socket_name *socket_name_from_user(const void __user *from, unsigned int len)
{
	static const uint16_t family = AF_UNIX;
	struct socket_name *name;
	int error = 0;

	if (len <= FAMILY_LEN || len > NAME_LEN)
		return ERR_PTR(refuse(EINVAL, "no address has that length"));
	name = kzalloc(sizeof(*name), 0);
	if (!name)
		return ERR_PTR(-ENOMEM);
	atomic_set(&name->refs, 1);
	if (copy_from_user(name->bytes, from, len))
		error = -EFAULT;
	else if (memcmp(name->bytes, &family, FAMILY_LEN) || !name->bytes[FAMILY_LEN])
		error = refuse(EINVAL, "names are paths");
	/* The path's end is the NUL that stands there now. */
	name->len = FAMILY_LEN + strlen(name->bytes + FAMILY_LEN) + 1;
	if (!error)
		return name;
	kfree(name);
	return ERR_PTR(error);
}

int socket_name_to_user(struct socket_name *name, void __user *to, int32_t __user *len)
{
	static const uint16_t family = AF_UNIX;
	const void *bytes = name ? name->bytes : (const void *)&family;
	unsigned int n = name ? name->len : FAMILY_LEN;
	uint32_t room;

	if (get_user_u32(&room, len))
		return -EFAULT;
	if ((int32_t)room < 0)
		return refuse(EINVAL, "a negative length");
	if (copy_to_user(to, bytes, MIN(room, n)))
		return -EFAULT;
	return put_user_u32(n, len);
}

/* The inode that a name leads to, with a reference; ERR_PTR. follow: 0 or LOOKUP_FOLLOW. */
static struct inode *find_node(struct socket_name *name, unsigned int follow)
{
	struct dentry *path = path_lookup(AT_FDCWD, name->bytes + FAMILY_LEN, follow);
	struct inode *node;

	if (IS_ERR(path))
		return (void *)path;
	node = path->inode;
	inode_get(node);
	path_put(path);
	return node;
}

struct socket *socket_find(struct socket_name *name, int type)
{
	struct inode *node = find_node(name, LOOKUP_FOLLOW);
	struct socket *socket;
	int error;

	if (IS_ERR(node))
		return ERR_PTR(PTR_ERR(node));
	error = inode_permission(node, MAY_WRITE);
	spin_lock(&sockets_lock);
	socket = node->socket;
	if (socket)
		atomic_inc(&socket->refs);
	spin_unlock(&sockets_lock);
	inode_put(node);
	if (!error && !socket)
		error = -ECONNREFUSED;
	else if (!error && socket->type != type)
		error = -EPROTOTYPE;
	if (!error)
		return socket;
	if (socket)
		socket_put(socket);
	return ERR_PTR(error);
}

static int bind_to(struct socket *socket, struct socket_name *name)
{
	struct inode *node;
	int error = path_make_node(AT_FDCWD, name->bytes + FAMILY_LEN, S_IFSOCK | 0777, 0);

	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	node = find_node(name, 0);
	if (IS_ERR(node))
		return PTR_ERR(node);
	spin_lock(&sockets_lock);
	if (socket->name) {
		error = refuse(EINVAL, "it has a name already");
	} else if (node->socket) {
		error = -EADDRINUSE;
	} else {
		socket->name = socket_name_get(name);
		socket->node = node;
		node->socket = socket;
	}
	spin_unlock(&sockets_lock);
	if (error)
		inode_put(node);
	return error;
}

long socket_bind(struct file *file, const void __user *address, unsigned int len)
{
	struct socket_name *name = socket_name_from_user(address, len);
	struct socket *socket = file->private;
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = READ_ONCE(socket->name) ? refuse(EINVAL, "the socket has a name")
					: bind_to(socket, name);
	socket_name_put(name);
	return error;
}

long socket_getsockname(struct file *file, void __user *address, int32_t __user *len)
{
	struct socket *socket = file->private;

	return socket_name_to_user(socket->name, address, len);
}

long socket_getpeername(struct file *file, void __user *address, int32_t __user *len)
{
	struct socket *peer = socket_peer(file->private);
	long error;

	if (!peer)
		return -ENOTCONN;
	error = socket_name_to_user(peer->name, address, len);
	socket_put(peer);
	return error;
}

/* ---- connections ---- */

long socket_listen(struct file *file, unsigned int backlog)
{
	struct socket *socket = file->private;
	long error = 0;

	if (socket->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	spin_lock(&sockets_lock);
	if (!socket->name || socket->state == SOCKET_CONNECTED) {
		error = refuse(EINVAL, "the socket has no name, or a peer");
	} else {
		socket->state = SOCKET_LISTENING;
		socket->backlog = MIN(backlog, 4096u);
	}
	spin_unlock(&sockets_lock);
	wake_all(&socket->in.writable);
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
	} else if (listener->state != SOCKET_LISTENING || socket_ended(listener)) {
		error = -ECONNREFUSED;
	} else if (listener->nr_pending > listener->backlog) {
		error = -EAGAIN;
	} else {
		socket_pair(socket, fresh);
		fresh->name = socket_name_get(listener->name);
		list_add_tail(&listener->pending, &fresh->pending_link);
		listener->nr_pending++;
	}
	spin_unlock(&sockets_lock);
	return error;
}

static int connect_stream(struct socket *socket, struct socket *listener, bool nonblock)
{
	struct socket *fresh = socket_alloc(SOCK_STREAM);
	int error = -EAGAIN, killed = 0;

	if (!fresh)
		return -ENOMEM;
	if (nonblock)
		error = enter(listener, socket, fresh);
	else
		killed = wait_event_interruptible(&listener->in.writable,
						  (error = enter(listener, socket, fresh)) !=
							  -EAGAIN);
	if (error) {
		socket_put(fresh);
		return killed ? killed : error;
	}
	wake_all(&listener->in.readable);
	wake_all(&socket->in.readable);
	return 0;
}

int socket_may_send(struct socket *socket, struct socket *target)
{
	struct socket *peer = READ_ONCE(target->peer);

	return !peer || peer == socket ? 0 : refuse(EPERM, "the socket has another peer");
}

static int connect_datagrams(struct socket *socket, struct socket *peer)
{
	struct socket *old;
	int error = socket_may_send(socket, peer);

	if (error)
		return error;
	atomic_inc(&peer->refs);
	spin_lock(&sockets_lock);
	old = socket->peer;
	socket->peer = peer;
	spin_unlock(&sockets_lock);
	wake_all(&datagram_room);
	if (old)
		socket_put(old);
	return 0;
}

long socket_connect(struct file *file, const void __user *address, unsigned int len)
{
	struct socket_name *name = socket_name_from_user(address, len);
	struct socket *socket = file->private, *target;
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	target = socket_find(name, socket->type);
	socket_name_put(name);
	if (IS_ERR(target))
		return PTR_ERR(target);
	error = socket->type == SOCK_DGRAM
			? connect_datagrams(socket, target)
			: connect_stream(socket, target, file->flags & O_NONBLOCK);
	socket_put(target);
	return error;
}

/* True: *taken is one, or nobody will come. */
static bool try_accept(struct socket *socket, struct socket **taken)
{
	bool over;

	spin_lock(&sockets_lock);
	*taken = take_pending(socket);
	over = socket->state != SOCKET_LISTENING || socket_ended(socket);
	spin_unlock(&sockets_lock);
	return *taken || over;
}

/* The next connected socket, to be closed by the caller; ERR_PTR. */
static struct socket *accept_next(struct socket *socket, bool nonblock)
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
	wake_all(&socket->in.writable);
	return taken;
}

/* The descriptor and the file come first, so that no connection is lost for want of them. */
long socket_accept4(struct file *file, void __user *address, int32_t __user *len,
		    unsigned int flags)
{
	struct socket *taken;
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
	taken = accept_next(file->private, file->flags & O_NONBLOCK);
	if (IS_ERR(taken))
		error = PTR_ERR(taken);
	else
		fresh->private = taken;
	if (!error && address)
		error = socket_name_to_user(taken->peer->name, address, len);
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
	bool stream = socket->type == SOCK_STREAM;
	struct socket *peer;

	if (how > 2)
		return refuse(EINVAL, "neither SHUT_RD, SHUT_WR nor SHUT_RDWR");
	peer = stream ? socket_peer(socket) : NULL;
	if (stream && !peer && socket->state != SOCKET_LISTENING)
		return -ENOTCONN;
	if (receive) {
		end_input(socket, 0);
	}
	if (send && !stream) {
		WRITE_ONCE(socket->send_shut, true);
		wake_all(&datagram_room);
	}
	if (!peer)
		return 0;
	if (send)
		end_input(peer, 0);
	/* Its poll has more to say, in either case. */
	wake_all(&peer->in.readable);
	socket_put(peer);
	return 0;
}
