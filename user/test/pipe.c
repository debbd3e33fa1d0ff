/* Pipes: creation, capacity, atomic writes, blocking, closing, poll, resizing, packets. */
#include "test.h"
#include <sys/resource.h>
#include <sys/select.h>

#define PIPE_BUF_SIZE 4096
#define CAPACITY      65536

static int ends[2];
static char big[4 * CAPACITY], back[4 * CAPACITY];

static void make_pipe(int flags)
{
	CHECK_EQ(pipe2(ends, flags), 0);
}

static void nonblocking(int fd)
{
	CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Fill the pipe with 4 KiB writes until it is full: bytes. */
static size_t fill(void)
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

static short poll_now(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

TEST(there_and_back, 5, "bytes come out as they went in, in order")
{
	make_pipe(0);
	test_fill(big, 10000, 1, 0);
	CHECK_EQ(write(ends[1], big, 10000), 10000);
	CHECK_EQ(read(ends[0], back, 3000), 3000);
	CHECK_EQ(read(ends[0], back + 3000, CAPACITY), 7000);
	CHECK_EQ(test_differs(back, 10000, 1, 0), 10000);
}

TEST(flags, 5, "pipe2 takes its three flags, refuses others, and leaves nothing open")
{
	make_pipe(O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_ERR(pipe2(ends, O_APPEND), EINVAL);
	CHECK_ERR(pipe2(ends, 0x40), EINVAL);
}

TEST(bad_pointer, 5, "pipe with a bad pointer is EFAULT and leaves no descriptor open")
{
	int fd = dup(0), next;

	close(fd);
	CHECK_ERR(syscall(SYS_pipe2, (void *)8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_pipe, (void *)-4), EFAULT);
	next = dup(0);
	CHECK_EQ(next, fd);
}

TEST(too_many_files, 5, "EMFILE when no two descriptors are free")
{
	struct rlimit limit = { 0, 0 };
	int fd = dup(0);

	limit.rlim_cur = limit.rlim_max = fd + 1;
	close(fd);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_ERR(pipe2(ends, 0), EMFILE);
	CHECK_EQ(dup(0), fd);
}

TEST(capacity, 5, "65536 bytes, all of which a writer can fill")
{
	make_pipe(0);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), CAPACITY);
	CHECK_EQ(fill(), CAPACITY);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY);
	CHECK_ERR(write(ends[0], big, 1), EBADF);
	CHECK_ERR(read(ends[1], big, 1), EBADF);
}

TEST(large_write, 5, "one write of the whole capacity fits without a reader")
{
	make_pipe(O_NONBLOCK);
	test_fill(big, CAPACITY, 2, 0);
	CHECK_EQ(write(ends[1], big, CAPACITY), CAPACITY);
	CHECK_ERR(write(ends[1], big, 1), EAGAIN);
	CHECK_EQ(read(ends[0], back, CAPACITY), CAPACITY);
	CHECK_EQ(test_differs(back, CAPACITY, 2, 0), CAPACITY);
}

TEST(small_writes_merge, 5, "a hundred writes of one byte take one page's room")
{
	make_pipe(O_NONBLOCK);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(write(ends[1], &i, 1), 1);
	CHECK_EQ(write(ends[1], big, CAPACITY), CAPACITY - 4096);
	CHECK_EQ(read(ends[0], back, 4096), 4096);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(back[i], (char)i);
}

TEST(all_or_nothing, 5, "an O_NONBLOCK write up to PIPE_BUF goes whole or EAGAIN")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], big, CAPACITY - 100), CAPACITY - 100);
	CHECK_ERR(write(ends[1], big, 200), EAGAIN);
	CHECK_ERR(write(ends[1], big, 4096), EAGAIN);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY - 100);
}

TEST(large_nonblocking_write_is_short, 5, "above PIPE_BUF, O_NONBLOCK writes what fits")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], big, 2 * CAPACITY), CAPACITY);
	CHECK_ERR(write(ends[1], big, 2 * CAPACITY), EAGAIN);
}

TEST(zero_length, 5, "length 0 does nothing, without waiting")
{
	make_pipe(0);
	CHECK_EQ(write(ends[1], big, 0), 0);
	CHECK_EQ(read(ends[0], back, 0), 0);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
}

TEST(end_of_file, 5, "read returns what is there, then 0 once no writer is left")
{
	make_pipe(0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	close(ends[1]);
	CHECK_EQ(read(ends[0], back, 100), 3);
	CHECK_EQ(read(ends[0], back, 100), 0);
	CHECK_EQ(read(ends[0], back, 100), 0);
}

static volatile int got_signal;
static void on_signal(int sig)
{
	got_signal = sig;
}

static void catch_signal(int sig, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(sig, &action, NULL), 0);
}

TEST(broken_pipe, 5, "no reader: SIGPIPE and EPIPE at once, whatever is in the pipe")
{
	make_pipe(0);
	catch_signal(SIGPIPE, 0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	close(ends[0]);
	CHECK_ERR(write(ends[1], "d", 1), EPIPE);
	CHECK_EQ(got_signal, SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(ends[1], big, CAPACITY), EPIPE);
}

TEST(sigpipe_kills, 5, "SIGPIPE's default action ends the process")
{
	pid_t child;

	make_pipe(0);
	close(ends[0]);
	child = fork();
	if (!child) {
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGPIPE);
}

TEST(reader_waits, 10, "a reader sleeps until a byte comes")
{
	pid_t child;
	long long start = test_ms();

	make_pipe(0);
	child = fork();
	if (!child) {
		test_sleep_ms(200);
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], back, 10), 1);
	CHECK(test_ms() - start >= 190);
	CHECK_EQ(test_wait(child), 0);
}

TEST(writer_waits, 10, "a blocking write of many times the capacity goes through whole")
{
	size_t total = sizeof(big);
	pid_t child;

	make_pipe(0);
	child = fork();
	if (!child) {
		close(ends[0]);
		test_fill(big, total, 3, 0);
		_exit(write(ends[1], big, total) != (ssize_t)total);
	}
	close(ends[1]);
	test_sleep_ms(50);
	CHECK_EQ(read_full(ends[0], back, total), total);
	CHECK_EQ(test_differs(back, total, 3, 0), total);
	CHECK_EQ(test_wait(child), 0);
}

TEST(close_wakes_readers, 10, "closing the last writer wakes every reader")
{
	pid_t children[3];

	make_pipe(0);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			close(ends[1]);
			_exit(read(ends[0], back, 1) != 0);
		}
	}
	test_sleep_ms(100);
	close(ends[1]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

TEST(close_wakes_writers, 10, "closing the last reader wakes every writer with EPIPE")
{
	pid_t children[3];

	make_pipe(0);
	fill();
	CHECK_EQ(fcntl(ends[1], F_SETFL, 0), 0);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			close(ends[0]);
			signal(SIGPIPE, SIG_IGN);
			_exit(!(write(ends[1], big, 10) == -1 && errno == EPIPE));
		}
	}
	test_sleep_ms(100);
	close(ends[0]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

TEST(interrupted, 10, "a signal interrupts a sleeping read: EINTR, or a restart with SA_RESTART")
{
	pid_t parent = getpid(), child;

	make_pipe(0);
	catch_signal(SIGUSR1, 0);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECK_ERR(read(ends[0], back, 1), EINTR);
	test_wait(child);
	catch_signal(SIGUSR1, SA_RESTART);
	got_signal = 0;
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		kill(parent, SIGUSR1);
		test_sleep_ms(100);
		write(ends[1], "y", 1);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], back, 1), 1);
	CHECK_EQ(got_signal, SIGUSR1);
	test_wait(child);
}

TEST(interrupted_write_is_short, 10, "a signal after a part was written returns that part")
{
	pid_t parent = getpid(), child;

	make_pipe(0);
	catch_signal(SIGUSR1, 0);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(write(ends[1], big, 2 * CAPACITY), CAPACITY);
	test_wait(child);
}

TEST(poll_bits, 10,
     "POLLIN with data, POLLHUP without writers, POLLOUT with room, POLLERR without readers")
{
	make_pipe(0);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_EQ(read(ends[0], back, 1), 1);
	fill();
	CHECK_EQ(poll_now(ends[1], POLLOUT), 0);
	CHECK_EQ(read(ends[0], back, PIPE_BUF_SIZE), PIPE_BUF_SIZE);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
	close(ends[1]);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN | POLLHUP);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY - PIPE_BUF_SIZE);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLHUP);
	make_pipe(0);
	close(ends[0]);
	CHECK_EQ(poll_now(ends[1], POLLOUT) & POLLERR, POLLERR);
}

TEST(pollout_means_room, 5, "after POLLOUT a write of PIPE_BUF does not wait")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(fill(), CAPACITY);
	for (int i = 0; i < 16; i++) {
		while (!(poll_now(ends[1], POLLOUT) & POLLOUT))
			CHECK_EQ(read(ends[0], back, 1), 1);
		CHECK_EQ(write(ends[1], big, PIPE_BUF_SIZE), PIPE_BUF_SIZE);
	}
}

TEST(poll_wakes, 10, "a poller sleeps until data comes, and its timeout holds")
{
	struct pollfd p;
	long long start;
	pid_t child;

	make_pipe(0);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	start = test_ms();
	CHECK_EQ(poll(&p, 1, 150), 0);
	CHECK(test_ms() - start >= 145);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		write(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, 8000), 1);
	CHECK_EQ(p.revents, POLLIN);
	test_wait(child);
}

TEST(select_and_ppoll, 10, "select, pselect and ppoll see the same as poll")
{
	struct timeval wait = { 0, 50000 };
	struct timespec short_wait = { 0, 50000000 };
	struct pollfd p;
	fd_set in, out;

	make_pipe(0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(ends[0], &in);
	FD_SET(ends[1], &out);
	CHECK_EQ(select(ends[1] + 1, &in, &out, NULL, &wait), 1);
	CHECK(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
	FD_SET(ends[0], &in);
	CHECK_EQ(pselect(ends[0] + 1, &in, NULL, NULL, &short_wait, NULL), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	FD_SET(ends[0], &in);
	CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, NULL), 1);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(ppoll(&p, 1, &short_wait, NULL), 1);
	CHECK_ERR(select(-1, &in, NULL, NULL, NULL), EINVAL);
	p.fd = 900;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLNVAL);
	p.fd = -1;
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(fionread, 5, "FIONREAD counts the bytes in the pipe")
{
	int n = -1;

	make_pipe(0);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(write(ends[1], big, 5000), 5000);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 5000);
}

TEST(no_seeking, 5, "lseek, pread and pwrite are ESPIPE")
{
	make_pipe(0);
	CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(ends[0], back, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(ends[1], big, 1, 0), ESPIPE);
}

TEST(status, 5, "fstat says FIFO, and /proc/self/fd names pipe:[inode]")
{
	char path[64], name[64] = "", expected[64];
	struct stat st;

	make_pipe(0);
	CHECK_EQ(fstat(ends[0], &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(st.st_nlink, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	CHECK(readlink(path, name, sizeof(name) - 1) > 0);
	snprintf(expected, sizeof(expected), "pipe:[%llu]", (unsigned long long)st.st_ino);
	CHECK(!strcmp(name, expected));
}

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

/* What `checks` finds as a user who is not root. */
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

TEST(packets, 5, "O_DIRECT: a write is a packet, a read takes one and drops its rest")
{
	make_pipe(O_DIRECT | O_NONBLOCK);
	CHECK_EQ(write(ends[1], "first", 5), 5);
	CHECK_EQ(write(ends[1], "second", 6), 6);
	CHECK_EQ(read(ends[0], back, 100), 5);
	CHECK_EQ(read(ends[0], back, 3), 3);
	CHECK(!memcmp(back, "sec", 3));
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
	CHECK_EQ(write(ends[1], big, 10000), 10000);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 4096);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 4096);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 10000 - 8192);
}

TEST(failed_copy_keeps_bytes, 5, "what could not be copied to the reader stays in the pipe")
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	CHECK_EQ(munmap(page + 4096, 4096), 0);
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], "abcdef", 6), 6);
	CHECK_ERR(read(ends[0], page + 4096, 6), EFAULT);
	CHECK_EQ(read(ends[0], back, 100), 6);
	CHECK(!memcmp(back, "abcdef", 6));
	CHECK_ERR(write(ends[1], page + 4096, 6), EFAULT);
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
}

TEST(vectors, 5, "readv and writev, small ones atomic")
{
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct iovec in[2] = { { back, 3 }, { back + 100, 10 } };

	make_pipe(0);
	CHECK_EQ(writev(ends[1], out, 3), 6);
	CHECK_EQ(readv(ends[0], in, 2), 6);
	CHECK(!memcmp(back, "abc", 3) && !memcmp(back + 100, "def", 3));
	CHECK_ERR(syscall(SYS_writev, ends[1], out, -1), EINVAL);
	CHECK_ERR(syscall(SYS_writev, ends[1], out, 1025), EINVAL);
}

TEST(demand_pages, 5, "reads into and writes from memory that was never touched")
{
	size_t n = 32768;
	char *fresh = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fresh != MAP_FAILED);
	make_pipe(0);
	CHECK_EQ(write(ends[1], fresh, n), n);
	CHECK_EQ(read_full(ends[0], fresh + n, n), n);
	for (size_t i = 0; i < 2 * n; i += 511)
		CHECK_EQ(fresh[i], 0);
}

TEST(nonblock_while_in_use, 5, "O_NONBLOCK set later concerns the next call")
{
	make_pipe(0);
	nonblocking(ends[0]);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(read(ends[0], back, 1), 1);
}

TEST(fifo_opens, 10, "a FIFO's open waits for the other side, ENXIO and O_RDWR as they should")
{
	char path[] = "/tmp/fifo-test";
	int fd, child, both;

	unlink(path);
	CHECK_EQ(mkfifo(path, 0600), 0);
	CHECK_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(fd >= 0);
	close(fd);
	both = open(path, O_RDWR);
	CHECK(both >= 0);
	CHECK_EQ(write(both, "x", 1), 1);
	CHECK_EQ(read(both, back, 10), 1);
	close(both);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		fd = open(path, O_WRONLY);
		_exit(write(fd, "hello", 5) != 5);
	}
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read_full(fd, back, 100), 5);
	CHECK_EQ(test_wait(child), 0);
	close(fd);
	CHECK_EQ(unlink(path), 0);
}

/*
 * Records from several writers to several readers, each with its writer and number: none is lost,
 * doubled or torn.
 */
struct record {
	uint32_t writer, number, len, sum;
};

static uint32_t record_sum(const struct record *record, uint32_t value)
{
	return record->writer * 2654435761u ^ record->number * 2246822519u ^ value;
}

static void write_records(uint32_t writer, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct record record = { writer, i, 16, 0 };

		record.sum = record_sum(&record, record.len);
		if (write(ends[1], &record, sizeof(record)) != sizeof(record))
			_exit(1);
	}
	_exit(0);
}

static void stress(int writers, int readers, uint32_t each)
{
	uint8_t *seen = mmap(NULL, writers * each, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[16];
	int nr = 0;

	CHECK(seen != MAP_FAILED);
	make_pipe(0);
	for (int w = 0; w < writers; w++)
		if (!(children[nr++] = fork()))
			write_records(w, each);
	for (int r = 0; r < readers; r++) {
		struct record record;

		if ((children[nr++] = fork()))
			continue;
		close(ends[1]);
		while (read(ends[0], &record, sizeof(record)) == sizeof(record)) {
			if (record.writer >= (uint32_t)writers || record.number >= each ||
			    record.sum != record_sum(&record, 16))
				_exit(2);
			if (__sync_fetch_and_add(&seen[record.writer * each + record.number], 1))
				_exit(3);
		}
		_exit(0);
	}
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	for (uint32_t i = 0; i < writers * each; i++)
		CHECK_EQ(seen[i], 1);
}

TEST(two_writers_two_readers, 120,
     "a million small writes of two writers to two readers: each arrives once")
{
	stress(2, 2, 500000);
}

TEST(many_of_both, 60, "eight writers, four readers")
{
	stress(8, 4, 5000);
}

TEST(atomic_under_load, 30, "writes of PIPE_BUF from four writers never interleave")
{
	pid_t children[4];

	make_pipe(0);
	for (int w = 0; w < 4; w++) {
		if ((children[w] = fork()))
			continue;
		memset(big, 'a' + w, PIPE_BUF_SIZE);
		for (int i = 0; i < 200; i++)
			if (write(ends[1], big, PIPE_BUF_SIZE - w) != PIPE_BUF_SIZE - w)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	for (;;) {
		ssize_t n = read(ends[0], back, 1), len;

		if (n == 0)
			break;
		CHECK_EQ(n, 1);
		CHECK(back[0] >= 'a' && back[0] <= 'd');
		len = PIPE_BUF_SIZE - (back[0] - 'a');
		CHECK_EQ(read_full(ends[0], back + 1, len - 1), len - 1);
		for (int i = 1; i < len; i++)
			CHECK_EQ(back[i], back[0]);
	}
	for (int w = 0; w < 4; w++)
		CHECK_EQ(test_wait(children[w]), 0);
}

TEST(bad_segment, 5, "what goes whole or not at all and has a segment that is not there: EFAULT")
{
	struct iovec out[] = { { big, 100 }, { NULL, 100 } };
	struct iovec in[] = { { back, 100 }, { NULL, 100 }, { back + 100, 100 } };
	struct iovec beyond[] = { { back, 300 }, { NULL, 100 } };
	int bytes;

	make_pipe(0);
	CHECK_ERR(writev(ends[1], out, 2), EFAULT);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &bytes), 0);
	CHECK_EQ(bytes, 0);
	make_pipe(O_DIRECT);
	test_fill(big, 300, 9, 0);
	CHECK_EQ(write(ends[1], big, 300), 300);
	CHECK_ERR(readv(ends[0], in, 3), EFAULT);
	/* The packet stays, and asks for no more room than it has bytes. */
	CHECK_EQ(readv(ends[0], beyond, 2), 300);
	CHECK_EQ(test_differs(back, 300, 9, 0), 300);
}
