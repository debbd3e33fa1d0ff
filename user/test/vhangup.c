/*
 * vhangup and TIOCVHANGUP: a terminal is taken away from the files that are open on it, and can be
 * opened anew.
 */
#include "test.h"
#include <termios.h>

static int master, slave;
static char slave_name[32];

static void open_master(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK_EQ(grantpt(master) | unlockpt(master), 0);
	CHECK_EQ(ptsname_r(master, slave_name, sizeof(slave_name)), 0);
}

static void open_both(void)
{
	open_master();
	slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
}

/* Nothing can be done with the file any more. */
static void is_hung_up(int fd)
{
	struct termios settings;
	char c = 'x';
	int n;

	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_EQ(read(fd, &c, 0), 0);
	CHECK_ERR(write(fd, &c, 1), EIO);
	CHECK_ERR(write(fd, &c, 0), EIO);
	CHECK_EQ(poll_now(fd, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_ERR(tcgetattr(fd, &settings), EIO);
	CHECK_ERR(ioctl(fd, FIONREAD, &n), EIO);
	CHECK_ERR(ioctl(fd, TIOCSCTTY, 0), EIO);
	CHECK_ERR(ioctl(fd, TIOCVHANGUP, 0), EIO);
	CHECK_ERR(tcsetpgrp(fd, getpid()), ENOTTY);
	CHECK(fcntl(fd, F_GETFL) >= 0);
}

TEST(taken_away, 10, "TIOCVHANGUP ends the files that are open, and a new one starts afresh")
{
	struct termios first, changed, settings;
	char text[32];
	int again;

	open_both();
	CHECK_EQ(tcgetattr(slave, &first), 0);
	changed = first;
	changed.c_lflag &= ~(ICANON | ECHO);
	changed.c_cc[VINTR] = 7;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &changed), 0);
	CHECK_EQ(write(slave, "old output", 10), 10); /* stays */
	CHECK_EQ(write(master, "old input", 9), 9);
	CHECK_EQ(ioctl(slave, TIOCVHANGUP, 0), 0);
	is_hung_up(slave);
	again = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(again >= 0);
	CHECK_EQ(tcgetattr(again, &settings), 0);
	CHECK_EQ(settings.c_lflag, first.c_lflag);
	CHECK_EQ(settings.c_cc[VINTR], first.c_cc[VINTR]);
	CHECK_EQ(poll_now(again, POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(again, "new output", 10), 10);
	CHECK_EQ(read_full(master, text, 20), 20);
	CHECK(!memcmp(text, "old outputnew output", 20));
	CHECK_EQ(write(master, "new input\n", 10), 10);
	CHECK_EQ(read(again, text, sizeof(text)), 10);
	CHECK(!memcmp(text, "new input\n", 10));
	is_hung_up(slave);
	CHECK_EQ(ioctl(again, TIOCVHANGUP, 0), 0);
	is_hung_up(again);
}

static void is_stopped_reading(void)
{
	char c;

	CHECK_EQ(read(slave, &c, 1), 0);
	is_hung_up(slave);
}

static void is_stopped_polling(void)
{
	struct pollfd p = { slave, POLLIN, 0 };

	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN | POLLERR | POLLHUP);
}

static void is_stopped_writing(void)
{
	static char much[100000];
	ssize_t n = write(slave, much, sizeof(much));

	CHECK(n > 0 && n < (ssize_t)sizeof(much));
	is_hung_up(slave);
}

TEST(sleepers, 20, "who waits for input, for room or in poll is woken")
{
	static void (*const sleep_in[])(void) = { is_stopped_reading, is_stopped_polling,
						  is_stopped_writing };

	for (int i = 0; i < 3; i++) {
		pid_t child;

		open_both();
		child = fork();
		if (child == 0) {
			sleep_in[i]();
			_exit(0);
		}
		test_sleep_ms(100);
		CHECK_EQ(ioctl(slave, TIOCVHANGUP, 0), 0);
		CHECK_EQ(test_wait(child), 0);
		close(slave);
		close(master);
	}
}

static volatile int hangups, continues;

static void count(int signo)
{
	if (signo == SIGHUP)
		hangups++;
	else
		continues++;
}

/* The leader of a session. Its child is in the foreground, and ends by a signal. */
static void lead(void)
{
	pid_t child;
	int terminal, ends[2];
	char c;

	CHECK(setsid() > 0);
	slave = open(slave_name, O_RDWR); /* becomes the controlling terminal */
	terminal = open("/dev/tty", O_RDWR);
	CHECK(slave >= 0 && terminal >= 0);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		signal(SIGTTOU, SIG_IGN);
		CHECK_EQ(setpgid(0, 0), 0);
		CHECK_EQ(tcsetpgrp(slave, getpid()), 0);
		close(ends[0]);
		close(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	CHECK_EQ(read(ends[0], &c, 1), 0); /* the child is in the foreground */
	signal(SIGHUP, count);
	signal(SIGCONT, count);
	CHECK_EQ(syscall(SYS_vhangup), 0);
	CHECK(hangups == 1 && continues == 1);
	is_hung_up(slave);
	is_hung_up(terminal);
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_EQ(syscall(SYS_vhangup), 0); /* there is no terminal: nothing happens */
	CHECK(hangups == 1 && continues == 1);
	CHECK_EQ(kill(child, 0), 0);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	/* The foreground group hears of it when the leader exits. */
}

TEST(session, 20, "the leader gets SIGHUP and SIGCONT, and the session has no terminal any more")
{
	pid_t child;

	open_master();
	child = fork();
	if (child == 0) {
		lead();
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
}

TEST(privileges, 10, "vhangup needs CAP_SYS_TTY_CONFIG, and TIOCVHANGUP CAP_SYS_ADMIN")
{
	pid_t child;

	open_both();
	child = fork();
	if (child == 0) {
		CHECK_EQ(setgid(65534) | setuid(65534), 0);
		CHECK_ERR(syscall(SYS_vhangup), EPERM);
		CHECK_ERR(ioctl(slave, TIOCVHANGUP, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_ERR(ioctl(open("/dev/null", O_RDWR), TIOCVHANGUP, 0), ENOTTY);
}

TEST(master, 10,
     "TIOCVHANGUP of a pseudo-terminal's other end takes that away, and the terminal stays")
{
	struct termios settings;
	pid_t child;
	char c;

	open_both();
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(65534), 0);
		CHECK_ERR(ioctl(master, TIOCVHANGUP, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(read(master, &c, 1), 0); /* it waits when that happens */
		_exit(0);
	}
	test_sleep_ms(100);
	CHECK_EQ(ioctl(master, TIOCVHANGUP, 0), 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(read(master, &c, 1), 0);
	CHECK_ERR(write(master, "x", 1), EIO);
	CHECK_ERR(tcgetattr(master, &settings), EIO);
	CHECK_ERR(ioctl(master, TIOCVHANGUP, 0), EIO);
	CHECK_ERR(tcsetpgrp(master, getpid()), ENOTTY);
	CHECK_EQ(poll_now(master, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
	CHECK_EQ(tcgetattr(slave, &settings), 0);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_EQ(close(master), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
}
