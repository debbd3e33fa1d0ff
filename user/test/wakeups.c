/*
 * No wakeup is lost, and everybody gets a turn: processes that wake each other as fast as they can,
 * watched for standing still. Two CPUs make it hard for the kernel; on one CPU it is about
 * fairness.
 */
#include "test.h"
#include <sched.h>

#define MAX_TASKS     8
#define ROUND_MS      2000 /* in which everybody moves */
#define LONG_ROUND_MS 10000

/* What each has done, for the watcher; and the sign to stop. */
static volatile unsigned int *done, *stop;
static pid_t pids[MAX_TASKS];
static int nr;

static void prepare(void)
{
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(done != MAP_FAILED);
	stop = done + MAX_TASKS;
	nr = 0;
}

static bool start(void)
{
	pids[nr] = fork();
	CHECK(pids[nr] >= 0);
	return pids[nr++] == 0;
}

/* The first one that has done nothing since `before`, or -1. */
static int standing_still(const unsigned int *before)
{
	for (int i = 0; i < nr; i++)
		if (done[i] == before[i])
			return i;
	return -1;
}

/*
 * Fails when one of them does nothing for a whole round. Then all are told to stop, and end. A
 * round is longer if need be: a process that ran while the host took the CPU away for a second
 * waits on Linux until the others have had as much time.
 */
static void watch(void)
{
	int rounds = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 3 : 1;
	unsigned int before[MAX_TASKS];

	for (int round = 0; round < rounds; round++) {
		long long end = test_ms() + LONG_ROUND_MS;
		int still;

		memcpy(before, (void *)done, sizeof(before));
		test_sleep_ms(ROUND_MS);
		while ((still = standing_still(before)) >= 0 && test_ms() < end)
			test_sleep_ms(10);
		if (still >= 0)
			test_fail(__FILE__, __LINE__, "task %d of %d stands still after %u", still,
				  nr, before[still]);
	}
	*stop = 1;
	for (int i = 0; i < nr; i++)
		CHECK_EQ(test_wait(pids[i]), 0);
}

TEST(vfork, 40, "a parent wakes when its child of vfork has ended, thousands of times")
{
	prepare();
	for (int i = 0; i < 2; i++) {
		if (!start())
			continue;
		while (!*stop) {
			pid_t pid = vfork();

			if (pid == 0)
				_exit(0);
			if (waitpid(pid, NULL, 0) != pid)
				_exit(1);
			done[i]++;
		}
		_exit(0);
	}
	watch();
}

/* Writers and readers of a pipe that has one slot: `size` bytes each time. */
static void one_slot(int writers, int readers, size_t size)
{
	static char buf[8192];
	int p[2];

	prepare();
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 4096), 4096);
	for (int i = 0; i < writers + readers; i++) {
		if (!start())
			continue;
		close(p[i < writers ? 0 : 1]);
		while (i < writers && !*stop) {
			CHECK_EQ(write(p[1], buf, size), size);
			done[i]++;
		}
		while (i >= writers && read(p[0], buf, size) > 0)
			done[i]++;
		_exit(0);
	}
	close(p[0]);
	close(p[1]);
	watch();
}

TEST(many_of_one_slot, 40, "several writers and readers of a pipe with one slot all get on")
{
	one_slot(3, 3, 4096);
}

TEST(many_of_half_a_slot, 40, "the same where two writes share a slot")
{
	one_slot(3, 3, 2048);
}

TEST(poll, 40, "two processes that poll for each other's byte both go on")
{
	int there[2], back[2];
	char c = 0;

	prepare();
	CHECK_EQ(pipe(there), 0);
	CHECK_EQ(pipe(back), 0);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		int in = i ? there[0] : back[0], out = i ? back[1] : there[1];

		if (!start())
			continue;
		close(i ? there[1] : back[1]);
		if (i == 0)
			CHECK_EQ(write(out, &c, 1), 1);
		for (;;) {
			struct pollfd p = { in, POLLIN, 0 };

			CHECK_EQ(poll(&p, 1, -1), 1);
			if (read(in, &c, 1) != 1 || *stop)
				break;
			if (write(out, &c, 1) != 1) /* the other one has stopped */
				break;
			done[i]++;
		}
		_exit(0);
	}
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	watch();
}
