/*
 * Reads of a terminal that ask for more bytes than there are (VMIN): those that have come are the
 * reader's, whatever ends the read.
 */
#include "test.h"
#include <termios.h>

static int master, slave;
static char bytes[32];

static void open_raw(int min, int time)
{
	struct termios settings;
	char name[32];

	master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK_EQ(grantpt(master) | unlockpt(master), 0);
	CHECK_EQ(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK_EQ(tcgetattr(slave, &settings), 0);
	cfmakeraw(&settings);
	settings.c_cc[VMIN] = min;
	settings.c_cc[VTIME] = time;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &settings), 0);
}

/* Returns how many typed bytes nobody has taken yet. */
static int left(void)
{
	int n;

	CHECK_EQ(ioctl(slave, FIONREAD, &n), 0);
	return n;
}

static void nothing(int signo)
{
}

/* Start a child that must read `n` bytes, or -1 for an error, where VMIN asks for five. */
static pid_t start_reader(int n)
{
	struct sigaction action = { .sa_handler = nothing };
	pid_t child = fork();

	if (child)
		return child;
	close(master);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(read(slave, bytes, sizeof(bytes)), n);
	CHECK(n < 0 || !memcmp(bytes, "abcdefgh", n));
	_exit(0);
}

/* Type, and wait until the reader has taken it. */
static void type(const char *keys)
{
	CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys));
	test_sleep_ms(50); /* on Linux, bytes that another task brings to the reader do not count */
	for (int i = 0; i < 500 && left() > 0; i++)
		test_sleep_ms(10);
	CHECK_EQ(left(), 0);
}

TEST(ended_by_a_hang_up, 20,
     "a reader that VMIN makes wait keeps its bytes when its terminal is taken away")
{
	pid_t child;

	open_raw(5, 0);
	child = start_reader(3);
	type("abc");
	CHECK_EQ(ioctl(slave, TIOCVHANGUP, 0), 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(ended_by_a_signal, 20, "and when it gets a signal, or the other end is closed")
{
	pid_t child;

	open_raw(5, 0);
	child = start_reader(2);
	type("a");
	type("b");
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
	child = start_reader(3);
	type("abc");
	CHECK_EQ(close(master), 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(read(slave, bytes, 1), 0);
}

TEST(enough, 20,
     "a read ends when VMIN bytes have come, also one after the other, or the buffer is full")
{
	pid_t child;

	open_raw(5, 0);
	child = start_reader(5);
	type("ab");
	type("c");
	type("de");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(write(master, "abcdefgh", 8), 8);
	child = start_reader(8);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(write(master, "abcdefgh", 8), 8);
	CHECK_EQ(read(slave, bytes, 2), 2);
	CHECK_EQ(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(read(slave, bytes, sizeof(bytes)), 6);
	CHECK_EQ(write(master, "ab", 2), 2);
	CHECK_EQ(read(slave, bytes, sizeof(bytes)), 2);
	CHECK_ERR(read(slave, bytes, sizeof(bytes)), EAGAIN);
}

TEST(time_between_bytes, 20, "with VTIME, a read ends when no further byte comes in time")
{
	long long start;

	open_raw(5, 2);
	CHECK_EQ(write(master, "abc", 3), 3);
	start = test_ms();
	CHECK_EQ(read(slave, bytes, sizeof(bytes)), 3);
	CHECK(test_ms() - start >= 150);
	CHECK_EQ(write(master, "abcdef", 6), 6);
	CHECK_EQ(read(slave, bytes, sizeof(bytes)), 6);
}
