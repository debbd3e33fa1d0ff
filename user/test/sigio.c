/*
 * Signals of files: F_SETOWN, F_SETSIG, O_ASYNC.
 */
#include "user/test/test.h"

#include <pthread.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#define OWNER_TID      0
#define OWNER_PID      1
#define OWNER_PGRP     2
#define SET_OWNER_EX   15
#define GET_OWNER_EX   16
#define SET_OWNER_SOCK 0x8901
#define GET_OWNER_SOCK 0x8903

struct owner {
	int type, pid;
};

static volatile int hits, last_code, last_fd, last_band, last_signal;

static void keep(int signo, siginfo_t *info, void *context)
{
	last_signal = signo;
	last_code = info->si_code;
	last_fd = info->si_fd;
	last_band = info->si_band;
	hits++;
}

static void handle(int signo)
{
	struct sigaction action = { .sa_sigaction = keep, .sa_flags = SA_SIGINFO | SA_RESTART };

	CHECK_EQ(sigaction(signo, &action, NULL), 0);
}

/* Signals of terminals may come a little later than the event. */
static void until_hit(int nr)
{
	for (int i = 0; i < 500 && hits < nr; i++)
		test_sleep_ms(1);
	CHECK_EQ(hits, nr);
}

static void make_async(int fd)
{
	CHECK_EQ(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC), 0);
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
}

TEST(owners, 5, "the owner of a file is a process, a group or a thread that exists")
{
	int ends[2], file = open("/tmp/sigio-file", O_RDWR | O_CREAT, 0600), status;
	struct owner owner = { 9, 9 };

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
	CHECK_EQ(fcntl(ends[0], GET_OWNER_EX, &owner), 0);
	CHECK(owner.type == OWNER_TID && owner.pid == 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
	CHECK_EQ(fcntl(ends[0], GET_OWNER_EX, &owner), 0);
	CHECK(owner.type == OWNER_PID && owner.pid == getpid());
	CHECK_EQ(fcntl(ends[0], F_SETOWN, -getpgrp()), 0);
	CHECK_EQ(fcntl(ends[0], GET_OWNER_EX, &owner), 0);
	CHECK(owner.type == OWNER_PGRP && owner.pid == getpgrp());
	owner = (struct owner){ OWNER_TID, syscall(SYS_gettid) };
	CHECK_EQ(fcntl(ends[0], SET_OWNER_EX, &owner), 0);
	owner = (struct owner){ 9, 9 };
	CHECK_EQ(fcntl(ends[0], GET_OWNER_EX, &owner), 0);
	CHECK(owner.type == OWNER_TID && owner.pid == syscall(SYS_gettid));
	CHECK_ERR(fcntl(ends[0], F_SETOWN, 4000000), ESRCH);
	CHECK_ERR(syscall(SYS_fcntl64, ends[0], F_SETOWN, 0x80000000), EINVAL);
	owner = (struct owner){ 3, getpid() };
	CHECK_ERR(fcntl(ends[0], SET_OWNER_EX, &owner), EINVAL);
	CHECK_ERR(fcntl(ends[0], SET_OWNER_EX, (void *)8), EFAULT);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
	/* Every file has one, but not every file sends signals. */
	CHECK_EQ(fcntl(file, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(file, F_GETOWN), getpid());
	CHECK_ERR(fcntl(file, F_SETSIG, 65), EINVAL);
	CHECK_EQ(fcntl(file, F_SETSIG, 40), 0);
	CHECK_EQ(fcntl(file, F_GETSIG), 40);
	CHECK_EQ(unlink("/tmp/sigio-file"), 0);
	/* An owner that has been reaped is nobody. */
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, child), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, 0), 0);
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
}

TEST(pipe_tells_reader, 5, "the owner of a pipe's read end learns of bytes and of the last close")
{
	int ends[2];
	char byte;

	handle(SIGIO);
	CHECK_EQ(pipe(ends), 0);
	make_async(ends[0]);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 0); /* there is no owner */
	CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 1);
	CHECK_EQ(last_code, SI_KERNEL);
	CHECK_EQ(fcntl(ends[0], F_SETSIG, SIGIO), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 2);
	CHECK_EQ(last_code, POLL_IN);
	CHECK_EQ(last_fd, ends[0]);
	CHECK_EQ(last_band, POLLIN | POLLRDNORM);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(hits, 2);
	CHECK_EQ(close(ends[1]), 0);
	CHECK_EQ(hits, 3);
}

TEST(pipe_tells_writer, 5, "the owner of a full pipe's write end learns of room")
{
	static char page[65536];
	int ends[2];

	handle(SIGIO);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[1], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(ends[1], F_SETSIG, SIGIO), 0);
	make_async(ends[1]);
	CHECK_EQ(write(ends[1], page, sizeof(page)), sizeof(page));
	CHECK_EQ(hits, 0);
	CHECK_EQ(read(ends[0], page, 4096), 4096);
	CHECK_EQ(hits, 1);
	CHECK_EQ(last_code, POLL_OUT);
	CHECK_EQ(last_fd, ends[1]);
	CHECK_EQ(last_band, POLLOUT | POLLWRNORM | POLLWRBAND);
}

TEST(async_ends, 5, "without O_ASYNC, or after the last close, nothing is sent")
{
	int ends[2], copy, on = 0;

	handle(SIGIO);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
	make_async(ends[0]);
	copy = dup(ends[0]);
	CHECK_EQ(close(ends[0]), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 1);
	CHECK_EQ(ioctl(copy, FIOASYNC, &on), 0);
	CHECK(!(fcntl(copy, F_GETFL) & O_ASYNC));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 1);
	on = 1;
	CHECK_EQ(ioctl(copy, FIOASYNC, &on), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(hits, 2);
	CHECK_EQ(close(copy), 0);
	CHECK_ERR(ioctl(ends[1], FIOASYNC, (void *)8), EFAULT);
	copy = open("/etc/passwd", O_RDONLY);
	CHECK_ERR(ioctl(copy, FIOASYNC, &on), ENOTTY);
}

TEST(real_time_signals, 5,
     "F_SETSIG with a real-time signal queues one for each event; SIGIO if it cannot")
{
	sigset_t set;
	int ends[2], signo = SIGRTMIN + 3;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigaddset(&set, SIGIO);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(ends[0], F_SETSIG, signo), 0);
	make_async(ends[0]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), signo);
		CHECK(info.si_code == POLL_IN && info.si_fd == ends[0]);
	}
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 0, 1000 }), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGIO);
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){ 1000, 1000 }), 0);
	/* Signals whose codes mean something else have a code of their own. */
	CHECK_EQ(fcntl(ends[0], F_SETSIG, SIGCHLD), 0);
	sigaddset(&set, SIGCHLD);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	CHECK(info.si_code == -5 && info.si_fd == ends[0]);
}

static volatile pid_t thread_hit;

static void note_thread(int signo)
{
	thread_hit = syscall(SYS_gettid);
}

static volatile pid_t other_thread;

static void *be_there(void *arg)
{
	other_thread = syscall(SYS_gettid);
	while (!thread_hit)
		pause();
	return NULL;
}

TEST(one_thread, 5, "F_OWNER_TID sends to one thread")
{
	struct owner owner = { OWNER_TID, 0 };
	pthread_t thread;
	int ends[2];

	signal(SIGIO, note_thread);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pthread_create(&thread, NULL, be_there, NULL), 0);
	while (!other_thread)
		usleep(1000);
	owner.pid = other_thread;
	CHECK_EQ(fcntl(ends[0], SET_OWNER_EX, &owner), 0);
	make_async(ends[0]);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	while (!thread_hit)
		usleep(1000);
	CHECK_EQ(thread_hit, other_thread);
}

TEST(group_owner, 10,
     "a group as owner: each of its processes gets the signal, if the user may send it")
{
	int ends[2], ready[2], status;
	pid_t child[2];
	char byte;

	signal(SIGIO, SIG_IGN);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(ready), 0);
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (child[i] == 0) {
			signal(SIGIO, SIG_DFL);
			CHECK_EQ(setpgid(0, i ? child[0] : 0), 0);
			CHECK(i == 0 || setuid(1000) == 0);
			CHECK_EQ(write(ready[1], "r", 1), 1);
			for (;;)
				pause();
		}
		CHECK_EQ(read(ready[0], &byte, 1), 1);
	}
	pid_t user = fork();

	if (user == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(fcntl(ends[0], F_SETOWN, -child[0]), 0);
		make_async(ends[0]);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(waitpid(user, &status, 0), user);
	CHECK_EQ(status, 0);
	CHECK_EQ(waitpid(child[1], &status, 0), child[1]);
	CHECK_EQ(status, SIGIO);
	CHECK_EQ(waitpid(child[0], &status, WNOHANG), 0);
	CHECK_EQ(fcntl(ends[0], F_SETOWN, -child[0]), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(waitpid(child[0], &status, 0), child[0]);
	CHECK_EQ(status, SIGIO);
}

TEST(sockets, 5, "the owner of a socket learns of bytes, packets and connections")
{
	int ends[2], owner = getpid(), got = 0;

	handle(SIGIO);
	for (int i = 0; i < 2; i++) {
		hits = 0;
		CHECK_EQ(socketpair(AF_UNIX, i ? SOCK_DGRAM : SOCK_STREAM, 0, ends), 0);
		CHECK_EQ(ioctl(ends[0], SET_OWNER_SOCK, &owner), 0);
		CHECK_EQ(ioctl(ends[0], GET_OWNER_SOCK, &got), 0);
		CHECK_EQ(got, owner);
		CHECK_EQ(fcntl(ends[0], F_SETSIG, SIGIO), 0);
		make_async(ends[0]);
		CHECK_EQ(write(ends[1], "hello", 5), 5);
		CHECK_EQ(hits, 1);
		CHECK_EQ(last_code, POLL_IN);
		CHECK_EQ(last_fd, ends[0]);
	}
	CHECK_ERR(ioctl(open("/etc/passwd", O_RDONLY), SET_OWNER_SOCK, &owner), ENOTTY);
}

TEST(terminals, 10, "both sides of a pseudo-terminal tell of bytes")
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave, zero = 0, number;
	struct termios raw;
	char name[32];

	handle(SIGIO);
	CHECK_EQ(ioctl(master, TIOCSPTLCK, &zero), 0);
	CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK_EQ(tcgetattr(slave, &raw), 0);
	raw.c_lflag &= ~(ICANON | ECHO);
	CHECK_EQ(tcsetattr(slave, TCSANOW, &raw), 0);
	CHECK_EQ(fcntl(slave, F_SETOWN, getpid()), 0);
	CHECK_EQ(fcntl(slave, F_SETSIG, SIGIO), 0);
	make_async(slave);
	hits = 0;
	CHECK_EQ(write(master, "a", 1), 1);
	until_hit(1);
	CHECK_EQ(last_code, POLL_IN);
	CHECK_EQ(last_fd, slave);
}

TEST(watches, 5, "an inotify tells of an event")
{
	int in = inotify_init1(0);

	handle(SIGIO);
	CHECK_EQ(mkdir("/tmp/sigio-dir", 0700), 0);
	CHECK(inotify_add_watch(in, "/tmp/sigio-dir", IN_CREATE) > 0);
	CHECK_EQ(fcntl(in, F_SETOWN, getpid()), 0);
	make_async(in);
	CHECK_EQ(mkdir("/tmp/sigio-dir/x", 0700), 0);
	CHECK_EQ(hits, 1);
	CHECK_EQ(rmdir("/tmp/sigio-dir/x"), 0);
	CHECK_EQ(rmdir("/tmp/sigio-dir"), 0);
}
