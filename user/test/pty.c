/*
 * Pseudo-terminals: both ends, their closing, sessions, and what the line discipline does with what
 * is typed.
 */
#include "test.h"
#include <termios.h>

#define PKT_DATA      0
#define PKT_FLUSHREAD 1
#define PKT_NOSTOP    16

static int master, slave;
static char slave_name[32];

static void open_master(void)
{
	int zero = 0, number;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
	CHECK_EQ(ioctl(master, TIOCSPTLCK, &zero), 0);
	snprintf(slave_name, sizeof(slave_name), "/dev/pts/%d", number);
}

static void open_both(void)
{
	open_master();
	slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
}

static void set_flags(tcflag_t on, tcflag_t off, tcflag_t iflag_on)
{
	struct termios t;

	CHECK_EQ(tcgetattr(slave, &t), 0);
	t.c_lflag = (t.c_lflag | on) & ~off;
	t.c_iflag |= iflag_on;
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
}

static void type(const char *text)
{
	CHECK_EQ(write(master, text, strlen(text)), strlen(text));
}

/* The reader finds exactly this text. */
static void reads(int fd, const char *text)
{
	char buf[512];
	size_t len = strlen(text);

	CHECK(len < sizeof(buf));
	CHECK_EQ(read_full(fd, buf, len), len);
	if (memcmp(buf, text, len))
		test_fail(__FILE__, __LINE__, "\"%.*s\" instead of \"%s\"", (int)len, buf, text);
	CHECK_EQ(poll_now(fd, POLLIN) & POLLIN, 0);
}

TEST(both_ends, 10, "what one end writes the other reads, through the line discipline")
{
	struct pollfd p = { .events = POLLIN };
	struct termios t;
	int n;

	open_both();
	CHECK_EQ(tcgetattr(slave, &t), 0);
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	type("hello\r");
	reads(slave, "hello\n");
	reads(master, "hello\r\n");
	CHECK_EQ(write(slave, "a\nb", 3), 3);
	p.fd = master; /* on Linux the bytes take a moment */
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(ioctl(master, FIONREAD, &n), 0);
	CHECK_EQ(n, 4);
	reads(master, "a\r\nb");
	type("two\nlines\n");
	reads(master, "two\r\nlines\r\n");
	CHECK_EQ(read(slave, &t, sizeof(t)), 4); /* a line at a time */
	CHECK_EQ(read(slave, &t, sizeof(t)), 6);
	type("\004");
	CHECK_EQ(read(slave, &t, sizeof(t)), 0);
	cfmakeraw(&t);
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK_EQ(tcgetattr(slave, &t), 0);
	CHECK_EQ(t.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
	type("\r\003x");
	reads(slave, "\r\003x");
	CHECK_EQ(write(slave, "\n", 1), 1);
	reads(master, "\n");
}

TEST(names, 10, "a name in /dev/pts belongs to each pty, and goes with its master")
{
	struct stat st, named;
	int one = 1, number;

	open_both();
	CHECK_EQ(fstat(slave, &st), 0);
	CHECK_EQ(stat(slave_name, &named), 0);
	CHECK_EQ(st.st_ino, named.st_ino);
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev >> 8, 136);
	CHECK_EQ(chmod(slave_name, 0600), 0);
	CHECK_EQ(stat(slave_name, &named), 0);
	CHECK_EQ(named.st_mode, S_IFCHR | 0600);
	CHECK(isatty(slave) && isatty(master));
	CHECK_EQ(strcmp(ttyname(slave), slave_name), 0);
	CHECK_EQ(ioctl(master, TIOCSPTLCK, &one), 0);
	CHECK_ERR(open(slave_name, O_RDWR | O_NOCTTY), EIO);
	CHECK_ERR(ioctl(slave, TIOCGPTN, &number), ENOTTY);
	close(master);
	CHECK_ERR(stat(slave_name, &st), ENOENT);
	close(slave);
	open_master();
	number = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	CHECK(number >= 0);
	CHECK_EQ(write(number, "x", 1), 1);
	reads(master, "x");
}

TEST(slave_closes, 10,
     "the master reads what is left and then EIO, until the slave is opened again")
{
	struct pollfd p = { .events = POLLIN };
	char c;

	open_master();
	CHECK_EQ(poll_now(master, POLLIN), 0);
	slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK_EQ(write(slave, "last", 4), 4);
	close(slave);
	p.fd = master;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN | POLLHUP);
	CHECK_EQ(read(master, &c, 1), 1);
	CHECK_EQ(read(master, &c, 1), 1);
	CHECK_EQ(read(master, &c, 1), 1);
	CHECK_EQ(read(master, &c, 1), 1);
	CHECK_ERR(read(master, &c, 1), EIO);
	slave = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK_EQ(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(master, &c, 1), EAGAIN);
}

TEST(master_closes, 10, "the slave reads an end of file, and can do nothing else any more")
{
	struct termios t;
	char c;

	open_both();
	type("unread\n");
	close(master);
	CHECK_EQ(read(slave, &c, 1), 0);
	CHECK_ERR(write(slave, "x", 1), EIO);
	CHECK_ERR(tcgetattr(slave, &t), EIO);
	CHECK((poll_now(slave, POLLIN) & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP));
}

static volatile int hangups, windows;

static void count(int signo)
{
	*(signo == SIGHUP ? &hangups : &windows) += 1;
}

TEST(session, 20, "a session on a pty: its terminal, signals of keys, SIGWINCH, SIGHUP at the end")
{
	struct winsize size = { 24, 80, 0, 0 }, got;
	int ready[2], status;
	pid_t child;
	char c;

	open_master();
	CHECK_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		signal(SIGHUP, count);
		signal(SIGWINCH, count);
		signal(SIGINT, SIG_IGN);
		CHECK_EQ(setsid(), getpid());
		slave = open(slave_name, O_RDWR);
		CHECK(slave >= 0);
		close(master);
		CHECK_EQ(tcgetpgrp(slave), getpid());
		CHECK_EQ(tcgetsid(slave), getpid());
		CHECK(open("/dev/tty", O_RDWR) >= 0);
		if (fork() == 0) {
			signal(SIGINT, SIG_DFL);
			CHECK_EQ(write(ready[1], "r", 1), 1);
			for (;;)
				pause();
		}
		CHECK(wait(&status) > 0 || wait(&status) > 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
		CHECK_EQ(write(ready[1], "i", 1), 1);
		while (!windows)
			test_sleep_ms(5);
		CHECK_EQ(ioctl(slave, TIOCGWINSZ, &got), 0);
		CHECK_EQ(got.ws_row, 24);
		CHECK_EQ(write(ready[1], "w", 1), 1);
		while (!hangups)
			test_sleep_ms(5);
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
		_exit(7);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(tcgetpgrp(master), child);
	type("\003");
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(c, 'i');
	CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(c, 'w');
	close(master);
	CHECK_EQ(test_wait(child), 7);
}

TEST(packets, 10, "packet mode says before each read what happened")
{
	int one = 1;
	char buf[16];

	open_both();
	CHECK_EQ(ioctl(master, TIOCPKT, &one), 0);
	CHECK_EQ(write(slave, "data", 4), 4);
	CHECK_EQ(read(master, buf, sizeof(buf)), 5);
	CHECK(!memcmp(buf, "\0data", 5));
	CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
	CHECK_EQ(poll_now(master, POLLIN | POLLPRI), POLLIN | POLLPRI);
	CHECK_EQ(read(master, buf, sizeof(buf)), 1);
	CHECK_EQ(buf[0], PKT_FLUSHREAD);
	CHECK_EQ(write(slave, "x", 1), 1);
	CHECK_EQ(read(master, buf, sizeof(buf)), 2);
	CHECK_EQ(buf[0], PKT_DATA);
}

TEST(editing, 10, "erasing characters, words and lines, ^V and ^R, with and without echo")
{
	open_both();
	type("abx\177c\n");
	reads(slave, "abc\n");
	reads(master, "abx\b \bc\r\n");
	type("one two\027end\n");
	reads(slave, "one end\n");
	reads(master, "one two\b \b\b \b\b \bend\r\n");
	type("xyz\025k\n");
	reads(slave, "k\n");
	reads(master, "xyz\b \b\b \b\b \bk\r\n");
	type("a\026\003b\n");
	reads(slave, "a\003b\n");
	reads(master, "a^\b^Cb\r\n");
	type("ab\022\n");
	reads(slave, "ab\n");
	reads(master, "ab^R\r\nab\r\n");
	set_flags(ECHONL, ECHO, 0);
	type("quiet\n");
	reads(slave, "quiet\n");
	reads(master, "\r\n");
	set_flags(ECHO, ECHOCTL | ECHOE, 0);
	type("a\001\n");
	reads(slave, "a\001\n");
	reads(master, "a\001\r\n");
	set_flags(ECHOCTL | ECHOE, 0, INLCR);
	type("n\n\r");
	reads(master, "n^M\r\n");
	reads(slave, "n\r\n");
}

TEST(sane, 10, "a terminal obeys all that `stty sane` sets, and begins with 38400 baud")
{
	const tcflag_t sane = BRKINT | IMAXBEL | ICRNL, more = IGNBRK | IGNPAR | INPCK | IUTF8;
	struct termios t;

	open_both();
	CHECK_EQ(tcgetattr(slave, &t), 0);
	CHECK_EQ(t.c_cflag & (CBAUD | CSIZE | CREAD | CLOCAL), B38400 | CS8 | CREAD);
	for (int i = 0; i < 2; i++) {
		t.c_iflag = i ? more : sane;
		CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
		CHECK_EQ(tcgetattr(slave, &t), 0);
		CHECK_EQ(t.c_iflag, i ? more : sane);
	}
	type("a line\n");
	reads(slave, "a line\n");
	close(slave);
	close(master);
}

/* The settings of System V, which have eight characters. */
struct termio {
	unsigned short iflag, oflag, cflag, lflag;
	unsigned char line, cc[8];
};

TEST(termio, 10, "TCGETA and TCSETA: the older settings are a part of the newer ones")
{
	struct termios before, after;
	struct termio old;

	open_both();
	CHECK_EQ(tcgetattr(slave, &before), 0);
	CHECK_EQ(ioctl(slave, TCGETA, &old), 0);
	CHECK_EQ(old.iflag, before.c_iflag);
	CHECK_EQ(old.oflag, before.c_oflag);
	CHECK_EQ(old.cflag, before.c_cflag);
	CHECK_EQ(old.lflag, before.c_lflag);
	CHECK_EQ(memcmp(old.cc, before.c_cc, 8), 0);
	old.lflag &= ~ECHO;
	old.cc[VINTR] = 'x';
	for (int way = 0; way < 3; way++) {
		CHECK_EQ(ioctl(slave, TCSETA + way, &old), 0);
		CHECK_EQ(tcgetattr(slave, &after), 0);
		CHECK_EQ(after.c_lflag, before.c_lflag & ~ECHO);
		CHECK_EQ(after.c_cc[VINTR], 'x');
		CHECK_EQ(after.c_cc[VSUSP], before.c_cc[VSUSP]);
	}
	type("lost\n");
	CHECK_EQ(ioctl(slave, TCSETAF, &old), 0);
	type("kept\n");
	reads(slave, "kept\n");
	CHECK_ERR(ioctl(slave, TCGETA, 1), EFAULT);
	CHECK_ERR(ioctl(slave, TCSETA, 1), EFAULT);
}

TEST(locked_settings, 10, "TIOCSLCKTRMIOS: root locks bits and characters, which then stay")
{
	struct termios t, locked = { .c_lflag = ECHO };

	open_both();
	CHECK_EQ(ioctl(slave, TIOCGLCKTRMIOS, &t), 0);
	CHECK(t.c_iflag == 0 && t.c_lflag == 0 && t.c_cc[VINTR] == 0);
	locked.c_cc[VINTR] = 1;
	CHECK_EQ(ioctl(slave, TIOCSLCKTRMIOS, &locked), 0);
	CHECK_EQ(ioctl(slave, TIOCGLCKTRMIOS, &t), 0);
	CHECK(t.c_lflag == ECHO && t.c_cc[VINTR] == 1);
	CHECK_EQ(tcgetattr(slave, &t), 0);
	t.c_lflag &= ~(ECHO | ICANON);
	t.c_cc[VINTR] = t.c_cc[VQUIT] = 'x';
	CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
	CHECK_EQ(tcgetattr(slave, &t), 0);
	CHECK_EQ(t.c_lflag & (ECHO | ICANON), ECHO);
	CHECK(t.c_cc[VINTR] == 3 && t.c_cc[VQUIT] == 'x');
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(ioctl(slave, TIOCGLCKTRMIOS, &t), 0);
	CHECK_ERR(ioctl(slave, TIOCSLCKTRMIOS, &locked), EPERM);
}

TEST(flow, 10, "^S stops output until ^Q")
{
	open_both();
	set_flags(0, ECHO, 0);
	type("\023");
	CHECK_EQ(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(write(slave, "x", 1), EAGAIN);
	type("\021");
	CHECK_EQ(write(slave, "x", 1), 1);
	reads(master, "x");
}

TEST(splice_waits, 10, "a splice that waits for a stopped terminal goes on with the same bytes")
{
	static char page[4096];
	int from[2], own[2];
	pid_t child;

	open_both();
	CHECK_EQ(pipe(from) | pipe(own), 0);
	CHECK_EQ(write(from[1], "what waits", 10), 10);
	CHECK_EQ(tcflow(slave, TCOOFF), 0);
	child = fork();
	if (child == 0)
		_exit(splice(from[0], NULL, slave, NULL, 10, 0) != 10);
	test_sleep_ms(100);
	/* The kernel has other pages in its hands meanwhile. */
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(write(own[1], page, sizeof(page)), sizeof(page));
		CHECK_EQ(read(own[0], page, sizeof(page)), sizeof(page));
	}
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK_EQ(tcflow(slave, TCOON), 0);
	CHECK_EQ(test_wait(child), 0);
	reads(master, "what waits");
}
