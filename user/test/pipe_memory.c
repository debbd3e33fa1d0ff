/*
 * What pipes that hold nothing take of memory, and how many there may be.
 */
#include <sys/resource.h>

#include "text_files.h"

#define MANY	  10000
#define MANY_MEM  100000 /* kB of memory that so many are promised for */
#define EACH_MOST 1024	 /* bytes: a pipe, its inode, its two files */

static void allow_descriptors(unsigned int nr)
{
	struct rlimit limit = { nr, nr };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/*
 * Bytes of kernel objects in use, in the kernel's own words: what each takes, with its share of its
 * page.
 */
static double object_bytes(void)
{
	unsigned int objects, size, pages;
	double sum = 0;
	char line[128];
	FILE *file = fopen("/proc/slabinfo", "r");

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %u %u %u", &objects, &size, &pages) == 3)
			sum += (double)objects * size;
	fclose(file);
	return sum;
}

BEYOND_TEST(an_empty_pipe_is_small, 20,
	    "an empty pipe takes 1 KiB at most, with its inode and two files, and holds no page",
	    "Linux's are larger, and its /proc/slabinfo is another one")
{
	enum { NR = 2000 };
	int fd[2];
	double objects;
	long free;

	allow_descriptors(2 * NR + 16);
	/* The descriptors' own table is grown before. */
	CHECK_EQ(dup2(0, 2 * NR + 8), 2 * NR + 8);
	free = meminfo("MemFree"); /* first: the inode of that file stays */
	objects = object_bytes();
	for (int i = 0; i < NR; i++)
		CHECK_EQ(pipe(fd), 0);
	objects = object_bytes() - objects;
	free -= meminfo("MemFree");
	printf("# %.0f bytes of objects, %ld of free memory\n", objects / NR, free * 1024 / NR);
	CHECK(objects > 100.0 * NR);
	CHECK(objects <= (double)EACH_MOST * NR);
	CHECK(free <= NR * (EACH_MOST + 256l) / 1024);
}

TEST(ten_thousand_pipes, 60,
     "10,000 pipes are open at once in 128 MiB, and the last still carries bytes")
{
	const int nr = meminfo("MemTotal") >= MANY_MEM ? MANY : MANY / 10;
	int(*fds)[2] = malloc(nr * sizeof(*fds));
	char byte;

	CHECK(fds);
	allow_descriptors(2 * nr + 16);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(pipe(fds[i]), 0);
	for (int i = 0; i < nr; i += 7) {
		byte = i;
		CHECK_EQ(write(fds[i][1], &byte, 1), 1);
	}
	for (int i = 0; i < nr; i += 7) {
		CHECK_EQ(read(fds[i][0], &byte, 1), 1);
		CHECK_EQ(byte, (char)i);
	}
	CHECK_EQ(fcntl(fds[nr - 1][0], F_GETPIPE_SZ), 65536);
}

TEST(pipes_of_four_processes, 60,
     "four processes have 10,000 pipes together, each within its own limit")
{
	const int nr = (meminfo("MemTotal") >= MANY_MEM ? MANY : MANY / 10) / 4;
	int ready[2], go[2], fd[2];
	char byte;

	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(pipe(go), 0);
	for (int task = 0; task < 4; task++) {
		if (fork())
			continue;
		allow_descriptors(2 * nr + 16);
		close(go[1]);
		for (int i = 0; i < nr; i++)
			CHECK_EQ(pipe(fd), 0);
		CHECK_EQ(write(ready[1], "r", 1), 1);
		CHECK_EQ(read(go[0], &byte, 1), 0); /* until all have theirs */
		_exit(0);
	}
	for (int task = 0; task < 4; task++)
		CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(go[1]);
	for (int task = 0; task < 4; task++)
		CHECK_EQ(test_wait(-1), 0);
}
