/*
 * /dev/kmsg: what a write puts into the kernel's log, and how a reader finds it.
 */
#include "test.h"
#include <sys/klog.h>
#include <sys/stat.h>

static char text[8192];

/* Read the next record, and check what follows its number and time. Returns its number. */
static unsigned long long check_record(int fd, unsigned int priority, const char *wanted)
{
	unsigned long long number, us;
	unsigned int found;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *at;

	CHECK(n > 0);
	text[n] = 0;
	CHECK_EQ(sscanf(text, "%u,%llu,%llu,-;", &found, &number, &us), 3);
	CHECK_EQ(found, priority);
	CHECK(us > 0);
	at = strchr(text, ';');
	CHECK(at && !strcmp(at + 1, wanted));
	return number;
}

static void put(int fd, const char *line)
{
	CHECK_EQ(write(fd, line, strlen(line)), (ssize_t)strlen(line));
}

static int opened(int flags)
{
	int fd = open("/dev/kmsg", flags);

	CHECK(fd >= 0);
	return fd;
}

TEST(records, 5, "a line that is written is the next record, with its priority")
{
	int fd = opened(O_RDWR | O_NONBLOCK);
	unsigned long long first;

	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_ERR(read(fd, text, sizeof(text)), EAGAIN);
	CHECK_EQ(poll_now(fd, POLLIN), 0);
	put(fd, "<7>hello\n");
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	first = check_record(fd, 15, "hello\n");
	put(fd, "<30>daemon\n");
	CHECK_EQ(check_record(fd, 30, "daemon\n"), first + 1);
	put(fd, "a\\b\tc\n\n");
	check_record(fd, 12, "a\\x5cb\\x09c\\x0a\n");
	put(fd, "<7x>odd\n");
	check_record(fd, 12, "<7x>odd\n");
	CHECK_EQ(write(fd, "<7>one\n\0two", 11), 11);
	check_record(fd, 15, "one\n");
	CHECK_ERR(write(fd, text, 4000), EINVAL);
	CHECK_ERR(write(fd, (void *)16, 10), EFAULT);
	CHECK_ERR(read(fd, text, sizeof(text)), EAGAIN);
}

TEST(places, 5, "each open file has its own place, which lseek changes")
{
	int fd = opened(O_RDWR | O_NONBLOCK), other = opened(O_RDONLY | O_NONBLOCK);
	unsigned long long oldest, number;

	CHECK_ERR(lseek(fd, 1, SEEK_SET), ESPIPE);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(read(fd, text, sizeof(text)) > 0);
	CHECK_EQ(sscanf(text, "%*u,%llu", &oldest), 1);
	CHECK(read(other, text, sizeof(text)) > 0);
	CHECK_EQ(sscanf(text, "%*u,%llu", &number), 1);
	CHECK_EQ(number, oldest);
	CHECK_EQ(klogctl(5, NULL, 0), 0);
	put(fd, "<7>cleared\n");
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK(check_record(fd, 15, "cleared\n") > oldest);
	/* A record that does not fit is passed over. */
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_ERR(read(fd, text, 5), EINVAL);
	CHECK_ERR(read(fd, text, sizeof(text)), EAGAIN);
}

TEST(waiting, 10, "read and poll wait for the next line")
{
	int fd = opened(O_RDWR);
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	pid_t child;

	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	child = fork();
	if (child == 0) {
		long long begin = test_ms();

		CHECK_EQ(poll(&poll_fd, 1, 5000), 1);
		CHECK(test_ms() - begin < 3000);
		check_record(fd, 15, "first\n");
		check_record(fd, 15, "second\n");
		_exit(0);
	}
	test_sleep_ms(50);
	put(fd, "<7>first\n");
	test_sleep_ms(400); /* so that the child sleeps again */
	put(fd, "<7>second\n");
	CHECK_EQ(test_wait(child), 0);
}

TEST(lost, 30, "a reader whose record the log has lost gets EPIPE once")
{
	int fd = opened(O_RDONLY | O_NONBLOCK), writer = -1;
	char line[900];

	memset(line, 'x', sizeof(line));
	line[899] = '\n';
	memcpy(line, "<7>", 3);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 2000; i++) {
		/* Linux limits the lines of an open file. */
		if (i % 8 == 0) {
			close(writer);
			writer = opened(O_WRONLY);
		}
		CHECK_EQ(write(writer, line, 900), 900);
	}
	CHECK_EQ(poll_now(fd, POLLIN | POLLPRI), POLLIN | POLLPRI | POLLERR);
	CHECK_ERR(read(fd, text, sizeof(text)), EPIPE);
	CHECK_EQ(poll_now(fd, POLLIN), POLLIN);
	CHECK(read(fd, text, sizeof(text)) > 900);
}

TEST(rights, 5, "only root may write")
{
	struct stat st;
	pid_t child;

	CHECK_EQ(stat("/dev/kmsg", &st), 0);
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, 0x10b);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open("/dev/kmsg", O_WRONLY), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}
