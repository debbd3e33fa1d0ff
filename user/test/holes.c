/*
 * Holes and room: fallocate, SEEK_DATA and SEEK_HOLE of a file in memory.
 */
#include "names.h"
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>

#define PAGE	 4096

#define KEEP	 0x01
#define PUNCH	 0x03 /* PUNCH_HOLE | KEEP_SIZE */
#define COLLAPSE 0x08
#define ZERO	 0x10
#define INSERT	 0x20

static int new_file(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	return fd;
}

static long blocks(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_blocks / 8;
}

static long long size(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_size;
}

/* Are the bytes [from, to) zeros? */
static bool zeros(int fd, long from, long to)
{
	char buf[PAGE];

	while (from < to) {
		long n = pread(fd, buf, to - from < PAGE ? to - from : PAGE, from);

		CHECK(n > 0);
		for (long i = 0; i < n; i++)
			if (buf[i])
				return false;
		from += n;
	}
	return true;
}

TEST(seek, 5, "SEEK_DATA and SEEK_HOLE find the parts of a file that were written")
{
	int fd;

	enter();
	fd = new_file();
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
	CHECK_EQ(ftruncate(fd, 10 * PAGE + 5), 0);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 7, SEEK_HOLE), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
	CHECK_EQ(pwrite(fd, "x", 1, 3 * PAGE + 100), 1);
	CHECK_EQ(pwrite(fd, "x", 1, 4 * PAGE), 1);
	CHECK_EQ(pwrite(fd, "x", 1, 10 * PAGE), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 3 * PAGE);
	CHECK_EQ(lseek(fd, 3 * PAGE + 9, SEEK_DATA), 3 * PAGE + 9);
	CHECK_EQ(lseek(fd, 3 * PAGE + 9, SEEK_HOLE), 5 * PAGE);
	CHECK_EQ(lseek(fd, 5 * PAGE, SEEK_DATA), 10 * PAGE);
	CHECK_EQ(lseek(fd, 10 * PAGE + 1, SEEK_HOLE), 10 * PAGE + 5);
	CHECK_ERR(lseek(fd, 10 * PAGE + 5, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 10 * PAGE + 5, SEEK_HOLE), ENXIO);
	CHECK_ERR(lseek(fd, -1, SEEK_HOLE), ENXIO);
	CHECK_ERR(lseek(fd, 0, 5), EINVAL);
	leave();
}

TEST(room, 5, "fallocate takes room that reads as zeros, and a later write needs no more")
{
	int fd;
	char *map;

	enter();
	fd = new_file();
	CHECK_EQ(pwrite(fd, "data", 4, PAGE), 4);
	CHECK_EQ(fallocate(fd, 0, 100, 4 * PAGE), 0);
	CHECK_EQ(size(fd), 4 * PAGE + 100);
	CHECK_EQ(blocks(fd), 5);
	CHECK(zeros(fd, 0, PAGE));
	CHECK(zeros(fd, PAGE + 4, 4 * PAGE + 100));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), PAGE);
	CHECK_EQ(lseek(fd, PAGE, SEEK_HOLE), 2 * PAGE);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE + 7), 1);
	CHECK(zeros(fd, 2 * PAGE, 2 * PAGE + 7));
	CHECK(zeros(fd, 2 * PAGE + 8, 4 * PAGE + 100));
	map = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[3 * PAGE], 0);
	map[0] = 'm';
	CHECK_EQ(map[1], 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQ(blocks(fd), 5);
	leave();
}

TEST(beyond_the_end, 5, "with KEEP_SIZE room may lie beyond the end; truncating the file frees it")
{
	int fd;

	enter();
	fd = new_file();
	CHECK_EQ(pwrite(fd, "data", 4, 0), 4);
	CHECK_EQ(fallocate(fd, KEEP, 0, 4 * PAGE), 0);
	CHECK_EQ(size(fd), 4);
	CHECK_EQ(blocks(fd), 4);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE), 1);
	CHECK(zeros(fd, 4, 2 * PAGE));
	CHECK_EQ(blocks(fd), 4);
	CHECK_EQ(ftruncate(fd, 2 * PAGE + 1), 0);
	CHECK_EQ(blocks(fd), 3);
	CHECK_EQ(fallocate(fd, KEEP, 0, 8 * PAGE), 0);
	CHECK_EQ(blocks(fd), 8);
	CHECK_EQ(ftruncate(fd, 5), 0);
	CHECK_EQ(blocks(fd), 1);
	CHECK_EQ(unlink("file"), 0);
	leave();
}

TEST(punched, 5, "PUNCH_HOLE frees whole pages and zeroes the rest of the range")
{
	char buf[5 * PAGE];
	char *map;
	int fd;

	enter();
	fd = new_file();
	memset(buf, 'a', sizeof(buf));
	CHECK_EQ(write(fd, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	map = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[2 * PAGE] = 'b';
	CHECK_EQ(fallocate(fd, PUNCH, PAGE - 10, 2 * PAGE + 20), 0);
	CHECK_EQ(blocks(fd), 3);
	CHECK_EQ(size(fd), 5 * PAGE);
	CHECK_EQ(map[PAGE - 11], 'a');
	CHECK(zeros(fd, PAGE - 10, 3 * PAGE + 10));
	CHECK_EQ(map[2 * PAGE], 0);
	CHECK_EQ(map[3 * PAGE + 9], 0);
	CHECK_EQ(map[3 * PAGE + 10], 'a');
	CHECK_EQ(lseek(fd, 3 * PAGE, SEEK_HOLE), 5 * PAGE);
	CHECK_EQ(fallocate(fd, PUNCH, 4 * PAGE + 5, 6), 0); /* inside one page */
	CHECK_EQ(map[4 * PAGE + 4], 'a');
	CHECK(zeros(fd, 4 * PAGE + 5, 4 * PAGE + 11));
	CHECK_EQ(map[4 * PAGE + 11], 'a');
	CHECK_EQ(fallocate(fd, PUNCH, 4 * PAGE, 100 * PAGE), 0); /* beyond the end */
	CHECK_EQ(size(fd), 5 * PAGE);
	CHECK(zeros(fd, 4 * PAGE, 5 * PAGE));
	munmap(map, 5 * PAGE);
	leave();
}

BEYOND_TEST(punched_slots, 5, "a pipe keeps the bytes that were punched out of the file",
	    "slots show later changes of the file")
{
	char buf[3 * PAGE], got[3 * PAGE];
	loff_t pos = 0;
	int fd, ends[2];

	enter();
	fd = new_file();
	memset(buf, 'a', sizeof(buf));
	CHECK_EQ(write(fd, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(fd, &pos, ends[1], NULL, sizeof(buf), 0), (ssize_t)sizeof(buf));
	CHECK_EQ(fallocate(fd, PUNCH, 100, 2 * PAGE), 0);
	CHECK_EQ(read_full(ends[0], got, sizeof(got)), (ssize_t)sizeof(got));
	CHECK(!memcmp(buf, got, sizeof(got)));
	CHECK(zeros(fd, 100, 2 * PAGE));
	leave();
}

TEST(no_room, 10, "fallocate that fails for lack of room leaves the file as it was")
{
	struct statfs before, after;
	int fd;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=64k"), 0);
	CHECK_EQ(chdir("m"), 0);
	fd = new_file();
	CHECK_EQ(pwrite(fd, "x", 1, PAGE), 1);
	CHECK_EQ(statfs(".", &before), 0);
	CHECK_ERR(fallocate(fd, 0, 0, 20 * PAGE), ENOSPC);
	CHECK_EQ(fallocate(fd, 0, 0, 10 * PAGE), 0);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	put("other", "x");
	CHECK_ERR(fallocate(fd, 0, 0, 16 * PAGE), ENOSPC);
	CHECK_EQ(size(fd), 2 * PAGE);
	CHECK_EQ(unlink("other"), 0);
	CHECK_EQ(statfs(".", &after), 0);
	CHECK(after.f_bfree >= before.f_bfree - 1);
	CHECK_EQ(fallocate(fd, KEEP, 0, 16 * PAGE), 0);
	CHECK_EQ(statfs(".", &after), 0);
	CHECK_EQ(after.f_bfree, 0);
	/* What has been taken can be written. */
	CHECK_EQ(pwrite(fd, "y", 1, 15 * PAGE), 1);
	CHECK_ERR(pwrite(fd, "y", 1, 16 * PAGE), ENOSPC);
	close(fd);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount("m"), 0);
	leave();
}

TEST(room_stays, 10, "fallocate that fails leaves the room that has been taken before")
{
	struct statfs st;
	int fd, other;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=64k"), 0);
	CHECK_EQ(chdir("m"), 0);
	fd = new_file();
	other = open("other", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(fallocate(fd, 0, 2 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(fallocate(other, 0, 0, 8 * PAGE), 0);
	CHECK_ERR(fallocate(fd, 0, 0, 16 * PAGE), ENOSPC);
	CHECK_EQ(statfs(".", &st), 0);
	CHECK_EQ(st.f_bfree, 4);
	CHECK_EQ(fallocate(other, 0, 0, 12 * PAGE), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 5 * PAGE), 1);
	CHECK_ERR(pwrite(fd, "x", 1, 6 * PAGE), ENOSPC);
	close(fd);
	close(other);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount("m"), 0);
	leave();
}

TEST(allocate_errors, 5, "what fallocate refuses, and in which order")
{
	struct rlimit limit = { 8 * PAGE, RLIM_INFINITY };
	int fd, reader, ends[2];

	enter();
	fd = new_file();
	reader = open("file", O_RDONLY);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(fallocate(99, 0, 0, 1), EBADF);
	CHECK_ERR(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0x1000, 0, 0), EINVAL);
	CHECK_ERR(fallocate(reader, 0x1000, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(reader, 0, 0, 1), EBADF);
	CHECK_ERR(fallocate(ends[1], 0, 0, 1), ESPIPE);
	CHECK_ERR(fallocate(open("/dev/null", O_WRONLY), 0, 0, 1), ENODEV);
	CHECK_ERR(fallocate(fd, 2, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, PUNCH | ZERO, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, ZERO, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, COLLAPSE, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, INSERT, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, COLLAPSE | KEEP, 0, 1), EINVAL);
	CHECK_ERR(fallocate(fd, INSERT | KEEP, 0, 1), EINVAL);
	CHECK_ERR(fallocate(fd, 0, INT64_MAX, 1), EFBIG);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_EQ(fallocate(fd, 0, 0, 8 * PAGE), 0);
	CHECK_ERR(fallocate(fd, 0, 0, 8 * PAGE + 1), EFBIG);
	CHECK_ERR(fallocate(fd, KEEP, 8 * PAGE, 1), EFBIG);
	CHECK_EQ(fallocate(fd, PUNCH, 8 * PAGE, PAGE), 0);
	leave();
}
