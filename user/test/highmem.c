/*
 * More bytes than the kernel's direct map has room for: right only if every page is mapped before
 * it is touched, and the mapping is of that page. `lowmem=16M` makes it so in a small guest;
 * elsewhere these are ordinary tests.
 */
#include "test.h"
#include <sys/sysinfo.h>

#define MIB   (1u << 20)
#define CHUNK 65536u
#define PAGE  4096u

static char chunk[CHUNK], back[CHUNK];

/* As many bytes as there is free memory for, with room left for what they need besides. */
static size_t room(size_t most)
{
	struct sysinfo info;
	size_t half;

	CHECK_EQ(sysinfo(&info), 0);
	half = info.freeram / 2 * (info.mem_unit ? info.mem_unit : 1);
	return (half < most ? half : most) & ~(CHUNK - 1);
}

static int big_file(const char *path, size_t n, unsigned int seed)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink(path), 0);
	for (size_t at = 0; at < n; at += CHUNK) {
		test_fill(chunk, CHUNK, seed, at);
		CHECK_EQ(write(fd, chunk, CHUNK), CHUNK);
	}
	return fd;
}

TEST(large_file, 60,
     "a file in memory, larger than the direct map: read, mapped, truncated, written again")
{
	size_t n = room(24 * MIB);
	int fd = big_file("/tmp/highmem", n, 1);
	char *map;

	for (size_t at = 0; at < n; at += CHUNK) {
		CHECK_EQ(pread(fd, back, CHUNK, at), CHUNK);
		CHECK_EQ(test_differs(back, CHUNK, 1, at), CHUNK);
	}
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (size_t at = 0; at < n; at += 3 * PAGE) {
		CHECK_EQ((unsigned char)map[at], test_byte(1, at));
		map[at] = 'm';
	}
	for (size_t at = 0; at < n; at += 3 * PAGE) {
		CHECK_EQ(pread(fd, back, 2, at), 2);
		CHECK(back[0] == 'm' && (unsigned char)back[1] == test_byte(1, at + 1));
	}
	CHECK_EQ(ftruncate(fd, n / 2 + 100), 0);
	CHECK_EQ(ftruncate(fd, n), 0);
	CHECK_EQ(pread(fd, back, PAGE, n / 2), PAGE);
	CHECK_EQ(test_differs(back + 1, 99, 1, n / 2 + 1), 99);
	for (size_t i = 100; i < PAGE; i++)
		CHECK_EQ(back[i], 0);
}

TEST(many_pipes, 60, "full pipes of eight processes keep their own bytes")
{
	size_t each = room(16 * MIB) / 8;
	int ends[8][2];
	pid_t children[8];

	if (each > MIB)
		each = MIB;
	for (int p = 0; p < 8; p++) {
		CHECK_EQ(pipe(ends[p]), 0);
		CHECK(fcntl(ends[p][0], F_SETPIPE_SZ, MIB) == MIB);
		if ((children[p] = fork()))
			continue;
		for (size_t at = 0; at < each; at += CHUNK) {
			test_fill(chunk, CHUNK, 100 + p, at);
			if (write(ends[p][1], chunk, CHUNK) != CHUNK)
				_exit(1);
		}
		_exit(0);
	}
	for (int p = 0; p < 8; p++)
		CHECK_EQ(test_wait(children[p]), 0);
	for (size_t at = 0; at < each; at += CHUNK) {
		for (int p = 0; p < 8; p++) {
			CHECK_EQ(read_full(ends[p][0], back, CHUNK), CHUNK);
			CHECK_EQ(test_differs(back, CHUNK, 100 + p, at), CHUNK);
		}
	}
}

TEST(splice_high_pages, 60, "a large file goes through two pipes into another file")
{
	size_t n = room(6 * MIB);
	int fd = big_file("/tmp/highmem", n, 2),
	    to = open("/tmp/highmem-to", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int ends[2], other[2];
	size_t done = 0;

	CHECK(to >= 0);
	CHECK_EQ(unlink("/tmp/highmem-to"), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(pipe(ends) | pipe(other), 0);
	while (done < n) {
		ssize_t moved = splice(fd, NULL, ends[1], NULL, CHUNK, 0);

		CHECK(moved > 0);
		CHECK_EQ(splice(ends[0], NULL, other[1], NULL, moved, 0), moved);
		for (ssize_t part, left = moved; left > 0; left -= part)
			CHECK((part = splice(other[0], NULL, to, NULL, left, 0)) > 0);
		done += moved;
	}
	for (size_t at = 0; at < n; at += CHUNK) {
		CHECK_EQ(pread(to, back, CHUNK, at), CHUNK);
		CHECK_EQ(test_differs(back, CHUNK, 2, at), CHUNK);
	}
}

TEST(copy_on_write, 60, "a forked heap larger than the direct map: each side's stores stay its own")
{
	size_t n = room(16 * MIB) / 2;
	char *heap = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(heap != MAP_FAILED);
	for (size_t at = 0; at < n; at += PAGE)
		test_fill(heap + at, 64, 3, at);
	child = fork();
	if (!child) {
		for (size_t at = 0; at < n; at += 2 * PAGE)
			test_fill(heap + at, 32, 4, at);
		for (size_t at = 0; at < n; at += PAGE) {
			bool changed = at / PAGE % 2 == 0;

			if (test_differs(heap + at, 32, changed ? 4 : 3, at) != 32 ||
			    test_differs(heap + at + 32, 32, 3, at + 32) != 32)
				_exit(1);
		}
		_exit(0);
	}
	for (size_t at = PAGE; at < n; at += 2 * PAGE)
		test_fill(heap + at, 64, 5, at);
	CHECK_EQ(test_wait(child), 0);
	for (size_t at = 0; at < n; at += PAGE)
		CHECK_EQ(test_differs(heap + at, 64, at / PAGE % 2 ? 5 : 3, at), 64);
}

static void copy_file(int in, int out, size_t n, unsigned int seed)
{
	for (size_t at = 0; at < n; at += 10000) {
		ssize_t got = pread(in, back, 10000, at);

		CHECK(got > 0);
		CHECK_EQ(pwrite(out, back, got, at), got);
	}
	for (size_t at = 0; at < n; at += CHUNK) {
		CHECK_EQ(pread(out, back, CHUNK, at), CHUNK);
		CHECK_EQ(test_differs(back, CHUNK, seed, at), CHUNK);
	}
}

TEST(copies_between_two_files, 60,
     "processes that copy at the same time do not see each other's pages")
{
	size_t n = room(12 * MIB) / 8 & ~(CHUNK - 1);
	pid_t children[4];

	CHECK(n > 0);
	for (int c = 0; c < 4; c++) {
		char from[32], to[32];
		int in, out;

		if ((children[c] = fork()))
			continue;
		snprintf(from, sizeof(from), "/tmp/highmem-%d", c);
		snprintf(to, sizeof(to), "/tmp/highmem-%d-to", c);
		in = big_file(from, n, 50 + c);
		out = open(to, O_RDWR | O_CREAT | O_TRUNC, 0600);
		unlink(to);
		for (int i = 0; i < 8; i++)
			copy_file(in, out, n, 50 + c);
		_exit(0);
	}
	for (int c = 0; c < 4; c++)
		CHECK_EQ(test_wait(children[c]), 0);
}

TEST(paths_in_high_memory, 30, "names, links and arguments that lie in high pages")
{
	char *path =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(path != MAP_FAILED);
	/* Over the end of a page. */
	path += PAGE - 6;
	strcpy(path, "/tmp/highmem-link");
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK_EQ(readlink(path, back, 100), 11);
	CHECK_EQ(unlink(path), 0);
	strcpy(path, "exit 23");
	child = fork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", path, NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 23);
}
