/*
 * ext2: images of all block sizes read as they should, and damaged ones fail without harm: an
 * error, never a hang.
 *
 * The images and the list of damages are made by tests/images on the host, and lie in /test/data.
 * They are written to /dev/gate0, on Linux to a loop device, and mounted on /mnt.
 */
#include "ext2.h"
#include <limits.h>
#include <sys/statfs.h>

#define SEED	      21 /* as tests/images has it */
#define PIECE	      3000
#define ENTRIES	      2000
#define EUCLEAN_LINUX 117 /* what Linux says of a damaged file system */

static void mount_image(const char *image)
{
	put_image(image);
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
}

/* ---- what is not damaged ---- */

static void expect_at(int fd, off_t at, size_t n)
{
	size_t differs;

	CHECK_EQ(pread(fd, buf, n, at), n);
	differs = test_differs(buf, n, SEED, at);
	if (differs != n)
		test_fail(__FILE__, __LINE__, "byte %lld is wrong", (long long)at + differs);
}

static void expect_zeros(int fd, off_t at, size_t n)
{
	CHECK_EQ(pread(fd, buf, n, at), n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(buf[i], 0);
}

/* The first and last block of each depth of indirection, and the holes between them. */
static void check_big(off_t block)
{
	off_t pointers = block / 4, first_double = 12 + pointers,
	      first_triple = first_double + pointers * pointers;
	off_t places[] = { 0,
			   11,
			   12,
			   first_double - 1,
			   first_double,
			   first_triple - 1,
			   first_triple,
			   first_triple + pointers + 1 };
	int fd = open(MNT "/big", O_RDONLY), n = sizeof(places) / sizeof(places[0]);
	struct stat st;

	CHECK(fd >= 0);
	for (int i = 0; i < n; i++)
		expect_at(fd, places[i] * block,
			  i + 1 < n && places[i + 1] == places[i] + 1 && block < PIECE ? block
										       : PIECE);
	expect_zeros(fd, PIECE, PIECE);
	expect_zeros(fd, (first_double + 2 * pointers) * block, sizeof(buf));
	expect_zeros(fd, (first_triple - 8) * block, 4 * block);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, places[n - 1] * block + PIECE);
	CHECK(st.st_blocks > 0 && st.st_blocks < 2000);
	CHECK_EQ(pread(fd, buf, 10000, st.st_size - 10), 10);
	CHECK_EQ(pread(fd, buf, 10000, st.st_size + 10), 0);
	{
		off_t at = first_triple * block & ~4095ll;
		char *map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, at);

		CHECK(map != MAP_FAILED);
		for (int i = 0; i < 1000; i++)
			CHECK_EQ((unsigned char)map[first_triple * block - at + i],
				 test_byte(SEED, first_triple * block + i));
		CHECK_EQ(munmap(map, 8192), 0);
	}
	close(fd);
}

static void check_links(void)
{
	ssize_t n = readlink(MNT "/slow", buf, sizeof(buf));

	CHECK_EQ(n, 6 + 120 + 4);
	CHECK(!memcmp(buf, "small/././", 10) && !memcmp(buf + 126, "file", 4));
	CHECK_EQ(readlink(MNT "/slow", buf, 9), 9);
	CHECK_EQ(readlink(MNT "/fast", buf, sizeof(buf)), 10);
	CHECK(!memcmp(buf, "small/file", 10));
	for (int i = 0; i < 2; i++) {
		int fd = open(i ? MNT "/slow" : MNT "/fast", O_RDONLY);

		CHECK(fd >= 0);
		expect_at(fd, 0, 5000);
		CHECK_EQ(read(fd, buf, 6000), 5000);
		close(fd);
	}
}

static void check_many(void)
{
	static bool seen[ENTRIES];
	struct dirent *entry;
	struct stat st;
	int n = 0, i;
	long middle = 0;
	char name[32];
	DIR *dir = opendir(MNT "/many");

	CHECK(dir != NULL);
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "entry-%d", &i) != 1)
			continue;
		CHECK(i >= 0 && i < ENTRIES && !seen[i]);
		CHECK(entry->d_type == DT_REG);
		seen[i] = true;
		if (++n == ENTRIES / 2) {
			middle = telldir(dir);
			strcpy(name, readdir(dir)->d_name);
			CHECK_EQ(sscanf(name, "entry-%d", &i), 1);
			CHECK(!seen[i]);
			seen[i] = true;
			n++;
		}
	}
	CHECK_EQ(n, ENTRIES);
	seekdir(dir, middle);
	entry = readdir(dir);
	CHECK(entry && !strcmp(entry->d_name, name));
	closedir(dir);
	for (i = 0; i < ENTRIES; i += 97) {
		snprintf(buf, sizeof(buf), MNT "/many/entry-%d", i);
		CHECK_EQ(stat(buf, &st), 0);
		CHECK_EQ(st.st_nlink, ENTRIES + 1);
		CHECK_EQ(st.st_size, 1);
	}
	CHECK_ERR(stat(MNT "/many/entry-2000", &st), ENOENT);
}

static void check_refusals(void)
{
	CHECK_ERR(open(MNT "/small/file", O_RDWR), EROFS);
	CHECK_ERR(open(MNT "/new", O_RDWR | O_CREAT, 0600), EROFS);
	CHECK_ERR(mkdir(MNT "/new", 0700), EROFS);
	CHECK_ERR(unlink(MNT "/fast"), EROFS);
	CHECK_ERR(rename(MNT "/fast", MNT "/f"), EROFS);
	CHECK_ERR(truncate(MNT "/small/file", 0), EROFS);
	CHECK_ERR(open(MNT "/small/file/x", O_RDONLY), ENOTDIR);
}

static void check_image(const char *image, int block)
{
	struct statfs st;
	int fd, ends[2];

	mount_image(image);
	CHECK_EQ(statfs(MNT, &st), 0);
	CHECK_EQ(st.f_type, EXT2_MAGIC);
	CHECK_EQ(st.f_bsize, block);
	CHECK_EQ(st.f_files, 64);
	CHECK_ERR(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), EBUSY);
	check_big(block);
	check_links();
	check_many();
	check_refusals();
	fd = open(MNT "/direct", O_RDONLY);
	CHECK(fd >= 0);
	expect_at(fd, 0, 12 * block);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, sizeof(buf), 0), 12 * block);
	CHECK_EQ(read_full(ends[0], buf, 12 * block), 12 * block);
	CHECK_EQ(test_differs(buf, 12 * block, SEED, 0), 12 * block);
	CHECK_ERR(umount(MNT), EBUSY);
	close(fd);
	unmount();
}

TEST(blocks_of_1k, 60,
     "blocks of 1 KiB: all depths of indirection, holes, links, a large directory")
{
	check_image("ext2-1k", 1024);
}

TEST(blocks_of_2k, 60, "the same with blocks of 2 KiB")
{
	check_image("ext2-2k", 2048);
}

TEST(blocks_of_4k, 60, "the same with blocks of 4 KiB: the file is larger than 4 GiB")
{
	check_image("ext2-4k", 4096);
}

/* ---- damage ---- */

struct damage {
	char kind[16], name[64], image[32], path[64], patches[512];
};

/* Write the damage, or with `undo` what was there. */
static void apply(const struct damage *damage, bool undo)
{
	static char saved[16][1024];
	char list[512], *save = NULL, *item;
	int n = 0;

	strcpy(list, damage->patches);
	for (item = strtok_r(list, ",", &save); item; item = strtok_r(NULL, ",", &save), n++) {
		char *hex = strchr(item, ':') + 1, bytes[1024];
		size_t len = strcspn(hex, "\n") / 2;
		off_t at = atoll(item);

		CHECK(n < 16 && len <= sizeof(bytes));
		for (size_t i = 0; i < len; i++) {
			unsigned int byte;

			CHECK_EQ(sscanf(hex + 2 * i, "%2x", &byte), 1);
			bytes[i] = byte;
		}
		if (!undo)
			CHECK_EQ(pread(disk, saved[n], len, at), len);
		CHECK_EQ(pwrite(disk, undo ? saved[n] : bytes, len, at), len);
	}
	CHECK_EQ(fsync(disk), 0);
}

static bool io_error(int error)
{
	return error == EIO || error == EUCLEAN_LINUX || error == ESTALE || error == EFBIG;
}

static int budget; /* of calls in one walk: damage can make directories endless */

static void read_some(const char *path, const struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return;
	for (int i = 0; i < 24; i++)
		pread(fd, buf, 5000, i < 16 ? i * 5000 : st->st_size / 8 * (i - 16));
	close(fd);
}

/* Touch all that is there, whatever it says. */
static void walk(const char *path, int depth)
{
	struct dirent *entry;
	struct stat st;
	char name[PATH_MAX];
	DIR *dir;

	if (--budget < 0 || lstat(path, &st) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		readlink(path, buf, sizeof(buf));
		stat(path, &st);
	}
	if (S_ISREG(st.st_mode))
		read_some(path, &st);
	if (!S_ISDIR(st.st_mode) || depth > 6)
		return;
	dir = opendir(path);
	while (dir && budget-- > 0 && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < (int)sizeof(name))
			walk(name, depth + 1);
	}
	if (dir)
		closedir(dir);
}

static void walk_all(int calls)
{
	budget = calls;
	walk(MNT, 0);
}

/* True if opening the file or reading it through fails as a damaged disk does. */
static bool file_fails(const char *path)
{
	int fd = open(path, O_RDONLY), error;
	ssize_t n;

	if (fd < 0)
		return io_error(errno);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	error = errno;
	close(fd);
	return n < 0 && io_error(error);
}

/* The same for listing the directory that a path is in. */
static bool listing_fails(const char *path)
{
	char name[PATH_MAX];
	int error, n = 0;
	DIR *dir;

	strcpy(name, path);
	*strrchr(name, '/') = '\0';
	dir = opendir(name);
	if (!dir)
		return io_error(errno);
	do
		errno = 0;
	while (readdir(dir) && ++n < 10000);
	error = errno;
	closedir(dir);
	return io_error(error);
}

/*
 * NULL: what must fail does. Only where we are strict must it be an IO error that tells of a
 * damaged directory.
 */
static const char *judge(const struct damage *damage, const char *path, bool strict)
{
	bool list = !strcmp(damage->kind, "list"), entry = !strcmp(damage->kind, "entry");
	struct stat st;

	if (!strcmp(damage->kind, "file") && !file_fails(path))
		return "the file reads as if nothing were wrong";
	if ((list || entry) && stat(path, &st) == 0)
		return "the entry is found";
	if ((entry || (list && strict)) && !io_error(errno))
		return "the entry is missing, and nothing is said of damage";
	if (list && strict && !listing_fails(path))
		return "the directory lists as if nothing were wrong";
	return NULL;
}

static void one_damage(const struct damage *damage, bool strict)
{
	char path[128];
	const char *wrong = NULL;

	apply(damage, false);
	if (!strcmp(damage->kind, "mount")) {
		if (mount(disk_path, MNT, "ext2", MS_RDONLY, NULL) == 0)
			wrong = "it can be mounted";
		else if (errno != EINVAL && !io_error(errno))
			wrong = strerror(errno);
	} else if (mount(disk_path, MNT, "ext2", MS_RDONLY, NULL) < 0) {
		wrong = "it cannot be mounted";
	} else {
		snprintf(path, sizeof(path), MNT "%s", damage->path);
		wrong = judge(damage, path, strict);
		walk_all(400);
		unmount();
	}
	if (wrong)
		test_fail(__FILE__, __LINE__, "%s: %s", damage->name, wrong);
	apply(damage, true);
}

/* All damages of one kind, and after them the image is as good as new. */
static void damages(const char *kind, bool strict)
{
	char line[1024];
	struct damage damage;
	FILE *list = fopen(DATA "damage", "r");
	int n = 0;

	CHECK(list != NULL);
	put_image("ext2-1k");
	while (fgets(line, sizeof(line), list)) {
		CHECK_EQ(sscanf(line, "%15s %63s %31s %63s %511s", damage.kind, damage.name,
				damage.image, damage.path, damage.patches),
			 5);
		if (strcmp(damage.kind, kind))
			continue;
		one_damage(&damage, strict);
		n++;
	}
	fclose(list);
	CHECK(n > 1);
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
	check_many();
	unmount();
}

TEST(damaged_superblock, 60, "what no ext2 of ours can be is not mounted")
{
	damages("mount", false);
}

TEST(damaged_file, 60, "blocks, sizes and types that cannot be are IO errors")
{
	damages("file", false);
}

TEST(damaged_entry, 60, "an entry that names what cannot be is an IO error")
{
	damages("entry", false);
}

TEST(damaged_directory, 60, "no name is found behind a damaged entry")
{
	damages("list", false);
}

BEYOND_TEST(damaged_listing, 60, "listing and lookup say IO error at a damaged entry",
	    "Linux leaves out the rest of the block, and says nothing")
{
	damages("list", true);
}

TEST(oddities, 60, "loops and lies that need not fail come to an end")
{
	damages("ends", false);
}

TEST(random_damage, 240,
     "random bytes in the metadata: whatever they say, everything comes to an end")
{
	static const int parts[][2] = {
		{ 1024, 1024 }, { 2048, 1024 }, { 5120, 8192 }, { 20480, 65536 }, { 388096, 1024 }
	};
	uint32_t state = 20050112;
	int mounted = 0;

	put_image("ext2-1k");
	for (int round = 0; round < 60; round++) {
		off_t at[8];
		char old[8];

		for (int i = 0; i < 8; i++) {
			const int *part = parts[(round + i / 4) % 5];
			char byte;

			state = state * 1664525 + 1013904223;
			at[i] = part[0] + (state >> 8) % part[1];
			state = state * 1664525 + 1013904223;
			byte = state >> 16;
			CHECK_EQ(pread(disk, &old[i], 1, at[i]), 1);
			CHECK_EQ(pwrite(disk, &byte, 1, at[i]), 1);
		}
		CHECK_EQ(fsync(disk), 0);
		if (mount(disk_path, MNT, "ext2", MS_RDONLY, NULL) == 0) {
			mounted++;
			walk_all(150);
			unmount();
		}
		for (int i = 7; i >= 0; i--)
			CHECK_EQ(pwrite(disk, &old[i], 1, at[i]), 1);
		CHECK_EQ(fsync(disk), 0);
	}
	CHECK(mounted > 5);
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
	check_many();
	unmount();
}
