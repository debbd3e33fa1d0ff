/*
 * waitid: which children, which changes, and looking without taking.
 */
#include "signals.h"
#include <pthread.h>
#include <sys/resource.h>

static siginfo_t info;

/* With the last argument of the call, which the C library leaves out. Fills `info`. */
static int wait_for(int which, int id, int options)
{
	memset(&info, 0x55, sizeof(info));
	return syscall(SYS_waitid, which, id, &info, options, NULL);
}

static void expect(pid_t child, int code, int status)
{
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(info.si_errno, 0);
	CHECK_EQ(info.si_code, code);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_uid, getuid());
	CHECK_EQ(info.si_status, status);
}

static pid_t child_that_exits(int status)
{
	pid_t child = fork();

	if (child == 0)
		_exit(status);
	return child;
}

static pid_t child_that_waits(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	return child;
}

TEST(ends, 10, "an exit and a fatal signal; nothing is reported twice")
{
	pid_t child = child_that_exits(33);

	CHECK_EQ(wait_for(P_PID, child, WEXITED), 0);
	expect(child, CLD_EXITED, 33);
	CHECK_ERR(wait_for(P_PID, child, WEXITED), ECHILD);
	child = child_that_waits();
	CHECK_EQ(wait_for(P_ALL, 0, WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_signo, 0);
	CHECK_EQ(info.si_pid, 0);
	kill(child, SIGUSR1);
	CHECK_EQ(wait_for(P_ALL, 77, WEXITED), 0);
	expect(child, CLD_KILLED, SIGUSR1);
	CHECK_ERR(wait_for(P_ALL, 0, WEXITED), ECHILD);
}

TEST(stops, 10, "stops and continuations, each only if it is asked for, and only once")
{
	pid_t child = child_that_waits();

	kill(child, SIGSTOP);
	CHECK_EQ(wait_for(P_PID, child, WSTOPPED), 0);
	expect(child, CLD_STOPPED, SIGSTOP);
	CHECK_EQ(wait_for(P_PID, child, WSTOPPED | WCONTINUED | WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	kill(child, SIGCONT);
	CHECK_EQ(wait_for(P_PID, child, WCONTINUED | WNOWAIT), 0);
	expect(child, CLD_CONTINUED, SIGCONT);
	CHECK_EQ(wait_for(P_PID, child, WCONTINUED), 0);
	expect(child, CLD_CONTINUED, SIGCONT);
	CHECK_EQ(wait_for(P_PID, child, WCONTINUED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	kill(child, SIGKILL);
	CHECK_EQ(wait_for(P_PID, child, WEXITED | WNOWAIT), 0);
	/* A zombie will neither stop nor continue. */
	CHECK_ERR(wait_for(P_PID, child, WSTOPPED | WCONTINUED), ECHILD);
	CHECK_EQ(wait_status(child), SIGKILL);
}

TEST(no_wait, 10, "with WNOWAIT the child stays for another wait")
{
	pid_t child = child_that_exits(5);

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(wait_for(P_PID, child, WEXITED | WNOWAIT), 0);
		expect(child, CLD_EXITED, 5);
	}
	CHECK_EQ(kill(child, 0), 0);
	CHECK_EQ(WEXITSTATUS(wait_status(child)), 5);
	CHECK_ERR(kill(child, 0), ESRCH);
	child = child_that_waits();
	kill(child, SIGSTOP);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(wait_for(P_PID, child, WSTOPPED | WNOWAIT), 0);
		expect(child, CLD_STOPPED, SIGSTOP);
	}
	int status;

	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
	kill(child, SIGKILL);
	wait_status(child);
}

TEST(groups, 10, "P_PGID waits for a group, 0 for its own, and 1 for no child of ours")
{
	pid_t child = child_that_exits(1), other;

	CHECK_EQ(wait_for(P_PGID, 0, WEXITED | WNOWAIT), 0);
	expect(child, CLD_EXITED, 1);
	CHECK_EQ(wait_for(P_PGID, getpgrp(), WEXITED | WNOWAIT), 0);
	CHECK_ERR(wait_for(P_PGID, 1, WEXITED), ECHILD);
	other = child_that_waits();
	CHECK_EQ(setpgid(other, other), 0);
	CHECK_EQ(wait_for(P_PGID, other, WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	kill(other, SIGKILL);
	CHECK_EQ(wait_for(P_PGID, other, WEXITED), 0);
	expect(other, CLD_KILLED, SIGKILL);
	wait_status(child);
}

TEST(refused, 5, "unknown options and ids are EINVAL, bad addresses EFAULT; no address is needed")
{
	pid_t child = child_that_exits(3);

	CHECK_ERR(wait_for(P_PID, child, 0), EINVAL);
	CHECK_ERR(wait_for(P_PID, child, WNOHANG | WNOWAIT), EINVAL);
	CHECK_ERR(wait_for(P_PID, child, WEXITED | 0x100), EINVAL);
	CHECK_ERR(wait_for(P_PID, 0, WEXITED), EINVAL);
	CHECK_ERR(wait_for(P_PID, -1, WEXITED), EINVAL);
	CHECK_ERR(wait_for(P_PGID, -1, WEXITED), EINVAL);
	CHECK_ERR(wait_for(9, child, WEXITED), EINVAL);
	CHECK_ERR(wait_for(P_PID, 99999999, WEXITED), ECHILD);
	CHECK_EQ(info.si_pid, 0);
	CHECK_ERR(syscall(SYS_waitid, P_PID, child, (void *)8, WEXITED | WNOWAIT, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_waitid, P_PID, child, &info, WEXITED | WNOWAIT, (void *)8), EFAULT);
	CHECK_EQ(syscall(SYS_waitid, P_PID, child, NULL, WEXITED, NULL), 0);
	CHECK_ERR(wait_for(P_PID, child, WEXITED), ECHILD);
}

TEST(times, 10, "the last argument gets the child's CPU time")
{
	struct {
		int user_sec, user_usec, system_sec, system_usec, rest[14];
	} used;
	pid_t child = fork();

	if (child == 0) {
		while (clock() < CLOCKS_PER_SEC / 5)
			;
		_exit(0);
	}
	memset(&used, 0xff, sizeof(used));
	CHECK_EQ(syscall(SYS_waitid, P_PID, child, &info, WEXITED, &used), 0);
	int ms = (used.user_sec + used.system_sec) * 1000 +
		 (used.user_usec + used.system_usec) / 1000;

	CHECK(ms >= 150 && ms < 1000);
	CHECK_EQ(used.rest[13] >> 24, 0);
}

static pid_t watched;
static void *look(void *arg)
{
	siginfo_t seen;

	if (syscall(SYS_waitid, P_PID, watched, &seen, WEXITED | WNOWAIT, NULL) == 0)
		return (void *)(intptr_t)(seen.si_status == 9);
	return (void *)(intptr_t)(errno == ECHILD);
}

static void *reap(void *arg)
{
	int status;

	return (void *)(intptr_t)(waitpid(watched, &status, 0) == watched);
}

TEST(look_and_reap, 30,
     "threads that look while another one reaps see the end or no child, never nothing")
{
	for (int round = 0; round < 50; round++) {
		pthread_t ids[3];
		void *good;

		watched = child_that_exits(9);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&ids[i], NULL, i == 1 ? reap : look, NULL), 0);
		for (int i = 0; i < 3; i++) {
			pthread_join(ids[i], &good);
			CHECK(good);
		}
	}
}
