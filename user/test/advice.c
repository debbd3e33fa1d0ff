/*
 * madvise, mincore, and memory that grows down: what a program says about its memory, and what it
 * asks.
 */
#include "user/test/test.h"
#include <sys/resource.h>

#define PAGE 4096u
#define RW   (PROT_READ | PROT_WRITE)

#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#define POPULATE_READ  22
#define POPULATE_WRITE 23

static char *map(unsigned int pages, int prot, int flags, int fd)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static char *map_private(unsigned int pages)
{
	return map(pages, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int make_file(unsigned int size)
{
	int fd = open("/tmp/advice", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink("/tmp/advice"), 0);
	CHECK_EQ(ftruncate(fd, size), 0);
	return fd;
}

/* Which of the pages are present, as a string of 0 and 1. */
static const char *present(char *at, unsigned int pages)
{
	static unsigned char there[64];

	CHECK_EQ(mincore(at, pages * PAGE, there), 0);
	for (unsigned int i = 0; i < pages; i++)
		there[i] = '0' + (there[i] & 1);
	there[pages] = 0;
	return (char *)there;
}

TEST(arguments, 5, "what madvise says of arguments that are wrong")
{
	char *at = map_private(4);

	CHECK_ERR(madvise(at, PAGE, 99), EINVAL);
	CHECK_ERR(madvise(at, PAGE, -1), EINVAL);
	CHECK_ERR(madvise(at + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK_ERR(madvise(at, -1, MADV_NORMAL), EINVAL);
	CHECK_EQ(madvise(at, 0, MADV_DONTNEED), 0);
	CHECK_EQ(munmap(at + PAGE, PAGE), 0);
	at[2 * PAGE] = 'x';
	CHECK_ERR(madvise(at, 4 * PAGE, MADV_WILLNEED), ENOMEM);
	CHECK_ERR(madvise(at, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(at[2 * PAGE], 0); /* behind the hole, too */
	CHECK_ERR(madvise((void *)0xc0000000u, PAGE, MADV_NORMAL), ENOMEM);
}

TEST(free_pages, 5, "MADV_FREE is for private anonymous memory, which then has its bytes or zeros")
{
	char *at = map_private(2), *file = map(1, RW, MAP_SHARED, make_file(PAGE));
	char *copy = map(1, RW, MAP_PRIVATE, make_file(PAGE));

	memset(at, 'x', 2 * PAGE);
	CHECK_EQ(madvise(at, 2 * PAGE, MADV_FREE), 0);
	CHECK(at[5] == 'x' || at[5] == 0);
	at[6] = 'y';
	CHECK_EQ(at[6], 'y');
	CHECK_ERR(madvise(file, PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(madvise(copy, PAGE, MADV_FREE), EINVAL);
}

TEST(dont_fork, 5, "a child has nothing where its parent said MADV_DONTFORK")
{
	char *at = map_private(3);
	unsigned char there;
	int status;

	CHECK_EQ(madvise(at + PAGE, PAGE, MADV_DONTFORK), 0);
	if (fork() == 0) {
		CHECK_ERR(mincore(at + PAGE, PAGE, &there), ENOMEM);
		CHECK_EQ(mincore(at, PAGE, &there), 0);
		_exit(mincore(at + 2 * PAGE, PAGE, &there));
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	CHECK_EQ(madvise(at, 3 * PAGE, MADV_DOFORK), 0);
	if (fork() == 0)
		_exit(mincore(at, 3 * PAGE, (unsigned char[3]){ 0 }));
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

TEST(wipe_on_fork, 5, "a child and its children find zeros where their parent said MADV_WIPEONFORK")
{
	char *at = map_private(3), *shared = map(1, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	int status;

	memset(at, 'x', 3 * PAGE);
	CHECK_EQ(madvise(at + PAGE, PAGE, MADV_WIPEONFORK), 0);
	CHECK_ERR(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL);
	if (fork() == 0) {
		CHECK(at[0] == 'x' && at[PAGE] == 0 && at[2 * PAGE - 1] == 0 &&
		      at[2 * PAGE] == 'x');
		memset(at + PAGE, 'y', PAGE);
		if (fork() == 0)
			_exit(at[PAGE] != 0);
		CHECK(wait(&status) > 0);
		_exit(status != 0 || at[PAGE] != 'y');
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	CHECK_EQ(at[PAGE], 'x');
	CHECK_EQ(madvise(at, 3 * PAGE, MADV_KEEPONFORK), 0);
	if (fork() == 0)
		_exit(at[PAGE] != 'x');
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

TEST(populate, 5, "MADV_POPULATE_READ and WRITE make pages present, or say why they cannot")
{
	char *at = map_private(4), *fixed = map(1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *file = map(2, RW, MAP_SHARED, make_file(PAGE));

	CHECK_EQ(strcmp(present(at, 4), "0000"), 0);
	CHECK_EQ(madvise(at, PAGE, POPULATE_READ), 0);
	CHECK_EQ(madvise(at + 2 * PAGE, PAGE, POPULATE_WRITE), 0);
	CHECK_EQ(strcmp(present(at, 4), "1010"), 0);
	CHECK_ERR(madvise(fixed, PAGE, POPULATE_WRITE), EINVAL);
	CHECK_EQ(madvise(file, PAGE, POPULATE_WRITE), 0);
	CHECK_ERR(madvise(file, 2 * PAGE, POPULATE_READ), EFAULT);
	CHECK_EQ(munmap(at + 3 * PAGE, PAGE), 0);
	CHECK_ERR(madvise(at, 4 * PAGE, POPULATE_WRITE), ENOMEM);
	CHECK_EQ(strcmp(present(at, 3), "111"), 0);
}

TEST(remove, 5, "MADV_REMOVE punches a hole into the file of a shared mapping")
{
	char *shared = map(3, RW, MAP_SHARED | MAP_ANONYMOUS, -1), *file, *copy;
	int fd, status;
	struct stat stat;
	char path[32];

	memset(shared, 'x', 3 * PAGE);
	CHECK_EQ(madvise(shared + PAGE, PAGE, MADV_REMOVE), 0);
	CHECK(shared[PAGE - 1] == 'x' && shared[PAGE] == 0 && shared[2 * PAGE - 1] == 0 &&
	      shared[2 * PAGE] == 'x');
	if (fork() == 0)
		_exit(shared[PAGE] != 0 || shared[0] != 'x');
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	/* /tmp may be a disk, which cannot punch holes. */
	fd = memfd_create("advice", 0);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	file = map(3, RW, MAP_SHARED, fd);
	copy = map(3, RW, MAP_PRIVATE, fd);
	memset(file, 'x', 3 * PAGE);
	CHECK_EQ(madvise(file + PAGE, 2 * PAGE, MADV_REMOVE), 0);
	CHECK(file[0] == 'x' && file[PAGE] == 0 && file[2 * PAGE] == 0 && copy[2 * PAGE] == 0);
	CHECK_EQ(fstat(fd, &stat), 0);
	CHECK_EQ(stat.st_size, 3 * PAGE);
	CHECK_ERR(madvise(copy, PAGE, MADV_REMOVE), EACCES);
	CHECK_ERR(madvise(map_private(1), PAGE, MADV_REMOVE), EINVAL);
	CHECK_EQ(madvise(map(1, PROT_READ, MAP_SHARED, fd), PAGE, MADV_REMOVE), 0);
	CHECK_EQ(file[0], 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(madvise(map(1, PROT_READ, MAP_SHARED, fd), PAGE, MADV_REMOVE), EACCES);
	CHECK_EQ(munmap(file + PAGE, PAGE), 0);
	CHECK_ERR(madvise(file, 3 * PAGE, MADV_REMOVE), ENOMEM);
	CHECK_EQ(file[0], 0);
}

TEST(in_core, 5, "mincore tells which pages of private memory and of a file are there")
{
	char *at = map_private(3), *file;
	unsigned char there[4];
	int fd = make_file(3 * PAGE);

	at[PAGE] = 'x';
	CHECK_EQ(strcmp(present(at, 3), "010"), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE), 1);
	file = map(3, PROT_READ, MAP_SHARED, fd);
	CHECK_EQ(strcmp(present(file, 3), "001"), 0);
	CHECK_EQ(file[0], 0);
	CHECK_ERR(mincore(at + 1, PAGE, there), EINVAL);
	CHECK_ERR(mincore(at, 4 * PAGE, (void *)0xc0001000u), EFAULT);
	CHECK_ERR(mincore(at, -1, there), ENOMEM);
	CHECK_EQ(munmap(at + 2 * PAGE, PAGE), 0);
	CHECK_ERR(mincore(at, 3 * PAGE, there), ENOMEM);
	CHECK_EQ(mincore(at, PAGE + 1, there), 0);
	CHECK_EQ(there[1] & 1, 1);
}

TEST(grows_down, 5, "memory with MAP_GROWSDOWN grows down to what is touched, up to RLIMIT_STACK")
{
	char *room = map(600, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1), *top;
	struct rlimit limit = { 400 * PAGE, RLIM_INFINITY };
	int status;

	CHECK_EQ(munmap(room, 600 * PAGE), 0);
	top = room + 599 * PAGE;
	CHECK(mmap(top, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0) ==
	      top);
	top[-100] = 'x';
	top[-200 * (int)PAGE] = 'y';
	CHECK_EQ(top[-100 * (int)PAGE], 0);
	/* The range of mprotect begins where the memory begins. */
	CHECK_EQ(mprotect(top, PAGE, PROT_READ | PROT_GROWSDOWN), 0);
	if (fork() == 0) {
		top[-100] = 'z';
		_exit(0);
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	CHECK_EQ(mprotect(top, PAGE, RW | PROT_GROWSDOWN), 0);
	CHECK_EQ(setrlimit(RLIMIT_STACK, &limit), 0);
	if (fork() == 0) {
		top[-450 * (int)PAGE] = 'z';
		_exit(0);
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
	CHECK_ERR(mprotect(map_private(1), PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) ==
		      MAP_FAILED &&
	      errno == EINVAL);
}

#define PROCESS_MADVISE 440

static long advise(int pidfd, char *at, size_t len, int advice)
{
	struct iovec range = { at, len };

	return syscall(PROCESS_MADVISE, pidfd, &range, 1, advice, 0);
}

TEST(of_another, 5,
     "process_madvise gives advice about other processes' memory, if that is harmless")
{
	char *at = map_private(4);
	struct iovec ranges[2] = { { at, PAGE }, { at + 2 * PAGE, 2 * PAGE } };
	pid_t child = fork();
	int pidfd;

	if (!child)
		for (;;)
			pause();
	pidfd = syscall(SYS_pidfd_open, child, 0);
	CHECK_ERR(syscall(PROCESS_MADVISE, 999, ranges, 2, 99, 1), EINVAL);
	CHECK_ERR(syscall(PROCESS_MADVISE, 999, (void *)1, 2, 99, 0), EFAULT);
	CHECK_ERR(syscall(PROCESS_MADVISE, 999, ranges, 2000, 99, 0), EINVAL);
	CHECK_ERR(advise(999, at, PAGE, 99), EBADF);
	CHECK_ERR(advise(0, at, PAGE, MADV_COLD), EBADF);
	CHECK_ERR(advise(pidfd, at, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(advise(pidfd, at, PAGE, 99), EINVAL);
	CHECK_ERR(advise(pidfd, at + 1, PAGE, MADV_COLD), EINVAL);
	CHECK_ERR(advise(pidfd, NULL, PAGE, MADV_COLD), ENOMEM);
	CHECK_EQ(syscall(PROCESS_MADVISE, pidfd, ranges, 2, MADV_COLD, 0), 3 * PAGE);
	ranges[1].iov_base = NULL;
	CHECK_EQ(syscall(PROCESS_MADVISE, pidfd, ranges, 2, MADV_PAGEOUT, 0), PAGE);
	if (!fork()) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(advise(pidfd, at, PAGE, MADV_COLD), EACCES);
		pidfd = syscall(SYS_pidfd_open, getpid(), 0);
		CHECK_ERR(advise(pidfd, at, PAGE, MADV_COLD), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_ERR(advise(pidfd, at, PAGE, MADV_COLD), ESRCH);
}
