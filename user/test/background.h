/* For tests of calls that sleep: a child that makes the call while the test looks on. */
#ifndef USER_TEST_BACKGROUND_H
#define USER_TEST_BACKGROUND_H

#include "test.h"
#include <sched.h>

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

/* Call the function in a child, and return the child's exit status. */
__attribute__((unused)) static int in_child(void (*function)(void))
{
	return test_wait(in_background(function));
}

/* Let the current task run on this CPU only. */
__attribute__((unused)) static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Returns the child's state as /proc/PID/stat has it: R, S, D, Z ... */
__attribute__((unused)) static char state_of(pid_t child)
{
	char path[32], line[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	fd = open(path, O_RDONLY);
	n = read(fd, line, sizeof(line) - 1);
	CHECK(n > 0);
	close(fd);
	line[n] = 0;
	return strrchr(line, ')')[2];
}

/* Wait until the child sleeps. */
__attribute__((unused)) static void await_sleep(pid_t child)
{
	for (int calm = 0; calm < 3; calm = state_of(child) == 'S' ? calm + 1 : 0)
		test_sleep_ms(2);
}

/* Start a child that calls the function, and wait until it sleeps there. */
__attribute__((unused)) static pid_t asleep_in_background(void (*function)(void))
{
	pid_t child = in_background(function);

	await_sleep(child);
	return child;
}

#endif
