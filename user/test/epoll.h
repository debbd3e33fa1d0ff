/* What the tests of epoll have in common. */
#ifndef USER_TEST_EPOLL_H
#define USER_TEST_EPOLL_H

#include "test.h"
#include <sys/epoll.h>

#define EVENTS 16

static struct epoll_event got[EVENTS];

static int make_epoll(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	return ep;
}

/* epoll_ctl() with the descriptor as the data. */
static int control(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = fd };

	return epoll_ctl(ep, op, fd, &event);
}

static void add(int ep, int fd, uint32_t events)
{
	CHECK_EQ(control(ep, EPOLL_CTL_ADD, fd, events), 0);
}

/* Returns how many files are ready now. */
__attribute__((unused)) static int ready(int ep)
{
	memset(got, 0xff, sizeof(got));
	return epoll_wait(ep, got, EVENTS, 0);
}

/* Returns the events of the one file that is ready now, or 0 if there is none. */
__attribute__((unused)) static uint32_t events_of(int ep, int fd)
{
	int n = ready(ep);

	CHECK(n == 0 || (n == 1 && got[0].data.u64 == (uint64_t)fd));
	return n ? got[0].events : 0;
}

__attribute__((unused)) static void make_pipe(int ends[2])
{
	CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
}

__attribute__((unused)) static void put(int fd, size_t n)
{
	static char bytes[1 << 16];

	CHECK_EQ(write(fd, bytes, n), n);
}

__attribute__((unused)) static void take(int fd, size_t n)
{
	static char bytes[1 << 16];

	CHECK_EQ(read(fd, bytes, n), n);
}

#endif
