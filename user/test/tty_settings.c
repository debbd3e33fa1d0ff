/*
 * Settings of terminals that stty and other programs change and look at, and the ioctls beside
 * them.
 */
#include "test.h"
#include <termios.h>

#define TIOCGEXCL_ 0x80045440
#define OLCUC_	   02

static int master, slave;
static char name[32], text[64];
static struct termios first;

static void open_both(void)
{
	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(master >= 0);
	CHECK_EQ(grantpt(master) | unlockpt(master), 0);
	CHECK_EQ(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(slave >= 0);
	CHECK_EQ(tcgetattr(slave, &first), 0);
}

static void set(const struct termios *settings)
{
	CHECK_EQ(tcsetattr(slave, TCSANOW, settings), 0);
}

/* Type keys. Returns what is echoed. On Linux another task brings them to the terminal. */
static const char *echo_of(const char *keys)
{
	int n;

	CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys));
	test_sleep_ms(50);
	n = read(master, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static int typed(void)
{
	int n;

	CHECK_EQ(ioctl(slave, FIONREAD, &n), 0);
	return n;
}

TEST(kept_bits, 10, "bits without any effect stay as they were set, so that stty is content")
{
	static const unsigned int out[] = {
		NL1, CR1, CR3, TAB1, TAB2, BS1, VT1, FF1, OFILL, OFDEL
	};
	struct termios changed, now;

	open_both();
	CHECK_EQ(first.c_cc[VDISCARD], 'O' - 64);
	for (unsigned int i = 0; i < sizeof(out) / sizeof(*out); i++) {
		changed = first;
		changed.c_oflag |= out[i];
		set(&changed);
		CHECK_EQ(tcgetattr(slave, &now), 0);
		CHECK_EQ(now.c_oflag, changed.c_oflag);
	}
	changed = first;
	changed.c_iflag |= IXOFF;
	changed.c_lflag |= XCASE | FLUSHO | PENDIN;
	changed.c_cflag = CS5 | PARENB | HUPCL;
	set(&changed);
	CHECK_EQ(tcgetattr(slave, &now), 0);
	CHECK_EQ(now.c_iflag, changed.c_iflag);
	CHECK_EQ(now.c_lflag, changed.c_lflag);
	CHECK_EQ(now.c_cflag,
		 CS8 | CREAD | HUPCL); /* there is no line whose bytes have fewer bits */
}

TEST(ends_of_file, 10, "FIONREAD does not count an end of file")
{
	open_both();
	echo_of("a\4");
	CHECK_EQ(typed(), 1);
	CHECK_EQ(read(slave, text, 10), 1);
	echo_of("\4");
	CHECK_EQ(typed(), 0);
	CHECK_EQ(poll_now(slave, POLLIN), POLLIN);
	CHECK_EQ(read(slave, text, 10), 0);
	echo_of("q\4w\n");
	CHECK_EQ(typed(), 3);
}

TEST(echo_of_control, 10,
     "a newline that ends no line is echoed as ^J; without echo, ^R and ^U show nothing")
{
	struct termios changed;

	open_both();
	changed = first;
	changed.c_lflag &= ~ICANON;
	set(&changed);
	CHECK(!strcmp(echo_of("a\n\t\1"), "a^J\t^A"));
	changed.c_lflag &= ~ECHOCTL;
	set(&changed);
	CHECK(!strcmp(echo_of("a\n"), "a\r\n"));
	CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
	changed = first;
	changed.c_lflag = (first.c_lflag & ~ECHO) | ECHONL;
	set(&changed);
	CHECK(!strcmp(echo_of("foo\25bar"), ""));
	CHECK(!strcmp(echo_of("\22\n"), "\r\n"));
	CHECK_EQ(read(slave, text, sizeof(text)), 5);
	CHECK(!memcmp(text, "bar\22\n", 5));
	set(&first);
	CHECK(!strcmp(echo_of("ab\22c\n"), "ab^R\r\nabc\r\n"));
	CHECK_EQ(read(slave, text, sizeof(text)), 4);
}

TEST(typing, 10, "TIOCSTI types a byte, into one's own terminal or as root; the discipline is 0")
{
	int number = 0;
	pid_t child;

	open_both();
	CHECK_EQ(ioctl(slave, TIOCSTI, "x") | ioctl(slave, TIOCSTI, "\n"), 0);
	test_sleep_ms(50);
	CHECK_EQ(read(slave, text, sizeof(text)), 2);
	CHECK(!memcmp(text, "x\n", 2));
	CHECK_EQ(read(master, text, sizeof(text)), 3);
	CHECK_ERR(ioctl(slave, TIOCSTI, 8), EFAULT);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(ioctl(slave, TIOCSTI, "x"), EPERM);
		CHECK(setsid() > 0);
		CHECK_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
		CHECK_EQ(ioctl(slave, TIOCSTI, "x"), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(ioctl(slave, TIOCGETD, &number), 0);
	CHECK_EQ(number, 0);
	CHECK_EQ(ioctl(slave, TIOCSETD, &number), 0);
	number = 29;
	CHECK_ERR(ioctl(slave, TIOCSETD, &number), EINVAL);
}

TEST(exclusive, 10, "TIOCEXCL: only root opens the terminal anew")
{
	int number = 5;
	pid_t child;

	open_both();
	CHECK_EQ(chmod(name, 0666), 0);
	CHECK_EQ(ioctl(slave, TIOCGEXCL_, &number), 0);
	CHECK_EQ(number, 0);
	CHECK_EQ(ioctl(slave, TIOCEXCL), 0);
	CHECK_EQ(ioctl(slave, TIOCGEXCL_, &number), 0);
	CHECK_EQ(number, 1);
	close(open(name, O_RDWR | O_NOCTTY));
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EBUSY);
		CHECK_EQ(ioctl(slave, TIOCNXCL), 0);
		CHECK(open(name, O_RDWR | O_NOCTTY) >= 0);
		CHECK_EQ(ioctl(slave, TIOCEXCL), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(close(slave), 0); /* the other end keeps it */
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EBUSY);
}
