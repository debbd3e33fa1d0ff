/* What the tests of splice and of sendfile share: files with known bytes. */
#ifndef USER_TEST_SPLICE_H
#define USER_TEST_SPLICE_H

#include "test.h"

#define FILE_SIZE 100000
#define PATH	  "/tmp/splice-test"

static int ends[2];
static char data[FILE_SIZE], back[4 * FILE_SIZE];

static void make_pipe(int p[2], int flags)
{
	CHECK_EQ(pipe2(p, flags), 0);
}

static int make_file(const char *path, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	test_fill(data, n, 7, 0);
	CHECK_EQ(write_full(fd, data, n), n);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(unlink(path), 0);
	return fd;
}

#endif
