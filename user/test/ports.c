/*
 * ioperm and iopl: programs that use ports of IO themselves.
 *
 * Port 0x80 is one to which nobody listens.
 */
#include "signals.h"

#include <setjmp.h>
#include <sys/io.h>

#define PORT 0x80

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, 1);
}

static bool may_write(unsigned short port)
{
	if (sigsetjmp(back, 1))
		return false;
	__asm__ volatile("outb %b0, %w1" ::"a"(0), "d"(port));
	return true;
}

TEST(ioperm, 5,
     "ioperm allows and forbids ports; a child has the rights of its parent, until it changes its own")
{
	handle(SIGSEGV, on_fault, 0);
	CHECK(!may_write(PORT));
	CHECK_EQ(ioperm(PORT, 1, 1), 0);
	CHECK(may_write(PORT));
	CHECK(!may_write(PORT - 1) && !may_write(PORT + 1));
	pid_t child = fork();

	if (child == 0) {
		CHECK(may_write(PORT));
		CHECK_EQ(ioperm(PORT, 1, 0), 0);
		CHECK(!may_write(PORT));
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK(may_write(PORT));
	CHECK_EQ(ioperm(PORT, 1, 0), 0);
	CHECK(!may_write(PORT));
}

TEST(iopl, 5, "iopl(3) allows all ports, and lower levels none")
{
	handle(SIGSEGV, on_fault, 0);
	CHECK_EQ(iopl(2), 0);
	CHECK(!may_write(PORT));
	CHECK_EQ(iopl(3), 0);
	CHECK(may_write(PORT));
	test_sleep_ms(30); /* others run meanwhile */
	CHECK(may_write(PORT));
	CHECK_EQ(iopl(0), 0);
	CHECK(!may_write(PORT));
}

TEST(errors, 5, "ports that do not exist, levels that do not exist, and other users than root")
{
	CHECK_ERR(ioperm(65535, 2, 1), EINVAL);
	CHECK_ERR(ioperm(65536, 1, 1), EINVAL);
	CHECK_ERR(ioperm(PORT, 0, 1), EINVAL);
	CHECK_ERR(ioperm(1, -1ul, 1), EINVAL);
	CHECK_EQ(ioperm(PORT, 1, 0), 0);
	CHECK_ERR(iopl(4), EINVAL);
	CHECK_ERR(iopl(-1), EINVAL);
	pid_t child = fork();

	if (child == 0) {
		setuid(1000);
		CHECK_ERR(ioperm(PORT, 1, 1), EPERM);
		CHECK_ERR(iopl(1), EPERM);
		CHECK_EQ(ioperm(PORT, 1, 0), 0);
		CHECK_EQ(iopl(0), 0);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}
