/* For tests of calls that sleep: a child that makes the call while the test looks on. */
#ifndef USER_TEST_BACKGROUND_H
#define USER_TEST_BACKGROUND_H

#include "test.h"

/* Start a child that calls the function and ends with status 0. Returns its number. */
__attribute__((unused)) static pid_t in_background(void (*function)(void))
{
	pid_t child = fork();

	if (!child) {
		function();
		_exit(0);
	}
	CHECK(child > 0);
	return child;
}

/* Wait until the child sleeps. */
__attribute__((unused)) static void await_sleep(pid_t child)
{
	char path[32], line[256], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	for (int calm = 0; calm < 3; calm = state == 'S' ? calm + 1 : 0) {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, line, sizeof(line) - 1);

		CHECK(n > 0);
		close(fd);
		line[n] = 0;
		state = strrchr(line, ')')[2];
		test_sleep_ms(2);
	}
}

#endif
