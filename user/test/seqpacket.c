/*
 * Sequenced packets: connections as streams have them, messages with borders as datagrams have
 * them. And what sends of no bytes do on every kind of socket.
 */
#include "socket.h"

#define SEED   5
#define EVENTS (POLLIN | POLLOUT | POLLRDHUP)

static char data[200000], back[200000];

TEST(borders, 5, "packets keep their borders; what does not fit is cut off, and said so")
{
	struct iovec room = { back, 3 };
	struct msghdr message = { .msg_iov = &room, .msg_iovlen = 1 };

	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(send(s[0], "first", 5, 0), 5);
	CHECK_EQ(send(s[0], "second", 6, MSG_EOR), 6);
	CHECK_EQ(write(s[0], "third", 5), 5);
	CHECK_EQ(recv(s[1], back, 100, 0), 5);
	CHECK_EQ(recvmsg(s[1], &message, 0), 3);
	CHECK_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_EQ(memcmp(back, "sec", 3), 0);
	CHECK_EQ(read(s[1], back, 100), 5);
	CHECK_ERR(recv(s[1], back, 100, MSG_DONTWAIT), EAGAIN);
}

TEST(addresses, 5, "a connected socket sends to its peer, whatever family an address is of")
{
	struct sockaddr_storage other = { .ss_family = AF_INET6 };

	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(sendto(s[0], "x", 1, 0, (void *)&other, sizeof(other)), 1);
	CHECK_EQ(sendto(s[0], "y", 1, 0, (void *)&other, 1), 1);
	CHECK_ERR(sendto(s[0], "x", 1, 0, (void *)&other, sizeof(other) + 1), EINVAL);
	CHECK_ERR(sendto(s[0], "x", 1, 0, (void *)16, sizeof(other)), EFAULT);
	CHECK_EQ(recv(s[1], back, 2, 0), 1);
	CHECK_EQ(back[0], 'x');
	CHECK_EQ(recv(s[1], back, 2, 0), 1);
	CHECK_ERR(recv(s[1], back, 2, MSG_DONTWAIT), EAGAIN);
	make_pair(SOCK_STREAM);
	CHECK_ERR(sendto(s[0], "x", 1, 0, (void *)&other, sizeof(other)), EISCONN);
	CHECK_ERR(sendto(s[0], "x", 1, 0, (void *)16, sizeof(other)), EFAULT);
}

TEST(large, 10, "a packet of many pages arrives whole, also to memory that is not there yet")
{
	char *fresh = mmap(NULL, sizeof(data), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * SEED;
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(send(s[0], data, 150001, 0), 150001);
	CHECK_EQ(recv(s[1], fresh, sizeof(data), 0), 150001);
	CHECK_EQ(memcmp(fresh, data, 150001), 0);
	CHECK_EQ(send(s[0], data, 150001, 0), 150001);
	CHECK_EQ(recv(s[1], back, 10, MSG_TRUNC), 150001);
	CHECK_EQ(recv(s[1], back, 10, MSG_DONTWAIT), -1);
}

TEST(connecting, 10, "bind, listen, connect, accept; the other kinds are refused")
{
	struct sockaddr_un name = { AF_UNIX, PATH }, told;
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), accepted;
	int client = socket(AF_UNIX, SOCK_SEQPACKET, 0), stream = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(told);

	unlink(PATH);
	CHECK_EQ(bind(listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_ERR(connect(stream, (void *)&name, sizeof(name)), EPROTOTYPE);
	CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(recv(client, back, 1, 0), ENOTCONN);
	CHECK_EQ(connect(client, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(send(client, "early", 5, 0), 5);
	accepted = accept(listener, NULL, NULL);
	CHECK(accepted >= 0);
	CHECK_EQ(recv(accepted, back, 100, 0), 5);
	CHECK_EQ(getpeername(client, (void *)&told, &len), 0);
	CHECK_EQ(strcmp(told.sun_path, PATH), 0);
	CHECK_EQ(sendto(client, "to", 2, 0, (void *)&name, sizeof(name)), 2);
	CHECK_EQ(recv(accepted, back, 100, 0), 2);
	unlink(PATH);
}

TEST(ends, 5, "the end of the connection, on both sides")
{
	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(poll_now(s[0], EVENTS), POLLOUT);
	CHECK_EQ(send(s[0], "last", 4, 0), 4);
	CHECK_EQ(close(s[0]), 0);
	CHECK(poll_now(s[1], EVENTS) & POLLHUP);
	CHECK_EQ(recv(s[1], back, 100, 0), 4);
	CHECK_EQ(recv(s[1], back, 100, 0), 0);
	CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(shutdown(s[0], SHUT_WR), 0);
	CHECK_EQ(recv(s[1], back, 100, 0), 0);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(send(s[1], "x", 1, 0), 1);
	CHECK_EQ(recv(s[0], back, 100, 0), 1);
}

TEST(unread_is_reset, 5, "a peer that closes with unread packets: ECONNRESET, once")
{
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(send(s[0], "unread", 6, 0), 6);
	close(s[1]);
	CHECK_ERR(recv(s[0], back, 10, 0), ECONNRESET);
	CHECK_EQ(recv(s[0], back, 10, 0), 0);
}

TEST(no_bytes, 5, "a send of no bytes: a packet without bytes, or nothing in a stream")
{
	for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
		make_pair(type);
		CHECK_EQ(send(s[0], NULL, 0, 0), 0);
		CHECK_EQ(poll_now(s[1], EVENTS), POLLIN | POLLOUT);
		CHECK_EQ(recv(s[1], back, 10, MSG_DONTWAIT), 0);
		CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
	}
	make_pair(SOCK_STREAM);
	CHECK_EQ(send(s[0], NULL, 0, 0), 0);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
	close(s[0]);
	CHECK_ERR(send(s[1], NULL, 0, MSG_NOSIGNAL), EPIPE);
}

TEST(full, 10, "a full socket says EAGAIN and no POLLOUT; reading wakes a sleeping sender")
{
	pid_t child;
	ssize_t n;

	make_pair(SOCK_SEQPACKET);
	while ((n = send(s[0], data, 4096, MSG_DONTWAIT)) == 4096)
		;
	CHECK_EQ(n, -1);
	CHECK_EQ(poll_now(s[0], EVENTS) & POLLOUT, 0);
	child = fork();
	if (child == 0)
		_exit(send(s[0], data, 4096, 0) != 4096);
	test_sleep_ms(50);
	while (recv(s[1], back, 4096, MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(test_wait(child), 0);
	CHECK(poll_now(s[0], EVENTS) & POLLOUT);
}

TEST(abstract, 5,
     "a name that begins with a NUL is not in the file system, and goes with its socket")
{
	struct sockaddr_un name = { AF_UNIX, "\0one\0two" }, told;
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 8, told_len = sizeof(told);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(bind(listener, (void *)&name, len), 0);
	CHECK_ERR(bind(second, (void *)&name, len), EADDRINUSE);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_ERR(connect(client, (void *)&name, len - 1), ECONNREFUSED);
	CHECK_EQ(connect(client, (void *)&name, len), 0);
	CHECK_EQ(getpeername(client, (void *)&told, &told_len), 0);
	CHECK_EQ(told_len, len);
	CHECK_EQ(memcmp(&told, &name, len), 0);
	close(listener);
	CHECK_EQ(bind(second, (void *)&name, len), 0);
}
