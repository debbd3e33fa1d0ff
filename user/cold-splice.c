/*
 * cold-splice FILE: splices a file that is not cached into a pipe, and shows that splice did not wait for the disk.
 *
 * It drops the file from the page cache, makes the pipe as large as it may be (1 MiB), splices the file into it, and
 * counts how many slots were still on their way when splice returned (from /proc/pipes, which only Sluice has). Then it reads the
 * pipe, and compares with what an ordinary read of the file gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#endif
#define WANTED (1 << 20)

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

/* Forget the file's pages, all of them. drop_caches needs root, and is for those that read-ahead brought in. */
static void make_cold(int file)
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
		printf("posix_fadvise does not work here: the file may be cached\n");
	if (drop >= 0) {
		(void)!write(drop, "1\n", 2);
		close(drop);
	}
}

/* Slots of the pipe, and how many of them are on their way: false if the kernel does not tell. */
static int count_slots(unsigned int pipe_number, unsigned int *slots, unsigned int *on_their_way)
{
	/* One read(2) of all of it: a small buffer would take long enough for slots to arrive. */
	static char text[256 << 10];
	int file = open("/proc/pipes", O_RDONLY);
	unsigned int number = 0;
	size_t len = 0;
	ssize_t n;

	*slots = *on_their_way = 0;
	if (file < 0)
		return 0;
	while (len < sizeof(text) - 1 && (n = read(file, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	close(file);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "pipe %u:", &number) == 1 || number != pipe_number)
			continue;
		++*slots;
		*on_their_way += strstr(line, "on its way") != NULL;
	}
	return 1;
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

int main(int argc, char **argv)
{
	unsigned int slots, on_their_way;
	double start, spliced, looked, first;
	char *got, *want;
	struct stat st;
	int file, ends[2], size, known;
	ssize_t moved, n;

	if (argc != 2) {
		fprintf(stderr, "usage: cold-splice FILE\n");
		return 2;
	}
	file = open(argv[1], O_RDONLY);
	if (file < 0)
		fail(argv[1]);
	if (pipe(ends) < 0 || fstat(ends[0], &st) < 0)
		fail("pipe");
	if (fcntl(ends[1], F_SETPIPE_SZ, WANTED) < 0)
		printf("the pipe stays small: %s\n", strerror(errno));
	size = fcntl(ends[1], F_GETPIPE_SZ);
	got = calloc(2, WANTED);
	if (!got)
		fail("memory");
	memset(got, 1, 2 * WANTED);
	want = got + WANTED;
	make_cold(file);

	start = now_us();
	moved = splice(file, NULL, ends[1], NULL, size, SPLICE_F_NONBLOCK);
	spliced = now_us();
	if (moved < 0)
		fail("splice");
	known = count_slots(st.st_ino, &slots, &on_their_way);
	looked = now_us();
	n = moved ? read(ends[0], got, 1) : 0;
	if (n < 0)
		fail("read");
	first = now_us();

	printf("splice moved %zd bytes in %.0f us\n", moved, spliced - start);
	if (known)
		printf("%u of %u slots were still on their way when it returned\n", on_their_way, slots);
	else
		printf("how many slots were still on their way is not known here\n");
	printf("the first byte came %.0f us after that\n", first - looked);

	read_fully(ends[0], got + n, moved - n);
	printf("the last byte came %.0f us after the splice began\n", now_us() - start);
	lseek(file, 0, SEEK_SET);
	read_fully(file, want, moved);
	if (memcmp(got, want, moved) != 0) {
		printf("WRONG: the bytes differ from what read(2) gives\n");
		return 1;
	}
	printf("the bytes are those that read(2) gives\n");
	return 0;
}
