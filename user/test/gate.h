/*
 * The gate device: a disk whose completions come when the test says so. What is said to it, the
 * bytes that it begins with, and what of them has come out of a pipe.
 */
#ifndef USER_TEST_GATE_H
#define USER_TEST_GATE_H

#include "test.h"
#include <sys/mount.h>

#define NO_GATE	    "lacks /proc/gate: Linux has no gate device and waits for the disk in splice"
#define MIB	    (1 << 20)
#define SEED	    11

#define IMAGE	    "/test/data/ext2-4k"
#define IMAGE_SEED  21		/* as tests/images has it */
#define DIRECT_SIZE (12 * 4096) /* of its file `direct`, whose blocks the inode itself names */

static int gate;
static char data[MIB], back[2 * MIB];

/* The gate's first n bytes are known ones, none of them cached, and it is open. */
static inline void gate_fill(size_t n)
{
	gate_control("open");
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0);
	test_fill(data, n, SEED, 0);
	CHECK_EQ(pwrite(gate, data, n, 0), n);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
}

/* Mount a file system on the gate, which is open, with the bytes of an image. */
static inline void gate_mount_image(const char *path)
{
	int image = open(path, O_RDONLY);
	ssize_t n;

	gate_control("open");
	umount("/mnt"); /* what a failed case left */
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0 && image >= 0);
	while ((n = read(image, data, sizeof(data))) > 0)
		CHECK_EQ(write_full(gate, data, n), n);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	close(image);
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
}

static inline void gate_mount(void)
{
	gate_mount_image(IMAGE);
}

/* Fill the first MiB, make two pipes, and close the gate. */
static inline void gate_prepare(int first[2], int second[2])
{
	gate_fill(MIB);
	CHECK_EQ(pipe(first), 0);
	CHECK_EQ(pipe(second), 0);
	gate_control("close");
}

/* Open the file `direct` of the mounted gate. None of its pages is in the cache. */
static inline int gate_open_cold(void)
{
	int file = open("/mnt/direct", O_RDONLY);

	CHECK(file >= 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	return file;
}

/* What the line `name value` of a /proc file says. */
static inline long value_of(const char *path, const char *name)
{
	char word[64];
	long value, found = -1;
	FILE *file = fopen(path, "r");

	CHECK(file != NULL);
	while (fscanf(file, "%63s", word) == 1)
		if (!strcmp(word, name) && fscanf(file, "%ld", &value) == 1)
			found = value;
	fclose(file);
	return found;
}

/* How many requests the gate holds up. */
static inline long held_at_gate(void)
{
	return value_of("/proc/gate", "held");
}

/* Wait until the gate holds up a request that has come since it held `before` of them. */
static inline void await_at_gate(long before)
{
	while (held_at_gate() <= before)
		test_sleep_ms(1);
}

/* Slots of all pipes that are still on their way. */
static inline int on_their_way(void)
{
	char line[256];
	int n = 0;
	FILE *file = fopen("/proc/pipes", "r");

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "on its way") != NULL;
	fclose(file);
	return n;
}

/* The next n bytes of fd are those of the gate from `from` on. */
static inline void expect(int fd, size_t from, size_t n)
{
	CHECK_EQ(read_full(fd, back, n), n);
	CHECK_EQ(test_differs(back, n, SEED, from), n);
}

#endif
