/*
 * Sockets and splice: the bytes of a socket go to pipes and come from pipes and files.
 */
#include "socket.h"
#include <sys/sendfile.h>

#define SEED 21
#define BIG  (1 << 20)

static int ends[2];
static char data[BIG], back[BIG];

TEST(splice_out, 5, "a socket's bytes go into a pipe, in parts too; the socket's end is the end")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, 20000, SEED, 0);
	CHECK_EQ(write(s[0], data, 20000), 20000);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 100, 0), 100);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 19900, 0), 19900);
	CHECK_EQ(read_full(ends[0], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, SEED, 0), 20000);
	CHECK_ERR(splice(s[1], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	close(s[0]);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 1, 0), 0);
}

TEST(splice_in, 10,
     "a pipe's bytes go into a socket; EAGAIN when it is full, EPIPE when it is closed")
{
	size_t written = 0, total = 0;
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, BIG, SEED, 0);
	do {
		CHECK_EQ(write(ends[1], data + written, 8192), 8192);
		written += 8192;
		n = splice(ends[0], NULL, s[0], NULL, 8192, 0);
		total += n > 0 ? n : 0;
	} while (n > 0);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 8192, 0), EAGAIN);
	CHECK(total >= 32768);
	CHECK_EQ(available(ends[0]), written - total);
	CHECK_EQ(read_full(s[1], back, total), total);
	CHECK_EQ(test_differs(back, total, SEED, 0), total);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 1000, 0), 1000);
	CHECK_EQ(read_full(s[1], back, 1000), 1000);
	CHECK_EQ(test_differs(back, 1000, SEED, total), 1000);
	close(s[1]);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1000, 0), EPIPE);
	CHECK_EQ(available(ends[0]), written - total - 1000);
}

TEST(no_reader_first, 5, "a pipe without a reader is an error before the socket has any bytes")
{
	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	close(ends[0]);
	CHECK_ERR(splice(s[1], NULL, ends[1], NULL, 1, 0), EPIPE);
}

TEST(end_without_peer, 5,
     "the end of a pipe or file is an end, though the socket has lost its peer")
{
	int file = open("/tmp/end_without_peer", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 0;

	CHECK(file >= 0);
	CHECK_EQ(unlink("/tmp/end_without_peer"), 0);
	CHECK_EQ(write(file, "byte", 4), 4);
	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	close(ends[1]);
	close(s[1]);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 1, 0), 0);
	CHECK_EQ(sendfile(s[0], file, NULL, 1), 0);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(sendfile(s[0], file, &at, 1), EPIPE);
}

TEST(errors_of_packets, 5, "splice to a packet socket reports the errors that a send reports")
{
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "bytes", 5), 5);
	make_pair(SOCK_DGRAM);
	close(s[1]);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1, 0), ECONNREFUSED);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1, 0), ENOTCONN);
	close(s[0]);
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(write(s[0], "unread", 6), 6);
	close(s[1]);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1, 0), ECONNRESET);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1, 0), EPIPE);
	CHECK_EQ(available(ends[0]), 5);
}

TEST(other_peer, 5, "splice sends no datagram to a socket that has another peer")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0other_peer" };
	socklen_t len = sizeof(sa_family_t) + 11;
	int sender = socket(AF_UNIX, SOCK_DGRAM, 0), target = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_EQ(bind(target, (struct sockaddr *)&name, len), 0);
	CHECK_EQ(connect(sender, (struct sockaddr *)&name, len), 0);
	name.sun_path[1] = 'a';
	s[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK_EQ(bind(s[0], (struct sockaddr *)&name, len), 0);
	CHECK_EQ(connect(target, (struct sockaddr *)&name, len), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "byte", 4), 4);
	CHECK_ERR(splice(ends[0], NULL, sender, NULL, 4, 0), EPERM);
	CHECK_EQ(available(ends[0]), 4);
}

TEST(timeouts, 20, "the timeouts of a socket end a splice and a sendfile, too")
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM };
	struct timeval timeout = { .tv_usec = 50000 };
	int file = open("/tmp/timeouts", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK_EQ(unlink("/tmp/timeouts"), 0);
	CHECK_EQ(write(file, "byte", 4), 4);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 3; i++) {
		make_pair(types[i]);
		CHECK_EQ(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
		CHECK_EQ(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
		CHECK_ERR(splice(s[0], NULL, ends[1], NULL, 1, 0), EAGAIN);
		while (send(s[0], data, 4096, MSG_DONTWAIT) > 0)
			;
		while (send(s[0], data, 1, MSG_DONTWAIT) > 0)
			;
		/* Linux takes a few spliced bytes when it takes no sent ones any more. */
		do
			CHECK_EQ(write(ends[1], "byte", 4), 4);
		while (splice(ends[0], NULL, s[0], NULL, 4, 0) == 4);
		CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 4, 0), EAGAIN);
		CHECK_ERR(sendfile(s[0], file, NULL, 4), EAGAIN);
		CHECK_EQ(read(ends[0], back, 4), 4);
		close(s[0]);
		close(s[1]);
	}
}

static void on_alarm(int number)
{
}

TEST(interrupted, 20, "a splice with a timeout of a socket is not started again after a signal")
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval alarm = { .it_value.tv_usec = 50000 };
	struct timeval timeout = { .tv_sec = 10 };

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &alarm, NULL), 0);
	CHECK_ERR(splice(s[0], NULL, ends[1], NULL, 1, 0), EINTR);
}

/* from[0] and to[0] are read, from[1] and to[1] written. */
//BOOK: test-part-of-a-page
static void splice_half(const int from[2], const int to[2])
{
	CHECK_EQ(write(from[1], "12345678", 8), 8);
	CHECK_EQ(splice(from[0], NULL, to[1], NULL, 4, 0), 4);
	CHECK_EQ(write(to[1], "abcd", 4), 4);
	CHECK_EQ(read(from[0], back, 10), 4);
	CHECK(!memcmp(back, "5678", 4));
	CHECK_EQ(read_full(to[0], back, 8), 8);
	CHECK(!memcmp(back, "1234abcd", 8));
}

TEST(part_of_a_page, 5, "what is sent after half of a page was spliced spoils neither half")
{
	int stream[2];

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	stream[0] = s[1];
	stream[1] = s[0];
	splice_half(ends, stream);
	splice_half(stream, ends);
}

TEST(send_file, 20, "sendfile to a socket gives the file's bytes, waiting for room")
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	CHECK_EQ(write_full(fd, data, BIG), BIG);
	unlink(PATH);
	child = fork();
	if (child == 0) {
		off_t at = 0;

		while (at < BIG)
			CHECK(sendfile(s[0], fd, &at, BIG - at) > 0);
		_exit(0);
	}
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(test_wait(child), 0);
}

//BOOK: test-socket-snapshot
BEYOND_TEST(snapshot, 5, "bytes of a file in a socket do not change when the file is written to",
	    "in Linux a later write shows through")
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	loff_t at = 0;

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, 8192, SEED, 0);
	CHECK_EQ(write(fd, data, 8192), 8192);
	unlink(PATH);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 8192, 0), 8192);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 8192, 0), 8192);
	memset(back, 'X', 8192);
	CHECK_EQ(pwrite(fd, back, 8192, 0), 8192);
	CHECK_EQ(read_full(s[1], back, 8192), 8192);
	CHECK_EQ(test_differs(back, 8192, SEED, 0), 8192);
}

/* Splice to the socket until there is no room. 4096 bytes stay in the pipe. */
static void fill_socket(void)
{
	ssize_t n;

	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	do {
		CHECK_EQ(write(ends[1], data, 4096), 4096);
		n = splice(ends[0], NULL, s[0], NULL, 4096, 0);
	} while (n == 4096);
	CHECK_EQ(n, -1);
	CHECK_EQ(fcntl(s[0], F_SETFL, 0), 0);
}

/* A child that splices 4096 bytes with SPLICE_F_NONBLOCK. It is waiting. */
static pid_t waiting_splice(int in, int out)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child)
		_exit(splice(in, NULL, out, NULL, 4096, SPLICE_F_NONBLOCK) != 4096);
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	return child;
}

static void drain_socket(void)
{
	while (recv(s[1], back, BIG, MSG_DONTWAIT) > 0)
		;
}

TEST(nonblocking_pipe_waits_for_socket, 20,
     "O_NONBLOCK of a pipe and SPLICE_F_NONBLOCK do not bind a full socket; its own O_NONBLOCK does")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int i = 0; i < 2; i++) {
		pid_t child;

		make_pair(types[i]);
		CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
		fill_socket();
		child = waiting_splice(ends[0], s[0]);
		drain_socket();
		CHECK_EQ(test_wait(child), 0);
		fill_socket();
		CHECK_EQ(fcntl(ends[0], F_SETFL, 0), 0);
		CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
		CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 4096, 0), EAGAIN);
	}
}

TEST(nonblocking_socket_waits_for_pipe, 20,
     "O_NONBLOCK of a socket does not bind an empty pipe or a full one")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (!child) {
		test_sleep_ms(50);
		_exit(write(ends[1], "pipe", 4) != 4);
	}
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 4096, 0), 4);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(write(s[1], "socket", 6), 6);
	CHECK_EQ(write(ends[1], data, 65536), 65536);
	child = fork();
	if (!child) {
		test_sleep_ms(50);
		_exit(read_full(ends[0], back, 65536) != 65536);
	}
	CHECK_EQ(splice(s[0], NULL, ends[1], NULL, 4096, 0), 6);
	CHECK_EQ(test_wait(child), 0);
	/* And a socket that is read is bound by all three. */
	CHECK_ERR(splice(s[0], NULL, ends[1], NULL, 4096, 0), EAGAIN);
	CHECK_EQ(fcntl(s[0], F_SETFL, 0), 0);
	CHECK_ERR(splice(s[0], NULL, ends[1], NULL, 4096, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(splice(s[0], NULL, ends[1], NULL, 4096, 0), EAGAIN);
}

static void do_nothing(int sig)
{
}

/* Returns a child whose splice has taken a datagram for which the pipe has no room. */
static pid_t splice_without_room(void)
{
	int status = -1;
	pid_t child, writer;

	make_pair(SOCK_DGRAM);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (!child) {
		signal(SIGUSR1, do_nothing);
		siginterrupt(SIGUSR1, 1);
		_exit(splice(s[1], NULL, ends[1], NULL, 4096, 0) != 8);
	}
	/*
	 * The splice has found room, and waits for the datagram. Where it locks the pipe, a write
	 * hangs.
	 */
	test_sleep_ms(100);
	writer = fork();
	if (!writer)
		_exit(write(ends[1], data, 65536) != 65536);
	for (int ms = 0; ms < 2000 && waitpid(writer, &status, WNOHANG) == 0; ms += 20)
		test_sleep_ms(20);
	CHECK_EQ(status, 0);
	CHECK_EQ(send(s[0], "datagram", 8, 0), 8);
	while (poll_now(s[1], POLLIN) == POLLIN)
		test_sleep_ms(5);
	test_sleep_ms(100);
	return child;
}

#define HOLDS_THE_PIPE "Linux keeps the pipe locked while a splice waits for its source"

BEYOND_TEST(taken_packet_waits, 10,
	    "a datagram that a splice has taken waits for room in the pipe, whatever signal comes",
	    HOLDS_THE_PIPE)
{
	pid_t child = splice_without_room();

	CHECK_EQ(kill(child, SIGUSR1), 0);
	test_sleep_ms(100);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK_EQ(read_full(ends[0], back, 65536), 65536);
	CHECK_EQ(read(ends[0], back, 65536), 8);
	CHECK(!memcmp(back, "datagram", 8));
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(killed_without_room, 10, "a kill ends a splice whose datagram waits for room",
	    HOLDS_THE_PIPE)
{
	pid_t child = splice_without_room();
	int status = 0;

	CHECK_EQ(kill(child, SIGKILL), 0);
	for (int ms = 0; ms < 2000 && waitpid(child, &status, WNOHANG) == 0; ms += 20)
		test_sleep_ms(20);
	CHECK_EQ(status, SIGKILL);
}
