/* eventfd: the counter, waiting, EFD_SEMAPHORE, and what poll says. */
#include "test.h"
#include <pthread.h>
#include <sys/eventfd.h>

#define COUNTER_MAX (UINT64_MAX - 1)

static uint64_t take(int fd)
{
	uint64_t value;

	CHECK_EQ(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void add(int fd, uint64_t value)
{
	CHECK_EQ(write(fd, &value, sizeof(value)), sizeof(value));
}

static int make(unsigned int initial, int flags)
{
	int fd = eventfd(initial, flags);

	CHECK(fd >= 0);
	return fd;
}

TEST(counts, 5, "writes add up, and a read returns the sum and clears it")
{
	int fd = make(5, 0);
	char large[100];

	CHECK_EQ(take(fd), 5);
	add(fd, 1);
	add(fd, 0xffffffffffull);
	CHECK_EQ(take(fd), 0x10000000000ull);
	add(fd, 3);
	CHECK_EQ(read(fd, large, sizeof(large)), 8);
	CHECK_EQ(large[0], 3);
	CHECK_EQ(close(fd), 0);
}

TEST(semaphore, 5, "with EFD_SEMAPHORE a read returns 1 and takes 1")
{
	int fd = make(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t value;

	CHECK_EQ(take(fd), 1);
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	CHECK_EQ(take(fd), 1);
	CHECK_EQ(poll_now(fd, POLLIN), 0);
	CHECK_ERR(read(fd, &value, sizeof(value)), EAGAIN);
}

TEST(limit, 5, "the counter does not exceed 2^64 - 2, and poll says whether 1 can be added")
{
	int fd = make(0, EFD_NONBLOCK);
	uint64_t value = UINT64_MAX;

	CHECK_ERR(write(fd, &value, sizeof(value)), EINVAL);
	add(fd, COUNTER_MAX - 1);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	value = 2;
	CHECK_ERR(write(fd, &value, sizeof(value)), EAGAIN);
	add(fd, 1);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN);
	value = 1;
	CHECK_ERR(write(fd, &value, sizeof(value)), EAGAIN);
	add(fd, 0);
	CHECK(take(fd) == COUNTER_MAX);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLOUT);
	CHECK_ERR(read(fd, &value, sizeof(value)), EAGAIN);
}

TEST(errors, 5, "small buffers, bad memory and unknown flags are refused, and nothing is lost")
{
	int fd = make(7, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t value = 1;

	CHECK_ERR(eventfd(0, 0x10), EINVAL);
	CHECK_ERR(read(fd, &value, 7), EINVAL);
	CHECK_ERR(write(fd, &value, 7), EINVAL);
	CHECK_ERR(write(fd, (void *)16, 8), EFAULT);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
	CHECK_EQ(take(fd), 7);
	CHECK_EQ(syscall(SYS_eventfd, 9), fd + 1);
	CHECK_EQ(fcntl(fd + 1, F_GETFD), 0);
	CHECK_EQ(take(fd + 1), 9);
}

BEYOND_TEST(failed_read, 5, "a read whose memory is bad takes nothing",
	    "its read takes the counter before it copies")
{
	int fd = make(7, EFD_NONBLOCK);

	CHECK_ERR(read(fd, (void *)16, 8), EFAULT);
	CHECK_EQ(take(fd), 7);
}

TEST(vectors, 5, "each segment of a writev is a write of its own")
{
	int fd = make(0, EFD_NONBLOCK);
	uint64_t values[3] = { 1, 2, UINT64_MAX };
	struct iovec iov[3] = { { &values[0], 8 }, { &values[1], 8 }, { &values[2], 8 } };

	CHECK_EQ(writev(fd, iov, 2), 16);
	CHECK_EQ(take(fd), 3);
	CHECK_EQ(writev(fd, iov, 3), 16);
	CHECK_EQ(take(fd), 3);
	iov[0].iov_len = 4;
	CHECK_ERR(writev(fd, iov, 2), EINVAL);
}

static void *read_later(void *fd)
{
	return (void *)(uintptr_t)take(*(int *)fd);
}

static void *write_later(void *fd)
{
	add(*(int *)fd, 10);
	return NULL;
}

TEST(reader_waits, 10, "a reader sleeps until something is added")
{
	int fd = make(0, 0);
	pthread_t thread;
	void *value;

	CHECK_EQ(pthread_create(&thread, NULL, read_later, &fd), 0);
	test_sleep_ms(100);
	add(fd, 4);
	CHECK_EQ(pthread_join(thread, &value), 0);
	CHECK_EQ((uintptr_t)value, 4);
}

TEST(writer_waits, 10, "a writer sleeps until its number fits")
{
	int fd = make(0, 0);
	pthread_t thread;

	add(fd, COUNTER_MAX - 5);
	CHECK_EQ(pthread_create(&thread, NULL, write_later, &fd), 0);
	test_sleep_ms(100);
	CHECK(take(fd) == COUNTER_MAX - 5);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(take(fd), 10);
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST(interrupted, 10, "a signal ends the wait")
{
	struct sigaction action = { .sa_handler = on_alarm };
	int fd = make(0, 0);
	uint64_t value;

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	CHECK_ERR(read(fd, &value, sizeof(value)), EINTR);
}

TEST(name, 5, "the link in /proc/self/fd says anon_inode, and the file has no type")
{
	int fd = make(0, 0);
	char path[40], text[64] = "";
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, text, sizeof(text) - 1) > 0);
	CHECK(!strcmp(text, "anon_inode:[eventfd]"));
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode, 0600);
	CHECK_ERR(open(path, O_RDWR), ENXIO);
}
