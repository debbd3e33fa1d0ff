/* signalfd: what a read takes and tells, waiting, masks, children, epoll. */
#include "epoll.h"
#include <pthread.h>
#include <sys/signalfd.h>

static sigset_t mask;

/* Blocks the signals and opens a file for them. */
static int open_for(int first, int second, int flags)
{
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, first);
	if (second)
		sigaddset(&mask, second);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
	fd = signalfd(-1, &mask, flags);
	CHECK(fd >= 0);
	return fd;
}

static struct signalfd_siginfo info;

static void read_one(int fd)
{
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(read(fd, &info, sizeof(info)), 128);
}

static void has_none(int fd)
{
	CHECK_ERR(read(fd, &info, sizeof(info)), EAGAIN);
}

TEST(takes, 5, "a read takes a pending signal, and says who sent it")
{
	int fd = open_for(SIGUSR1, 0, SFD_NONBLOCK);
	sigset_t pending;

	has_none(fd);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN);
	read_one(fd);
	CHECK_EQ(info.ssi_signo, SIGUSR1);
	CHECK_EQ(info.ssi_code, SI_USER);
	CHECK_EQ(info.ssi_errno, 0);
	CHECK_EQ(info.ssi_pid, getpid());
	CHECK_EQ(info.ssi_uid, getuid());
	CHECK(info.ssi_int == 0 && info.ssi_ptr == 0 && info.ssi_status == 0);
	has_none(fd);
	CHECK_EQ(sigpending(&pending), 0);
	CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(values, 5, "queued signals come with their values, in their order")
{
	int fd = open_for(SIGRTMIN, 0, SFD_NONBLOCK);
	struct signalfd_siginfo two[3];

	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 41 }), 0);
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 42 }), 0);
	CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = -1 }), 0);
	/* As many as there is room for, and a byte less than three. */
	CHECK_EQ(read(fd, two, 3 * 128 - 1), 256);
	CHECK(two[0].ssi_int == 41 && two[1].ssi_int == 42);
	CHECK_EQ(two[0].ssi_code, SI_QUEUE);
	CHECK_EQ(two[0].ssi_ptr, 41);
	CHECK_EQ(two[0].ssi_signo, SIGRTMIN);
	CHECK_EQ(two[1].ssi_pid, getpid());
	CHECK_EQ(read(fd, two, sizeof(two)), 128);
	CHECK_EQ(two[0].ssi_int, -1);
	CHECK(two[0].ssi_ptr == 0xffffffffu || two[0].ssi_ptr == UINT64_MAX);
	has_none(fd);
}

TEST(child_ends, 10, "SIGCHLD comes with the child's id and status")
{
	int fd = open_for(SIGCHLD, 0, 0);
	pid_t child = fork();

	if (!child)
		_exit(7);
	read_one(fd);
	CHECK_EQ(info.ssi_signo, SIGCHLD);
	CHECK_EQ(info.ssi_code, CLD_EXITED);
	CHECK_EQ(info.ssi_pid, child);
	CHECK_EQ(info.ssi_status, 7);
	CHECK_EQ(test_wait(child), 7);
}

TEST(only_the_mask, 5, "signals outside of the mask stay pending, and the mask can be changed")
{
	int fd = open_for(SIGUSR1, SIGUSR2, SFD_NONBLOCK);

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	CHECK_EQ(signalfd(fd, &mask, 0), fd);
	CHECK_EQ(raise(SIGUSR2), 0);
	has_none(fd);
	sigaddset(&mask, SIGUSR2);
	CHECK_EQ(signalfd(fd, &mask, 0), fd);
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	read_one(fd);
	CHECK_EQ(info.ssi_signo, SIGUSR2);
	CHECK_EQ(info.ssi_code, SI_TKILL);
}

static void *raise_later(void *unused)
{
	(void)unused;
	test_sleep_ms(100);
	kill(getpid(), SIGUSR1);
	return NULL;
}

TEST(waits, 10, "a read, a poll and an epoll wait until a signal comes")
{
	int fd = open_for(SIGUSR1, 0, 0), ep = make_epoll();
	struct pollfd p = { fd, POLLIN, 0 };
	pthread_t thread;

	add(ep, fd, EPOLLIN | EPOLLET);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, raise_later, NULL), 0);
		if (i == 1)
			CHECK_EQ(poll(&p, 1, 5000), 1);
		if (i == 2)
			CHECK_EQ(epoll_wait(ep, got, 1, 5000), 1);
		read_one(fd);
		CHECK_EQ(info.ssi_signo, SIGUSR1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		ready(ep);
	}
}

static void on_signal(int sig)
{
	(void)sig;
}

TEST(interrupted, 10, "another signal interrupts the read")
{
	struct sigaction action = { .sa_handler = on_signal };
	int fd = open_for(SIGUSR1, 0, 0);

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	alarm(1);
	CHECK_ERR(read(fd, &info, sizeof(info)), EINTR);
}

TEST(inherited, 10, "a child reads its own signals from the file that it inherits")
{
	int fd = open_for(SIGUSR1, 0, SFD_NONBLOCK), ep = make_epoll();
	pid_t child;

	add(ep, fd, EPOLLIN);
	CHECK_EQ(raise(SIGUSR1), 0);
	child = fork();
	if (!child) {
		has_none(fd);
		CHECK_EQ(poll_now(fd, POLLIN), 0);
		CHECK_EQ(raise(SIGUSR1), 0);
		read_one(fd);
		CHECK_EQ(info.ssi_pid, getpid());
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(events_of(ep, fd), EPOLLIN);
	read_one(fd);
	CHECK_EQ(info.ssi_pid, getpid());
}

TEST(adder_is_gone, 10, "the process that added the file to an epoll ends, and the epoll stays")
{
	int fd = open_for(SIGUSR1, 0, SFD_NONBLOCK), ep = make_epoll();
	pid_t child = fork();

	if (!child) {
		add(ep, fd, EPOLLIN);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	ready(ep);
	CHECK_EQ(raise(SIGUSR1), 0);
	ready(ep);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), 0);
	read_one(fd);
}

TEST(errors, 5, "the calls check their arguments, and SIGKILL is left out of the mask")
{
	int fd = open_for(SIGUSR1, 0, SFD_NONBLOCK | SFD_CLOEXEC);
	unsigned long long bits = 1ull << (SIGUSR1 - 1);

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &bits, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -1, 16, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &bits, 8, 1), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -2, &bits, 8, 0), EBADF);
	CHECK_ERR(syscall(SYS_signalfd4, 0, &bits, 8, 0), EINVAL);
	CHECK_ERR(read(fd, &info, 127), EINVAL);
	CHECK_ERR(write(fd, &info, 128), EINVAL);
	bits |= 1ull << (SIGKILL - 1);
	CHECK(syscall(SYS_signalfd, -1, &bits, 8) > fd);
}

BEYOND_TEST(failed_read, 5, "a read whose memory is bad takes no signal",
	    "its read takes the signal before it copies")
{
	int fd = open_for(SIGUSR1, 0, SFD_NONBLOCK);

	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_ERR(read(fd, (void *)16, 128), EFAULT);
	read_one(fd);
}
