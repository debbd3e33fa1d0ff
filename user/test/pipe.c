/*
 * Pipes: creation, capacity, atomic writes, vectors and packets.
 */
#include "pipe.h"
#include <sys/resource.h>

TEST(there_and_back, 5, "bytes come out as they went in, in order")
{
	make_pipe(0);
	test_fill(big, 10000, 1, 0);
	CHECK_EQ(write(ends[1], big, 10000), 10000);
	CHECK_EQ(read(ends[0], back, 3000), 3000);
	CHECK_EQ(read(ends[0], back + 3000, CAPACITY), 7000);
	CHECK_EQ(test_differs(back, 10000, 1, 0), 10000);
}

TEST(flags, 5, "pipe2 takes its three flags, refuses others, and leaves nothing open")
{
	make_pipe(O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	CHECK_ERR(pipe2(ends, O_APPEND), EINVAL);
	CHECK_ERR(pipe2(ends, 0x40), EINVAL);
	CHECK_ERR(pipe2(ends, 0x80), ENOPKG); /* for notifications */
}

TEST(bad_pointer, 5, "pipe with a bad pointer is EFAULT and leaves no descriptor open")
{
	int fd = dup(0), next;

	close(fd);
	CHECK_ERR(syscall(SYS_pipe2, (void *)8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_pipe, (void *)-4), EFAULT);
	next = dup(0);
	CHECK_EQ(next, fd);
}

TEST(too_many_files, 5, "EMFILE when no two descriptors are free")
{
	struct rlimit limit = { 0, 0 };
	int fd = dup(0);

	limit.rlim_cur = limit.rlim_max = fd + 1;
	close(fd);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_ERR(pipe2(ends, 0), EMFILE);
	CHECK_EQ(dup(0), fd);
}

TEST(capacity, 5, "65536 bytes, all of which a writer can fill")
{
	make_pipe(0);
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), CAPACITY);
	CHECK_EQ(fill(), CAPACITY);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY);
	CHECK_ERR(write(ends[0], big, 1), EBADF);
	CHECK_ERR(read(ends[1], big, 1), EBADF);
}

TEST(large_write, 5, "one write of the whole capacity fits without a reader")
{
	make_pipe(O_NONBLOCK);
	test_fill(big, CAPACITY, 2, 0);
	CHECK_EQ(write(ends[1], big, CAPACITY), CAPACITY);
	CHECK_ERR(write(ends[1], big, 1), EAGAIN);
	CHECK_EQ(read(ends[0], back, CAPACITY), CAPACITY);
	CHECK_EQ(test_differs(back, CAPACITY, 2, 0), CAPACITY);
}

TEST(small_writes_merge, 5, "a hundred writes of one byte take one page's room")
{
	make_pipe(O_NONBLOCK);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(write(ends[1], &i, 1), 1);
	CHECK_EQ(write(ends[1], big, CAPACITY), CAPACITY - 4096);
	CHECK_EQ(read(ends[0], back, 4096), 4096);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(back[i], (char)i);
}

TEST(all_or_nothing, 5, "an O_NONBLOCK write up to PIPE_BUF goes whole or EAGAIN")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], big, CAPACITY - 100), CAPACITY - 100);
	CHECK_ERR(write(ends[1], big, 200), EAGAIN);
	CHECK_ERR(write(ends[1], big, 4096), EAGAIN);
	CHECK_EQ(read(ends[0], back, sizeof(back)), CAPACITY - 100);
}

TEST(large_nonblocking_write_is_short, 5, "above PIPE_BUF, O_NONBLOCK writes what fits")
{
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], big, 2 * CAPACITY), CAPACITY);
	CHECK_ERR(write(ends[1], big, 2 * CAPACITY), EAGAIN);
}

TEST(zero_length, 5, "length 0 does nothing, without waiting")
{
	make_pipe(0);
	CHECK_EQ(write(ends[1], big, 0), 0);
	CHECK_EQ(read(ends[0], back, 0), 0);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
}

TEST(end_of_file, 5, "read returns what is there, then 0 once no writer is left")
{
	make_pipe(0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	close(ends[1]);
	CHECK_EQ(read(ends[0], back, 100), 3);
	CHECK_EQ(read(ends[0], back, 100), 0);
	CHECK_EQ(read(ends[0], back, 100), 0);
}

TEST(fionread, 5, "FIONREAD counts the bytes in the pipe")
{
	int n = -1;

	make_pipe(0);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	CHECK_EQ(write(ends[1], big, 5000), 5000);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 5000);
}

TEST(no_seeking, 5, "lseek, pread and pwrite are ESPIPE")
{
	make_pipe(0);
	CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(ends[0], back, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(ends[1], big, 1, 0), ESPIPE);
}

TEST(status, 5, "fstat says FIFO, and /proc/self/fd names pipe:[inode]")
{
	char path[64], name[64] = "", expected[64];
	struct stat st;

	make_pipe(0);
	CHECK_EQ(fstat(ends[0], &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(st.st_nlink, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	CHECK(readlink(path, name, sizeof(name) - 1) > 0);
	snprintf(expected, sizeof(expected), "pipe:[%llu]", (unsigned long long)st.st_ino);
	CHECK(!strcmp(name, expected));
}

TEST(packets, 5, "O_DIRECT: a write is a packet, a read takes one and drops its rest")
{
	make_pipe(O_DIRECT | O_NONBLOCK);
	CHECK_EQ(write(ends[1], "first", 5), 5);
	CHECK_EQ(write(ends[1], "second", 6), 6);
	CHECK_EQ(read(ends[0], back, 100), 5);
	CHECK_EQ(read(ends[0], back, 3), 3);
	CHECK(!memcmp(back, "sec", 3));
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
	CHECK_EQ(write(ends[1], big, 10000), 10000);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 4096);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 4096);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 10000 - 8192);
}

TEST(failed_copy_keeps_bytes, 5, "what could not be copied to the reader stays in the pipe")
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	CHECK_EQ(munmap(page + 4096, 4096), 0);
	make_pipe(O_NONBLOCK);
	CHECK_EQ(write(ends[1], "abcdef", 6), 6);
	CHECK_ERR(read(ends[0], page + 4096, 6), EFAULT);
	CHECK_EQ(read(ends[0], back, 100), 6);
	CHECK(!memcmp(back, "abcdef", 6));
	CHECK_ERR(write(ends[1], page + 4096, 6), EFAULT);
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
}

TEST(vectors, 5, "readv and writev, small ones atomic")
{
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct iovec in[2] = { { back, 3 }, { back + 100, 10 } };

	make_pipe(0);
	CHECK_EQ(writev(ends[1], out, 3), 6);
	CHECK_EQ(readv(ends[0], in, 2), 6);
	CHECK(!memcmp(back, "abc", 3) && !memcmp(back + 100, "def", 3));
	CHECK_ERR(syscall(SYS_writev, ends[1], out, -1), EINVAL);
	CHECK_ERR(syscall(SYS_writev, ends[1], out, 1025), EINVAL);
}

TEST(demand_pages, 5, "reads into and writes from memory that was never touched")
{
	size_t n = 32768;
	char *fresh = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fresh != MAP_FAILED);
	make_pipe(0);
	CHECK_EQ(write(ends[1], fresh, n), n);
	CHECK_EQ(read_full(ends[0], fresh + n, n), n);
	for (size_t i = 0; i < 2 * n; i += 511)
		CHECK_EQ(fresh[i], 0);
}

TEST(bad_segment, 5, "what goes whole or not at all and has a segment that is not there: EFAULT")
{
	struct iovec out[] = { { big, 100 }, { NULL, 100 } };
	struct iovec in[] = { { back, 100 }, { NULL, 100 }, { back + 100, 100 } };
	struct iovec beyond[] = { { back, 300 }, { NULL, 100 } };
	int bytes;

	make_pipe(0);
	CHECK_ERR(writev(ends[1], out, 2), EFAULT);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &bytes), 0);
	CHECK_EQ(bytes, 0);
	make_pipe(O_DIRECT);
	test_fill(big, 300, 9, 0);
	CHECK_EQ(write(ends[1], big, 300), 300);
	CHECK_ERR(readv(ends[0], in, 3), EFAULT);
	/* The packet stays, and asks for no more room than it has bytes. */
	CHECK_EQ(readv(ends[0], beyond, 2), 300);
	CHECK_EQ(test_differs(back, 300, 9, 0), 300);
}
