/*
 * Limits: those of other processes (prlimit), of time, and of data.
 */
#include "user/test/test.h"

#include <sched.h>
#include <sys/resource.h>

static int limit_of(pid_t pid, const struct rlimit *wanted, struct rlimit *old)
{
	return prlimit(pid, RLIMIT_NOFILE, wanted, old);
}

TEST(limits_of_others, 10, "prlimit reads and sets the limits of another process, if it may")
{
	struct rlimit wanted = { 55, 66 }, old;
	int ends[2];
	pid_t child;
	char byte;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		/* A child that is another user's in one id only. */
		CHECK_EQ(setresuid(1000, 1000, 1001), 0);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(limit_of(child, &wanted, &old), 0);
	CHECK(old.rlim_cur > 66);
	CHECK_EQ(limit_of(child, NULL, &old), 0);
	CHECK(old.rlim_cur == 55 && old.rlim_max == 66);
	CHECK_EQ(limit_of(0, NULL, &old), 0);
	CHECK(old.rlim_cur != 55);
	CHECK_ERR(limit_of(32767, NULL, &old), ESRCH);
	CHECK_ERR(prlimit(child, 16, NULL, &old), EINVAL);
	wanted.rlim_cur = 77;
	CHECK_ERR(limit_of(child, &wanted, NULL), EINVAL);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(limit_of(child, NULL, &old), EPERM);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

/* ---- limits of time ---- */

static volatile int told;

static void note(int signo)
{
	told++;
}

static void limit(int resource, rlim_t soft, rlim_t hard)
{
	CHECK_EQ(setrlimit(resource, &(struct rlimit){ soft, hard }), 0);
}

static double cpu_seconds(void)
{
	struct timespec used;

	CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	return used.tv_sec + used.tv_nsec / 1e9;
}

TEST(cpu_time, 60,
     "RLIMIT_CPU: SIGXCPU each second from the soft limit on, and SIGKILL at the hard one")
{
	struct rlimit now;
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGXCPU, note);
		limit(RLIMIT_CPU, 1, 3);
		while (told < 1)
			;
		/* No more than the lower bounds: a busy host's pauses count as time. */
		CHECK(cpu_seconds() >= 0.9);
		CHECK_EQ(getrlimit(RLIMIT_CPU, &now), 0);
		CHECK(now.rlim_cur == 2 && now.rlim_max == 3);
		while (told < 2)
			;
		CHECK(cpu_seconds() >= 1.9);
		for (;;)
			;
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGKILL);
}

TEST(cpu_time_of_children, 30,
     "a child inherits the limit, but not the time that was used; its end is SIGXCPU")
{
	int status;
	pid_t child;

	limit(RLIMIT_CPU, 1, RLIM_INFINITY);
	while (cpu_seconds() < 0.5)
		;
	child = fork();
	if (child == 0)
		for (;;)
			;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(WTERMSIG(status), SIGXCPU);
	CHECK(cpu_seconds() < 1);
}

TEST(urgent_time, 30,
     "RLIMIT_RTTIME limits how long an urgent task runs without sleeping, in microseconds")
{
	struct sched_param param = { .sched_priority = 5 };
	struct rlimit now;
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGXCPU, note);
		limit(RLIMIT_RTTIME, 200000, 2000000);
		CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), 0);
		for (int i = 0; i < 4; i++) {
			double end = cpu_seconds() + 0.09;

			while (cpu_seconds() < end)
				;
			usleep(1000);
		}
		CHECK_EQ(told, 0);
		while (told < 1)
			;
		CHECK_EQ(getrlimit(RLIMIT_RTTIME, &now), 0);
		CHECK_EQ(now.rlim_cur, 1200000);
		for (;;)
			;
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGKILL);
}

/* ---- the others ---- */

TEST(all_are_stored, 5, "each of the sixteen limits can be lowered, and is inherited")
{
	struct rlimit now;
	int status;
	pid_t child;

	for (int i = 0; i < 16; i++) {
		CHECK_EQ(getrlimit(i, &now), 0);
		limit(i, i == RLIMIT_NOFILE ? 1000 : 1000000,
		      (i == RLIMIT_NOFILE ? 1000 : 1000000) + i);
	}
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 16; i++) {
			CHECK_EQ(getrlimit(i, &now), 0);
			CHECK_EQ(now.rlim_max, (i == RLIMIT_NOFILE ? 1000 : 1000000) + i);
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

TEST(data, 5, "RLIMIT_DATA limits private memory that can be written, however it is made")
{
	const int writable = PROT_READ | PROT_WRITE, private = MAP_PRIVATE | MAP_ANONYMOUS;
	const size_t size = 8 << 20;
	void *at;

	limit(RLIMIT_DATA, size, RLIM_INFINITY);
	CHECK(mmap(NULL, size, writable, private, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, size, PROT_READ, private, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, size, writable, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	at = mmap(NULL, size / 2, writable, private, -1, 0);
	CHECK(at != MAP_FAILED);
	CHECK(mremap(at, size / 2, size, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	CHECK(sbrk(size) == (void *)-1 && errno == ENOMEM);
}
