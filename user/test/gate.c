/*
 * Laziness, shown with the gate device: its completions come when the test says so, and no clock is
 * needed. The data lies on /dev/gate0 itself.
 */
#include "gate.h"

static int ends[2], other[2];

static void nonblocking(int fd, bool on)
{
	CHECK_EQ(fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0), 0);
}

/* Splice `n` bytes from `at` while the gate is closed. */
static void lazy(loff_t at, size_t n)
{
	CHECK_EQ(splice(gate, &at, ends[1], NULL, n, 0), n);
}

BEYOND_TEST(returns_at_once, 20,
	    "a cold splice of 1 MiB returns with 256 pages on their way and no task added", NO_GATE)
{
	long tasks;
	int n = -1;

	gate_prepare(ends, other);
	tasks = value_of("/proc/leaks", "tasks");
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	lazy(0, MIB);
	CHECK_EQ(on_their_way(), 256);
	CHECK_EQ(value_of("/proc/leaks", "tasks"), tasks);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	gate_control("open");
	expect(ends[0], 0, MIB);
}

//BOOK: test-tells-the-truth
BEYOND_TEST(tells_the_truth, 20,
	    "on their way: poll says nothing, O_NONBLOCK read EAGAIN, then both see them", NO_GATE)
{
	gate_prepare(ends, other);
	lazy(0, 65536);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	nonblocking(ends[0], true);
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
	gate_control("open");
	nonblocking(ends[0], false);
	CHECK_EQ(read(ends[0], back, 1), 1);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	expect(ends[0], 1, 65535);
}

BEYOND_TEST(hangup_waits, 20, "POLLHUP does not show while the first slot is on its way", NO_GATE)
{
	gate_prepare(ends, other);
	lazy(0, 4096);
	close(ends[1]);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	gate_control("open");
	expect(ends[0], 0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLHUP);
	CHECK_EQ(read(ends[0], back, 1), 0);
}

BEYOND_TEST(poller_wakes, 20, "the arrival of the first page wakes a poller", NO_GATE)
{
	struct pollfd p;
	pid_t child;

	gate_prepare(ends, other);
	lazy(0, 8192);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		gate_control("open");
		_exit(0);
	}
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 15000), 1);
	CHECK_EQ(p.revents, POLLIN);
	expect(ends[0], 0, 8192);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(readers_wake, 20, "the arrival of the pages wakes readers that wait", NO_GATE)
{
	pid_t children[3];

	gate_prepare(ends, other);
	lazy(0, 12288);
	for (int i = 0; i < 3; i++)
		if (!(children[i] = fork()))
			_exit(read_full(ends[0], back, 4096) != 4096);
	test_sleep_ms(100);
	gate_control("open");
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

//BOOK: test-writer-is-not-held-up
BEYOND_TEST(writer_is_not_held_up, 20,
	    "a reader that waits for the disk blocks no writer and no other reader", NO_GATE)
{
	pid_t reader;

	gate_prepare(ends, other);
	lazy(0, 4096);
	reader = fork();
	if (!reader)
		_exit(read_full(ends[0], back, 4096) != 4096);
	test_sleep_ms(100);
	CHECK_EQ(write(ends[1], "behind", 6), 6);
	nonblocking(ends[0], true);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	nonblocking(ends[0], false);
	gate_control("open");
	CHECK_EQ(test_wait(reader), 0);
	CHECK_EQ(read_full(ends[0], back, 6), 6);
	CHECK(!memcmp(back, "behind", 6));
}

BEYOND_TEST(moves_on, 20, "slots on their way move to a second pipe, by splice and by tee", NO_GATE)
{
	int third[2];

	gate_prepare(ends, other);
	CHECK_EQ(pipe(third), 0);
	lazy(0, 16384);
	CHECK_EQ(tee(ends[0], third[1], 16384, 0), 16384);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 16384, 0), 16384);
	CHECK_EQ(poll_now(other[0], POLLIN), 0);
	CHECK_EQ(poll_now(third[0], POLLIN), 0);
	gate_control("open");
	expect(other[0], 0, 16384);
	expect(third[0], 0, 16384);
}

BEYOND_TEST(waiting_splice_moves_on, 20, "a splice that waits takes slots that are on their way",
	    NO_GATE)
{
	pid_t child;

	gate_prepare(ends, other);
	child = fork();
	if (!child)
		_exit(splice(ends[0], NULL, other[1], NULL, 4096, 0) != 4096);
	test_sleep_ms(100);
	lazy(0, 4096);
	CHECK_EQ(test_wait(child), 0);
	gate_control("open");
	expect(other[0], 0, 4096);
}

BEYOND_TEST(null_waits_for_nothing, 20, "/dev/null takes slots that have not arrived", NO_GATE)
{
	int null = open("/dev/null", O_WRONLY);

	gate_prepare(ends, other);
	lazy(0, 65536);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 65536, 0), 65536);
	CHECK_EQ(on_their_way(), 0);
	gate_control("open");
	CHECK_EQ(pread(gate, back, 65536, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
}

BEYOND_TEST(short_read_stops, 20, "a read that has copied something stops before a slot on its way",
	    NO_GATE)
{
	gate_prepare(ends, other);
	CHECK_EQ(write(ends[1], "first", 5), 5);
	lazy(0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_EQ(read(ends[0], back, 10000), 5);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	gate_control("open");
	expect(ends[0], 0, 4096);
}

BEYOND_TEST(out_of_order, 20, "completions in reverse order: the stream stays in order", NO_GATE)
{
	gate_prepare(ends, other);
	for (int i = 0; i < 8; i++)
		lazy((loff_t)i * 131072, 4096);
	gate_control("reverse");
	gate_control("open");
	for (int i = 0; i < 8; i++)
		expect(ends[0], i * 131072, 4096);
}

//BOOK: test-error-in-its-place
BEYOND_TEST(error_in_its_place, 20,
	    "a failed read is EIO after all that stands before it, and heals", NO_GATE)
{
	gate_prepare(ends, other);
	CHECK_EQ(write(ends[1], "before", 6), 6);
	lazy(0, 4096);
	gate_control("fail 1");
	CHECK_EQ(write(ends[1], "after", 5), 5);
	gate_control("open");
	CHECK_EQ(read(ends[0], back, 100000), 6);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_ERR(read(ends[0], back, 100000), EIO);
	expect(ends[0], 0, 4096);
	CHECK_EQ(read(ends[0], back, 100), 5);
	CHECK(!memcmp(back, "after", 5));
}

BEYOND_TEST(signal_interrupts, 20,
	    "a signal interrupts a reader that waits for the disk, SIGKILL always", NO_GATE)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	pid_t child;
	int status;

	gate_prepare(ends, other);
	lazy(0, 4096);
	for (int sig = SIGTERM; sig; sig = sig == SIGTERM ? SIGKILL : 0) {
		sigaction(SIGUSR1, &action, NULL);
		child = fork();
		if (!child)
			_exit(read(ends[0], back, 4096) > 0);
		test_sleep_ms(100);
		CHECK_EQ(kill(child, sig), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	}
	gate_control("open");
	expect(ends[0], 0, 4096);
}

BEYOND_TEST(exit_with_reads_in_flight, 20,
	    "a process ends with its reads in flight: nothing hangs, nothing leaks", NO_GATE)
{
	pid_t child;

	gate_prepare(ends, other);
	child = fork();
	if (!child) {
		int own[2];
		loff_t at = 65536;

		_exit(pipe(own) || splice(gate, &at, own[1], NULL, 65536, 0) != 65536);
	}
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (!child) {
		int own[2];
		loff_t at = 262144;

		if (pipe(own) || splice(gate, &at, own[1], NULL, 4096, 0) != 4096)
			_exit(1);
		_exit(read(own[0], back, 4096)); /* the pipe waits for its first page */
	}
	test_sleep_ms(100);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	for (int i = 0; i < 100; i++) { /* other pipes take the memory of the one that is gone */
		int own[2];

		CHECK_EQ(pipe(own), 0);
	}
	gate_control("open");
	CHECK_EQ(pread(gate, back, 65536, 65536), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 65536), 65536);
}

BEYOND_TEST(readers_follow, 20, "who waits for a page gets what follows when that goes elsewhere",
	    NO_GATE)
{
	int null = open("/dev/null", O_WRONLY);
	pid_t child;

	gate_prepare(ends, other);
	lazy(0, 4096);
	CHECK_EQ(write(ends[1], "behind", 6), 6);
	child = fork();
	if (!child)
		_exit(read(ends[0], back, 4096) != 6);
	test_sleep_ms(100);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lost_page, 20,
	    "a page that left its file before it was read is ENODATA, once, and the rest follows",
	    NO_GATE)
{
	gate_prepare(ends, other);
	lazy(0, 4096);
	lazy(MIB / 2, 4096);
	gate_control("fail 1");
	gate_control("open");
	gate_control("fail 0");
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	/* The whole page is written: the one that could not be read is in no file any more. */
	CHECK_EQ(pwrite(gate, data + 8192, 4096, 0), 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_ERR(read(ends[0], back, 4096), ENODATA);
	expect(ends[0], MIB / 2, 4096);
}

BEYOND_TEST(killed_at_the_mutex, 20,
	    "who waits for a pipe whose slots are on their way to a disk can be killed", NO_GATE)
{
	loff_t at = 0;
	pid_t taker, child;

	gate_prepare(ends, other);
	CHECK_EQ(write(ends[1], data + 4096, 4096), 4096);
	taker = fork();
	if (!taker)
		_exit(splice(ends[0], NULL, gate, &at, 4096, 0) != 4096);
	test_sleep_ms(100);
	for (int i = 0; i < 4; i++) {
		child = fork();
		if (!child) {
			int null = open("/dev/null", O_WRONLY);

			_exit(i == 0   ? read(ends[0], back, 1)
			      : i == 1 ? splice(ends[0], NULL, null, NULL, 1, 0)
			      : i == 2 ? tee(ends[0], other[1], 1, 0)
				       : fcntl(ends[0], F_SETPIPE_SZ, MIB));
		}
		test_sleep_ms(50);
		CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(test_wait(child), 128 + SIGKILL);
	}
	gate_control("open");
	CHECK_EQ(test_wait(taker), 0);
}

BEYOND_TEST(asleep_with_bytes, 20,
	    "who waits for a disk in the middle of a copy goes on with the same bytes", NO_GATE)
{
	loff_t at = 0;
	pid_t child;
	int own[2];

	gate_prepare(ends, other);
	CHECK_EQ(pipe(own), 0);
	/* The cache has a page that cannot go, so it must be written to, once it has been read. */
	CHECK_EQ(splice(gate, &at, other[1], NULL, 4096, 0), 4096);
	CHECK_EQ(write(ends[1], data + 8192, 512), 512);
	child = fork();
	if (!child) {
		at = 512;
		_exit(splice(ends[0], NULL, gate, &at, 512, 0) != 512);
	}
	test_sleep_ms(100);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(write(own[1], back, 4096), 4096);
		CHECK_EQ(read(own[0], back, 4096), 4096);
	}
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(gate, back, 1024, 0), 1024);
	CHECK_EQ(test_differs(back, 512, SEED, 0), 512);
	CHECK_EQ(test_differs(back + 512, 512, SEED, 8192), 512);
	expect(other[0], 0, 4096);
}

BEYOND_TEST(write_to_a_page_on_its_way, 20,
	    "a write to a page on its way waits, and the pipe keeps the old bytes", NO_GATE)
{
	pid_t child;

	gate_prepare(ends, other);
	lazy(0, 4096);
	child = fork();
	if (!child) {
		memset(data, 'N', 4096);
		_exit(pwrite(gate, data, 4096, 0) != 4096);
	}
	test_sleep_ms(100);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	expect(ends[0], 0, 4096);
	CHECK_EQ(pread(gate, back, 4096, 0), 4096);
	CHECK_EQ(back[17], 'N');
}

BEYOND_TEST(pass_some, 20, "requests that the gate lets through arrive, the others stay away",
	    NO_GATE)
{
	gate_prepare(ends, other);
	lazy(0, 4096);
	lazy(524288, 4096);
	gate_control("pass 1");
	expect(ends[0], 0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	gate_control("open");
	expect(ends[0], 524288, 4096);
}
