/*
 * File descriptors: duplicates, the limit of the table, the flags of an open file.
 */
#include "names.h"
#include <sys/resource.h>

TEST(duplicates, 5,
     "dup, dup2, dup3, F_DUPFD: lowest free number, shared position, own close-on-exec")
{
	int fd, other;
	char c;

	enter();
	put("f", "0123456789");
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	other = dup(fd);
	CHECK_EQ(fcntl(other, F_GETFD), 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(read(other, &c, 1), 1);
	CHECK_EQ(c, '1');
	CHECK_EQ(close(other), 0);
	CHECK_EQ(fcntl(fd, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
	CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(fd, 500), 500);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(dup2(77, 78), EBADF);
	CHECK_ERR(dup2(77, 77), EBADF);
	CHECK_ERR(syscall(SYS_dup3, fd, fd, 0), EINVAL);
	CHECK_ERR(syscall(SYS_dup3, fd, 60, O_APPEND), EINVAL);
	CHECK_EQ(dup3(fd, 60, O_CLOEXEC), 60);
	CHECK_EQ(fcntl(60, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 20), EINVAL);
	CHECK_EQ(fcntl(500, F_GETFD), 0);
	CHECK_ERR(close(499), EBADF);
	leave();
}

TEST(many_descriptors, 10, "a table grows to its limit; then EMFILE")
{
	struct rlimit limit = { 1000, 1000 };
	int fd, last = -1;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	CHECK_EQ(last, 999);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(dup(0), EMFILE);
	CHECK_ERR(dup2(0, 1000), EBADF);
	CHECK_EQ(close(500), 0);
	CHECK_EQ(dup(0), 500);
	if (!fork()) {
		CHECK_EQ(close(999), 0);
		CHECK_EQ(dup(0), 999);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
}

TEST(file_flags, 5, "F_SETFL changes what it may; FIONREAD")
{
	int fd, n = 1;

	enter();
	put("f", "12345");
	fd = open("f", O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
	CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_CREAT | O_WRONLY), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT),
		 O_RDWR | O_APPEND | O_NONBLOCK);
	CHECK_EQ(write(fd, "6", 1), 1);
	CHECK(holds("f", "123456"));
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 4);
	CHECK_ERR(ioctl(fd, 0x1234, &n), ENOTTY);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	leave();
}

#define GET_HINT 1035 /* F_GET_RW_HINT */
#define SET_HINT 1036

TEST(write_hints, 5, "how long a file's bytes will last is a hint that all its descriptors share")
{
	uint64_t hint = 77;
	int fd, reader, ends[2];

	enter();
	put("f", "1");
	CHECK((fd = open("f", O_RDWR)) >= 0 && (reader = open("f", O_RDONLY)) >= 0);
	CHECK_EQ(fcntl(fd, GET_HINT, &hint), 0);
	CHECK_EQ(hint, 0);
	hint = 5;
	CHECK_EQ(fcntl(fd, SET_HINT, &hint), 0);
	hint = 77;
	CHECK_EQ(fcntl(reader, GET_HINT, &hint), 0);
	CHECK_EQ(hint, 5);
	hint = 6;
	CHECK_ERR(fcntl(fd, SET_HINT, &hint), EINVAL);
	hint = 1ull << 32 | 2;
	CHECK_ERR(fcntl(fd, SET_HINT, &hint), EINVAL);
	CHECK_ERR(fcntl(fd, SET_HINT, (void *)8), EFAULT);
	CHECK_ERR(fcntl(fd, GET_HINT, (void *)8), EFAULT);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[0], GET_HINT, &hint), 0);
	CHECK_EQ(hint, 0);
	leave();
}

TEST(sizes, 5, "FIOQSIZE tells how many bytes a file takes, and FIGETBSZ the size of a block")
{
	int fd, ends[2], block = 0;
	long long size = 0;

	enter();
	put("f", "12345");
	CHECK((fd = open("f", O_RDONLY)) >= 0);
	CHECK_EQ(ioctl(fd, 0x5460, &size), 0);
	CHECK_EQ(size, 4096);
	CHECK_EQ(ioctl(fd, 2, &block), 0);
	CHECK(block >= 512);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(ioctl(ends[0], 0x5460, &size), ENOTTY);
	CHECK_EQ(ioctl(ends[0], 2, &block), 0);
	CHECK_EQ(block, 4096);
	leave();
}
