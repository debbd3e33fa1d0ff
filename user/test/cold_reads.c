/*
 * Several readers of pages that are not in the cache: each of them gets the bytes, whoever makes
 * the page.
 */
#include <sched.h>
#include "test.h"

#define PAGES  64
#define ROUNDS 300

/* What round the processes are in. The one that comes first waits. */
static volatile int *arrived;

static void meet(int me, int round)
{
	arrived[me] = round;
	while (arrived[!me] < round)
		sched_yield();
}

/* From the end on, so that nothing is read ahead. */
static void read_all(int fd)
{
	char byte;

	for (int i = PAGES - 1; i >= 0; i--)
		CHECK_EQ(pread(fd, &byte, 1, i * 4096), 1);
}

TEST(two_readers, 60, "two processes read the same pages from a disk, and neither gets an error")
{
	int fd = open("/test/data/ext2-1k", O_RDONLY);
	pid_t child;

	arrived = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(arrived != MAP_FAILED);
	CHECK(fd >= 0);
	child = fork();
	CHECK(child >= 0);
	for (int round = 1; round <= ROUNDS; round++) {
		if (child)
			CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		meet(child != 0, 2 * round);
		read_all(fd);
		meet(child != 0, 2 * round + 1);
	}
	if (!child)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
}
