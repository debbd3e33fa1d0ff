/*
 * What processes and threads have used: getrusage.
 */
#include "user/test/test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define PAGES 600

static struct rusage usage(int who)
{
	struct rusage used;

	memset(&used, 0xff, sizeof(used));
	CHECK_EQ(getrusage(who, &used), 0);
	return used;
}

static char *touch(int pages)
{
	char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	CHECK(memory != MAP_FAILED);
	madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
	for (int i = 0; i < pages; i++)
		memory[i * 4096] = 1;
	return memory;
}

TEST(usage_errors, 5, "getrusage refuses unknown targets and bad addresses")
{
	struct rusage used;

	CHECK_ERR(syscall(SYS_getrusage, 2, &used), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, -2, &used), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, 1), EFAULT);
}

TEST(memory_of_a_process, 10, "page faults are counted, and the most memory that was resident")
{
	struct rusage before = usage(RUSAGE_SELF), after;
	char *memory = touch(PAGES);

	after = usage(RUSAGE_SELF);
	CHECK(after.ru_minflt >= before.ru_minflt + PAGES);
	CHECK(after.ru_minflt < before.ru_minflt + 2 * PAGES);
	CHECK_EQ(after.ru_majflt, before.ru_majflt);
	CHECK(after.ru_maxrss >= PAGES * 4);
	CHECK(after.ru_maxrss < PAGES * 4 + 8192);
	munmap(memory, PAGES * 4096);
	CHECK(usage(RUSAGE_SELF).ru_maxrss >= PAGES * 4);
}

TEST(children_usage, 20, "what children used counts once they have been waited for")
{
	struct rusage before = usage(RUSAGE_CHILDREN), after, own;
	int ends[2];
	pid_t child;
	char byte;

	CHECK_EQ(before.ru_minflt + before.ru_maxrss + before.ru_nvcsw, 0);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		touch(2 * PAGES);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		test_sleep_ms(20);
		_exit(0);
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	after = usage(RUSAGE_CHILDREN);
	CHECK_EQ(after.ru_minflt, 0);
	CHECK_EQ(wait4(child, NULL, 0, &own), child);
	after = usage(RUSAGE_CHILDREN);
	CHECK(own.ru_minflt >= 2 * PAGES && own.ru_maxrss >= 2 * PAGES * 4 && own.ru_nvcsw >= 1);
	CHECK_EQ(after.ru_minflt, own.ru_minflt);
	CHECK_EQ(after.ru_maxrss, own.ru_maxrss);
	CHECK_EQ(after.ru_nvcsw, own.ru_nvcsw);
	CHECK(usage(RUSAGE_SELF).ru_maxrss < own.ru_maxrss);
}

TEST(switches, 20, "sleeping is a voluntary switch, the end of a turn is none")
{
	struct rusage before = usage(RUSAGE_SELF), after;
	cpu_set_t set;
	int sleeps = 0;
	pid_t child;

	/* On a busy host, the time may be over before the process sleeps. */
	do {
		test_sleep_ms(5);
		sleeps++;
		after = usage(RUSAGE_SELF);
	} while (after.ru_nvcsw < before.ru_nvcsw + 10);
	CHECK(after.ru_nvcsw <= before.ru_nvcsw + sleeps);

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
	child = fork();
	if (child == 0)
		for (;;)
			;
	before = usage(RUSAGE_SELF);
	while (usage(RUSAGE_SELF).ru_nivcsw < before.ru_nivcsw + 3)
		;
	CHECK(usage(RUSAGE_SELF).ru_nvcsw <= before.ru_nvcsw + 1);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

static void *touch_in_thread(void *arg)
{
	struct rusage before = usage(RUSAGE_THREAD), *after = arg;

	CHECK(before.ru_minflt < PAGES / 2);
	touch(PAGES);
	*after = usage(RUSAGE_THREAD);
	return NULL;
}

TEST(usage_of_threads, 10, "a thread's usage is its own, and stays with its process")
{
	struct rusage before = usage(RUSAGE_SELF), own = usage(RUSAGE_THREAD), used;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, touch_in_thread, &used), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(used.ru_minflt >= PAGES);
	CHECK(used.ru_maxrss >= PAGES * 4 - 512); /* Linux counts a few pages later */
	CHECK(usage(RUSAGE_THREAD).ru_minflt < own.ru_minflt + PAGES / 2);
	CHECK(usage(RUSAGE_SELF).ru_minflt >= before.ru_minflt + PAGES);
}

TEST(memory_before_exec, 20, "memory that a process had before exec is remembered")
{
	struct rusage used;
	pid_t child = fork();

	if (child == 0) {
		touch(4 * PAGES);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_EQ(wait4(child, NULL, 0, &used), child);
	CHECK(used.ru_maxrss >= 4 * PAGES * 4);
}
