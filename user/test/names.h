/*
 * What the tests of names share: each case works in a fresh directory of a tmpfs, which it enters
 * first and leaves last.
 */
#ifndef USER_TEST_NAMES_H
#define USER_TEST_NAMES_H

#include "test.h"
#include <ftw.h>

#define DIR_NAME "/tmp/names"

/* A file with a text. */
static inline void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Does the file hold just this text? */
static inline bool holds(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	return remove(path);
}

static inline void remove_tree(const char *path)
{
	nftw(path, remove_one, 100, FTW_DEPTH | FTW_PHYS);
}

static inline void enter(void)
{
	remove_tree(DIR_NAME); /* of a case that failed */
	CHECK_EQ(mkdir(DIR_NAME, 0755), 0);
	CHECK_EQ(chdir(DIR_NAME), 0);
}

static inline void leave(void)
{
	CHECK_EQ(chdir("/"), 0);
	remove_tree(DIR_NAME);
	CHECK(!is_there(DIR_NAME));
}

#endif
