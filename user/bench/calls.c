/*
 * Rows for small calls: a call that does nothing, one byte through a pipe, making a pipe, poll and
 * epoll.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "bench.h"

#define POLLED 100

static int there[2], back[2];
static char byte;
static struct pollfd polled[POLLED];

static void parent_id(void)
{
	syscall(SYS_getppid);
}

static unsigned long fast_call; /* __kernel_vsyscall */

static bool has_fast_call(void)
{
	fast_call = getauxval(AT_SYSINFO);
	return fast_call != 0;
}

static void fast_parent_id(void)
{
	long id;

	__asm__ volatile("call *%1" : "=a"(id) : "m"(fast_call), "0"(SYS_getppid) : "memory");
}

static void read_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
}

static bool one_pipe(void)
{
	return pipe(there) == 0;
}

static void one_byte(void)
{
	need(write(there[1], &byte, 1) == 1 && read(there[0], &byte, 1) == 1, "one byte");
}

static bool echo_task(void)
{
	if (pipe(there) < 0 || pipe(back) < 0)
		return false;
	if (bench_child() == 0)
		while (read(there[0], &byte, 1) == 1)
			need(write(back[1], &byte, 1) == 1, "echo");
	return true;
}

static void round_trip(void)
{
	need(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "round trip");
}

static void pipe_and_close(void)
{
	int p[2];

	need(pipe(p) == 0, "pipe");
	close(p[0]);
	close(p[1]);
}

static bool many_pipes(void)
{
	for (int i = 0; i < POLLED; i++) {
		if (pipe(there) < 0)
			return false;
		polled[i] = (struct pollfd){ .fd = there[0], .events = POLLIN };
	}
	return true;
}

static void poll_all(void)
{
	need(poll(polled, POLLED, 0) == 0, "poll");
}

static int epoll;

/* An epoll file with the read ends of `nr` pipes, of which the last has a byte. */
static bool epoll_of(int nr)
{
	struct rlimit limit = { 2 * nr + 16, 2 * nr + 16 };
	struct epoll_event event = { .events = EPOLLIN };

	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	epoll = epoll_create1(0);
	for (int i = 0; i < nr; i++)
		if (pipe(there) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, there[0], &event) < 0)
			return false;
	return write(there[1], &byte, 1) == 1;
}

static bool epoll_of_ten(void)
{
	return epoll_of(10);
}

static bool epoll_of_thousand(void)
{
	return epoll_of(1000);
}

static void epoll_once(void)
{
	struct epoll_event event;

	need(epoll_wait(epoll, &event, 1, 0) == 1, "epoll_wait");
}

static struct row rows[] = {
	{ "getppid", "one system call that does nothing", .reach = 150, .rounds = 5000,
	  .once = parent_id },
	{ "getppid by the vDSO", "the same without a C library, through __kernel_vsyscall",
	  .reach = 60, .rounds = 5000, .setup = has_fast_call, .once = fast_parent_id },
	{ "clock_gettime", "a C library's function, which the vDSO serves without a system call",
	  .reach = 150, .rounds = 5000, .once = read_clock },
	{ "1 byte there and back in one task", "a write and a read of one byte", .reach = 900,
	  .rounds = 2000, .setup = one_pipe, .once = one_byte },
	{ "1 byte ping-pong, two tasks",
	  "a round trip: two writes, two reads, two switches; both tasks' work", .reach = 3000,
	  .rounds = 1000, .setup = echo_task, .once = round_trip },
	{ "pipe() + close both", "three system calls", .reach = 2500, .rounds = 1000,
	  .once = pipe_and_close },
	{ "poll of 100 pipes", "one poll of 100 read ends, none ready, that does not wait",
	  .reach = 6000, .rounds = 300, .setup = many_pipes, .once = poll_all },
	{ "epoll_wait, one of 10 pipes ready", "one epoll_wait that does not wait", .reach = 1000,
	  .rounds = 1000, .setup = epoll_of_ten, .once = epoll_once },
	{ "epoll_wait, one of 1,000 pipes ready", "the same; it must cost no more", .reach = 1000,
	  .rounds = 1000, .setup = epoll_of_thousand, .once = epoll_once },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
