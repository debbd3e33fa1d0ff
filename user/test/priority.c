/*
 * How urgent processes are, and on which CPUs they run.
 */
#include "background.h"

#include <sched.h>
#include <sys/resource.h>

#define POLICY_BATCH 3
#define POLICY_IDLE  5
#define USER	     1000

/* musl's own functions for these calls fail with ENOSYS, because its authors found them useless. */
static int set_scheduler(pid_t pid, int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return syscall(SYS_sched_setscheduler, pid, policy, &param);
}

static int get_scheduler(pid_t pid)
{
	return syscall(SYS_sched_getscheduler, pid);
}

static int set_param(pid_t pid, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return syscall(SYS_sched_setparam, pid, &param);
}

static int get_param(pid_t pid)
{
	struct sched_param param = { .sched_priority = -1 };

	CHECK_EQ(syscall(SYS_sched_getparam, pid, &param), 0);
	return param.sched_priority;
}

static void become_user(void)
{
	CHECK_EQ(setgid(USER), 0);
	CHECK_EQ(setuid(USER), 0);
}

/* ---- asking and setting ---- */

TEST(nice_values, 5, "nice values are set, cut to their range, and inherited")
{
	int status;
	pid_t child;

	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_EQ(nice(5), 5);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
	CHECK_EQ(setpriority(PRIO_PROCESS, getpid(), 100), 0);
	CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 19);
	CHECK_EQ(setpriority(PRIO_PGRP, 0, -100), 0);
	errno = 0;
	CHECK(getpriority(PRIO_PGRP, getpgrp()) == -20 && errno == 0);
	child = fork();
	if (child == 0)
		_exit(getpriority(PRIO_PROCESS, 0) != -20);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_ERR(getpriority(3, 0), EINVAL);
	CHECK_ERR(setpriority(-1, 0, 0), EINVAL);
	CHECK_ERR(getpriority(PRIO_PROCESS, 32767), ESRCH);
	CHECK_ERR(setpriority(PRIO_USER, 12345, 0), ESRCH);
}

TEST(nice_rights, 5, "an ordinary user may only be nicer, as far as RLIMIT_NICE says")
{
	struct rlimit limit = { 15, 15 };

	become_user();
	CHECK_EQ(nice(10), 10);
	CHECK_ERR(nice(-1), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 9), EACCES);
	CHECK_ERR(setpriority(PRIO_PROCESS, 1, 19), EPERM);
	CHECK_ERR(setrlimit(RLIMIT_NICE, &limit), EPERM);
	CHECK_EQ(setpriority(PRIO_USER, 0, 12), 0);
	CHECK_EQ(getpriority(PRIO_USER, USER), 12);
}

TEST(nice_limit, 5, "RLIMIT_NICE lets a user take a lower nice value back")
{
	struct rlimit limit = { 15, 15 };

	CHECK_EQ(setrlimit(RLIMIT_NICE, &limit), 0);
	become_user();
	CHECK_EQ(nice(10), 10);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, 4), EACCES);
}

TEST(policies, 5, "policies and priorities are checked, set, and inherited")
{
	struct timespec slice;
	struct sched_param param = { 0 };
	int status;
	pid_t child;

	CHECK_EQ(get_scheduler(0), SCHED_OTHER);
	CHECK_EQ(get_param(0), 0);
	CHECK_ERR(set_scheduler(0, SCHED_OTHER, 1), EINVAL);
	CHECK_ERR(set_scheduler(0, SCHED_FIFO, 0), EINVAL);
	CHECK_ERR(set_scheduler(0, SCHED_FIFO, 100), EINVAL);
	CHECK_ERR(set_scheduler(0, 77, 0), EINVAL);
	CHECK_ERR(set_scheduler(-1, SCHED_OTHER, 0), EINVAL);
	CHECK_ERR(set_scheduler(32767, SCHED_OTHER, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_RR, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_RR, 1), EFAULT);
	CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
	CHECK_ERR(get_scheduler(-1), EINVAL);
	CHECK_EQ(set_scheduler(0, SCHED_RR, 7), 0);
	CHECK_EQ(get_scheduler(0), SCHED_RR);
	CHECK_EQ(get_param(0), 7);
	CHECK_EQ(set_param(0, 8), 0);
	CHECK_ERR(set_param(0, 0), EINVAL);
	CHECK_EQ(get_param(getpid()), 8);
	CHECK_EQ(syscall(SYS_sched_rr_get_interval, 0, &param), 0);
	CHECK_EQ(sched_rr_get_interval(0, &slice), 0);
	CHECK(slice.tv_sec == 0 && slice.tv_nsec == 100000000);
	child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_RR || get_param(0) != 8);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(set_scheduler(0, SCHED_FIFO | 0x40000000, 1), 0);
	CHECK_EQ(get_scheduler(0), SCHED_FIFO | 0x40000000);
	CHECK_EQ(sched_rr_get_interval(0, &slice), 0);
	CHECK(slice.tv_sec == 0 && slice.tv_nsec == 0);
	child = fork();
	if (child == 0)
		_exit(get_scheduler(0) != SCHED_OTHER || get_param(0) != 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(set_scheduler(0, POLICY_BATCH, 0), 0);
	CHECK_EQ(get_scheduler(0), POLICY_BATCH);
	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(POLICY_IDLE), 0);
	CHECK_ERR(sched_get_priority_max(4), EINVAL);
}

TEST(policy_rights, 5, "an ordinary user may only be less urgent, as far as RLIMIT_RTPRIO says")
{
	struct rlimit limit = { 10, 10 };
	int status;
	pid_t child = fork();

	if (child == 0) {
		become_user();
		CHECK_ERR(set_scheduler(0, SCHED_FIFO, 1), EPERM);
		CHECK_ERR(set_scheduler(1, SCHED_OTHER, 0), EPERM);
		CHECK_EQ(set_scheduler(0, POLICY_IDLE, 0), 0);
		CHECK_ERR(set_scheduler(0, SCHED_OTHER, 0), EPERM);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(setrlimit(RLIMIT_RTPRIO, &limit), 0);
	become_user();
	CHECK_EQ(set_scheduler(0, SCHED_FIFO, 10), 0);
	CHECK_ERR(set_scheduler(0, SCHED_FIFO, 11), EPERM);
	CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
}

/* ---- obeyed ---- */

static volatile unsigned int uncounted;

/* A child that counts its rounds, for ever. */
static pid_t spin(int policy, int increment, volatile unsigned int *rounds)
{
	pid_t child = fork();

	if (child == 0) {
		nice(increment);
		CHECK_EQ(set_scheduler(0, policy, 0), 0);
		for (;;)
			++*rounds;
	}
	return child;
}

/* Kills the child. Returns its CPU time in milliseconds. */
static long end(pid_t child)
{
	struct rusage used;

	kill(child, SIGKILL);
	CHECK_EQ(wait4(child, NULL, 0, &used), child);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* Is the first part from `least` to `most` per cent of both? */
static bool is_share(uint64_t first, uint64_t second, int least, int most)
{
	return first * 100 >= (first + second) * least && first * 100 <= (first + second) * most;
}

/*
 * Two processes share a CPU for 1.5 seconds, which end by one that is more urgent than both. Where
 * the host takes time away from the one that runs, Linux makes this one pay for it, so they share
 * the time. Sluice does not, so they share the work.
 */
static void compare(int policy, int nicer, int least, int most)
{
	volatile unsigned int *rounds =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t first, second;
	long had, other;

	CHECK(rounds != MAP_FAILED);
	stay_on(0);
	CHECK_EQ(nice(-15), -15);
	first = spin(SCHED_OTHER, 15, &rounds[0]);
	second = spin(policy, 15 + nicer, &rounds[64]);
	test_sleep_ms(1500);
	had = end(first);
	other = end(second);
	printf("# %ld ms and %ld ms, %u and %u rounds\n", had, other, rounds[0], rounds[64]);
	CHECK(had + other > 300);
	CHECK(is_share(rounds[0], rounds[64], least, most) || is_share(had, other, least, most));
}

TEST(equal_shares, 60, "processes with the same nice value get the same time")
{
	compare(SCHED_OTHER, 0, 30, 70);
}

TEST(nice_shares, 60, "with nice 3 a process gets about half the time of one with nice 0")
{
	compare(SCHED_OTHER, 3, 50, 80);
}

TEST(nicest_share, 60, "a process with nice 19 gets little")
{
	compare(SCHED_OTHER, 19, 80, 100);
}

TEST(batch_share, 60, "SCHED_BATCH gets what its nice value says")
{
	compare(POLICY_BATCH, 0, 30, 80);
}

TEST(idle_share, 60, "SCHED_IDLE gets next to nothing while others want to run")
{
	compare(POLICY_IDLE, 0, 90, 100);
}

TEST(fifo_first, 60, "a task of SCHED_FIFO runs before all others, a more urgent one before it")
{
	volatile int *at =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long long start;
	pid_t child;

	stay_on(0);
	CHECK_EQ(set_scheduler(0, SCHED_FIFO, 10), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(set_scheduler(0, SCHED_OTHER, 0), 0);
		for (;;)
			at[0]++;
	}
	test_sleep_ms(50);
	/* No ordinary task runs while this one does not sleep. */
	start = test_ms();
	at[1] = at[0];
	CHECK(at[1] > 0);
	while (test_ms() < start + 200)
		CHECK_EQ(at[0], at[1]);
	end(child);

	/* A more urgent task interrupts this one as soon as it wakes. */
	child = fork();
	if (child == 0) {
		CHECK_EQ(set_param(0, 11), 0);
		at[2] = 1;
		test_sleep_ms(50);
		at[2] = 2;
		_exit(0);
	}
	while (at[2] == 0)
		sched_yield();
	start = test_ms();
	while (at[2] < 2)
		CHECK(test_ms() < start + 10000);
	CHECK_EQ(test_wait(child), 0);
}

/* ---- CPUs ---- */

static int this_cpu(void)
{
	unsigned int cpu = -1;

	CHECK_EQ(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
	return cpu;
}

TEST(affinity, 20, "a process runs on the CPUs that it chooses, and its children do")
{
	int nr = sysconf(_SC_NPROCESSORS_CONF), status;
	unsigned long words[64] = { 0 };
	pid_t child;
	long size;

	size = syscall(SYS_sched_getaffinity, 0, sizeof(words), words);
	CHECK(size > 0 && size % sizeof(long) == 0);
	CHECK_EQ(words[0], (1ul << nr) - 1);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 2, words), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 5, words), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 32767, sizeof(words), words), ESRCH);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(long), 1), EFAULT);
	words[0] = 0;
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(long), words), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 0, words), EINVAL);
	words[0] = 0x80000000;
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(long), words), EINVAL);
	CHECK_ERR(syscall(SYS_getcpu, 1, NULL, NULL), EFAULT);
	for (int i = 0; i < 200; i++) {
		stay_on(i % nr);
		CHECK_EQ(this_cpu(), i % nr);
		if (i % 10)
			continue;
		child = fork();
		if (child == 0)
			_exit(this_cpu() != i % nr);
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	become_user();
	words[0] = 1;
	CHECK_ERR(syscall(SYS_sched_setaffinity, 1, sizeof(long), words), EPERM);
	CHECK_EQ(syscall(SYS_sched_setaffinity, 0, sizeof(long), words), 0);
}

TEST(affinity_holds, 20, "two processes share a CPU, though another one often has nothing to do")
{
	long long start = test_ms();
	pid_t sleeper = fork(), other;

	if (sleeper == 0) {
		stay_on(sysconf(_SC_NPROCESSORS_CONF) - 1);
		for (;;)
			test_sleep_ms(1);
	}
	stay_on(0);
	/* Either of the two may be the one that moves. */
	other = fork();
	while (test_ms() < start + 300)
		CHECK_EQ(this_cpu(), 0);
	if (other == 0)
		_exit(0);
	CHECK_EQ(test_wait(other), 0);
	end(sleeper);
}

/*
 * A process that sleeps, runs and waits in turn is sent from CPU to CPU. After each move it is soon
 * there, whatever it was doing.
 */
TEST(affinity_of_others, 60, "a process that sleeps, waits or runs is moved to other CPUs")
{
	volatile int *seen =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int nr = sysconf(_SC_NPROCESSORS_CONF);
	pid_t child = fork(), busy;

	if (child == 0) {
		for (;;) {
			struct timespec moment = { 0, 100000 };

			for (int i = 0; i < 1000; i++)
				seen[0] = this_cpu() + 1;
			seen[1]++;
			nanosleep(&moment, NULL);
		}
	}
	busy = spin(SCHED_OTHER, 0, &uncounted);
	for (int i = 0; i < 60; i++) {
		long long start = test_ms();
		unsigned long set = 1ul << i % nr;
		int rounds;

		CHECK_EQ(syscall(SYS_sched_setaffinity, child, sizeof(set), &set), 0);
		rounds = seen[1];
		while (seen[0] != i % nr + 1 || seen[1] < rounds + 2) {
			CHECK(test_ms() < start + 10000);
			sched_yield();
		}
		rounds = seen[1];
		while (seen[1] < rounds + 2) {
			CHECK_EQ(seen[0], i % nr + 1);
			sched_yield();
		}
	}
	end(child);
	end(busy);
}
