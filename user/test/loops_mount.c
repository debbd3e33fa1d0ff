/*
 * File systems on loop devices: images that are files, in memory and on a disk, with and without a
 * journal.
 */
#include "ext2.h"
#include "loop.h"

#define IMAGE "/tmp/loops-image"
#define UPPER "/tmp/loops-upper"
#define BIG   (1 << 20)

static char big[BIG];

/* Copies an image of /test/data to `path`, and opens it. Its zeros are left out. */
static int copy_image(const char *image, const char *path)
{
	static const char zeros[4096];
	char from_path[64];
	off_t at = 0;
	int from, to = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	snprintf(from_path, sizeof(from_path), DATA "%s", image);
	from = open(from_path, O_RDONLY);
	CHECK(from >= 0 && to >= 0);
	while ((n = read_full(from, big, 4096)) > 0) {
		if (memcmp(big, zeros, n))
			CHECK_EQ(pwrite(to, big, n, at), n);
		at += n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(ftruncate(to, at), 0);
	close(from);
	return to;
}

/* Mounts a device that unbinds with its last user, which is the file system from now on. */
static void mount_file(int file, unsigned int flags, const char *type, const char *where)
{
	int loop = loop_bind(file, LO_FLAGS_AUTOCLEAR | flags, 0, 0);

	CHECK_EQ(mount(loop_path, where, type, flags & LO_FLAGS_READ_ONLY ? MS_RDONLY : 0, NULL),
		 0);
	close(loop);
}

static void is_unbound(const char *path)
{
	struct loop_info64 info;
	int loop = open(path, O_RDONLY);

	CHECK(loop >= 0);
	CHECK_ERR(ioctl(loop, LOOP_GET_STATUS64, &info), ENXIO);
	close(loop);
}

/* Writes a file of n bytes, and has it stored. */
static void put_file(const char *path, size_t n, unsigned int seed)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(file >= 0);
	test_fill(big, n, seed, 0);
	CHECK_EQ(write_full(file, big, n), n);
	CHECK_EQ(fsync(file), 0);
	close(file);
}

static void has_file(const char *path, size_t n, unsigned int seed)
{
	int file = open(path, O_RDONLY);

	CHECK(file >= 0);
	memset(big, 0, n);
	CHECK_EQ(read_full(file, big, n), n);
	CHECK_EQ(test_differs(big, n, seed, 0), n);
	close(file);
}

/* Writes files to an image, which is mounted at UPPER, and finds them after it was unmounted. */
static void use_image(const char *image, const char *path, const char *type)
{
	int file = copy_image(image, path);
	char device[32];

	mkdir(UPPER, 0700);
	mount_file(file, 0, type, UPPER);
	strcpy(device, loop_path);
	put_file(UPPER "/one", 300000, 1);
	CHECK_EQ(mkdir(UPPER "/dir", 0700), 0);
	put_file(UPPER "/dir/two", 100, 2);
	has_file(UPPER "/one", 300000, 1);
	drop_caches("3");
	has_file(UPPER "/one", 300000, 1);
	CHECK_EQ(umount(UPPER), 0);
	is_unbound(device);
	mount_file(file, LO_FLAGS_READ_ONLY, type, UPPER);
	has_file(UPPER "/one", 300000, 1);
	has_file(UPPER "/dir/two", 100, 2);
	CHECK_ERR(open(UPPER "/three", O_RDWR | O_CREAT, 0600), EROFS);
	CHECK_EQ(umount(UPPER), 0);
	close(file);
	CHECK_EQ(unlink(path) | rmdir(UPPER), 0);
}

TEST(in_memory, 30, "an image in memory is mounted, written, unmounted and mounted again")
{
	use_image("blank-1k", IMAGE, "ext2");
	use_image("blank-4k", IMAGE, "ext2");
}

TEST(with_a_journal, 30, "the same with a journal")
{
	use_image("journal-1k", IMAGE, "ext3");
}

TEST(on_a_disk, 30, "the same with an image on a disk")
{
	put_image("blank-4k");
	mount_writable();
	use_image("blank-1k", MNT "/image", "ext2");
	use_image("journal-1k", MNT "/image", "ext3");
	unmount();
}

TEST(busy, 20, "a mounted device keeps its file, and is not claimed twice")
{
	int file = copy_image("blank-1k", IMAGE), loop;
	struct loop_info64 info;

	mkdir(UPPER, 0700);
	mount_file(file, 0, "ext2", UPPER);
	loop = open(loop_path, O_RDONLY);
	CHECK(loop >= 0);
	CHECK_ERR(open(loop_path, O_RDONLY | O_EXCL), EBUSY);
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0); /* when it is unmounted */
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	put_file(UPPER "/one", 5000, 1);
	CHECK_EQ(umount(UPPER), 0);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	close(loop);
	is_unbound(loop_path);
	close(file);
	CHECK_EQ(unlink(IMAGE) | rmdir(UPPER), 0);
}

TEST(on_each_other, 30,
     "a device lies on a file of a file system on a device, or on the device itself")
{
	int lower = open(IMAGE, O_RDWR | O_CREAT | O_TRUNC, 0600), upper, loop, next;

	CHECK(lower >= 0);
	close(lower);
	lower = copy_image("blank-4k", IMAGE);
	mkdir(UPPER, 0700);
	mkdir("/tmp/loops-top", 0700);
	mount_file(lower, 0, "ext2", UPPER);
	upper = copy_image("journal-1k", UPPER "/image");
	mount_file(upper, 0, "ext3", "/tmp/loops-top");
	CHECK_ERR(umount(UPPER), EBUSY);
	put_file("/tmp/loops-top/one", 200000, 1);
	drop_caches("3");
	has_file("/tmp/loops-top/one", 200000, 1);
	CHECK_EQ(umount("/tmp/loops-top"), 0);
	loop = loop_bind(upper, 0, 0, 0);
	next = loop_bind(loop, LO_FLAGS_AUTOCLEAR, 0, 0);
	CHECK_EQ(mount(loop_path, "/tmp/loops-top", "ext3", 0, NULL), 0);
	close(next);
	has_file("/tmp/loops-top/one", 200000, 1);
	put_file("/tmp/loops-top/two", 200000, 2);
	CHECK_EQ(umount("/tmp/loops-top"), 0);
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	mount_file(upper, LO_FLAGS_READ_ONLY, "ext3", "/tmp/loops-top");
	has_file("/tmp/loops-top/two", 200000, 2);
	CHECK_EQ(umount("/tmp/loops-top"), 0);
	close(upper);
	CHECK_EQ(umount(UPPER), 0);
	close(lower);
	CHECK_EQ(unlink(IMAGE) | rmdir(UPPER) | rmdir("/tmp/loops-top"), 0);
}

TEST(full_below, 30, "a full file system below is EIO at fsync, and what was stored stays")
{
	struct loop_info64 info;
	int file, loop;

	mkdir(UPPER, 0700);
	CHECK_EQ(mount("none", UPPER, "tmpfs", 0, "size=256k"), 0);
	file = open(UPPER "/image", O_RDWR | O_CREAT, 0600);
	CHECK(file >= 0);
	CHECK_EQ(ftruncate(file, BIG), 0);
	loop = loop_bind(file, 0, 0, 0);
	test_fill(big, BIG, 1, 0);
	CHECK_EQ(pwrite(loop, big, 65536, 0), 65536);
	CHECK_EQ(fsync(loop), 0);
	CHECK_EQ(pwrite(loop, big, BIG, 0), BIG);
	CHECK_ERR(fsync(loop), EIO);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(pread(file, big, 65536, 0), 65536);
	CHECK_EQ(test_differs(big, 65536, 1, 0), 65536);
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	close(file);
	CHECK_EQ(umount(UPPER), 0);
	CHECK_EQ(rmdir(UPPER), 0);
}

#define PIECES 64

/* Several processes write, read and store files of a file system on a device at the same time. */
TEST(many_at_once, 60, "processes write, read and store files at the same time")
{
	int file = copy_image("blank-4k", IMAGE);
	pid_t children[4];

	mkdir(UPPER, 0700);
	mount_file(file, 0, "ext2", UPPER);
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		for (int round = 0; round < 8; round++) {
			char path[64];

			snprintf(path, sizeof(path), UPPER "/%d-%d", i, round % 2);
			put_file(path, PIECES * 4096, i * 10 + round);
			if (i == 0)
				drop_caches("3");
			has_file(path, PIECES * 4096, i * 10 + round);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	CHECK_EQ(umount(UPPER), 0);
	mount_file(file, LO_FLAGS_READ_ONLY, "ext2", UPPER);
	for (int i = 0; i < 4; i++) {
		char path[64];

		snprintf(path, sizeof(path), UPPER "/%d-%d", i, 1);
		has_file(path, PIECES * 4096, i * 10 + 7);
	}
	CHECK_EQ(umount(UPPER), 0);
	close(file);
	CHECK_EQ(unlink(IMAGE) | rmdir(UPPER), 0);
}

/*
 * The writer holds the lock of the backing file while its source is read from a mapping of a file
 * on the device. At the same time the device writes to that file.
 */
BEYOND_TEST(read_behind_a_write, 60,
	    "a write to the image from a mapped file on its device does not hang",
	    "lacks /proc/gate: there the read waits behind the write, and the guest hangs")
{
	int file, source;
	char *at;
	pid_t child;

	close(test_open_own("/proc/gate", O_RDONLY));
	put_image("blank-4k");
	mount_writable();
	file = copy_image("blank-4k", MNT "/image");
	mkdir(UPPER, 0700);
	mount_file(file, 0, "ext2", UPPER);
	put_file(UPPER "/source", 200 * 4096, 1);
	child = fork();
	if (!child) {
		for (int i = 0; i < 10; i++)
			put_file(UPPER "/other", 100 * 4096, 2);
		_exit(0);
	}
	source = open(UPPER "/source", O_RDONLY);
	at = mmap(NULL, 200 * 4096, PROT_READ, MAP_SHARED, source, 0);
	CHECK(at != MAP_FAILED);
	for (int i = 0; i < 10; i++) {
		drop_caches("3");
		CHECK_EQ(pwrite(file, at, 200 * 4096, 3 << 20), 200 * 4096);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(munmap(at, 200 * 4096), 0);
	close(source);
	CHECK_EQ(umount(UPPER), 0);
	CHECK_EQ(pread(file, big, 200 * 4096, 3 << 20), 200 * 4096);
	CHECK_EQ(test_differs(big, 200 * 4096, 1, 0), 200 * 4096);
	close(file);
	CHECK_EQ(unlink(MNT "/image") | rmdir(UPPER), 0);
	unmount();
}

BEYOND_TEST(no_other_place, 20, "the bytes of a mounted device stay where they are",
	    "Linux moves them")
{
	int file = copy_image("blank-1k", IMAGE), loop;
	struct loop_info64 info;

	mkdir(UPPER, 0700);
	mount_file(file, 0, "ext2", UPPER);
	loop = open(loop_path, O_RDONLY);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	info.offset = 512;
	CHECK_ERR(ioctl(loop, LOOP_SET_STATUS64, &info), EAGAIN);
	close(loop);
	CHECK_EQ(umount(UPPER), 0);
	close(file);
	CHECK_EQ(unlink(IMAGE) | rmdir(UPPER), 0);
}
