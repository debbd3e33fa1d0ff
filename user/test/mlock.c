/*
 * Locked memory: what mlock makes present, what limits it, and who inherits it.
 */
#include "user/test/test.h"
#include <sys/resource.h>

#define PAGE 4096u
#define RW   (PROT_READ | PROT_WRITE)

#ifndef SYS_mlock2
#define SYS_mlock2 376
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

static char *map_private(unsigned int pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* How many of the pages are present? */
static unsigned int present(char *at, unsigned int pages)
{
	static unsigned char there[256];
	unsigned int nr = 0;

	CHECK_EQ(mincore(at, pages * PAGE, there), 0);
	for (unsigned int i = 0; i < pages; i++)
		nr += there[i] & 1;
	return nr;
}

static void become_user(void)
{
	CHECK_EQ(setgid(1000), 0);
	CHECK_EQ(setuid(1000), 0);
}

static void limit_to(unsigned int bytes)
{
	struct rlimit limit = { bytes, bytes };

	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

TEST(present, 5, "mlock makes the pages of a range present, its ends rounded to whole pages")
{
	char *at = map_private(6);

	CHECK_EQ(mlock(at + PAGE + 100, PAGE), 0);
	CHECK(present(at, 6) == 2 && present(at + PAGE, 2) == 2);
	CHECK_EQ(syscall(SYS_mlock2, at + 4 * PAGE, PAGE, 1), 0);
	CHECK_EQ(present(at + 4 * PAGE, 1), 0);
	CHECK_ERR(syscall(SYS_mlock2, at, PAGE, 2), EINVAL);
	CHECK_EQ(mlock(at, 0), 0);
	CHECK_EQ(munlock(at, 6 * PAGE), 0);
	CHECK_EQ(present(at, 6), 2);
}

TEST(holes, 5, "memory that is not mapped, or that nobody may read, cannot be locked: ENOMEM")
{
	char *at = map_private(4);

	CHECK_EQ(munmap(at + PAGE, PAGE), 0);
	CHECK_ERR(mlock(at, 4 * PAGE), ENOMEM);
	CHECK_ERR(munlock(at, 4 * PAGE), ENOMEM);
	CHECK_EQ(mprotect(at + 3 * PAGE, PAGE, PROT_NONE), 0);
	CHECK_ERR(mlock(at + 3 * PAGE, PAGE), ENOMEM);
	CHECK_EQ(mlock(at + 2 * PAGE, PAGE), 0);
	CHECK_ERR(mlock((void *)0xc0000000u, PAGE), ENOMEM);
}

TEST(wraps, 5, "a range that wraps around is EINVAL, and a length that does is none at all")
{
	CHECK_ERR(syscall(SYS_mlock, -1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_munlock, -1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_mlock2, -1, PAGE, 2), EINVAL);
	CHECK_EQ(syscall(SYS_mlock, PAGE, -1), 0);
	CHECK_EQ(syscall(SYS_mlock, -PAGE, 0), 0);
	CHECK_ERR(syscall(SYS_mlock, 0xc0000000, PAGE), ENOMEM);
	CHECK_ERR(syscall(SYS_mlock, 0xbffff000, 2 * PAGE), ENOMEM);
	limit_to(0);
	become_user();
	/* Without an address in it, this would be ENOMEM in the library. */
	CHECK_ERR(
		syscall(SYS_mmap2, NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0),
		EPERM);
}

TEST(limit, 5,
     "a user locks RLIMIT_MEMLOCK at most, and what is locked already does not count twice")
{
	char *at = map_private(8);

	limit_to(4 * PAGE);
	CHECK_EQ(mlock(at, 8 * PAGE), 0); /* root may */
	CHECK_EQ(munlock(at, 8 * PAGE), 0);
	become_user();
	CHECK_EQ(mlock(at, 3 * PAGE), 0);
	CHECK_ERR(mlock(at + 4 * PAGE, 2 * PAGE), ENOMEM);
	CHECK_EQ(mlock(at, 4 * PAGE), 0);
	CHECK_ERR(mlock(at + 4 * PAGE, PAGE), ENOMEM);
	CHECK_EQ(munlock(at, PAGE), 0);
	CHECK_EQ(mlock(at + 4 * PAGE, PAGE), 0);
	CHECK(mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) ==
		      MAP_FAILED &&
	      errno == EAGAIN);
	CHECK_EQ(munlock(at, 8 * PAGE), 0);
	limit_to(0);
	CHECK_ERR(mlock(at, PAGE), EPERM);
	CHECK_ERR(mlockall(MCL_FUTURE), EPERM);
}

TEST(grow, 5, "a locked mapping that grows stays locked, with its pages present")
{
	char *at = map_private(2);

	limit_to(4 * PAGE);
	become_user();
	CHECK_EQ(mlock(at, 2 * PAGE), 0);
	CHECK(mremap(at, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EAGAIN);
	at = mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED);
	CHECK_EQ(present(at, 4), 4);
	CHECK_ERR(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_EQ(munlock(at, 4 * PAGE), 0);
	CHECK_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
}

TEST(all, 5, "mlockall locks what is mapped, what will be, or both")
{
	char *at = map_private(4), *later;

	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(8), EINVAL);
	CHECK_ERR(mlockall(MCL_ONFAULT), EINVAL);
	CHECK_EQ(mlockall(MCL_CURRENT), 0);
	CHECK_EQ(present(at, 4), 4);
	later = map_private(4);
	CHECK_EQ(present(later, 4), 0);
	CHECK_EQ(munlockall(), 0);
	CHECK_EQ(mlockall(MCL_FUTURE), 0);
	CHECK_EQ(present(later, 4), 0);
	later = map_private(4);
	CHECK_EQ(present(later, 4), 4);
	CHECK_EQ(mlockall(MCL_FUTURE | MCL_ONFAULT), 0);
	later = map_private(4);
	CHECK_EQ(present(later, 4), 0);
	CHECK_EQ(munlockall(), 0);
	later = map_private(4);
	CHECK_EQ(madvise(later, 4 * PAGE, MADV_DONTNEED), 0);
}

TEST(inherited, 5, "a child does not inherit locks")
{
	char *at = map_private(1);
	int status;

	CHECK_EQ(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	if (fork() == 0) {
		CHECK_EQ(madvise(at, PAGE, MADV_DONTNEED), 0);
		at = map_private(4);
		_exit(present(at, 4));
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	CHECK_ERR(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
}

/* Reads a file on a disk, again and again, so that its pages would be reclaimed. */
TEST(stays, 60, "locked pages of a file on a disk stay when memory is short")
{
	int fd = open("/bin/busybox", O_RDONLY), status;
	enum { PAGES = 64 };
	char *at, *other;

	CHECK(fd >= 0);
	at = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	CHECK_EQ(mlock(at, PAGES * PAGE), 0);
	CHECK_EQ(present(at, PAGES), PAGES);
	/* A child takes memory until it is killed. Before that, caches give way. */
	if (fork() == 0) {
		for (;;) {
			other = mmap(NULL, 1u << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (other == MAP_FAILED)
				_exit(0);
			for (unsigned int i = 0; i < 256; i++)
				other[i * PAGE] = 'x';
		}
	}
	CHECK(wait(&status) > 0);
	CHECK_EQ(present(at, PAGES), PAGES);
}
