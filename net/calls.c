/*
 * The system calls on sockets. Each has its own number, and socketcall(2) leads to all of them.
 *
 * A call checks all its arguments before it acts. It copies results to user memory last. If that
 * faults, the bytes have been sent or received nevertheless.
 */
#include "fs/file/file.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "net/socket.h"

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
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return 0;
}

static struct file *new_file(int type)
{
	struct socket *socket = socket_alloc(type & 15);

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

typedef long (*file_call)(struct file *, long, long, long, long, long);

static long on_socket(int number, file_call call, long b, long c, long d, long e, long f)
{
	struct fd fd = fd_get(number);
	long result = -ENOTSOCK;

	if (!fd.file)
		return -EBADF;
	if (is_socket(fd.file))
		result = call(fd.file, b, c, d, e, f);
	fd_put(fd);
	return result;
}

/*
 * Defines the system call `name`, which calls socket_NAME() with the file of the descriptor. A
 * function that takes fewer arguments ignores the rest, as in the system call table.
 */
#define ON_SOCKET(name)                                                                    \
	long sys_##name(int number, long b, long c, long d, long e, long f)                \
	{                                                                                  \
		return on_socket(number, (file_call)(void *)socket_##name, b, c, d, e, f); \
	}
ON_SOCKET(bind)
ON_SOCKET(connect)
ON_SOCKET(listen)
ON_SOCKET(accept4)
ON_SOCKET(getsockname)
ON_SOCKET(getpeername)
ON_SOCKET(sendto)
ON_SOCKET(recvfrom)
ON_SOCKET(shutdown)
ON_SOCKET(getsockopt)
ON_SOCKET(setsockopt)
ON_SOCKET(sendmsg)
ON_SOCKET(recvmsg)

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
	{ 3, sys_sendmsg },    { 3, sys_recvmsg },  { 4, sys_accept4 },
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
