/*
 * Offsets: near 2^63, beyond 2 GiB with calls of 32 bits, and in memory that cannot be written.
 */
#include "user/test/test.h"

#include <sys/resource.h>
#include <sys/sendfile.h>

#define LAST 0x7fffffffffffffffll
#define GIB  (1ll << 30)

static int make_file(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	unlink(path);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int bytes_in(int pipe_end)
{
	int n = -1;

	CHECK_EQ(ioctl(pipe_end, FIONREAD, &n), 0);
	return n;
}

static ssize_t splice_at(int in, off_t at, int out)
{
	return splice(in, &at, out, NULL, 4096, 0);
}

static ssize_t splice_to(int in, int out, off_t at)
{
	return splice(in, NULL, out, &at, 4096, SPLICE_F_NONBLOCK);
}

static ssize_t send_at(int out, int in, off_t at)
{
	return sendfile(out, in, &at, 4096);
}

static void near_the_last(int fd, const int ends[2], int null)
{
	char byte[4096];
	struct iovec vector = { byte, sizeof(byte) };

	CHECK_ERR(pread(fd, byte, sizeof(byte), LAST - 100), EINVAL);
	CHECK_ERR(preadv(fd, &vector, 1, LAST - 100), EINVAL);
	CHECK_ERR(pwrite(fd, byte, sizeof(byte), LAST - 100), EINVAL);
	CHECK_ERR(pwritev(fd, &vector, 1, LAST - 100), EINVAL);
	CHECK_ERR(splice_at(fd, LAST - 100, ends[1]), EINVAL);
	CHECK_ERR(splice_to(ends[0], fd, LAST - 100), EINVAL);
	CHECK_ERR(send_at(ends[1], fd, LAST - 100), EINVAL);
	CHECK_ERR(send_at(null, fd, LAST - 100), EINVAL);
}

TEST(near_the_last, 5, "a range that ends behind 2^63 is EINVAL, whatever moves the bytes")
{
	int fd = make_file("/tmp/offsets", "abc"), null = open("/dev/null", O_WRONLY);
	int ends[2], random = open("/dev/urandom", O_RDWR);

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	near_the_last(fd, ends, null);
	near_the_last(random, ends, null);
	CHECK_EQ(bytes_in(ends[0]), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3);
}

static ssize_t copy_at(int in, off_t from, int out, off_t to, size_t len)
{
	return copy_file_range(in, &from, out, &to, len, 0);
}

TEST(copies, 5,
     "copy_file_range behind the end finds nothing, and behind the largest offset no room")
{
	int fd = make_file("/tmp/offsets", "abc"), out = make_file("/tmp/offsets-out", "");
	const off_t end = 0xffffffffll << 12; /* what no file of a 32-bit kernel can have */

	CHECK_EQ(copy_at(fd, LAST - 100, out, 0, 4096), 0);
	CHECK_EQ(copy_at(fd, 3, out, 0, 4096), 0);
	CHECK_ERR(copy_at(fd, 0, out, LAST - 100, 4096), EFBIG);
	CHECK_ERR(copy_at(fd, 0, out, end, 1), EFBIG);
	CHECK_ERR(copy_at(fd, 3, out, end, 1), EFBIG);
	CHECK_EQ(lseek(out, 0, SEEK_END), 0);
	CHECK_ERR(copy_at(fd, -100, out, 0, 10), EINVAL);
	CHECK_ERR(copy_at(fd, 0, out, -100, 10), EINVAL);
}

TEST(behind_every_file, 5,
     "behind the end, and behind what any file can have, a read finds nothing")
{
	int fd = make_file("/tmp/offsets", "abc"), ends[2];
	char byte[16];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pread(fd, byte, 10, 5 * GIB), 0);
	CHECK_EQ(pread(fd, byte, 10, LAST - 100), 0);
	CHECK_EQ(splice_at(fd, 5 * GIB, ends[1]), 0);
	CHECK_EQ(send_at(ends[1], fd, 5 * GIB), 0);
	CHECK_ERR(pwrite(fd, byte, 10, LAST - 100), EFBIG);
	CHECK_ERR(lseek(fd, LAST, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, LAST, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, LAST, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_EQ(lseek(fd, 5 * GIB, SEEK_SET), 5 * GIB);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(ftruncate(fd, LAST), EFBIG);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3);
}

TEST(unwritable_offset, 5, "an offset that cannot be stored is EFAULT, even if nothing was moved")
{
	int fd = make_file("/tmp/offsets", ""), out = make_file("/tmp/offsets-out", ""), ends[2];
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	CHECK_EQ(pipe(ends), 0);
	for (int filled = 0; filled < 2; filled++) {
		CHECK_ERR(syscall(SYS_sendfile, out, fd, at, 3), EFAULT);
		CHECK_ERR(syscall(SYS_sendfile64, out, fd, at, 3), EFAULT);
		CHECK_ERR(syscall(SYS_sendfile64, ends[1], fd, at, 3), EFAULT);
		CHECK_ERR(splice(fd, at, ends[1], NULL, 3, 0), EFAULT);
		CHECK_EQ(bytes_in(ends[0]), filled ? 6 : 0);
		CHECK_EQ(pwrite(fd, "abc", 3, 0), 3);
	}
	CHECK_ERR(splice(ends[0], NULL, out, at, 3, 0), EFAULT);
	CHECK_EQ(bytes_in(ends[0]), 3);
	/* Where the file itself is at fault, there is an offset to be stored, too. */
	CHECK_ERR(syscall(SYS_sendfile64, 999, fd, at, 3), EFAULT);
	CHECK_ERR(splice(999, at, ends[1], NULL, 3, 0), EBADF);
}

TEST(old_sendfile, 10, "sendfile with an offset of 32 bits ends at 2 GiB, without one it does not")
{
	int fd = make_file("/tmp/offsets", ""), ends[2];
	int32_t at = 0x7ffffff0;
	char text[4];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pwrite(fd, "past", 4, 2 * GIB + 10), 4);
	CHECK_EQ(syscall(SYS_sendfile, ends[1], fd, &at, 100), 15);
	CHECK_EQ(at, 0x7fffffff);
	CHECK_ERR(syscall(SYS_sendfile, ends[1], fd, &at, 100), EOVERFLOW);
	at = -5;
	CHECK_ERR(syscall(SYS_sendfile, ends[1], fd, &at, 100), EINVAL);
	CHECK_EQ(bytes_in(ends[0]), 15);
	CHECK_EQ(splice(ends[0], NULL, open("/dev/null", O_WRONLY), NULL, 15, 0), 15);
	CHECK_EQ(lseek(fd, 2 * GIB + 10, SEEK_SET), 2 * GIB + 10);
	CHECK_EQ(syscall(SYS_sendfile, ends[1], fd, NULL, 100), 4);
	CHECK_EQ(read(ends[0], text, 4), 4);
	CHECK(!memcmp(text, "past", 4));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2 * GIB + 14);
}

TEST(sources, 5, "sendfile takes from what can seek, and to a pipe from all that splice takes from")
{
	int random = open("/dev/urandom", O_RDONLY), out = make_file("/tmp/offsets-out", "");
	int ends[2], others[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(others), 0);
	CHECK_EQ(write(others[1], "x", 1), 1);
	CHECK_EQ(sendfile(ends[1], random, NULL, 100), 100);
	CHECK_EQ(bytes_in(ends[0]), 100);
	CHECK_EQ(sendfile(out, random, NULL, 100), 100);
	CHECK_EQ(lseek(out, 0, SEEK_END), 100);
	CHECK_ERR(sendfile(out, others[0], NULL, 1), EINVAL);
	CHECK_ERR(sendfile(ends[1], others[0], NULL, 1), EINVAL);
	CHECK_EQ(bytes_in(others[0]), 1);
}
