/*
 * O_DIRECT: which files accept it, what must be aligned, and that the bytes are those that
 * everybody else sees.
 */
#include "ext2.h"

#define STATX_DIOALIGN 0x2000u
#define RWF_NOWAIT     8

static char *memory; /* aligned; 1 MiB */

/* The beginning is that of Linux's struct statx. */
struct statx_words {
	uint32_t mask, words[37], direct_memory, direct_offset, rest[24];
};

static void begin(const char *image)
{
	put_image(image);
	mount_writable();
	memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
}

static int open_direct(const char *path, int flags)
{
	int fd = open(path, O_DIRECT | flags, 0644);

	if (fd < 0)
		test_fail(__FILE__, __LINE__, "%s cannot be opened", path);
	return fd;
}

/* Write n bytes of the stream without the cache. */
static void put_direct(int fd, off_t at, size_t n, unsigned int seed)
{
	test_fill(memory, n, seed, at);
	CHECK_EQ(pwrite(fd, memory, n, at), n);
}

/* The same bytes come without the cache. */
static void has_direct(int fd, off_t at, size_t n, unsigned int seed)
{
	memset(memory, 0x5a, n);
	CHECK_EQ(pread(fd, memory, n, at), n);
	CHECK_EQ(test_differs(memory, n, seed, at), n);
}

TEST(flags, 10, "files of ext2 and disks accept O_DIRECT in open and F_SETFL, others refuse it")
{
	int fd, other;

	begin("blank-1k");
	fd = open_direct(MNT "/file", O_RDWR | O_CREAT);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_DIRECT, 0);
	CHECK_EQ(write(fd, "odd", 3), 3);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
	CHECK_ERR(pwrite(fd, "odd", 3, 0), EINVAL);
	close(fd);
	close(open_direct(disk_path, O_RDONLY));
	close(open_direct(MNT, O_RDWR | O_TMPFILE));
	CHECK_ERR(open(MNT, O_RDONLY | O_DIRECT), EINVAL);
	CHECK_ERR(open("/dev/null", O_RDWR | O_DIRECT), EINVAL);
	CHECK_ERR(open("/proc/version", O_RDONLY | O_DIRECT), EINVAL);
	CHECK_EQ(mkfifo(MNT "/fifo", 0600), 0);
	CHECK_ERR(open(MNT "/fifo", O_RDWR | O_DIRECT), EINVAL);
	CHECK_ERR(open("/tmp/direct", O_RDWR | O_CREAT | O_DIRECT, 0600), EINVAL);
	other = open("/tmp/direct", O_RDWR); /* it has been made all the same */
	CHECK(other >= 0);
	CHECK_ERR(fcntl(other, F_SETFL, O_DIRECT), EINVAL);
	CHECK_EQ(unlink("/tmp/direct"), 0);
	close(other);
	unmount();
}

static void has_align(const char *path, unsigned int align)
{
	struct statx_words st;

	memset(&st, 0, sizeof(st));
	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, path, 0, STATX_DIOALIGN, &st), 0);
	CHECK_EQ(st.mask & STATX_DIOALIGN, align ? STATX_DIOALIGN : 0);
	CHECK_EQ(st.direct_memory, align);
	CHECK_EQ(st.direct_offset, align);
}

TEST(statx, 10, "statx says how memory and offsets must be aligned")
{
	begin("blank-4k");
	close(make_file(MNT "/file", 100, 1));
	has_align(MNT "/file", 512);
	has_align(disk_path, 512);
	has_align(MNT, 0);
	has_align("/dev/null", 0);
	has_align("/proc/version", 0);
	unmount();
}

TEST(alignment, 10, "what is not aligned is EINVAL, but at the end a read is 0")
{
	struct iovec pieces[2];
	int fd;

	begin("blank-4k");
	fd = open_direct(MNT "/file", O_RDWR | O_CREAT);
	put_direct(fd, 0, 8192, 1);
	CHECK_ERR(pwrite(fd, memory + 1, 512, 0), EINVAL);
	CHECK_ERR(pwrite(fd, memory, 512, 1), EINVAL);
	CHECK_ERR(pwrite(fd, memory, 511, 0), EINVAL);
	CHECK_ERR(pread(fd, memory + 4, 512, 0), EINVAL);
	CHECK_ERR(pread(fd, memory, 512, 256), EINVAL);
	CHECK_ERR(pread(fd, memory, 513, 0), EINVAL);
	CHECK_EQ(pread(fd, memory + 1, 0, 3), 0);
	CHECK_EQ(pwrite(fd, memory + 1, 0, 3), 0);
	CHECK_EQ(pread(fd, memory + 1, 511, 8192), 0);
	CHECK_EQ(pread(fd, memory + 1, 511, 9001), 0);
	pieces[0] = (struct iovec){ memory, 512 };
	pieces[1] = (struct iovec){ memory + 4096, 1024 };
	CHECK_EQ(preadv(fd, pieces, 2, 512), 1536);
	CHECK_EQ(test_differs(memory, 512, 1, 512), 512);
	CHECK_EQ(test_differs(memory + 4096, 1024, 1, 1024), 1024);
	CHECK_EQ(pwritev(fd, pieces, 2, 512), 1536);
	pieces[1].iov_base = memory + 4097;
	CHECK_ERR(preadv(fd, pieces, 2, 0), EINVAL);
	CHECK_ERR(pwritev(fd, pieces, 2, 0), EINVAL);
	pieces[1].iov_len = 0;
	CHECK_EQ(preadv(fd, pieces, 2, 0), 512);
	pieces[0].iov_len = 256;
	pieces[1] = (struct iovec){ memory + 256, 256 };
	CHECK_ERR(preadv(fd, pieces, 2, 0), EINVAL);
	CHECK_ERR(pread(fd, (void *)4096, 512, 0), EFAULT);
	CHECK_ERR(pwrite(fd, (void *)4096, 512, 0), EFAULT);
	has_direct(fd, 0, 8192, 1);
	close(fd);
	unmount();
}

TEST(odd_end, 10, "a read is short at an end that is not aligned, and shows nothing behind it")
{
	int fd, plain;

	begin("blank-1k");
	plain = make_file(MNT "/file", 9000, 2);
	fd = open_direct(MNT "/file", O_RDWR);
	memset(memory, 0x5a, 16384);
	CHECK_EQ(pread(fd, memory, 16384, 512), 9000 - 512);
	CHECK_EQ(test_differs(memory, 9000 - 512, 2, 512), 9000 - 512);
	for (int i = 9000; i < 9216; i++)
		CHECK_EQ(memory[i - 512], 0);
	CHECK_EQ(pread(fd, memory, 512, 8704), 9000 - 8704);
	CHECK_ERR(pread(fd, memory, 300, 8704), EINVAL);
	CHECK_EQ(pread(fd, memory, 512, 9000), 0);
	/* The end moves with a write of whole sectors, and O_APPEND needs an aligned end. */
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT | O_APPEND), 0);
	CHECK_ERR(write(fd, memory, 512), EINVAL);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT), 0);
	put_direct(fd, 8704, 1024, 2);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT | O_APPEND), 0);
	test_fill(memory, 512, 2, 9728);
	CHECK_EQ(write(fd, memory, 512), 512);
	has_bytes(plain, 0, 10240, 2);
	CHECK_EQ(lseek(plain, 0, SEEK_END), 10240);
	close(fd);
	close(plain);
	unmount();
}

/* ---- sizes and holes ---- */

static void write_all_ways(int block)
{
	int fd = open_direct(MNT "/file", O_RDWR | O_CREAT);

	memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	put_direct(fd, 0, 512, 3);	 /* a part of a new block */
	put_direct(fd, 512, 9 * 512, 3); /* the rest, and a part of the next page */
	put_direct(fd, 5120, 300 << 10, 3);
	put_direct(fd, 600 << 10, 512, 3); /* behind a hole */
	put_direct(fd, (700 << 10) + 1536, 3 * 4096, 3);
	put_direct(fd, 640 << 10, 40 << 10, 3); /* into the hole */
	put_direct(fd, (500 << 10) + 512, 512, 3);
	put_direct(fd, 1024, 2048, 3); /* over bytes of the second write */
	has_direct(fd, 0, 5120 + (300 << 10), 3);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	(void)block;
}

static void is_written(int block)
{
	int fd = open(MNT "/file", O_RDONLY);
	const int hole = 5120 + (300 << 10);

	(void)block;
	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), (700 << 10) + 1536 + 3 * 4096);
	has_bytes(fd, 0, hole, 3);
	has_zeros(fd, hole, (500 << 10) + 512 - hole);
	has_bytes(fd, (500 << 10) + 512, 512, 3);
	has_zeros(fd, (500 << 10) + 1024, (100 << 10) - 1024);
	has_bytes(fd, 600 << 10, 512, 3);
	has_zeros(fd, (600 << 10) + 512, (40 << 10) - 512);
	has_bytes(fd, 640 << 10, 40 << 10, 3);
	has_zeros(fd, 680 << 10, (20 << 10) + 1536);
	has_bytes(fd, (700 << 10) + 1536, 3 * 4096, 3);
	close(fd);
}

TEST(holes, 30, "writes behind the end and into holes, with blocks of each size")
{
	on_all_sizes(write_all_ways, is_written);
}

TEST(old_bytes, 20, "what a block had before is never seen in a new file")
{
	char path[32];
	int fd, n = 0;

	begin("blank-4k");
	memset(buf, 0xee, sizeof(buf));
	fd = open(MNT "/junk", O_WRONLY | O_CREAT, 0600);
	while (write(fd, buf, sizeof(buf)) > 0)
		;
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(close(fd) | unlink(MNT "/junk"), 0);
	sync();
	/* Small writes everywhere, then the file grows over them. */
	for (; n < 8; n++) {
		snprintf(path, sizeof(path), MNT "/%d", n);
		fd = open_direct(path, O_RDWR | O_CREAT);
		put_direct(fd, n * 512, 512, n);
		put_direct(fd, 40960 + n * 512, 4096 + 512, n);
		CHECK_EQ(ftruncate(fd, 128 << 10), 0);
		close(fd);
	}
	forget();
	while (n-- > 0) {
		const int at = 40960 + n * 512;

		snprintf(path, sizeof(path), MNT "/%d", n);
		fd = open(path, O_RDONLY);
		has_zeros(fd, 0, n * 512);
		has_bytes(fd, n * 512, 512, n);
		has_zeros(fd, n * 512 + 512, 40960 - 512);
		has_bytes(fd, at, 4096 + 512, n);
		has_zeros(fd, at + 4096 + 512, (128 << 10) - at - 4096 - 512);
		close(fd);
	}
	unmount();
}

TEST(full_disk, 20, "a full disk is ENOSPC or a short count, and what is there is right")
{
	ssize_t n, all = 0;
	int fd;

	begin("blank-1k");
	fd = open_direct(MNT "/file", O_RDWR | O_CREAT);
	do {
		test_fill(memory, 256 << 10, 4, all);
		n = write(fd, memory, 256 << 10);
		all += n > 0 ? n : 0;
	} while (n == 256 << 10);
	if (n >= 0)
		CHECK_ERR(write(fd, memory, 256 << 10), ENOSPC);
	CHECK_EQ(lseek(fd, 0, SEEK_END), all);
	has_bytes(fcntl(fd, F_SETFL, 0) == 0 ? fd : -1, 0, all, 4);
	CHECK_EQ(ftruncate(fd, 0) | fcntl(fd, F_SETFL, O_DIRECT), 0);
	put_direct(fd, 0, 256 << 10, 5);
	has_direct(fd, 0, 256 << 10, 5);
	close(fd);
	unmount();
}

/* ---- with the page cache ---- */

TEST(coherent, 20, "buffered writes, stores to mappings and direct writes see each other at once")
{
	int fd, plain;
	char *map;

	begin("blank-4k");
	plain = make_file(MNT "/file", 64 << 10, 1);
	fd = open_direct(MNT "/file", O_RDWR);
	has_direct(fd, 0, 64 << 10, 1); /* dirty pages are written first */
	map = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(test_differs(map, 64 << 10, 1, 0), 64 << 10);
	put_direct(fd, 8192 + 512, 20480, 2);
	CHECK_EQ(test_differs(map + 8192 + 512, 20480, 2, 8192 + 512), 20480);
	has_bytes(plain, 8192 + 512, 20480, 2);
	has_bytes(plain, 0, 8192 + 512, 1);
	test_fill(map + 40000, 10000, 3, 40000); /* stores */
	put_direct(fd, 40960, 512, 4);		 /* next to them, in a dirty page */
	CHECK_EQ(test_differs(map + 40000, 960, 3, 40000), 960);
	CHECK_EQ(test_differs(map + 40960, 512, 4, 40960), 512);
	memset(memory, 0, 12288);
	CHECK_EQ(pread(fd, memory, 12288, 36864), 12288);
	CHECK_EQ(test_differs(memory + 40000 - 36864, 960, 3, 40000), 960);
	CHECK_EQ(test_differs(memory + 40960 - 36864, 512, 4, 40960), 512);
	CHECK_EQ(test_differs(memory + 41472 - 36864, 7680, 3, 41472), 7680);
	/* The memory is a mapping of the same file, elsewhere. */
	CHECK_EQ(pwrite(fd, map, 4096, 16384), 4096);
	CHECK_EQ(test_differs(map + 16384, 4096, 1, 0), 4096);
	CHECK_EQ(pread(fd, map + 4096, 4096, 16384), 4096);
	CHECK_EQ(test_differs(map + 4096, 4096, 1, 0), 4096);
	CHECK_EQ(munmap(map, 64 << 10), 0);
	close(fd);
	close(plain);
	unmount();
}

TEST(promised, 10, "a direct write does not change the bytes of the file that a pipe has")
{
	int ends[2], fd, plain;

	begin("blank-4k");
	plain = make_file(MNT "/file", 32768, 1);
	CHECK_EQ(fsync(plain) | pipe(ends), 0);
	fd = open_direct(MNT "/file", O_RDWR);
	CHECK_EQ(lseek(plain, 0, SEEK_SET), 0);
	CHECK_EQ(splice(plain, NULL, ends[1], NULL, 32768, 0), 32768);
	put_direct(fd, 0, 32768, 2);
	has_bytes(plain, 0, 32768, 2);
	CHECK_EQ(read_full(ends[0], buf, 32768), 32768);
	CHECK_EQ(test_differs(buf, 32768, 1, 0), 32768);
	close(fd);
	close(plain);
	unmount();
}

TEST(kinds_of_memory, 20,
     "private, shared and mapped memory, the stack, and what was never written")
{
	char stack[8192], *shared, *map, *fresh, *fixed;
	char *on_stack = (char *)(((uintptr_t)stack + 4095) & ~4095ul);
	int fd, other;

	begin("blank-4k");
	fd = open_direct(MNT "/file", O_RDWR | O_CREAT);
	other = make_file(MNT "/other", 65536, 7);
	put_direct(fd, 0, 65536, 1);
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	fresh = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fixed = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, other, 0);
	CHECK(shared != MAP_FAILED && map != MAP_FAILED && fresh != MAP_FAILED &&
	      fixed != MAP_FAILED);
	CHECK_EQ(pread(fd, shared + 512, 32768, 512), 32768);
	CHECK_EQ(test_differs(shared + 512, 32768, 1, 512), 32768);
	CHECK_EQ(pread(fd, map, 65536, 0), 65536);
	CHECK_EQ(test_differs(map, 65536, 1, 0), 65536);
	CHECK_EQ(pread(fd, fresh + 1024, 8192, 4096), 8192);
	CHECK_EQ(test_differs(fresh + 1024, 8192, 1, 4096), 8192);
	CHECK_EQ(pread(fd, on_stack, 4096, 512), 4096);
	CHECK_EQ(test_differs(on_stack, 4096, 1, 512), 4096);
	CHECK_EQ(pwrite(fd, shared, 65536, 65536), 65536);
	CHECK_EQ(pwrite(fd, fresh + 32768, 4096, 0), 4096); /* zeros */
	CHECK_EQ(pwrite(fd, fixed, 4096, 4096), 4096);
	CHECK_ERR(pread(fd, fixed, 4096, 0), EFAULT);
	CHECK_EQ(munmap(map, 65536) | munmap(fixed, 65536), 0);
	has_bytes(other, 0, 65536, 1);
	close(fd);
	fd = open(MNT "/file", O_RDONLY);
	has_zeros(fd, 0, 4096);
	CHECK_EQ(pread(fd, buf, 4096, 65536 + 8192), 4096);
	CHECK_EQ(test_differs(buf, 4096, 1, 8192), 4096);
	close(fd);
	close(other);
	unmount();
}

static long vector2(int number, int fd, size_t n, off_t at, int flags)
{
	struct iovec piece = { memory, n };

	return syscall(number, fd, &piece, 1, (long)at, 0, flags);
}

TEST(nowait, 10, "RWF_NOWAIT: EAGAIN if pages must be written first, or room is needed")
{
	int fd, plain;

	begin("blank-4k");
	plain = make_file(MNT "/file", 65536, 1);
	fd = open_direct(MNT "/file", O_RDWR);
	CHECK_ERR(vector2(SYS_preadv2, fd, 4096, 0, RWF_NOWAIT), EAGAIN);
	CHECK_ERR(vector2(SYS_pwritev2, fd, 4096, 0, RWF_NOWAIT), EAGAIN);
	CHECK_EQ(fsync(plain), 0);
	CHECK_EQ(posix_fadvise(plain, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(vector2(SYS_preadv2, fd, 8192, 4096, RWF_NOWAIT), 8192);
	CHECK_EQ(test_differs(memory, 8192, 1, 4096), 8192);
	CHECK_EQ(vector2(SYS_pwritev2, fd, 4096, 4096, RWF_NOWAIT), 4096);
	CHECK_ERR(vector2(SYS_pwritev2, fd, 4096, 65536, RWF_NOWAIT), EAGAIN);
	CHECK_EQ(pread(plain, buf, 4096, 0), 4096);
	CHECK_ERR(vector2(SYS_pwritev2, fd, 4096, 0, RWF_NOWAIT), EAGAIN);
	CHECK_ERR(vector2(SYS_pwritev2, plain, 4096, 0, RWF_NOWAIT), EOPNOTSUPP);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT | O_SYNC), 0);
	CHECK_EQ(vector2(SYS_pwritev2, fd, 4096, 65536, 2), 4096); /* RWF_DSYNC */
	CHECK_EQ(pread(plain, buf, 4096, 65536), 4096);
	CHECK_EQ(memcmp(buf, memory, 4096), 0);
	close(fd);
	close(plain);
	unmount();
}

TEST(access_time, 10, "a direct read is an access")
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1000000001, 0 } };
	struct stat st;
	int fd;

	begin("blank-4k");
	fd = open_direct(MNT "/file", O_RDWR | O_CREAT);
	put_direct(fd, 0, 4096, 5);
	CHECK_EQ(futimens(fd, times), 0);
	has_direct(fd, 0, 4096, 5);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(st.st_atime > 1000000001 && st.st_mtime == 1000000001);
	close(fd);
	unmount();
}

TEST(raw_disk, 10, "a disk without a file system is read and written directly")
{
	int fd, plain;

	begin("blank-4k");
	unmount();
	fd = open_direct(disk_path, O_RDWR);
	plain = open(disk_path, O_RDWR);
	put_direct(fd, 4096 + 512, 200 << 10, 6);
	has_bytes(plain, 4096 + 512, 200 << 10, 6);
	test_fill(buf, 1000, 8, 5000);
	CHECK_EQ(pwrite(plain, buf, 1000, 5000), 1000);
	CHECK_EQ(pread(fd, memory, 8192, 4096), 8192);
	CHECK_EQ(test_differs(memory + 904, 1000, 8, 5000), 1000);
	CHECK_EQ(pread(fd, memory, 4096, DISK_SIZE - 512), 512);
	CHECK_EQ(pread(fd, memory, 4096, DISK_SIZE), 0);
	CHECK_ERR(pwrite(fd, memory, 512, DISK_SIZE), ENOSPC);
	CHECK_ERR(pread(fd, memory, 100, 0), EINVAL);
	close(fd);
	close(plain);
}
