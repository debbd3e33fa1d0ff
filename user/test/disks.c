/*
 * A raw disk and what is read of it by other ways: a write past the cache is what every later read
 * sees, and a mount sees what was written just before it.
 */
#include "gate.h"

#define PAGE 4096
#define OLD  41
#define NEW  42

static int disk, ends[2], other[2];
static char buf[MIB];

/* The disk has old bytes, none of them cached, and the pipe new ones. */
static void prepare(size_t n)
{
	gate_control("open");
	disk = open("/dev/gate0", O_RDWR);
	CHECK(disk >= 0);
	test_fill(buf, n, OLD, 0);
	CHECK_EQ(pwrite(disk, buf, n, 0), n);
	CHECK_EQ(fsync(disk), 0);
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pipe(ends) | pipe(other), 0);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, n), n);
	test_fill(buf, n, NEW, 0);
	CHECK_EQ(write(ends[1], buf, n), n);
}

static pid_t splicer(loff_t at, size_t n)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child)
		_exit(splice(ends[0], NULL, disk, &at, n, 0) != (ssize_t)n);
	test_sleep_ms(200);
	return child;
}

static void disk_has_new_bytes(size_t n)
{
	CHECK_EQ(pread(disk, back, n, 0), n);
	CHECK_EQ(test_differs(back, n, NEW, 0), n);
	CHECK_EQ(fsync(disk), 0);
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(disk, back, n, 0), n);
	CHECK_EQ(test_differs(back, n, NEW, 0), n);
}

/* A write of a part goes on from what the cache has of the page, and takes that to the disk. */
static void part_is_written(size_t n)
{
	CHECK_EQ(pwrite(disk, buf + n - 1, 1, n - 1), 1);
	CHECK_EQ(pwrite(disk, buf, 1, 0), 1);
}

/*
 * Pieces of pages, each of some sectors, from all over a buffer. The next one begins `step` sectors
 * after the last one, so that in memory they have gaps, and lie across the ends of pages.
 */
static unsigned int fill_with_pieces(unsigned int step)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < 16; i++) {
		struct iovec piece = { buf + (i * step % 500) * 512, (1 + i * 5 % 23) * 512 };

		CHECK_EQ(vmsplice(ends[1], &piece, 1, 0), piece.iov_len);
		memcpy(back + total, piece.iov_base, piece.iov_len);
		total += piece.iov_len;
	}
	return total;
}

/* The same with pieces that begin at odd addresses, each in a page of its own. */
static unsigned int fill_with_odd_pieces(unsigned int step)
{
	char *pages = (char *)(((uintptr_t)buf + PAGE - 1) & -PAGE);
	unsigned int total = 0;

	for (unsigned int i = 0; i < 16; i++) {
		struct iovec piece = { pages + i * PAGE + 2 * step + 1, (1 + i % 7) * 512 };

		CHECK_EQ(vmsplice(ends[1], &piece, 1, 0), piece.iov_len);
		memcpy(back + total, piece.iov_base, piece.iov_len);
		total += piece.iov_len;
	}
	return total;
}

/* tests/guest-tool/disk runs this with each kind of disk. */
BEYOND_TEST(pieces_of_pages, 20,
	    "pieces of pages are spliced to a disk, in any order and with gaps", NO_GATE)
{
	const char *name = getenv("TEST_DISK");
	static char got[16 * 24 * 512];

	disk = test_open_own(name ? name : "/dev/gate0", O_RDWR);
	CHECK(disk >= 0);
	test_fill(buf, MIB, NEW, 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	for (unsigned int step = 1; step < 40; step += 3) {
		unsigned int n = step % 2 ? fill_with_pieces(step) : fill_with_odd_pieces(step);
		loff_t at = step * 512;

		while (at < step * 512 + n)
			CHECK(splice(ends[0], NULL, disk, &at, n, 0) > 0);
		CHECK_EQ(fsync(disk), 0);
		CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
		CHECK_EQ(pread(disk, got, n, step * 512), n);
		CHECK(!memcmp(got, back, n));
	}
}

BEYOND_TEST(
	lent_meanwhile, 20,
	"a slot that is lent of a place of the disk while that is written keeps no old bytes there",
	NO_GATE)
{
	loff_t at = 0;
	pid_t child;

	prepare(PAGE);
	gate_control("close");
	child = splicer(0, PAGE);
	CHECK_EQ(splice(disk, &at, other[1], NULL, PAGE, 0), PAGE);
	gate_control("reverse");
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(disk, back, PAGE, 0), PAGE);
	CHECK_EQ(test_differs(back, PAGE, NEW, 0), PAGE);
	part_is_written(PAGE);
	disk_has_new_bytes(PAGE);
	/* Begun after the write, the slot has what was written. */
	CHECK_EQ(read_full(other[0], back, PAGE), PAGE);
	CHECK_EQ(test_differs(back, PAGE, NEW, 0), PAGE);
}

BEYOND_TEST(read_meanwhile, 20, "a read that begins while the disk is written has the new bytes",
	    NO_GATE)
{
	const size_t n = 64 * PAGE;
	pid_t writer, reader;

	prepare(n);
	gate_control("close");
	writer = splicer(0, n);
	reader = fork();
	CHECK(reader >= 0);
	if (!reader) {
		CHECK_EQ(pread(disk, back, n, 0), n);
		CHECK_EQ(test_differs(back, n, NEW, 0), n);
		_exit(0);
	}
	test_sleep_ms(200);
	gate_control("reverse");
	gate_control("open");
	CHECK_EQ(test_wait(writer), 0);
	CHECK_EQ(test_wait(reader), 0);
	part_is_written(n);
	disk_has_new_bytes(n);
}

BEYOND_TEST(write_that_fails, 20,
	    "a write past the cache that the disk refuses: reads have what is there", NO_GATE)
{
	loff_t at = 0;

	prepare(PAGE);
	gate_control("fail 1");
	CHECK_ERR(splice(ends[0], NULL, disk, &at, PAGE, 0), EIO);
	CHECK_EQ(pread(disk, back, PAGE, 0), PAGE);
	CHECK_EQ(test_differs(back, PAGE, OLD, 0), PAGE);
	CHECK_EQ(splice(ends[0], NULL, disk, &at, PAGE, 0), PAGE);
	disk_has_new_bytes(PAGE);
}

/* ---- a mount at once ---- */

static int image;

static void by_write(void)
{
	ssize_t n;

	while ((n = read(image, buf, 65536)) > 0)
		CHECK_EQ(write(disk, buf, n), n);
}

static void by_splice(void)
{
	ssize_t n;

	CHECK_EQ(pipe(ends), 0);
	while ((n = splice(image, NULL, ends[1], NULL, 65536, 0)) > 0)
		while (n > 0) {
			ssize_t gone = splice(ends[0], NULL, disk, NULL, n, 0);

			CHECK(gone > 0);
			n -= gone;
		}
	close(ends[0]);
	close(ends[1]);
}

/* The device stays open for writing, and nobody has asked for its bytes to reach the disk. */
static void written_and_mounted(void (*put)(void))
{
	struct stat st;
	int fd;

	disk = test_open_own("/dev/gate0", O_RDWR);
	/* Other bytes come first: a mount that sees old ones fails. */
	memset(buf, 0x5a, sizeof(buf));
	CHECK_EQ(pwrite(disk, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_EQ(fsync(disk), 0);
	image = open("/test/data/ext2-1k", O_RDONLY);
	CHECK(image >= 0);
	put();
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(stat("/mnt/small/file", &st), 0);
	fd = open("/mnt/small/file", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read_full(fd, back, sizeof(back)), st.st_size);
	CHECK(!memmem(back, st.st_size, buf + sizeof(buf) - 64, 64));
	close(fd);
	close(image);
	close(disk);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(mounted_at_once, 20, "an image that was written to a disk is mounted at once",
	    "lacks /dev/gate0: Linux has no such disk")
{
	written_and_mounted(by_write);
	written_and_mounted(by_splice);
	written_and_mounted(by_write);
}

/* How many writes the gate has had. */
static long gate_writes(void)
{
	FILE *disks = fopen("/proc/disks", "r");
	char line[200];
	long writes = -1;

	CHECK(disks != NULL);
	while (fgets(line, sizeof(line), disks))
		sscanf(line, "gate0 sectors %*d reads %*d writes %ld", &writes);
	fclose(disks);
	CHECK(writes >= 0);
	return writes;
}

BEYOND_TEST(aged, 20,
	    "what is written to a disk is on it some seconds later, though nobody asks for that",
	    NO_GATE)
{
	long before;
	char *map;

	prepare(PAGE);
	before = gate_writes();
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 9 * PAGE);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(pwrite(disk, buf, 100, 5 * PAGE), 100);
	map[0] = 1; /* a store to a mapping is a write, too */
	for (int i = 0; i < 100 && gate_writes() < before + 2; i++)
		test_sleep_ms(100);
	CHECK_EQ(gate_writes(), before + 2);
	CHECK_EQ(munmap(map, PAGE), 0);
}
