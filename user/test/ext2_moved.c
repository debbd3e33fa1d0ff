/*
 * ext2 is written: whole pages that go from a pipe into a file.
 */
#include "ext2.h"

#define SEED 51
#define PAGE 4096
#define MANY 16 /* pages that a pipe holds */

static int ends[2];

/* Write bytes of the stream to the pipe, and move them to their place in the file. */
static void move(int fd, off_t at, size_t n)
{
	loff_t to = at;

	test_fill(buf, n, SEED, at);
	CHECK_EQ(write(ends[1], buf, n), n);
	while (to < at + (off_t)n)
		CHECK(splice(ends[0], NULL, fd, &to, at + n - to, SPLICE_F_MOVE) > 0);
}

static void move_pages(int block)
{
	int fd = open(MNT "/new", O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 5; i++)
		move(fd, i * MANY * PAGE, MANY * PAGE);
	move(fd, 5 * MANY * PAGE, 100);
	close(fd);

	/* Holes, pages that are there, and pages behind the end. */
	fd = open(MNT "/holes", O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 40 * PAGE), 0);
	test_fill(buf, PAGE, SEED + 1, 0);
	CHECK_EQ(pwrite(fd, buf, PAGE, 4 * PAGE), PAGE);
	CHECK_EQ(pwrite(fd, buf, PAGE, 20 * PAGE), PAGE);
	move(fd, 2 * PAGE, 5 * PAGE);
	move(fd, 30 * PAGE, 15 * PAGE);
	move(fd, 60 * PAGE, 2 * PAGE);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void pages_are_there(int block)
{
	int fd = open(MNT "/holes", O_RDONLY);

	is_file(MNT "/new", 5 * MANY * PAGE + 100, SEED);
	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 62 * PAGE);
	has_zeros(fd, 0, 2 * PAGE);
	has_bytes(fd, 2 * PAGE, 5 * PAGE, SEED);
	has_zeros(fd, 7 * PAGE, 13 * PAGE);
	has_zeros(fd, 21 * PAGE, 9 * PAGE);
	has_bytes(fd, 30 * PAGE, 15 * PAGE, SEED);
	has_zeros(fd, 45 * PAGE, 15 * PAGE);
	has_bytes(fd, 60 * PAGE, 2 * PAGE, SEED);
	close(fd);
}

TEST(pages, 60, "pages that move from a pipe to a file are on the disk")
{
	on_all_sizes(move_pages, pages_are_there);
}

/* Fill the disk with pages from a pipe. What splice has taken is in the file. */
static off_t size;

static void move_until_full(int block)
{
	int fd = open(MNT "/full", O_RDWR | O_CREAT | O_EXCL, 0644);
	loff_t to = 0;
	ssize_t n = 0;

	CHECK(fd >= 0);
	CHECK_EQ(pipe(ends), 0);
	do {
		test_fill(buf, MANY * PAGE, SEED, to);
		CHECK_EQ(write(ends[1], buf, MANY * PAGE), MANY * PAGE);
		for (size = MANY * PAGE; size > 0; size -= n) {
			n = splice(ends[0], NULL, fd, &to, size, SPLICE_F_MOVE);
			if (n <= 0)
				break;
		}
	} while (n > 0);
	CHECK_ERR(splice(ends[0], NULL, fd, &to, size, SPLICE_F_MOVE), ENOSPC);
	size = to;
	CHECK(size > 2 << 20);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void full_is_whole(int block)
{
	is_file(MNT "/full", size, SEED);
}

TEST(full, 60, "a disk that becomes full while pages move to it has what splice has taken")
{
	on_all_sizes(move_until_full, full_is_whole);
}

/*
 * Fill the disk with two files whose blocks alternate, and remove one of them. Then no two blocks
 * that are free are neighbours.
 */
static void move_to_scattered_blocks(int block)
{
	int one = open(MNT "/one", O_RDWR | O_CREAT | O_EXCL, 0644);
	int other = open(MNT "/other", O_RDWR | O_CREAT | O_EXCL, 0644), fd;

	CHECK(one >= 0 && other >= 0);
	for (off_t at = 0; pwrite(one, buf, block, at) == block; at += block)
		if (pwrite(other, buf, block, at) != block)
			break;
	close(one);
	close(other);
	CHECK_EQ(unlink(MNT "/other"), 0);
	sync();
	fd = open(MNT "/new", O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 5; i++)
		move(fd, i * MANY * PAGE, MANY * PAGE);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static void scattered_is_there(int block)
{
	is_file(MNT "/new", 5 * MANY * PAGE, SEED);
}

TEST(scattered, 60, "pages move to a disk whose free blocks are all apart")
{
	on_all_sizes(move_to_scattered_blocks, scattered_is_there);
}
