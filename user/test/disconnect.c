/*
 * Sockets without a peer: datagram sockets that are disconnected, and sockets that are shut down
 * before they are connected.
 */
#include "socket.h"
#include <signal.h>
#include <sys/time.h>

static char back[64];

static int disconnect(int fd)
{
	struct sockaddr name = { .sa_family = AF_UNSPEC };

	return connect(fd, &name, sizeof(name));
}

static int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int error = -1;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

TEST(disconnecting, 5, "connect to AF_UNSPEC takes a datagram socket's peer away")
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	short family = AF_UNSPEC;

	make_pair(SOCK_DGRAM);
	CHECK_EQ(disconnect(s[0]), 0);
	CHECK_ERR(send(s[0], "x", 1, 0), ENOTCONN);
	CHECK_ERR(getpeername(s[0], (void *)&name, &len), ENOTCONN);
	/* Nothing was lost, so the peer is told nothing, and may still send. */
	CHECK_EQ(error_of(s[1]), 0);
	CHECK_EQ(send(s[1], "one", 3, 0), 3);
	CHECK_EQ(recv(s[0], back, 10, 0), 3);
	CHECK_EQ(connect(s[0], (void *)&family, sizeof(family)), 0);
	CHECK_ERR(connect(s[0], (void *)&family, 1), EINVAL);
	CHECK_ERR(connect(s[0], (void *)16, sizeof(family)), EFAULT);
	make_pair(SOCK_STREAM);
	CHECK_ERR(disconnect(s[0]), EINVAL);
	make_pair(SOCK_SEQPACKET);
	CHECK_ERR(disconnect(s[0]), EINVAL);
}

TEST(unread, 5, "what a disconnected socket has not read is lost, and its peer gets ECONNRESET")
{
	make_pair(SOCK_DGRAM);
	CHECK_EQ(send(s[1], "one", 3, 0), 3);
	CHECK_EQ(send(s[1], "two", 3, 0), 3);
	CHECK_EQ(disconnect(s[0]), 0);
	CHECK_ERR(recv(s[0], back, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(poll_now(s[1], POLLIN), POLLERR);
	CHECK_EQ(error_of(s[1]), ECONNRESET);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(told, 5, "ECONNRESET comes before packets, once, from a receive or a send")
{
	make_pair(SOCK_DGRAM);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(send(s[0], "kept", 4, 0), 4);
		CHECK_EQ(send(s[1], "lost", 4, 0), 4);
		CHECK_EQ(disconnect(s[0]), 0);
		if (i == 0)
			CHECK_ERR(recv(s[1], back, 10, 0), ECONNRESET);
		else
			CHECK_ERR(send(s[1], "x", 1, 0), ECONNRESET);
		CHECK_EQ(recv(s[1], back, 10, 0), 4);
		make_pair(SOCK_DGRAM);
	}
}

TEST(reconnected, 5, "another peer is a disconnection as well; the same one is not")
{
	int a = bound(SOCK_DGRAM, PATH), b = bound(SOCK_DGRAM, PATH "2"), c;

	c = bound(SOCK_DGRAM, PATH "3");
	CHECK_EQ(try_connect(a, PATH "2"), 0);
	CHECK_EQ(try_connect(b, PATH), 0);
	CHECK_EQ(send(b, "one", 3, 0), 3);
	CHECK_EQ(try_connect(a, PATH "2"), 0);
	CHECK_EQ(recv(a, back, 10, MSG_DONTWAIT), 3);
	CHECK_EQ(send(b, "two", 3, 0), 3);
	CHECK_EQ(try_connect(a, PATH "3"), 0);
	CHECK_ERR(recv(a, back, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(error_of(b), ECONNRESET);
	CHECK_EQ(error_of(c), 0);
	for (int i = 0; i < 3; i++)
		unlink(i == 0 ? PATH : i == 1 ? PATH "2" : PATH "3");
}

TEST(woken, 10, "ECONNRESET ends the wait of a receiver")
{
	pid_t child;

	make_pair(SOCK_DGRAM);
	CHECK_EQ(send(s[1], "lost", 4, 0), 4);
	child = fork();
	if (child == 0) {
		CHECK_ERR(recv(s[1], back, 10, 0), ECONNRESET);
		_exit(0);
	}
	test_sleep_ms(50);
	CHECK_EQ(disconnect(s[0]), 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(gone, 5, "a send to a peer that has been closed is ECONNREFUSED, and then there is no peer")
{
	make_pair(SOCK_DGRAM);
	CHECK_EQ(send(s[1], "lost", 4, 0), 4);
	close(s[1]);
	CHECK_ERR(send(s[0], "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(s[0], "x", 1, 0), ENOTCONN);
	CHECK_ERR(recv(s[0], back, 10, MSG_DONTWAIT), EAGAIN);
}

TEST(shut_early, 5, "shutdown before connect is 0, and holds for the connection")
{
	int l = bound(SOCK_STREAM, PATH), c = socket(AF_UNIX, SOCK_STREAM, 0), a;

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(listen(l, 3), 0);
	CHECK_EQ(shutdown(c, SHUT_WR), 0);
	CHECK_ERR(shutdown(c, 3), EINVAL);
	CHECK_EQ(poll_now(c, POLLIN | POLLRDHUP), POLLHUP);
	CHECK_ERR(send(c, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_EQ(try_connect(c, PATH), 0);
	a = accept(l, NULL, NULL);
	CHECK_ERR(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERR(write(c, "x", 1), EPIPE);
	CHECK_ERR(recv(a, back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_EQ(recv(c, back, 1, 0), 1);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(shutdown(c, SHUT_RD), 0);
	CHECK_EQ(poll_now(c, POLLIN | POLLRDHUP), POLLIN | POLLRDHUP | POLLHUP);
	CHECK_EQ(try_connect(c, PATH), 0);
	a = accept(l, NULL, NULL);
	CHECK_EQ(recv(c, back, 1, 0), 0);
	CHECK_ERR(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK_EQ(shutdown(c, SHUT_RDWR), 0);
	CHECK_ERR(recv(c, back, 1, 0), ENOTCONN);
	unlink(PATH);
}
