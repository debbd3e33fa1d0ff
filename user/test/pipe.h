/*
 * What the tests of pipes share: a pipe, and bytes to fill it with.
 */
#ifndef USER_TEST_PIPE_H
#define USER_TEST_PIPE_H

#include "test.h"

#define PIPE_BUF_SIZE 4096
#define CAPACITY      65536

static int ends[2];
static char big[4 * CAPACITY], back[4 * CAPACITY];

static inline void make_pipe(int flags)
{
	CHECK_EQ(pipe2(ends, flags), 0);
}

static inline void nonblocking(int fd)
{
	CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Fill the pipe with 4 KiB writes until it is full: bytes. */
static inline size_t fill(void)
{
	size_t total = 0;
	int error;

	nonblocking(ends[1]);
	while (write(ends[1], big, PIPE_BUF_SIZE) == PIPE_BUF_SIZE)
		total += PIPE_BUF_SIZE;
	error = errno;
	CHECK_EQ(error, EAGAIN);
	return total;
}

#endif
