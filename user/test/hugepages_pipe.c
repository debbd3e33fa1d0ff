/* Huge pages in a pipe: one slot each, which outlives the mapping and what its owner writes. */
#include "hugepages.h"
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#define PIECE 40000 /* of a huge page; its pages fit into a pipe on Linux too */
#define SLOTS "Linux makes a slot of each 4 KiB"

static int ends[2];
static char back[HUGE + PAGE];

static ssize_t give(const void *from, size_t len, unsigned int flags)
{
	struct iovec segment = { (void *)from, len };

	return vmsplice(ends[1], &segment, 1, flags);
}

static void open_pipe(void)
{
	CHECK_EQ(pipe(ends), 0);
}

/* The next n bytes of a pipe are those of seed 1 from `from` on. */
static void expect(int fd, size_t n, size_t from)
{
	CHECK_EQ(read_full(fd, back, n), (ssize_t)n);
	CHECK_EQ(test_differs(back, n, 1, from), n);
}

TEST(part, 20, "a part of a huge page, from an odd place, in odd pieces")
{
	char *at = huge(1);
	int value;

	open_pipe();
	CHECK_EQ(give(at + 300001, PIECE, 0), PIECE);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &value), 0);
	CHECK_EQ(value, PIECE);
	for (int done = 0; done < PIECE; done += 1000)
		expect(ends[0], 1000, 300001 + done);
}

TEST(outlives, 20, "what is in a pipe outlives its mapping, and then goes back to the pool")
{
	int before = nr_free();
	char *at = huge(1);

	open_pipe();
	CHECK_EQ(give(at + 1, PIECE, 0), PIECE);
	CHECK_EQ(munmap(at, HUGE), 0);
	CHECK_EQ(nr_free(), before - 1);
	expect(ends[0], PIECE - 1, 1);
	CHECK_EQ(nr_free(), before - 1);
	expect(ends[0], 1, PIECE);
	CHECK_EQ(nr_free(), before);
}

BEYOND_TEST(one_slot, 20, "2 MiB are one slot, and F_SETPIPE_SZ counts slots", SLOTS)
{
	char *at = huge(2);
	int value;

	open_pipe();
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, PAGE), PAGE);
	CHECK_EQ(give(at, HUGE, SPLICE_F_NONBLOCK), HUGE);
	CHECK_ERR(give(at, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &value), 0);
	CHECK_EQ(value, HUGE);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 2 * PAGE), 2 * PAGE);
	/* The rest of one page, and what is free for the next. */
	CHECK_EQ(give(at + HUGE - 10, 20, SPLICE_F_NONBLOCK), 10);
	CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, PAGE), EBUSY);
	expect(ends[0], HUGE, 0);
	expect(ends[0], 10, HUGE - 10);
	CHECK_EQ(give(at, 2 * HUGE, 0), 2 * HUGE);
	expect(ends[0], 12345, 0);
	expect(ends[0], HUGE, 12345);
	expect(ends[0], HUGE - 12345, HUGE + 12345);
}

/* A new file takes all of the pipe, from `pos` on. */
static void to_file(size_t pos, size_t n)
{
	const char *name = "/tmp/hugepages";
	int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(file >= 0);
	CHECK_EQ(lseek(file, pos, SEEK_SET), (off_t)pos);
	CHECK_EQ(splice(ends[0], NULL, file, NULL, n, SPLICE_F_MOVE), (ssize_t)n);
	CHECK_EQ(lseek(file, pos, SEEK_SET), (off_t)pos);
	expect(file, n, 0);
	close(file);
	unlink(name);
}

BEYOND_TEST(consumers, 60, "a file, /dev/null, a second pipe and tee take it whole or in pieces",
	    SLOTS)
{
	int null = open("/dev/null", O_WRONLY), other[2], third[2];
	char *at = huge(1);

	open_pipe();
	CHECK_EQ(pipe(other), 0);
	CHECK_EQ(pipe(third), 0);
	CHECK_EQ(give(at, HUGE, 0), HUGE);
	CHECK_EQ(tee(ends[0], other[1], HUGE, 0), HUGE);
	CHECK_EQ(tee(ends[0], other[1], 5000, 0), 5000);
	CHECK_EQ(splice(other[0], NULL, third[1], NULL, 1234567, 0), 1234567);
	CHECK_EQ(splice(third[0], NULL, null, NULL, 1000001, 0), 1000001);
	expect(third[0], 234566, 1000001);
	expect(other[0], HUGE - 1234567, 1234567);
	expect(other[0], 5000, 0);
	CHECK_EQ(tee(ends[0], other[1], HUGE, 0), HUGE);
	to_file(0, HUGE);
	CHECK_EQ(splice(other[0], NULL, ends[1], NULL, HUGE, 0), HUGE);
	to_file(1000, HUGE);
}

/* What the owner, a call and a child write is theirs; the pipe has what was given. */
static void write_after(char *at)
{
	int other[2];

	open_pipe();
	CHECK_EQ(pipe(other), 0);
	CHECK_EQ(give(at, HUGE, 0), HUGE);
	at[0] ^= 1;
	CHECK_EQ(write(other[1], "bbbb", 4), 4);
	CHECK_EQ(read(other[0], at + 8 * PAGE - 2, 4), 4);
	if (fork() == 0) {
		memset(at + 20 * PAGE, 'c', PAGE);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	at[HUGE - 1] ^= 1;
	at[0] ^= 1;
	CHECK_EQ(memcmp(at + 8 * PAGE - 2, "bbbb", 4), 0);
	test_fill(at + 8 * PAGE - 2, 4, 1, 8 * PAGE - 2);
	CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE - 1);
	expect(ends[0], HUGE, 0);
	/* Also what is given now, however it is mapped. */
	CHECK_EQ(give(at + PIECE, PIECE, 0), PIECE);
	memset(at, 'd', 2 * PIECE);
	expect(ends[0], PIECE, PIECE);
	CHECK_EQ(at[PIECE], 'd');
}

BEYOND_TEST(owner_writes, 30, "what is written to a page in a pipe does not show there", SLOTS)
{
	write_after(huge(1));
}

BEYOND_TEST(owner_writes_without_pool, 30, "also when there is no huge page for the copy", SLOTS)
{
	char *at = huge(1);

	empty_pool();
	write_after(at);
}

BEYOND_TEST(small_copies_go, 30, "a split page goes back when all of it was written or unmapped",
	    SLOTS)
{
	char *at = huge(1);

	empty_pool();
	open_pipe();
	CHECK_EQ(give(at, HUGE, 0), HUGE);
	at[5 * PAGE] ^= 1;
	expect(ends[0], HUGE, 0);
	CHECK_EQ(nr_free(), 0);
	test_fill(at, HUGE, 2, 0);
	CHECK_EQ(nr_free(), 1);
	CHECK_EQ(test_differs(at, HUGE, 2, 0), HUGE);
}

BEYOND_TEST(gift, 30, "a gift too: a file takes its bytes", SLOTS)
{
	char *at = huge(1);

	open_pipe();
	CHECK_EQ(give(at, HUGE, SPLICE_F_GIFT), HUGE);
	memset(at, 'x', HUGE);
	to_file(0, HUGE);
}

BEYOND_TEST(to_a_disk, 30, "a slot of 2 MiB goes to a raw disk straight, in one bio",
	    "lacks /dev/gate0: Linux has no such disk")
{
	char *at = huge(1);
	int gate = test_open_own("/dev/gate0", O_RDWR);
	loff_t to = 3 * 512;
	size_t done = 0;
	ssize_t n;

	open_pipe();
	CHECK_EQ(give(at, HUGE, 0), HUGE);
	/* A part first: what is left does not begin with the page. */
	CHECK_EQ(splice(ends[0], NULL, gate, &to, 7 * 512, 0), 7 * 512);
	for (done = 7 * 512; done < HUGE; done += n) {
		n = splice(ends[0], NULL, gate, &to, HUGE, 0);
		CHECK(n > 0);
	}
	CHECK_EQ(to, 3 * 512 + HUGE);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(gate, back, HUGE, 3 * 512), HUGE);
	CHECK_EQ(test_differs(back, HUGE, 1, 0), HUGE);
}

static volatile bool stop;

static void *writer(void *memory)
{
	for (unsigned int i = 0; !stop; i++)
		((volatile unsigned int *)memory)[i * 1021 % (HUGE / 4)] = i;
	return NULL;
}

BEYOND_TEST(under_a_writer, 60, "while a thread writes, two readers of a slot see the same", SLOTS)
{
	static char first[HUGE];
	char *at = huge(1);
	pthread_t thread;
	int other[2];

	open_pipe();
	CHECK_EQ(pipe(other), 0);
	CHECK_EQ(pthread_create(&thread, NULL, writer, at), 0);
	for (int i = 0; i < 20; i++) {
		if (i == 10)
			empty_pool();
		CHECK_EQ(give(at, PAGE * 15, 0), PAGE * 15);
		CHECK_EQ(tee(ends[0], other[1], PAGE * 15, 0), PAGE * 15);
		CHECK_EQ(read_full(ends[0], first, PAGE * 15), PAGE * 15);
		test_sleep_ms(5);
		CHECK_EQ(read_full(other[0], back, PAGE * 15), PAGE * 15);
		CHECK_EQ(memcmp(first, back, PAGE * 15), 0);
	}
	stop = true;
	pthread_join(thread, NULL);
}

BEYOND_TEST(old_mapping_stays, 30,
	    "where the pool is empty, what a huge mapping would have replaced stays",
	    "takes the old mapping away first")
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *area = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, flags, -1, 0), *at;

	CHECK(area != MAP_FAILED);
	at = (char *)(((uintptr_t)area + HUGE - 1) & -(uintptr_t)HUGE);
	test_fill(at, 2 * HUGE, 7, 0);
	empty_pool();
	CHECK(mmap(at, 2 * HUGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_HUGETLB, -1, 0) ==
	      MAP_FAILED);
	/* Asked without a load, which a mapping that is gone would answer with a signal. */
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], at, 1), 1);
	CHECK_EQ(test_differs(at, 2 * HUGE, 7, 0), 2 * HUGE);
	at[HUGE] = 1;
}
