/*
 * Opening a pipe again by its name in /proc/self/fd, as shells do with /dev/fd/N and /dev/stdin.
 */
#include "user/test/test.h"

static int reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static int events_of(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

TEST(reader, 5, "a reader opens a pipe again without waiting, whether there is a writer or not")
{
	int ends[2], again;
	char text[8];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "abcdef", 6), 6);
	CHECK((again = reopen(ends[0], O_RDONLY)) >= 0);
	CHECK_EQ(read(again, text, 2), 2);
	close(again);
	close(ends[1]);
	CHECK((again = reopen(ends[0], O_RDONLY)) >= 0);
	CHECK_EQ(read(again, text, sizeof(text)), 4);
	CHECK(!memcmp(text, "cdef", 4));
	CHECK_EQ(read(again, text, sizeof(text)), 0);
	/* Unlike a FIFO's, this reader's end of file is certain at once. */
	CHECK((again = reopen(ends[0], O_RDONLY | O_NONBLOCK)) >= 0);
	CHECK_EQ(events_of(again), POLLHUP);
}

TEST(writer, 5, "a writer opens a pipe again without waiting, and finds EPIPE without a reader")
{
	int ends[2], again, all;
	char text[8];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pipe(ends), 0);
	CHECK((again = reopen(ends[1], O_WRONLY)) >= 0);
	CHECK_EQ(write(again, "abc", 3), 3);
	CHECK_EQ(read(ends[0], text, 8), 3);
	close(again);
	close(ends[0]);
	CHECK((again = reopen(ends[1], O_WRONLY)) >= 0);
	CHECK_ERR(write(again, "abc", 3), EPIPE);
	CHECK((again = reopen(ends[1], O_WRONLY | O_NONBLOCK)) >= 0);
	CHECK_ERR(write(again, "abc", 3), EPIPE);
	/* Root may open either end in either way. */
	CHECK((all = reopen(ends[1], O_RDWR)) >= 0);
	CHECK_EQ(write(again, "abc", 3), 3);
	CHECK_EQ(read(all, text, 8), 3);
}

TEST(counts, 5, "an end that was opened again counts: the other side ends with the last one")
{
	int ends[2], again;
	char byte;

	CHECK_EQ(pipe(ends), 0);
	CHECK((again = reopen(ends[1], O_WRONLY)) >= 0);
	close(ends[1]);
	CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(ends[0], &byte, 1), EAGAIN);
	close(again);
	CHECK_EQ(read(ends[0], &byte, 1), 0);
}

TEST(standard_input, 10, "cat /dev/stdin reads what a pipe has left, though its writer has gone")
{
	int in[2], out[2];
	char text[8];
	pid_t child;

	CHECK_EQ(pipe(in), 0);
	CHECK_EQ(pipe(out), 0);
	CHECK_EQ(write(in[1], "left", 4), 4);
	close(in[1]);
	child = fork();
	if (!child) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl("/bin/cat", "cat", "/dev/stdin", NULL);
		_exit(1);
	}
	close(out[1]);
	CHECK_EQ(read_full(out[0], text, sizeof(text)), 4);
	CHECK(!memcmp(text, "left", 4));
	CHECK_EQ(test_wait(child), 0);
}
