/*
 * Who may use a disk: O_EXCL claims it for one file, and a mount for one file system, which several
 * mounts can show.
 */
#include "ext2.h"
#include <sys/stat.h>

#define SECOND "/tmp/second"

static void prepare(void)
{
	put_image("blank-1k");
	rmdir(SECOND); /* what a failed case left */
	CHECK_EQ(mkdir(SECOND, 0755), 0);
}

static int mount_at(const char *place, unsigned long flags)
{
	return mount(disk_path, place, "ext2", flags, NULL);
}

static int open_alone(int flags)
{
	return open(disk_path, flags | O_EXCL);
}

TEST(exclusive, 5, "O_EXCL: one file has the disk, and no file system, until it is closed")
{
	int fd, copy;

	prepare();
	fd = open_alone(O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_EXCL, 0);
	CHECK_ERR(open_alone(O_RDONLY), EBUSY);
	CHECK_ERR(mount_at(MNT, 0), EBUSY);
	CHECK_EQ(pread(disk, buf, 512, 0), 512);
	copy = open(disk_path, O_RDWR); /* other files may read and write */
	CHECK(copy >= 0);
	close(copy);
	copy = dup(fd);
	close(fd);
	CHECK_ERR(open_alone(O_RDONLY), EBUSY);
	close(copy);
	fd = open_alone(O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(mount_at(MNT, 0), 0);
	CHECK_ERR(open_alone(O_RDONLY), EBUSY);
	CHECK_ERR(open_alone(O_RDWR), EBUSY);
	unmount();
	fd = open_alone(O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(rmdir(SECOND), 0);
}

TEST(twice, 5, "a disk that is mounted at two places shows the same files at both")
{
	struct stat first, second;
	int fd;

	prepare();
	CHECK_EQ(mount_at(MNT, 0), 0);
	CHECK_EQ(mount_at(SECOND, MS_NOSUID), 0);
	fd = open(MNT "/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(stat(SECOND "/file", &second), 0);
	CHECK_EQ(fstat(fd, &first), 0);
	CHECK(first.st_dev == second.st_dev && first.st_ino == second.st_ino);
	CHECK_ERR(umount(MNT), EBUSY);
	close(fd);
	unmount();
	CHECK_EQ(access(MNT "/file", F_OK), -1);
	fd = open(SECOND "/file", O_WRONLY);
	CHECK_EQ(write(fd, "bytes", 5), 5);
	close(fd);
	CHECK_ERR(open_alone(O_RDONLY), EBUSY);
	CHECK_EQ(umount(SECOND), 0);
	CHECK_EQ(mount_at(MNT, 0), 0);
	CHECK_EQ(stat(MNT "/file", &first), 0);
	CHECK_EQ(first.st_size, 5);
	unmount();
	CHECK_EQ(rmdir(SECOND), 0);
}

TEST(twice_errors, 5, "but not at one place, as another type, or read-only and writable")
{
	prepare();
	CHECK_EQ(mount_at(MNT, MS_RDONLY), 0);
	CHECK_ERR(mount_at(MNT, MS_RDONLY), EBUSY);
	CHECK_ERR(mount_at(SECOND, 0), EBUSY);
	CHECK_ERR(mount(disk_path, SECOND, "ext3", MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(mount_at(SECOND, MS_RDONLY), 0);
	CHECK_EQ(umount(SECOND), 0);
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_REMOUNT, NULL), 0);
	CHECK_EQ(mount_at(SECOND, 0), 0);
	unmount();
	CHECK_EQ(umount(SECOND), 0);
	CHECK_EQ(rmdir(SECOND), 0);
}

static long long now_ms(void)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

TEST(again, 20, "a disk that another process is just unmounting is mounted after that")
{
	long long end = now_ms() + 1000;
	pid_t child;

	prepare();
	child = fork();
	CHECK(child >= 0);
	while (now_ms() < end) {
		const char *place = child ? MNT : SECOND;
		int fd;

		CHECK_EQ(mount_at(place, 0), 0);
		CHECK_EQ(chdir(place), 0);
		fd = open("file", O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		CHECK_EQ(write(fd, "bytes", 5), 5);
		/* The other process may have removed it. */
		CHECK(unlink("file") == 0 || errno == ENOENT);
		CHECK_EQ(chdir("/"), 0);
		CHECK_EQ(umount2(place, MNT_DETACH), 0);
		CHECK_EQ(write(fd, "bytes", 5), 5);
		CHECK_EQ(close(fd), 0); /* it is the last user, perhaps */
	}
	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(rmdir(SECOND), 0);
}
