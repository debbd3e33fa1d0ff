/*
 * kcmp: what threads and processes share.
 */
#include "signals.h"

#include <sched.h>

enum { FILE_OF, VM, FILES, FS, SIGHAND, IO, SYSVSEM };
enum { NR_KCMP = 349 };

static long kcmp(pid_t a, pid_t b, int type, unsigned int fd1, unsigned int fd2)
{
	return syscall(NR_KCMP, a, b, type, fd1, fd2);
}

TEST(files, 5, "two descriptors of one open file are equal, also in a child; others have an order")
{
	int fd = dup(0), other = open("/dev/null", O_RDONLY);
	pid_t me = getpid(), child;
	long order = kcmp(me, me, FILE_OF, 0, other);

	CHECK_EQ(kcmp(me, me, FILE_OF, 0, fd), 0);
	CHECK(order == 1 || order == 2);
	CHECK_EQ(kcmp(me, me, FILE_OF, other, 0), 3 - order);
	child = fork();
	if (child == 0)
		pause();
	CHECK_EQ(kcmp(me, child, FILE_OF, 0, fd), 0);
	CHECK(kcmp(me, child, FILES, 0, 0) > 0);
	CHECK(kcmp(me, child, VM, 0, 0) > 0);
	CHECK(kcmp(me, child, FS, 0, 0) > 0);
	CHECK_EQ(kcmp(me, child, IO, 0, 0), 0);
	CHECK_EQ(kcmp(me, me, VM, 0, 0), 0);
	kill(child, SIGKILL);
	wait_status(child);
	CHECK_ERR(kcmp(me, child, VM, 0, 0), ESRCH);
	close(fd);
	close(other);
}

static char stack[8192] __attribute__((aligned(16)));

static int wait_in_child(void *arg)
{
	pause();
	return 0;
}

TEST(shared, 5, "clone shares what its flags say")
{
	pid_t me = getpid(), child;

	child = clone(wait_in_child, stack + sizeof(stack),
		      CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);
	CHECK(child > 0);
	CHECK_EQ(kcmp(me, child, VM, 0, 0), 0);
	CHECK_EQ(kcmp(me, child, FS, 0, 0), 0);
	CHECK_EQ(kcmp(me, child, FILES, 0, 0), 0);
	CHECK(kcmp(me, child, SIGHAND, 0, 0) > 0);
	kill(child, SIGKILL);
	wait_status(child);
}

TEST(errors, 5, "no such process, thing or descriptor; another user's process")
{
	pid_t me = getpid(), child;

	CHECK_ERR(kcmp(me, 99999, VM, 0, 0), ESRCH);
	CHECK_ERR(kcmp(me, me, 99, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, me, FILE_OF, 0, 99), EBADF);
	child = fork();
	if (child == 0) {
		setuid(1000);
		CHECK_ERR(kcmp(getpid(), me, VM, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}
