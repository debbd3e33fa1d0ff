/*
 * Limits: those of other processes (prlimit), of time, of tasks, and of data.
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

#define HOST_TOOK_TIME 77

/* usleep() does not sleep if the host has taken so much time before that its end has come. */
static void sleep_really(void)
{
	struct rusage before, after;

	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	do {
		usleep(1000);
		CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	} while (after.ru_nvcsw == before.ru_nvcsw);
}

static void run_urgently(void)
{
	struct sched_param param = { .sched_priority = 5 };
	struct rlimit now;

	signal(SIGXCPU, note);
	limit(RLIMIT_RTTIME, 200000, 2000000);
	CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), 0);
	for (int i = 0; i < 4; i++) {
		double start = cpu_seconds();

		while (cpu_seconds() < start + 0.09)
			;
		if (cpu_seconds() > start + 0.15)
			_exit(HOST_TOOK_TIME);
		sleep_really();
	}
	CHECK_EQ(told, 0);
	while (told < 1)
		;
	CHECK_EQ(getrlimit(RLIMIT_RTTIME, &now), 0);
	CHECK_EQ(now.rlim_cur, 1200000);
	for (;;)
		;
}

TEST(urgent_time, 30,
     "RLIMIT_RTTIME limits how long an urgent task runs without sleeping, in microseconds")
{
	int status;

	do { /* what the host takes counts as used */
		pid_t child = fork();

		if (child == 0)
			run_urgently();
		CHECK_EQ(waitpid(child, &status, 0), child);
	} while (WIFEXITED(status) && WEXITSTATUS(status) == HOST_TOOK_TIME);
	CHECK_EQ(status, SIGKILL);
}

/* ---- limits on the number of tasks ---- */

static pid_t forked[100];

/* Forks until it is told that there are enough, and tells how many children there are. */
static int count_forks(int most)
{
	int children = 0;

	while (children < most) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			break;
		forked[children++] = pid;
	}
	return children;
}

TEST(task_limit, 30, "RLIMIT_NPROC limits the tasks of a user, and does not bind root")
{
	struct rlimit limit = { 10, 20 }, old;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0) {
		CHECK_EQ(test_wait(pid), 0);
		return;
	}
	CHECK_EQ(getrlimit(RLIMIT_NPROC, &old), 0);
	CHECK(old.rlim_cur > 0 && old.rlim_cur != RLIM_INFINITY);
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	CHECK_EQ(count_forks(15), 15);
	/* A user of its own: what another case has killed may not be gone yet. */
	CHECK(setgid(1002) == 0 && setuid(1002) == 0);
	CHECK_EQ(count_forks(100), 9);
	CHECK_ERR(fork(), EAGAIN);
	limit.rlim_cur = 15;
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	CHECK_EQ(count_forks(100), 5);
	limit.rlim_cur = limit.rlim_max = 30;
	CHECK_ERR(setrlimit(RLIMIT_NPROC, &limit), EPERM);
	_exit(0);
}

/* Writes the number, and returns the one before. */
static int change_threads_max(int number)
{
	char text[32] = "";
	int fd = open("/proc/sys/kernel/threads-max", O_RDWR), before;

	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	before = atoi(text);
	snprintf(text, sizeof(text), "%d", number);
	CHECK_EQ(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	close(fd);
	return before;
}

/*
 * For a process with threads-max 20. On Linux kernel tasks count, too, so there may be more than
 * that.
 */
static void must_not_fork(void)
{
	int children = count_forks(50);

	CHECK(children < 20);
	CHECK_ERR(fork(), EAGAIN);
	for (int i = 0; i < children; i++)
		CHECK_EQ(kill(forked[i], SIGKILL), 0);
	CHECK_ERR(fork(), EAGAIN); /* none of them has been waited for */
}

TEST(task_limit_of_all, 30, "threads-max limits the tasks of root, too, and those that have ended")
{
	int start[2], before, status;
	char byte;
	pid_t pid;

	CHECK_EQ(pipe(start), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK_EQ(read(start[0], &byte, 1), 1);
		must_not_fork();
		_exit(0);
	}
	before = change_threads_max(20);
	CHECK_EQ(write(start[1], "", 1), 1);
	status = test_wait(pid);
	change_threads_max(before);
	CHECK_EQ(status, 0);
	CHECK(before >= 400);
	CHECK_EQ(count_forks(15), 15);
}

TEST(zombies_count, 30, "a process that has ended counts until it has been waited for")
{
	struct rlimit limit = { 5, 5 };
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0) {
		CHECK_EQ(test_wait(pid), 0);
		return;
	}
	CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
	/* A user of its own: those that another case has killed may not be gone yet. */
	CHECK(setgid(1001) == 0 && setuid(1001) == 0);
	for (int i = 0; i < 4; i++) {
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			_exit(0);
	}
	CHECK_ERR(fork(), EAGAIN);
	CHECK(wait(NULL) > 0);
	pid = fork();
	CHECK(pid >= 0);
	_exit(0);
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
