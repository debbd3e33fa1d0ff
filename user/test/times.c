/*
 * CPU time, told apart: what the program used, and what the kernel used for it.
 */
#include "user/test/test.h"

#include <sys/resource.h>
#include <sys/times.h>

#define ENOUGH 15 /* ticks of 10 ms */

static char buffer[1 << 20];

static struct tms now(void)
{
	struct tms t;

	CHECK(times(&t) != (clock_t)-1);
	return t;
}

/* In the kernel until that many ticks of system time have been counted. */
static void use_kernel(void)
{
	int zero = open("/dev/zero", O_RDONLY);
	clock_t start = now().tms_stime;

	CHECK(zero >= 0);
	while (now().tms_stime < start + ENOUGH)
		CHECK_EQ(read(zero, buffer, sizeof(buffer)), sizeof(buffer));
	close(zero);
}

static void use_program(void)
{
	clock_t start = now().tms_utime;
	volatile unsigned int n = 0;

	while (now().tms_utime < start + ENOUGH)
		for (int i = 0; i < 1000000; i++)
			n++;
}

/*
 * The calls of the two loops do a little of the other kind, and so does whoever shares the machine.
 */
TEST(system, 60, "reading from /dev/zero is the kernel's time")
{
	struct tms before = now(), after;

	use_kernel();
	after = now();
	CHECK(after.tms_stime - before.tms_stime >= ENOUGH);
	CHECK(after.tms_utime - before.tms_utime < ENOUGH / 2);
}

TEST(program, 60, "counting is the program's")
{
	struct tms before = now(), after;

	use_program();
	after = now();
	CHECK(after.tms_utime - before.tms_utime >= ENOUGH);
	CHECK(after.tms_stime - before.tms_stime < ENOUGH / 2);
}

TEST(children, 120, "what children used comes with wait, told apart, and so does wait4's rusage")
{
	struct rusage used;
	struct tms after;
	int status;

	if (!fork()) {
		use_kernel();
		use_program();
		_exit(0);
	}
	CHECK(wait4(-1, &status, 0, &used) > 0);
	CHECK_EQ(status, 0);
	after = now();
	CHECK(after.tms_cstime >= ENOUGH && after.tms_cutime >= ENOUGH);
	CHECK(used.ru_stime.tv_sec * 100 + used.ru_stime.tv_usec / 10000 >= ENOUGH);
	CHECK(used.ru_utime.tv_sec * 100 + used.ru_utime.tv_usec / 10000 >= ENOUGH);
}

TEST(in_proc, 60, "/proc/self/stat tells the same as times")
{
	char text[1024], *at;
	long user, system;
	struct tms before, after;
	int fd;

	use_kernel();
	before = now();
	fd = open("/proc/self/stat", O_RDONLY);
	text[read_full(fd, text, sizeof(text) - 1)] = 0;
	after = now();
	at = strrchr(text, ')');
	CHECK(at);
	CHECK_EQ(sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
			&system),
		 2);
	CHECK(user >= before.tms_utime && user <= after.tms_utime);
	CHECK(system >= before.tms_stime && system <= after.tms_stime);
}

TEST(never_less, 60, "neither part ever gets less")
{
	struct tms last = now();

	for (int i = 0; i < 30000; i++) {
		struct tms t = now();

		CHECK(t.tms_utime >= last.tms_utime && t.tms_stime >= last.tms_stime);
		last = t;
	}
}
