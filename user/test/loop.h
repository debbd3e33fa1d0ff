/*
 * Loop devices for the tests: the structures of linux/loop.h, and short ways to bind a file.
 */
#ifndef USER_TEST_LOOP_H
#define USER_TEST_LOOP_H

#include "text_files.h"
#include <sys/mount.h> /* also BLKGETSIZE64 and the like */

#define LOOP_SET_FD	    0x4c00
#define LOOP_CLR_FD	    0x4c01
#define LOOP_SET_STATUS	    0x4c02
#define LOOP_GET_STATUS	    0x4c03
#define LOOP_SET_STATUS64   0x4c04
#define LOOP_GET_STATUS64   0x4c05
#define LOOP_CHANGE_FD	    0x4c06
#define LOOP_SET_CAPACITY   0x4c07
#define LOOP_SET_DIRECT_IO  0x4c08
#define LOOP_SET_BLOCK_SIZE 0x4c09
#define LOOP_CONFIGURE	    0x4c0a
#define LOOP_CTL_ADD	    0x4c80
#define LOOP_CTL_REMOVE	    0x4c81
#define LOOP_CTL_GET_FREE   0x4c82

#define LO_FLAGS_READ_ONLY  1
#define LO_FLAGS_AUTOCLEAR  4

struct loop_info64 {
	uint64_t device, inode, rdevice, offset, size_limit;
	uint32_t number, encryption, key_size, flags;
	char name[64], encryption_name[64];
	uint8_t key[32];
	uint64_t init[2];
};

struct loop_config {
	uint32_t fd, block_size;
	struct loop_info64 info;
	uint64_t reserved[8];
};

struct loop_info { /* of i386 */
	int32_t number;
	uint16_t device;
	uint32_t inode;
	uint16_t rdevice;
	int32_t offset, encryption, key_size, flags;
	char name[64];
	uint8_t key[32];
	uint32_t init[2];
	char reserved[4];
};

__attribute__((unused)) static char loop_path[32];

/* Opens a device that is not bound. Its path is in loop_path. */
__attribute__((unused)) static int loop_open_free(int flags)
{
	int control = open("/dev/loop-control", O_RDWR), loop, number;

	CHECK(control >= 0);
	number = ioctl(control, LOOP_CTL_GET_FREE);
	CHECK(number >= 0);
	close(control);
	snprintf(loop_path, sizeof(loop_path), "/dev/loop%d", number);
	loop = open(loop_path, flags);
	CHECK(loop >= 0);
	return loop;
}

/* Binds the file to a device, and returns the open device. */
__attribute__((unused)) static int loop_bind(int file, unsigned int flags, uint64_t offset,
					     uint64_t size_limit)
{
	struct loop_config config = {
		.fd = file,
		.info = { .flags = flags, .offset = offset, .size_limit = size_limit },
	};
	int loop = loop_open_free(O_RDWR);

	CHECK_EQ(ioctl(loop, LOOP_CONFIGURE, &config), 0);
	return loop;
}

__attribute__((unused)) static uint64_t device_bytes(int device)
{
	uint64_t bytes = 0;

	CHECK_EQ(ioctl(device, BLKGETSIZE64, &bytes), 0);
	return bytes;
}

/* Makes a file of `size` bytes of the stream that belongs to the seed, and opens it. */
__attribute__((unused)) static int loop_file(const char *path, size_t size, unsigned int seed)
{
	static char piece[65536];
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(file >= 0);
	for (size_t at = 0; at < size; at += sizeof(piece)) {
		size_t n = size - at < sizeof(piece) ? size - at : sizeof(piece);

		test_fill(piece, n, seed, at);
		CHECK_EQ(write(file, piece, n), n);
	}
	return file;
}

#endif
