/*
 * timerfd: one expiry and intervals, relative and absolute, what is left, poll and epoll, errors.
 */
#include "epoll.h"
#include <sys/timerfd.h>

#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)

#define MS		  1000000L

static int make(int clock, int flags)
{
	int fd = timerfd_create(clock, flags);

	CHECK(fd >= 0);
	return fd;
}

static void set(int fd, int flags, long long value_ms, long interval_ms)
{
	struct itimerspec new = {
		.it_value = { value_ms / 1000, value_ms % 1000 * MS },
		.it_interval = { interval_ms / 1000, interval_ms % 1000 * MS },
	};

	CHECK_EQ(timerfd_settime(fd, flags, &new, NULL), 0);
}

static uint64_t ticks(int fd)
{
	uint64_t n;

	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	return n;
}

static void has_none(int fd)
{
	uint64_t n;

	CHECK_ERR(read(fd, &n, sizeof(n)), EAGAIN);
}

static long long ms_of(int clock)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(clock, &now), 0);
	return now.tv_sec * 1000ll + now.tv_nsec / MS;
}

static void expires_once(int clock)
{
	int fd = make(clock, TFD_NONBLOCK);
	long long start = test_ms();

	set(fd, 0, 60, 0);
	has_none(fd);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(ticks(fd), 1);
	CHECK(test_ms() - start >= 59);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	has_none(fd);
	test_sleep_ms(80);
	has_none(fd);
	CHECK_EQ(close(fd), 0);
}

TEST(once, 10, "a timer expires once after its time, by each clock")
{
	expires_once(CLOCK_MONOTONIC);
	expires_once(CLOCK_REALTIME);
	expires_once(CLOCK_BOOTTIME);
}

static void expires_at(int clock)
{
	int fd = make(clock, 0);
	long long then = ms_of(clock) + 60;
	struct itimerspec left;

	set(fd, TFD_TIMER_ABSTIME, then, 0);
	CHECK_EQ(timerfd_gettime(fd, &left), 0);
	CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 61 * MS);
	CHECK_EQ(ticks(fd), 1);
	CHECK(ms_of(clock) >= then);
	/* A time that has passed. */
	set(fd, TFD_TIMER_ABSTIME, then - 50, 0);
	CHECK_EQ(ticks(fd), 1);
	CHECK_EQ(close(fd), 0);
}

TEST(absolute, 10, "a timer expires at a time of its clock, or at once if that has passed")
{
	expires_at(CLOCK_MONOTONIC);
	expires_at(CLOCK_REALTIME);
	expires_at(CLOCK_BOOTTIME);
}

TEST(past_intervals, 10, "intervals that passed before the timer was set count")
{
	int fd = make(CLOCK_REALTIME, 0);
	uint64_t n;

	set(fd, TFD_TIMER_ABSTIME, ms_of(CLOCK_REALTIME) - 100050, 1000);
	n = ticks(fd);
	CHECK(n >= 101 && n <= 105);
	CHECK_EQ(close(fd), 0);
}

TEST(interval, 20, "a timer that repeats counts what was not read")
{
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK);
	long long start = test_ms();
	uint64_t n;

	set(fd, 0, 20, 100);
	test_sleep_ms(350);
	n = ticks(fd);
	CHECK(n >= 4 && n <= 1 + (uint64_t)(test_ms() - start) / 100);
	has_none(fd);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	n += ticks(fd);
	n += ticks(fd);
	/* The intervals follow the first expiry, and not the reads. */
	CHECK(test_ms() - start >= 20 + ((long long)n - 1) * 100 - 1);
	CHECK_EQ(close(fd), 0);
}

TEST(left, 10, "timerfd_gettime and the old value show what is left, and the interval")
{
	struct itimerspec old, new = { { 7, 8 }, { 100, 0 } };
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK);

	CHECK_EQ(timerfd_gettime(fd, &old), 0);
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec && !old.it_interval.tv_sec);
	CHECK_EQ(timerfd_settime(fd, 0, &new, &old), 0);
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec);
	CHECK_EQ(timerfd_gettime(fd, &old), 0);
	CHECK(old.it_value.tv_sec == 99 && old.it_interval.tv_sec == 7);
	CHECK_EQ(old.it_interval.tv_nsec, 8);
	/* Zero stops the timer. Its interval is kept. */
	new.it_value.tv_sec = 0;
	CHECK_EQ(timerfd_settime(fd, 0, &new, &old), 0);
	CHECK_EQ(old.it_value.tv_sec, 99);
	CHECK_EQ(timerfd_gettime(fd, &old), 0);
	CHECK(!old.it_value.tv_sec && !old.it_value.tv_nsec);
	CHECK_EQ(old.it_interval.tv_sec, 7);
}

TEST(gettime_catches_up, 10,
     "timerfd_gettime of a timer that has fired shows the next interval, and loses no tick")
{
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec left;

	set(fd, 0, 10, 50);
	test_sleep_ms(200);
	CHECK_EQ(timerfd_gettime(fd, &left), 0);
	CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 50 * MS);
	CHECK(ticks(fd) >= 4);
}

TEST(set_again, 10, "a new setting forgets expiries that were not read")
{
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK);

	set(fd, 0, 10, 0);
	test_sleep_ms(50);
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	set(fd, 0, 10000, 0);
	CHECK_EQ(poll_now(fd, POLLIN), 0);
	has_none(fd);
	set(fd, 0, 0, 0);
	has_none(fd);
}

TEST(polled, 10,
     "poll and epoll wait for a timer, and an edge comes with each expiry that follows a read")
{
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = make_epoll();
	struct pollfd p = { fd, POLLIN, 0 };

	add(ep, fd, EPOLLIN | EPOLLET);
	set(fd, 0, 50, 50);
	CHECK_EQ(epoll_wait(ep, got, 1, 5000), 1);
	CHECK_EQ(got[0].events, EPOLLIN);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK(ticks(fd) >= 1);
	CHECK_EQ(epoll_wait(ep, got, 1, 5000), 1);
	CHECK(ticks(fd) >= 1);
	/* Closed while it runs. */
	CHECK_EQ(close(fd), 0);
	test_sleep_ms(60);
	CHECK_EQ(ready(ep), 0);
}

TEST(errors, 5, "the calls check their arguments")
{
	struct itimerspec new = { { 0, 0 }, { 1, 0 } }, bad = { { 0, 0 }, { 0, 1000000000 } };
	int fd = make(CLOCK_MONOTONIC, TFD_CLOEXEC), other = make_epoll();
	uint64_t n;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(timerfd_settime(fd, 4, &new, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
	bad.it_value = (struct timespec){ -1, 0 };
	CHECK_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(-1, 0, &new, NULL), EBADF);
	CHECK_ERR(timerfd_settime(other, 0, &new, NULL), EINVAL);
	CHECK_ERR(timerfd_gettime(-1, &new), EBADF);
	CHECK_ERR(timerfd_gettime(other, &new), EINVAL);
	CHECK_ERR(syscall(SYS_timerfd_settime64, fd, 0, 16, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_timerfd_gettime64, fd, 16), EFAULT);
	CHECK_ERR(read(fd, &n, 7), EINVAL);
	CHECK_ERR(write(fd, &n, 8), EINVAL);
	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME | 2, &new, NULL), 0);
}

TEST(both_widths, 5, "the older calls have 32-bit seconds")
{
	int fd = make(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int32_t narrow[4] = { 7, 8, 100, 0 }, seen[4];
	struct itimerspec wide;

	CHECK_EQ(syscall(SYS_timerfd_settime32, fd, 0, narrow, NULL), 0);
	CHECK_EQ(timerfd_gettime(fd, &wide), 0);
	CHECK(wide.it_value.tv_sec == 99 && wide.it_interval.tv_sec == 7);
	CHECK_EQ(syscall(SYS_timerfd_gettime32, fd, seen), 0);
	CHECK(seen[0] == 7 && seen[1] == 8 && seen[2] == 99);
	/* Years after the end of 32-bit seconds. */
	wide.it_value.tv_sec = 5000000000ll;
	CHECK_EQ(timerfd_settime(fd, 0, &wide, NULL), 0);
	CHECK_EQ(timerfd_gettime(fd, &wide), 0);
	CHECK(wide.it_value.tv_sec >= 4999999990ll);
}

TEST(set_ticks, 5, "TFD_IOC_SET_TICKS says how often the timer has expired")
{
	int fd = make(CLOCK_REALTIME, TFD_NONBLOCK);
	uint64_t ticks = 7, seen = 0;

	CHECK_EQ(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), 0);
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	CHECK_EQ(read(fd, &seen, sizeof(seen)), 8);
	CHECK_EQ(seen, 7);
	CHECK_EQ(poll_now(fd, POLLIN), 0);
	CHECK_ERR(read(fd, &seen, sizeof(seen)), EAGAIN);
	ticks = 0;
	CHECK_ERR(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), EINVAL);
	CHECK_ERR(ioctl(fd, TFD_IOC_SET_TICKS, 1), EFAULT);
	CHECK_ERR(ioctl(fd, 0x1234, &ticks), ENOTTY);
}

TEST(set_ticks_wakes, 10, "who waits for the timer reads the ticks that are set")
{
	int fd = make(CLOCK_MONOTONIC, 0);
	uint64_t ticks = 3, seen = 0;
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(read(fd, &seen, sizeof(seen)), 8);
		_exit(seen);
	}
	test_sleep_ms(50);
	CHECK_EQ(ioctl(fd, TFD_IOC_SET_TICKS, &ticks), 0);
	CHECK_EQ(test_wait(child), 3);
}
