/*
 * Terminals: settings, sessions and job control, on the first serial port. Nobody types there: what
 * typing does is tested on the host (tests/unit/test_ldisc.c).
 */
#include "test.h"
#include <termios.h>

#define PORT "/dev/ttyS0"

static struct termios raw_termios(int min, int time)
{
	struct termios t;

	memset(&t, 0, sizeof(t));
	t.c_cflag = CS8 | CREAD | CLOCAL | B115200;
	t.c_cc[VMIN] = min;
	t.c_cc[VTIME] = time;
	return t;
}

/* Without waiting for a carrier. */
static int open_port(int flags)
{
	int fd = open(PORT, O_RDWR | O_NONBLOCK | flags);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	return fd;
}

/* Runs the function in the leader of a new session; the case fails if it does. */
static void in_new_session(void (*function)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK_EQ(setsid(), getpid());
		function();
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

/* A child in a process group of its own, which waits until it is to go on. */
static pid_t background(void (*function)(int fd), int fd)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		setpgid(0, 0);
		function(fd);
		_exit(0);
	}
	setpgid(pid, pid);
	return pid;
}

static void check_stopped_by(pid_t pid, int sig)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

TEST(settings, 10, "settings are kept, and nothing else is a terminal")
{
	int fd = open_port(O_NOCTTY), ends[2];
	struct termios before, raw = raw_termios(3, 2), now;
	unsigned int unread = 77;

	CHECK_EQ(tcgetattr(fd, &before), 0);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &raw), 0);
	CHECK_EQ(tcgetattr(fd, &now), 0);
	CHECK_EQ(now.c_lflag & (ICANON | ECHO | ISIG), 0);
	CHECK_EQ(now.c_oflag & OPOST, 0);
	CHECK_EQ(now.c_cc[VMIN], 3);
	CHECK_EQ(now.c_cc[VTIME], 2);
	CHECK_EQ(tcsetattr(fd, TCSAFLUSH, &before), 0);
	CHECK_EQ(tcgetattr(fd, &now), 0);
	CHECK_EQ(now.c_lflag, before.c_lflag);
	CHECK_EQ(now.c_cc[VINTR], before.c_cc[VINTR]);

	CHECK_EQ(ioctl(fd, FIONREAD, &unread), 0);
	CHECK_EQ(unread, 0);
	CHECK_ERR(ioctl(fd, 0x54ff, 0), ENOTTY);
	CHECK_ERR(ioctl(fd, TCGETS, 1), EFAULT);
	CHECK_ERR(ioctl(fd, TCSETS, 1), EFAULT);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(tcgetattr(ends[0], &now), ENOTTY);
}

TEST(read_times, 10, "VMIN, VTIME, O_NONBLOCK and poll while nobody types")
{
	int fd = open_port(O_NOCTTY);
	struct termios before, raw;
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	long long start;
	char c;

	CHECK_EQ(tcgetattr(fd, &before), 0);
	raw = raw_termios(0, 0);
	CHECK_EQ(tcsetattr(fd, TCSAFLUSH, &raw), 0);
	CHECK_EQ(read(fd, &c, 1), 0);
	raw = raw_termios(0, 3);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &raw), 0);
	start = test_ms();
	CHECK_EQ(read(fd, &c, 1), 0);
	/* Linux counts in ticks. On a busy host these come late, and many at once. */
	CHECK(test_ms() - start >= 280 || access("/proc/gate", F_OK) != 0);
	raw = raw_termios(1, 0);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &raw), 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(fd, &c, 1), EAGAIN);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &before), 0);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(read_interrupted, 10, "a signal ends a read that waits")
{
	int fd = open_port(O_NOCTTY);
	struct sigaction action = { .sa_handler = nothing };
	char c;

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	alarm(1);
	CHECK_ERR(read(fd, &c, 1), EINTR);
}

static void acquire(void)
{
	int fd, current;
	pid_t group;

	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	fd = open_port(O_NOCTTY);
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_ERR(tcgetpgrp(fd), ENOTTY);
	CHECK_EQ(ioctl(fd, TIOCSCTTY, 0), 0);
	CHECK_EQ(ioctl(fd, TIOCSCTTY, 0), 0);
	current = open("/dev/tty", O_RDWR);
	CHECK(current >= 0);
	CHECK_EQ(tcgetpgrp(current), getpid());
	CHECK_EQ(ioctl(current, TIOCGSID, &group), 0);
	CHECK_EQ(group, getpid());
}

TEST(controlling, 10, "a session leader gets its controlling terminal")
{
	in_new_session(acquire);
}

static void by_open(void)
{
	int fd = open_port(0);

	CHECK_EQ(tcgetpgrp(fd), getpid());
	if (fork() == 0) {
		CHECK_EQ(tcgetpgrp(fd), getppid()); /* children have it too */
		CHECK(open("/dev/tty", O_RDWR) >= 0);
		CHECK(setsid() > 0);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERR(ioctl(fd, TIOCSCTTY, 0), EPERM); /* another session's */
		CHECK_ERR(tcgetpgrp(fd), ENOTTY);
		_exit(0);
	}
	int status;
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

TEST(controlling_by_open, 10, "opening a free terminal makes it a session leader's own")
{
	in_new_session(by_open);
}

static void sleep_on(int fd)
{
	(void)fd;
	pause();
}

static void groups(void)
{
	int fd = open_port(0);
	pid_t child = background(sleep_on, fd);

	CHECK_ERR(tcsetpgrp(fd, getppid()), EPERM); /* the case's own group, in another session */
	CHECK_ERR(tcsetpgrp(fd, 32000), ESRCH);
	CHECK_ERR(tcsetpgrp(fd, -1), EINVAL);
	CHECK_EQ(tcsetpgrp(fd, child), 0);
	CHECK_EQ(tcgetpgrp(fd), child);
	signal(SIGTTOU, SIG_IGN);
	CHECK_EQ(tcsetpgrp(fd, getpid()), 0);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(foreground_group, 10, "the foreground group is one of the session's")
{
	in_new_session(groups);
}

static void read_one(int fd)
{
	char c;

	(void)!read(fd, &c, 1);
}

static void read_ignoring(int fd)
{
	char c;

	signal(SIGTTIN, SIG_IGN);
	CHECK_ERR(read(fd, &c, 1), EIO);
}

static void read_blocking(int fd)
{
	sigset_t set;
	char c;

	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CHECK_ERR(read(fd, &c, 1), EIO);
}

static void background_reads(void)
{
	int fd = open_port(0);

	check_stopped_by(background(read_one, fd), SIGTTIN);
	CHECK_EQ(test_wait(background(read_ignoring, fd)), 0);
	CHECK_EQ(test_wait(background(read_blocking, fd)), 0);
}

TEST(background_read, 10, "who reads in the background is stopped; EIO if that cannot be")
{
	in_new_session(background_reads);
}

static void write_one(int fd)
{
	CHECK_EQ(write(fd, "\r", 1), 1);
}

static void write_ignoring(int fd)
{
	signal(SIGTTOU, SIG_IGN);
	CHECK_EQ(write(fd, "\r", 1), 1);
}

static void change(int fd)
{
	struct termios t;

	CHECK_EQ(tcgetattr(fd, &t), 0);
	tcsetattr(fd, TCSANOW, &t);
}

static void background_writes(void)
{
	int fd = open_port(0);
	struct termios before, t;

	CHECK_EQ(test_wait(background(write_one, fd)), 0);
	check_stopped_by(background(change, fd), SIGTTOU);
	CHECK_EQ(tcgetattr(fd, &before), 0);
	t = before;
	t.c_lflag |= TOSTOP;
	CHECK_EQ(tcsetattr(fd, TCSANOW, &t), 0);
	check_stopped_by(background(write_one, fd), SIGTTOU);
	CHECK_EQ(test_wait(background(write_ignoring, fd)), 0);
	CHECK_EQ(tcsetattr(fd, TCSANOW, &before), 0);
}

TEST(background_write, 10, "TOSTOP stops who writes in the background; changes always do")
{
	in_new_session(background_writes);
}

static int report[2];

static void say_signal(int sig)
{
	char c = sig;

	(void)!write(report[1], &c, 1);
}

static void wait_for_hangup(int fd)
{
	struct sigaction action = { .sa_handler = say_signal };

	(void)fd;
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
	(void)!write(report[1], "r", 1);
	while (open("/dev/tty", O_RDWR) >= 0 || errno != ENXIO)
		test_sleep_ms(20);
	(void)!write(report[1], "x", 1);
}

static void leave(void)
{
	int fd = open_port(0);
	pid_t child = background(wait_for_hangup, fd);
	char c;

	signal(SIGTTOU, SIG_IGN);
	CHECK_EQ(tcsetpgrp(fd, child), 0);
	CHECK_EQ(read(report[0], &c, 1), 1); /* it is ready */
}

TEST(hangup, 10,
     "a leader's end sends SIGHUP and SIGCONT to the foreground, and frees the terminal")
{
	bool hup = false;
	char c = 0;

	CHECK_EQ(pipe(report), 0);
	in_new_session(leave);
	while (c != 'x') {
		CHECK_EQ(read(report[0], &c, 1), 1);
		hup |= c == SIGHUP;
	}
	CHECK(hup);
	in_new_session(by_open); /* it is free again */
}

static void resize(void)
{
	int fd = open_port(0);
	struct sigaction action = { .sa_handler = say_signal };
	struct winsize before, window = { 33, 99, 0, 0 }, now;
	struct pollfd p = { report[0], POLLIN, 0 };
	char c;

	CHECK_EQ(pipe(report), 0);
	p.fd = report[0];
	CHECK_EQ(ioctl(fd, TIOCGWINSZ, &before), 0);
	sigaction(SIGWINCH, &action, NULL);
	CHECK_EQ(ioctl(fd, TIOCSWINSZ, &window), 0);
	CHECK_EQ(read(report[0], &c, 1), 1);
	CHECK_EQ(c, SIGWINCH);
	CHECK_EQ(ioctl(fd, TIOCGWINSZ, &now), 0);
	CHECK_EQ(now.ws_row * 1000 + now.ws_col, 33099);
	CHECK_EQ(ioctl(fd, TIOCSWINSZ, &window), 0);
	CHECK_EQ(poll(&p, 1, 0), 0); /* nothing changed */
	CHECK_EQ(ioctl(fd, TIOCSWINSZ, &before), 0);
}

TEST(window, 10, "a new window size is told to the foreground group")
{
	in_new_session(resize);
}

TEST(output, 20, "write, and splice from a pipe")
{
	int fd = open_port(O_NOCTTY), ends[2];

	CHECK_EQ(write(fd, "\r \r", 3), 3);
	CHECK_EQ(write(fd, "", 0), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "\r \r", 3), 3);
	CHECK_EQ(splice(ends[0], NULL, fd, NULL, 100, 0), 3);
	CHECK_EQ(tcdrain(fd), 0);
	CHECK_ERR(write(fd, (void *)1, 5), EFAULT);
}
