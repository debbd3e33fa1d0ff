/*
 * The system calls on sockets. Each has its own number, and socketcall(2) leads to all of them.
 *
 * A call checks all its arguments before it acts. It copies results to user memory last. If that
 * faults, the bytes have been sent or received nevertheless.
 */
#include "fs/file/file.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "mm/vm/uaccess.h"
#include "net/socket.h"

/* ---- making ---- */

#define SOCK_TYPE 15
#define SOCK_RAW  3

/* The type without the flags. Raw sockets of this family are those for datagrams, as on Linux. */
static int kind_of(int type)
{
	type &= SOCK_TYPE;
	return type == SOCK_RAW ? SOCK_DGRAM : type;
}

static int check_kind(int family, int type, int protocol)
{
	if (type & ~(SOCK_TYPE | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return refuse(EINVAL, "an unknown flag");
	if (family != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	type = kind_of(type);
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return 0;
}

static struct file *new_file(int type)
{
	struct socket *socket = socket_alloc(kind_of(type));

	return socket ? socket_file(socket, type) : ERR_PTR(-ENOMEM);
}

long sys_socket(int family, int type, int protocol)
{
	int error = check_kind(family, type, protocol);
	struct file *file;

	if (error)
		return error;
	file = new_file(type);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, type & SOCK_CLOEXEC);
}

long sys_socketpair(int family, int type, int protocol, int32_t __user *fds)
{
	struct file *files[2];
	int error = check_kind(family, type, protocol);

	if (error)
		return error;
	files[0] = new_file(type);
	if (IS_ERR(files[0]))
		return PTR_ERR(files[0]);
	files[1] = new_file(type);
	if (IS_ERR(files[1])) {
		file_put(files[0]);
		return PTR_ERR(files[1]);
	}
	socket_pair(files[0]->private, files[1]->private);
	return fd_add_pair(files, type & SOCK_CLOEXEC, fds);
}

/* ---- on a socket ---- */

/* The descriptor's open file, if it is a socket. Otherwise its `file` is -EBADF or -ENOTSOCK. */
static struct fd socket_get(int number)
{
	struct fd fd = fd_get(number);

	if (!fd.file)
		return (struct fd){ ERR_PTR(-EBADF), false };
	if (is_socket(fd.file))
		return fd;
	fd_put(fd);
	return (struct fd){ ERR_PTR(-ENOTSOCK), false };
}

/* Give the descriptor back when its call has returned `result`. */
static long end_call(struct fd fd, long result)
{
	fd_put(fd);
	return result;
}

long sys_bind(int number, const void __user *address, unsigned int len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_bind(fd.file, address, len));
}

long sys_connect(int number, const void __user *address, unsigned int len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_connect(fd.file, address, len));
}

long sys_listen(int number, unsigned int backlog)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file) : end_call(fd, socket_listen(fd.file, backlog));
}

long sys_accept4(int number, void __user *address, int32_t __user *len, unsigned int flags)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_accept4(fd.file, address, len, flags));
}

long sys_getsockname(int number, void __user *address, int32_t __user *len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_getsockname(fd.file, address, len));
}

long sys_getpeername(int number, void __user *address, int32_t __user *len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_getpeername(fd.file, address, len));
}

long sys_sendto(int number, void __user *base, size_t len, unsigned int flags,
		const void __user *address, unsigned int address_len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_sendto(fd.file, base, len, flags, address,
							    address_len));
}

long sys_recvfrom(int number, void __user *base, size_t len, unsigned int flags,
		  void __user *address, int32_t __user *address_len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_recvfrom(fd.file, base, len, flags, address,
							      address_len));
}

long sys_shutdown(int number, unsigned int how)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file) : end_call(fd, socket_shutdown(fd.file, how));
}

long sys_getsockopt(int number, int level, unsigned int option, void __user *to,
		    uint32_t __user *len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_getsockopt(fd.file, level, option, to, len));
}

long sys_setsockopt(int number, int level, unsigned int option, const void __user *from,
		    uint32_t len)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_setsockopt(fd.file, level, option, from, len));
}

long sys_sendmsg(int number, const void __user *user, unsigned int flags)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_sendmsg(fd.file, user, flags));
}

long sys_recvmsg(int number, void __user *user, unsigned int flags)
{
	struct fd fd = socket_get(number);

	return IS_ERR(fd.file) ? PTR_ERR(fd.file)
			       : end_call(fd, socket_recvmsg(fd.file, user, flags));
}

/* ---- several messages ---- */

#define MESSAGE_SIZE 32u /* sizeof(struct mmsghdr): a message, and its length as a result */
#define LENGTH_AT    28u
#define MESSAGES_MAX 1024u /* of one sendmmsg(2) */

/* Tell the program the length of a message that has been moved. `n` may be an error instead. */
static long end_message(void __user *message, long n)
{
	return n < 0 ? n : put_user_u32(n, message + LENGTH_AT);
}

long sys_sendmmsg(int number, void __user *messages, unsigned int nr, unsigned int flags)
{
	struct fd fd = socket_get(number);
	unsigned int done = 0;
	long error = 0;

	if (IS_ERR(fd.file))
		return PTR_ERR(fd.file);
	nr = MIN(nr, MESSAGES_MAX);
	while (done < nr) {
		void __user *message = messages + done * MESSAGE_SIZE;

		error = end_message(message, socket_sendmsg(fd.file, message, flags));
		if (error)
			break;
		done++;
	}
	return end_call(fd, done ? (long)done : error);
}

/*
 * Receive up to nr messages. The deadline is looked at after each one; it does not end a wait.
 * Returns how many have been received, or the error that the first one met. An error that a later
 * one met is kept for the next call.
 */
static long receive_many(struct file *file, void __user *messages, unsigned int nr,
			 unsigned int flags, uint64_t deadline)
{
	bool first_only = flags & MSG_WAITFORONE;
	unsigned int done = 0;
	long error = socket_take_error(file->private);

	if (error)
		return error;
	flags &= ~MSG_WAITFORONE;
	while (done < nr && (done == 0 || time_now() < deadline)) {
		void __user *message = messages + done * MESSAGE_SIZE;

		error = end_message(message, socket_recvmsg(file, message, flags));
		if (error)
			break;
		done++;
		flags |= first_only ? MSG_DONTWAIT : 0;
	}
	if (done && error && error != -EAGAIN && error != -ERESTARTSYS && error != -EINTR)
		socket_set_error(file->private, error);
	return done ? (long)done : error;
}

long sys_recvmmsg(int number, void __user *messages, unsigned int nr, unsigned int flags,
		  void __user *timeout)
{
	bool wide = call_has_time64();
	uint64_t deadline = UINT64_MAX, ns, now;
	struct fd fd;
	long result = timeout ? time_from_user(&ns, timeout, wide) : 0;

	if (result)
		return result;
	if (timeout)
		deadline = deadline_after(ns);
	fd = socket_get(number);
	if (IS_ERR(fd.file))
		return PTR_ERR(fd.file);
	result = end_call(fd, receive_many(fd.file, messages, nr, flags, deadline));
	now = time_now();
	if (timeout && result > 0 &&
	    time_to_user(deadline > now ? deadline - now : 0, timeout, wide) < 0)
		return -EFAULT;
	return result;
}

/* ---- socketcall ---- */

typedef long (*socket_call)(long, long, long, long, long, long);

/*
 * The calls in the order of their socketcall numbers, each with its number of arguments. accept,
 * send and recv are accept4, sendto and recvfrom with 0 for the last arguments.
 */
static const struct {
	unsigned int arguments;
	void *function;
} calls[] = {
	{ 0, NULL },	       { 3, sys_socket },   { 3, sys_bind },	    { 3, sys_connect },
	{ 2, sys_listen },     { 3, sys_accept4 },  { 3, sys_getsockname }, { 3, sys_getpeername },
	{ 4, sys_socketpair }, { 4, sys_sendto },   { 4, sys_recvfrom },    { 6, sys_sendto },
	{ 6, sys_recvfrom },   { 2, sys_shutdown }, { 5, sys_setsockopt },  { 5, sys_getsockopt },
	{ 3, sys_sendmsg },    { 3, sys_recvmsg },  { 4, sys_accept4 },	    { 5, sys_recvmmsg },
	{ 4, sys_sendmmsg },
};

long sys_socketcall(unsigned int call, const void __user *from)
{
	uint32_t a[6] = { 0 };

	if (call >= ARRAY_SIZE(calls) || !calls[call].function)
		return refuse(EINVAL, "no such call");
	if (copy_from_user(a, from, calls[call].arguments * sizeof(a[0])))
		return -EFAULT;
	return ((socket_call)calls[call].function)(a[0], a[1], a[2], a[3], a[4], a[5]);
}
