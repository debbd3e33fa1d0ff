/*
 * The personality of a thread.
 */
#include "user/test/test.h"

#include <sys/personality.h>

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

BEYOND_TEST(unsupported, 5, "a personality that the kernel does not have is refused",
	    "Linux stores every personality, whether it has it or not")
{
	CHECK_ERR(personality(PER_BSD), EINVAL);
	CHECK_ERR(personality(ADDR_COMPAT_LAYOUT), EINVAL);
	CHECK_EQ(personality(ASK), PER_LINUX);
}
