/*
 * The bytes of a regular file: positions, vectors, sizes, and the limit of a size.
 */
#include "names.h"
#include <sys/resource.h>

TEST(positions, 5, "lseek, pread, pwrite, vectors")
{
	struct iovec iov[3] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } };
	char buf[16] = "", more[4];
	struct iovec in[2] = { { buf, 3 }, { more, 4 } };
	int fd;

	enter();
	fd = open("f", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(writev(fd, iov, 3), 5);
	CHECK(holds("f", "abcde"));
	CHECK_EQ(pwrite(fd, "XY", 2, 1), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_EQ(lseek(fd, -4, SEEK_END), 1);
	CHECK_EQ(readv(fd, in, 2), 4);
	CHECK(!memcmp(buf, "XYd", 3) && more[0] == 'e');
	CHECK_EQ(preadv(fd, in, 2, 0), 5);
	CHECK(!memcmp(buf, "aXY", 3));
	CHECK_EQ(pread(fd, buf, 5, 100), 0);
	CHECK_ERR(pread(fd, buf, 5, -1), EINVAL);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 17), EINVAL);
	CHECK_EQ(lseek(fd, 1ll << 33, SEEK_SET), 1ll << 33);
	CHECK_EQ(read(fd, buf, 1), 0);
	CHECK_ERR(syscall(SYS_lseek, fd, 0, SEEK_CUR), EOVERFLOW);
	CHECK_ERR(syscall(SYS_writev, fd, iov, 1025), EINVAL);
	CHECK_ERR(write(fd, (void *)4, 10), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, buf, 0x80000000u), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, (void *)0xc0000000u, 10), EFAULT);
	close(fd);
	fd = open("f", O_RDONLY);
	CHECK_ERR(write(fd, buf, 1), EBADF);
	close(fd);
	fd = open("f", O_WRONLY | O_APPEND);
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_EQ(write(fd, "!", 1), 1);
	CHECK(holds("f", "aXYde!"));
	leave();
}

TEST(sizes, 5, "truncate in all forms; a hole reads as zeros")
{
	struct stat st;
	char c = 1;
	int fd;

	enter();
	put("f", "0123456789");
	CHECK_EQ(truncate("f", 4), 0);
	CHECK(holds("f", "0123"));
	fd = open("f", O_RDWR);
	CHECK_EQ(ftruncate(fd, 100000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 100000);
	CHECK_EQ(pread(fd, &c, 1, 9), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("no", 0), ENOENT);
	CHECK_ERR(ftruncate(99, 0), EBADF);
	close(fd);
	fd = open("f", O_RDONLY);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	close(fd);
	leave();
}

TEST(size_limit, 5, "RLIMIT_FSIZE: EFBIG and SIGXFSZ")
{
	struct rlimit limit = { 1000, 1000 };
	int fd;

	enter();
	fd = open("f", O_CREAT | O_RDWR, 0644);
	signal(SIGXFSZ, SIG_IGN);
	if (!fork()) {
		char buf[600] = "";

		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		CHECK_EQ(write(fd, buf, 600), 600);
		CHECK_EQ(write(fd, buf, 600), 400);
		CHECK_ERR(write(fd, buf, 600), EFBIG);
		CHECK_ERR(ftruncate(fd, 1001), EFBIG);
		CHECK_EQ(ftruncate(fd, 10), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	close(fd);
	leave();
}
