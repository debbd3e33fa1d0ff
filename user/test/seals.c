/*
 * Files in memory without a name (memfd_create), and seals.
 */
#include "names.h"
#include <sys/sendfile.h>

#ifndef SYS_memfd_create
#define SYS_memfd_create 356
#endif
#define CLOEXEC	     1u
#define SEALING	     2u
#define HUGETLB	     4u

#define ADD_SEALS    1033
#define GET_SEALS    1034
#define SEAL	     1
#define SHRINK	     2
#define GROW	     4
#define WRITE	     8
#define FUTURE_WRITE 16

#define PAGE	     4096

static int memfd(const char *name, unsigned int flags)
{
	return syscall(SYS_memfd_create, name, flags);
}

/* A file of two pages that can be sealed. */
static int two_pages(void)
{
	char buf[2 * PAGE];
	int fd = memfd("two", SEALING);

	CHECK(fd >= 0);
	memset(buf, 'a', sizeof(buf));
	CHECK_EQ(write(fd, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	return fd;
}

static int reopen(int fd, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, flags);
}

TEST(nameless, 5, "memfd_create makes a file that only its descriptors lead to")
{
	char text[300], name[300];
	struct stat st;
	char *map;
	int fd = memfd("a/b", 0);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(fcntl(memfd("", CLOEXEC), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0777);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	memset(text, 0, sizeof(text));
	CHECK(readlink(name, text, sizeof(text) - 1) > 0);
	CHECK(!strcmp(text, "/memfd:a/b (deleted)"));
	CHECK_EQ(write(fd, "text", 4), 4);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, "text", 4));
	map[2 * PAGE] = 'x';
	CHECK_EQ(pread(fd, text, 1, 2 * PAGE), 1);
	CHECK_EQ(text[0], 'x');
	CHECK_EQ(lseek(fd, PAGE, SEEK_HOLE), PAGE);
	fd = reopen(fd, O_RDONLY);
	CHECK_EQ(read(fd, text, 4), 4);
	CHECK_ERR(write(fd, text, 4), EBADF);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "/tmp/linked", AT_EMPTY_PATH), EXDEV);
	memset(text, 'n', sizeof(text));
	text[249] = '\0';
	CHECK(memfd(text, 0) >= 0);
	text[249] = 'n';
	text[250] = '\0';
	CHECK_ERR(memfd(text, 0), EINVAL);
	CHECK_ERR(memfd((char *)16, 0), EFAULT);
	CHECK_ERR(memfd("x", 0x100), EINVAL);
}

TEST(which_files, 5, "only some files take seals, and F_SEAL_SEAL ends it")
{
	int fd = memfd("x", 0), ends[2];

	CHECK_EQ(fcntl(fd, GET_SEALS), SEAL);
	CHECK_ERR(fcntl(fd, ADD_SEALS, SHRINK), EPERM);
	fd = memfd("x", SEALING);
	CHECK_EQ(fcntl(fd, GET_SEALS), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, 0x20), EINVAL);
	CHECK_EQ(fcntl(fd, ADD_SEALS, SHRINK), 0);
	CHECK_EQ(fcntl(fd, ADD_SEALS, GROW), 0);
	CHECK_EQ(fcntl(fd, GET_SEALS), SHRINK | GROW);
	CHECK_ERR(fcntl(reopen(fd, O_RDONLY), ADD_SEALS, WRITE), EPERM);
	CHECK_EQ(fcntl(reopen(fd, O_RDONLY), GET_SEALS), SHRINK | GROW);
	CHECK_EQ(fcntl(fd, ADD_SEALS, SEAL), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EPERM);
	CHECK_EQ(fcntl(fd, GET_SEALS), SHRINK | GROW | SEAL);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(fcntl(ends[1], ADD_SEALS, WRITE), EINVAL);
	CHECK_ERR(fcntl(ends[1], GET_SEALS), EINVAL);
	enter();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(fcntl(fd, GET_SEALS), SEAL);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EPERM);
	leave();
	CHECK_ERR(fcntl(99, GET_SEALS), EBADF);
}

TEST(sizes, 5, "SHRINK and GROW keep the size; whole pages in front of the end can be written")
{
	char buf[3 * PAGE] = "";
	int fd = two_pages();

	CHECK_EQ(fcntl(fd, ADD_SEALS, SHRINK), 0);
	CHECK_ERR(ftruncate(fd, PAGE), EPERM);
	CHECK_ERR(reopen(fd, O_RDWR | O_TRUNC), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 5), 1);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(ftruncate(fd, 2 * PAGE + 100), 0);
	CHECK_EQ(fallocate(fd, 3, 0, PAGE), 0);
	CHECK_EQ(fcntl(fd, ADD_SEALS, GROW), 0);
	CHECK_ERR(ftruncate(fd, 3 * PAGE), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 3 * PAGE), EPERM);
	CHECK_EQ(fallocate(fd, 0, 0, 2 * PAGE), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE + 99), 1);
	CHECK_ERR(pwrite(fd, "xy", 2, 2 * PAGE + 99), EPERM);
	CHECK_EQ(pwrite(fd, buf, 3 * PAGE, 10), 2 * PAGE - 10);
	CHECK_ERR(pwrite(fd, buf, 1, 4 * PAGE), EPERM);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * PAGE + 100);
}

TEST(writing, 5, "F_SEAL_WRITE ends every way to change the bytes")
{
	int fd = two_pages(), source = two_pages(), ends[2];
	loff_t pos = 0;
	char *map;

	CHECK_EQ(fcntl(fd, ADD_SEALS, WRITE), 0);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(fallocate(fd, 3, 0, PAGE), EPERM);
	CHECK_EQ(fallocate(fd, 0, 0, 2 * PAGE), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "bytes", 5), 5);
	CHECK_ERR(splice(ends[0], NULL, fd, &pos, 5, 0), EPERM);
	CHECK_ERR(sendfile(fd, source, &(off_t){ 0 }, PAGE), EPERM);
	CHECK_ERR(copy_file_range(source, &(off_t){ 0 }, fd, NULL, PAGE, 0), EPERM);
	CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 'x'; /* only in the copy */
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reopen(fd, O_RDONLY), 0);
	CHECK(map != MAP_FAILED && map[0] == 'a');
	CHECK_ERR(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_EQ(ftruncate(fd, PAGE), 0); /* the size is not sealed */
}

TEST(mapped, 5, "F_SEAL_WRITE is EBUSY while a mapping lets somebody write")
{
	int fd = two_pages(), reader;
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t child;
	int ends[2];
	char byte;

	CHECK(map != MAP_FAILED);
	map[0] = 'x';
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, GET_SEALS), 0);
	CHECK_EQ(munmap(map, PAGE), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE | GROW), EBUSY);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		read(ends[0], &byte, 1); /* until the end */
		_exit(0);
	}
	close(ends[0]);
	CHECK_EQ(munmap(map + PAGE, PAGE), 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EBUSY); /* the child's */
	close(ends[1]);
	CHECK_EQ(test_wait(child), 0);
	reader = reopen(fd, O_RDONLY);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
	CHECK(map != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK_EQ(fcntl(fd, ADD_SEALS, WRITE), 0);
	CHECK_EQ(map[0], 'x');
}

TEST(future, 5, "F_SEAL_FUTURE_WRITE leaves the mappings that are there, and allows no new ones")
{
	int fd = two_pages();
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *other;

	CHECK(map != MAP_FAILED);
	CHECK_EQ(fcntl(fd, ADD_SEALS, FUTURE_WRITE), 0);
	CHECK_EQ(fcntl(fd, GET_SEALS), FUTURE_WRITE);
	map[0] = 'm';
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(fallocate(fd, 3, 0, PAGE), EPERM);
	CHECK_ERR((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(other != MAP_FAILED && other[0] == 'm');
	CHECK_ERR(mprotect(other, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERR(fcntl(fd, ADD_SEALS, WRITE), EBUSY);
	munmap(map, PAGE);
	munmap(other, PAGE);
	CHECK_EQ(fcntl(fd, ADD_SEALS, WRITE), 0);
}

TEST(lent, 5, "a pipe's slots of a sealed file stay, and do not change it")
{
	int fd = two_pages(), other = memfd("other", 0), ends[2];
	char buf[PAGE], *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct iovec iov = { map, PAGE };
	loff_t pos = PAGE;
	int error;

	CHECK(map != MAP_FAILED);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(vmsplice(ends[1], &iov, 1, 0), PAGE);
	CHECK_EQ(splice(fd, &pos, ends[1], NULL, PAGE, 0), PAGE);
	munmap(map, PAGE);
	/* Linux waits for whoever holds a page, and gives up (EBUSY). */
	error = fcntl(fd, ADD_SEALS, WRITE) < 0 ? errno : 0;
	if (error == 0) {
		CHECK_ERR(splice(ends[0], NULL, fd, &(loff_t){ 0 }, PAGE, 0), EPERM);
		CHECK_EQ(splice(ends[0], NULL, other, &(loff_t){ 0 }, PAGE, 0), PAGE);
		CHECK_EQ(pwrite(other, "x", 1, 0), 1);
	} else {
		CHECK_EQ(error, EBUSY);
		CHECK_EQ(read_full(ends[0], buf, PAGE), PAGE);
	}
	CHECK_EQ(pread(fd, buf, PAGE, 0), PAGE);
	CHECK(buf[0] == 'a' && buf[PAGE - 1] == 'a');
	CHECK_EQ(read_full(ends[0], buf, PAGE), PAGE);
	CHECK_EQ(fcntl(fd, ADD_SEALS, WRITE), 0);
}
