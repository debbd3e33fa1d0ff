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

TEST(refused_datagrams, 5,
     "after SHUT_RD a call that does not wait finds nothing, and others the end")
{
	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
		make_pair(type);
		CHECK_EQ(send(s[0], "left", 4, 0) | send(s[0], NULL, 0, 0), 4);
		CHECK_EQ(shutdown(s[1], SHUT_RD), 0);
		CHECK_EQ(recv(s[1], back, 10, MSG_DONTWAIT), 4);
		CHECK_EQ(recv(s[1], back, 10, MSG_DONTWAIT), 0);
		if (type == SOCK_DGRAM)
			CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
		else
			CHECK_EQ(recv(s[1], back, 10, MSG_DONTWAIT), 0);
		CHECK_EQ(recv(s[1], back, 10, 0), 0);
		CHECK_EQ(fcntl(s[1], F_SETFL, O_NONBLOCK), 0);
		if (type == SOCK_DGRAM)
			CHECK_ERR(read(s[1], back, 10), EAGAIN);
		else
			CHECK_EQ(read(s[1], back, 10), 0);
		CHECK_EQ(poll_now(s[1], POLLIN), POLLIN);
		close(s[0]);
		close(s[1]);
	}
}

static int unread(int fd)
{
	int n = -1;

	CHECK_EQ(ioctl(fd, TIOCOUTQ, &n), 0); /* SIOCOUTQ */
	return n;
}

/* How much Linux counts for a packet is its own business. */
TEST(unread_bytes, 5, "SIOCOUTQ tells what the other end has not read yet, and SIOCINQ what can be")
{
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
		if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
			continue;
		make_pair(type);
		CHECK_EQ(unread(s[0]) | available(s[1]), 0);
		CHECK_EQ(send(s[0], data, 100, 0) + send(s[0], data, 50, 0), 150);
		CHECK(unread(s[0]) >= 150);
		CHECK_EQ(unread(s[1]) | available(s[0]), 0);
		CHECK_EQ(available(s[1]), type == SOCK_DGRAM ? 100 : 150);
		CHECK_EQ(recv(s[1], back, 100, 0), 100);
		CHECK(unread(s[0]) >= 50);
		CHECK_EQ(available(s[1]), 50);
		CHECK_EQ(recv(s[1], back, 100, 0), 50);
		CHECK_EQ(unread(s[0]) | available(s[1]), 0);
		CHECK_ERR(ioctl(s[0], TIOCOUTQ, 8), EFAULT);
		close(s[0]);
		close(s[1]);
	}
}

TEST(unread_of_one, 5, "SIOCOUTQ of a datagram socket does not count what others have sent")
{
	int to = bound(SOCK_DGRAM, PATH), one = bound(SOCK_DGRAM, PATH "1"),
	    other = bound(SOCK_DGRAM, PATH "2"), n;

	CHECK_EQ(try_connect(one, PATH) | try_connect(other, PATH), 0);
	CHECK_EQ(send(one, data, 5000, 0), 5000);
	CHECK_EQ(unread(other), 0);
	CHECK_EQ(send(other, data, 20, 0), 20);
	CHECK(unread(one) >= 5000);
	CHECK_EQ(recv(to, back, BIG, 0), 5000);
	CHECK_EQ(unread(one), 0);
	CHECK(unread(other) >= 20);
	CHECK_EQ(recv(to, back, BIG, 0), 20);
	CHECK_EQ(unread(other), 0);
	n = bound(SOCK_STREAM, PATH "3");
	CHECK_EQ(listen(n, 1), 0);
	CHECK_ERR(ioctl(n, FIONREAD, &n), EINVAL);
	for (int i = 0; i < 4; i++) {
		static const char *const paths[] = { PATH, PATH "1", PATH "2", PATH "3" };

		unlink(paths[i]);
	}
}
