/*
 * Disks with ext2 file systems for the tests. tests/images makes the images on the host, and they
 * lie in /test/data. They are written to /dev/gate0, on Linux to a loop device, and mounted on
 * /mnt.
 */
#ifndef USER_TEST_EXT2_H
#define USER_TEST_EXT2_H

#include "loop.h"
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

#define DATA	     "/test/data/"
#define MNT	     "/mnt"
#define DISK_SIZE    (8 << 20)
#define BLANK_SIZE   (4 << 20)	  /* of the empty file systems */
#define JOURNAL_SIZE (2304 << 10) /* of the one with a journal */
#define EXT2_MAGIC   0xef53

__attribute__((unused)) static int disk = -1;
__attribute__((unused)) static char disk_path[32];
__attribute__((unused)) static char buf[65536];

/*
 * Another disk than the root's: the one that EXT2_DISK names, the gate, or on Linux a file in
 * memory that is made one.
 */
__attribute__((unused)) static void open_disk(void)
{
	const char *own = getenv("EXT2_DISK");
	struct utsname name;

	if (disk >= 0)
		return;
	umount(MNT); /* what a failed case left */
	CHECK_EQ(uname(&name), 0);
	snprintf(disk_path, sizeof(disk_path), "%s", own ? own : "/dev/gate0");
	if (!own && !strstr(name.release, "sluice")) {
		struct loop_config config = { .info = { .flags = LO_FLAGS_AUTOCLEAR } };
		int control = open("/dev/loop-control", O_RDWR), file;

		CHECK(control >= 0);
		snprintf(disk_path, sizeof(disk_path), "/dev/loop%d",
			 ioctl(control, LOOP_CTL_GET_FREE));
		file = open("/tmp/ext2-disk", O_RDWR | O_CREAT | O_TRUNC, 0600);
		CHECK(file >= 0);
		CHECK_EQ(unlink("/tmp/ext2-disk") | ftruncate(file, DISK_SIZE), 0);
		disk = open(disk_path, O_RDWR);
		CHECK(disk >= 0);
		config.fd = file;
		CHECK_EQ(ioctl(disk, LOOP_CONFIGURE, &config), 0);
		close(file);
		close(control);
		return;
	}
	disk = open(disk_path, O_RDWR);
	CHECK(disk >= 0);
}

__attribute__((unused)) static void put_image(const char *image)
{
	char path[64];
	off_t at = 0;
	ssize_t n;
	int fd;

	open_disk();
	snprintf(path, sizeof(path), DATA "%s", image);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		CHECK_EQ(pwrite(disk, buf, n, at), n);
		at += n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(fsync(disk), 0);
	close(fd);
}

__attribute__((unused)) static void unmount(void)
{
	CHECK_EQ(umount(MNT), 0);
}

/* ---- file systems that are written ---- */

__attribute__((unused)) static void mount_writable(void)
{
	CHECK_EQ(mount(disk_path, MNT, "ext2", 0, NULL), 0);
}

/* Store everything, and forget what is in memory. */
__attribute__((unused)) static void forget(void)
{
	sync();
	drop_caches("3");
}

/* What is free on the disk, when look_at_space() was called last. */
__attribute__((unused)) static struct statfs before;

__attribute__((unused)) static void look_at_space(void)
{
	CHECK_EQ(statfs(MNT, &before), 0);
}

/* Is as much free as before, once all that is deleted is gone? */
__attribute__((unused)) static void space_is_whole(void)
{
	struct statfs after;

	sync();
	CHECK_EQ(statfs(MNT, &after), 0);
	CHECK_EQ(after.f_bfree, before.f_bfree);
	CHECK_EQ(after.f_ffree, before.f_ffree);
}

/*
 * For each block size, mount an empty file system and run `test` on it. Then empty the caches and
 * run `check`, mount it again and run `check` once more.
 */
__attribute__((unused)) static void on_all_sizes(void (*test)(int block), void (*check)(int block))
{
	static const char *const images[] = { "blank-1k", "blank-2k", "blank-4k" };

	for (int i = 0; i < 3; i++) {
		put_image(images[i]);
		mount_writable();
		test(1024 << i);
		forget();
		if (check)
			check(1024 << i);
		unmount();
		if (!check)
			continue;
		mount_writable();
		check(1024 << i);
		unmount();
	}
}

__attribute__((unused)) static struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		test_fail(__FILE__, __LINE__, "%s is not there", path);
	return st;
}

/* Make an empty file, or empty one. Returns its descriptor. */
__attribute__((unused)) static int create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	return fd;
}

/* Make a file that holds the first n bytes of a stream. Returns its descriptor. */
__attribute__((unused)) static int make_file(const char *path, size_t n, unsigned int seed)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0)
		test_fail(__FILE__, __LINE__, "%s cannot be made", path);
	for (size_t done = 0, piece; done < n; done += piece) {
		piece = n - done < sizeof(buf) ? n - done : sizeof(buf);
		test_fill(buf, piece, seed, done);
		CHECK_EQ(pwrite(fd, buf, piece, done), piece);
	}
	return fd;
}

/* The file has n bytes of the stream at an offset. */
__attribute__((unused)) static void has_bytes(int fd, off_t at, size_t n, unsigned int seed)
{
	for (size_t done = 0, piece, same; done < n; done += piece) {
		piece = n - done < sizeof(buf) ? n - done : sizeof(buf);
		CHECK_EQ(pread(fd, buf, piece, at + done), piece);
		same = test_differs(buf, piece, seed, at + done);
		if (same != piece)
			test_fail(__FILE__, __LINE__, "byte %lld is wrong",
				  (long long)(at + done + same));
	}
}

__attribute__((unused)) static void has_zeros(int fd, off_t at, size_t n)
{
	for (size_t done = 0, piece; done < n; done += piece) {
		piece = n - done < sizeof(buf) ? n - done : sizeof(buf);
		CHECK_EQ(pread(fd, buf, piece, at + done), piece);
		for (size_t i = 0; i < piece; i++)
			if (buf[i])
				test_fail(__FILE__, __LINE__, "byte %lld is not zero",
					  (long long)(at + done + i));
	}
}

/* The file at a path has exactly the first n bytes of the stream. */
__attribute__((unused)) static void is_file(const char *path, size_t n, unsigned int seed)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		test_fail(__FILE__, __LINE__, "%s is not there", path);
	CHECK_EQ(lseek(fd, 0, SEEK_END), n);
	has_bytes(fd, 0, n, seed);
	close(fd);
}

#endif
