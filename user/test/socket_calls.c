/*
 * The calls on sockets: flags and options, socketcall(2), and messages in several segments.
 */
#include "socket.h"

static char data[100], back[104];

TEST(options, 5, "SO_TYPE and SO_ERROR; flags of socket")
{
	int value, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(value);

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	CHECK_EQ(value, SOCK_DGRAM);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
	CHECK_EQ(value, 0);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, 4444, &value, &len), ENOPROTOOPT);
}

TEST(socketcall, 5, "the same by socketcall, with its own argument blocks")
{
	int two[2], value = 0;
	socklen_t len = sizeof(value);
	unsigned long pair[] = { AF_UNIX, SOCK_STREAM, 0, (unsigned long)two };
	unsigned long bytes[] = { 0, (unsigned long)"xyz", 3, 0 };
	unsigned long in[] = { 0, (unsigned long)back, 10, MSG_DONTWAIT };
	unsigned long option[] = { 0, SOL_SOCKET, SO_TYPE, (unsigned long)&value,
				   (unsigned long)&len };
	unsigned long down[] = { 0, SHUT_RDWR };

	CHECK_EQ(syscall(SYS_socketcall, 8, pair), 0);
	bytes[0] = two[0];
	in[0] = option[0] = down[0] = two[1];
	CHECK_EQ(syscall(SYS_socketcall, 9, bytes), 3);
	CHECK_EQ(syscall(SYS_socketcall, 10, in), 3);
	CHECK(!memcmp(back, "xyz", 3));
	CHECK_EQ(syscall(SYS_socketcall, 15, option), 0);
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_EQ(syscall(SYS_socketcall, 13, down), 0);
	CHECK_EQ(read(two[0], back, 1), 0);
	CHECK_ERR(syscall(SYS_socketcall, 0, pair), EINVAL);
	CHECK_ERR(syscall(SYS_socketcall, 99, pair), EINVAL);
	CHECK_ERR(syscall(SYS_socketcall, 8, 4096), EFAULT);
	/* And by their own numbers: socketpair, sendto, recvfrom. */
	CHECK_EQ(syscall(360, AF_UNIX, SOCK_STREAM, 0, two), 0);
	CHECK_EQ(syscall(369, two[0], "abc", 3, 0, NULL, 0), 3);
	CHECK_EQ(syscall(371, two[1], back, 10, 0, NULL, NULL), 3);
	CHECK(!memcmp(back, "abc", 3));
}

TEST(messages, 5, "sendmsg and recvmsg gather and scatter")
{
	struct iovec out[] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
	struct iovec in[] = { { back, 3 }, { back + 3, 100 } };
	struct msghdr message = { .msg_iov = out, .msg_iovlen = 3 };

	make_pair(SOCK_STREAM);
	CHECK_EQ(sendmsg(s[0], &message, MSG_MORE), 13);
	message = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2, .msg_controllen = 0 };
	CHECK_EQ(recvmsg(s[1], &message, 0), 13);
	CHECK(!memcmp(back, "one two three", 13));
	CHECK_EQ(message.msg_flags, 0);
	CHECK_EQ(writev(s[1], out, 3), 13);
	CHECK_EQ(readv(s[0], in, 2), 13);
}

TEST(message_anywhere, 5, "the structure of a message may stand at any address")
{
	struct iovec segment = { back, 10 };
	struct msghdr message = { .msg_iov = &segment, .msg_iovlen = 1, .msg_flags = -1 };
	char name[100], *odd = data + 1;

	message.msg_name = name;
	message.msg_namelen = sizeof(name);
	memcpy(odd, &message, sizeof(message));
	make_pair(SOCK_DGRAM);
	CHECK_EQ(write(s[0], "eleven byte", 11), 11);
	CHECK_EQ(syscall(SYS_recvmsg, s[1], odd, 0), 10);
	memcpy(&message, odd, sizeof(message));
	CHECK_EQ(message.msg_namelen, 0);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK(!memcmp(back, "eleven byt", 10));
	CHECK_ERR(syscall(SYS_recvmsg, s[1], (char *)-2, MSG_DONTWAIT), EFAULT);
}

TEST(kinds, 5,
     "an impossible type is refused before the family, and a raw socket is one for datagrams")
{
	int two[2], fd, value = 0;
	socklen_t len = sizeof(value);

	CHECK_ERR(socketpair(0, 75, 0, two), EINVAL);
	CHECK_ERR(socket(AF_UNIX, 75, 0), EINVAL);
	CHECK_ERR(socket(0, SOCK_STREAM, 0), EAFNOSUPPORT);
	fd = socket(AF_UNIX, SOCK_RAW, 0);
	CHECK(fd >= 0);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	CHECK_EQ(value, SOCK_DGRAM);
	close(fd);
}

TEST(any_name, 5, "binding to a mere family chooses an abstract name that no other socket has")
{
	struct sockaddr_un any = { .sun_family = AF_UNIX }, one = { 0 }, other = { 0 };
	int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0),
	    client;
	socklen_t len = sizeof(one), len2 = sizeof(other);

	CHECK_EQ(bind(first, (void *)&any, sizeof(any.sun_family)), 0);
	CHECK_EQ(bind(second, (void *)&any, sizeof(any.sun_family)), 0);
	CHECK_EQ(getsockname(first, (void *)&one, &len), 0);
	CHECK_EQ(getsockname(second, (void *)&other, &len2), 0);
	CHECK_EQ(len, sizeof(any.sun_family) + 6);
	CHECK_EQ(len2, len);
	CHECK_EQ(one.sun_path[0], 0);
	CHECK_EQ(strspn(one.sun_path + 1, "0123456789abcdef"), 5);
	CHECK(memcmp(&one, &other, len));
	/* A name stays. */
	CHECK_EQ(bind(first, (void *)&any, sizeof(any.sun_family)), 0);
	CHECK_EQ(getsockname(first, (void *)&other, &len2), 0);
	CHECK(!memcmp(&one, &other, len));
	CHECK_EQ(listen(first, 1), 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(connect(client, (void *)&one, len), 0);
	close(client);
	close(first);
	close(second);
}

TEST(other_flags, 5, "flags without a meaning are ignored, and urgent bytes are EOPNOTSUPP")
{
	socklen_t negative = -1;
	char byte, name[16];
	int ends[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	CHECK_EQ(send(ends[0], "x", 1, MSG_CONFIRM | MSG_DONTROUTE | 0x800000), 1);
	CHECK_EQ(recv(ends[1], &byte, 1, 0x800000), 1);
	CHECK_ERR(send(ends[0], "x", 1, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(recv(ends[1], &byte, 1, MSG_OOB), EOPNOTSUPP);
	CHECK_EQ(send(ends[0], "x", 1, 0), 1);
	CHECK_ERR(recvfrom(ends[1], &byte, 1, 0, (void *)name, &negative), EINVAL);
	CHECK_ERR(recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(second_name, 5, "a second name is EINVAL, but EADDRINUSE if the name is taken")
{
	struct sockaddr_un address = { AF_UNIX, "/tmp/second-name" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(address.sun_path);
	CHECK_EQ(bind(fd, (void *)&address, sizeof(address)), 0);
	CHECK_ERR(bind(fd, (void *)&address, sizeof(address)), EADDRINUSE);
	strcpy(address.sun_path, "/tmp/third-name");
	CHECK_ERR(bind(fd, (void *)&address, sizeof(address)), EINVAL);
	CHECK_EQ(unlink("/tmp/second-name"), 0);
	unlink(address.sun_path);
}
