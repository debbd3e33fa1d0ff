/*
 * AF_UNIX stream sockets: bytes, room, ends, and waiting for each of them.
 */
#include "socket.h"
#include "signals.h"

#define SEED 21
#define BIG  (1 << 20)

static char data[BIG], back[BIG];

TEST(pair, 5, "a pair of stream sockets carries bytes both ways, without borders")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(send(s[0], "world", 5, 0), 5);
	CHECK_EQ(available(s[1]), 10);
	CHECK_EQ(read(s[1], back, 3), 3);
	CHECK_EQ(recv(s[1], back + 3, 100, 0), 7);
	CHECK(!memcmp(back, "helloworld", 10));
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], back, 100), 4);
	CHECK_ERR(recv(s[0], back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(read(s[0], back, 0), 0);
}

TEST(big, 20, "a MiB goes through to a reader in another process, whatever the sizes")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	child = fork();
	if (child == 0) {
		size_t at = 0, n = 1;

		close(s[1]);
		while (at < BIG) {
			n = n * 7 % 9973 + (n % 5 == 0 ? 70000 : 0);
			n = n < BIG - at ? n : BIG - at;
			CHECK_EQ(write(s[0], data + at, n), n);
			at += n;
		}
		_exit(0);
	}
	close(s[0]);
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(read(s[1], back, 1), 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(small_writes_share_a_page, 10, "thousands of one-byte writes fit, and come back in order")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	test_fill(data, 250, SEED, 0);
	for (int i = 0; i < 250; i++)
		CHECK_EQ(write(s[0], data + i, 1), 1);
	CHECK_EQ(available(s[1]), 250);
	CHECK_EQ(read(s[1], back, 1000), 250);
	CHECK_EQ(test_differs(back, 250, SEED, 0), 250);
}

//BOOK: test-bytes-cost-bytes
BEYOND_TEST(bytes_cost_bytes, 10, "100,000 one-byte writes fit into a socket's buffer",
	    "Linux counts some 700 bytes of memory for each")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	test_fill(data, 100000, SEED, 0);
	for (int i = 0; i < 100000; i++)
		CHECK_EQ(write(s[0], data + i, 1), 1);
	CHECK_EQ(read(s[1], back, BIG), 100000);
	CHECK_EQ(test_differs(back, 100000, SEED, 0), 100000);
}

TEST(full, 10, "a full socket says EAGAIN and no POLLOUT; reading makes room")
{
	size_t total = 0;
	ssize_t n;

	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), POLLOUT);
	while ((n = write(s[0], data, 65536)) > 0)
		total += n;
	CHECK(total >= 100000 && total <= 300000);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), 0);
	CHECK_ERR(send(s[0], data, 1, 0), EAGAIN);
	CHECK_EQ(read_full(s[1], back, total), total);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(s[0], data, 1), 1);
}

TEST(writable, 10, "POLLOUT comes back once at most a quarter of the send buffer is in use")
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	int size;
	socklen_t len = sizeof(size);

	for (int i = 0; i < 3; i++) {
		size_t total = 0;

		make_pair(types[i] | SOCK_NONBLOCK);
		CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
		while (write(s[0], data, 16384) == 16384)
			total += 16384;
		while (total > size / 2) {
			CHECK_EQ(poll_now(s[0], POLLOUT), 0);
			total -= read(s[1], back, 16384);
		}
		/* There is room for a send, but not enough for poll to say so. */
		CHECK_EQ(poll_now(s[0], POLLOUT), 0);
		CHECK_EQ(write(s[0], data, 1), 1);
		while (total > size / 8)
			total -= read(s[1], back, 16384);
		CHECK_EQ(poll_now(s[0], POLLOUT), POLLOUT);
		close(s[0]);
		close(s[1]);
	}
}

TEST(peek_and_waitall, 10, "MSG_PEEK takes nothing; MSG_WAITALL waits for all")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, 10000, SEED, 0);
	CHECK_EQ(write(s[0], data, 6000), 6000);
	CHECK_EQ(write(s[0], data + 6000, 100), 100);
	CHECK_EQ(recv(s[1], back, 10, MSG_PEEK), 10);
	CHECK_EQ(recv(s[1], back, BIG, MSG_PEEK), 6100);
	CHECK_EQ(test_differs(back, 6100, SEED, 0), 6100);
	child = fork();
	if (child == 0) {
		test_sleep_ms(50);
		_exit(write(s[0], data + 6100, 3900) != 3900);
	}
	CHECK_EQ(recv(s[1], back, 10000, MSG_WAITALL), 10000);
	CHECK_EQ(test_differs(back, 10000, SEED, 0), 10000);
	CHECK_EQ(test_wait(child), 0);
}

TEST(closed_peer, 10, "EPIPE with SIGPIPE, or without; the end of file; POLLHUP")
{
	handle(SIGPIPE, on_signal, 0);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[1], "last", 4), 4);
	close(s[1]);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(hits, 1);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(hits, 1);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLRDHUP | POLLOUT),
		 POLLIN | POLLRDHUP | POLLHUP | POLLOUT);
	CHECK_EQ(read(s[0], back, 100), 4);
	CHECK_EQ(read(s[0], back, 100), 0);
}

TEST(unread_is_reset, 5, "a peer that closes with unread bytes is told of: ECONNRESET, once")
{
	int error = -1;
	socklen_t len = sizeof(error);

	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "x", 1), 1);
	close(s[1]);
	CHECK(poll_now(s[0], POLLIN) & POLLERR);
	CHECK_ERR(read(s[0], back, 1), ECONNRESET);
	CHECK_EQ(read(s[0], back, 1), 0);
	close(s[0]);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "x", 1), 1);
	close(s[1]);
	CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &len), 0);
	CHECK_EQ(error, ECONNRESET);
	CHECK_EQ(read(s[0], back, 1), 0);
}

TEST(shutting_down, 5, "shutdown ends one direction or both")
{
	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "end", 3), 3);
	CHECK_ERR(shutdown(s[0], 3), EINVAL);
	CHECK_EQ(shutdown(s[0], SHUT_WR), 0);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(poll_now(s[1], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(read(s[1], back, 10), 3);
	CHECK_EQ(read(s[1], back, 10), 0);
	CHECK_EQ(write(s[1], "still", 5), 5);
	CHECK_EQ(read(s[0], back, 10), 5);
	CHECK_EQ(shutdown(s[0], SHUT_RD), 0);
	CHECK_ERR(write(s[1], "x", 1), EPIPE);
	CHECK_EQ(read(s[0], back, 10), 0);
	CHECK(poll_now(s[0], 0) & POLLHUP);
}

TEST(sleepers, 20, "a sleeping reader wakes for bytes, for the end, and for a signal")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	child = fork();
	if (child == 0) {
		close(s[0]);
		handle(SIGALRM, on_signal, 0);
		CHECK_EQ(read(s[1], back, 10), 2);
		alarm(1);
		CHECK_ERR(read(s[1], back, 10), EINTR);
		CHECK_EQ(write(s[1], "ok", 2), 2);
		CHECK_EQ(read(s[1], back, 10), 0);
		_exit(0);
	}
	close(s[1]);
	test_sleep_ms(30);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(read(s[0], back, 10), 2);
	test_sleep_ms(30);
	close(s[0]);
	CHECK_EQ(test_wait(child), 0);
}

TEST(blocked_writer, 20, "a writer that waits for room goes on as the other end reads")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	child = fork();
	if (child == 0)
		_exit(write(s[0], data, BIG) != BIG);
	close(s[0]);
	test_sleep_ms(30);
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(test_wait(child), 0);
}

TEST(bad_memory, 5, "EFAULT loses no byte")
{
	make_pair(SOCK_STREAM);
	CHECK_ERR(write(s[0], (void *)4096, 10), EFAULT);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_ERR(write(s[0], (void *)4096, 10), EFAULT);
	CHECK_ERR(read(s[1], (void *)4096, 10), EFAULT);
	CHECK_EQ(read(s[1], back, 10), 3);
	CHECK(!memcmp(back, "abc", 3));
}
