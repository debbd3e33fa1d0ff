/* poll against publishing, taking and closing. */
#include "fs/file/poll.h"
#include "files.h"

static void one_slot(void)
{
	pipe_make(0, 1);
	files_open(NULL);
}

static void poll_for(int number, unsigned int events)
{
	struct pollfd fd = { number, events, 0 };

	must(poll_until(&fd, 1, POLLERR | POLLHUP, UINT64_MAX) == 1);
	must(fd.revents);
}

static void poll_and_read(int n)
{
	ends[0].reader.flags |= O_NONBLOCK;
	while (n-- > 0) {
		poll_for(FD_READ0, POLLIN);
		get_bytes(1);
	}
}

SCENARIO(poll_read, "poll for a byte, then read it without waiting", one_slot,
	 pipe_gave_two_in_order, { "poller", poll_and_read, 2 },
	 { "writer", put_bytes, FROM(0, 2) });

SCENARIO(poll_read_packets, "the same with packets", one_slot, pipe_gave_two_in_order,
	 { "poller", poll_and_read, 2 }, { "writer", put_packets, FROM(0, 2) });

static void poll_and_write(int n)
{
	ends[0].writer.flags |= O_NONBLOCK;
	ends[0].packets.flags |= O_NONBLOCK;
	for (int i = 0; i < n; i++) {
		poll_for(FD_WRITE0, POLLOUT);
		pipe_put_byte(0, i, true);
	}
}

SCENARIO(poll_write, "poll for room, then write without waiting", one_slot, pipe_gave_two_in_order,
	 { "poller", poll_and_write, 2 }, { "reader", get_bytes, 2 });

static void poll_hangup(int unused)
{
	poll_for(FD_READ0, POLLIN);
}

static void close_writer(int unused)
{
	pipe_release(&ends[0].writer);
}

static void closed(void)
{
	pipe_release(&ends[0].reader);
	ex_must_have_freed();
}

SCENARIO(poll_close, "poll is told that the last writer has gone", one_slot, closed,
	 { "poller", poll_hangup, 0 }, { "closer", close_writer, 0 });
