/*
 * For the tests of calls that fail: the first allocation of a call fails, then the second, and so
 * on until the call succeeds. After every failure all must be as it was.
 */
#ifndef USER_TEST_UNDONE_H
#define USER_TEST_UNDONE_H

#include "test.h"

#define NTH	"/proc/sys/vm/fail_nth"	    /* of the task that writes there */
#define NTH_ANY "/proc/sys/vm/fail_nth_any" /* of any task */
#define NO_NTH	"lacks " NTH ": Linux can be made to fail allocations only by a debug build"
#define MAX_NTH 200
#define PAGE	4096
#define SIZE	(3 * PAGE)
#define NAME	"/tmp/undone"
#define OTHER	"/tmp/undone-other"
#define SEED	5

static char buf[SIZE], back[SIZE];
__attribute__((unused)) static void set_switch(const char *path, int *fd, int n)
{
	char text[16];
	int error = errno;

	if (*fd < 0)
		*fd = test_open_own(path, O_RDWR);
	snprintf(text, sizeof(text), "%d", n);
	/* This very call may be the one that is hit by the last setting. */
	if (pwrite(*fd, text, strlen(text), 0) < 0)
		CHECK_EQ(pwrite(*fd, text, strlen(text), 0), strlen(text));
	errno = error;
}

__attribute__((unused)) static void set_nth(int n)
{
	static int fd = -1;

	set_switch(NTH, &fd, n);
}

__attribute__((unused)) static void set_nth_any(int n)
{
	static int fd = -1;

	set_switch(NTH_ANY, &fd, n);
}

/*
 * `call` with one allocation after the other failing, until it succeeds. Whenever it has failed,
 * `look` says whether all is as it was. Returns what the call returned at last.
 */
__attribute__((unused)) static long until_it_succeeds(long (*call)(void), void (*look)(void))
{
	long result;
	int n, failed = 0;

	set_nth(0);
	for (n = 1; n < MAX_NTH; n++) {
		set_nth(n);
		result = call();
		set_nth(0);
		if (result >= 0)
			break;
		if (errno != ENOMEM)
			test_fail(__FILE__, __LINE__, "allocation %d", n);
		failed++;
		look();
	}
	printf("# failed %d times\n", failed);
	CHECK(n < MAX_NTH);
	CHECK(failed > 0);
	return result;
}

__attribute__((unused)) static int make(const char *name, unsigned int seed)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	test_fill(buf, SIZE, seed, 0);
	CHECK_EQ(write(fd, buf, SIZE), SIZE);
	return fd;
}

__attribute__((unused)) static void is_whole(int fd, unsigned int seed)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, SIZE);
	CHECK_EQ(pread(fd, back, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(back, SIZE, seed, 0), SIZE);
}

__attribute__((unused)) static void is_not_there(const char *name)
{
	struct stat st;

	CHECK_ERR(lstat(name, &st), ENOENT);
}

/* ---- what most of them work on ---- */

__attribute__((unused)) static int file, other, ends[2];

__attribute__((unused)) static void file_is_whole(void)
{
	is_whole(file, SEED);
}

/*
 * Let the pipe hold the first n bytes of the file, so that they must be copied before they change.
 */
__attribute__((unused)) static void lend_to_pipe(size_t n)
{
	loff_t at = 0;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(file, &at, ends[1], NULL, n, 0), n);
}

/* The pipe still has the bytes that the file had. */
__attribute__((unused)) static void pipe_kept(size_t n)
{
	CHECK_EQ(read_full(ends[0], back, n), n);
	CHECK_EQ(test_differs(back, n, SEED, 0), n);
}

#endif
