/*
 * Holes in files of ext2 while others read, write and store, and while the blocks that become free
 * are used by other files.
 */
#include "ext2.h"
#include "random.h"

#define PAGE	  4096
#define PUNCH	  0x03 /* PUNCH_HOLE | KEEP_SIZE */

#define RACE_SIZE (64 * PAGE)
#define RACE_MS	  1500

static bool time_is_left(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000 <
	       RACE_MS;
}

/* The file has only 'a' and zeros, whatever blocks it gets and loses. */
static void read_race(const char *map)
{
	int fd = open(MNT "/file", O_RDONLY);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (size_t at = 0; at < RACE_SIZE; at += sizeof(buf)) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		CHECK(n >= 0);
		for (ssize_t i = 0; i < n; i++)
			CHECK(buf[i] == 'a' || buf[i] == 0);
	}
	for (size_t at = 0; at < RACE_SIZE; at += 512)
		CHECK(map[at] == 'a' || map[at] == 0);
	close(fd);
}

static void punch_race(int fd)
{
	for (int i = 0; i < 20; i++) {
		off_t start = random_below(RACE_SIZE), n = 1 + random_below(RACE_SIZE / 4);

		CHECK_EQ(fallocate(fd, PUNCH, start, n), 0);
	}
}

static void write_race(int fd)
{
	memset(buf, 'a', sizeof(buf));
	for (int i = 0; i < 20; i++) {
		size_t start = random_below(RACE_SIZE), n = random_below(sizeof(buf));

		n = n < RACE_SIZE - start ? n : RACE_SIZE - start;
		CHECK_EQ(pwrite(fd, buf, n, start), n);
	}
}

static void store_race(char *map)
{
	for (int i = 0; i < 200; i++)
		map[random_below(RACE_SIZE)] = 'a';
}

/* Another file takes the blocks that become free. */
static void other_race(void)
{
	int fd = create(MNT "/other");

	memset(buf, 'b', sizeof(buf));
	for (int i = 0; i < 8; i++)
		CHECK(write(fd, buf, sizeof(buf)) > 0);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
}

/* The blocks of the file were another file's. They are punched as soon as it has new bytes. */
static void punch_at_once(int block)
{
	enum { BYTES = 256 << 10 };
	int fd = create(MNT "/other");
	struct timespec start;
	static char all[BYTES];

	memset(all, 'b', sizeof(all));
	for (int i = 0; i < 12; i++)
		CHECK_EQ(write(fd, all, sizeof(all)), sizeof(all));
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	CHECK_EQ(unlink(MNT "/other"), 0);
	sync();
	fd = create(MNT "/file");
	CHECK_EQ(ftruncate(fd, BYTES), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!fork()) {
		memset(all, 'a', sizeof(all));
		while (time_is_left(&start)) {
			CHECK_EQ(pwrite(fd, all, sizeof(all), 0), sizeof(all));
			CHECK_EQ(fallocate(fd, PUNCH, 0, sizeof(all)), 0);
		}
		_exit(0);
	}
	while (time_is_left(&start)) {
		CHECK_EQ(pread(fd, all, sizeof(all), 0), sizeof(all));
		for (int i = 0; i < BYTES; i += 512)
			CHECK(all[i] == 'a' || all[i] == 0);
	}
	CHECK_EQ(test_wait(-1), 0);
	close(fd);
}

TEST(fresh, 30, "a hole in bytes that were just written never shows what the disk had there")
{
	on_all_sizes(punch_at_once, NULL);
}

static void race(int block)
{
	int fd = create(MNT "/file"), status;
	struct timespec start;
	char *map;

	CHECK_EQ(ftruncate(fd, RACE_SIZE), 0);
	map = mmap(NULL, RACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 5; i++) {
		if (fork() != 0)
			continue;
		random_state = 100 + i;
		while (time_is_left(&start)) {
			if (i == 0)
				read_race(map);
			else if (i == 1)
				punch_race(fd);
			else if (i == 2)
				write_race(fd);
			else if (i == 3)
				store_race(map);
			else
				other_race();
		}
		_exit(0);
	}
	for (int i = 0; i < 5; i++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	read_race(map);
	munmap(map, RACE_SIZE);
	close(fd);
}

static void race_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	for (size_t at = 0; at < RACE_SIZE; at += sizeof(buf)) {
		CHECK_EQ(pread(fd, buf, sizeof(buf), at), sizeof(buf));
		for (size_t i = 0; i < sizeof(buf); i++)
			CHECK(buf[i] == 'a' || buf[i] == 0);
	}
	close(fd);
}

TEST(races, 60,
     "reads, writes, stores and punches at once show only the file's own bytes and zeros")
{
	on_all_sizes(race, race_is_there);
}
