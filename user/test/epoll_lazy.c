/* epoll and bytes that a disk is still reading, shown with the gate device. */
#include "gate.h"
#include "epoll.h"

static int ep, ends[2], other[2];

/* Two pages from the gate are on their way to the pipe, which is watched. */
static void two_pages(uint32_t events)
{
	loff_t at = 0;

	gate_fill(MIB);
	make_pipe(ends);
	make_pipe(other);
	gate_control("close");
	ep = make_epoll();
	add(ep, ends[0], events);
	CHECK_EQ(splice(gate, &at, ends[1], NULL, 8192, 0), 8192);
}

BEYOND_TEST(arrival, 20,
	    "a pipe is not ready while its first slot is on its way, and arrival is an edge",
	    NO_GATE)
{
	two_pages(EPOLLIN | EPOLLET);
	CHECK_EQ(ready(ep), 0);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_EQ(ready(ep), 0);
	gate_control("open");
	CHECK_EQ(epoll_wait(ep, got, EVENTS, 5000), 1);
	CHECK_EQ(got[0].events, EPOLLIN);
	expect(ends[0], 0, 8192);
	CHECK_EQ(ready(ep), 0);
}

BEYOND_TEST(level, 20, "the same without EPOLLET, for a task that waits", NO_GATE)
{
	pid_t child;

	two_pages(EPOLLIN);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		gate_control("open");
		_exit(0);
	}
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(epoll_wait(ep, got, EVENTS, 5000), 1);
	CHECK_EQ(read(ends[0], back, 1), 1);
	expect(ends[0], 1, 8191);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(next_slot, 20,
	    "the arrival of the next slot is an edge, whoever has read the first one", NO_GATE)
{
	loff_t at = 8192;

	/* The first page is there. The second one is on its way. */
	gate_fill(MIB);
	make_pipe(ends);
	ep = make_epoll();
	add(ep, ends[0], EPOLLIN | EPOLLET);
	put(ends[1], 4096);
	gate_control("close");
	CHECK_EQ(splice(gate, &at, ends[1], NULL, 4096, 0), 4096);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
	/* Not read up to EAGAIN. */
	take(ends[0], 4096);
	gate_control("open");
	CHECK_EQ(epoll_wait(ep, got, EVENTS, 5000), 1);
	expect(ends[0], 8192, 4096);
}

BEYOND_TEST(read_again, 20,
	    "a slot whose read has failed is an edge, and so is its arrival after another read",
	    NO_GATE)
{
	loff_t at = 0;

	gate_fill(MIB);
	make_pipe(ends);
	ep = make_epoll();
	add(ep, ends[0], EPOLLIN | EPOLLET);
	gate_control("close");
	CHECK_EQ(splice(gate, &at, ends[1], NULL, 4096, 0), 4096);
	CHECK_EQ(ready(ep), 0);
	gate_control("fail 1");
	gate_control("pass 1");
	CHECK_EQ(epoll_wait(ep, got, EVENTS, 5000), 1);
	CHECK_ERR(read(ends[0], back, 1), EIO);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_EQ(ready(ep), 0);
	gate_control("open");
	CHECK_EQ(epoll_wait(ep, got, EVENTS, 5000), 1);
	expect(ends[0], 0, 4096);
}

BEYOND_TEST(moved_on, 20,
	    "if a slot that is on its way moves on, the next one, which is there, is an edge",
	    NO_GATE)
{
	two_pages(EPOLLIN | EPOLLET);
	put(ends[1], 10);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 8192, 0), 8192);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
	gate_control("open");
	CHECK_EQ(fcntl(other[0], F_SETFL, 0), 0);
	expect(other[0], 0, 8192);
	take(ends[0], 10);
}

BEYOND_TEST(closed_meanwhile, 20, "a pipe with bytes on their way is closed while it is watched",
	    NO_GATE)
{
	two_pages(EPOLLIN);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(close(ends[0]), 0);
	CHECK_EQ(close(ends[1]), 0);
	gate_control("open");
	CHECK_EQ(ready(ep), 0);
}
