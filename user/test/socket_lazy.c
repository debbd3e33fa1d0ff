/*
 * Sockets with bytes that are still on their way from the disk.
 */
#include "socket.h"
#include "gate.h"
#include "signals.h"

static int ends[2], other[2];

/* n bytes that are on their way are in the socket; the gate is closed. */
static void lazy_socket(int type, size_t n)
{
	loff_t at = 0;

	gate_fill(65536);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(other), 0);
	make_pair(type);
	gate_control("close");
	CHECK_EQ(splice(gate, &at, ends[1], NULL, n, 0), n);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, n, 0), n);
}

//BOOK: test-lazy-chain
BEYOND_TEST(lazy_chain, 20, "file, pipe, socket, pipe, file: nothing waits before bytes are needed",
	    NO_GATE)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	lazy_socket(SOCK_STREAM, 65536);
	unlink(PATH);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	CHECK_EQ(available(s[1]), 0);
	CHECK_ERR(recv(s[1], back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(splice(s[1], NULL, other[1], NULL, 65536, 0), 65536);
	CHECK_EQ(poll_now(other[0], POLLIN), 0);
	child = fork();
	if (child == 0) {
		size_t at = 0;

		while (at < 65536) {
			ssize_t n = splice(other[0], NULL, fd, NULL, 65536 - at, 0);

			CHECK(n > 0);
			at += n;
		}
		_exit(0);
	}
	test_sleep_ms(30);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(fd, back, 65536, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
}

BEYOND_TEST(lazy_receive, 20, "recv of bytes on their way waits; a poller wakes as they arrive",
	    NO_GATE)
{
	struct pollfd p;
	pid_t child;

	lazy_socket(SOCK_STREAM, 20000);
	handle(SIGALRM, on_signal, 0);
	alarm(1);
	CHECK_ERR(recv(s[1], back, 10, 0), EINTR);
	close(s[0]);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	child = fork();
	if (child == 0) {
		test_sleep_ms(50);
		gate_control("open");
		_exit(0);
	}
	p = (struct pollfd){ s[1], POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLIN);
	CHECK_EQ(read_full(s[1], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, SEED, 0), 20000);
	CHECK_EQ(read(s[1], back, 1), 0);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lazy_datagram, 20, "a datagram is there when all of its pages are", NO_GATE)
{
	struct pollfd p;
	pid_t child;

	lazy_socket(SOCK_DGRAM, 65536);
	CHECK_EQ(available(s[1]), 0);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	child = fork();
	if (child == 0) {
		gate_control("reverse");
		_exit(0);
	}
	p = (struct pollfd){ s[1], POLLIN, 0 };
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (child == 0) {
		test_sleep_ms(30);
		gate_control("open");
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(recv(s[1], back, MIB, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lazy_failure, 20, "a read that failed is EIO in its place, and heals", NO_GATE)
{
	lazy_socket(SOCK_STREAM, 4096);
	gate_control("fail 1");
	gate_control("open");
	CHECK_EQ(poll_now(s[1], POLLIN), POLLIN);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EIO);
	CHECK_EQ(read_full(s[1], back, 4096), 4096);
	CHECK_EQ(test_differs(back, 4096, SEED, 0), 4096);
}

BEYOND_TEST(closed_on_their_way, 20, "a socket with bytes on their way can be closed", NO_GATE)
{
	lazy_socket(SOCK_STREAM, 65536);
	close(s[0]);
	close(s[1]);
	gate_control("open");
}
