/*
 * What mmap and futex say of arguments that are wrong, in which order, and what can be mapped.
 */
#include "user/test/test.h"

enum { FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_PRIVATE_FLAG = 128 };
#include <sys/mount.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MAP_UNKNOWN 0x400000

static void *map(void *at, size_t len, int prot, int flags, int fd)
{
	/* The C library has an opinion of its own about lengths. */
	return (void *)syscall(SYS_mmap2, at, len, prot, flags, fd, 0);
}

static int errno_of(void *result)
{
	return result == MAP_FAILED ? errno : 0;
}

static int make_file(void)
{
	int fd = open("/tmp/mappings", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink("/tmp/mappings"), 0);
	CHECK_EQ(ftruncate(fd, 4096), 0);
	return fd;
}

TEST(order, 5, "mmap tells of the descriptor, then of the length, then of the flags")
{
	int fd = make_file(), closed = dup(fd), writable;
	const int read = PROT_READ;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK((writable = open(path, O_WRONLY)) >= 0);
	close(closed);
	CHECK_EQ(errno_of(map(0, 4096, read, MAP_SHARED, closed)), EBADF);
	CHECK_EQ(errno_of(map(0, 0, read, MAP_PRIVATE, closed)), EBADF);
	CHECK_EQ(errno_of(map(0, 4096, read, 0, closed)), EBADF);
	CHECK_EQ(errno_of(map(0, -1, read, MAP_PRIVATE, closed)), EBADF);
	CHECK_EQ(errno_of(map(0, 0, read, MAP_PRIVATE, fd)), EINVAL);
	CHECK_EQ(errno_of(map(0, 0, read, MAP_PRIVATE | MAP_ANONYMOUS, closed)), EINVAL);
	CHECK_EQ(errno_of(map(0, -1, read, 0, fd)), ENOMEM);
	CHECK_EQ(errno_of(map(0, 0xd0000000, read, 0, fd)), ENOMEM);
	CHECK_EQ(errno_of(map(0, 4096, read, 0, fd)), EINVAL);
	CHECK_EQ(errno_of(map(0, 4096, read, MAP_SHARED, writable)), EACCES);
	CHECK_EQ(errno_of((void *)syscall(SYS_mmap2, 0, 8192, read, MAP_SHARED, fd, -1)),
		 EOVERFLOW);
}

TEST(validated, 5, "MAP_SHARED_VALIDATE maps a file, and refuses flags that it does not know")
{
	int fd = make_file();
	char *shared = map(0, 4096, PROT_READ | PROT_WRITE, 3, fd), byte;

	CHECK(shared != MAP_FAILED);
	shared[5] = 'x';
	CHECK_EQ(pread(fd, &byte, 1, 5), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(errno_of(map(0, 4096, PROT_READ, 3 | MAP_UNKNOWN, fd)), EOPNOTSUPP);
	CHECK_EQ(errno_of(map(0, 4096, PROT_READ, 3 | MAP_ANONYMOUS, -1)), EINVAL);
}

TEST(no_replace, 5, "MAP_FIXED_NOREPLACE maps where it is told, unless something is there")
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at = map(0, 3 * 4096, PROT_READ | PROT_WRITE, flags, -1);

	CHECK(at != MAP_FAILED);
	at[0] = 'a';
	CHECK_EQ(errno_of(map(at, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1)), EEXIST);
	CHECK_EQ(munmap(at + 4096, 4096), 0);
	CHECK_EQ(errno_of(map(at, 8192, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1)), EEXIST);
	CHECK_EQ(errno_of(map(at + 1, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1)), EINVAL);
	CHECK(map(at + 4096, 4096, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1) == at + 4096);
	CHECK_EQ(at[0], 'a');
}

/* The disk with the root file system has one of these names. */
static int open_root_disk(void)
{
	static const char *const names[] = { "/dev/vda", "/dev/sda", "/dev/nvme0n1" };
	int fd = -1;

	for (int i = 0; i < 3 && fd < 0; i++)
		fd = open(names[i], O_RDONLY);
	return fd;
}

TEST(block_device, 10, "a block device can be mapped: its bytes, and what others write to it")
{
	int fd = open_root_disk();
	static char text[8192];
	const char *bytes, *private;

	CHECK(fd >= 0);
	bytes = map(0, 8192, PROT_READ, MAP_SHARED, fd);
	private = map(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	CHECK(bytes != MAP_FAILED && private != MAP_FAILED);
	CHECK_EQ(pread(fd, text, 8192, 0), 8192);
	CHECK(!memcmp(text + 1024, bytes + 1024,
		      56)); /* the superblock of ext2; the rest may change */
	CHECK(!memcmp(text + 1080, "\x53\xef", 2));
	((char *)private)[1080] = 0;
	CHECK_EQ(bytes[1080], '\x53');
	CHECK_EQ(errno_of(map(0, 4096, PROT_WRITE, MAP_SHARED, fd)), EACCES);
}

/* ---- futexes ---- */

static long wake(void *address, int op)
{
	return syscall(SYS_futex, address, op, 1, NULL, NULL, 0);
}

TEST(futex_place, 5,
     "to wake in shared memory wants memory that can be read; of private it is a number")
{
	const int shared = MAP_SHARED | MAP_ANONYMOUS, both = PROT_READ | PROT_WRITE;
	int fd = make_file();
	char *gone = map(0, 4096, both, shared, -1), *none = map(0, 4096, PROT_NONE, shared, -1);
	char *cut = map(0, 4096, both, MAP_SHARED, fd), *fresh = map(0, 4096, both, shared, -1);
	char *readable = map(0, 4096, PROT_READ, shared, -1);
	char *places[] = { gone, none, cut };

	munmap(gone, 4096);
	CHECK_EQ(ftruncate(fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_ERR(wake(places[i], FUTEX_WAKE), EFAULT);
		CHECK_ERR(syscall(SYS_futex, places[i], FUTEX_REQUEUE, 1, 1, fresh, 0), EFAULT);
		CHECK_ERR(syscall(SYS_futex, fresh, FUTEX_REQUEUE, 1, 1, places[i], 0), EFAULT);
		CHECK_EQ(wake(places[i], FUTEX_WAKE | FUTEX_PRIVATE_FLAG), 0);
	}
	CHECK_EQ(wake(fresh, FUTEX_WAKE), 0);
	CHECK_EQ(wake(readable, FUTEX_WAKE), 0);
	CHECK_ERR(wake((void *)0xffffe000, FUTEX_WAKE | FUTEX_PRIVATE_FLAG), EFAULT);
}

TEST(odd_requests, 5, "mmap ignores protection bits that it does not know; a low hint is raised")
{
	const int private = MAP_PRIVATE | MAP_ANONYMOUS;
	char *at = map(0, 4096, 0x7000ff00 | PROT_READ | PROT_WRITE, private, -1);

	CHECK(at != MAP_FAILED);
	at[0] = 1;
	CHECK_EQ(munmap(at, 4096), 0);
	CHECK(map((void *)4096, 4096, PROT_READ, private, -1) == (void *)0x10000);
	CHECK_EQ(munmap((void *)0x10000, 4096), 0);
	at = map((void *)100, 4096, PROT_READ, private, -1);
	CHECK(at != MAP_FAILED && at > (char *)0x10000);
	CHECK_EQ(munmap(at, 4096), 0);
}
