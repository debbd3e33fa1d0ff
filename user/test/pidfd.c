/*
 * Descriptors of processes.
 */
#include "text_files.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#define PIDFD_SEND_SIGNAL 424
#define PIDFD_OPEN	  434
#define CLONE3		  435
#define PIDFD_GETFD	  438
#define ID_PIDFD	  3
#define FLAG_PIDFD	  0x1000

static int pidfd_open(int pid, unsigned int flags)
{
	return syscall(PIDFD_OPEN, pid, flags);
}

static int send_signal(int fd, int signo, siginfo_t *info, unsigned int flags)
{
	return syscall(PIDFD_SEND_SIGNAL, fd, signo, info, flags);
}

static int get_fd(int fd, int target, unsigned int flags)
{
	return syscall(PIDFD_GETFD, fd, target, flags);
}

static pid_t child_that_waits(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	CHECK(child > 0);
	return child;
}

static void reap(pid_t child, int expected)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, expected);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	int nr = poll(&poll_fd, 1, 0);

	CHECK(nr == 0 || poll_fd.revents == POLLIN);
	return nr == 1;
}

/* The number after `Pid:` in the descriptor's fdinfo. */
static int pid_told(int fd)
{
	const char *at = strstr(contents("/proc/self/fdinfo/%d", fd), "\nPid:\t");
	int pid = 0, same;

	CHECK(at && sscanf(at, "\nPid:\t%d\nNSpid:\t%d", &pid, &same) == 2 && same == pid);
	return pid;
}

static void *nothing(void *arg)
{
	pause();
	return NULL;
}

TEST(pidfd_is_opened, 5,
     "pidfd_open wants a process and known flags, and closes the descriptor on exec")
{
	int fd = pidfd_open(getpid(), 0), other;
	char target[64] = "", path[64];
	pthread_t thread;

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	other = pidfd_open(getpid(), O_NONBLOCK);
	CHECK_EQ(fcntl(other, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
	CHECK_ERR(pidfd_open(getpid(), 1), EINVAL);
	CHECK_ERR(pidfd_open(0, 0), EINVAL);
	CHECK_ERR(pidfd_open(-1, 0), EINVAL);
	CHECK_ERR(pidfd_open(4000000, 0), ESRCH);
	CHECK_ERR(read(fd, path, 8), EINVAL);
	CHECK_ERR(write(fd, path, 8), EINVAL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, target, sizeof(target) - 1) > 0);
	CHECK(strcmp(target, "anon_inode:[pidfd]") == 0);
	CHECK_EQ(pid_told(fd), getpid());
	/* A thread is no process, except the first one. */
	CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
	for (int tid = getpid() + 1;; tid++) {
		if (pidfd_open(tid, 0) < 0 && errno == EINVAL)
			break;
		CHECK(tid < getpid() + 1000);
	}
}

TEST(pidfd_tells_the_end, 10,
     "a pidfd is readable when the process has ended, also after it was reaped")
{
	pid_t child = child_that_waits();
	int fd = pidfd_open(child, 0);
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	CHECK(fd >= 0 && !is_readable(fd));
	CHECK_EQ(pid_told(fd), child);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(poll(&poll_fd, 1, -1), 1);
	CHECK_EQ(pid_told(fd), child);
	CHECK_EQ(send_signal(fd, SIGTERM, NULL, 0), 0);
	reap(child, SIGKILL);
	CHECK(is_readable(fd));
	CHECK_EQ(pid_told(fd), -1);
	CHECK_ERR(send_signal(fd, 0, NULL, 0), ESRCH);
	CHECK_ERR(get_fd(fd, 0, 0), ESRCH);
	CHECK_ERR(pidfd_open(child, 0), ESRCH);
}

static void *exit_late(void *arg)
{
	test_sleep_ms(100);
	syscall(SYS_exit, 3);
	return NULL;
}

TEST(pidfd_waits_for_threads, 10, "a process whose first thread has ended has not ended")
{
	pid_t child = fork();
	pthread_t thread;
	int fd;

	if (child == 0) {
		pthread_create(&thread, NULL, exit_late, NULL);
		syscall(SYS_exit, 2);
	}
	fd = pidfd_open(child, 0);
	test_sleep_ms(30);
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	CHECK_EQ(poll(&poll_fd, 1, -1), 1);
	reap(child, 3 << 8); /* the last thread decides */
}

TEST(pidfd_epoll, 10, "an epoll tells of the end")
{
	struct epoll_event event = { EPOLLIN | EPOLLET, { .u32 = 7 } };
	pid_t child = child_that_waits();
	int fd = pidfd_open(child, 0), epoll = epoll_create1(0);

	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	CHECK_EQ(send_signal(fd, SIGKILL, NULL, 0), 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
	CHECK(event.events == EPOLLIN && event.data.u32 == 7);
	reap(child, SIGKILL);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

/* ---- signals ---- */

static siginfo_t got;

static void keep(int signo, siginfo_t *info, void *context)
{
	got = *info;
}

TEST(pidfd_signals, 10, "pidfd_send_signal sends what kill and sigqueue would, and checks the rest")
{
	struct sigaction action = { .sa_sigaction = keep, .sa_flags = SA_SIGINFO };
	int fd = pidfd_open(getpid(), 0), init = pidfd_open(1, 0);
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(send_signal(fd, SIGUSR1, NULL, 0), 0);
	CHECK(got.si_code == SI_USER && got.si_pid == getpid());
	info.si_value.sival_int = 77;
	CHECK_EQ(send_signal(fd, SIGUSR1, &info, 0), 0);
	CHECK(got.si_code == SI_QUEUE && got.si_value.sival_int == 77);
	info.si_code = SI_USER;
	CHECK_EQ(send_signal(fd, SIGUSR1, &info, 0), 0);
	CHECK_ERR(send_signal(init, SIGUSR1, &info, 0), EPERM);
	CHECK_ERR(send_signal(fd, SIGUSR2, &info, 0), EINVAL);
	CHECK_ERR(send_signal(fd, SIGUSR1, (void *)8, 0), EFAULT);
	CHECK_ERR(send_signal(fd, 99, NULL, 0), EINVAL);
	CHECK_ERR(send_signal(fd, 0, NULL, 1), EINVAL);
	CHECK_ERR(send_signal(0, 0, NULL, 0), EBADF);
	CHECK_ERR(send_signal(999, 0, NULL, 0), EBADF);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(send_signal(init, 0, NULL, 0), EPERM);
}

static int open_process(pid_t pid, const char *below, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d%s", pid, below);
	return open(path, flags);
}

TEST(pidfd_directory, 10, "a signal can be sent to an open directory /proc/PID")
{
	pid_t child = child_that_waits();
	int fd = open_process(child, "", O_RDONLY | O_DIRECTORY);
	siginfo_t info;

	CHECK(fd >= 0);
	CHECK_EQ(send_signal(fd, 0, NULL, 0), 0);
	CHECK_ERR(send_signal(open_process(child, "", O_PATH), 0, NULL, 0), EBADF);
	CHECK_ERR(send_signal(open_process(child, "/task", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_ERR(send_signal(open_process(child, "/fd", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_ERR(send_signal(open_process(child, "/stat", O_RDONLY), 0, NULL, 0), EBADF);
	CHECK_ERR(get_fd(fd, 0, 0), EBADF);
	CHECK_ERR(waitid(ID_PIDFD, fd, &info, WEXITED | WNOHANG), EBADF);
	CHECK_EQ(send_signal(fd, SIGKILL, NULL, 0), 0);
	CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(send_signal(fd, 0, NULL, 0), 0);
	reap(child, SIGKILL);
	CHECK_ERR(send_signal(fd, SIGKILL, NULL, 0), ESRCH);
}

/* Forks a child that gets the number. */
static pid_t child_with_number(pid_t number)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			numbers, nr_numbers;
	} args = { .exit_signal = SIGCHLD, .numbers = (uintptr_t)&number, .nr_numbers = 1 };
	pid_t child = syscall(CLONE3, &args, sizeof(args));

	if (child == 0)
		for (;;)
			pause();
	return child;
}

TEST(pidfd_directory_reused, 10, "it is not for a process that gets the number afterwards")
{
	pid_t child = child_that_waits();
	int fd = open_process(child, "", O_RDONLY | O_DIRECTORY), again;

	CHECK_EQ(kill(child, SIGKILL), 0);
	reap(child, SIGKILL);
	CHECK_EQ(child_with_number(child), child);
	CHECK_ERR(send_signal(fd, SIGKILL, NULL, 0), ESRCH);
	again = open_process(child, "", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(send_signal(again, SIGKILL, NULL, 0), 0);
	reap(child, SIGKILL);
}

TEST(pidfd_directory_is_empty, 10,
     "an open directory of a process that has been reaped cannot be read")
{
	pid_t child = child_that_waits();
	int fd = open_process(child, "", O_RDONLY | O_DIRECTORY);
	char buf[1024];

	CHECK_EQ(kill(child, SIGKILL), 0);
	reap(child, SIGKILL);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ENOENT);
	CHECK_ERR(openat(fd, "stat", O_RDONLY), ESRCH);
	CHECK_ERR(fsync(fd), EINVAL);
}

/* ---- other people's files ---- */

TEST(pidfd_getfd, 10, "pidfd_getfd opens a file of the process, if we may look into it")
{
	int pipes[2], ready[2], fd, mine;
	char byte = 0;
	pid_t child;

	CHECK_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(pipe(pipes), 0);
		CHECK_EQ(dup2(pipes[0], 100), 100);
		CHECK_EQ(write(pipes[1], "x", 1), 1);
		CHECK_EQ(write(ready[1], "r", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	fd = pidfd_open(child, 0);
	mine = get_fd(fd, 100, 0);
	CHECK(mine >= 0);
	CHECK_EQ(fcntl(mine, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(mine, &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	CHECK_ERR(get_fd(fd, 101, 0), EBADF);
	CHECK_ERR(get_fd(fd, 100, 1), EINVAL);
	CHECK_ERR(get_fd(0, 0, 0), EBADF);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(get_fd(fd, 100, 0), EPERM);
}

/* ---- waiting ---- */

TEST(pidfd_waitid, 10, "waitid(P_PIDFD) waits for the child, and with O_NONBLOCK does not wait")
{
	pid_t other = child_that_waits(), child = child_that_waits();
	int fd = pidfd_open(child, 0), lazy = pidfd_open(child, O_NONBLOCK);
	siginfo_t info = { 0 };

	CHECK_EQ(waitid(ID_PIDFD, fd, &info, WEXITED | WNOHANG), 0);
	CHECK_EQ(info.si_pid, 0);
	CHECK_ERR(waitid(ID_PIDFD, lazy, &info, WEXITED), EAGAIN);
	CHECK_EQ(waitid(ID_PIDFD, lazy, &info, WEXITED | WNOHANG), 0);
	CHECK_EQ(kill(other, SIGKILL), 0);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitid(ID_PIDFD, fd, &info, WEXITED | WNOWAIT), 0);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(waitid(ID_PIDFD, lazy, &info, WEXITED), 0);
	CHECK(info.si_pid == child && info.si_status == SIGKILL);
	CHECK_ERR(waitid(ID_PIDFD, fd, &info, WEXITED), ECHILD);
	CHECK_ERR(waitid(ID_PIDFD, pidfd_open(getpid(), 0), &info, WEXITED), ECHILD);
	CHECK_ERR(waitid(ID_PIDFD, 0, &info, WEXITED), EBADF);
	CHECK_ERR(waitid(ID_PIDFD, -1, &info, WEXITED), EINVAL);
	reap(other, SIGKILL);
}

/* ---- clone ---- */

static long raw_clone(unsigned long flags, void *parent_tid)
{
	return syscall(SYS_clone, flags, NULL, parent_tid, NULL, NULL);
}

TEST(pidfd_of_clone, 10, "clone and clone3 make a child together with its descriptor")
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} arguments = { .flags = FLAG_PIDFD | CLONE_PARENT_SETTID, .exit_signal = SIGCHLD };
	int fd = -1, tid = 0;
	siginfo_t info;
	long child;

	CHECK_ERR(raw_clone(FLAG_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, &fd), EINVAL);
	CHECK_ERR(raw_clone(FLAG_PIDFD | CLONE_DETACHED | SIGCHLD, &fd), EINVAL);
	CHECK_ERR(raw_clone(FLAG_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, &fd), EINVAL);
	CHECK_ERR(raw_clone(FLAG_PIDFD | SIGCHLD, (void *)8), EFAULT);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	child = raw_clone(FLAG_PIDFD | SIGCHLD, &fd);
	if (child == 0)
		_exit(fcntl(fd, F_GETFD) == -1 ? 5 : 6);
	CHECK(child > 0 && fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(waitid(ID_PIDFD, fd, &info, WEXITED), 0);
	CHECK(info.si_pid == child && info.si_status == 5);
	arguments.pidfd = arguments.parent_tid = (uintptr_t)&tid;
	CHECK_ERR(syscall(CLONE3, &arguments, sizeof(arguments)), EINVAL);
	arguments.pidfd = (uintptr_t)&fd;
	child = syscall(CLONE3, &arguments, sizeof(arguments));
	if (child == 0)
		_exit(9);
	CHECK_EQ(tid, child);
	CHECK_EQ(waitid(ID_PIDFD, fd, &info, WEXITED), 0);
	CHECK(info.si_pid == child && info.si_status == 9);
}

TEST(clone_parent, 10, "CLONE_PARENT makes a brother or sister")
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} arguments = { .flags = CLONE_PARENT, .exit_signal = SIGCHLD };
	pid_t child = fork(), sibling;
	int pipes[2], status;

	if (child == 0) {
		CHECK_ERR(syscall(CLONE3, &arguments, sizeof(arguments)), EINVAL);
		_exit(0);
	}
	reap(child, 0);
	CHECK_EQ(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		long made = raw_clone(CLONE_PARENT | SIGCHLD, NULL);

		if (made == 0) {
			pid_t parent = getppid();

			_exit(write(pipes[1], &parent, sizeof(parent)) == sizeof(parent) ? 4 : 3);
		}
		CHECK_ERR(waitpid(made, NULL, 0), ECHILD);
		_exit(0);
	}
	reap(child, 0);
	CHECK_EQ(read(pipes[0], &sibling, sizeof(sibling)), sizeof(sibling));
	CHECK_EQ(sibling, getpid());
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(status, 4 << 8);
}
