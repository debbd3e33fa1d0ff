/*
 * The system calls of sockets, each by its own number, and all by socketcall(2).
 *
 * A call validates everything it was given before it acts; what it hands back to user memory is
 * copied last, and a fault there leaves what was sent or received as it is.
 */
#include "fs/file.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "net/socket.h"

#define AF_UNIX	      1
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC  O_CLOEXEC
#define NAME_LEN      110u /* sizeof(struct sockaddr_un) */
#define FAMILY_LEN    2u

#define SOL_SOCKET    1
#define BUFFER_MOST   180224u /* of a program's wish; it counts twice */
#define SEND_LEAST    4480u   /* what Linux/i386 makes of less */
#define RECEIVE_LEAST 2240u
enum {
	SO_TYPE = 3,
	SO_ERROR = 4,
	SO_SNDBUF = 7,
	SO_RCVBUF = 8,
	SO_PEERCRED = 17,
	SO_ACCEPTCONN = 30,
	SO_PROTOCOL = 38,
	SO_DOMAIN = 39,
};

struct user_message { /* struct msghdr */
	void __user *name;
	uint32_t name_len;
	struct iovec __user *segments;
	uint32_t nr_segments;
	void __user *control;
	uint32_t control_len, flags;
};

/* The socket of a descriptor; *fd is to be put unless it is an error. */
static struct socket *get_socket(int number, struct fd *fd)
{
	struct socket *socket;

	*fd = fd_get(number);
	if (!fd->file)
		return ERR_PTR(-EBADF);
	socket = file_socket(fd->file);
	if (socket)
		return socket;
	fd_put(*fd);
	return ERR_PTR(-ENOTSOCK);
}

/* ---- names ---- */

/* An address from user memory. NULL: of no family (AF_UNSPEC); ERR_PTR(-EINVAL, -EFAULT). */
static struct socket_name *get_name(const void __user *from, unsigned int len)
{
	struct socket_name *name;
	uint16_t family;
	int error = -EINVAL;

	if (len < FAMILY_LEN || len > NAME_LEN)
		return ERR_PTR(refuse(EINVAL, "no address has that length"));
	name = kzalloc(sizeof(*name), 0);
	if (!name)
		return ERR_PTR(-ENOMEM);
	atomic_set(&name->refs, 1);
	if (copy_from_user(name->bytes, from, len))
		error = -EFAULT;
	memcpy(&family, name->bytes, sizeof(family));
	if (error == -EFAULT || (family != AF_UNIX && family != 0) ||
	    (family == AF_UNIX && len == FAMILY_LEN)) {
		kfree(name);
		return ERR_PTR(error);
	}
	name->len = len;
	if (name->bytes[FAMILY_LEN]) /* a path: its end is the NUL that stands there now */
		name->len = FAMILY_LEN + strlen(name->bytes + FAMILY_LEN) + 1;
	if (family)
		return name;
	kfree(name);
	return NULL;
}

/* Tell a name (NULL: just the family) as far as there is room; its whole length in *len. */
static int put_name(struct socket_name *name, void __user *to, int32_t __user *len)
{
	static const uint16_t family = AF_UNIX;
	const void *bytes = name ? name->bytes : (const void *)&family;
	unsigned int n = name ? name->len : FAMILY_LEN;
	uint32_t room;

	if (get_user_u32(&room, len))
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (copy_to_user(to, bytes, MIN(room, n)))
		return -EFAULT;
	return put_user_u32(n, len);
}

/* ---- making ---- */

static int check_kind(int family, int type, int protocol)
{
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (type & ~(15 | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return refuse(EINVAL, "an unknown flag");
	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	type &= 15;
	return type == SOCK_STREAM || type == SOCK_DGRAM ? 0 : -ESOCKTNOSUPPORT;
}

/* A file with a new socket of that kind. */
static struct file *make_socket(int type)
{
	struct file *file = socket_file(type);

	if (IS_ERR(file))
		return file;
	file->private = socket_alloc(type & 15);
	if (file->private)
		return file;
	file_put(file);
	return ERR_PTR(-ENOMEM);
}

long sys_socket(int family, int type, int protocol)
{
	int error = check_kind(family, type, protocol);
	struct file *file;

	if (error)
		return error;
	file = make_socket(type);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, type & SOCK_CLOEXEC);
}

/* The descriptors are filled in last: nothing is open if the numbers cannot be told. */
long sys_socketpair(int family, int type, int protocol, int32_t __user *fds)
{
	struct file *files[2];
	int numbers[2], error = check_kind(family, type, protocol);

	if (error)
		return error;
	files[0] = make_socket(type);
	if (IS_ERR(files[0]))
		return PTR_ERR(files[0]);
	files[1] = make_socket(type);
	error = PTR_ERR(files[1]);
	if (IS_ERR(files[1]))
		goto put_first;
	socket_pair(files[0]->private, files[1]->private);
	error = numbers[0] = fd_reserve(0, type & SOCK_CLOEXEC);
	if (error < 0)
		goto put_second;
	error = numbers[1] = fd_reserve(0, type & SOCK_CLOEXEC);
	if (error < 0)
		goto unreserve_first;
	error = copy_to_user(fds, numbers, sizeof(numbers));
	if (error)
		goto unreserve_second;
	fd_install(numbers[0], files[0]);
	fd_install(numbers[1], files[1]);
	return 0;
unreserve_second:
	fd_unreserve(numbers[1]);
unreserve_first:
	fd_unreserve(numbers[0]);
put_second:
	file_put(files[1]);
put_first:
	file_put(files[0]);
	return error;
}

/* ---- connections ---- */

long sys_bind(int number, const void __user *address, unsigned int len)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	struct socket_name *name;
	long error;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	name = get_name(address, len);
	error = IS_ERR(name) ? PTR_ERR(name) : !name ? -EINVAL : socket_bind(socket, name);
	if (!IS_ERR(name))
		socket_name_put(name);
	fd_put(fd);
	return error;
}

long sys_connect(int number, const void __user *address, unsigned int len)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	struct socket_name *name;
	long error;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	name = get_name(address, len);
	error = IS_ERR(name) ? PTR_ERR(name)
			     : socket_connect(socket, name, fd.file->flags & O_NONBLOCK);
	if (!IS_ERR(name))
		socket_name_put(name);
	fd_put(fd);
	return error;
}

long sys_listen(int number, int backlog)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	long error;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	error = socket_listen(socket, backlog);
	fd_put(fd);
	return error;
}

/* A connection for the file, and its peer's name told. */
static long accept_into(struct file *file, struct file *listener, void __user *address,
			int32_t __user *len)
{
	struct socket *taken = socket_accept(file_socket(listener), listener->flags & O_NONBLOCK);

	if (IS_ERR(taken))
		return PTR_ERR(taken);
	file->private = taken;
	return address ? put_name(taken->peer->name, address, len) : 0;
}

long sys_accept4(int number, void __user *address, int32_t __user *len, unsigned int flags)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	struct file *file;
	long result, error;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	result = refuse(EINVAL, "an unknown flag");
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		goto put;
	result = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (result < 0)
		goto put;
	file = socket_file(flags);
	error = IS_ERR(file) ? PTR_ERR(file) : accept_into(file, fd.file, address, len);
	if (!error) {
		fd_install(result, file);
		goto put;
	}
	if (!IS_ERR(file))
		file_put(file);
	fd_unreserve(result);
	result = error;
put:
	fd_put(fd);
	return result;
}

long sys_shutdown(int number, unsigned int how)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	long error = -EINVAL;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (how <= 2)
		error = socket_shutdown(socket, how != 1, how != 0);
	fd_put(fd);
	return error;
}

static long tell_name(int number, void __user *address, int32_t __user *len, bool of_peer)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd), *peer;
	long error = -ENOTCONN;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	peer = of_peer ? socket_peer(socket) : NULL;
	if (peer || !of_peer)
		error = put_name(peer ? peer->name : socket->name, address, len);
	if (peer)
		socket_put(peer);
	fd_put(fd);
	return error;
}

long sys_getsockname(int number, void __user *address, int32_t __user *len)
{
	return tell_name(number, address, len, false);
}

long sys_getpeername(int number, void __user *address, int32_t __user *len)
{
	return tell_name(number, address, len, true);
}

/* ---- messages ---- */

static long send_from(int number, struct iter *from, unsigned int flags, const void __user *address,
		      unsigned int len)
{
	struct socket_name *name = NULL;
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	long n;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	n = -EOPNOTSUPP;
	if (flags & MSG_OOB)
		goto put;
	n = refuse(EINVAL, "an unknown flag");
	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL))
		goto put;
	if (address && len > 0) {
		name = get_name(address, len);
		n = IS_ERR(name) ? PTR_ERR(name) : -EINVAL;
		if (IS_ERR(name) || !name)
			goto put;
	}
	if (fd.file->flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	n = socket_send(socket, from, name, flags);
	socket_name_put(name);
put:
	fd_put(fd);
	return n;
}

/* *from: the sender's name, a reference, or NULL; *told: MSG_TRUNC, or 0. */
static long receive_to(int number, struct iter *to, unsigned int flags, struct socket_name **from,
		       unsigned int *told)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	size_t full = 0;
	long n;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	n = -EOPNOTSUPP;
	if (flags & MSG_OOB)
		goto put;
	n = refuse(EINVAL, "an unknown flag");
	if (flags &
	    ~(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC))
		goto put;
	if (fd.file->flags & O_NONBLOCK)
		flags |= MSG_DONTWAIT;
	n = socket_receive(socket, to, flags, from, &full);
	if (n >= 0 && full > (size_t)n) {
		*told = MSG_TRUNC;
		if (flags & MSG_TRUNC)
			n = full;
	}
put:
	fd_put(fd);
	return n;
}

static int buffer(struct iter *iter, void __user *base, size_t len)
{
	if (!user_range_ok(base, len))
		return -EFAULT;
	iter_init_user(iter, base, MIN(len, SPLICE_MAX_BYTES));
	return 0;
}

long sys_sendto(int number, void __user *base, size_t len, unsigned int flags,
		const void __user *address, unsigned int address_len)
{
	struct iter from;
	long error = buffer(&from, base, len);

	return error ? error : send_from(number, &from, flags, address, address_len);
}

long sys_recvfrom(int number, void __user *base, size_t len, unsigned int flags,
		  void __user *address, int32_t __user *address_len)
{
	struct socket_name *name = NULL;
	unsigned int told = 0;
	struct iter to;
	long n = buffer(&to, base, len);

	if (!n)
		n = receive_to(number, &to, flags, &name, &told);
	if (n >= 0 && address) {
		long error =
			name ? put_name(name, address, address_len) : put_user_u32(0, address_len);

		n = error ? error : n;
	}
	socket_name_put(name);
	return n;
}

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

long sys_sendmsg(int number, const void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	struct iter from;
	long n = get_message(&message, user, &from, fast, &heap);

	if (!n && message.control_len > 0)
		n = refuse(EINVAL, "control messages are not known");
	if (!n)
		n = send_from(number, &from, flags, message.name, message.name_len);
	kfree(heap);
	return n;
}

long sys_recvmsg(int number, void __user *user, unsigned int flags)
{
	struct user_message message, __user *to_user = user;
	struct iovec fast[IOV_FAST], *heap;
	struct socket_name *name = NULL;
	struct iter to;
	unsigned int told = 0;
	long n = get_message(&message, user, &to, fast, &heap), error = 0;

	if (!n)
		n = receive_to(number, &to, flags, &name, &told);
	if (n >= 0) {
		if (message.name && name)
			error = put_name(name, message.name, (int32_t __user *)&to_user->name_len);
		else if (message.name)
			error = put_user_u32(0, &to_user->name_len);
		if (error || put_user_u32(0, &to_user->control_len) ||
		    put_user_u32(told | (flags & MSG_CMSG_CLOEXEC), &to_user->flags))
			n = error ? error : -EFAULT;
	}
	socket_name_put(name);
	kfree(heap);
	return n;
}

/* ---- options ---- */

/* An option's value: its size, or an error. */
static int get_option(struct socket *socket, unsigned int option, uint32_t value[3])
{
	switch (option) {
	case SO_TYPE:
		value[0] = socket->type;
		break;
	case SO_ERROR:
		value[0] = -__sync_lock_test_and_set(&socket->in.error, 0);
		break;
	case SO_SNDBUF:
		value[0] = socket->send_buffer;
		break;
	case SO_RCVBUF:
		value[0] = socket->receive_buffer;
		break;
	case SO_PEERCRED:
		memcpy(value, &socket->peer_cred, sizeof(socket->peer_cred));
		return sizeof(socket->peer_cred);
	case SO_ACCEPTCONN:
		value[0] = READ_ONCE(socket->state) == SOCKET_LISTENING;
		break;
	case SO_PROTOCOL:
		value[0] = 0;
		break;
	case SO_DOMAIN:
		value[0] = AF_UNIX;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return sizeof(value[0]);
}

long sys_getsockopt(int number, int level, unsigned int option, void __user *to,
		    int32_t __user *len)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	uint32_t value[3], room;
	int size = -EOPNOTSUPP;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (level == SOL_SOCKET) {
		size = get_user_u32(&room, len);
		if (!size)
			size = (int32_t)room < 0 ? -EINVAL : get_option(socket, option, value);
	}
	fd_put(fd);
	if (size < 0)
		return size;
	size = MIN((uint32_t)size, room);
	return copy_to_user(to, value, size) ? -EFAULT : put_user_u32(size, len);
}

long sys_setsockopt(int number, int level, unsigned int option, const void __user *from,
		    unsigned int len)
{
	struct fd fd;
	struct socket *socket = get_socket(number, &fd);
	uint32_t value;
	long error = -EOPNOTSUPP;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	if (level != SOL_SOCKET)
		goto put;
	error = len < sizeof(value) ? -EINVAL : get_user_u32(&value, from);
	if (error)
		goto put;
	value = MIN(value, BUFFER_MOST) * 2;
	if (option == SO_SNDBUF)
		WRITE_ONCE(socket->send_buffer, MAX(value, SEND_LEAST));
	else if (option == SO_RCVBUF)
		WRITE_ONCE(socket->receive_buffer, MAX(value, RECEIVE_LEAST));
	else
		error = -ENOPROTOOPT;
put:
	fd_put(fd);
	return error;
}

/* ---- socketcall ---- */

/* The calls by their number there, in its order: how many arguments, and which function. */
typedef long (*socket_call)(long, long, long, long, long, long);
#define CALL(nr, function)                          \
	{                                           \
		nr, (socket_call)(void *)(function) \
	}

static long accept(int number, void __user *address, int32_t __user *len)
{
	return sys_accept4(number, address, len, 0);
}

static long send(int number, void __user *base, size_t len, unsigned int flags)
{
	return sys_sendto(number, base, len, flags, NULL, 0);
}

static long receive(int number, void __user *base, size_t len, unsigned int flags)
{
	return sys_recvfrom(number, base, len, flags, NULL, NULL);
}

static const struct {
	unsigned int arguments;
	socket_call function;
} calls[] = {
	CALL(0, NULL),
	CALL(3, sys_socket),
	CALL(3, sys_bind),
	CALL(3, sys_connect),
	CALL(2, sys_listen),
	CALL(3, accept),
	CALL(3, sys_getsockname),
	CALL(3, sys_getpeername),
	CALL(4, sys_socketpair),
	CALL(4, send),
	CALL(4, receive),
	CALL(6, sys_sendto),
	CALL(6, sys_recvfrom),
	CALL(2, sys_shutdown),
	CALL(5, sys_setsockopt),
	CALL(5, sys_getsockopt),
	CALL(3, sys_sendmsg),
	CALL(3, sys_recvmsg),
	CALL(4, sys_accept4),
};

/* A function that takes fewer than six arguments ignores the rest, as in the system call table. */
long sys_socketcall(unsigned int call, const void __user *from)
{
	uint32_t a[6] = { 0 };

	if (call == 0 || call >= ARRAY_SIZE(calls))
		return refuse(EINVAL, "no such call");
	if (copy_from_user(a, from, calls[call].arguments * sizeof(a[0])))
		return -EFAULT;
	return calls[call].function(a[0], a[1], a[2], a[3], a[4], a[5]);
}
