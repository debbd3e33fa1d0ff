/*
 * cold-splice FILE: splices a file that is not cached into a pipe, and shows that splice did not
 * wait for the disk.
 *
 * It drops the file from the page cache, makes the pipe as large as possible (1 MiB) and splices
 * the file into it. FIONREAD counts the bytes that have arrived, so it tells how many bytes a
 * reader could have had when splice returned. Then cold-splice reads the pipe, and compares the
 * bytes with those of an ordinary read of the file. On a busy host the disk may be as fast as the
 * guest's one CPU. In this case cold-splice tries again up to 20 times, and says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#endif
#define WANTED (1 << 20)
#define TRIES  20

static void fail(const char *what)
{
	fprintf(stderr, "cold-splice: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/*
 * Removes all pages of the file from the cache. drop_caches removes those that read-ahead has
 * brought in. It needs root.
 */
static void make_cold(int file)
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
		printf("posix_fadvise failed, so the file may still be cached\n");
	if (drop >= 0) {
		(void)!write(drop, "1\n", 2);
		close(drop);
	}
}

static ssize_t pages(ssize_t bytes)
{
	return (bytes + 4095) / 4096;
}

static void read_fully(int fd, char *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, to + done, len - done);

		if (n < 0)
			fail("read");
		if (n == 0)
			break;
		done += n;
	}
}

/* The result of one splice. Times are in microseconds. */
struct result {
	ssize_t moved;
	int arrived; /* bytes that were there when it returned */
	double start, spliced, first, last;
};

static struct result splice_cold(int file, const int ends[2], int size, char *to)
{
	struct result r;
	ssize_t n;

	make_cold(file);
	lseek(file, 0, SEEK_SET);
	r.start = now_us();
	r.moved = splice(file, NULL, ends[1], NULL, size, SPLICE_F_NONBLOCK);
	if (r.moved >= 0 && ioctl(ends[0], FIONREAD, &r.arrived) < 0)
		fail("FIONREAD");
	r.spliced = now_us();
	if (r.moved < 0)
		fail("splice");
	n = r.moved ? read(ends[0], to, 1) : 0;
	if (n < 0)
		fail("read");
	r.first = now_us();
	read_fully(ends[0], to + n, r.moved - n);
	r.last = now_us();
	return r;
}

int main(int argc, char **argv)
{
	int file, ends[2], size, tries = 0;
	struct result r;
	char *got, *want;

	if (argc != 2) {
		fprintf(stderr, "usage: cold-splice FILE\n");
		return 2;
	}
	file = open(argv[1], O_RDONLY);
	if (file < 0)
		fail(argv[1]);
	if (pipe(ends) < 0)
		fail("pipe");
	if (fcntl(ends[1], F_SETPIPE_SZ, WANTED) < 0)
		printf("the pipe keeps its size: %s\n", strerror(errno));
	size = fcntl(ends[1], F_GETPIPE_SZ);
	got = calloc(2, WANTED);
	if (!got)
		fail("memory");
	memset(got, 1, 2 * WANTED);
	want = got + WANTED;
	do
		r = splice_cold(file, ends, size, got);
	while (r.arrived == r.moved && ++tries < TRIES);

	if (tries > 0)
		printf("(in the first %d tries the disk was as fast as the splice)\n", tries);
	printf("splice moved %zd bytes in %.0f us\n", r.moved, r.spliced - r.start);
	printf("%zd of %zd pages were still on their way when it returned\n",
	       pages(r.moved) - pages(r.arrived), pages(r.moved));
	printf("the first byte came %.0f us after that\n", r.first - r.spliced);
	printf("the last byte came %.0f us after the splice began\n", r.last - r.start);
	lseek(file, 0, SEEK_SET);
	read_fully(file, want, r.moved);
	if (memcmp(got, want, r.moved) != 0) {
		printf("WRONG: the bytes differ from those of read(2)\n");
		return 1;
	}
	printf("the bytes are the same as those of read(2)\n");
	return 0;
}
