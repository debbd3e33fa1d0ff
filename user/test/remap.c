/*
 * mremap: mappings that grow, shrink and move, with their bytes.
 */
#include "user/test/test.h"

#define PAGE 4096u
#define RW   (PROT_READ | PROT_WRITE)

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char *remap(void *old, size_t old_len, size_t new_len, int flags, void *to)
{
	return (char *)syscall(SYS_mremap, old, old_len, new_len, flags, to);
}

static int errno_of(void *result)
{
	return result == MAP_FAILED ? errno : 0;
}

static char *map(unsigned int pages, int flags, int fd)
{
	char *at = mmap(NULL, pages * PAGE, RW, flags, fd, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static char *map_private(unsigned int pages)
{
	return map(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* A range of free addresses. */
static char *free_range(unsigned int pages)
{
	char *at = map_private(pages);

	CHECK_EQ(munmap(at, pages * PAGE), 0);
	return at;
}

/* Is the page mapped? */
static bool mapped(char *page)
{
	unsigned char there;

	return mincore(page, PAGE, &there) == 0;
}

static int make_file(unsigned int pages)
{
	int fd = open("/tmp/remap", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink("/tmp/remap"), 0);
	for (unsigned int i = 0; i < pages; i++) {
		char page[PAGE];

		memset(page, 'a' + i, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	return fd;
}

TEST(arguments, 5, "what mremap says of arguments that are wrong")
{
	char *at = map_private(4);

	CHECK_EQ(errno_of(remap(at, PAGE, 2 * PAGE, 8, NULL)), EINVAL);
	CHECK_EQ(errno_of(remap(at, PAGE, 2 * PAGE, MREMAP_FIXED, at + 0x100000)), EINVAL);
	CHECK_EQ(errno_of(remap(at, PAGE, PAGE, MREMAP_DONTUNMAP, NULL)), EINVAL);
	CHECK_EQ(errno_of(remap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL)),
		 EINVAL);
	CHECK_EQ(errno_of(remap(at + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL)), EINVAL);
	CHECK_EQ(errno_of(remap(at, PAGE, 0, MREMAP_MAYMOVE, NULL)), EINVAL);
	CHECK_EQ(errno_of(remap(at, 0, PAGE, MREMAP_MAYMOVE, NULL)), EINVAL);
	CHECK_EQ(errno_of(remap(at, 5 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, NULL)), EFAULT);
	CHECK_EQ(errno_of(remap(free_range(1), PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL)), EFAULT);
	CHECK_EQ(errno_of(remap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 1)), EINVAL);
	CHECK_EQ(errno_of(remap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + PAGE)),
		 EINVAL);
	CHECK_EQ(errno_of(remap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				(char *)0xbffff000u + PAGE)),
		 EINVAL);
	CHECK_EQ(errno_of(remap(at, 4 * PAGE, 0xc0000000u, MREMAP_MAYMOVE, NULL)), ENOMEM);
	CHECK(mapped(at) && mapped(at + 3 * PAGE));
}

TEST(shrink, 5, "a mapping that shrinks stays where it is, and loses its end")
{
	char *at = map_private(4);

	memset(at, 'x', 4 * PAGE);
	CHECK(remap(at, 4 * PAGE, 2 * PAGE - 100, 0, NULL) == at);
	CHECK(at[0] == 'x' && at[2 * PAGE - 1] == 'x');
	CHECK(!mapped(at + 2 * PAGE) && !mapped(at + 3 * PAGE));
	CHECK(remap(at, 2 * PAGE, 2 * PAGE, 0, NULL) == at);
}

TEST(grow_in_place, 5, "a mapping grows where it is, if there is room behind it")
{
	char *at = free_range(8);

	CHECK(mmap(at, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == at);
	at[7] = 'x';
	CHECK(remap(at, PAGE, 3 * PAGE, 0, NULL) == at);
	at[3 * PAGE - 1] = 'y';
	CHECK(remap(at, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, NULL) == at);
	CHECK(at[7] == 'x' && at[3 * PAGE - 1] == 'y' && at[3 * PAGE] == 0);
	CHECK(mmap(at + 5 * PAGE, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      at + 5 * PAGE);
	CHECK_EQ(errno_of(remap(at, 4 * PAGE, 6 * PAGE, 0, NULL)), ENOMEM);
	/* Only the end of a mapping can grow. */
	CHECK_EQ(errno_of(remap(at, PAGE, 2 * PAGE, 0, NULL)), ENOMEM);
}

TEST(move, 5, "a mapping that finds no room moves, with its bytes")
{
	char *at = map_private(8), *to;

	for (unsigned int i = 0; i < 8; i++)
		at[i * PAGE + 5] = 'a' + i;
	CHECK_EQ(munmap(at + PAGE, PAGE), 0);
	/* Pages 2 to 4 move. Pages 0 and 5 to 7 stay. */
	to = remap(at + 2 * PAGE, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK(to != MAP_FAILED && to != at + 2 * PAGE);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(to[i * PAGE + 5], 'c' + i);
	CHECK_EQ(to[3 * PAGE + 5], 0);
	to[4 * PAGE] = 'z';
	CHECK(!mapped(at + 2 * PAGE) && !mapped(at + 4 * PAGE));
	CHECK(at[5] == 'a' && at[5 * PAGE + 5] == 'f');
}

TEST(move_fixed, 5, "MREMAP_FIXED moves a mapping to its place, and what was there is gone")
{
	char *at = map_private(3), *to = map_private(6);

	memset(at, 'a', 3 * PAGE);
	memset(to, 't', 6 * PAGE);
	CHECK(remap(at, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
	CHECK(to[PAGE - 1] == 't' && to[PAGE] == 'a' && to[3 * PAGE - 1] == 'a' &&
	      to[3 * PAGE] == 't');
	CHECK(!mapped(at) && !mapped(at + 2 * PAGE));
}

TEST(leave_behind, 5, "with MREMAP_DONTUNMAP the old mapping stays, and has zeros")
{
	char *at = map_private(2), *to;

	memset(at, 'a', 2 * PAGE);
	to = remap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(to != MAP_FAILED && to != at);
	CHECK(to[0] == 'a' && to[2 * PAGE - 1] == 'a');
	CHECK(at[0] == 0 && at[2 * PAGE - 1] == 0);
	at[0] = 'b';
	CHECK(to[0] == 'a');
}

TEST(second_mapping, 5, "with an old length of zero, shared memory is mapped a second time")
{
	char *at = map(2, MAP_SHARED | MAP_ANONYMOUS, -1), *to;

	to = remap(at + PAGE, 0, PAGE, MREMAP_MAYMOVE, NULL);
	CHECK(to != MAP_FAILED);
	at[PAGE] = 'x';
	CHECK_EQ(to[0], 'x');
	to[1] = 'y';
	CHECK_EQ(at[PAGE + 1], 'y');
	CHECK_EQ(munmap(at, 2 * PAGE), 0);
	CHECK_EQ(to[0], 'x');
}

TEST(file, 5, "a mapping of a file shows more of the file when it grows")
{
	int fd = make_file(6);
	char *at = map(2, MAP_SHARED, fd), *to;

	CHECK_EQ(at[PAGE], 'b');
	to = remap(at + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE, NULL);
	CHECK(to != MAP_FAILED);
	CHECK(to[0] == 'b' && to[PAGE] == 'c' && to[2 * PAGE] == 'd' && at[0] == 'a');
	to[2 * PAGE] = 'X';
	CHECK_EQ(pread(fd, &to[0], 1, 3 * PAGE), 1);
	CHECK_EQ(to[0], 'X');
	/* What truncate takes away is gone from the new place. */
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(ftruncate(fd, 6 * PAGE), 0);
	CHECK(to[PAGE] == 0 && to[0] == 'X');
}

TEST(with_child, 5, "a page that is shared with a child stays so when it moves")
{
	char *at = map_private(1), *to;
	int pipes[2], status;
	char c;

	at[0] = 'x';
	CHECK_EQ(pipe(pipes), 0);
	if (fork() == 0) {
		CHECK_EQ(read(pipes[0], &c, 1), 1);
		_exit(at[0] == 'x' ? 0 : 1);
	}
	to = remap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_range(1));
	CHECK(to != MAP_FAILED);
	CHECK_EQ(to[0], 'x');
	to[0] = 'y';
	CHECK_EQ(write(pipes[1], "g", 1), 1);
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
}

BEYOND_TEST(lent, 5,
	    "a pipe that holds a page keeps its bytes when the mapping moves and is written",
	    "a store changes what vmsplice has put into a pipe")
{
	char *at = map_private(1), *to, got[PAGE];
	struct iovec iov = { at, PAGE };
	int pipes[2];

	memset(at, 'x', PAGE);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(vmsplice(pipes[1], &iov, 1, 0), PAGE);
	to = remap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, free_range(1));
	CHECK(to != MAP_FAILED);
	memset(to, 'y', PAGE);
	CHECK_EQ(read(pipes[0], got, PAGE), PAGE);
	for (unsigned int i = 0; i < PAGE; i++)
		CHECK_EQ(got[i], 'x');
	CHECK_EQ(to[PAGE - 1], 'y');
}

TEST(far, 10, "many pages move over the borders of page tables, again and again")
{
	enum { PAGES = 1500 };
	char *at = map_private(PAGES);

	for (unsigned int i = 0; i < PAGES; i++)
		*(unsigned int *)(at + i * PAGE) = i;
	for (unsigned int round = 0; round < 20; round++) {
		char *to = free_range(PAGES + 700) + round % 7 * 97 * PAGE;

		if (to < at + PAGES * PAGE && at < to + PAGES * PAGE)
			continue;
		CHECK(remap(at, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
		      to);
		at = to;
	}
	for (unsigned int i = 0; i < PAGES; i++)
		CHECK_EQ(*(unsigned int *)(at + i * PAGE), i);
}

TEST(limit, 5, "RLIMIT_AS limits how far a mapping grows")
{
	char *at = map_private(1);
	struct rlimit {
		unsigned long soft, hard;
	} limit = { 64u << 20, 64u << 20 };

	CHECK_EQ(syscall(SYS_setrlimit, 9, &limit), 0);
	CHECK_EQ(errno_of(remap(at, PAGE, 80u << 20, MREMAP_MAYMOVE, NULL)), ENOMEM);
	CHECK(remap(at, PAGE, 1u << 20, MREMAP_MAYMOVE, NULL) != MAP_FAILED);
}

/*
 * The child writes and cuts off page 1 while its mapping moves. A fault on a page that is cut off
 * at that moment is SIGBUS, so the parent looks at page 1 only by vmsplice, which fails instead.
 */
TEST(reverse_mapping, 20, "truncate finds each page of a mapping that moves to and fro meanwhile")
{
	char *at = free_range(2), *other = free_range(8), got;
	int fd = make_file(2), status, pipes[2];
	struct iovec iov = { NULL, 1 };
	pid_t child;

	CHECK(mmap(at, 2 * PAGE, RW, MAP_FIXED | MAP_SHARED, fd, 0) == at);
	CHECK_EQ(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		for (unsigned int i = 0; i < 2000; i++) {
			CHECK_EQ(ftruncate(fd, PAGE), 0);
			CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
			CHECK_EQ(pwrite(fd, "x", 1, PAGE), 1);
		}
		CHECK_EQ(ftruncate(fd, PAGE), 0);
		CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		char *to = remap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other);

		CHECK(to == other);
		other = at;
		at = to;
		iov.iov_base = at + PAGE;
		if (vmsplice(pipes[1], &iov, 1, 0) == 1)
			CHECK_EQ(read(pipes[0], &got, 1), 1);
	}
	CHECK_EQ(status, 0);
	/* A mapping that truncate had missed would still show the old byte. */
	CHECK_EQ(at[PAGE], 0);
}
