/* splice and tee: what they move, what they refuse, what stays in place. */
#include "splice.h"
#include <sys/resource.h>

#define DISK_FILE "/test/splice" /* on the disk: this very program */

static int other[2];

TEST(file_to_pipe, 5, "bytes of a file in memory arrive through the pipe; the offset moves")
{
	int fd = make_file(PATH, FILE_SIZE);
	size_t total = 0;

	make_pipe(ends, 0);
	while (total < FILE_SIZE) {
		ssize_t n = splice(fd, NULL, ends[1], NULL, FILE_SIZE, 0);

		CHECK(n > 0);
		CHECK_EQ(lseek(fd, 0, SEEK_CUR), total + n);
		CHECK_EQ(read_full(ends[0], back + total, n), n);
		total += n;
	}
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 1, 0), 0);
	CHECK_EQ(test_differs(back, FILE_SIZE, 7, 0), FILE_SIZE);
}

TEST(disk_file_to_pipe, 10, "bytes of a file on the disk are those that read gives")
{
	int fd = open(DISK_FILE, O_RDONLY), again = open(DISK_FILE, O_RDONLY);
	static char expected[sizeof(back)];
	ssize_t n;

	CHECK(fd >= 0 && again >= 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	make_pipe(ends, 0);
	while ((n = splice(fd, NULL, ends[1], NULL, 65536, 0)) > 0) {
		CHECK_EQ(read_full(ends[0], back, n), n);
		CHECK_EQ(read_full(again, expected, n), n);
		CHECK(!memcmp(back, expected, n));
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(read(again, expected, 1), 0);
}

TEST(with_offset, 5, "with an offset pointer it is updated, and the file's own offset stays")
{
	int fd = make_file(PATH, FILE_SIZE);
	loff_t at = 5001;

	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 9000, 0), 9000);
	CHECK_EQ(at, 14001);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(read_full(ends[0], back, 9000), 9000);
	CHECK_EQ(test_differs(back, 9000, 7, 5001), 9000);
	at = FILE_SIZE - 10;
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 9000, 0), 10);
	at = FILE_SIZE + 10;
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 9000, 0), 0);
}

TEST(pipe_to_pipe, 5, "slots move from pipe to pipe, in parts too")
{
	make_pipe(ends, 0);
	make_pipe(other, 0);
	test_fill(data, 10000, 8, 0);
	CHECK_EQ(write(ends[1], data, 10000), 10000);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 5000, 0), 5000);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 100000, 0), 5000);
	CHECK_EQ(read_full(other[0], back, 10000), 10000);
	CHECK_EQ(test_differs(back, 10000, 8, 0), 10000);
}

TEST(pipe_to_null, 5, "/dev/null takes everything")
{
	int fd = make_file(PATH, FILE_SIZE), null = open("/dev/null", O_WRONLY);

	CHECK(null >= 0);
	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 65536, 0), 65536);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 65536, 0), 65536);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 65536, SPLICE_F_NONBLOCK), 1);
	CHECK_ERR(splice(ends[0], NULL, null, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST(pipe_to_file, 5, "bytes land in the file where they should, aligned or not")
{
	static const loff_t places[] = { 0, 100, 4096, 5000 };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = make_file(PATH, 10);
		loff_t at = places[i];

		make_pipe(ends, 0);
		test_fill(data, 60000, 9, 0);
		CHECK_EQ(write(ends[1], data, 60000), 60000);
		close(ends[1]);
		while (at < places[i] + 60000)
			CHECK(splice(ends[0], NULL, fd, &at, 60000, 0) > 0);
		CHECK_EQ(pread(fd, back, sizeof(back), places[i]), 60000);
		CHECK_EQ(test_differs(back, 60000, 9, 0), 60000);
		if (places[i] >= 10) {
			CHECK_EQ(pread(fd, back, 10, 0), 10);
			CHECK_EQ(test_differs(back, 10, 7, 0), 10);
		}
		close(ends[0]);
		close(fd);
	}
}

TEST(shared_page_into_two_files, 5,
     "a page that two pipes hold becomes no file's own: each file has its bytes")
{
	int one = make_file(PATH, 10), two = make_file("/tmp/splice-to", 10);
	loff_t at = 0;

	make_pipe(ends, 0);
	make_pipe(other, 0);
	test_fill(data, 8192, 12, 0);
	CHECK_EQ(write(ends[1], data, 8192), 8192);
	CHECK_EQ(tee(ends[0], other[1], 8192, 0), 8192);
	CHECK_EQ(splice(ends[0], NULL, one, &at, 8192, SPLICE_F_MOVE), 8192);
	memset(back, 'X', 100);
	CHECK_EQ(pwrite(one, back, 100, 50), 100);
	at = 0;
	CHECK_EQ(splice(other[0], NULL, two, &at, 8192, SPLICE_F_MOVE), 8192);
	CHECK_EQ(pwrite(one, back, 100, 5000), 100);
	CHECK_EQ(pread(two, back, 8192, 0), 8192);
	CHECK_EQ(test_differs(back, 8192, 12, 0), 8192);
	CHECK_EQ(pread(one, back, 8192, 0), 8192);
	CHECK_EQ(test_differs(back, 50, 12, 0), 50);
	CHECK(back[50] == 'X' && back[5099] == 'X');
}

TEST(refused_bytes_stay, 5, "what the output did not take stays in the pipe, in order")
{
	loff_t at = 0;
	ssize_t n;
	int fd;

	make_pipe(ends, O_NONBLOCK);
	test_fill(data, 20000, 13, 0);
	CHECK_EQ(write(ends[1], data, 20000), 20000);
	/* A file that may not grow beyond two pages and a half. */
	fd = make_file(PATH, 0);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 10240, 10240 }), 0);
	signal(SIGXFSZ, SIG_IGN);
	n = splice(ends[0], NULL, fd, &at, 20000, 0);
	CHECK_EQ(n, 10240);
	CHECK_EQ(at, n);
	CHECK_EQ(read(ends[0], back, 20000), 20000 - n);
	CHECK_EQ(test_differs(back, 20000 - n, 13, n), 20000 - n);
	CHECK_EQ(pread(fd, back, 20000, 0), n);
	CHECK_EQ(test_differs(back, n, 13, 0), n);
}

TEST(refusals, 5, "each wrong use has its own error")
{
	int fd = make_file(PATH, 100), fd2 = open("/dev/null", O_WRONLY), append, write_only;
	loff_t at = 0;

	append = open("/tmp/splice-append", O_RDWR | O_CREAT | O_APPEND, 0600);
	write_only = open("/tmp/splice-append", O_WRONLY);
	CHECK(append >= 0 && write_only >= 0);
	CHECK_EQ(unlink("/tmp/splice-append"), 0);
	make_pipe(ends, 0);
	make_pipe(other, 0);
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	CHECK_ERR(splice(fd, NULL, fd2, NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(ends[0], NULL, ends[1], NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(ends[0], &at, fd2, NULL, 10, 0), ESPIPE);
	CHECK_ERR(splice(fd, NULL, ends[1], &at, 10, 0), ESPIPE);
	CHECK_ERR(splice(ends[0], NULL, append, NULL, 10, 0), EINVAL);
	CHECK_ERR(splice(ends[1], NULL, other[1], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(ends[0], NULL, other[0], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(write_only, NULL, ends[1], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(999, NULL, ends[1], NULL, 10, 0), EBADF);
	CHECK_ERR(splice(fd, NULL, 999, NULL, 10, 0), EBADF);
	CHECK_ERR(splice(fd, NULL, ends[1], NULL, 10, 0x80), EINVAL);
	CHECK_ERR(splice(fd, (loff_t *)8, ends[1], NULL, 10, 0), EFAULT);
	at = -1;
	CHECK_ERR(splice(fd, &at, ends[1], NULL, 10, 0), EINVAL);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 0, 0), 0);
	CHECK_EQ(read(ends[0], back, 10), 3);
}

TEST(full_pipe, 10,
     "a full pipe: EAGAIN with SPLICE_F_NONBLOCK, waiting without, short after a part")
{
	int fd = make_file(PATH, FILE_SIZE);
	pid_t child;

	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, FILE_SIZE, 0), 65536);
	CHECK_ERR(splice(fd, NULL, ends[1], NULL, FILE_SIZE, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 65536);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		_exit(read_full(ends[0], back, 65536) != 65536);
	}
	CHECK(splice(fd, NULL, ends[1], NULL, FILE_SIZE, 0) > 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(no_reader, 5, "splice into a pipe without reader: EPIPE and SIGPIPE")
{
	int fd = make_file(PATH, 100);
	pid_t child;

	make_pipe(ends, 0);
	close(ends[0]);
	child = fork();
	if (!child) {
		splice(fd, NULL, ends[1], NULL, 10, 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(splice(fd, NULL, ends[1], NULL, 10, 0), EPIPE);
}

TEST(empty_pipe, 5, "an empty pipe: 0 without writers, EAGAIN with SPLICE_F_NONBLOCK")
{
	int null = open("/dev/null", O_WRONLY);

	make_pipe(ends, 0);
	make_pipe(other, 0);
	CHECK_ERR(splice(ends[0], NULL, null, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(splice(ends[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	close(ends[1]);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 10, 0), 0);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 10, 0), 0);
}

/* The bytes that follow the spliced ones in their page stay what they are. */
static void write_behind(int fd)
{
	static char before[5000];
	loff_t at = 0;

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, before, 5000, 0), 5000);
	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 100, 0), 100);
	CHECK_EQ(write(ends[1], "DIRTY", 5), 5);
	CHECK_EQ(read_full(ends[0], back, 105), 105);
	CHECK(!memcmp(back, before, 100));
	CHECK(!memcmp(back + 100, "DIRTY", 5));
	CHECK_EQ(pread(fd, back, 5000, 0), 5000);
	CHECK(!memcmp(back, before, 5000));
}

TEST(merge_stays_home, 5, "a write after a splice from a file never lands in the file's page")
{
	write_behind(make_file(PATH, 5000));
	write_behind(open(DISK_FILE, O_RDONLY));
}

TEST(merge_does_not_travel, 5, "a slot that moved to another pipe is not appended to there")
{
	make_pipe(ends, 0);
	make_pipe(other, 0);
	CHECK_EQ(write(ends[1], "abcdef", 6), 6);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 3, 0), 3);
	CHECK_EQ(write(other[1], "XY", 2), 2);
	CHECK_EQ(write(ends[1], "gh", 2), 2);
	CHECK_EQ(read(other[0], back, 100), 5);
	CHECK(!memcmp(back, "abcXY", 5));
	CHECK_EQ(read(ends[0], back, 100), 5);
	CHECK(!memcmp(back, "defgh", 5));
}

TEST(which_comes_first, 5, "an empty source counts more than a target without reader or room")
{
	make_pipe(ends, O_NONBLOCK);
	make_pipe(other, O_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	while (write(other[1], back, 4096) > 0)
		;
	CHECK_ERR(splice(ends[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(ends[0], other[1], 10, 0), EAGAIN);
	close(ends[1]);
	CHECK_ERR(splice(ends[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(ends[0], other[1], 10, 0), EAGAIN);
	make_pipe(ends, O_NONBLOCK);
	close(other[0]);
	CHECK_ERR(splice(ends[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(ends[0], other[1], 10, 0), EAGAIN);
	close(ends[1]);
	CHECK_ERR(splice(ends[0], NULL, other[1], NULL, 10, SPLICE_F_NONBLOCK), EPIPE);
	CHECK_ERR(tee(ends[0], other[1], 10, 0), EPIPE);
}

TEST(merge_is_not_shared, 5, "what is written to both pipes after a tee spoils neither")
{
	make_pipe(ends, 0);
	make_pipe(other, 0);
	CHECK_EQ(write(ends[1], "abcdef", 6), 6);
	CHECK_EQ(tee(ends[0], other[1], 6, 0), 6);
	CHECK_EQ(write(ends[1], "gh", 2), 2);
	CHECK_EQ(write(other[1], "XY", 2), 2);
	CHECK_EQ(read(ends[0], back, 100), 8);
	CHECK(!memcmp(back, "abcdefgh", 8));
	CHECK_EQ(read(other[0], back, 100), 8);
	CHECK(!memcmp(back, "abcdefXY", 8));
}

/* A child that sleeps in one call on a pipe. */
static pid_t sleeper(int pipe_end, bool reads)
{
	pid_t child = fork();

	if (!child)
		_exit((reads ? read(pipe_end, back, 4096) : write(pipe_end, back, 4096)) != 4096);
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	return child;
}

TEST(sleepers_wake, 10, "splice and tee wake who waits for bytes, and who waits for room")
{
	int fd = make_file(PATH, 8192), null = open("/dev/null", O_WRONLY);
	loff_t at = 0;
	pid_t child;

	make_pipe(ends, 0);
	make_pipe(other, 0);
	child = sleeper(ends[0], true);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
	child = sleeper(other[0], true);
	CHECK_EQ(write(ends[1], back, 4096), 4096);
	CHECK_EQ(tee(ends[0], other[1], 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
	child = sleeper(other[0], true);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(ends[1], back, 4096), 4096);
	child = sleeper(ends[1], false);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
	child = sleeper(ends[1], false);
	at = 0;
	CHECK_EQ(splice(ends[0], NULL, fd, &at, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
	child = sleeper(ends[1], false);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
}

TEST(sparse, 5, "a hole comes as zeros")
{
	int fd = make_file(PATH, 10);

	CHECK_EQ(ftruncate(fd, 50000), 0);
	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 50000, 0), 50000);
	CHECK_EQ(read_full(ends[0], back, 50000), 50000);
	CHECK_EQ(test_differs(back, 10, 7, 0), 10);
	for (int i = 10; i < 50000; i++)
		CHECK_EQ(back[i], 0);
}

TEST(mapping_follows_write, 5,
     "a mapping of a page that a pipe holds shows what is then written to the file")
{
	int fd = make_file(PATH, 8192);
	char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	CHECK_EQ((unsigned char)map[4100], test_byte(7, 4100));
	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 8192, 0), 8192);
	CHECK_EQ(pwrite(fd, "new", 3, 4100), 3);
	CHECK(!memcmp(map + 4100, "new", 3));
	CHECK_EQ((unsigned char)map[4103], test_byte(7, 4103));
	CHECK_EQ(munmap(map, 8192), 0);
}

TEST(tee_copies, 5, "tee leaves the source as it is, and refuses one and the same pipe")
{
	make_pipe(ends, 0);
	make_pipe(other, 0);
	test_fill(data, 20000, 3, 0);
	CHECK_EQ(write(ends[1], data, 20000), 20000);
	CHECK_EQ(tee(ends[0], other[1], 100000, 0), 20000);
	CHECK_EQ(read_full(ends[0], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, 3, 0), 20000);
	CHECK_EQ(read_full(other[0], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, 3, 0), 20000);
	CHECK_ERR(tee(ends[0], ends[1], 10, 0), EINVAL);
	CHECK_ERR(tee(0, other[1], 10, 0x80), EINVAL);
	CHECK_ERR(tee(ends[0], other[1], 10, SPLICE_F_NONBLOCK), EAGAIN);
	close(ends[1]);
	CHECK_EQ(tee(ends[0], other[1], 10, 0), 0);
}

TEST(both_directions, 30,
     "splice and tee between two pipes in both directions at once do not deadlock")
{
	pid_t children[4];
	long long end = test_ms() + 2000;

	make_pipe(ends, O_NONBLOCK);
	make_pipe(other, O_NONBLOCK);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_EQ(write(other[1], "abcdefghij", 10), 10);
	for (int i = 0; i < 4; i++) {
		if ((children[i] = fork()))
			continue;
		while (test_ms() < end) {
			int from = i & 1 ? ends[0] : other[0], to = i & 1 ? other[1] : ends[1];

			if (i & 2)
				tee(from, to, 3, SPLICE_F_NONBLOCK);
			else
				splice(from, NULL, to, NULL, 7, SPLICE_F_NONBLOCK);
			if (i == 2)
				read(ends[0], back, 5);
			if (i == 3)
				read(other[0], back, 5);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

/* What Linux gives up: bytes in a pipe never change. */

BEYOND_TEST(write_after_splice, 5, "a later write to the file does not show in the pipe",
	    "Linux shares the page")
{
	int fd = make_file(PATH, 20000);

	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 20000, 0), 20000);
	memset(back, 'X', 20000);
	CHECK_EQ(pwrite(fd, back, 20000, 0), 20000);
	CHECK_EQ(read_full(ends[0], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, 7, 0), 20000);
	CHECK_EQ(pread(fd, back, 20000, 0), 20000);
	for (int i = 0; i < 20000; i++)
		CHECK_EQ(back[i], 'X');
}

BEYOND_TEST(mapping_after_splice, 5, "a store through a shared mapping does not show in the pipe",
	    "Linux shares the page")
{
	int fd = make_file(PATH, 8192);
	volatile char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[5000] = map[5000];
	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 8192, 0), 8192);
	for (int i = 0; i < 8192; i++)
		map[i] = 'Y';
	CHECK_EQ(read_full(ends[0], back, 8192), 8192);
	CHECK_EQ(test_differs(back, 8192, 7, 0), 8192);
	CHECK_EQ(pread(fd, back, 8192, 0), 8192);
	CHECK(back[0] == 'Y' && back[8191] == 'Y');
}

BEYOND_TEST(truncate_after_splice, 5, "truncating the file leaves the slots as they were",
	    "Linux zeroes the tail of the shared page")
{
	int fd = make_file(PATH, 10000);

	make_pipe(ends, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 10000, 0), 10000);
	CHECK_EQ(ftruncate(fd, 100), 0);
	CHECK_EQ(ftruncate(fd, 10000), 0);
	CHECK_EQ(read_full(ends[0], back, 10000), 10000);
	CHECK_EQ(test_differs(back, 10000, 7, 0), 10000);
	CHECK_EQ(pread(fd, back, 10000, 0), 10000);
	CHECK_EQ(test_differs(back, 100, 7, 0), 100);
	CHECK_EQ(back[100], 0);
}

BEYOND_TEST(splice_into_lent_page, 5, "another splice into the file does not show either",
	    "Linux shares the page")
{
	int fd = make_file(PATH, 8192);
	loff_t at = 0;

	make_pipe(ends, 0);
	make_pipe(other, 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 8192, 0), 8192);
	CHECK_EQ(write(other[1], "ZZZZZZ", 6), 6);
	CHECK_EQ(splice(other[0], NULL, fd, &at, 6, 0), 6);
	CHECK_EQ(read_full(ends[0], back, 8192), 8192);
	CHECK_EQ(test_differs(back, 8192, 7, 0), 8192);
	CHECK_EQ(pread(fd, back, 6, 0), 6);
	CHECK(!memcmp(back, "ZZZZZZ", 6));
}

TEST(bad_pointer_first, 5,
     "an offset that cannot be read is reported before other errors, but for a pipe")
{
	int fd = make_file(PATH, FILE_SIZE), writer = open("/dev/null", O_WRONLY);
	loff_t *bad = (loff_t *)8;

	make_pipe(ends, 0);
	CHECK(writer >= 0);
	CHECK_ERR(splice(writer, bad, ends[1], NULL, 10, 0), EFAULT);
	CHECK_ERR(splice(fd, bad, fd, NULL, 10, 0), EFAULT);
	CHECK_ERR(splice(fd, NULL, fd, bad, 10, 0), EFAULT);
	CHECK_ERR(splice(fd, bad, ends[0], NULL, 10, 0), EFAULT);
	CHECK_ERR(splice(ends[0], NULL, open("/tmp", O_RDONLY), bad, 10, 0), EFAULT);
	CHECK_ERR(splice(fd, bad, ends[1], bad, 10, 0), ESPIPE);
	CHECK_ERR(splice(ends[0], bad, fd, NULL, 10, 0), ESPIPE);
	CHECK_ERR(splice(999, bad, fd, bad, 10, 0), EBADF);
	CHECK_ERR(splice(fd, bad, fd, bad, 10, 64), EINVAL);
	CHECK_EQ(splice(fd, bad, ends[1], bad, 0, 0), 0);
}
