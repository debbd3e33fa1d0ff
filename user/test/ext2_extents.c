/*
 * Where the files of ext2 lie on the disk: the ioctls FS_IOC_FIEMAP and FIBMAP.
 */
#include "ext2.h"
#include <stddef.h>
#include <sys/socket.h>

#define SEED	 71
#define PAGE	 4096
#define MAX	 300
#define FIBMAP	 1
#define FIGETBSZ 2
#define FIEMAP	 0xc020660b /* FS_IOC_FIEMAP */

/* linux/fiemap.h */
#define SYNC	  1
#define XATTR	  2
#define CACHE	  4
#define LAST	  0x1
#define MERGED	  0x1000
#define COUNT_MAX (UINT32_MAX / 56)

struct extent {
	uint64_t logical, physical, length, reserved64[2];
	uint32_t flags, reserved[3];
};

struct map {
	uint64_t start, length;
	uint32_t flags, mapped, count, reserved;
	struct extent extents[MAX];
};

static struct map map;

static int ask(int fd, uint64_t start, uint64_t length, unsigned int flags, unsigned int count)
{
	memset(&map, 0xa5, sizeof(map));
	map.start = start;
	map.length = length;
	map.flags = flags;
	map.count = count;
	return ioctl(fd, FIEMAP, &map);
}

/* All extents of a file. Returns how many. */
static unsigned int ask_all(int fd)
{
	CHECK_EQ(ask(fd, 0, UINT64_MAX, 0, MAX), 0);
	CHECK(map.mapped < MAX);
	return map.mapped;
}

static unsigned int block_of(int fd, unsigned int block)
{
	CHECK_EQ(ioctl(fd, FIBMAP, &block), 0);
	return block;
}

/* The extent that has a block of the file, or NULL. */
static const struct extent *extent_of(off_t at)
{
	for (unsigned int i = 0; i < map.mapped; i++) {
		const struct extent *extent = &map.extents[i];

		if (at >= (off_t)extent->logical && at < (off_t)(extent->logical + extent->length))
			return extent;
	}
	return NULL;
}

/* What holds of the extents in `map`, which are all of a range. */
static void are_in_order(int block)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < map.mapped; i++) {
		const struct extent *extent = &map.extents[i];

		CHECK(extent->logical >= end && extent->length > 0);
		CHECK_EQ((extent->logical | extent->physical | extent->length) % block, 0);
		CHECK_EQ(extent->flags, MERGED | (i == map.mapped - 1 ? LAST : 0));
		CHECK(extent->reserved64[0] == 0 && extent->reserved64[1] == 0);
		CHECK(extent->reserved[0] == 0 && extent->reserved[1] == 0 &&
		      extent->reserved[2] == 0);
		end = extent->logical + extent->length;
	}
	CHECK_EQ(map.flags, 0);
}

/* A file with data in many places, of which no two lie in a row. */
static off_t place_of(int i, int block)
{
	static const int blocks[] = { 0, 2, 5, 11, 13, 100, 270, 272, 300 };

	return (off_t)blocks[i] * block;
}
#define PLACES 9

static int make_islands(const char *path, int block)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	memset(buf, 'i', block);
	for (int i = 0; i < PLACES; i++)
		CHECK_EQ(pwrite(fd, buf, block, place_of(i, block)), block);
	return fd;
}

/* ---- the extents are right ---- */

static void make_files(int block)
{
	int fd = make_file(MNT "/row", 300 * block + 10, SEED);

	close(fd);
	fd = make_islands(MNT "/islands", block);
	CHECK_EQ(ftruncate(fd, 600 * block), 0);
	close(fd);
	fd = open(MNT "/far", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, "far", 3, 5ll << 30), 3);
	CHECK_EQ(pwrite(fd, "near", 4, 0), 4);
	close(fd);
}

/* Each block is where FIBMAP says, and the disk has its bytes there. */
static void agrees(const char *path, int blocks, int block)
{
	int fd = open(path, O_RDONLY);
	char there[PAGE];

	CHECK(fd >= 0);
	CHECK(ask_all(fd) > 0);
	are_in_order(block);
	for (int i = 0; i < blocks; i++) {
		off_t at = (off_t)i * block;
		const struct extent *extent = extent_of(at);
		off_t place = extent ? (off_t)extent->physical + at - (off_t)extent->logical : 0;
		ssize_t n = pread(fd, buf, block, at);

		CHECK_EQ(block_of(fd, i), place / block);
		CHECK_EQ(lseek(fd, at, SEEK_DATA) == at, extent != NULL);
		if (!extent)
			continue;
		CHECK_EQ(pread(disk, there, block, place), block);
		CHECK(n > 0 && !memcmp(there, buf, n));
	}
	CHECK_EQ(block_of(fd, blocks + 1000), 0);
	close(fd);
}

static void files_agree(int block)
{
	int fd = open(MNT "/far", O_RDONLY);

	agrees(MNT "/row", 301, block);
	agrees(MNT "/islands", 600, block);
	CHECK_EQ(ask_all(fd), 2);
	are_in_order(block);
	CHECK_EQ(map.extents[0].logical, 0);
	CHECK_EQ(map.extents[1].logical, 5ll << 30);
	CHECK_EQ(map.extents[1].length, block);
	CHECK_EQ(block_of(fd, (5ll << 30) / block), map.extents[1].physical / block);
	close(fd);
}

TEST(places, 60, "extents tell where the bytes of a file are on the disk, and FIBMAP agrees")
{
	on_all_sizes(make_files, files_agree);
}

/* ---- ranges, and arrays that are short ---- */

static void ranges(int block)
{
	int fd = make_islands(MNT "/islands", block);

	CHECK_EQ(ask_all(fd), PLACES);
	for (int i = 0; i < PLACES; i++)
		CHECK_EQ(map.extents[i].logical, place_of(i, block));
	/* The edges of the range lie inside blocks: these count as a whole. */
	CHECK_EQ(ask(fd, 2 * block + 7, 3 * block - 6, 0, MAX), 0);
	CHECK_EQ(map.mapped, 2);
	are_in_order(block);
	CHECK_EQ(map.extents[0].logical, 2 * block);
	CHECK_EQ(map.extents[1].logical, 5 * block);
	CHECK_EQ(ask(fd, 3 * block, 2 * block, 0, MAX), 0);
	CHECK_EQ(map.mapped, 0);
	CHECK_EQ(map.start, 3 * block);
	CHECK_EQ(map.length, 2 * block);
	/* Without an array they are counted. */
	CHECK_EQ(ask(fd, 0, UINT64_MAX, 0, 0), 0);
	CHECK_EQ(map.mapped, PLACES);
	CHECK_EQ(map.length, UINT64_MAX);
	for (unsigned int i = 0; i < sizeof(map.extents); i++)
		CHECK_EQ(((unsigned char *)map.extents)[i], 0xa5);
	CHECK_EQ(ask(fd, 0, UINT64_MAX, 0, 3), 0);
	CHECK_EQ(map.mapped, 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(map.extents[i].flags, MERGED);
	CHECK_EQ(map.extents[3].flags, 0xa5a5a5a5);
	CHECK_EQ(ask(fd, 0, UINT64_MAX, 0, PLACES), 0);
	CHECK_EQ(map.mapped, PLACES);
	are_in_order(block);
	close(fd);
	/* A part of a long run, which both edges cut off. */
	fd = make_file(MNT "/row", 9 * block, SEED);
	CHECK_EQ(ask(fd, 3 * block + 1, block, 0, MAX), 0);
	CHECK_EQ(map.mapped, 1);
	are_in_order(block);
	CHECK_EQ(map.extents[0].logical, 3 * block);
	CHECK_EQ(map.extents[0].length, 2 * block);
	CHECK_EQ(map.extents[0].physical / block, block_of(fd, 3));
	close(fd);
}

TEST(parts, 60, "a range is asked for block by block; a short array gets the first extents")
{
	on_all_sizes(ranges, NULL);
}

static void changes(int block)
{
	int fd = make_file(MNT "/file", 10 * block, SEED);

	CHECK_EQ(fallocate(fd, 3, 2 * block, 3 * block), 0);
	CHECK_EQ(ask_all(fd), 2);
	are_in_order(block);
	CHECK_EQ(map.extents[0].length, 2 * block);
	CHECK_EQ(map.extents[1].logical, 5 * block);
	CHECK_EQ(block_of(fd, 3), 0);
	CHECK_EQ(ftruncate(fd, block), 0);
	CHECK_EQ(ask_all(fd), 1);
	CHECK_EQ(map.extents[0].length, block);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(ask_all(fd), 0);
	CHECK_EQ(block_of(fd, 0), 0);
	close(fd);
}

TEST(holes, 60, "punched and truncated blocks leave the extents at once")
{
	on_all_sizes(changes, NULL);
}

/* ---- what is refused ---- */

static void flags(int block)
{
	int fd = make_file(MNT "/file", 3 * block, SEED);

	CHECK_EQ(ask(fd, 0, UINT64_MAX, SYNC, MAX), 0);
	CHECK_EQ(map.flags, SYNC);
	CHECK_EQ(map.mapped, 1);
	CHECK_EQ(ask(fd, 0, UINT64_MAX, CACHE, MAX), 0);
	CHECK_EQ(map.mapped, 1);
	are_in_order(block);
	CHECK_EQ(ask(fd, 0, UINT64_MAX, SYNC | XATTR | CACHE, MAX), 0);
	CHECK_EQ(map.flags, SYNC);
	CHECK_EQ(map.mapped, 0);
	CHECK_ERR(ask(fd, 0, UINT64_MAX, SYNC | XATTR | 0x80000008, MAX), EBADR);
	CHECK_EQ(map.flags, 0x80000008);
	CHECK_EQ(map.mapped, 0);
	CHECK_ERR(ask(fd, 0, 0, 8 | XATTR | CACHE, MAX), EINVAL);
	CHECK_EQ(map.flags, 8 | XATTR);
	CHECK_ERR(ask(fd, 1ull << 63, 1, 8, MAX), EFBIG);
	CHECK_EQ(map.flags, 8);
	close(fd);
}

TEST(flags, 60, "SYNC, XATTR and CACHE; unknown flags are EBADR, and are written back")
{
	on_all_sizes(flags, NULL);
}

static void limits(int block)
{
	int fd = make_file(MNT "/file", 3 * block, SEED);
	off_t limit = (12ll + 256 + 256 * 256 + 256 * 256 * 256) * 1024;

	CHECK_ERR(ask(fd, 0, UINT64_MAX, 0, COUNT_MAX + 1), EINVAL);
	CHECK_EQ(map.mapped, 0xa5a5a5a5);
	CHECK_EQ(ask(fd, 0, block, 0, COUNT_MAX), 0);
	CHECK_EQ(map.mapped, 1);
	CHECK_ERR(ask(fd, 0, 0, 0, MAX), EINVAL);
	CHECK_EQ(map.mapped, 0);
	CHECK_ERR(ask(fd, 1ull << 62, 1, 0, MAX), EFBIG);
	CHECK_ERR(ask(fd, UINT64_MAX, 1, 0, MAX), EFBIG);
	if (block == 1024) {
		CHECK_EQ(ask(fd, limit - 1, 100, 0, MAX), 0);
		CHECK_ERR(ask(fd, limit, 100, 0, MAX), EINVAL);
		CHECK_ERR(ask(fd, limit + 1, 100, 0, MAX), EFBIG);
	}
	CHECK_EQ(block_of(fd, 0x7fffffff), 0);
	close(fd);
}

TEST(limits, 60, "too many extents and an empty range are EINVAL, one beyond all files EFBIG")
{
	on_all_sizes(limits, NULL);
}

/* The memory behind the second extent is not there. */
static void short_memory(int block)
{
	int fd = make_islands(MNT "/islands", block);
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct map *at = (struct map *)(pages + PAGE - offsetof(struct map, extents[2]) - 20);

	CHECK(pages != MAP_FAILED);
	CHECK_EQ(munmap(pages + PAGE, PAGE), 0);
	*(uint64_t *)&at->start = 0;
	at->length = UINT64_MAX;
	at->flags = 0;
	at->count = 5;
	CHECK_ERR(ioctl(fd, FIEMAP, at), EFAULT);
	CHECK_EQ(at->mapped, 2);
	CHECK_EQ(at->extents[1].logical, 2 * block);
	CHECK_EQ(at->extents[1].flags, MERGED);
	at->count = 2;
	CHECK_EQ(ioctl(fd, FIEMAP, at), 0);
	CHECK_ERR(ioctl(fd, FIEMAP, pages + PAGE - 8), EFAULT);
	CHECK_ERR(ioctl(fd, FIEMAP, NULL), EFAULT);
	CHECK_EQ(mprotect(pages, PAGE, PROT_READ), 0);
	CHECK_ERR(ioctl(fd, FIEMAP, at), EFAULT);
	CHECK_EQ(munmap(pages, PAGE), 0);
	close(fd);
}

TEST(memory, 60, "extents are copied one by one up to where the memory ends: EFAULT")
{
	on_all_sizes(short_memory, NULL);
}

static void kinds(int block)
{
	int fd = open(MNT, O_RDONLY);
	unsigned int number = 0;

	CHECK(ask_all(fd) > 0);
	are_in_order(block);
	CHECK_EQ(map.extents[0].logical, 0);
	CHECK_ERR(ioctl(fd, FIBMAP, &number), ENOTTY);
	close(fd);
	CHECK_EQ(mknod(MNT "/null", S_IFCHR | 0600, 0x103), 0);
	fd = open(MNT "/null", O_RDWR);
	CHECK_ERR(ask(fd, 0, 1, 0, MAX), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, FIBMAP, &number), ENOTTY);
	close(fd);
}

TEST(directories, 60, "a directory has extents, a device has none")
{
	on_all_sizes(kinds, NULL);
}

static void not_supported(int fd)
{
	CHECK(fd >= 0);
	CHECK_ERR(ask(fd, 0, UINT64_MAX, 0, MAX), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, FIEMAP, NULL), EOPNOTSUPP);
}

TEST(other_files, 10, "tmpfs, pipes, sockets and disks have no extents: EOPNOTSUPP")
{
	int ends[2], fd = open("/tmp/extents", O_RDWR | O_CREAT, 0600), number = 7;

	not_supported(fd);
	CHECK_ERR(ioctl(fd, FIBMAP, &number), EINVAL);
	CHECK_EQ(number, 0);
	close(fd);
	CHECK_EQ(unlink("/tmp/extents"), 0);
	not_supported(open("/tmp", O_RDONLY));
	not_supported(open("/proc/version", O_RDONLY));
	not_supported(open("/dev/null", O_RDONLY));
	CHECK_EQ(pipe(ends), 0);
	not_supported(ends[0]);
	CHECK_ERR(ioctl(ends[0], FIBMAP, &number), ENOTTY);
	not_supported(socket(AF_UNIX, SOCK_STREAM, 0));
	open_disk();
	not_supported(disk);
	CHECK_ERR(ioctl(999, FIEMAP, &map), EBADF);
}

static void blocks_of_others(int block)
{
	int fd = make_file(MNT "/file", 3 * block, SEED), number = -1, size = 0;

	CHECK_ERR(ioctl(fd, FIBMAP, &number), EINVAL);
	CHECK_EQ(number, -1);
	CHECK_ERR(ioctl(fd, FIBMAP, NULL), EFAULT);
	CHECK_EQ(ioctl(fd, FIGETBSZ, &size), 0);
	CHECK_EQ(size, block);
	CHECK_EQ(seteuid(1000), 0);
	CHECK_EQ(ask_all(fd), 1);
	number = 0;
	CHECK_ERR(ioctl(fd, FIBMAP, &number), EPERM);
	CHECK_ERR(ioctl(fd, FIBMAP, NULL), EPERM);
	CHECK_EQ(seteuid(0), 0);
	close(fd);
}

TEST(fibmap, 60, "FIBMAP is for root, and takes no negative number; FIEMAP is for all")
{
	on_all_sizes(blocks_of_others, NULL);
}
