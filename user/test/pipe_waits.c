/*
 * Waiting for a pipe: readers, writers and pollers sleep, and wake for bytes, room, ends and
 * signals.
 */
#include "pipe.h"
#include "signals.h"
#include <sys/resource.h>
#include <sys/select.h>

TEST(broken_pipe, 5, "no reader: SIGPIPE and EPIPE at once, whatever is in the pipe")
{
	make_pipe(0);
	handle(SIGPIPE, on_signal, 0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	close(ends[0]);
	CHECK_ERR(write(ends[1], "d", 1), EPIPE);
	CHECK_EQ(hits, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(ends[1], big, CAPACITY), EPIPE);
}

TEST(sigpipe_kills, 5, "SIGPIPE's default action ends the process")
{
	pid_t child;

	make_pipe(0);
	close(ends[0]);
	child = fork();
	if (!child) {
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGPIPE);
}

TEST(reader_waits, 10, "a reader sleeps until a byte comes")
{
	pid_t child;
	long long start = test_ms();

	make_pipe(0);
	child = fork();
	if (!child) {
		test_sleep_ms(200);
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], back, 10), 1);
	CHECK(test_ms() - start >= 190);
	CHECK_EQ(test_wait(child), 0);
}

TEST(writer_waits, 10, "a blocking write of many times the capacity goes through whole")
{
	size_t total = sizeof(big);
	pid_t child;

	make_pipe(0);
	child = fork();
	if (!child) {
		close(ends[0]);
		test_fill(big, total, 3, 0);
		_exit(write(ends[1], big, total) != (ssize_t)total);
	}
	close(ends[1]);
	test_sleep_ms(50);
	CHECK_EQ(read_full(ends[0], back, total), total);
	CHECK_EQ(test_differs(back, total, 3, 0), total);
	CHECK_EQ(test_wait(child), 0);
}

TEST(close_wakes_readers, 10, "closing the last writer wakes every reader")
{
	pid_t children[3];

	make_pipe(0);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			close(ends[1]);
			_exit(read(ends[0], back, 1) != 0);
		}
	}
	test_sleep_ms(100);
	close(ends[1]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

TEST(close_wakes_writers, 10, "closing the last reader wakes every writer with EPIPE")
{
	pid_t children[3];

	make_pipe(0);
	fill();
	CHECK_EQ(fcntl(ends[1], F_SETFL, 0), 0);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			close(ends[0]);
			signal(SIGPIPE, SIG_IGN);
			_exit(!(write(ends[1], big, 10) == -1 && errno == EPIPE));
		}
	}
	test_sleep_ms(100);
	close(ends[0]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

/*
 * Start a process that sends SIGUSR1 to this one, and then writes a byte to the pipe if `writes`.
 */
static pid_t interrupt_soon(bool writes)
{
	pid_t parent = getpid(), child = fork();

	if (child)
		return child;
	test_sleep_ms(100);
	kill(parent, SIGUSR1);
	test_sleep_ms(100);
	if (writes)
		write(ends[1], "y", 1);
	_exit(0);
}

TEST(interrupted, 10, "a signal interrupts a sleeping read: EINTR, or a restart with SA_RESTART")
{
	pid_t child;

	make_pipe(0);
	handle(SIGUSR1, on_signal, 0);
	child = interrupt_soon(false);
	CHECK_ERR(read(ends[0], back, 1), EINTR);
	test_wait(child);
	handle(SIGUSR1, on_signal, SA_RESTART);
	hits = 0;
	child = interrupt_soon(true);
	CHECK_EQ(read(ends[0], back, 1), 1);
	CHECK_EQ(hits, 1);
	test_wait(child);
}

TEST(interrupted_write_is_short, 10, "a signal after a part was written returns that part")
{
	pid_t child;

	make_pipe(0);
	handle(SIGUSR1, on_signal, 0);
	child = interrupt_soon(false);
	CHECK_EQ(write(ends[1], big, 2 * CAPACITY), CAPACITY);
	test_wait(child);
}

TEST(poll_bits, 10,
     "POLLIN with data, POLLHUP without writers, POLLOUT with room, POLLERR without readers")
{
	make_pipe(0);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_EQ(read(ends[0], back, 1), 1);
	fill();
	CHECK_EQ(poll_now(ends[1], POLLOUT), 0);
	CHECK_EQ(read(ends[0], back, PIPE_BUF_SIZE), PIPE_BUF_SIZE);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
	close(ends[1]);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY - PIPE_BUF_SIZE);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLHUP);
	make_pipe(0);
	close(ends[0]);
	CHECK_EQ(poll_now(ends[1], POLLOUT) & POLLERR, POLLERR);
}

TEST(full_without_reader, 5, "a full pipe that nobody reads is in error, but not writable")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(fill(), CAPACITY);
	close(ends[0]);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLERR);
}

TEST(pollout_means_room, 5, "after POLLOUT a write of PIPE_BUF does not wait")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(fill(), CAPACITY);
	for (int i = 0; i < 16; i++) {
		while (!(poll_now(ends[1], POLLOUT) & POLLOUT))
			CHECK_EQ(read(ends[0], back, 64), 64);
		CHECK_EQ(write(ends[1], big, PIPE_BUF_SIZE), PIPE_BUF_SIZE);
	}
}

TEST(poll_wakes, 10, "a poller sleeps until data comes, and its timeout holds")
{
	struct pollfd p;
	long long start;
	pid_t child;

	make_pipe(0);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	start = test_ms();
	CHECK_EQ(poll(&p, 1, 150), 0);
	CHECK(test_ms() - start >= 145);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, 8000), 1);
	CHECK_EQ(p.revents, POLLIN);
	test_wait(child);
}

TEST(select_and_ppoll, 10, "select, pselect and ppoll see the same as poll")
{
	struct timeval wait = { 0, 50000 };
	struct timespec short_wait = { 0, 50000000 };
	struct pollfd p;
	fd_set in, out;

	make_pipe(0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &out);
	CHECK_EQ(select(ends[1] + 1, &in, &out, NULL, &wait), 1);
	CHECK(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
	FD_SET(ends[0], &in);
	CHECK_EQ(pselect(ends[0] + 1, &in, NULL, NULL, &short_wait, NULL), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	FD_SET(ends[0], &in);
	CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, NULL), 1);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(ppoll(&p, 1, &short_wait, NULL), 1);
	CHECK_ERR(select(-1, &in, NULL, NULL, NULL), EINVAL);
	p.fd = 900;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLNVAL);
	p.fd = -1;
	CHECK_EQ(poll(&p, 1, 0), 0);
}

#define MANY 40000

TEST(many_descriptors, 10, "poll and select take tens of thousands of descriptors")
{
	static struct pollfd fds[MANY];
	static unsigned char set[MANY / 8 + 1];
	struct rlimit limit;

	make_pipe(0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MANY + 1;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < MANY; i++)
		fds[i] = (struct pollfd){ ends[i % 2], POLLIN | POLLOUT, 0 };
	CHECK_EQ(poll(fds, MANY, -1), MANY / 2);
	CHECK_EQ(fds[MANY - 2].revents, 0);
	CHECK_EQ(fds[MANY - 1].revents, POLLOUT);
	CHECK_EQ(dup2(ends[1], MANY), MANY);
	set[MANY / 8] = 1 << MANY % 8;
	CHECK_EQ(select(MANY + 1, NULL, (fd_set *)set, NULL, NULL), 1);
	CHECK_EQ(set[MANY / 8], 1 << MANY % 8);
}

TEST(nonblock_while_in_use, 5, "O_NONBLOCK set later concerns the next call")
{
	make_pipe(0);
	nonblocking(ends[0]);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(read(ends[0], back, 1), 1);
}

TEST(fifo_hangup, 5, "a FIFO shows POLLHUP only after it has had a writer")
{
	char path[] = "/tmp/fifo-test";
	int reader, writer;

	unlink(path);
	CHECK_EQ(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(reader >= 0);
	CHECK_EQ(poll_now(reader, POLLIN), 0);
	writer = open(path, O_WRONLY);
	CHECK(writer >= 0);
	CHECK_EQ(poll_now(reader, POLLIN), 0);
	close(writer);
	CHECK_EQ(poll_now(reader, POLLIN), POLLHUP);
	unlink(path);
}

TEST(fifo_opens, 10, "a FIFO's open waits for the other side, ENXIO and O_RDWR as they should")
{
	char path[] = "/tmp/fifo-test";
	int fd, child, both;

	unlink(path);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(fd >= 0);
	close(fd);
	both = open(path, O_RDWR);
	CHECK(both >= 0);
	CHECK_EQ(write(both, "x", 1), 1);
	CHECK_EQ(read(both, back, 10), 1);
	close(both);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		fd = open(path, O_WRONLY);
		_exit(write(fd, "hello", 5) != 5);
	}
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read_full(fd, back, 100), 5);
	CHECK_EQ(test_wait(child), 0);
	close(fd);
	CHECK_EQ(unlink(path), 0);
}
