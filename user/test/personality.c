/*
 * The personality of a thread.
 */
#include "user/test/test.h"

#include <sys/personality.h>
#include <sys/select.h>
#include <sys/utsname.h>

#define ASK 0xffffffff

TEST(personality, 10, "personality sets and tells; children inherit it, and exec keeps its flags")
{
	int status, child;

	CHECK_EQ(personality(ASK), PER_LINUX);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), PER_LINUX);
	CHECK_EQ(personality(ASK), ADDR_NO_RANDOMIZE);
	child = fork();
	if (child == 0)
		_exit(personality(PER_LINUX) != ADDR_NO_RANDOMIZE);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(personality(PER_LINUX32 | ADDR_NO_RANDOMIZE), ADDR_NO_RANDOMIZE);
	child = fork();
	if (child == 0) {
		setenv("PERSONALITY", "1", 1);
		execl("/proc/self/exe", "personality", "after_exec", NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_EQ(personality(ASK), PER_LINUX32 | ADDR_NO_RANDOMIZE);
}

/* The case above executes this one, with a personality of its own. */
TEST(after_exec, 5, "a program starts with the personality of its caller")
{
	CHECK_EQ(personality(ASK),
		 getenv("PERSONALITY") ? PER_LINUX32 | ADDR_NO_RANDOMIZE : PER_LINUX);
}

TEST(others, 5,
     "every personality is kept; uname tells a release 2.6 and select keeps its timeout if asked")
{
	struct timeval timeout = { 0, 20000 };
	struct utsname names;

	CHECK_EQ(personality(PER_SVR4), PER_LINUX);
	CHECK_EQ(personality(ADDR_COMPAT_LAYOUT), PER_SVR4);
	CHECK_EQ(personality(UNAME26), ADDR_COMPAT_LAYOUT);
	CHECK_EQ(uname(&names), 0);
	CHECK(!strncmp(names.release, "2.6.", 4));
	CHECK_EQ(personality(STICKY_TIMEOUTS), UNAME26);
	CHECK_EQ(select(0, NULL, NULL, NULL, &timeout), 0);
	CHECK_EQ(timeout.tv_usec, 20000);
	CHECK_EQ(personality(PER_LINUX), STICKY_TIMEOUTS);
	CHECK_EQ(uname(&names), 0);
	CHECK(strncmp(names.release, "2.6.", 4));
}
