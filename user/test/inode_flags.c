/*
 * The flags that chattr(1) sets: a file or directory that is immutable, or to which one can only
 * append.
 */
#include "ext2.h"
#include <sys/mman.h>
#include <sys/xattr.h>

#define GET_FLAGS 0x80046601 /* FS_IOC_GETFLAGS, linux/fs.h */
#define SET_FLAGS 0x40046602
#define IMMUTABLE 0x10
#define APPEND	  0x20
#define NODUMP	  0x40

#define ALL	  (IMMUTABLE | APPEND | NODUMP) /* statx(2) has the same bits */

static const struct timespec past[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };

static unsigned int flags_of(const char *path)
{
	unsigned int flags = 0;
	int fd = open(path, O_RDONLY);

	CHECK_EQ(ioctl(fd, GET_FLAGS, &flags), 0);
	close(fd);
	return flags & ALL;
}

static int set_flags(const char *path, unsigned int flags)
{
	int fd = open(path, O_RDONLY);
	unsigned int old = 0;
	int result;

	CHECK_EQ(ioctl(fd, GET_FLAGS, &old), 0);
	flags |= old & ~ALL;
	result = ioctl(fd, SET_FLAGS, &flags);
	close(fd);
	return result;
}

static unsigned int attributes_of(const char *path)
{
	uint64_t st[32]; /* struct statx: stx_attributes, and stx_attributes_mask */

	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, path, 0, 0x7ff, st), 0);
	CHECK_EQ(st[7] & ALL, ALL);
	return st[1] & ALL;
}

/* What neither kind of file allows. */
static void stays_as_it_is(void)
{
	CHECK_ERR(open("f", O_RDWR), EPERM);
	CHECK_ERR(open("f", O_RDONLY | O_TRUNC), EPERM);
	CHECK_ERR(truncate("f", 100), EPERM);
	CHECK_ERR(truncate("f", 20000), EPERM);
	CHECK_ERR(unlink("f"), EPERM);
	CHECK_ERR(rename("f", "other"), EPERM);
	CHECK_ERR(rename("other", "f"), EPERM);
	CHECK_ERR(link("f", "third"), EPERM);
	CHECK_ERR(chmod("f", 0600), EPERM);
	CHECK_ERR(chown("f", 1, 1), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "f", past, 0), EPERM);
	CHECK_ERR(setxattr("f", "trusted.a", "b", 1, 0), EPERM);
}

static void immutable(bool disk)
{
	int fd = open("f", O_RDWR);

	CHECK_EQ(set_flags("f", IMMUTABLE), 0);
	CHECK_EQ(flags_of("f"), IMMUTABLE);
	CHECK_EQ(attributes_of("f"), IMMUTABLE);
	stays_as_it_is();
	CHECK_ERR(open("f", O_WRONLY | O_APPEND), EPERM);
	CHECK_ERR(access("f", W_OK), EPERM);
	CHECK_EQ(access("f", R_OK), 0);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	if (disk) { /* Linux lets a file of tmpfs that is open be written still */
		CHECK_ERR(write(fd, "x", 1), EPERM);
		CHECK_ERR(ftruncate(fd, 10), EPERM);
	}
	close(fd);
	CHECK_EQ(set_flags("f", 0), 0);
}

static void append_only(void)
{
	const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	void *map;
	int fd;

	CHECK_EQ(set_flags("f", APPEND), 0);
	CHECK_EQ(attributes_of("f"), APPEND);
	stays_as_it_is();
	CHECK_ERR(open("f", O_WRONLY), EPERM);
	CHECK_ERR(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	CHECK_EQ(utimensat(AT_FDCWD, "f", now, 0), 0);
	fd = open("f", O_RDWR | O_APPEND);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "more", 4), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10004);
	CHECK_ERR(ftruncate(fd, 10), EPERM);
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
	CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), EACCES);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(munmap(map, 4096), 0);
	close(fd);
	CHECK_EQ(set_flags("f", 0), 0);
}

static void directories(void)
{
	CHECK_EQ(mkdir("d", 0700), 0);
	close(make_file("d/f", 100, 2));
	CHECK_EQ(set_flags("d", IMMUTABLE), 0);
	CHECK_ERR(open("d/g", O_RDWR | O_CREAT, 0600), EPERM);
	CHECK_ERR(mkdir("d/d", 0700), EPERM);
	CHECK_ERR(unlink("d/f"), EPERM);
	CHECK_ERR(rename("d/f", "d/g"), EPERM);
	CHECK_ERR(link("f", "d/g"), EPERM);
	CHECK_ERR(rmdir("d"), EPERM);
	CHECK_ERR(rename("d", "e"), EPERM);
	CHECK_EQ(chmod("d/f", 0600), 0); /* the file is not marked */
	CHECK_EQ(set_flags("d", APPEND), 0);
	close(make_file("d/g", 100, 3));
	CHECK_EQ(mkdir("d/d", 0700), 0);
	CHECK_ERR(unlink("d/f"), EPERM);
	CHECK_ERR(rmdir("d/d"), EPERM);
	CHECK_ERR(rename("d/f", "d/h"), EPERM);
	CHECK_ERR(rename("f", "d/f"), EPERM);
	CHECK_EQ(set_flags("d", NODUMP), 0);
	CHECK_EQ(rmdir("d/d"), 0);
	CHECK_EQ(unlink("d/g"), 0);
	CHECK_EQ(unlink("d/f"), 0);
	CHECK_EQ(rmdir("d"), 0);
}

static int as_user(uid_t uid, unsigned int flags)
{
	int result, error;

	CHECK_EQ(seteuid(uid), 0);
	result = set_flags("f", flags);
	error = errno;
	CHECK_EQ(seteuid(0), 0);
	errno = error;
	return result;
}

static void rights(void)
{
	unsigned int flags = IMMUTABLE, unknown = 1u << 31;
	int ends[2], fd = open("f", O_RDONLY);

	CHECK_ERR(ioctl(fd, SET_FLAGS, &unknown), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, SET_FLAGS, NULL), EFAULT);
	CHECK_ERR(ioctl(fd, GET_FLAGS, NULL), EFAULT);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(ioctl(ends[0], GET_FLAGS, &flags), ENOTTY);
	close(ends[0]);
	close(ends[1]);
	close(fd);
	CHECK_EQ(chown("f", 1000, 1000), 0);
	CHECK_ERR(as_user(1000, IMMUTABLE), EPERM);
	CHECK_ERR(as_user(1000, APPEND), EPERM);
	CHECK_ERR(as_user(1001, NODUMP), EPERM);
	CHECK_EQ(as_user(1000, NODUMP), 0);
	CHECK_EQ(flags_of("f"), NODUMP);
	CHECK_EQ(set_flags("f", NODUMP | IMMUTABLE), 0);
	CHECK_EQ(attributes_of("f"), NODUMP | IMMUTABLE);
	CHECK_ERR(as_user(1000, NODUMP), EPERM);
	CHECK_EQ(as_user(1000, NODUMP | IMMUTABLE), 0); /* nothing changes */
	CHECK_EQ(set_flags("f", 0), 0);
}

static void begin(const char *place)
{
	CHECK_EQ(chdir(place), 0);
	close(make_file("f", 10000, 1));
	close(make_file("other", 10, 1));
}

/* All of it on the file system of the working directory. */
static void all(bool disk)
{
	immutable(disk);
	append_only();
	directories();
	rights();
	CHECK_EQ(unlink("f") | unlink("other"), 0);
}

TEST(in_memory, 20, "immutable and append-only files and directories of tmpfs")
{
	CHECK_EQ(mkdir("/tmp/flags", 0755), 0);
	begin("/tmp/flags");
	all(false);
	CHECK_EQ(chdir("/") | rmdir("/tmp/flags"), 0);
}

static void mark(int block)
{
	begin(MNT);
	all(true);
	close(make_file("i", 100, 1));
	close(make_file("a", 100, 1));
	CHECK_EQ(mkdir("n", 0700), 0);
	CHECK_EQ(set_flags("i", IMMUTABLE), 0);
	CHECK_EQ(set_flags("a", APPEND), 0);
	CHECK_EQ(set_flags("n", NODUMP), 0);
	close(make_file("n/f", 100, 1));
	CHECK_EQ(mkdir("n/d", 0700), 0);
	CHECK_EQ(chdir("/"), 0);
}

static void is_marked(int block)
{
	CHECK_EQ(flags_of(MNT "/i"), IMMUTABLE);
	CHECK_EQ(flags_of(MNT "/a"), APPEND);
	CHECK_EQ(flags_of(MNT "/n/f"), NODUMP);
	CHECK_EQ(flags_of(MNT "/n/d"), NODUMP);
	CHECK_ERR(unlink(MNT "/i"), EPERM);
	CHECK_ERR(unlink(MNT "/a"), EPERM);
}

TEST(on_disk, 60, "the same on ext2, where they stay; new files have NODUMP from their directory")
{
	on_all_sizes(mark, is_marked);
}
