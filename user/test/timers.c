/*
 * Timers of processes: setitimer for three clocks, and POSIX timers.
 */
#include "signals.h"
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

#define RT		   40
#define NR_TIMER_SETTIME64 409

static siginfo_t last;

static void keep(int sig, siginfo_t *info, void *context)
{
	last = *info;
	hits++;
}

static struct itimerspec after(long first_ms, long interval_ms)
{
	return (struct itimerspec){ { interval_ms / 1000, interval_ms % 1000 * 1000000 },
				    { first_ms / 1000, first_ms % 1000 * 1000000 } };
}

static int arm(timer_t timer, long first_ms, long interval_ms)
{
	const struct itimerspec value = after(first_ms, interval_ms);

	return timer_settime(timer, 0, &value, NULL);
}

static timer_t make(clockid_t clock, int notify, int sig)
{
	struct sigevent event = { .sigev_notify = notify, .sigev_signo = sig };
	timer_t timer;

	event.sigev_value.sival_int = 77;
	CHECK_EQ(timer_create(clock, &event, &timer), 0);
	return timer;
}

static void burn(int ms)
{
	clock_t end = clock() + ms * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		;
}

static int take(int sig, int ms)
{
	sigset_t set = set_of(sig);
	const struct timespec wait = { ms / 1000, ms % 1000 * 1000000l };

	return sigtimedwait(&set, &last, &wait);
}

/* ---- setitimer ---- */

TEST(real_repeats, 20, "ITIMER_REAL repeats; getitimer tells what is left")
{
	const struct itimerval value = { { 0, 50000 }, { 0, 20000 } },
			       none = { { 0, 0 }, { 0, 0 } };
	struct itimerval now;
	long long start = test_ms();

	handle(SIGALRM, keep, SA_SIGINFO);
	CHECK_EQ(setitimer(ITIMER_REAL, &value, NULL), 0);
	while (hits < 4)
		pause();
	CHECK(test_ms() - start >= 169);
	CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
	CHECK(now.it_interval.tv_sec == 0 && now.it_interval.tv_usec == 50000);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec > 0 &&
	      now.it_value.tv_usec <= 60000);
	CHECK_EQ(setitimer(ITIMER_REAL, &none, &now), 0);
	CHECK_EQ(now.it_interval.tv_usec, 50000);
	int before = hits;

	test_sleep_ms(150);
	CHECK_EQ(hits, before);
	CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
	CHECK(!memcmp(&now, &none, sizeof(now)));
	CHECK_ERR(getitimer(3, &now), EINVAL);
	CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, (void *)8), EFAULT);
	CHECK_ERR(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 1000000 }, { 1, 0 } }, NULL),
		  EINVAL);
}

TEST(short_interval, 20,
     "a program with an interval of a microsecond gets on, and its timer with it")
{
	const struct itimerval value = { { 0, 1 }, { 0, 1 } };

	handle(SIGALRM, keep, SA_SIGINFO);
	CHECK_EQ(setitimer(ITIMER_REAL, &value, NULL), 0);
	burn(100);
	CHECK(hits > 2);
	block(SIGALRM);
	burn(100);
}

TEST(cpu_timers, 30, "ITIMER_VIRTUAL and ITIMER_PROF count CPU time only, and repeat")
{
	const struct itimerval value = { { 0, 100000 }, { 0, 100000 } };
	struct itimerval now;
	clock_t start;

	handle(SIGVTALRM, keep, SA_SIGINFO);
	handle(SIGPROF, keep, SA_SIGINFO);
	CHECK_EQ(setitimer(ITIMER_PROF, &value, NULL), 0);
	test_sleep_ms(300);
	CHECK_EQ(hits, 0);
	start = clock();
	while (hits < 2)
		;
	/* The kernel may count by ticks. */
	CHECK(clock() - start >= CLOCKS_PER_SEC / 10);
	CHECK_EQ(last.si_signo, SIGPROF);
	CHECK_EQ(last.si_code, SI_KERNEL);
	CHECK_EQ(getitimer(ITIMER_PROF, &now), 0);
	CHECK(now.it_value.tv_usec > 0 && now.it_value.tv_usec <= 104000);
	CHECK_EQ(setitimer(ITIMER_PROF, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL), 0);
	hits = 0;
	CHECK_EQ(setitimer(ITIMER_VIRTUAL, &value, NULL), 0);
	for (volatile long long i = 0; hits < 2; i++)
		;
	CHECK_EQ(last.si_signo, SIGVTALRM);
	pid_t child = fork();

	/* A child has no timers. */
	if (child == 0) {
		CHECK_EQ(getitimer(ITIMER_VIRTUAL, &now), 0);
		_exit(now.it_value.tv_usec || now.it_interval.tv_usec);
	}
	CHECK_EQ(test_wait(child), 0);
}

/* ---- POSIX timers ---- */

TEST(fires, 10, "a timer sends its signal with its value, once or again and again")
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT), other;
	struct itimerspec now;
	long long start = test_ms();

	block(RT);
	CHECK_EQ(arm(timer, 100, 0), 0);
	CHECK_EQ(timer_gettime(timer, &now), 0);
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 100000000);
	CHECK_EQ(take(RT, 5000), RT);
	CHECK(test_ms() - start >= 99);
	CHECK_EQ(last.si_code, SI_TIMER);
	CHECK_EQ(last.si_value.sival_int, 77);
	CHECK_EQ(last.si_timerid, (int)(intptr_t)timer);
	CHECK_EQ(last.si_overrun, 0);
	CHECK_EQ(timer_gettime(timer, &now), 0);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
	CHECK_EQ(take(RT, 200), -1);
	start = test_ms();
	CHECK_EQ(arm(timer, 30, 60), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(take(RT, 5000), RT);
	CHECK(test_ms() - start >= 209);
	CHECK_EQ(arm(timer, 0, 60), 0);
	CHECK_EQ(take(RT, 200), -1);
	/* Without an event it is SIGALRM with the number of the timer. */
	CHECK_EQ(timer_create(CLOCK_REALTIME, NULL, &other), 0);
	block(SIGALRM);
	CHECK_EQ(arm(other, 10, 0), 0);
	CHECK_EQ(take(SIGALRM, 5000), SIGALRM);
	CHECK_EQ(last.si_value.sival_int, (int)(intptr_t)other);
}

TEST(absolute, 10, "TIMER_ABSTIME on the clocks of time; a time in the past is due at once")
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

	block(RT);
	for (int i = 0; i < 3; i++) {
		timer_t timer = make(clocks[i], SIGEV_SIGNAL, RT);
		struct itimerspec value = { { 0, 0 }, { 0, 1 } };
		struct timespec end;

		CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &value, NULL), 0);
		CHECK_EQ(take(RT, 5000), RT);
		CHECK_EQ(clock_gettime(clocks[i], &value.it_value), 0);
		value.it_value.tv_sec++;
		CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &value, NULL), 0);
		CHECK_EQ(take(RT, 5000), RT);
		CHECK_EQ(clock_gettime(clocks[i], &end), 0);
		CHECK(end.tv_sec > value.it_value.tv_sec ||
		      (end.tv_sec == value.it_value.tv_sec &&
		       end.tv_nsec >= value.it_value.tv_nsec));
		CHECK_EQ(timer_delete(timer), 0);
	}
}

TEST(overrun, 10, "what expires while the signal is pending is counted, and the beat is kept")
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT);
	struct itimerspec now;

	block(RT);
	CHECK_EQ(timer_getoverrun(timer), 0);
	CHECK_EQ(arm(timer, 20, 20), 0);
	test_sleep_ms(210);
	CHECK_EQ(timer_gettime(timer, &now), 0);
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
	CHECK_EQ(take(RT, 1000), RT);
	CHECK(last.si_overrun >= 9 && last.si_overrun < 100);
	CHECK_EQ(timer_getoverrun(timer), last.si_overrun);
	CHECK_EQ(take(RT, 1000), RT);
	CHECK(last.si_overrun < 9);
	CHECK_EQ(arm(timer, 0, 0), 0);
	CHECK_EQ(timer_getoverrun(timer), 0);
}

TEST(in_handlers, 10,
     "handlers get the signals of several timers, and a timer on an ignored signal goes on")
{
	timer_t a, b;

	handle(RT, keep, SA_SIGINFO);
	signal(RT + 1, SIG_IGN);
	a = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT);
	b = make(CLOCK_BOOTTIME, SIGEV_SIGNAL, RT + 1);
	CHECK_EQ(arm(a, 10, 10), 0);
	CHECK_EQ(arm(b, 10, 10), 0);
	while (hits < 5)
		pause();
	CHECK_EQ(timer_delete(a), 0);
	hits = 0;
	handle(RT + 1, keep, SA_SIGINFO);
	while (hits < 5)
		pause();
	CHECK_EQ(last.si_signo, RT + 1);
}

static void *watch(void *arg)
{
	intptr_t n = 0;

	*(volatile int *)arg = syscall(SYS_gettid);
	while (n < 3 && take(RT, 5000) == RT)
		n++;
	return (void *)n;
}

static void *wait_here(void *arg)
{
	CHECK_EQ(take(RT, 1000), -1);
	return NULL;
}

TEST(to_thread, 20,
     "SIGEV_THREAD_ID chooses the thread; SIGEV_NONE sends nothing and counts all the same")
{
	struct sigevent event = { .sigev_notify = 4, .sigev_signo = RT };
	volatile int tid = 0;
	pthread_t id, other;
	int timer;
	void *n;

	block(RT);
	CHECK_EQ(pthread_create(&other, NULL, wait_here, NULL), 0);
	CHECK_EQ(pthread_create(&id, NULL, watch, (void *)&tid), 0);
	while (!tid)
		sched_yield();
	((int *)&event)[3] = tid;
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(arm((timer_t)(intptr_t)timer, 50, 50), 0);
	pthread_join(other, NULL);
	pthread_join(id, &n);
	CHECK_EQ((intptr_t)n, 3);
	((int *)&event)[3] = 1;
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
	timer_t none = make(CLOCK_MONOTONIC, SIGEV_NONE, 0);
	struct itimerspec now;

	CHECK_EQ(arm(none, 20, 0), 0);
	test_sleep_ms(50);
	CHECK_EQ(timer_gettime(none, &now), 0);
	CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
	CHECK_EQ(arm(none, 20, 30), 0);
	test_sleep_ms(100);
	CHECK_EQ(timer_gettime(none, &now), 0);
	CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 30000000);
}

TEST(cpu_clocks, 30, "timers on the CPU time of the process and of a thread")
{
	static const clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };

	handle(RT, keep, SA_SIGINFO);
	for (int i = 0; i < 2; i++) {
		timer_t timer = make(clocks[i], SIGEV_SIGNAL, RT);
		struct itimerspec now;
		clock_t start = clock();

		hits = 0;
		CHECK_EQ(arm(timer, 100, 50), 0);
		test_sleep_ms(300);
		/* On a busy host the guest may have waited for a CPU meanwhile, which counts. */
		CHECK(hits == 0 || clock() - start >= CLOCKS_PER_SEC / 10);
		while (hits < 2)
			;
		CHECK(clock() - start >= CLOCKS_PER_SEC * 15 / 100);
		CHECK_EQ(timer_gettime(timer, &now), 0);
		CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 60000000);
		CHECK_EQ(now.it_interval.tv_nsec, 50000000);
		CHECK_EQ(timer_delete(timer), 0);
	}
}

TEST(refused, 10, "unknown timers, clocks, events and times; as many as RLIMIT_SIGPENDING allows")
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0 };
	struct itimerspec bad = { { 0, 0 }, { 0, 1000000000 } }, good = after(10, 0);
	struct rlimit limit = { 3, 3 };
	int timer;

	CHECK_ERR(syscall(SYS_timer_create, 77, NULL, &timer), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, -1, NULL, &timer), EINVAL); /* no clock of CPU time */
	CHECK_ERR(clock_gettime(-1, &good.it_value), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC_COARSE, NULL, &timer), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
	event.sigev_signo = 65;
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
	event = (struct sigevent){ .sigev_notify = 3, .sigev_signo = RT };
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)8, &timer), EFAULT);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_timer_delete, 5), EINVAL);
	CHECK_ERR(syscall(SYS_timer_getoverrun, 5), EINVAL);
	CHECK_ERR(syscall(409, 5, 0, &good, NULL), EINVAL);
	CHECK_ERR(syscall(408, 5, &good), EINVAL);
	CHECK_EQ(setuid(12345), 0);
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer), 0);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer), EAGAIN);
	CHECK_ERR(syscall(409, timer, 0, &bad, NULL), EINVAL);
	CHECK_ERR(syscall(409, timer, 0, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(409, timer, 0, (void *)8, NULL), EFAULT);
	CHECK_EQ(syscall(SYS_timer_delete, timer), 0);
	CHECK_ERR(syscall(SYS_timer_delete, timer), EINVAL);
	CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer), 0);
	/* The calls with seconds of 32 bits. */
	int narrow[4] = { 0, 0, 100, 5 }, back[4] = { -1, -1, -1, -1 };

	CHECK_EQ(syscall(260, timer, 98, narrow, NULL), 0); /* all but bit 0 is ignored */
	CHECK_EQ(syscall(261, timer, back), 0);
	CHECK(back[0] == 0 && back[1] == 0 && back[2] >= 99 && back[2] <= 100);
}

TEST(deleted, 10,
     "a deleted timer's pending signal is still taken; a child has no timers, a new program neither")
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT);
	pid_t child;

	block(RT);
	CHECK_EQ(arm(timer, 10, 10), 0);
	test_sleep_ms(50);
	child = fork();
	if (child == 0) {
		CHECK_ERR(syscall(SYS_timer_delete, timer), EINVAL);
		/* Its signal would end the new program, which does not know it. */
		CHECK_EQ(arm(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT + 1), 100, 0), 0);
		execl("/proc/self/exe", "timers", "sleeps", NULL);
		_exit(1);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(timer_delete(timer), 0);
	CHECK_EQ(take(RT, 0), RT);
	CHECK_EQ(take(RT, 100), -1);
}

TEST(sleeps, 5, "a program without timers sleeps as long as it wants to")
{
	test_sleep_ms(300);
}

static volatile int in_thread;
static void notify(union sigval value)
{
	in_thread += value.sival_int;
}

TEST(threads, 10, "the C library starts a function in a thread of its own for each expiry")
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD };
	timer_t timer;

	event.sigev_notify_function = notify;
	event.sigev_value.sival_int = 5;
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	CHECK_EQ(arm(timer, 20, 20), 0);
	while (in_thread < 15)
		test_sleep_ms(10);
	CHECK_EQ(timer_delete(timer), 0);
}

static volatile int stop;
static void *work(void *arg)
{
	while (!stop)
		;
	return NULL;
}

TEST(sleep_on_cpu_time, 20,
     "clock_nanosleep on the process's CPU time ends when threads have used it")
{
	struct timespec wait = { 0, 200000000 }, before, now;
	clockid_t clock;
	pthread_t id;

	CHECK_EQ(clock_getcpuclockid(0, &clock), 0);
	CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before), 0);
	CHECK_EQ(pthread_create(&id, NULL, work, NULL), 0);
	CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &wait, NULL), 0);
	CHECK_EQ(clock_gettime(clock, &now), 0);
	CHECK((now.tv_sec - before.tv_sec) * 1000 + (now.tv_nsec - before.tv_nsec) / 1000000 >=
	      199);
	CHECK_EQ(pthread_getcpuclockid(id, &clock), 0);
	CHECK_EQ(clock_gettime(clock, &now), 0);
	CHECK(now.tv_sec * 1000 + now.tv_nsec / 1000000 >= 150);
	stop = 1;
	pthread_join(id, NULL);
	CHECK_ERR(syscall(407, CLOCK_THREAD_CPUTIME_ID, 0, &wait, NULL), EOPNOTSUPP);
	CHECK_ERR(syscall(407, 77, 0, &wait, NULL), EINVAL);
	CHECK_EQ(clock_getres(CLOCK_MONOTONIC, &now), 0);
	CHECK(now.tv_sec == 0 && now.tv_nsec > 0);
	CHECK_ERR(clock_getres(77, &now), EINVAL);
}

static timer_t raced;
static void *set_it(void *arg)
{
	for (int i = 0; i < 300; i++) {
		const struct itimerspec value = { { 0, 1 }, { 0, 1 } };

		(void)timer_settime(raced, 0, &value, NULL);
	}
	return NULL;
}

TEST(races, 30,
     "a timer that one thread sets, another deletes, and whose signals a third one handles")
{
	handle(RT, keep, SA_SIGINFO);
	for (int round = 0; round < 20; round++) {
		pthread_t id;

		raced = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, RT);
		CHECK_EQ(pthread_create(&id, NULL, set_it, NULL), 0);
		for (int i = 0; i < round; i++)
			sched_yield();
		CHECK_EQ(timer_delete(raced), 0);
		pthread_join(id, NULL);
	}
}

TEST(long_interval, 10,
     "a timer whose interval is too long for the clock fires once, though its signal is ignored")
{
	/* struct itimerspec with 64 bits: the interval and the first time. */
	const int64_t value[4] = { 9000000001ll, 0, 0, 1 };
	struct itimerspec left;
	timer_t timer;

	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1);
	CHECK_EQ(syscall(NR_TIMER_SETTIME64, timer, 0, value, NULL), 0);
	test_sleep_ms(50);
	handle(SIGUSR1, keep, SA_SIGINFO);
	test_sleep_ms(50);
	CHECK_EQ(hits, 0);
	CHECK_EQ(timer_gettime(timer, &left), 0);
	CHECK(left.it_value.tv_sec > 1000000000);
	CHECK_EQ(timer_delete(timer), 0);
}
