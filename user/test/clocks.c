/*
 * Clocks and timers.
 */
#include "signals.h"
#include <sys/time.h>

TEST(timers, 10, "setitimer tells what is left; alarm rounds; SIGALRM ends who has no handler")
{
	struct itimerval value = { { 0, 0 }, { 5, 0 } }, old;

	CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &value, &old) == 0 && old.it_value.tv_sec == 4 &&
	      old.it_interval.tv_sec == 0);
	CHECK(alarm(0) == 5);
	CHECK(alarm(0) == 0);
	pid_t child = fork();

	if (child == 0) {
		struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;)
			;
	}
	CHECK(WTERMSIG(wait_status(child)) == SIGALRM);
}

TEST(timers_cleared, 5, "every timer can be cleared, and tells that nothing was left")
{
	const struct itimerval none = { { 0, 0 }, { 0, 0 } };

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		struct itimerval old = { { 1, 1 }, { 1, 1 } };

		CHECK_EQ(setitimer(which, &none, &old), 0);
		CHECK(!memcmp(&old, &none, sizeof(old)));
	}
	CHECK_ERR(setitimer(3, &none, NULL), EINVAL);
}

TEST(clocks, 5, "clocks go forward; CPU time counts only what was used; absolute sleeps")
{
	struct timespec a, b, ts;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
	ts = a;
	ts.tv_nsec += 100000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME | 6, &ts, NULL) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
	CHECK(b.tv_sec > ts.tv_sec || (b.tv_sec == ts.tv_sec && b.tv_nsec >= ts.tv_nsec));
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0 && a.tv_sec == 0);
	test_sleep_ms(200);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b) == 0);
	CHECK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 100);
	CHECK(clock_gettime(77, &a) == -1 && errno == EINVAL);
	ts.tv_nsec = 1000000000;
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL) == EINVAL);
}

TEST(alarms, 10, "alarm interrupts a sleep; nanosleep says what was left; so does setitimer")
{
	struct timespec wait = { 5, 0 }, left = { 0, 0 };
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } };
	long long start = test_ms();

	handle(SIGALRM, on_signal, 0);
	CHECK_EQ(alarm(1), 0);
	CHECK_ERR(nanosleep(&wait, &left), EINTR);
	CHECK(test_ms() - start >= 990 && test_ms() - start < 3000);
	CHECK(left.tv_sec == 3 || left.tv_sec == 4);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
	hits = 0;
	while (!hits)
		test_sleep_ms(1);
}

TEST(sleep_takes_its_time, 10, "nanosleep sleeps as long as asked, and not much longer")
{
	long long start = test_ms();

	test_sleep_ms(300);
	CHECK(test_ms() - start >= 300 && test_ms() - start < 2000);
}
