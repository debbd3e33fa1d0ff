/* Files of /proc and /sys, which tests read and write as texts. */
#ifndef USER_TEST_TEXT_FILES_H
#define USER_TEST_TEXT_FILES_H

#include "test.h"

__attribute__((unused)) static char text[65536];

/*
 * Returns what the file says whose path `format` and the rest make. It is in `text`, until the next
 * call.
 */
__attribute__((format(printf, 1, 2), unused)) static const char *contents(const char *format, ...)
{
	char path[80];
	va_list args;
	ssize_t n;
	int fd;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read_full(fd, text, sizeof(text) - 1);
	CHECK(n >= 0);
	text[n] = 0;
	close(fd);
	return text;
}

/* Returns what follows "NAME:" at the beginning of a line of `lines`, without the white space. */
__attribute__((unused)) static const char *named_line(const char *lines, const char *name)
{
	size_t len = strlen(name);
	const char *at = lines;

	while (at && !(strncmp(at, name, len) == 0 && at[len] == ':')) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		test_fail(__FILE__, __LINE__, "there is no line %s", name);
	at += len + 1;
	return at + strspn(at, "\t ");
}

/* Returns the number in a line of /proc/meminfo. It is in KiB, unless it counts huge pages. */
__attribute__((unused)) static long meminfo(const char *name)
{
	return atol(named_line(contents("/proc/meminfo"), name));
}

/* Write a text to a file in one call. Returns the result of write(2), with its errno. */
__attribute__((unused)) static int put_text(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY), result, error;

	CHECK(fd >= 0);
	result = write(fd, value, strlen(value));
	error = errno;
	close(fd);
	errno = error;
	return result;
}

/* Drop clean pages ("1"), unused names and inodes ("2"), or both ("3"). */
__attribute__((unused)) static void drop_caches(const char *which)
{
	CHECK_EQ(put_text("/proc/sys/vm/drop_caches", which), 1);
}

#endif
