/*
 * Flags and commands that few programs use, and what is said where one cannot be had.
 */
#include "text_files.h"

#include <sys/ioctl.h>
#include <time.h>

#define FICLONERANGE 0x4020940d
#define FICLONE	     0x40049409
#define MAP_UNKNOWN  0x200
#define MAP_BITS_32  0x40 /* MAP_32BIT: of x86 only */
#define MAP_NO_WRITE 0x800
#define USER	     1000

static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);

	CHECK(fd >= 0);
	CHECK_EQ(fchmod(fd, 0666), 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	return fd;
}

static void as_another(int fd)
{
	CHECK_EQ(setuid(USER), 0);
	CHECK_ERR(open("/tmp/flags", O_RDONLY | O_NOATIME), EPERM);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NOATIME), 0); /* it was on already */
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_ERR(fcntl(fd, F_SETFL, O_NOATIME), EPERM);
	CHECK((fd = open("/tmp/flags-own", O_RDWR | O_CREAT | O_NOATIME, 0600)) >= 0);
	unlink("/tmp/flags-own");
}

TEST(noatime, 5, "O_NOATIME is for the owner of a file, at open and later")
{
	int fd = make_file("/tmp/flags");
	struct stat before, after;
	pid_t child;
	char byte;

	CHECK((fd = open("/tmp/flags", O_RDONLY | O_NOATIME)) >= 0);
	CHECK(fcntl(fd, F_GETFL) & O_NOATIME);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK(!(fcntl(fd, F_GETFL) & O_NOATIME));
	CHECK_EQ(fcntl(fd, F_SETFL, O_NOATIME), 0);
	CHECK(fcntl(fd, F_GETFL) & O_NOATIME);
	CHECK_EQ(fstat(fd, &before), 0);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(fstat(fd, &after), 0);
	CHECK(!memcmp(&before.st_atim, &after.st_atim, sizeof(before.st_atim)));
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		as_another(fd);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	unlink("/tmp/flags");
}

TEST(data_and_holes, 5, "SEEK_DATA and SEEK_HOLE find a file's bytes, and the hole at its end")
{
	int fd = make_file("/tmp/flags"), ends[2];

	unlink("/tmp/flags");
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQ(lseek(fd, 2, SEEK_DATA), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_EQ(lseek(fd, 1, SEEK_HOLE), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_ERR(lseek(fd, 3, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 3, SEEK_HOLE), ENXIO);
	CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	CHECK((fd = open("/bin/busybox", O_RDONLY)) >= 0);
	CHECK_EQ(lseek(fd, 1, SEEK_DATA), 1);
	CHECK_EQ(lseek(fd, 1, SEEK_HOLE), lseek(fd, 0, SEEK_END));
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(lseek(ends[0], 0, SEEK_DATA), ESPIPE);
	CHECK_ERR(lseek(ends[0], 0, SEEK_HOLE + 1), EINVAL);
}

TEST(ends_of_directories, 5,
     "SEEK_END and SEEK_DATA work on a directory of a disk, but not in memory")
{
	int disk = open("/root", O_RDONLY), memory = open("/tmp", O_RDONLY);
	int proc = open("/proc", O_RDONLY);
	off_t size = lseek(disk, 0, SEEK_END);

	CHECK(size > 0);
	CHECK_EQ(lseek(disk, 1, SEEK_DATA), 1);
	CHECK_EQ(lseek(disk, 0, SEEK_HOLE), size);
	CHECK_ERR(lseek(disk, size, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(proc, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(memory, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(memory, 1, SEEK_CUR), 6);
	CHECK_ERR(lseek(memory, 0, SEEK_END), EINVAL);
	CHECK_ERR(lseek(memory, 0, SEEK_DATA), EINVAL);
	CHECK_ERR(lseek(memory, 0, SEEK_HOLE), EINVAL);
	CHECK_EQ(lseek(memory, 0, SEEK_CUR), 6);
}

TEST(clones, 5, "a file that cannot share another one's blocks says so, and tells of wrong files")
{
	int fd = make_file("/tmp/flags"), other = make_file("/tmp/flags-other"), ends[2];
	int read_only = open("/tmp/flags", O_RDONLY), tmp = open("/tmp", O_RDONLY);
	int far = open("/bin/busybox", O_RDONLY);
	int64_t range[4] = { other, 0, 0, 0 };

	CHECK(read_only >= 0 && tmp >= 0 && far >= 0);
	unlink("/tmp/flags");
	unlink("/tmp/flags-other");
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(ioctl(fd, FICLONE, other), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, FICLONE, 999), EBADF);
	CHECK_ERR(ioctl(read_only, FICLONE, other), EBADF);
	CHECK_ERR(ioctl(fd, FICLONE, tmp), EISDIR);
	CHECK_ERR(ioctl(fd, FICLONE, far), EXDEV);
	CHECK_ERR(ioctl(fd, FICLONE, ends[0]), EXDEV);
	CHECK_ERR(ioctl(ends[1], FICLONE, ends[0]), EINVAL);
	CHECK_ERR(ioctl(fd, FICLONERANGE, &range), EOPNOTSUPP);
	range[0] = 999;
	CHECK_ERR(ioctl(fd, FICLONERANGE, &range), EBADF);
	CHECK_ERR(ioctl(fd, FICLONERANGE, 8), EFAULT);
}

static long sleep_on(int clock, const struct timespec *time)
{
	const int call = sizeof(time->tv_sec) == 8 ? SYS_clock_nanosleep_time64 : 267;

	return syscall(call, clock, 0, time, NULL);
}

TEST(clocks, 5, "a clock that nobody can sleep on is EOPNOTSUPP, and one that is not there EINVAL")
{
	const struct timespec short_time = { 0, 1 };

	CHECK_EQ(sleep_on(CLOCK_REALTIME, &short_time), 0);
	CHECK_EQ(sleep_on(CLOCK_MONOTONIC, &short_time), 0);
	CHECK_EQ(sleep_on(CLOCK_BOOTTIME, &short_time), 0);
	CHECK_ERR(sleep_on(CLOCK_THREAD_CPUTIME_ID, &short_time), EOPNOTSUPP);
	CHECK_ERR(sleep_on(CLOCK_MONOTONIC_RAW, &short_time), EOPNOTSUPP);
	CHECK_ERR(sleep_on(CLOCK_REALTIME_COARSE, &short_time), EOPNOTSUPP);
	CHECK_ERR(sleep_on(CLOCK_MONOTONIC_COARSE, NULL), EOPNOTSUPP);
	CHECK_ERR(sleep_on(CLOCK_MONOTONIC, NULL), EFAULT);
	CHECK_ERR(sleep_on(99, NULL), EINVAL);
}

/* ---- mmap ---- */

static unsigned int resident_kib(void)
{
	return strtoul(named_line(contents("/proc/self/status"), "VmRSS"), NULL, 10);
}

TEST(hints, 5, "flags of mmap that only give advice are taken, and so are unknown ones")
{
	const int hints[] = { MAP_BITS_32, MAP_NO_WRITE, MAP_EXECUTABLE, MAP_NORESERVE,
			      MAP_STACK,   MAP_NONBLOCK, MAP_POPULATE,	 MAP_UNKNOWN };
	int fd = make_file("/tmp/flags");
	char *at;

	unlink("/tmp/flags");
	for (unsigned int i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | hints[i], fd, 0);
		CHECK(at != MAP_FAILED);
		CHECK(!memcmp(at, "abc", 4));
		at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | hints[i], -1, 0);
		CHECK(at != MAP_FAILED);
		CHECK_EQ(*at, 0);
	}
}

TEST(locked, 5, "a locked mapping has its pages from the beginning")
{
	const int flags[] = { MAP_LOCKED, MAP_POPULATE, 0 };
	const unsigned int size = 4 << 20;

	for (int i = 0; i < 3; i++) {
		unsigned int before = resident_kib(), more;
		char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | flags[i], -1, 0);

		CHECK(at != MAP_FAILED);
		more = resident_kib() - before;
		CHECK(flags[i] ? more >= size / 1024 - 512 : more < 512);
		CHECK_EQ(munmap(at, size), 0);
	}
}

/* ---- numbers in /proc/sys ---- */

TEST(proc_numbers, 10, "a number that is written to /proc/sys may have blanks around it")
{
	static const char *good[] = { "1", "1\n", "1 \n", " 1", "\t1\n\n" };
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK_EQ(pwrite(fd, good[i], strlen(good[i]), 0), strlen(good[i]));
	CHECK_ERR(write(fd, "1x", 2), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	CHECK_ERR(write(fd, "9", 1), EINVAL);
}
