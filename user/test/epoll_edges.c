/* EPOLLET: which changes of a pipe, a socket and an eventfd are new edges. */
#include "epoll.h"
#include <sys/eventfd.h>
#include <sys/socket.h>

static int ep, ends[2];

static void watch_pipe(void)
{
	ep = make_epoll();
	make_pipe(ends);
	add(ep, ends[0], EPOLLIN | EPOLLET);
}

TEST(once, 5, "an edge is reported once, and a byte that stays is no new one")
{
	watch_pipe();
	put(ends[1], 1);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN);
	CHECK_EQ(ready(ep), 0);
	take(ends[0], 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(next_write, 5, "a write to a pipe that is readable already is a new edge")
{
	watch_pipe();
	put(ends[1], 1);
	CHECK_EQ(ready(ep), 1);
	put(ends[1], 1);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN);
	put(ends[1], 5000);
	put(ends[1], 5000);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(part_is_read, 5, "reading a part of a pipe's bytes is no edge, slot by slot either")
{
	watch_pipe();
	put(ends[1], 4096);
	put(ends[1], 4096);
	put(ends[1], 4096);
	CHECK_EQ(ready(ep), 1);
	take(ends[0], 100);
	CHECK_EQ(ready(ep), 0);
	take(ends[0], 4096);
	CHECK_EQ(ready(ep), 0);
	take(ends[0], 4096);
	CHECK_EQ(ready(ep), 0);
}

TEST(room, 5, "a full pipe that gets room is an edge, and more room is none")
{
	watch_pipe();
	add(ep, ends[1], EPOLLOUT | EPOLLET);
	CHECK_EQ(events_of(ep, ends[1]), EPOLLOUT);
	put(ends[1], 4096);
	CHECK_EQ(ready(ep), 1);
	take(ends[0], 4096);
	CHECK_EQ(ready(ep), 0);
	put(ends[1], 65536);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN);
	take(ends[0], 4095);
	CHECK_EQ(ready(ep), 0);
	take(ends[0], 1);
	CHECK_EQ(events_of(ep, ends[1]), EPOLLOUT);
	take(ends[0], 65536 - 4096);
	CHECK_EQ(ready(ep), 0);
	put(ends[1], 65536);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN);
	take(ends[0], 4096);
	CHECK_EQ(events_of(ep, ends[1]), EPOLLOUT);
	take(ends[0], 4096);
	CHECK_EQ(ready(ep), 0);
}

TEST(modified, 5, "EPOLL_CTL_MOD of a file that is ready is an edge")
{
	watch_pipe();
	put(ends[1], 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(control(ep, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET), 0);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN);
	CHECK_EQ(ready(ep), 0);
	/* An edge for what is not wanted is none. */
	CHECK_EQ(control(ep, EPOLL_CTL_MOD, ends[0], EPOLLOUT | EPOLLET), 0);
	put(ends[1], 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(gone_again, 5, "what was read before epoll_wait is not reported")
{
	watch_pipe();
	put(ends[1], 1);
	take(ends[0], 1);
	CHECK_EQ(ready(ep), 0);
	put(ends[1], 1);
	CHECK_EQ(ready(ep), 1);
}

TEST(hangup, 5, "the last close of the other end is an edge")
{
	watch_pipe();
	put(ends[1], 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(close(ends[1]), 0);
	CHECK_EQ(events_of(ep, ends[0]), EPOLLIN | EPOLLHUP);
	CHECK_EQ(ready(ep), 0);
	make_pipe(ends);
	add(ep, ends[1], EPOLLET);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(close(ends[0]), 0);
	CHECK_EQ(events_of(ep, ends[1]), EPOLLERR);
}

TEST(counter, 5, "each write to an eventfd is an edge")
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t value = 1;

	ep = make_epoll();
	add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLET);
	CHECK_EQ(events_of(ep, fd), EPOLLOUT);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(events_of(ep, fd), EPOLLIN | EPOLLOUT);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(events_of(ep, fd), EPOLLIN | EPOLLOUT);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(events_of(ep, fd), EPOLLOUT);
}

static void bytes_of_socket(int type)
{
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair), 0);
	ep = make_epoll();
	add(ep, pair[0], EPOLLIN | EPOLLET);
	put(pair[1], 100);
	CHECK_EQ(events_of(ep, pair[0]), EPOLLIN);
	CHECK_EQ(ready(ep), 0);
	put(pair[1], 100);
	CHECK_EQ(events_of(ep, pair[0]), EPOLLIN);
	take(pair[0], 10);
	CHECK_EQ(ready(ep), 0);
	/* What the other side reads is no edge for this side's input. */
	put(pair[0], 10);
	take(pair[1], 10);
	CHECK_EQ(ready(ep), 0);
	if (type != SOCK_DGRAM) {
		CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
		CHECK(events_of(ep, pair[0]) & EPOLLIN);
		CHECK_EQ(ready(ep), 0);
	}
}

TEST(stream, 5, "bytes for a stream socket are an edge, and reading or the other direction is none")
{
	bytes_of_socket(SOCK_STREAM);
}

TEST(packets, 5, "the same for packets of a connection")
{
	bytes_of_socket(SOCK_SEQPACKET);
}

TEST(datagrams, 5, "the same for datagrams")
{
	bytes_of_socket(SOCK_DGRAM);
}

TEST(socket_room, 10, "a socket whose peer reads becomes writable by an edge")
{
	int pair[2];
	char byte[4096] = "";

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	ep = make_epoll();
	add(ep, pair[0], EPOLLOUT | EPOLLET);
	CHECK_EQ(events_of(ep, pair[0]), EPOLLOUT);
	while (write(pair[0], byte, sizeof(byte)) > 0)
		;
	CHECK_EQ(ready(ep), 0);
	while (read(pair[1], byte, sizeof(byte)) > 0)
		;
	CHECK_EQ(events_of(ep, pair[0]), EPOLLOUT);
	CHECK_EQ(ready(ep), 0);
}
