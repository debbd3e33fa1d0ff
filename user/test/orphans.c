/*
 * Children whose parent ends: who adopts them, and what they are told.
 */
#include "signals.h"
#include <sys/prctl.h>

static int prctl2(int option, unsigned long argument)
{
	return syscall(SYS_prctl, option, argument, 0, 0, 0);
}

static int read_int(int fd)
{
	int n = -1;

	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	return n;
}

static void write_int(int fd, int n)
{
	CHECK_EQ(write(fd, &n, sizeof(n)), sizeof(n));
}

static siginfo_t last;
static void keep(int sig, siginfo_t *info, void *context)
{
	last = *info;
	hits++;
}

/*
 * Make a child that makes a grandchild and ends when the grandchild is ready. The grandchild calls
 * `before` and waits for a signal of at most two seconds. Then it writes how many came, and its
 * parent's pid.
 */
static void run(int fd, void (*before)(void))
{
	int ready[2];
	pid_t child;

	CHECK_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			before();
			write_int(ready[1], 1);
			for (int i = 0; i < 100 && (getppid() == parent || i < 10); i++)
				test_sleep_ms(20);
			write_int(fd, hits);
			write_int(fd, last.si_pid == parent);
			write_int(fd, getppid());
			_exit(9);
		}
		read_int(ready[0]);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	close(ready[0]);
	close(ready[1]);
}

static void wants_signal(void)
{
	int signo = 0;

	handle(SIGUSR1, keep, SA_SIGINFO);
	CHECK_EQ(prctl2(PR_SET_PDEATHSIG, SIGUSR1), 0);
	CHECK_EQ(prctl2(PR_GET_PDEATHSIG, (unsigned long)&signo), 0);
	CHECK_EQ(signo, SIGUSR1);
}

static void wants_none(void)
{
	wants_signal();
	CHECK_EQ(prctl2(PR_SET_PDEATHSIG, 0), 0);
}

TEST(death_signal, 20, "PR_SET_PDEATHSIG: the signal comes from the parent when it ends")
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	run(fds[1], wants_signal);
	CHECK_EQ(read_int(fds[0]), 1);
	CHECK_EQ(read_int(fds[0]), 1);
	read_int(fds[0]);
	run(fds[1], wants_none);
	CHECK_EQ(read_int(fds[0]), 0);
}

TEST(death_signal_refused, 5, "no such signal; a child does not inherit it, a new user loses it")
{
	int signo = -1;
	pid_t child;

	CHECK_ERR(prctl2(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_ERR(prctl2(PR_SET_PDEATHSIG, -1ul), EINVAL);
	CHECK_ERR(prctl2(PR_GET_PDEATHSIG, 8), EFAULT);
	CHECK_EQ(prctl2(PR_SET_PDEATHSIG, SIGTERM), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(prctl2(PR_GET_PDEATHSIG, (unsigned long)&signo), 0);
		_exit(signo);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(setuid(12345), 0);
	CHECK_EQ(prctl2(PR_GET_PDEATHSIG, (unsigned long)&signo), 0);
	CHECK_EQ(signo, 0);
}

static void nothing(void)
{
}

TEST(subreaper, 20,
     "PR_SET_CHILD_SUBREAPER: orphans of a descendant become children of the nearest one")
{
	int fds[2], on = -1, status;
	pid_t orphan;

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(prctl2(PR_GET_CHILD_SUBREAPER, (unsigned long)&on), 0);
	CHECK_EQ(on, 0);
	CHECK_ERR(prctl2(PR_GET_CHILD_SUBREAPER, 8), EFAULT);
	CHECK_EQ(prctl2(PR_SET_CHILD_SUBREAPER, 2), 0);
	CHECK_EQ(prctl2(PR_GET_CHILD_SUBREAPER, (unsigned long)&on), 0);
	CHECK_EQ(on, 1);
	run(fds[1], nothing);
	read_int(fds[0]);
	read_int(fds[0]);
	CHECK_EQ(read_int(fds[0]), getpid());
	orphan = waitpid(-1, &status, 0);
	CHECK(orphan > 0);
	CHECK_EQ(WEXITSTATUS(status), 9);
	/* A child does not inherit it, and its own orphans come to us. */
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(prctl2(PR_GET_CHILD_SUBREAPER, (unsigned long)&on), 0);
		CHECK_EQ(on, 0);
		run(fds[1], nothing);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	read_int(fds[0]);
	read_int(fds[0]);
	CHECK_EQ(read_int(fds[0]), getpid());
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(WEXITSTATUS(status), 9);
}

TEST(subreaper_off, 20, "without one, or after it was switched off, orphans go elsewhere")
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(prctl2(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(prctl2(PR_SET_CHILD_SUBREAPER, 0), 0);
	run(fds[1], nothing);
	read_int(fds[0]);
	read_int(fds[0]);
	CHECK(read_int(fds[0]) != getpid());
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
}

TEST(ended_orphan, 20, "a zombie that is adopted is reported to its new parent")
{
	sigset_t set = set_of(SIGCHLD);
	siginfo_t info;
	int status;
	pid_t child;

	CHECK_EQ(prctl2(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	child = fork();
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0)
			_exit(7);
		CHECK_EQ(syscall(SYS_waitid, P_PID, grandchild, &info, WEXITED | WNOWAIT, NULL), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(WEXITSTATUS(status), 7);
}
