/* Epolls that watch epolls: events that travel on, circles, depth, poll on an epoll. */
#include "epoll.h"

static int ends[2];

TEST(travels, 5, "an epoll is readable while a file that it watches is ready")
{
	int inner = make_epoll(), outer = make_epoll();

	make_pipe(ends);
	add(outer, inner, EPOLLIN);
	add(inner, ends[0], EPOLLIN);
	CHECK_EQ(ready(outer), 0);
	CHECK_EQ(poll_now(inner, POLLIN), 0);
	put(ends[1], 1);
	CHECK_EQ(poll_now(inner, POLLIN | POLLOUT | POLLRDNORM), POLLIN | POLLRDNORM);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
	CHECK_EQ(events_of(inner, ends[0]), EPOLLIN);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
	take(ends[0], 1);
	CHECK_EQ(ready(outer), 0);
	CHECK_EQ(poll_now(inner, POLLIN), 0);
}

TEST(edge_outside, 5, "an outer edge comes once for each event inside")
{
	int inner = make_epoll(), outer = make_epoll();

	make_pipe(ends);
	add(inner, ends[0], EPOLLIN);
	add(outer, inner, EPOLLIN | EPOLLET);
	put(ends[1], 1);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
	CHECK_EQ(ready(outer), 0);
	put(ends[1], 1);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
}

TEST(edge_inside, 5, "an inner edge makes the epoll readable until it was reported")
{
	int inner = make_epoll(), outer = make_epoll();

	make_pipe(ends);
	add(inner, ends[0], EPOLLIN | EPOLLET);
	add(outer, inner, EPOLLIN);
	put(ends[1], 1);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
	CHECK_EQ(events_of(outer, inner), EPOLLIN);
	CHECK_EQ(events_of(inner, ends[0]), EPOLLIN);
	CHECK_EQ(ready(outer), 0);
}

TEST(inner_closed, 5, "an epoll that is closed leaves the outer one")
{
	int inner = make_epoll(), outer = make_epoll();

	make_pipe(ends);
	add(outer, inner, EPOLLIN);
	add(inner, ends[0], EPOLLIN);
	put(ends[1], 1);
	CHECK_EQ(ready(outer), 1);
	CHECK_EQ(close(inner), 0);
	CHECK_EQ(ready(outer), 0);
	put(ends[1], 1);
}

TEST(circles, 5, "epolls must not watch each other, over others either")
{
	int a = make_epoll(), b = make_epoll(), c = make_epoll();

	add(a, b, EPOLLIN);
	CHECK_ERR(control(b, EPOLL_CTL_ADD, a, EPOLLIN), ELOOP);
	add(b, c, EPOLLIN);
	CHECK_ERR(control(c, EPOLL_CTL_ADD, a, EPOLLIN), ELOOP);
	CHECK_ERR(control(c, EPOLL_CTL_ADD, b, EPOLLIN), ELOOP);
	CHECK_EQ(epoll_ctl(a, EPOLL_CTL_DEL, b, NULL), 0);
	add(c, a, EPOLLIN);
}

TEST(depth, 5, "an event travels through no more than five epolls")
{
	int chain[6];

	make_pipe(ends);
	for (int i = 0; i < 6; i++)
		chain[i] = make_epoll();
	add(chain[0], ends[0], EPOLLIN);
	for (int i = 1; i < 5; i++)
		add(chain[i], chain[i - 1], EPOLLIN);
	CHECK_ERR(control(chain[5], EPOLL_CTL_ADD, chain[4], EPOLLIN), ELOOP);
	CHECK_ERR(control(chain[0], EPOLL_CTL_ADD, chain[5], EPOLLIN), ELOOP);
	/* The longest way counts. */
	CHECK_EQ(epoll_ctl(chain[4], EPOLL_CTL_DEL, chain[3], NULL), 0);
	add(chain[4], chain[5], EPOLLIN);
	add(chain[4], chain[3], EPOLLIN);
	put(ends[1], 1);
	CHECK_EQ(events_of(chain[4], chain[3]), EPOLLIN);
	take(ends[0], 1);
	CHECK_EQ(ready(chain[4]), 0);
}

TEST(joined_chains, 5, "two chains of epolls that are joined count as one")
{
	int chain[6];

	for (int i = 0; i < 6; i++)
		chain[i] = make_epoll();
	for (int i = 1; i < 6; i++)
		if (i != 3)
			add(chain[i], chain[i - 1], EPOLLIN);
	CHECK_ERR(control(chain[3], EPOLL_CTL_ADD, chain[2], EPOLLIN), ELOOP);
	add(chain[3], chain[1], EPOLLIN);
	add(chain[4], chain[2], EPOLLIN);
}

TEST(many_paths, 20, "an event does not travel through an epoll in too many ways")
{
	int inner = make_epoll(), outer = make_epoll(), n = 0, error = 0;

	make_pipe(ends);
	add(inner, ends[0], EPOLLIN);
	while (n < 600) {
		int copy = dup(inner);

		CHECK(copy >= 0);
		if (control(outer, EPOLL_CTL_ADD, copy, EPOLLIN) < 0) {
			error = errno;
			break;
		}
		n++;
	}
	CHECK_EQ(n, 500);
	CHECK_EQ(error, EINVAL);
	put(ends[1], 1);
	CHECK_EQ(ready(outer), EVENTS);
}
