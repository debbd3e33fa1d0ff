/*
 * Mapped files whose pages come into the page table with the fault of a neighbour: such a page must
 * behave as one that faulted by itself.
 */
#include "test.h"

#define PAGE  4096
#define PAGES 48 /* three windows of the faults */
#define SIZE  (PAGES * PAGE)
#define SEED  5

static char bytes[SIZE];

static void *map(size_t n, int prot, int flags, int fd, off_t at)
{
	void *p = mmap(NULL, n, prot, flags, fd, at);

	CHECK(p != MAP_FAILED);
	return p;
}

static int make_file(void)
{
	int fd = open("/tmp/faultaround-test", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	test_fill(bytes, SIZE, SEED, 0);
	CHECK_EQ(write_full(fd, bytes, SIZE), SIZE);
	CHECK_EQ(unlink("/tmp/faultaround-test"), 0);
	return fd;
}

/* One load in each window of a mapping that has nothing mapped yet: the others may come with it. */
static void touch_windows(const char *p)
{
	for (int i = 7; i < PAGES; i += 16)
		(void)*(volatile const char *)&p[i * PAGE];
}

/* The signal that ends a child that loads the byte, or stores to it; 0: it lives. */
static int outcome(volatile char *at, bool store)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		if (store)
			*at = 1;
		else
			(void)*at;
		_exit(0);
	}
	status = test_wait(child);
	return status > 128 ? status - 128 : 0;
}

TEST(shows_the_file, 10, "each page shows the file's bytes, whichever is touched first")
{
	int fd = make_file();

	for (int first = 0; first < PAGES; first += 5) {
		const char *shared = map(SIZE, PROT_READ, MAP_SHARED, fd, 0);
		const char *private =
			map(SIZE - 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 3 * PAGE);

		CHECK_EQ((unsigned char)shared[first * PAGE], test_byte(SEED, first * PAGE));
		CHECK_EQ(test_differs(shared, SIZE, SEED, 0), SIZE);
		(void)*(volatile const char *)&private[first % (PAGES - 3) * PAGE];
		CHECK_EQ(test_differs(private, SIZE - 3 * PAGE, SEED, 3 * PAGE), SIZE - 3 * PAGE);
		CHECK_EQ(munmap((void *)shared, SIZE), 0);
		CHECK_EQ(munmap((void *)private, SIZE - 3 * PAGE), 0);
	}
}

TEST(later_writes_show, 10, "what another process writes or stores later is seen in every mapping")
{
	int fd = make_file();
	const char *shared = map(SIZE, PROT_READ, MAP_SHARED, fd, 0);
	const char *private = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	pid_t child;

	touch_windows(shared);
	touch_windows(private);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		char *stores = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		for (int i = 0; i < PAGES; i += 2) {
			CHECK_EQ(pwrite(fd, "written", 7, i * PAGE), 7);
			memcpy(stores + (i + 1) * PAGE, "stored", 6);
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	for (int i = 0; i < PAGES; i += 2) {
		CHECK(!memcmp(shared + i * PAGE, "written", 7));
		CHECK(!memcmp(private + i * PAGE, "written", 7));
		CHECK(!memcmp(shared + (i + 1) * PAGE, "stored", 6));
		CHECK(!memcmp(private + (i + 1) * PAGE, "stored", 6));
	}
}

TEST(private_stores, 10, "a store to a private neighbour copies that page, and no other one")
{
	int fd = make_file();
	char *p = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	const char *shared = map(SIZE, PROT_READ, MAP_SHARED, fd, 0);

	touch_windows(p);
	touch_windows(shared);
	for (int i = 0; i < PAGES; i += 3)
		p[i * PAGE + 9] = 'P';
	CHECK_EQ(test_differs(shared, SIZE, SEED, 0), SIZE);
	CHECK_EQ(pread(fd, bytes, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(bytes, SIZE, SEED, 0), SIZE);
	memset(bytes, 'F', SIZE);
	CHECK_EQ(pwrite(fd, bytes, SIZE, 0), SIZE);
	for (int i = 0; i < PAGES; i++) {
		CHECK_EQ(p[i * PAGE + 9], i % 3 ? 'F' : 'P');
		if (i % 3 == 0)
			CHECK_EQ((unsigned char)p[i * PAGE + 8], test_byte(SEED, i * PAGE + 8));
	}
}

TEST(truncate_takes_them, 20,
     "truncate takes neighbours away: SIGBUS behind the end, and zeros later")
{
	int fd = make_file();
	char *shared = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = map(SIZE, PROT_READ, MAP_PRIVATE, fd, 0);

	touch_windows(shared);
	touch_windows(private);
	CHECK_EQ(ftruncate(fd, 10 * PAGE + 100), 0);
	for (int i = 0; i < PAGES; i += 3) {
		CHECK_EQ(outcome(shared + i * PAGE, false), i > 10 ? SIGBUS : 0);
		CHECK_EQ(outcome(private + i * PAGE, false), i > 10 ? SIGBUS : 0);
	}
	CHECK_EQ(test_differs(shared, 10 * PAGE + 100, SEED, 0), 10 * PAGE + 100);
	CHECK_EQ(shared[10 * PAGE + 100], 0);
	CHECK_EQ(private[10 * PAGE + 100], 0);
	CHECK_EQ(ftruncate(fd, SIZE), 0);
	for (int i = 10 * PAGE + 100; i < SIZE; i += 1000)
		CHECK(!shared[i] && !private[i]);
}

TEST(ends_with_the_mapping, 20, "nothing comes into the page table beside the mapping")
{
	int fd = make_file();
	char *room = map(SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	CHECK_EQ(munmap(room, SIZE), 0);
	/* Three pages in the middle of a window, and the file has more on either side. */
	p = (char *)(((uintptr_t)room + 16 * PAGE) & ~(uintptr_t)(16 * PAGE - 1)) + 6 * PAGE;
	CHECK(mmap(p, 3 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 9 * PAGE) == p);
	CHECK_EQ(test_differs(p, 3 * PAGE, SEED, 9 * PAGE), 3 * PAGE);
	for (int i = 1; i < 6; i++) {
		CHECK_EQ(outcome(p - i * PAGE, false), SIGSEGV);
		CHECK_EQ(outcome(p + (2 + i) * PAGE, false), SIGSEGV);
	}
	/* What is mapped there later is found as it is. */
	CHECK(mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 3 * PAGE);
	CHECK_EQ(p[3 * PAGE], 0);
}

TEST(parts_change, 20, "munmap and mprotect of a part hold, before the neighbours come and after")
{
	int fd = make_file();

	for (int late = 0; late < 2; late++) {
		char *p = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (late)
			touch_windows(p);
		CHECK_EQ(munmap(p + 2 * PAGE, 2 * PAGE), 0);
		CHECK_EQ(mprotect(p + 10 * PAGE, 2 * PAGE, PROT_NONE), 0);
		CHECK_EQ(mprotect(p + 20 * PAGE, 2 * PAGE, PROT_READ), 0);
		touch_windows(p);
		CHECK_EQ(outcome(p + 2 * PAGE, false), SIGSEGV);
		CHECK_EQ(outcome(p + 3 * PAGE, false), SIGSEGV);
		CHECK_EQ(outcome(p + 10 * PAGE, false), SIGSEGV);
		CHECK_EQ(outcome(p + 11 * PAGE, true), SIGSEGV);
		CHECK_EQ(outcome(p + 20 * PAGE, false), 0);
		CHECK_EQ(outcome(p + 20 * PAGE, true), SIGSEGV);
		CHECK_EQ(mprotect(p + 10 * PAGE, 2 * PAGE, PROT_READ), 0);
		CHECK_EQ(test_differs(p + 10 * PAGE, 2 * PAGE, SEED, 10 * PAGE), 2 * PAGE);
		CHECK_EQ(munmap(p, SIZE), 0);
	}
}

BEYOND_TEST(lent_neighbour, 10, "a store to a neighbour that a pipe holds does not change the pipe",
	    "Linux shares the page")
{
	for (int late = 0; late < 2; late++) {
		int fd = make_file(), ends[2];
		loff_t at = 3 * PAGE;
		char *p = map(SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		CHECK_EQ(pipe(ends), 0);
		if (late)
			touch_windows(p);
		CHECK_EQ(splice(fd, &at, ends[1], NULL, 4 * PAGE, 0), 4 * PAGE);
		touch_windows(p);
		for (int i = 0; i < PAGES; i++)
			p[i * PAGE + 50] ^= 0xff;
		CHECK_EQ(read_full(ends[0], bytes, 4 * PAGE), 4 * PAGE);
		CHECK_EQ(test_differs(bytes, 4 * PAGE, SEED, 3 * PAGE), 4 * PAGE);
		CHECK_EQ(pread(fd, bytes, SIZE, 0), SIZE);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ((unsigned char)bytes[i * PAGE + 50],
				 test_byte(SEED, i * PAGE + 50) ^ 0xff);
		CHECK_EQ(close(fd) + close(ends[0]) + close(ends[1]) + munmap(p, SIZE), 0);
	}
}

/*
 * Rounds in which a file is cut and written anew while two processes fault its pages in. At the end
 * of a round no page of an older one may be left in a page table.
 */
#define ROUNDS	 60
#define FAULTERS 2

static int go[FAULTERS][2], done[FAULTERS][2];

/* write(2) faults pages in as a load does, but says EFAULT where the file has ended. */
static void fault_for_ever(char *p, int scratch, const volatile int *round, int number)
{
	char token;

	for (int current = 0;; current++) {
		for (int i = number; *round == current; i = (i + 7) % PAGES) {
			ssize_t n = pwrite(scratch, p + i * PAGE, PAGE, 0);

			if (n < 0 && errno != EFAULT)
				test_fail(__FILE__, __LINE__, "a write of page %d", i);
			if (i % 5 == 0)
				CHECK_EQ(madvise(p, SIZE, MADV_DONTNEED), 0);
		}
		CHECK_EQ(read(go[number][0], &token, 1), 1);
		if (!token)
			_exit(0);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(p[i * PAGE + 77], token);
		CHECK_EQ(write(done[number][1], &token, 1), 1);
	}
}

TEST(against_truncate, 40,
     "faults against truncate and writes leave no page of the old file behind")
{
	volatile int *round = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = make_file(), scratch = make_file();
	char *p = map(SIZE, PROT_READ, MAP_SHARED, fd, 0), token;
	pid_t faulters[FAULTERS];

	for (int i = 0; i < FAULTERS; i++) {
		CHECK_EQ(pipe(go[i]) + pipe(done[i]), 0);
		faulters[i] = fork();
		CHECK(faulters[i] >= 0);
		if (!faulters[i])
			fault_for_ever(p, scratch, round, i);
		close(done[i][1]);
	}
	for (int r = 1; r <= ROUNDS; r++) {
		token = r;
		memset(bytes, r, SIZE);
		CHECK_EQ(ftruncate(fd, r % 2 ? 0 : PAGE + 10), 0);
		CHECK_EQ(pwrite(fd, bytes, SIZE, 0), SIZE);
		*round = r;
		for (int i = 0; i < FAULTERS; i++)
			CHECK_EQ(write(go[i][1], &token, 1), 1);
		for (int i = 0; i < FAULTERS; i++)
			CHECK_EQ(read(done[i][0], &token, 1),
				 1); /* 0: one has failed, and said why */
	}
}
