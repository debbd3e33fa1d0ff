/*
 * Lending under pressure: what was spliced is read twice, by way of tee, while others write to the
 * file all the time. Both readings must be the same bytes.
 */
#include <setjmp.h>
#include "test.h"

#define LINUX_SHARES "Linux shares the page"
#define PAGES	     4
#define SIZE	     (PAGES * 4096)

static char first[SIZE], second[SIZE];

/* Fill pages, or parts of them, with ever new values until killed. */
static void write_for_ever(int fd, unsigned int seed)
{
	char buf[4096];

	for (unsigned int i = seed;; i += 2) {
		size_t len = i % 3 ? sizeof(buf) : 1000, at = i % 3 ? 0 : i % 3096;

		memset(buf, i, sizeof(buf));
		if (pwrite(fd, buf, len, i % PAGES * 4096 + at) != (ssize_t)len)
			_exit(1);
	}
}

static void store_for_ever(int fd)
{
	volatile unsigned int *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		_exit(1);
	for (unsigned int value = 1;; value++)
		for (unsigned int i = 0; i < SIZE / 4; i += 61)
			words[i] = value;
}

static pid_t start(int fd, int what)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		if (what < 2)
			write_for_ever(fd, what);
		store_for_ever(fd);
	}
	return child;
}

static void splice_against_writers(int fd, int writers, int rounds)
{
	int ends[2], other[2], status;
	pid_t children[3];

	memset(first, 1, SIZE);
	CHECK_EQ(pwrite(fd, first, SIZE, 0), SIZE);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(other), 0);
	for (int i = 0; i < writers; i++)
		children[i] = start(fd, i);
	for (int round = 0; round < rounds; round++) {
		loff_t at = 0;
		ssize_t n = splice(fd, &at, ends[1], NULL, SIZE, 0);

		CHECK(n > 0);
		CHECK_EQ(tee(ends[0], other[1], n, 0), n);
		CHECK_EQ(read_full(ends[0], first, n), n);
		if (round % 16 == 0)
			test_sleep_ms(1);
		CHECK_EQ(read_full(other[0], second, n), n);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(second[i], first[i]);
	}
	for (int i = 0; i < writers; i++) {
		CHECK_EQ(waitpid(children[i], &status, WNOHANG), 0); /* it still writes */
		kill(children[i], SIGKILL);
		CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
	}
}

static int tmp_file(void)
{
	int fd = open("/tmp/lend", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	unlink("/tmp/lend");
	return fd;
}

BEYOND_TEST(against_writes, 60, "bytes in a pipe stay while two processes write to their file",
	    LINUX_SHARES)
{
	splice_against_writers(tmp_file(), 2, 2000);
}

//BOOK: test-against-stores
BEYOND_TEST(against_stores, 60, "and while a third one stores through a shared mapping",
	    LINUX_SHARES)
{
	splice_against_writers(tmp_file(), 3, 1000);
}

BEYOND_TEST(against_disk_writes, 60, "the same for a raw disk, whose pages are written back",
	    "lacks /dev/gate0: Linux has no such disk")
{
	int fd = test_open_own("/dev/gate0", O_RDWR);

	splice_against_writers(fd, 2, 300);
	CHECK_EQ(fsync(fd), 0);
}

/* ---- truncate ---- */

static sigjmp_buf after_bus;

static void on_bus(int signo)
{
	siglongjmp(after_bus, 1);
}

/* For each byte from `go`, store once to the page, or find that it has gone, and answer. */
static void store_when_told(int fd, int go, int done)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char byte;

	if (page == MAP_FAILED)
		_exit(1);
	signal(SIGBUS, on_bus);
	while (read(go, &byte, 1) == 1) {
		if (!sigsetjmp(after_bus, 1))
			page[0] = 7;
		if (write(done, &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/*
 * The page is lent, so the store replaces it by a copy. If truncate waits for the page meanwhile,
 * it must remove the copy. Otherwise the old bytes are there again when the file grows.
 */
TEST(truncate_and_store, 60, "truncate removes a lent page, though a store replaces it meanwhile")
{
	int fd = tmp_file(), ends[2], go[2], done[2];
	pid_t child;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(go), 0);
	CHECK_EQ(pipe(done), 0);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		close(go[1]);
		store_when_told(fd, go[0], done[1]);
	}
	for (int round = 0; round < 3000; round++) {
		loff_t at = 0;
		char byte = 0;

		memset(first, 'A', 4096);
		CHECK_EQ(pwrite(fd, first, 4096, 0), 4096);
		CHECK_EQ(splice(fd, &at, ends[1], NULL, 4096, 0), 4096);
		CHECK_EQ(write(go[1], &byte, 1), 1);
		for (volatile int i = round % 64 * 50; i > 0; i--)
			;
		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(read(done[0], &byte, 1), 1);
		CHECK_EQ(ftruncate(fd, 4096), 0);
		CHECK_EQ(pread(fd, second, 4096, 0), 4096);
		for (int i = 0; i < 4096; i++)
			CHECK_EQ(second[i], 0);
		CHECK_EQ(read_full(ends[0], second, 4096), 4096);
	}
	close(go[1]);
	CHECK_EQ(test_wait(child), 0);
}
