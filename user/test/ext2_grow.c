/*
 * Files of ext2 that grow while they are mapped. If blocks are smaller than pages, the page in
 * which the file ended has room for a part of its bytes only.
 */
#include "ext2.h"

#define PAGE 4096
#define SEED 53
#define LONG (1 << 20)

/* The last page can be stored to already when the file grows, by each of two ways. */
static void store_behind_the_end(int block)
{
	int fd = make_file(MNT "/file", 1000, SEED), other = make_file(MNT "/other", 1000, SEED);
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *map2 = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);

	CHECK(map != MAP_FAILED && map2 != MAP_FAILED);
	map[1] = map2[1] = 'm';
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_EQ(pwrite(other, "w", 1, 3500), 1);
	map[2500] = map2[2500] = 's';
	CHECK_EQ(munmap(map, PAGE), 0);
	CHECK_EQ(munmap(map2, PAGE), 0);
	close(fd);
	close(other);
}

static void grown_is_there(int block)
{
	for (int i = 0; i < 2; i++) {
		int fd = open(i ? MNT "/other" : MNT "/file", O_RDONLY);

		CHECK_EQ(pread(fd, buf, PAGE, 0), i ? 3501 : PAGE);
		CHECK_EQ(buf[1], 'm');
		CHECK_EQ(buf[2500], 's');
		close(fd);
	}
}

TEST(grown, 30, "a store behind the old end of a file that has grown lasts")
{
	on_all_sizes(store_behind_the_end, grown_is_there);
}

/*
 * One call writes far behind the end, and the file is mapped meanwhile. The call sleeps for each
 * page of its source, which lies on the disk.
 */
static void store_during(int flags)
{
	int source = make_file(MNT "/source", LONG, SEED), fd = create(MNT "/file");
	int writer = open(MNT "/file", O_WRONLY | flags);
	volatile char *map;
	struct stat st;
	void *many;

	CHECK(writer >= 0);
	CHECK_EQ(write(fd, "0123456789", 10), 10);
	forget();
	many = mmap(NULL, LONG, PROT_READ, MAP_PRIVATE, source, 0);
	CHECK(many != MAP_FAILED);
	CHECK_EQ(madvise(many, LONG, MADV_RANDOM), 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[1] = 'm';
	if (!fork()) {
		CHECK_EQ(pwrite(writer, many, LONG, LONG), LONG);
		_exit(0);
	}
	do
		CHECK_EQ(fstat(fd, &st), 0);
	while (st.st_size <= PAGE);
	map[2500] = 's';
	CHECK_EQ(test_wait(-1), 0);
	CHECK_EQ(munmap((void *)map, PAGE) | munmap(many, LONG), 0);
	close(source);
	close(writer);
	close(fd);
}

static void store_during_a_write(int block)
{
	store_during(0);
}

static void store_during_a_direct_write(int block)
{
	store_during(O_DIRECT);
}

static void stored_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	CHECK_EQ(pread(fd, buf, PAGE, 0), PAGE);
	CHECK_EQ(buf[1], 'm');
	CHECK_EQ(buf[2500], 's');
	close(fd);
}

TEST(grows, 30, "a store to a file that a long write makes larger lasts")
{
	on_all_sizes(store_during_a_write, stored_is_there);
}

BEYOND_TEST(grows_directly, 30, "the same if the write goes directly to the disk",
	    "the store is lost")
{
	on_all_sizes(store_during_a_direct_write, stored_is_there);
}
