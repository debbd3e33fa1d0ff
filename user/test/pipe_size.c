/*
 * The size of a pipe: F_SETPIPE_SZ, and the limits that bind users.
 */
#include "pipe.h"

TEST(resize, 5, "F_SETPIPE_SZ rounds up to a power of two of pages, keeps the bytes, else EBUSY")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	test_fill(big, 100000, 4, 0);
	CHECK_EQ(write(ends[1], big, 100000), 100000);
	CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 65536), EBUSY);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 131072), 131072);
	CHECK_EQ(read_full(ends[0], back, 100000), 100000);
	CHECK_EQ(test_differs(back, 100000, 4, 0), 100000);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, -1), EINVAL);
	CHECK_ERR(fcntl(0, F_GETPIPE_SZ + 100), EINVAL);
}

static void set_limit(const char *name, const char *value)
{
	char path[64], now[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	CHECK(pread(fd, now, sizeof(now) - 1, 0) > 0);
	CHECK_EQ(atoi(now), atoi(value));
	close(fd);
}

/* Call `checks` in a child process, as a user who is not root. */
static void as_somebody(void (*checks)(void))
{
	int child = fork();

	if (!child) {
		CHECK_EQ(setuid(1000), 0);
		checks();
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}

static void below_max_size(void)
{
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 1 << 20);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 18), 1 << 18);
	CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 1 << 19), EPERM);
	make_pipe(0);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
	CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 8193), EPERM);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
	CHECK_ERR(open("/proc/sys/fs/pipe-max-size", O_WRONLY), EACCES);
}

static void past_soft_limit(void)
{
	int first[2];

	CHECK_EQ(pipe(first), 0);
	CHECK_EQ(fcntl(first[0], F_GETPIPE_SZ), CAPACITY);
	make_pipe(O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 8192);
	CHECK_EQ(write(ends[1], big, 8192), 8192);
	CHECK_EQ(read(ends[0], back, 8191), 8191);
	CHECK_EQ(write(ends[1], big, 1), 1);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 16384), 16384);
	CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, 32768), EPERM);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 16384);
	close(first[0]);
	close(first[1]);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, CAPACITY), CAPACITY);
}

static void no_soft_limit(void)
{
	for (int i = 0; i < 3; i++) {
		make_pipe(0);
		CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), CAPACITY);
	}
}

static void all_limits(void)
{
	make_pipe(0);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	set_limit("pipe-max-size", "8192");
	as_somebody(below_max_size);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	set_limit("pipe-max-size", "1048576");
	set_limit("pipe-user-pages-soft", "20");
	as_somebody(past_soft_limit);
	make_pipe(0);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), CAPACITY);
	set_limit("pipe-user-pages-soft", "0");
	as_somebody(no_soft_limit);
}

TEST(limits, 10, "pipe-max-size and pipe-user-pages-soft bind everybody but root")
{
	int child = fork(), status;

	if (!child) {
		all_limits();
		_exit(0);
	}
	status = test_wait(child);
	set_limit("pipe-max-size", "1048576");
	set_limit("pipe-user-pages-soft", "16384");
	CHECK_EQ(status, 0);
}

TEST(resize_wrapped, 5, "a ring whose bytes run over its end keeps their order, larger and smaller")
{
	size_t at = 0, end = 0;

	make_pipe(O_NONBLOCK);
	for (int round = 0; round < 20; round++) {
		size_t n = 5 * PIPE_BUF_SIZE;

		while (end - at < n) {
			test_fill(big, 3000, 6, end);
			CHECK_EQ(write(ends[1], big, 3000), 3000);
			end += 3000;
		}
		CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, round & 1 ? CAPACITY / 2 : 2 * CAPACITY),
			 round & 1 ? CAPACITY / 2 : 2 * CAPACITY);
		CHECK_EQ(read_full(ends[0], back, n - 5000), n - 5000);
		CHECK_EQ(test_differs(back, n - 5000, 6, at), n - 5000);
		at += n - 5000;
	}
}

TEST(resize_wakes_writer, 10, "making room by F_SETPIPE_SZ wakes a writer that waits")
{
	pid_t child;

	make_pipe(0);
	fill();
	CHECK_EQ(fcntl(ends[1], F_SETFL, 0), 0);
	child = fork();
	if (!child)
		_exit(write(ends[1], big, 4096) != 4096);
	test_sleep_ms(100);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 2 * CAPACITY), 2 * CAPACITY);
	CHECK_EQ(test_wait(child), 0);
}
