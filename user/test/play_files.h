/*
 * What play does with files and with the gate device (user/test/play.c). Each function returns what
 * its system call returned, with errno.
 */
#ifndef USER_TEST_PLAY_FILES_H
#define USER_TEST_PLAY_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define BLOCK (1 << 16) /* of the gate device */
#define GATE  "/dev/gate0"

static inline long close_after(int fd, long result)
{
	int error = errno;

	close(fd);
	errno = error;
	return result;
}

/* The device is open for one call only: a file that is open anew has no read-ahead. */
static inline long splice_cold(int to, loff_t at, size_t n)
{
	int fd = open(GATE, O_RDONLY);

	return close_after(fd, splice(fd, &at, to, NULL, n, SPLICE_F_NONBLOCK));
}

static inline long splice_to_null(int from, size_t n)
{
	int fd = open("/dev/null", O_WRONLY);

	return close_after(fd, splice(from, NULL, fd, NULL, n, SPLICE_F_NONBLOCK));
}

static inline long write_block(unsigned int block, const unsigned char *from)
{
	int fd = open(GATE, O_RDWR);
	bool failed = pwrite(fd, from, BLOCK, (off_t)block * BLOCK) != BLOCK || fsync(fd) < 0 ||
		      ioctl(fd, BLKFLSBUF, 0) < 0;

	return close_after(fd, failed ? -1 : 0);
}

static inline long command_gate(const char *command)
{
	int fd = open("/proc/gate", O_WRONLY);

	return close_after(fd, write(fd, command, strlen(command)) < 0 ? -1 : 0);
}

/* Makes an empty file in memory instead of *file. */
static inline long make_file(int *file)
{
	if (*file >= 0)
		close(*file);
	*file = open("/tmp/play", O_RDWR | O_CREAT | O_EXCL, 0600);
	return *file < 0 || unlink("/tmp/play") < 0 ? -1 : 0;
}

static inline long splice_out(int file, off_t *at, int to, size_t n)
{
	return splice(file, at, to, NULL, n, SPLICE_F_NONBLOCK);
}

static inline long splice_in(int from, int file, off_t *at, size_t n)
{
	return splice(from, NULL, file, at, n, SPLICE_F_NONBLOCK);
}

static inline long send_file(int file, off_t *at, int to, size_t n)
{
	if (lseek(to, 0, SEEK_END) < 0)
		return -1;
	return sendfile(to, file, at, n);
}

static inline long limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	return setrlimit(RLIMIT_FSIZE, &limit);
}

#endif
