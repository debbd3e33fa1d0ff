/*
 * Direct reads and writes at once with all that changes a file: buffered writes, stores to
 * mappings, truncation, splice. Every byte that is written is what its offset says. So each byte of
 * the file is right or zero at any time. The disk is full of other bytes before.
 *
 * With EXT2_DISK=DISK in the environment this happens there, and tests/guest-tool/ext2 lets e2fsck
 * judge it.
 */
#include "ext2.h"
#include <pthread.h>
#include <sched.h>

#define WORKERS 5
#define SIZE	(256 << 10)
#define KEPT	(96 << 10) /* the file is never shorter, so that a mapping of it can be used */
#define SEED	5
#define MS	1500
#define PIECE	(48 << 10)
#define OLD	0xee /* what the disk was full of */

static char *memory;
static uint32_t state;
static bool old_is_shown; /* Linux now and then shows a reader old bytes of the disk */

static unsigned int random_below(unsigned int n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static void check(const char *bytes, ssize_t n, off_t at)
{
	if (n < 0)
		test_fail(__FILE__, __LINE__, "a read fails");
	for (ssize_t i = 0; i < n; i++) {
		unsigned char byte = bytes[i];

		if (byte && byte != test_byte(SEED, at + i) && !(old_is_shown && byte == OLD))
			test_fail(__FILE__, __LINE__, "byte %lld is %d", (long long)(at + i), byte);
	}
}

static void splice_some(int fd, off_t at)
{
	int ends[2];
	off_t pos = at;
	ssize_t n;

	CHECK_EQ(pipe(ends), 0);
	n = splice(fd, &pos, ends[1], NULL, 16384, 0);
	if (n > 0) {
		/*
		 * A page that was truncated before it was read is missing: then a read fails once.
		 */
		ssize_t got = read(ends[0], memory, n);

		if (got > 0)
			check(memory, got, at);
	}
	close(ends[0]);
	close(ends[1]);
}

static void do_something(int direct, int plain, char *map)
{
	size_t at = random_below((SIZE - PIECE) / 512) * 512;
	size_t n = (1 + random_below(PIECE / 512)) * 512;
	size_t odd = random_below(500), store = random_below(KEPT - 8192);

	switch (random_below(9)) {
	case 0:
	case 1:
		test_fill(memory, n, SEED, at);
		CHECK_EQ(pwrite(direct, memory, n, at), n);
		break;
	case 2:
		test_fill(memory, n, SEED, at + odd);
		CHECK_EQ(pwrite(plain, memory, n, at + odd), n);
		break;
	case 3:
		test_fill(map + store, 1 + n % 8192, SEED, store);
		break;
	case 4:
		CHECK_EQ(ftruncate(plain, KEPT + random_below((SIZE - KEPT) / 512) * 512), 0);
		break;
	case 5:
		check(memory, pread(plain, memory, n, at + odd), at + odd);
		break;
	case 6:
		splice_some(plain, at + odd);
		break;
	case 7:
		check(map + store, 1 + n % 8192, store);
		break;
	default:
		check(memory, pread(direct, memory, n, at), at);
	}
}

static void work(int number)
{
	int direct = open(MNT "/file", O_RDWR | O_DIRECT), plain = open(MNT "/file", O_RDWR);
	char *map = mmap(NULL, KEPT, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	long long end = test_ms() + MS;

	memory = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(direct >= 0 && plain >= 0 && map != MAP_FAILED && memory != MAP_FAILED);
	state = number * 7919 + 1;
	while (test_ms() < end)
		do_something(direct, plain, map);
	_exit(0);
}

TEST(everything_at_once, 20,
     "each byte is right or zero, whoever reads it, while five processes change the file")
{
	pid_t workers[WORKERS];
	static char all[SIZE];
	int fd;

	old_is_shown = access("/proc/gate", F_OK) != 0;
	put_image("blank-4k");
	mount_writable();
	memset(buf, OLD, sizeof(buf));
	fd = open(MNT "/junk", O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 24; i++)
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(close(fd) | unlink(MNT "/junk"), 0);
	sync();
	fd = open(MNT "/file", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, KEPT), 0);
	for (int i = 0; i < WORKERS; i++)
		if ((workers[i] = fork()) == 0)
			work(i);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(test_wait(workers[i]), 0);
	check(all, pread(fd, all, SIZE, 0), 0);
	forget();
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT), 0);
	CHECK_EQ(pread(fd, memory, SIZE, 0), lseek(fd, 0, SEEK_END));
	CHECK_EQ(memcmp(memory, all, SIZE), 0);
	close(fd);
	unmount();
}

/* ---- memory that comes and goes ---- */

static char *fickle; /* a page; a thread takes them away and gives them back */
static volatile bool done;

static void wait_some(unsigned int n)
{
	for (volatile unsigned int i = 0; i < n; i++)
		;
}

static void *take_and_give(void *arg)
{

	while (!done) {
		mprotect(fickle, 4096, PROT_NONE);
		wait_some(random_below(3000));
		mprotect(fickle, 4096, PROT_READ | PROT_WRITE);
		wait_some(random_below(3000));
	}
	return arg;
}

TEST(source_comes_and_goes, 20,
     "a write whose memory is taken away meanwhile leaves nothing that a later write to its place misses")
{
	static char good[4096], sure[4096], failed[900];
	pthread_t thread;
	int fd;

	put_image("blank-4k");
	mount_writable();
	fickle = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fickle != MAP_FAILED);
	memset(fickle, 'S', 4096);
	memset(sure, 'S', 4096);
	memset(good, 'G', 4096);
	CHECK_EQ(pthread_create(&thread, NULL, take_and_give, NULL), 0);
	for (int round = 0; round < 4; round++) {
		fd = open(MNT "/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
		CHECK(fd >= 0);
		for (int i = 0; i < (int)sizeof(failed); i++) {
			failed[i] = pwrite(fd, fickle, 4096, i * 4096) != 4096;
			if (failed[i])
				CHECK_EQ(pwrite(fd, good, 4096, i * 4096), 4096);
		}
		forget();
		for (int i = 0; i < (int)sizeof(failed); i++) {
			CHECK_EQ(pread(fd, buf, 4096, i * 4096), 4096);
			CHECK_EQ(memcmp(buf, failed[i] ? good : sure, 4096), 0);
		}
		close(fd);
	}
	done = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	unmount();
}

static volatile bool reading, waits;

static void *take_while_reading(void *arg)
{
	while (!done) {
		waits = !reading;
		if (waits) {
			sched_yield();
			continue;
		}
		mprotect(fickle + 8192, 8192, PROT_NONE);
		wait_some(random_below(60));
		mprotect(fickle + 8192, 8192, PROT_READ | PROT_WRITE);
		wait_some(random_below(200));
	}
	return arg;
}

TEST(target_comes_and_goes, 20,
     "a read into memory that is taken away meanwhile has the right bytes, as many as it says")
{
	const size_t size = 5 * 4096 + 1000, room = 8 * 4096;
	long long end = test_ms() + 3000;
	pthread_t thread;
	int fd;

	put_image("blank-4k");
	mount_writable();
	fd = make_file(MNT "/file", size, SEED);
	CHECK_EQ(fsync(fd) | fcntl(fd, F_SETFL, O_DIRECT), 0);
	fickle = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(fickle != MAP_FAILED);
	CHECK_EQ(pthread_create(&thread, NULL, take_while_reading, NULL), 0);
	while (test_ms() < end) {
		ssize_t n;

		memset(fickle, 0, room);
		waits = false;
		reading = true;
		n = pread(fd, fickle, room, 0);
		reading = false;
		waits = false;
		while (!waits)
			sched_yield();
		if (n > 0)
			CHECK_EQ(test_differs(fickle, n, SEED, 0), n);
	}
	done = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
	unmount();
}
