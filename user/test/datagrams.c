/*
 * Datagram sockets: borders, names of senders and receivers, how many wait for a reader.
 */
#include "socket.h"

#define SEED 21
#define BIG  (1 << 20)

static char data[BIG], back[BIG];

TEST(datagrams, 5, "datagrams keep their borders; what does not fit is cut off, and said so")
{
	struct iovec segment = { back, 4 };
	struct msghdr message = { .msg_iov = &segment, .msg_iovlen = 1 };

	make_pair(SOCK_DGRAM);
	test_fill(data, 60000, SEED, 0);
	CHECK_EQ(write(s[0], "first", 5), 5);
	CHECK_EQ(send(s[0], data, 60000, 0), 60000);
	CHECK_EQ(send(s[0], NULL, 0, 0), 0);
	CHECK_EQ(write(s[0], "last", 4), 4);
	CHECK_EQ(available(s[1]), 5);
	CHECK_EQ(recv(s[1], back, 2, MSG_PEEK | MSG_TRUNC), 5);
	CHECK_EQ(recvmsg(s[1], &message, 0), 4);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK(!memcmp(back, "firs", 4));
	CHECK_EQ(read(s[1], back, BIG), 60000);
	CHECK_EQ(test_differs(back, 60000, SEED, 0), 60000);
	CHECK_EQ(recv(s[1], back, 10, 0), 0);
	CHECK_EQ(recv(s[1], back, 10, 0), 4);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send(s[0], data, 300000, 0), EMSGSIZE);
}

TEST(datagram_names, 5, "datagrams by path: who sent it, and where to")
{
	int a = bound(SOCK_DGRAM, PATH), b = bound(SOCK_DGRAM, PATH "2");
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un name, from;
	socklen_t len = name_of(&name, PATH), from_len = sizeof(from);

	CHECK_EQ(sendto(b, "named", 5, 0, (void *)&name, len), 5);
	CHECK_EQ(recvfrom(a, back, 10, 0, (void *)&from, &from_len), 5);
	CHECK(!strcmp(from.sun_path, PATH "2"));
	CHECK_EQ(from_len, len + 1);
	CHECK_EQ(sendto(c, "nobody", 6, 0, (void *)&name, len), 6);
	from_len = sizeof(from);
	CHECK_EQ(recvfrom(a, back, 10, 0, (void *)&from, &from_len), 6);
	CHECK_EQ(from_len, 0);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_EQ(try_connect(c, PATH), 0);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	/* a talks to b alone from now on. */
	CHECK_EQ(try_connect(a, PATH "2"), 0);
	CHECK_ERR(send(c, "x", 1, 0), EPERM);
	CHECK_ERR(try_connect(c, PATH), EPERM);
	CHECK_EQ(recv(a, back, 10, 0), 1);
	close(a);
	CHECK_ERR(send(c, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&name, len), ECONNREFUSED);
	unlink(PATH);
	unlink(PATH "2");
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&name, len), ENOENT);
}

TEST(datagram_backlog, 10, "eleven datagrams wait for a reader; the twelfth waits itself")
{
	int a = bound(SOCK_DGRAM, PATH), c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int n = 0;

	CHECK_EQ(try_connect(c, PATH), 0);
	while (send(c, "x", 1, 0) == 1)
		n++;
	CHECK_EQ(n, 11);
	CHECK_ERR(send(c, "x", 1, 0), EAGAIN);
	CHECK_EQ(poll_now(c, POLLOUT), 0);
	CHECK_EQ(recv(a, back, 10, 0), 1);
	CHECK_EQ(poll_now(c, POLLOUT), POLLOUT);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	unlink(PATH);
}
