/*
 * stat and uname as the first Linux programs called them: by number, and with structures of short
 * fields. The files are on a disk, because a number of an inode in memory may be too large.
 */
#include "ext2.h"

#define OLD_STAT   18
#define OLD_LSTAT  84
#define OLD_FSTAT  28
#define NEW_STAT   106
#define NEW_LSTAT  107
#define NEW_FSTAT  108
#define OLD_UNAME  109
#define OLD2_UNAME 59
#define GIB	   (1ll << 30)

struct oldest_stat {
	uint16_t dev, ino, mode, nlink, uid, gid, rdev;
	uint32_t size, atime, mtime, ctime;
};

struct old_stat {
	uint32_t dev, ino;
	uint16_t mode, nlink, uid, gid;
	uint32_t rdev, size, blksize, blocks;
	uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec, unused[2];
};

static struct oldest_stat oldest;
static struct old_stat old;
static struct stat now;

static uint32_t encoded(dev_t dev)
{
	unsigned int major = dev >> 8 & 0xfff, minor = (dev & 0xff) | (dev >> 12 & 0xfff00);

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static void compare(void)
{
	CHECK_EQ(old.dev, encoded(now.st_dev));
	CHECK_EQ(old.ino, now.st_ino);
	CHECK_EQ(old.mode, now.st_mode);
	CHECK_EQ(old.nlink, now.st_nlink);
	CHECK_EQ(old.rdev, encoded(now.st_rdev));
	CHECK_EQ(old.size, now.st_size);
	CHECK_EQ(old.blksize, now.st_blksize);
	CHECK_EQ(old.blocks, now.st_blocks);
	CHECK_EQ(old.atime, now.st_atim.tv_sec);
	CHECK_EQ(old.mtime_nsec, now.st_mtim.tv_nsec);
	CHECK_EQ(old.ctime, now.st_ctim.tv_sec);
	CHECK(old.unused[0] == 0 && old.unused[1] == 0);
	CHECK_EQ(oldest.mode, now.st_mode);
	CHECK_EQ(oldest.ino, (uint16_t)now.st_ino);
	CHECK_EQ(oldest.nlink, now.st_nlink);
	CHECK_EQ(oldest.rdev, (uint16_t)now.st_rdev);
	CHECK_EQ(oldest.size, now.st_size);
	CHECK_EQ(oldest.mtime, now.st_mtim.tv_sec);
}

TEST(all_forms, 5, "stat, lstat and fstat in both old forms say the same as the new ones")
{
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = open(MNT "/stat_file", O_RDWR | O_CREAT | O_TRUNC, 0640);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_EQ(chown(MNT "/stat_file", 1000, 70000), 0);
	CHECK_EQ(symlink("stat_file", MNT "/stat_link"), 0);
	CHECK_EQ(stat(MNT "/stat_link", &now), 0);
	CHECK_EQ(syscall(NEW_STAT, MNT "/stat_link", &old), 0);
	CHECK_EQ(syscall(OLD_STAT, MNT "/stat_link", &oldest), 0);
	compare();
	CHECK(old.uid == 1000 && oldest.uid == 1000);
	CHECK(old.gid == 65534 && oldest.gid == 65534);
	CHECK_EQ(fstat(fd, &now), 0);
	CHECK_EQ(syscall(NEW_FSTAT, fd, &old), 0);
	CHECK_EQ(syscall(OLD_FSTAT, fd, &oldest), 0);
	compare();
	CHECK_EQ(lstat(MNT "/stat_link", &now), 0);
	CHECK_EQ(syscall(NEW_LSTAT, MNT "/stat_link", &old), 0);
	CHECK_EQ(syscall(OLD_LSTAT, MNT "/stat_link", &oldest), 0);
	compare();
	CHECK(S_ISLNK(old.mode) && S_ISLNK(oldest.mode));
	CHECK_EQ(stat("/dev/null", &now), 0);
	CHECK_EQ(syscall(NEW_STAT, "/dev/null", &old), 0);
	CHECK_EQ(syscall(OLD_STAT, "/dev/null", &oldest), 0);
	compare();
	CHECK_EQ(oldest.rdev, 0x103);
	CHECK_EQ(unlink(MNT "/stat_link") | unlink(MNT "/stat_file"), 0);
	close(fd);
	unmount();
}

TEST(too_large, 5, "a size of 2 GiB or more does not fit")
{
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = open(MNT "/stat_file", O_RDWR | O_CREAT | O_TRUNC, 0640);
	CHECK_EQ(ftruncate(fd, 2 * GIB - 1), 0);
	CHECK_EQ(syscall(NEW_FSTAT, fd, &old), 0);
	CHECK_EQ(syscall(OLD_FSTAT, fd, &oldest), 0);
	CHECK(old.size == 0x7fffffff && oldest.size == 0x7fffffff);
	CHECK_EQ(ftruncate(fd, 2 * GIB), 0);
	CHECK_ERR(syscall(NEW_FSTAT, fd, &old), EOVERFLOW);
	CHECK_ERR(syscall(OLD_FSTAT, fd, &oldest), EOVERFLOW);
	CHECK_ERR(syscall(NEW_STAT, MNT "/stat_file", &old), EOVERFLOW);
	CHECK_EQ(unlink(MNT "/stat_file"), 0);
	close(fd);
	unmount();
}

TEST(errors, 5, "the errors of the old forms")
{
	const int by_name[] = { OLD_STAT, OLD_LSTAT, NEW_STAT, NEW_LSTAT };

	for (int i = 0; i < 4; i++) {
		CHECK_ERR(syscall(by_name[i], "/nothing", &old), ENOENT);
		CHECK_ERR(syscall(by_name[i], "", &old), ENOENT);
		CHECK_ERR(syscall(by_name[i], (char *)16, &old), EFAULT);
		CHECK_ERR(syscall(by_name[i], "/tmp", (char *)16), EFAULT);
	}
	CHECK_ERR(syscall(NEW_FSTAT, 999, &old), EBADF);
	CHECK_ERR(syscall(OLD_FSTAT, 999, &old), EBADF);
	CHECK_ERR(syscall(OLD_FSTAT, 0, (char *)16), EFAULT);
}

TEST(names, 5, "uname in both old forms; the oldest has fields of eight bytes")
{
	struct {
		char fields[5][65];
	} middle;
	struct {
		char fields[5][9];
	} small;
	struct utsname name;
	const char *fields[] = { name.sysname, name.nodename, name.release, name.version,
				 name.machine };

	memset(&middle, 1, sizeof(middle));
	memset(&small, 1, sizeof(small));
	CHECK_EQ(uname(&name), 0);
	CHECK_EQ(syscall(OLD_UNAME, &middle), 0);
	CHECK_EQ(syscall(OLD2_UNAME, &small), 0);
	for (int i = 0; i < 5; i++) {
		CHECK(strcmp(middle.fields[i], fields[i]) == 0);
		CHECK(strncmp(small.fields[i], fields[i], 8) == 0);
		CHECK_EQ(small.fields[i][8], 0);
	}
	CHECK_ERR(syscall(OLD_UNAME, 16), EFAULT);
	CHECK_ERR(syscall(OLD2_UNAME, 16), EFAULT);
	CHECK_ERR(syscall(OLD2_UNAME, 0), EFAULT);
}
