/*
 * The limits of other processes: prlimit.
 */
#include "user/test/test.h"

#include <sys/resource.h>

static int limit_of(pid_t pid, const struct rlimit *wanted, struct rlimit *old)
{
	return prlimit(pid, RLIMIT_NOFILE, wanted, old);
}

TEST(limits_of_others, 10, "prlimit reads and sets the limits of another process, if it may")
{
	struct rlimit wanted = { 55, 66 }, old;
	int ends[2];
	pid_t child;
	char byte;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		/* A child that is another user's in one id only. */
		CHECK_EQ(setresuid(1000, 1000, 1001), 0);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(limit_of(child, &wanted, &old), 0);
	CHECK(old.rlim_cur > 66);
	CHECK_EQ(limit_of(child, NULL, &old), 0);
	CHECK(old.rlim_cur == 55 && old.rlim_max == 66);
	CHECK_EQ(limit_of(0, NULL, &old), 0);
	CHECK(old.rlim_cur != 55);
	CHECK_ERR(limit_of(32767, NULL, &old), ESRCH);
	CHECK_ERR(prlimit(child, 16, NULL, &old), EINVAL);
	wanted.rlim_cur = 77;
	CHECK_ERR(limit_of(child, &wanted, NULL), EINVAL);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(limit_of(child, NULL, &old), EPERM);
	kill(child, SIGKILL);
}
