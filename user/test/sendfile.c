/* sendfile and copy_file_range: what they move, what they refuse, and the offset after it. */
#include "splice.h"
#include <sys/resource.h>
#include <sys/sendfile.h>

TEST(to_pipe_and_file, 5, "sendfile: file to pipe, file to file, offset rules, errors")
{
	int fd = make_file(PATH, FILE_SIZE), to = make_file("/tmp/splice-to", 1);
	off_t at = 1000;

	make_pipe(ends, 0);
	CHECK_EQ(sendfile(ends[1], fd, &at, 2000), 2000);
	CHECK_EQ(at, 3000);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(read_full(ends[0], back, 2000), 2000);
	CHECK_EQ(test_differs(back, 2000, 7, 1000), 2000);
	CHECK_EQ(sendfile(to, fd, NULL, 2 * FILE_SIZE), FILE_SIZE);
	CHECK_EQ(pread(to, back, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(test_differs(back, FILE_SIZE, 7, 0), FILE_SIZE);
	CHECK_EQ(sendfile(to, fd, NULL, 10), 0);
	CHECK_ERR(sendfile(ends[1], ends[0], NULL, 10), EINVAL);
	CHECK_ERR(sendfile(999, fd, NULL, 10), EBADF);
	CHECK_ERR(sendfile(ends[0], fd, NULL, 10), EBADF);
}

TEST(to_a_full_pipe, 5,
     "sendfile that finds no more room: the offset is behind what was sent, not what was read")
{
	int fd = make_file(PATH, FILE_SIZE);
	off_t at = 0;

	make_pipe(ends, O_NONBLOCK);
	CHECK_EQ(sendfile(ends[1], fd, &at, FILE_SIZE), 65536);
	CHECK_EQ(at, 65536);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_ERR(sendfile(ends[1], fd, &at, FILE_SIZE), EAGAIN);
	CHECK_EQ(at, 65536);
	CHECK_ERR(sendfile(ends[1], fd, NULL, FILE_SIZE), EAGAIN);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(read_full(ends[0], back, 65536), 65536);
	CHECK_EQ(test_differs(back, 65536, 7, 0), 65536);
}

TEST(to_a_limited_file, 5,
     "sendfile to a file that may not grow: the offset is behind what was taken, not what was read")
{
	int fd = make_file(PATH, FILE_SIZE), to = make_file("/tmp/splice-to", 0);
	off_t at = 100;

	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 10240, 10240 }), 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(sendfile(to, fd, &at, 50000), 10240);
	CHECK_EQ(at, 10340);
	CHECK_EQ(pread(to, back, 20000, 0), 10240);
	CHECK_EQ(test_differs(back, 10240, 7, 100), 10240);
}

TEST(through_a_full_pipe, 10, "sendfile into a pipe sends all, however small the pipe")
{
	int fd = make_file(PATH, FILE_SIZE);
	off_t at = 0;
	pid_t child;

	make_pipe(ends, 0);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	child = fork();
	if (!child) {
		close(ends[1]);
		_exit(read_full(ends[0], back, FILE_SIZE) != FILE_SIZE ||
		      test_differs(back, FILE_SIZE, 7, 0) != FILE_SIZE);
	}
	while (at < FILE_SIZE)
		CHECK(sendfile(ends[1], fd, &at, FILE_SIZE - at) > 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(copy_range, 5, "copy_file_range between files, and its refusals")
{
	int fd = make_file(PATH, FILE_SIZE), to = make_file("/tmp/splice-to", 10), append;
	loff_t from = 100, at = 5;

	CHECK_EQ(syscall(SYS_copy_file_range, fd, &from, to, &at, (size_t)5000, 0), 5000);
	CHECK_EQ(from, 5100);
	CHECK_EQ(at, 5005);
	CHECK_EQ(pread(to, back, 5000, 5), 5000);
	CHECK_EQ(test_differs(back, 5000, 7, 100), 5000);
	from = 0;
	at = 10;
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &from, fd, &at, (size_t)100, 0), EINVAL);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &from, to, &at, (size_t)100, 1), EINVAL);
	make_pipe(ends, 0);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &from, ends[1], NULL, (size_t)100, 0), EINVAL);
	append = open("/tmp/splice-append", O_RDWR | O_CREAT | O_APPEND, 0600);
	CHECK_EQ(unlink("/tmp/splice-append"), 0);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &from, append, NULL, (size_t)100, 0), EBADF);
}

TEST(what_is_wrong_first, 5, "sendfile and copy_file_range: which of several errors is reported")
{
	int fd = make_file(PATH, FILE_SIZE), to = make_file("/tmp/splice-to", FILE_SIZE);
	int reader = open("/etc/passwd", O_RDONLY);
	int writer = open("/tmp/splice-writer", O_WRONLY | O_CREAT, 0600);
	off_t at = -1;
	loff_t from = 0, negative = -1, lowest = INT64_MIN, highest = INT64_MAX;

	CHECK(reader >= 0 && writer >= 0);
	CHECK_EQ(unlink("/tmp/splice-writer"), 0);
	make_pipe(ends, 0);
	/* What is wrong with the input comes before a bad output. */
	for (int i = 0; i < 2; i++) {
		int bad = i ? 999 : reader;

		CHECK_ERR(sendfile(bad, fd, &at, 10), EINVAL);
		CHECK_ERR(sendfile(bad, fd, NULL, -1), EINVAL);
		CHECK_ERR(sendfile(bad, ends[0], &at, 10), ESPIPE);
		CHECK_ERR(sendfile(bad, writer, &at, 10), EBADF);
		CHECK_ERR(sendfile(bad, 999, &at, 10), EBADF);
		CHECK_ERR(sendfile(bad, fd, NULL, 10), EBADF);
		CHECK_ERR(syscall(SYS_sendfile64, bad, 999, 8, 10), EFAULT);
	}
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &negative, to, NULL, (size_t)5, 0), EOVERFLOW);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, NULL, to, &negative, (size_t)5, 0), EOVERFLOW);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &lowest, to, NULL, (size_t)5, 0), EINVAL);
	CHECK_EQ(syscall(SYS_copy_file_range, fd, &highest, to, NULL, (size_t)5, 0), 0);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &from, to, &negative, (size_t)5, 1), EINVAL);
	CHECK_ERR(syscall(SYS_copy_file_range, fd, &negative, to, 8, (size_t)5, 1), EFAULT);
	CHECK_ERR(syscall(SYS_copy_file_range, writer, &negative, to, NULL, (size_t)5, 0), EBADF);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR) | lseek(to, 0, SEEK_CUR), 0);
}
