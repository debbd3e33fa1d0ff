/* Memory: mappings, copy-on-write, brk, faults, and running out of it. */
#include <sys/utsname.h>

#include "test.h"

#define PAGE 4096

static void *map(size_t n, int prot, int flags, int fd, off_t at)
{
	void *p = mmap(NULL, n, prot, flags, fd, at);

	CHECK(p != MAP_FAILED);
	return p;
}

static int make_file(size_t n)
{
	char *data = malloc(n);
	int fd = open("/tmp/memory-test", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && data);
	test_fill(data, n, 5, 0);
	CHECK_EQ(write_full(fd, data, n), n);
	CHECK_EQ(unlink("/tmp/memory-test"), 0);
	free(data);
	return fd;
}

/* The signal that ends a child that does what `touch` does; 0: it lives. */
static int outcome(void (*touch)(volatile char *), volatile char *at)
{
	pid_t child = fork();
	int status;

	if (!child) {
		touch(at);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void load(volatile char *p)
{
	(void)*p;
}
static void store(volatile char *p)
{
	*p = 1;
}

TEST(anonymous, 5, "fresh memory is zero, and holds what is written")
{
	char *p = map(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 1 << 20; i += 1000)
		CHECK_EQ(p[i], 0);
	test_fill(p, 1 << 20, 1, 0);
	CHECK_EQ(test_differs(p, 1 << 20, 1, 0), 1 << 20);
	CHECK_EQ(munmap(p, 1 << 20), 0);
	CHECK_EQ(outcome(load, p), SIGSEGV);
}

TEST(protection, 5, "mprotect and PROT_NONE are kept, piece by piece")
{
	char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 7, 3 * PAGE);
	CHECK_EQ(mprotect(p + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(outcome(store, p), 0);
	CHECK_EQ(outcome(store, p + PAGE), SIGSEGV);
	CHECK_EQ(outcome(load, p + PAGE), 0);
	CHECK_EQ(outcome(store, p + 2 * PAGE), 0);
	CHECK_EQ(mprotect(p, PAGE, PROT_NONE), 0);
	CHECK_EQ(outcome(load, p), SIGSEGV);
	CHECK_EQ(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(p[PAGE + 5], 7);
	/* Not through the library, which rounds. */
	CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(mprotect((void *)0x20000000, PAGE, PROT_READ), ENOMEM);
}

TEST(hole_in_the_middle, 5, "munmap of the middle leaves both sides")
{
	char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 3 * PAGE);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	CHECK_EQ(p[0] + p[2 * PAGE], 2);
	CHECK_EQ(outcome(load, p + PAGE), SIGSEGV);
	CHECK(mmap(p + PAGE, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      p + PAGE);
	CHECK_EQ(p[PAGE], 0);
}

TEST(freed_place, 20,
     "thousands of mappings side by side; the place of one that goes is used again")
{
	enum { MAPPINGS = 6000 };
	static char *maps[MAPPINGS];

	/* Neighbours differ, so that they stay apart. */
	for (int i = 0; i < MAPPINGS; i++)
		maps[i] = map(PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 100; i < MAPPINGS; i += 1000) {
		CHECK_EQ(munmap(maps[i], PAGE), 0);
		CHECK(map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == maps[i]);
	}
	CHECK_EQ(munmap(maps[40], PAGE), 0);
	CHECK_EQ(munmap(maps[41], PAGE), 0);
	CHECK(map(2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == maps[41]);
	for (int i = 0; i < MAPPINGS; i++)
		CHECK_EQ(munmap(maps[i], PAGE), 0);
}

TEST(refusals, 5, "mmap and munmap refuse what makes no sense")
{
	int fd = make_file(100), null = open("/dev/null", O_RDONLY);

	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap((void *)123, PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		      MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mmap(NULL, 0xf0000000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == ENOMEM);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("/etc/passwd", O_RDONLY),
		   0) == MAP_FAILED &&
	      errno == EACCES);
	CHECK_ERR(munmap((void *)123, PAGE), EINVAL);
	CHECK(fd >= 0 && null >= 0);
}

TEST(private_file, 5, "a private file mapping shows the file; stores stay private")
{
	int fd = make_file(10000);
	char *p = map(10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), byte;

	CHECK_EQ(test_differs(p, 10000, 5, 0), 10000);
	CHECK_EQ(p[10001], 0);
	p[4100]++;
	CHECK_EQ(pread(fd, &byte, 1, 4100), 1);
	CHECK_EQ((unsigned char)byte, test_byte(5, 4100));
}

TEST(shared_file, 5, "a shared file mapping and the file are one")
{
	int fd = make_file(10000);
	char *p = map(10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), byte;
	char *q = map(PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	CHECK_EQ(test_differs(p, 10000, 5, 0), 10000);
	p[5000] = 'A';
	CHECK_EQ(q[5000 - PAGE], 'A');
	CHECK_EQ(pread(fd, &byte, 1, 5000), 1);
	CHECK_EQ(byte, 'A');
	CHECK_EQ(pwrite(fd, "B", 1, 5001), 1);
	CHECK_EQ(p[5001], 'B');
	if (!fork()) {
		p[5002] = 'C';
		_exit(0);
	}
	CHECK(wait(NULL) > 0);
	CHECK_EQ(p[5002], 'C');
}

TEST(beyond_the_end, 5,
     "a page wholly beyond the end of the file is SIGBUS; truncate takes pages away")
{
	int fd = make_file(5000);
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK_EQ(outcome(load, p + PAGE + 3000), 0);
	CHECK_EQ(outcome(load, p + 2 * PAGE), SIGBUS);
	CHECK_EQ(ftruncate(fd, 100), 0);
	CHECK_EQ(outcome(load, p + PAGE), SIGBUS);
	CHECK_EQ(outcome(load, p), 0);
	CHECK_EQ(p[100], 0);
}

TEST(copy_on_write, 20, "parent and children each change their own copy, page by page")
{
	int n = 200;
	char *p = map(n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t children[4];
	int go[2];
	char byte;

	test_fill(p, n * PAGE, 2, 0);
	CHECK_EQ(pipe(go), 0);
	for (int c = 0; c < 4; c++) {
		if ((children[c] = fork()))
			continue;
		close(go[1]);
		read(go[0], &byte, 1); /* all of them share the pages before the first one stores */
		for (int i = c; i < n; i += 4)
			test_fill(p + i * PAGE, PAGE, 3, i * PAGE);
		for (int i = 0; i < n; i++)
			if (test_differs(p + i * PAGE, PAGE, i % 4 == c ? 3 : 2, i * PAGE) != PAGE)
				_exit(1);
		_exit(0);
	}
	close(go[0]);
	close(go[1]);
	for (int c = 0; c < 4; c++)
		CHECK_EQ(test_wait(children[c]), 0);
	CHECK_EQ(test_differs(p, n * PAGE, 2, 0), n * PAGE);
}

TEST(parents_stores, 10,
     "what the parent stores after fork the child does not see, however often they fork")
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int go[2];
	char byte;

	memset(p, 'a', 4 * PAGE);
	for (int round = 0; round < 5; round++) {
		pid_t child;

		CHECK_EQ(pipe(go), 0);
		child = fork();
		if (!child) {
			char old = round ? 'a' + round : 'a';

			close(go[1]);
			read(go[0], &byte, 1);
			_exit(p[0] != old || p[3 * PAGE] != old);
		}
		memset(p, 'b' + round, 4 * PAGE);
		CHECK_EQ(write(go[1], "g", 1), 1);
		CHECK_EQ(test_wait(child), 0);
		close(go[0]);
		close(go[1]);
	}
}

TEST(brk_moves, 5, "brk grows with zeros and shrinks")
{
	char *start = sbrk(0), *p = (char *)syscall(SYS_brk, 0);

	(void)start;
	CHECK((char *)syscall(SYS_brk, p + 5 * PAGE) == p + 5 * PAGE);
	CHECK_EQ(p[4 * PAGE], 0);
	p[4 * PAGE] = 1;
	CHECK((char *)syscall(SYS_brk, p) == p);
	CHECK((char *)syscall(SYS_brk, p + 5 * PAGE) == p + 5 * PAGE);
	CHECK_EQ(p[4 * PAGE], 0);
	CHECK((char *)syscall(SYS_brk, 0xbffff000u) == p + 5 * PAGE);
}

static int deep(int n)
{
	volatile char room[4000];

	room[0] = n;
	return n ? deep(n - 1) + room[0] - n % 256 : 0;
}

TEST(stack_grows, 5, "the stack grows by itself up to its limit, then SIGSEGV")
{
	pid_t child;

	deep(1000);
	child = fork();
	if (!child)
		_exit(deep(1 << 20));
	CHECK_EQ(test_wait(child), 128 + SIGSEGV);
}

BEYOND_TEST(no_execution_of_data, 5, "data and stack are not executable",
	    "Linux 6.1 with PAE loses the bit in a 32-bit variable")
{
	static unsigned char code[] = { 0xc3 };
	pid_t child = fork();

	if (!child) {
		((void (*)(void))(uintptr_t)code)();
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGSEGV);
	child = fork();
	if (!child) {
		volatile unsigned char there[] = { 0xc3 };

		((void (*)(void))(uintptr_t)there)();
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGSEGV);
}

TEST(dontneed, 5, "MADV_DONTNEED gives zeros back")
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 9, 2 * PAGE);
	CHECK_EQ(madvise(p, PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(p[10], 0);
	CHECK_EQ(p[PAGE], 9);
	CHECK_ERR(madvise(p, PAGE, 9999), EINVAL);
}

TEST(kernel_is_out_of_reach, 5, "addresses of the kernel are SIGSEGV for users, EFAULT for calls")
{
	CHECK_EQ(outcome(load, (char *)0xc0100000), SIGSEGV);
	CHECK_EQ(outcome(store, (char *)0xffffe000), SIGSEGV);
	CHECK_ERR(write(1, (void *)0xc0100000, 10), EFAULT);
	CHECK_ERR(write(1, (void *)0xbfffffff, 0x50000000), EFAULT);
	/* Whole structures and strings, which nothing looks at before they are copied. */
	CHECK_ERR(open((char *)0xc0100000, O_RDONLY), EFAULT);
	CHECK_ERR(uname((void *)0xc0100000), EFAULT);
}

TEST(running_out, 60, "out of memory ends the process that asks for too much, and nothing else")
{
	pid_t child = fork();
	int status;

	if (!child) {
		for (;;) {
			char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (p == MAP_FAILED)
				_exit(9);
			memset(p, 1, 1 << 20);
		}
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 9);
	child = fork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", "exit 4", NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 4);
}
