/*
 * disk-queue [DISK [REQUESTS]]: shows how far one thread can fill a disk's queue.
 *
 * It reads many places of a disk that are far apart and not cached. The first time it uses pread,
 * for one place after another. The second time it splices each place into a pipe of its own, and
 * reads the pipes only when all places have been asked for. /proc/disks says how many requests the
 * disk had at once. By default it reads 256 places of the root file system's disk. It prints a line
 * for each of the two ways. The status is 0 if both have read the same bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PAGE	   4096
#define MOST	   400
#define BLKFLSBUF  0x1261
#define BLKGETSIZE 0x1260 /* in sectors of 512 bytes */

static int disk, nr = 256, pipes[MOST][2];
static const char *name = "vda";
static unsigned long sectors;

static void fail(const char *what)
{
	fprintf(stderr, "disk-queue: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Returns a number that /proc/disks has for our disk, or -1. */
static int disk_value(const char *what)
{
	FILE *file = fopen("/proc/disks", "r");
	char line[300], *at;
	int value = -1;

	if (!file)
		fail("/proc/disks");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ' &&
		    (at = strstr(line, what)) != NULL)
			value = atoi(at + strlen(what));
	fclose(file);
	return value;
}

/* The places are in an order that read-ahead cannot foresee. */
static loff_t place(int i)
{
	unsigned long pages = sectors / (PAGE / 512);
	unsigned long step = pages / nr;

	return (loff_t)((unsigned long)(i * 37 % nr) * step) * PAGE;
}

static uint32_t sum(const unsigned char *page, uint32_t before)
{
	for (int i = 0; i < PAGE; i++)
		before = before * 31 + page[i];
	return before;
}

static double by_read(uint32_t *bytes)
{
	double start = now_us();
	unsigned char page[PAGE];

	for (int i = 0; i < nr; i++) {
		if (pread(disk, page, PAGE, place(i)) != PAGE)
			fail("pread");
		*bytes = sum(page, *bytes);
	}
	return now_us() - start;
}

static double by_splice(uint32_t *bytes, int *deepest)
{
	double start = now_us();
	unsigned char page[PAGE];

	for (int i = 0; i < nr; i++) {
		loff_t at = place(i);
		int depth;

		if (splice(disk, &at, pipes[i][1], NULL, PAGE, 0) != PAGE)
			fail("splice");
		depth = i % 32 == 31 ? disk_value(" in_flight ") : 0;
		*deepest = depth > *deepest ? depth : *deepest;
	}
	for (int i = 0; i < nr; i++) {
		if (read(pipes[i][0], page, PAGE) != PAGE)
			fail("read");
		*bytes = sum(page, *bytes);
	}
	return now_us() - start;
}

static void make_cold(void)
{
	if (ioctl(disk, BLKFLSBUF, 0) < 0)
		fail("BLKFLSBUF");
}

int main(int argc, char **argv)
{
	uint32_t read_bytes = 0, spliced_bytes = 0;
	int deepest = 0, before, most;
	char path[64];
	double us;

	if (argc > 1)
		name = argv[1];
	if (argc > 2)
		nr = atoi(argv[2]);
	if (argc > 3 || nr < 1 || nr > MOST) {
		fprintf(stderr, "usage: disk-queue [DISK [REQUESTS]], with 1 to %d requests\n",
			MOST);
		return 2;
	}
	snprintf(path, sizeof(path), "/dev/%s", name);
	disk = open(path, O_RDONLY);
	if (disk < 0 || ioctl(disk, BLKGETSIZE, &sectors) < 0)
		fail(path);
	for (int i = 0; i < nr; i++)
		if (pipe(pipes[i]) < 0)
			fail("pipe");
	printf("%d places of %s, whose queue takes %d requests; one thread\n", nr, path,
	       disk_value(" queue "));
	make_cold();
	us = by_read(&read_bytes);
	printf("read:   %8.0f us, one request at a time\n", us);
	make_cold();
	before = disk_value(" max_in_flight ");
	us = by_splice(&spliced_bytes, &deepest);
	/*
	 * There may have been more requests between two looks. The kernel keeps the maximum since
	 * boot.
	 */
	most = disk_value(" max_in_flight ");
	if (most > before)
		deepest = most;
	printf("splice: %8.0f us, up to %d requests at a time\n", us, deepest);
	if (read_bytes != spliced_bytes) {
		printf("WRONG: the bytes differ\n");
		return 1;
	}
	return 0;
}
