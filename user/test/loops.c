/*
 * Loop devices: binding files, what the calls answer, and the bytes that go through them.
 */
#include "loop.h"

#define SIZE   (256 << 10)
#define FILE_A "/tmp/loops-a"
#define FILE_B "/tmp/loops-b"

static char bytes[SIZE];

static void clear(int loop)
{
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
}

TEST(unbound, 10, "a device without a file is empty, and says so")
{
	struct loop_info64 info;
	struct loop_info old;
	int loop = loop_open_free(O_RDWR);

	CHECK_EQ(device_bytes(loop), 0);
	CHECK_EQ(read(loop, bytes, 512), 0);
	CHECK_ERR(write(loop, bytes, 512), ENOSPC);
	CHECK_EQ(fsync(loop), 0);
	CHECK_ERR(ioctl(loop, LOOP_GET_STATUS64, &info), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_GET_STATUS, &old), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_GET_STATUS64, NULL), EINVAL);
	CHECK_ERR(ioctl(loop, LOOP_CLR_FD), ENXIO);
	memset(&info, 0, sizeof(info));
	CHECK_ERR(ioctl(loop, LOOP_SET_STATUS64, &info), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_SET_CAPACITY), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_SET_DIRECT_IO, 0), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_SET_BLOCK_SIZE, 512), ENXIO);
	CHECK_ERR(ioctl(loop, LOOP_CHANGE_FD, loop), ENXIO);
	CHECK_EQ(mount(loop_path, "/mnt", "ext2", 0, NULL), -1);
}

TEST(bytes_of_the_file, 20, "what is written to the device is in the file, and the other way round")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 0, 0);

	CHECK_EQ(device_bytes(loop), SIZE);
	CHECK_EQ(read_full(loop, bytes, SIZE), SIZE);
	CHECK_EQ(read(loop, bytes, 512), 0);
	CHECK_EQ(test_differs(bytes, SIZE, 1, 0), SIZE);
	test_fill(bytes, SIZE, 2, 0);
	CHECK_EQ(pwrite(loop, bytes, SIZE, 0), SIZE);
	CHECK_ERR(pwrite(loop, bytes, 512, SIZE), ENOSPC);
	CHECK_EQ(fsync(loop), 0);
	memset(bytes, 0, SIZE);
	CHECK_EQ(pread(file, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, 2, 0), SIZE);
	test_fill(bytes, 5000, 3, 0);
	CHECK_EQ(pwrite(loop, bytes, 5000, 1000), 5000);
	CHECK_EQ(fsync(loop), 0);
	memset(bytes, 0, SIZE);
	CHECK_EQ(pread(file, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, 1000, 2, 0), 1000);
	CHECK_EQ(test_differs(bytes + 1000, 5000, 3, 0), 5000);
	CHECK_EQ(test_differs(bytes + 6000, SIZE - 6000, 2, 6000), SIZE - 6000);
	clear(loop);
	CHECK_EQ(device_bytes(loop), 0);
	CHECK_EQ(pread(loop, bytes, 512, 0), 0);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(old_call, 10, "LOOP_SET_FD binds a whole file, and a bound device takes no other one")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_open_free(O_RDWR);
	struct loop_config config = { .fd = file };

	CHECK_EQ(ioctl(loop, LOOP_SET_FD, file), 0);
	CHECK_EQ(device_bytes(loop), SIZE);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, file), EBUSY);
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, &config), EBUSY);
	close(loop);
	/* Without AUTOCLEAR it stays bound. */
	loop = open(loop_path, O_RDWR);
	CHECK_EQ(device_bytes(loop), SIZE);
	clear(loop);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(parts_of_a_file, 10, "the offset and the limit choose a part of the file, in whole sectors")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 1536, 10000);
	struct loop_info64 info;

	CHECK_EQ(device_bytes(loop), 9728);
	CHECK_EQ(read_full(loop, bytes, SIZE), 9728);
	CHECK_EQ(test_differs(bytes, 9728, 1, 1536), 9728);
	test_fill(bytes, 9728, 2, 0);
	CHECK_EQ(pwrite(loop, bytes, 9728, 0), 9728);
	CHECK_EQ(fsync(loop), 0);
	CHECK_EQ(pread(file, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, 1536, 1, 0), 1536);
	CHECK_EQ(test_differs(bytes + 1536, 9728, 2, 0), 9728);
	CHECK_EQ(test_differs(bytes + 11264, SIZE - 11264, 1, 11264), SIZE - 11264);
	/* Another part: nothing is left of the first one. */
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(info.offset, 1536);
	CHECK_EQ(info.size_limit, 10000);
	info.offset = 65536 + 1;
	info.size_limit = 0;
	CHECK_EQ(ioctl(loop, LOOP_SET_STATUS64, &info), 0);
	CHECK_EQ(device_bytes(loop), (SIZE - 65536 - 1) / 512 * 512);
	CHECK_EQ(pread(loop, bytes, 8192, 0), 8192);
	CHECK_EQ(test_differs(bytes, 8192, 1, 65536 + 1), 8192);
	info.offset = SIZE + 512;
	CHECK_EQ(ioctl(loop, LOOP_SET_STATUS64, &info), 0);
	CHECK_EQ(device_bytes(loop), 0);
	info.offset = 1ull << 63;
	CHECK_ERR(ioctl(loop, LOOP_SET_STATUS64, &info), EOVERFLOW);
	info.offset = 0;
	info.encryption = 1;
	CHECK_ERR(ioctl(loop, LOOP_SET_STATUS64, &info), EINVAL);
	clear(loop);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(status, 10, "the status tells the file, its name and the flags")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 512, 0);
	struct loop_info64 info;
	struct loop_info old;
	struct stat st;

	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(info.inode, st.st_ino);
	CHECK_EQ(info.device, st.st_dev);
	CHECK_EQ(info.rdevice, 0);
	CHECK_EQ(info.flags, 0);
	CHECK_EQ(info.number, atoi(loop_path + strlen("/dev/loop")));
	strcpy(info.name, "a name");
	info.flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY;
	CHECK_EQ(ioctl(loop, LOOP_SET_STATUS64, &info), 0);
	memset(&info, 1, sizeof(info));
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(strcmp(info.name, "a name"), 0);
	CHECK_EQ(info.flags, LO_FLAGS_AUTOCLEAR);
	CHECK_EQ(info.offset, 512);
	memset(&old, 1, sizeof(old));
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS, &old), 0);
	CHECK_EQ(old.offset, 512);
	CHECK_EQ(old.inode, st.st_ino);
	CHECK_EQ(old.flags, LO_FLAGS_AUTOCLEAR);
	CHECK_EQ(strcmp(old.name, "a name"), 0);
	old.flags = 0;
	old.offset = 1024;
	CHECK_EQ(ioctl(loop, LOOP_SET_STATUS, &old), 0);
	CHECK_EQ(device_bytes(loop), SIZE - 1024);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(info.flags, 0);
	clear(loop);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(read_only, 10, "a file or a node that is open for reading only makes a device for reading")
{
	int file = loop_file(FILE_A, SIZE, 1), reader = open(FILE_A, O_RDONLY), loop, flag = 0;
	struct loop_info64 info;

	loop = loop_bind(reader, 0, 0, 0);
	CHECK_EQ(ioctl(loop, BLKROGET, &flag), 0);
	CHECK_EQ(flag, 1);
	CHECK_EQ(ioctl(loop, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(info.flags, LO_FLAGS_READ_ONLY);
	CHECK_EQ(read_full(loop, bytes, SIZE), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, 1, 0), SIZE);
	CHECK_ERR(pwrite(loop, bytes, 512, 0), EPERM);
	clear(loop);
	close(loop);
	loop = loop_open_free(O_RDONLY);
	CHECK_EQ(ioctl(loop, LOOP_SET_FD, file), 0);
	CHECK_EQ(ioctl(loop, BLKROGET, &flag), 0);
	CHECK_EQ(flag, 1);
	clear(loop);
	close(loop);
	loop = loop_bind(file, LO_FLAGS_READ_ONLY, 0, 0);
	CHECK_EQ(ioctl(loop, BLKROGET, &flag), 0);
	CHECK_EQ(flag, 1);
	clear(loop);
	CHECK_EQ(ioctl(loop, BLKROGET, &flag), 0);
	close(loop);
	close(reader);
	close(file);
	unlink(FILE_A);
}

TEST(autoclear, 10, "with AUTOCLEAR, the last close lets go of the file")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, LO_FLAGS_AUTOCLEAR, 0, 0);
	int other = open(loop_path, O_RDWR);
	struct loop_info64 info;

	close(loop);
	CHECK_EQ(device_bytes(other), SIZE);
	test_fill(bytes, SIZE, 2, 0);
	CHECK_EQ(pwrite(other, bytes, SIZE, 0), SIZE);
	close(other);
	other = open(loop_path, O_RDWR);
	CHECK_ERR(ioctl(other, LOOP_GET_STATUS64, &info), ENXIO);
	CHECK_EQ(device_bytes(other), 0);
	close(other);
	memset(bytes, 0, SIZE);
	CHECK_EQ(pread(file, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, 2, 0), SIZE);
	close(file);
	unlink(FILE_A);
}

TEST(clear_while_used, 10, "LOOP_CLR_FD of a device with other users waits for the last close")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 0, 0);
	int other = open(loop_path, O_RDONLY);
	struct loop_info64 info;

	clear(loop);
	CHECK_EQ(ioctl(other, LOOP_GET_STATUS64, &info), 0);
	CHECK_EQ(info.flags, LO_FLAGS_AUTOCLEAR);
	close(loop);
	CHECK_EQ(pread(other, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, 1, 0), SIZE);
	close(other);
	other = open(loop_path, O_RDONLY);
	CHECK_ERR(ioctl(other, LOOP_GET_STATUS64, &info), ENXIO);
	close(other);
	close(file);
	unlink(FILE_A);
}

TEST(next_file, 20, "nothing of the last file is seen in the next one")
{
	int a = loop_file(FILE_A, SIZE, 1), b = loop_file(FILE_B, SIZE - 512, 2);
	int loop = loop_bind(a, 0, 0, 0);

	CHECK_EQ(pread(loop, bytes, SIZE, 0), SIZE);
	clear(loop);
	for (int i = 0; i < 4; i++) {
		int file = i % 2 ? a : b;
		int size = i % 2 ? SIZE : SIZE - 512;

		CHECK_EQ(ioctl(loop, LOOP_SET_FD, file), 0);
		CHECK_EQ(pread(loop, bytes, SIZE, 0), size);
		CHECK_EQ(test_differs(bytes, size, i % 2 ? 1 : 2, 0), size);
		clear(loop);
	}
	close(loop);
	close(a);
	close(b);
	unlink(FILE_A);
	unlink(FILE_B);
}

TEST(refused, 10, "what cannot be bound, and unknown flags and commands, are refused")
{
	int file = loop_file(FILE_A, SIZE, 1), ends[2], loop = loop_open_free(O_RDWR), next;
	struct loop_config config = { .fd = file };
	int null = open("/dev/null", O_RDWR), dir = open("/tmp", O_RDONLY);

	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, -1), EBADF);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, ends[0]), EINVAL);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, null), EINVAL);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, dir), EINVAL);
	CHECK_ERR(ioctl(loop, LOOP_SET_FD, loop), EBADF);
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, NULL), EFAULT);
	config.info.flags = 2;
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, &config), EINVAL);
	config.info.flags = 0;
	config.block_size = 513;
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, &config), EINVAL);
	config.block_size = 0;
	config.info.encryption = 1;
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, &config), EINVAL);
	config.info.encryption = 0;
	config.info.size_limit = 1ull << 63;
	CHECK_ERR(ioctl(loop, LOOP_CONFIGURE, &config), EOVERFLOW);
	CHECK_ERR(ioctl(loop, 0x4c0b), EINVAL);
	CHECK_ERR(ioctl(loop, 0x5401), EINVAL);
	CHECK_EQ(ioctl(loop, LOOP_SET_FD, file), 0);
	CHECK_ERR(ioctl(loop, LOOP_SET_BLOCK_SIZE, 511), EINVAL);
	CHECK_EQ(ioctl(loop, LOOP_SET_BLOCK_SIZE, 512), 0);
	CHECK_EQ(ioctl(loop, LOOP_SET_DIRECT_IO, 0), 0);
	/* A device on another one, which must have a file. */
	next = loop_open_free(O_RDWR);
	CHECK_ERR(ioctl(next, LOOP_SET_FD, next), EBADF);
	CHECK_EQ(ioctl(next, LOOP_SET_FD, loop), 0);
	CHECK_EQ(device_bytes(next), SIZE);
	clear(next);
	clear(loop);
	CHECK_ERR(ioctl(next, LOOP_SET_FD, loop), EINVAL);
	close(next);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(control, 10, "/dev/loop-control adds, removes and finds devices")
{
	int control = open("/dev/loop-control", O_RDWR), loop = loop_open_free(O_RDWR);
	int number = atoi(loop_path + strlen("/dev/loop"));

	CHECK_ERR(ioctl(control, LOOP_CTL_ADD, number), EEXIST);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, number), EBUSY);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, -1), EINVAL);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, 100), ENODEV);
	CHECK_ERR(ioctl(control, 0x4c83, 0), ENOSYS);
	CHECK_EQ(ioctl(control, LOOP_CTL_GET_FREE), number);
	close(loop);
	CHECK_EQ(ioctl(control, LOOP_CTL_REMOVE, number), 0);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, number), ENODEV);
	CHECK_EQ(ioctl(control, LOOP_CTL_ADD, number), number);
	loop = open(loop_path, O_RDWR);
	CHECK(loop >= 0);
	CHECK_EQ(device_bytes(loop), 0);
	close(loop);
	close(control);
}

TEST(capacity, 10, "LOOP_SET_CAPACITY follows a file that has grown or become shorter")
{
	int file = loop_file(FILE_A, 65536, 1), loop = loop_bind(file, 0, 0, 0);

	CHECK_EQ(pread(loop, bytes, SIZE, 0), 65536);
	test_fill(bytes, SIZE, 1, 0);
	CHECK_EQ(pwrite(file, bytes, SIZE, 0), SIZE);
	CHECK_EQ(device_bytes(loop), 65536);
	CHECK_EQ(ioctl(loop, LOOP_SET_CAPACITY), 0);
	CHECK_EQ(device_bytes(loop), SIZE);
	memset(bytes, 0, SIZE);
	CHECK_EQ(pread(loop, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, 1, 0), SIZE);
	CHECK_EQ(ftruncate(file, 10000), 0);
	CHECK_EQ(ioctl(loop, LOOP_SET_CAPACITY), 0);
	CHECK_EQ(device_bytes(loop), 9728);
	CHECK_EQ(pread(loop, bytes, SIZE, 0), 9728);
	clear(loop);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(shorter_file, 10, "the sectors of a file that has become shorter read as zeros")
{
	int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 0, 0);

	CHECK_EQ(ftruncate(file, 65536), 0);
	CHECK_EQ(pread(loop, bytes, 65536, 131072), 65536);
	for (int i = 0; i < 65536; i++)
		CHECK_EQ(bytes[i], 0);
	/* A write makes the file longer again. */
	test_fill(bytes, 4096, 2, 0);
	CHECK_EQ(pwrite(loop, bytes, 4096, 131072), 4096);
	CHECK_EQ(fsync(loop), 0);
	CHECK_EQ(lseek(file, 0, SEEK_END), 131072 + 4096);
	CHECK_EQ(pread(file, bytes, 4096, 131072), 4096);
	CHECK_EQ(test_differs(bytes, 4096, 2, 0), 4096);
	clear(loop);
	close(loop);
	close(file);
	unlink(FILE_A);
}

TEST(change, 10, "LOOP_CHANGE_FD replaces the file of a read-only device by one of the same size")
{
	int a = loop_file(FILE_A, SIZE, 1), b = loop_file(FILE_B, SIZE, 2);
	int loop = loop_bind(a, 0, 0, 0);

	CHECK_ERR(ioctl(loop, LOOP_CHANGE_FD, b), EINVAL);
	clear(loop);
	close(loop);
	loop = loop_bind(a, LO_FLAGS_READ_ONLY, 0, 0);
	CHECK_ERR(ioctl(loop, LOOP_CHANGE_FD, -1), EBADF);
	CHECK_ERR(ioctl(loop, LOOP_CHANGE_FD, loop), EBADF);
	CHECK_EQ(ftruncate(b, SIZE - 512), 0);
	CHECK_ERR(ioctl(loop, LOOP_CHANGE_FD, b), EINVAL);
	CHECK_EQ(ftruncate(b, SIZE), 0);
	CHECK_EQ(ioctl(loop, LOOP_CHANGE_FD, b), 0);
	CHECK_EQ(pread(loop, bytes, 65536, 0), 65536);
	CHECK_EQ(test_differs(bytes, 65536, 2, 0), 65536);
	clear(loop);
	close(loop);
	close(a);
	close(b);
	unlink(FILE_A);
	unlink(FILE_B);
}

BEYOND_TEST(
	unbound_without_memory, 30,
	"no byte is lost when a device is unbound while an allocation fails",
	"lacks /proc/sys/vm/fail_nth_any: Linux can be made to fail allocations only by a debug build")
{
	int nth = test_open_own("/proc/sys/vm/fail_nth_any", O_RDWR);

	for (int n = 1; n <= 20; n++) {
		int file = loop_file(FILE_A, SIZE, 1), loop = loop_bind(file, 0, 0, 0);
		char text[16];

		for (size_t at = 0; at < SIZE; at += 65536) {
			test_fill(bytes, 65536, n + 1, at);
			CHECK_EQ(pwrite(loop, bytes, 65536, at), 65536);
		}
		snprintf(text, sizeof(text), "%d", n);
		CHECK_EQ(pwrite(nth, text, strlen(text), 0), strlen(text));
		clear(loop);
		if (pwrite(nth, "0", 1, 0) != 1) /* this call is the one that was hit */
			CHECK_EQ(pwrite(nth, "0", 1, 0), 1);
		for (size_t at = 0; at < SIZE; at += 65536) {
			CHECK_EQ(pread(file, bytes, 65536, at), 65536);
			CHECK_EQ(test_differs(bytes, 65536, n + 1, at), 65536);
		}
		close(loop);
		close(file);
	}
	close(nth);
	unlink(FILE_A);
}
