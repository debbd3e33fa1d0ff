/*
 * clone3, and the names of the machine.
 */
#include "user/test/test.h"

#include <sched.h>
#include <sys/utsname.h>

#define CLONE3		   435
#define FLAG_CLEAR_SIGHAND 0x100000000ull

struct arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, nr_set_tid, cgroup, unknown;
};

static long clone3(const struct arguments *arguments, size_t size)
{
	return syscall(CLONE3, arguments, size);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(clone3_forks, 10, "clone3 makes a process, stores its number, and clears handlers")
{
	static int in_parent, in_child;
	struct arguments arguments = { .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
				       .exit_signal = SIGCHLD,
				       .parent_tid = (uintptr_t)&in_parent,
				       .child_tid = (uintptr_t)&in_child };
	struct sigaction action;
	long child;

	signal(SIGUSR1, nothing);
	signal(SIGUSR2, SIG_IGN);
	child = clone3(&arguments, 64);
	if (child == 0) {
		sigaction(SIGUSR1, NULL, &action);
		_exit(in_child != (int)syscall(SYS_getpid) || action.sa_handler != nothing);
	}
	CHECK(child > 0 && in_parent == child);
	CHECK_EQ(test_wait(child), 0);
	arguments.flags = FLAG_CLEAR_SIGHAND;
	child = clone3(&arguments, 88);
	if (child == 0) {
		sigaction(SIGUSR1, NULL, &action);
		if (action.sa_handler != SIG_DFL)
			_exit(1);
		sigaction(SIGUSR2, NULL, &action);
		_exit(action.sa_handler != SIG_IGN);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(clone3_errors, 10, "clone3 checks the size, the flags and what goes together")
{
	struct arguments arguments = { .exit_signal = SIGCHLD };

	CHECK_ERR(clone3(&arguments, 63), EINVAL);
	CHECK_ERR(clone3(&arguments, 5000), E2BIG);
	CHECK_ERR(clone3((void *)1, 64), EFAULT);
	arguments.unknown = 1;
	CHECK_ERR(clone3(&arguments, 96), E2BIG);
	arguments.unknown = 0;
	arguments.flags = 17;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.flags = 0x400000;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.flags = 1ull << 40;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.flags = 0;
	arguments.stack = 4096;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.stack = 0;
	arguments.stack_size = 4096;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.stack_size = 0;
	arguments.exit_signal = 65;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.exit_signal = SIGCHLD;
	arguments.nr_set_tid = 1;
	CHECK_ERR(clone3(&arguments, 88), EINVAL);
	arguments.nr_set_tid = 0;
	arguments.flags = CLONE_VM | CLONE_SIGHAND | FLAG_CLEAR_SIGHAND;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
	arguments.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
	CHECK_ERR(clone3(&arguments, 64), EINVAL);
}

/* Start a child that must have the number. Returns its exit status, or -1 with errno. */
static int start_as(int *tid, int nr)
{
	struct arguments arguments = { .exit_signal = SIGCHLD,
				       .set_tid = (uintptr_t)tid,
				       .nr_set_tid = nr };
	pid_t child = clone3(&arguments, 80);

	if (child == 0)
		_exit(syscall(SYS_getpid) != *tid || syscall(SYS_gettid) != *tid);
	if (child < 0)
		return -1;
	CHECK_EQ(child, *tid);
	return test_wait(child);
}

TEST(chosen_numbers, 10, "clone3 with set_tid: a free number, and what is wrong with others")
{
	static const int bad[] = { 0, -1, 32768, 1 << 30 };
	int tid = 20000, self = getpid(), two[] = { 20000, 20001 };
	pid_t child;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(start_as(&tid, 1), 0);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		tid = bad[i];
		CHECK_ERR(start_as(&tid, 1), EINVAL);
	}
	CHECK_ERR(start_as(two, 2), EINVAL);
	CHECK_ERR(start_as(two, 33), EINVAL);
	CHECK_ERR(start_as(two, 0), EINVAL);
	CHECK_ERR(start_as(NULL, 1), EINVAL);
	CHECK_ERR(start_as((int *)8, 1), EFAULT);
	CHECK_ERR(start_as(&self, 1), EEXIST);
	tid = 1;
	CHECK_ERR(start_as(&tid, 1), EEXIST);
	/* The next numbers pass over one that was chosen. */
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	tid = child + 2;
	struct arguments arguments = { .exit_signal = SIGCHLD,
				       .set_tid = (uintptr_t)&tid,
				       .nr_set_tid = 1 };

	child = clone3(&arguments, 80);
	if (child == 0)
		for (;;)
			pause();
	CHECK_EQ(child, tid);
	CHECK_ERR(start_as(&tid, 1), EEXIST);
	for (int i = 0; i < 5; i++) {
		pid_t next = fork();

		if (next == 0)
			_exit(0);
		CHECK(next != tid);
		CHECK_EQ(test_wait(next), 0);
	}
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_EQ(setuid(1000), 0);
	tid = 20000;
	CHECK_ERR(start_as(&tid, 1), EPERM);
}

TEST(clone_io, 5, "CLONE_IO makes no difference")
{
	struct arguments arguments = { .flags = CLONE_IO, .exit_signal = SIGCHLD };
	pid_t child = syscall(SYS_clone, CLONE_IO | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	child = clone3(&arguments, 64);
	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(machine_names, 5, "sethostname and setdomainname set what uname tells")
{
	char name[70] = "";
	struct utsname before, after;
	int fd;

	CHECK_EQ(uname(&before), 0);
	CHECK_EQ(sethostname("another", 7), 0);
	CHECK_EQ(setdomainname("domain.", 6), 0);
	CHECK_EQ(uname(&after), 0);
	CHECK(strcmp(after.nodename, "another") == 0 && strcmp(after.domainname, "domain") == 0);
	fd = open("/proc/sys/kernel/hostname", O_RDWR);
	CHECK_EQ(read(fd, name, sizeof(name)), 8);
	CHECK(strcmp(name, "another\n") == 0);
	close(fd);
	fd = open("/proc/sys/kernel/hostname", O_WRONLY);
	CHECK_EQ(write(fd, "third\n", 6), 6);
	CHECK_EQ(uname(&after), 0);
	CHECK(strcmp(after.nodename, "third") == 0);
	memset(name, 'x', sizeof(name));
	CHECK_ERR(sethostname(name, 65), EINVAL);
	CHECK_ERR(sethostname(name, -1), EINVAL);
	CHECK_ERR(sethostname((char *)1, 5), EFAULT);
	CHECK_EQ(sethostname(before.nodename, strlen(before.nodename)), 0);
	CHECK_EQ(setdomainname(before.domainname, strlen(before.domainname)), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(sethostname("x", 1), EPERM);
}
