/*
 * The gate device: a disk whose completions come when the test says so. What is said to it, the bytes
 * that it begins with, and what of them has come out of a pipe.
 */
#ifndef USER_TEST_GATE_H
#define USER_TEST_GATE_H

#include "test.h"

#ifndef BLKFLSBUF
#define BLKFLSBUF 0x1261
#endif

#define NO_GATE "lacks /proc/gate: Linux has no gate device and waits for the disk in splice"
#define MIB	(1 << 20)
#define SEED	11

static int gate;
static char data[MIB], back[2 * MIB];

/* A command to /proc/gate. */
static inline void control(const char *command)
{
	int fd = test_open_own("/proc/gate", O_WRONLY);

	CHECK_EQ(write(fd, command, strlen(command)), strlen(command));
	close(fd);
}

/* The gate's first n bytes are known ones, none of them cached, and it is open. */
static inline void gate_fill(size_t n)
{
	control("open");
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0);
	test_fill(data, n, SEED, 0);
	CHECK_EQ(pwrite(gate, data, n, 0), n);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
}

/* The next n bytes of fd are those of the gate from `from` on. */
static inline void expect(int fd, size_t from, size_t n)
{
	CHECK_EQ(read_full(fd, back, n), n);
	CHECK_EQ(test_differs(back, n, SEED, from), n);
}

static inline short poll_now(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

#endif
