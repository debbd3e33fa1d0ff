/* epoll: its function on wait queues against adding, removing, closing, and waiting. */
#include "fs/events/epoll.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/syscalls.h"
#include "files.h"
#include "shim.h"

#define ADD 1
#define DEL 2

/* Two eventfds and an epoll, or a pipe and an epoll. */
enum { FD_ONE = FD_MADE, FD_OTHER, FD_EPOLL };

static int got[2]; /* how often the epoll has reported FD_ONE and FD_OTHER */

static struct file *file_at(int fd)
{
	return current->files->slots[fd].file;
}

static void watch(int fd, unsigned int events)
{
	struct epoll_event event = { events, fd };

	must(sys_epoll_ctl(FD_EPOLL, ADD, fd, &event) == 0);
}

static void make(unsigned int events)
{
	files_open(NULL);
	epoll_max_user_watches = 10;
	got[0] = got[1] = 0;
	must(sys_eventfd2(0, O_NONBLOCK) == FD_ONE);
	must(sys_eventfd2(0, O_NONBLOCK) == FD_OTHER);
	must(sys_epoll_create1(0) == FD_EPOLL);
	if (events) {
		watch(FD_ONE, events);
		watch(FD_OTHER, events);
	}
}

static void watched(void)
{
	make(POLLIN);
}

static void watched_for_edges(void)
{
	make(POLLIN | EPOLLET);
}

static void not_watched(void)
{
	make(0);
}

static void write_to(int fd)
{
	uint64_t value = 1;
	struct iter from;

	iter_init_user(&from, &value, sizeof(value));
	must(file_at(fd)->ops->write(file_at(fd), &from, NULL) == sizeof(value));
}

static long read_from(int fd)
{
	uint64_t value = 0;
	struct iter to;
	ssize_t n;

	iter_init_user(&to, &value, sizeof(value));
	n = file_at(fd)->ops->read(file_at(fd), &to, NULL);
	return n < 0 ? n : (long)value;
}

/* Waits for one event. Returns its descriptor, or a negative error. */
static int wait_one(void)
{
	struct epoll_event event;
	long n = sys_epoll_wait(FD_EPOLL, &event, 1, -1);

	if (n < 0)
		return n;
	must(n == 1);
	must(event.data == FD_ONE || event.data == FD_OTHER);
	__atomic_fetch_add(&got[event.data - FD_ONE], 1, __ATOMIC_SEQ_CST);
	return event.data;
}

/* What a level-triggered epoll reports can be read, if no other task reads it. */
static void wait_and_read(int n)
{
	for (int sum = 0; sum < n;) {
		long value = read_from(wait_one());

		must(value > 0);
		sum += value;
	}
}

/* After an edge, read until nothing is left. */
static void wait_and_drain(int n)
{
	for (int sum = 0; sum < n;) {
		int fd = wait_one();
		long value;

		while ((value = read_from(fd)) > 0)
			sum += value;
		must(value == -EAGAIN);
	}
}

static void wait_for_an_event(int unused)
{
	must(wait_one() > 0);
}

static void write_twice(int fd)
{
	write_to(fd);
	write_to(fd);
}

static void close_all(void)
{
	for (int fd = FD_ONE; fd <= FD_EPOLL; fd++)
		if (file_at(fd))
			files_close_made(fd);
	ex_must_have_freed();
}

static void one_event_each(void)
{
	must(got[0] == 1 && got[1] == 1);
	close_all();
}

SCENARIO(epoll_level, "wait for an eventfd and read it, while it is written twice", watched,
	 close_all, { "waiter", wait_and_read, 2 }, { "writer", write_twice, FD_ONE });

SCENARIO(epoll_edge, "the same with edges, where each is reported once", watched_for_edges,
	 close_all, { "waiter", wait_and_drain, 2 }, { "writer", write_twice, FD_ONE });

SCENARIO(epoll_two_waiters, "two edges wake two tasks, one each", watched_for_edges, one_event_each,
	 { "waiter0", wait_for_an_event, 0 }, { "waiter1", wait_for_an_event, 0, TWIN },
	 { "writer0", write_to, FD_ONE }, { "writer1", write_to, FD_OTHER });

/* ---- a task that gives up passes the wakeup on ---- */

static void wait_unless_signalled(int unused)
{
	int fd = wait_one();

	must(fd == FD_ONE || fd == -EINTR);
}

static void signal_first(int unused)
{
	ex_signal(0);
}

SCENARIO(epoll_signal, "a signal ends one task's wait, and the event wakes the other", watched,
	 close_all, { "signalled", wait_unless_signalled, 0 }, { "waiter", wait_for_an_event, 0 },
	 { "sender", signal_first, 0 }, { "writer", write_to, FD_ONE });

/* ---- adding, removing and closing ---- */

static void add_one(int unused)
{
	watch(FD_ONE, POLLIN | EPOLLET);
}

static void remove_one(int unused)
{
	must(sys_epoll_ctl(FD_EPOLL, DEL, FD_ONE, NULL) == 0);
}

static void close_one(int fd)
{
	files_close_made(fd);
}

/* The writer's reference is not the last one, or it is. */
static void write_and_put(int unused)
{
	struct file *file = file_at(FD_ONE);

	write_to(FD_ONE);
	file_put(file);
}

static void two_references(void)
{
	watched();
	file_get(file_at(FD_ONE));
}

static void look(int unused)
{
	struct epoll_event event;
	long n = sys_epoll_wait(FD_EPOLL, &event, 1, 0);

	must(n == 0 || (n == 1 && event.data == FD_ONE));
}

static void nothing_is_watched(void)
{
	static struct epoll_event event; /* the stack of checks is no user memory */

	must(sys_epoll_wait(FD_EPOLL, &event, 1, 0) == 0);
	close_all();
}

SCENARIO(epoll_add, "an eventfd is written while it is added", not_watched, close_all,
	 { "adder", add_one, 0 }, { "waiter", wait_for_an_event, 0 },
	 { "writer", write_to, FD_ONE });

SCENARIO(epoll_delete, "an eventfd is written while it is removed", watched, nothing_is_watched,
	 { "remover", remove_one, 0 }, { "writer", write_to, FD_ONE }, { "waiter", look, 0 });

static void drop_reference(int unused)
{
	file_put(file_at(FD_ONE));
}

/* Both references have gone. */
static void forget_one(void)
{
	current->files->slots[FD_ONE].file = NULL;
	nothing_is_watched();
}

SCENARIO(epoll_close, "the last reference to an eventfd goes while it is written or reported",
	 two_references, forget_one, { "closer", drop_reference, 0 },
	 { "writer", write_and_put, 0 }, { "waiter", look, 0 });

SCENARIO(epoll_both_closed, "the epoll and what it watches are closed at the same time", watched,
	 close_all, { "closer0", close_one, FD_ONE }, { "closer1", close_one, FD_EPOLL },
	 { "writer", write_to, FD_OTHER });

/* ---- an epoll that watches an epoll ---- */

static void nested(void)
{
	struct epoll_event event = { POLLIN, FD_OTHER };

	files_open(NULL);
	epoll_max_user_watches = 10;
	got[0] = got[1] = 0;
	must(sys_eventfd2(0, O_NONBLOCK) == FD_ONE);
	must(sys_epoll_create1(0) == FD_OTHER);
	must(sys_epoll_create1(0) == FD_EPOLL);
	must(sys_epoll_ctl(FD_OTHER, ADD, FD_ONE, &event) == 0);
	watch(FD_OTHER, POLLIN | EPOLLET);
}

SCENARIO(epoll_nested, "an event of an inner epoll wakes a task at the outer one", nested,
	 close_all, { "waiter", wait_for_an_event, 0 }, { "writer", write_to, FD_ONE });

SCENARIO(epoll_nested_close, "the inner epoll is closed while it has an event", nested, close_all,
	 { "closer", close_one, FD_OTHER }, { "writer", write_to, FD_ONE });

/* ---- bytes on their way ---- */

static struct file *pipe_reader;

/* Both bytes of the cold page are in a pipe that is watched for edges, and on their way. */
static void cold_and_watched(void)
{
	struct epoll_event event = { POLLIN | EPOLLET, FD_ONE };

	pipe_make(0, 2);
	cold_page_make();
	files_open(&cold_source);
	epoll_max_user_watches = 10;
	must(sys_epoll_create1(0) == FD_MADE);
	must(sys_epoll_ctl(FD_MADE, ADD, FD_READ0, &event) == 0);
	must(splice_bytes(FD_FILE, FD_WRITE0, 2) == 2);
	pipe_reader = &ends[0].reader;
	pipe_reader->flags |= O_NONBLOCK;
}

static void wait_for_arrival(int unused)
{
	int sum = 0;

	while (sum < 2) {
		struct epoll_event event;
		int byte;

		must(sys_epoll_wait(FD_MADE, &event, 1, -1) == 1);
		must(event.events == POLLIN);
		while ((byte = pipe_get_byte(0)) >= 0) {
			got_byte(byte);
			sum++;
		}
		must(byte == -EAGAIN);
	}
}

static void got_the_page(void)
{
	must_have_got(3, 2, true);
	files_close_made(FD_MADE);
	pipe_must_be_at_rest(0);
	cold_page_put();
}

SCENARIO(epoll_cold, "the arrival of a page is an edge", cold_and_watched, got_the_page,
	 { "waiter", wait_for_arrival, 0 }, { "disk", disk_serve, 1 });
