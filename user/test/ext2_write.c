/*
 * ext2 is written: the bytes of files, by all calls that write, with blocks of all sizes. Sizes and
 * holes.
 */
#include "ext2.h"
#include <sys/sendfile.h>

#define SEED  31
#define KIB   1024
#define PAGE  4096
#define SMALL (70 * KIB + 123)

/* Write bytes of the stream at their place. */
static void put(int fd, off_t at, size_t n)
{
	CHECK(n <= sizeof(buf));
	test_fill(buf, n, SEED, at);
	CHECK_EQ(pwrite(fd, buf, n, at), n);
}

static void has(int fd, off_t at, size_t n)
{
	has_bytes(fd, at, n, SEED);
}

/* ---- all calls that write ---- */

static void write_by_all_calls(int block)
{
	int fd = create(MNT "/append"), ends[2], from;
	struct iovec parts[3];
	loff_t at;

	close(fd);
	fd = open(MNT "/append", O_WRONLY | O_APPEND);
	test_fill(buf, 60000, SEED, 0);
	for (size_t done = 0; done < 60000; done += 1500) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(write(fd, buf + done, 1500), 1500);
	}
	close(fd);
	close(make_file(MNT "/source", SMALL, SEED));
	from = open(MNT "/source", O_RDONLY);
	CHECK(from >= 0);

	fd = create(MNT "/pwritev");
	test_fill(buf, 50000, SEED, 0);
	parts[0] = (struct iovec){ buf, 1 };
	parts[1] = (struct iovec){ buf + 1, 40000 };
	parts[2] = (struct iovec){ buf + 40001, 9999 };
	CHECK_EQ(pwritev(fd, parts, 3, 0), 50000);
	close(fd);

	fd = create(MNT "/sendfile");
	for (size_t left = SMALL; left > 0;) {
		ssize_t n = sendfile(fd, from, NULL, left);

		CHECK(n > 0);
		left -= n;
	}
	close(fd);

	fd = create(MNT "/copy");
	for (loff_t in = 0, out = 0; in < SMALL;)
		CHECK(copy_file_range(from, &in, fd, &out, SMALL - in, 0) > 0);
	close(fd);

	fd = create(MNT "/splice");
	CHECK_EQ(pipe(ends), 0);
	at = 0;
	for (loff_t in = 0; in < SMALL;) {
		ssize_t n = splice(from, &in, ends[1], NULL, 30000, 0), moved;

		CHECK(n > 0);
		for (; n > 0; n -= moved) {
			moved = splice(ends[0], NULL, fd, &at, n, SPLICE_F_MOVE);
			CHECK(moved > 0);
		}
	}
	close(fd);
	close(from);

	fd = create(MNT "/synced");
	put(fd, 0, 10000);
	CHECK_EQ(fdatasync(fd), 0);
	put(fd, 10000, 10000);
	CHECK_EQ(sync_file_range(fd, 0, 0, 7), 0);
	CHECK_EQ(syncfs(fd), 0);
	close(fd);
	fd = open(MNT "/synced", O_RDWR | O_SYNC);
	put(fd, 20000, 10000);
	close(fd);
	fd = open(MNT "/synced", O_RDWR | O_DSYNC);
	put(fd, 30000, 10000);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
}

static void all_is_written(int block)
{
	is_file(MNT "/append", 60000, SEED);
	is_file(MNT "/source", SMALL, SEED);
	is_file(MNT "/pwritev", 50000, SEED);
	is_file(MNT "/sendfile", SMALL, SEED);
	is_file(MNT "/copy", SMALL, SEED);
	is_file(MNT "/splice", SMALL, SEED);
	is_file(MNT "/synced", 40000, SEED);
	CHECK_EQ(stat_of(MNT "/append").st_blocks,
		 ((60000 + block - 1) / block + (60000 > 12 * block)) * (block / 512));
}

TEST(calls, 60, "what write, pwritev, sendfile, splice and copies put into a file is on the disk")
{
	on_all_sizes(write_by_all_calls, all_is_written);
}

/* ---- writes that end early ---- */

/* Whatever was in the blocks before, a hole that a failed write was about to fill has zeros. */
static void write_from_nowhere(int block)
{
	char *source =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int junk = create(MNT "/junk"), fd;
	struct iovec parts[2];

	CHECK(source != MAP_FAILED);
	memset(source, 'j', 2 * PAGE);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(pwrite(junk, source, PAGE, (off_t)i * PAGE), PAGE);
	CHECK_EQ(fsync(junk), 0);
	close(junk);
	CHECK_EQ(unlink(MNT "/junk"), 0);
	sync();
	CHECK_EQ(munmap(source + PAGE, PAGE), 0);
	fd = create(MNT "/holes");
	CHECK_EQ(ftruncate(fd, 100 * PAGE), 0);
	for (int i = 0; i < 100; i += 2) {
		parts[0] = (struct iovec){ source, 1000 };
		parts[1] = (struct iovec){ source + PAGE, 3096 };
		CHECK_EQ(pwritev(fd, parts, 2, (off_t)i * PAGE), 1000);
		CHECK_ERR(pwrite(fd, source + PAGE, PAGE, (off_t)i * PAGE + PAGE), EFAULT);
	}
	close(fd);
}

static void holes_have_zeros(int block)
{
	int fd = open(MNT "/holes", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 100 * PAGE);
	for (int i = 0; i < 100; i += 2) {
		CHECK_EQ(pread(fd, buf, 1000, (off_t)i * PAGE), 1000);
		for (int k = 0; k < 1000; k++)
			CHECK_EQ(buf[k], 'j');
		has_zeros(fd, (off_t)i * PAGE + 1000, 2 * PAGE - 1000);
	}
	close(fd);
}

TEST(bad_source, 60,
     "a write from memory that does not exist leaves zeros where it has written nothing")
{
	on_all_sizes(write_from_nowhere, holes_have_zeros);
}

/* ---- holes and indirect blocks ---- */

#define PIECE 3000

static int places(int block, off_t *at)
{
	off_t pointers = block / 4, twice = 12 + pointers, thrice = twice + pointers * pointers;
	off_t blocks[] = { 0,	       11,     12,
			   twice - 1,  twice,  twice + 3 * pointers - 1,
			   thrice - 1, thrice, thrice + 2 * pointers * pointers + pointers + 1 };
	int n = sizeof(blocks) / sizeof(blocks[0]);

	for (int i = 0; i < n; i++)
		at[i] = blocks[i] * block + 100;
	return n;
}

static void write_sparse(int block)
{
	int fd = create(MNT "/sparse"), n;
	off_t at[16];

	n = places(block, at);
	for (int i = n; i-- > 0;) /* backwards, so that all but the first of them fill holes */
		put(fd, at[i], PIECE);
	CHECK_EQ(lseek(fd, 0, SEEK_END), at[n - 1] + PIECE);
	close(fd);
}

static void sparse_is_there(int block)
{
	int fd = open(MNT "/sparse", O_RDONLY), n;
	off_t at[16], thrice = 12 + block / 4 + (off_t)(block / 4) * (block / 4);

	CHECK(fd >= 0);
	n = places(block, at);
	for (int i = 0; i < n; i++)
		has(fd, at[i], PIECE);
	has_zeros(fd, 0, 100);
	has_zeros(fd, 6 * block, 4 * block);
	has_zeros(fd, (thrice - 20) * block, 15 * block);
	has_zeros(fd, (thrice + 20) * block, 40 * block);
	CHECK_EQ(lseek(fd, 0, SEEK_END), at[n - 1] + PIECE);
	CHECK(stat_of(MNT "/sparse").st_blocks < 80 * block / 512);
	CHECK_EQ(lseek(fd, 150, SEEK_DATA), 150);
	CHECK(lseek(fd, 150, SEEK_HOLE) >= 100 + PIECE);
	CHECK_ERR(lseek(fd, at[n - 1] + PIECE, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, at[n - 1] + PIECE, SEEK_HOLE), ENXIO);
	close(fd);
}

TEST(sparse, 60, "bytes at all depths of indirection, and holes between them")
{
	on_all_sizes(write_sparse, sparse_is_there);
}

static void truncate_sparse(int block)
{
	off_t at[16];
	int n = places(block, at), fd;

	look_at_space();
	write_sparse(block);
	fd = open(MNT "/sparse", O_RDWR);
	CHECK(fd >= 0);
	for (int i = n; i-- > 0;) {
		CHECK_EQ(ftruncate(fd, at[i] + 7), 0);
		has(fd, at[i], 7);
		CHECK_EQ(pread(fd, buf, 100, at[i] + 7), 0);
		CHECK_EQ(ftruncate(fd, at[i] + PIECE), 0);
		has_zeros(fd, at[i] + 7, PIECE - 7);
		if (i % 2)
			forget();
		has(fd, at[i], 7);
		has_zeros(fd, at[i] + 7, PIECE - 7);
	}
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(fstat(fd, &(struct stat){ 0 }), 0);
	CHECK_EQ(stat_of(MNT "/sparse").st_blocks, 0);
	CHECK_EQ(unlink(MNT "/sparse"), 0);
	close(fd);
	space_is_whole();
}

TEST(truncated, 60,
     "a file is shortened at all depths, grows with zeros, and gives its blocks back")
{
	on_all_sizes(truncate_sparse, NULL);
}

/* ---- sizes within a page ---- */

#define STEPS 40

static void resize_in_a_page(int block)
{
	static char model[3 * PAGE];
	int fd = create(MNT "/small");
	uint32_t state = 7;
	size_t size = 0;

	memset(model, 0, sizeof(model));
	for (int i = 0; i < STEPS; i++) {
		size_t at, n;

		state = state * 1664525 + 1013904223;
		at = (state >> 8) % (2 * PAGE);
		state = state * 1664525 + 1013904223;
		n = (state >> 8) % 1500 + 1;
		if (i % 3 == 0) {
			if (at < size)
				memset(model + at, 0, size - at);
			CHECK_EQ(ftruncate(fd, at), 0);
			size = at;
		} else {
			test_fill(buf, n, i, at);
			memcpy(model + at, buf, n);
			CHECK_EQ(pwrite(fd, buf, n, at), n);
			size = at + n > size ? at + n : size;
		}
		if (i % 4 == 0)
			forget();
		CHECK_EQ(pread(fd, buf, sizeof(model), 0), size);
		for (size_t k = 0; k < size; k++)
			if (buf[k] != model[k])
				test_fail(__FILE__, __LINE__, "step %d: byte %zu of %zu is wrong",
					  i, k, size);
	}
	close(fd);
}

TEST(within_a_page, 60, "writes and truncates within pages leave zeros where nothing was written")
{
	on_all_sizes(resize_in_a_page, NULL);
}

/* The bytes behind the end of a file are zeros on the disk, although a mapping can write there. */
static void write_behind_the_end(int block)
{
	int fd = create(MNT "/tail");
	char *map;

	put(fd, 0, 1000);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memset(map + 1000, 'x', PAGE - 1000);
	CHECK_EQ(msync(map, PAGE, MS_SYNC), 0);
	CHECK_EQ(munmap(map, PAGE), 0);
	CHECK_EQ(ftruncate(fd, 3000), 0);
	forget();
	has(fd, 0, 1000);
	has_zeros(fd, 1000, 2000);
	CHECK_EQ(ftruncate(fd, 500), 0);
	CHECK_EQ(pwrite(fd, "end", 3, 9000), 3);
	forget();
	has(fd, 0, 500);
	has_zeros(fd, 500, 8500);
	close(fd);
}

TEST(behind_the_end, 30, "what a mapping writes behind the end of a file is not in the file")
{
	on_all_sizes(write_behind_the_end, NULL);
}

/* ---- mappings ---- */

#define MAPPED (64 * KIB + 700)

static void write_mapped(int block)
{
	int fd = make_file(MNT "/mapped", MAPPED, SEED + 1);
	char *map;

	/* A hole of a page and a half, and one of single blocks. */
	CHECK_EQ(ftruncate(fd, 20000), 0);
	CHECK_EQ(ftruncate(fd, MAPPED), 0);
	put(fd, 50000, 100);
	map = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	test_fill(map + 19000, 30000, SEED, 19000);
	CHECK_EQ(msync(map, MAPPED, MS_SYNC), 0);
	test_fill(map, 19000, SEED, 0);
	test_fill(map + 49000, MAPPED - 49000, SEED, 49000);
	has(fd, 0, MAPPED);
	CHECK_EQ(munmap(map, MAPPED), 0);
	close(fd);
	fd = create(MNT "/hole");
	CHECK_EQ(ftruncate(fd, MAPPED), 0);
	map = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[33000], 0);
	map[33000] = 1;
	map[MAPPED - 1] = 2;
	CHECK_EQ(munmap(map, MAPPED), 0);
	close(fd);
}

static void mapped_is_written(int block)
{
	int fd = open(MNT "/hole", O_RDONLY);

	is_file(MNT "/mapped", MAPPED, SEED);
	has_zeros(fd, 0, 33000);
	has_zeros(fd, 33001, MAPPED - 33002);
	CHECK_EQ(pread(fd, buf, 1, 33000), 1);
	CHECK_EQ(buf[0], 1);
	CHECK_EQ(pread(fd, buf, 10, MAPPED - 1), 1);
	CHECK_EQ(buf[0], 2);
	close(fd);
}

TEST(mapped, 60, "writes to shared mappings are on the disk, into holes as well")
{
	on_all_sizes(write_mapped, mapped_is_written);
}

/* ---- scattered files ---- */

static void scatter(int block)
{
	int one = create(MNT "/one"), two = create(MNT "/two");

	look_at_space();
	for (int i = 0; i < 300; i++) {
		put(one, (off_t)i * block, block);
		put(two, (off_t)i * block, block);
	}
	close(two);
	forget();
	has(one, 0, 300 * block);
	is_file(MNT "/two", 300 * block, SEED);
	CHECK_EQ(unlink(MNT "/two"), 0);
	CHECK_EQ(ftruncate(one, 5 * block), 0);
	has(one, 0, 5 * block);
	CHECK_EQ(ftruncate(one, 0), 0);
	close(one);
	CHECK_EQ(unlink(MNT "/one"), 0);
	before.f_ffree += 2;
	space_is_whole();
}

TEST(scattered, 60, "files whose blocks alternate are freed")
{
	on_all_sizes(scatter, NULL);
}

/* ---- large files ---- */

static void write_large(int block)
{
	off_t pointers = block / 4,
	      blocks = 12 + pointers + pointers * pointers + pointers * pointers * pointers;
	off_t max = blocks * block;
	int fd = create(MNT "/large");

	put(fd, 0x7fffffff - 10, 20);
	if (max > 0x100000000) {
		put(fd, 0xffffffff - 10, 20);
	}
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	close(fd);
	fd = create(MNT "/limited");
	CHECK_ERR(pwrite(fd, "x", 1, (off_t)1 << 52) == -1 && errno == EFBIG ? (errno = EFBIG, -1)
									     : -1,
		  EFBIG);
	CHECK_ERR(ftruncate(fd, (off_t)1 << 52), EFBIG);
	CHECK_ERR(fallocate(fd, 0, 0, 10000), EOPNOTSUPP);
	CHECK_EQ(stat_of(MNT "/limited").st_size, 0);
	close(fd);
}

static void large_is_there(int block)
{
	int fd = open(MNT "/large", O_RDONLY);

	CHECK(fd >= 0);
	has(fd, 0x7fffffff - 10, 20);
	has_zeros(fd, 0x7fffffff - 10000, 9000);
	if (stat_of(MNT "/large").st_size > 0x80001000) {
		has(fd, 0xffffffff - 10, 20);
		CHECK_EQ(lseek(fd, 0, SEEK_END), 0x100000009);
	}
	close(fd);
}

TEST(large, 30, "files of more than 2 and 4 GiB, and what is too large")
{
	on_all_sizes(write_large, large_is_there);
}

/* Blocks of 1 KiB: 12 pointers in the inode, and one, two and three levels of 256 each. */
#define LARGEST ((off_t)KIB * (12 + 256 + 256 * 256 + 256 * 256 * 256))

static ssize_t copy_to(int from, int to, off_t at)
{
	off_t start = 0;

	return copy_file_range(from, &start, to, &at, 10, 0);
}

TEST(largest, 10, "no call goes beyond the end that a file on this disk can have")
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	int fd, small, direct, ends[2];
	off_t at = LARGEST;

	put_image("blank-1k");
	mount_writable();
	fd = create(MNT "/largest");
	small = create(MNT "/small");
	direct = open(MNT "/largest", O_WRONLY | O_DIRECT);
	CHECK(direct >= 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_EQ(write(small, "0123456789", 10), 10);
	CHECK_ERR(pwrite(fd, "ab", 2, LARGEST), EFBIG);
	CHECK_ERR(pwrite(direct, memory, KIB, LARGEST), EFBIG);
	CHECK_ERR(splice(ends[0], NULL, fd, &at, 10, 0), EFBIG);
	CHECK_ERR(copy_to(small, fd, LARGEST), EFBIG);
	CHECK_ERR(ftruncate(fd, LARGEST + 1), EFBIG);
	CHECK_ERR(lseek(fd, LARGEST + 1, SEEK_SET), EINVAL);
	CHECK_EQ(lseek(fd, LARGEST, SEEK_SET), LARGEST);
	CHECK_ERR(write(fd, "ab", 2), EFBIG);
	CHECK_EQ(read(fd, buf, 2), 0);
	CHECK_EQ(stat_of(MNT "/largest").st_size, 0);
	CHECK_EQ(pwrite(fd, "ab", 2, LARGEST - 1), 1);
	CHECK_EQ(stat_of(MNT "/largest").st_size, LARGEST);
	CHECK_EQ(copy_to(small, fd, LARGEST - 4), 4);
	CHECK_EQ(pread(fd, buf, 10, LARGEST - 5), 5);
	CHECK(memcmp(buf, "\0000123", 5) == 0);
	CHECK_ERR(pwrite(fd, "ab", 2, LARGEST), EFBIG);
	close(ends[0]);
	close(ends[1]);
	close(direct);
	close(small);
	close(fd);
	unmount();
}

/* Does the disk itself have the text? */
static bool on_disk(const char *text)
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	int fd = open(disk_path, O_RDONLY | O_DIRECT);
	bool found = false;

	CHECK(fd >= 0);
	while (!found && read(fd, memory, PAGE) == PAGE)
		found = memmem(memory, PAGE, text, strlen(text)) != NULL;
	close(fd);
	return found;
}

TEST(detached, 10, "sync stores a file system, too, that MNT_DETACH has taken away from its place")
{
	static const char text[] = "stored by sync though nobody sees the mount";
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = create(MNT "/file");
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK(!on_disk(text));
	CHECK_EQ(umount2(MNT, MNT_DETACH), 0);
	sync();
	CHECK(on_disk(text));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, buf, sizeof(buf)), strlen(text));
	close(fd);
	mount_writable();
	CHECK_EQ(stat_of(MNT "/file").st_size, strlen(text));
	unmount();
}
