/*
 * vmsplice: user memory as slots, what becomes of it when its owner writes, gifts, and out of a
 * pipe.
 */
#include "test.h"

#define PAGE   4096
#define PAGES  16
#define SHARES "Linux shares the pages with their owner"

#ifndef SPLICE_F_GIFT
#define SPLICE_F_GIFT 8
#endif

static int ends[2];
static char back[PAGES * PAGE];

static char *memory(int flags, size_t size)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static ssize_t give(const void *from, size_t len, unsigned int flags)
{
	struct iovec segment = { (void *)from, len };

	return vmsplice(ends[1], &segment, 1, flags);
}

static void open_pipe(void)
{
	CHECK_EQ(pipe(ends), 0);
}

TEST(bytes_arrive, 10,
     "what was in memory comes out of the pipe, from odd addresses and many segments")
{
	char *at = memory(MAP_PRIVATE, 4 * PAGE);
	struct iovec segments[3] = { { at + 100, 5000 }, { at, 0 }, { at + 3 * PAGE - 7, 14 } };

	open_pipe();
	test_fill(at, 4 * PAGE, 1, 0);
	CHECK_EQ(vmsplice(ends[1], segments, 3, 0), 5014);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 5014);
	CHECK_EQ(memcmp(back, at + 100, 5000), 0);
	CHECK_EQ(memcmp(back + 5000, at + 3 * PAGE - 7, 14), 0);
}

TEST(untouched_memory, 10, "memory that was never touched is zeros")
{
	char *at = memory(MAP_PRIVATE, 2 * PAGE);

	open_pipe();
	CHECK_EQ(give(at, 2 * PAGE, 0), 2 * PAGE);
	memset(back, 1, sizeof(back));
	CHECK_EQ(read(ends[0], back, sizeof(back)), 2 * PAGE);
	for (int i = 0; i < 2 * PAGE; i++)
		CHECK_EQ(back[i], 0);
	at[0] = 1;
	CHECK_EQ(at[1], 0);
}

TEST(refusals, 10, "wrong flags, counts, files and addresses")
{
	static struct iovec many[1025];
	char *at = memory(MAP_PRIVATE, 3 * PAGE);
	struct iovec one = { at, 1 };
	int file = open("/dev/null", O_RDWR);

	open_pipe();
	memset(at, 1, 2 * PAGE);
	CHECK_EQ(munmap(at + 2 * PAGE, PAGE), 0);
	CHECK_ERR(vmsplice(ends[1], &one, 1, 16), EINVAL);
	CHECK_ERR(vmsplice(ends[1], many, 1025, 0), EINVAL);
	CHECK_ERR(vmsplice(file, &one, 1, 0), EBADF);
	CHECK_ERR(vmsplice(99, &one, 1, 0), EBADF);
	CHECK_ERR(give(at + 2 * PAGE, 10, 0), EFAULT);
	CHECK_EQ(give(at + PAGE, 2 * PAGE, 0), PAGE);
	CHECK_EQ(read(ends[0], back, sizeof(back)), PAGE);
	CHECK_EQ(vmsplice(ends[1], &one, 0, 0), 0);
}

TEST(full_pipe, 10, "takes what there is room for; then EAGAIN, or it waits for room")
{
	char *at = memory(MAP_PRIVATE, 20 * PAGE);

	open_pipe();
	memset(at, 3, 20 * PAGE);
	CHECK_EQ(give(at, 20 * PAGE, SPLICE_F_NONBLOCK), 16 * PAGE);
	CHECK_ERR(give(at, 1, SPLICE_F_NONBLOCK), EAGAIN);
	if (fork() == 0) {
		test_sleep_ms(50);
		_exit(read(ends[0], back, PAGE) == PAGE ? 0 : 1);
	}
	CHECK_EQ(give(at, PAGE, 0), PAGE);
	CHECK_EQ(test_wait(-1), 0);
}

TEST(no_reader, 10, "EPIPE and SIGPIPE")
{
	char byte = 1;

	open_pipe();
	signal(SIGPIPE, SIG_IGN);
	close(ends[0]);
	CHECK_ERR(give(&byte, 1, 0), EPIPE);
}

TEST(out_of_a_pipe, 10, "the read end copies to the segments, as readv does")
{
	struct iovec segments[2] = { { back, 100 }, { back + 200, 1000 } };

	open_pipe();
	CHECK_ERR(vmsplice(ends[0], segments, 2, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_EQ(vmsplice(ends[0], segments, 2, 0), 10);
	CHECK_EQ(memcmp(back, "0123456789", 10), 0);
	close(ends[1]);
	CHECK_EQ(vmsplice(ends[0], segments, 2, 0), 0);
}

TEST(given_back, 20, "once the pipe is empty the memory is the owner's alone again, whoever wrote")
{
	char *at = memory(MAP_PRIVATE, PAGES * PAGE);

	open_pipe();
	for (int round = 0; round < 100; round++) {
		memset(at, round, PAGES * PAGE);
		CHECK_EQ(give(at, PAGES * PAGE, 0), PAGES * PAGE);
		CHECK_EQ(read(ends[0], back, sizeof(back)), PAGES * PAGE);
		CHECK_EQ(back[round], round);
		CHECK_EQ(back[sizeof(back) - 1], round);
	}
}

BEYOND_TEST(owner_writes, 10, "what the owner writes afterwards does not show in the pipe", SHARES)
{
	char *at = memory(MAP_PRIVATE, 2 * PAGE);

	open_pipe();
	memset(at, 'a', 2 * PAGE);
	CHECK_EQ(give(at, 2 * PAGE, 0), 2 * PAGE);
	memset(at, 'b', 2 * PAGE);
	CHECK_EQ(read(ends[0], back, sizeof(back)), 2 * PAGE);
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(back[2 * PAGE - 1], 'a');
	CHECK_EQ(at[0], 'b');
}

BEYOND_TEST(call_writes, 10, "what a system call writes there does not show either", SHARES)
{
	char *at = memory(MAP_PRIVATE, PAGE);
	int other[2];

	open_pipe();
	CHECK_EQ(pipe(other), 0);
	memset(at, 'a', PAGE);
	CHECK_EQ(give(at, PAGE, 0), PAGE);
	CHECK_EQ(write(other[1], "bbbb", 4), 4);
	CHECK_EQ(read(other[0], at + 10, 4), 4);
	CHECK_EQ(read(ends[0], back, sizeof(back)), PAGE);
	CHECK_EQ(back[10], 'a');
	CHECK_EQ(at[10], 'b');
}

TEST(child_writes, 10, "nor what a child or its parent writes after fork")
{
	char *at = memory(MAP_PRIVATE, PAGE);

	open_pipe();
	memset(at, 'a', PAGE);
	CHECK_EQ(give(at, PAGE, 0), PAGE);
	if (fork() == 0) {
		memset(at, 'c', PAGE);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	memset(at, 'b', PAGE);
	CHECK_EQ(read(ends[0], back, sizeof(back)), PAGE);
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(back[PAGE - 1], 'a');
}

BEYOND_TEST(shared_memory, 10, "nor what is written to shared memory, by whomever", SHARES)
{
	char *at = memory(MAP_SHARED, 2 * PAGE);

	open_pipe();
	memset(at, 'a', 2 * PAGE);
	CHECK_EQ(give(at, 2 * PAGE, 0), 2 * PAGE);
	at[5] = 'b';
	if (fork() == 0) {
		at[PAGE + 5] = 'c';
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	CHECK_EQ(at[PAGE + 5], 'c');
	CHECK_EQ(read(ends[0], back, sizeof(back)), 2 * PAGE);
	CHECK_EQ(back[5], 'a');
	CHECK_EQ(back[PAGE + 5], 'a');
	CHECK_EQ(at[5], 'b');
}

BEYOND_TEST(protection, 10,
	    "taking the right to write away and giving it back changes nothing of that", SHARES)
{
	for (int shared = 0; shared < 2; shared++) {
		char *at = memory(shared ? MAP_SHARED : MAP_PRIVATE, 2 * PAGE);

		memset(at, 'a', 2 * PAGE);
		open_pipe();
		CHECK_EQ(give(at, 2 * PAGE, 0), 2 * PAGE);
		CHECK_EQ(mprotect(at, 2 * PAGE, PROT_READ), 0);
		CHECK_EQ(mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
		memset(at, 'b', 2 * PAGE);
		CHECK_EQ(read_full(ends[0], back, 2 * PAGE), 2 * PAGE);
		CHECK_EQ(back[0], 'a');
		CHECK_EQ(back[2 * PAGE - 1], 'a');
		CHECK_EQ(at[0], 'b');
	}
}

BEYOND_TEST(file_mapping, 10, "nor a write to the file whose mapping was given", SHARES)
{
	int file = open("/tmp/vmsplice", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *at;

	open_pipe();
	memset(back, 'a', PAGE);
	CHECK_EQ(write(file, back, PAGE), PAGE);
	at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(at != MAP_FAILED);
	CHECK_EQ(give(at, PAGE, 0), PAGE);
	CHECK_EQ(pwrite(file, "b", 1, 0), 1);
	CHECK_EQ(read(ends[0], back, PAGE), PAGE);
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(at[0], 'b');
	unlink("/tmp/vmsplice");
}

BEYOND_TEST(gift, 10,
	    "a gift is the receiver's: the giver finds zeros, a file takes the page without a copy",
	    SHARES)
{
	int file = open("/tmp/gift", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *at = memory(MAP_PRIVATE, PAGES * PAGE);

	open_pipe();
	test_fill(at, PAGES * PAGE, 2, 0);
	CHECK_EQ(give(at, PAGES * PAGE, SPLICE_F_GIFT), PAGES * PAGE);
	CHECK_EQ(at[0], 0);
	CHECK_EQ(at[PAGES * PAGE - 1], 0);
	at[1] = 'x';
	CHECK_EQ(splice(ends[0], NULL, file, NULL, PAGES * PAGE, SPLICE_F_MOVE), PAGES * PAGE);
	CHECK_EQ(pread(file, back, sizeof(back), 0), PAGES * PAGE);
	CHECK_EQ(test_differs(back, PAGES * PAGE, 2, 0), PAGES * PAGE);
	unlink("/tmp/gift");
}

TEST(gift_over_a_page, 10,
     "a gift that overwrites a file's page shows in its mappings, not in a pipe")
{
	int file = open("/tmp/gift", O_RDWR | O_CREAT | O_TRUNC, 0600), older[2];
	char *at = memory(MAP_PRIVATE, PAGE), *mapped;
	loff_t start = 0, offset = 0;

	open_pipe();
	CHECK_EQ(pipe(older), 0);
	memset(back, 'o', PAGE);
	CHECK_EQ(write(file, back, PAGE), PAGE);
	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(mapped != MAP_FAILED);
	CHECK_EQ(mapped[0], 'o');
	CHECK_EQ(write(older[1], mapped, PAGE), PAGE);
	memset(at, 'n', PAGE);
	CHECK_EQ(give(at, PAGE, SPLICE_F_GIFT), PAGE);
	CHECK_EQ(splice(ends[0], NULL, file, &start, PAGE, SPLICE_F_MOVE), PAGE);
	CHECK_EQ(mapped[0], 'n');
	mapped[PAGE - 1] = 'm';
	CHECK_EQ(splice(file, &offset, ends[1], NULL, PAGE, 0), PAGE);
	CHECK_EQ(read(ends[0], back, PAGE), PAGE);
	CHECK(back[0] == 'n' && back[PAGE - 1] == 'm');
	CHECK_EQ(read(older[0], back, PAGE), PAGE);
	CHECK(back[0] == 'o' && back[PAGE - 1] == 'o');
	unlink("/tmp/gift");
}

BEYOND_TEST(shared_gift, 10, "a gift that a child shares is still the child's", SHARES)
{
	char *at = memory(MAP_PRIVATE, PAGE);
	int go[2];

	open_pipe();
	CHECK_EQ(pipe(go), 0);
	memset(at, 'a', PAGE);
	if (fork() == 0) {
		CHECK_EQ(read(go[0], back, 1), 1);
		_exit(at[0] == 'a' && at[PAGE - 1] == 'a' ? 0 : 1);
	}
	CHECK_EQ(give(at, PAGE, SPLICE_F_GIFT), PAGE);
	CHECK_EQ(at[0], 0);
	at[0] = 'b';
	CHECK_EQ(read(ends[0], back, PAGE), PAGE);
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(write(go[1], "g", 1), 1);
	CHECK_EQ(test_wait(-1), 0);
}
