/*
 * Setting the clock: settimeofday, stime, clock_settime and adjtimex, and what waits for a time of
 * the wall clock.
 *
 * Each case puts the clock back, as far as it has gone meanwhile.
 */
#include "background.h"
#include "signals.h"
#include "vdso.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>

#define FAR 1000 /* seconds */

enum { NR_STIME = 25, NR_FUTEX_TIME64 = 422, NR_CLOCK_ADJTIME64 = 405, NR_SETTIMEOFDAY = 79 };

static long long now_of(clockid_t clock)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(clock, &now), 0);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static struct timespec in_seconds(int seconds)
{
	struct timespec time;

	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &time), 0);
	time.tv_sec += seconds;
	return time;
}

/* Set the wall clock forward, or back if `seconds` is negative. */
static void step(int seconds)
{
	struct timespec time = in_seconds(seconds);

	CHECK_EQ(clock_settime(CLOCK_REALTIME, &time), 0);
}

TEST(set, 5, "three calls set the wall clock, which the vDSO tells as well, and no other clock")
{
	long long wall = now_of(CLOCK_REALTIME), boot = now_of(CLOCK_MONOTONIC);
	struct timespec time = in_seconds(FAR);
	struct timeval tv;
	int32_t seconds = time.tv_sec + FAR;

	CHECK_EQ(clock_settime(CLOCK_REALTIME, &time), 0);
	CHECK(now_of(CLOCK_REALTIME) - wall >= FAR * 1000000000ll);
	CHECK(now_of(CLOCK_REALTIME) - wall < (FAR + 5) * 1000000000ll);
	CHECK_EQ(syscall(NR_STIME, &seconds), 0);
	CHECK_EQ(gettimeofday(&tv, NULL), 0);
	CHECK(tv.tv_sec - seconds >= 0 && tv.tv_sec - seconds < 5);
	tv.tv_sec -= 2 * FAR;
	CHECK_EQ(settimeofday(&tv, NULL), 0);
	CHECK(now_of(CLOCK_REALTIME) - wall >= -1000000000ll);
	CHECK(now_of(CLOCK_REALTIME) - wall < 5000000000ll);
	CHECK(now_of(CLOCK_MONOTONIC) >= boot && now_of(CLOCK_MONOTONIC) - boot < 5000000000ll);
}

TEST(set_errors, 5, "what is no time, no clock that can be set, or not root's")
{
	struct timespec time = in_seconds(0), bad = { time.tv_sec, 1000000000 };
	int32_t now[2] = { time.tv_sec, 1000000 };

	CHECK_ERR(clock_settime(CLOCK_REALTIME, &bad), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &time), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_BOOTTIME, &time), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_PROCESS_CPUTIME_ID, &time), EINVAL);
	CHECK_ERR(clock_settime(77, &time), EINVAL);
	CHECK_ERR(clock_settime(-2, &time), EPERM);
	/* A time at which CLOCK_MONOTONIC would have been below zero. */
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &(struct timespec){ 0, 0 }), EINVAL);
	CHECK_ERR(syscall(NR_SETTIMEOFDAY, now, NULL), EINVAL);
	CHECK_ERR(syscall(NR_SETTIMEOFDAY, 1, NULL), EFAULT);
	CHECK_ERR(syscall(NR_SETTIMEOFDAY, NULL, 1), EFAULT);
	CHECK_ERR(syscall(NR_STIME, 1), EFAULT);
	pid_t child = fork();

	if (child == 0) {
		struct timex timex = { .modes = 0 };

		now[1] = 0;
		setuid(1000);
		CHECK_ERR(clock_settime(CLOCK_REALTIME, &time), EPERM);
		CHECK_ERR(syscall(NR_SETTIMEOFDAY, now, NULL), EPERM);
		CHECK_ERR(syscall(NR_SETTIMEOFDAY, NULL, NULL), EPERM);
		CHECK_ERR(syscall(NR_STIME, now), EPERM);
		CHECK(adjtimex(&timex) >= 0);
		timex.modes = ADJ_OFFSET_SS_READ;
		CHECK(adjtimex(&timex) >= 0);
		timex.modes = ADJ_TICK;
		CHECK_ERR(adjtimex(&timex), EPERM);
		exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

TEST(timers_follow, 10,
     "a timer for a time of the wall clock follows that clock, one for a span does not")
{
	struct itimerspec far = { .it_value = in_seconds(FAR) },
			  soon = { .it_value = { 0, 200000000 } }, left;
	timer_t follows, stays;
	long long start = test_ms();

	handle(SIGUSR1, on_signal, 0);
	handle(SIGALRM, on_signal, 0);
	CHECK_EQ(timer_create(CLOCK_REALTIME, &(struct sigevent){ .sigev_signo = SIGUSR1 },
			      &follows),
		 0);
	CHECK_EQ(timer_create(CLOCK_REALTIME, NULL, &stays), 0);
	CHECK_EQ(timer_settime(follows, TIMER_ABSTIME, &far, NULL), 0);
	step(FAR / 2);
	CHECK_EQ(timer_gettime(follows, &left), 0);
	CHECK(left.it_value.tv_sec > FAR / 2 - 10 && left.it_value.tv_sec <= FAR / 2);
	hits = 0;
	step(FAR / 2);
	while (!hits && test_ms() - start < 5000)
		test_sleep_ms(1);
	CHECK_EQ(hits, 1);
	CHECK_EQ(timer_settime(stays, 0, &soon, NULL), 0);
	step(-FAR);
	while (hits < 2 && test_ms() - start < 5000)
		test_sleep_ms(1);
	CHECK_EQ(hits, 2);
	timer_delete(follows);
	timer_delete(stays);
}

/* Run `wait` in a child, which ends when the parent has set the clock. */
static void follows(int (*wait)(const struct timespec *until))
{
	struct timespec until = in_seconds(FAR);
	pid_t child = fork();

	if (child == 0)
		exit(wait(&until) || now_of(CLOCK_REALTIME) / 1000000000 < until.tv_sec);
	await_sleep(child);
	step(FAR);
	CHECK_EQ(wait_status(child), 0);
	step(-FAR);
}

static int sleep_until(const struct timespec *until)
{
	return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, until, NULL);
}

static int wait_for_word(const struct timespec *until)
{
	int64_t time[2] = { until->tv_sec, until->tv_nsec };
	unsigned int word = 0;

	/* FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME */
	return syscall(NR_FUTEX_TIME64, &word, 9 | 256, 0, time, NULL, -1) != -1 ||
	       errno != ETIMEDOUT;
}

TEST(sleeps_follow, 10, "sleeps and waits until a time of the wall clock follow it, too")
{
	follows(sleep_until);
	follows(wait_for_word);
}

TEST(cancelled, 10,
     "TFD_TIMER_CANCEL_ON_SET: a read tells that the clock was set, and the timer goes on")
{
	struct itimerspec far = { .it_value = in_seconds(FAR) };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	uint64_t ticks;

	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL), 0);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	step(10);
	CHECK_EQ(poll(&poll_fd, 1, 2000), 1);
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL), 0);
	step(FAR - 10);
	CHECK_EQ(poll(&poll_fd, 1, 2000), 1);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	CHECK_EQ(ticks, 1);
	step(-FAR);
	close(fd);
}

TEST(cancelled_later, 10, "TFD_TIMER_CANCEL_ON_SET: the same when the timer has expired before")
{
	struct itimerspec value = { .it_value = in_seconds(0), .it_interval.tv_sec = 100 };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	uint64_t ticks;

	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &value, NULL), 0);
	test_sleep_ms(50);
	CHECK_EQ(timerfd_gettime(fd, &value), 0);
	CHECK(value.it_value.tv_sec > 90);
	step(10);
	test_sleep_ms(50);
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	/* The clock is not set to the next end, which Linux may lose when it cancels the timer. */
	CHECK_EQ(timerfd_gettime(fd, &value), 0);
	CHECK(value.it_value.tv_sec > 80 && value.it_value.tv_sec < 90);
	step(-10);
	close(fd);
}

/* A task that reads the timer learns that the clock is set while it sleeps, and so does a poll. */
static void waiter_is_told(int fd)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	pid_t waiter = fork();
	uint64_t ticks;

	if (waiter == 0)
		exit(read(fd, &ticks, 8) != -1 || errno != ECANCELED);
	await_sleep(waiter);
	step(10);
	CHECK_EQ(wait_status(waiter), 0);
	waiter = fork();
	if (waiter == 0)
		exit(poll(&poll_fd, 1, -1) != 1);
	await_sleep(waiter);
	step(-10);
	CHECK_EQ(wait_status(waiter), 0);
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
}

TEST(cancelled_wait, 10,
     "TFD_TIMER_CANCEL_ON_SET: a wait ends, even if the timer is not set or has expired")
{
	const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	struct itimerspec far = { .it_value = in_seconds(FAR) }, none = { .it_value = { 0, 0 } };
	struct itimerspec past = { .it_value = { 1, 0 } };
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	uint64_t ticks;

	CHECK_EQ(timerfd_settime(fd, flags, &far, NULL), 0);
	waiter_is_told(fd);
	close(fd);
	fd = timerfd_create(CLOCK_REALTIME, 0);
	CHECK_EQ(timerfd_settime(fd, flags, &none, NULL), 0);
	waiter_is_told(fd);
	close(fd);
	fd = timerfd_create(CLOCK_REALTIME, 0);
	CHECK_EQ(timerfd_settime(fd, flags, &past, NULL), 0);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	waiter_is_told(fd);
	close(fd);
}

/* Read both clocks at nearly the same time, even if the guest is interrupted. */
static void read_rates(long long *mono, long long *raw)
{
	do {
		*raw = now_of(CLOCK_MONOTONIC_RAW);
		*mono = now_of(CLOCK_MONOTONIC);
	} while (now_of(CLOCK_MONOTONIC_RAW) - *raw > 1000000);
}

TEST(rate, 5, "adjtimex: a longer tick makes CLOCK_MONOTONIC faster than CLOCK_MONOTONIC_RAW")
{
	struct timex timex = { .modes = 0 };
	long long mono, raw, mono_after, raw_after;

	CHECK(adjtimex(&timex) >= 0);
	CHECK_EQ(timex.tick, 10000);
	timex.modes = ADJ_TICK;
	timex.tick = 8999;
	CHECK_ERR(adjtimex(&timex), EINVAL);
	timex.tick = 11001;
	CHECK_ERR(adjtimex(&timex), EINVAL);
	timex.tick = 11000;
	CHECK(adjtimex(&timex) >= 0);
	test_sleep_ms(50);
	read_rates(&mono, &raw);
	test_sleep_ms(400);
	read_rates(&mono_after, &raw_after);
	mono = mono_after - mono;
	raw = raw_after - raw;
	CHECK(mono * 100 / raw >= 109 && mono * 100 / raw <= 111);
	timex.tick = 10000;
	CHECK(adjtimex(&timex) >= 0);
}

/* Read the clock until `ends`. Exit with 1 if it goes back. */
static pid_t reader(long long ends)
{
	pid_t child = fork();
	long long last = 0;

	CHECK(child >= 0);
	while (!child) {
		long long now = now_of(CLOCK_MONOTONIC);

		if (now < last || now > ends)
			_exit(now < last);
		last = now;
	}
	return child;
}

TEST(never_back, 20, "CLOCK_MONOTONIC does not go back while its rate changes")
{
	long long ends = now_of(CLOCK_MONOTONIC) + 2000000000ll;
	pid_t children[3];

	for (int i = 0; i < 3; i++)
		children[i] = reader(ends);
	for (int i = 0; now_of(CLOCK_MONOTONIC) < ends; i++) {
		struct timex timex = { .modes = ADJ_TICK, .tick = i % 2 ? 9000 : 11000 };

		CHECK(adjtimex(&timex) >= 0);
		usleep(1000);
	}
	CHECK(adjtimex(&(struct timex){ .modes = ADJ_TICK, .tick = 10000 }) >= 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

TEST(adjusted, 10, "adjtimex keeps what it is told, and makes up for an offset")
{
	struct timex timex = { .modes = ADJ_FREQUENCY | ADJ_MAXERROR | ADJ_ESTERROR | ADJ_TIMECONST,
			       .freq = 12345678,
			       .maxerror = 1000,
			       .esterror = 77,
			       .constant = 3 };
	struct timex now = { .modes = 0 };

	CHECK(adjtimex(&timex) >= 0);
	CHECK(adjtimex(&now) >= 0);
	CHECK_EQ(now.freq, 12345678);
	CHECK(now.maxerror >= 1000 && now.maxerror < 10000);
	CHECK_EQ(now.esterror, 77);
	CHECK_EQ(now.constant, 7);
	timex = (struct timex){ .modes = ADJ_FREQUENCY };
	CHECK(adjtimex(&timex) >= 0);
	timex = (struct timex){ .modes = 0x8000 };
	CHECK_ERR(adjtimex(&timex), EINVAL);
	timex = (struct timex){ .modes = ADJ_OFFSET_SINGLESHOT, .offset = 300 };
	CHECK(adjtimex(&timex) >= 0);
	timex = (struct timex){ .modes = ADJ_OFFSET_SS_READ };
	for (int i = 0; i < 40 && (i == 0 || timex.offset > 0); i++) {
		test_sleep_ms(100);
		CHECK(adjtimex(&timex) >= 0);
		CHECK(timex.offset <= 300);
	}
	CHECK_EQ(timex.offset, 0);
}

/* The second clock is so many seconds ahead of the first one. */
static bool is_ahead(clockid_t first, clockid_t second, int seconds)
{
	long long before = now_of(first), between = now_of(second), after = now_of(first);

	between -= seconds * 1000000000ll;
	return before <= between && between <= after;
}

TEST(clocks, 5, "more clocks: TAI, and those of alarms")
{
	struct timex timex = { .modes = ADJ_TAI, .constant = 37 };

	CHECK(adjtimex(&timex) >= 0);
	CHECK(is_ahead(CLOCK_REALTIME, CLOCK_TAI, 37));
	timex.constant = 0;
	CHECK(adjtimex(&timex) >= 0);
	CHECK(is_ahead(CLOCK_REALTIME, CLOCK_REALTIME_ALARM, 0));
	CHECK(is_ahead(CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, 0));
}

/* struct timex with words of 8 bytes. */
struct wide_timex {
	int64_t modes, offset, freq, maxerror, esterror, status, constant, more[19];
};

static void adjust_wide(struct wide_timex wide)
{
	CHECK(syscall(NR_CLOCK_ADJTIME64, CLOCK_REALTIME, &wide) >= 0);
}

TEST(far_fields, 5, "fields of adjtimex that are much too large are refused or cut")
{
	const struct timex before = { .modes = ADJ_TIMECONST | ADJ_MAXERROR,
				      .constant = 2,
				      .maxerror = 1000 };
	struct timex now = { .modes = 0 };

	adjust_wide((struct wide_timex){ .modes = ADJ_TAI, .constant = 0x80000000ll });
	adjust_wide((struct wide_timex){ .modes = ADJ_TAI, .constant = 100001 });
	CHECK(adjtimex(&now) >= 0);
	CHECK_EQ(now.tai, 0);
	adjust_wide((struct wide_timex){ .modes = ADJ_TIMECONST, .constant = INT64_MAX });
	CHECK(adjtimex(&now) >= 0);
	CHECK(now.constant >= 0 && now.constant <= 10);
	adjust_wide((struct wide_timex){ .modes = ADJ_MAXERROR, .maxerror = INT64_MAX });
	adjust_wide((struct wide_timex){ .modes = ADJ_OFFSET_SINGLESHOT, .offset = INT64_MAX });
	adjust_wide((struct wide_timex){ .modes = ADJ_OFFSET_SINGLESHOT, .offset = INT64_MIN });
	adjust_wide((struct wide_timex){ .modes = ADJ_OFFSET_SINGLESHOT });
	now = before;
	CHECK(adjtimex(&now) >= 0);
}

/* Set the clock to what it says. That is a change, too. */
static void set_to_itself(void)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
	CHECK_EQ(clock_settime(CLOCK_REALTIME, &now), 0);
}

TEST(cancelled_at_once, 10,
     "TFD_TIMER_CANCEL_ON_SET: the next call tells it, and a new setting does")
{
	const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	struct itimerspec far = { .it_value = in_seconds(FAR) }, none = { .it_value = { 0, 0 } };
	struct itimerspec past = { .it_value = { 1, 0 } }, old;
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	uint64_t ticks;

	CHECK_EQ(timerfd_settime(fd, flags, &far, NULL), 0);
	set_to_itself();
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	set_to_itself();
	CHECK_ERR(timerfd_settime(fd, flags, &far, &old), ECANCELED);
	CHECK_EQ(timerfd_gettime(fd, &old), 0); /* it has been set */
	CHECK(old.it_value.tv_sec > 0);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	/* One that has expired does not expire again. */
	CHECK_EQ(timerfd_settime(fd, flags, &past, NULL), 0);
	test_sleep_ms(50);
	CHECK_EQ(read(fd, &ticks, 8), 8);
	set_to_itself();
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
	test_sleep_ms(50);
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
	CHECK_EQ(timerfd_settime(fd, flags, &none, NULL), 0);
	set_to_itself();
	CHECK_ERR(read(fd, &ticks, 8), ECANCELED);
	set_to_itself();
	CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL), 0);
	set_to_itself();
	CHECK_ERR(read(fd, &ticks, 8), EAGAIN);
}
