/* Huge pages: MAP_HUGETLB memory. */
#include "hugepages.h"
#include <setjmp.h>

#define MAP_HUGE_2M (21u << 26)
#define MAP_HUGE_1G (30u << 26)

TEST(pool, 20, "/proc/meminfo counts the pool; a page comes back with its last unmapping")
{
	int total = meminfo("HugePages_Total"), before = nr_free();
	char *at = huge(2);

	CHECK_EQ(meminfo("Hugepagesize"), 2048);
	CHECK_EQ(before, total);
	CHECK_EQ(nr_free(), before - 2);
	CHECK_EQ(test_differs(at, 2 * HUGE, 1, 0), 2 * HUGE);
	CHECK_EQ(munmap(at, HUGE), 0);
	CHECK_EQ(nr_free(), before - 1);
	CHECK_EQ(test_differs(at + HUGE, HUGE, 1, HUGE), HUGE);
	at = map(100, MAP_HUGE_2M);
	CHECK(at != MAP_FAILED);
	for (unsigned int i = 0; i < HUGE; i++)
		CHECK_EQ(at[i], 0);
	CHECK_EQ(nr_free(), before - 2);
}

TEST(exhausted, 20, "more than the pool has is ENOMEM, and takes nothing")
{
	int total = meminfo("HugePages_Total");
	char *at;

	huge(1);
	CHECK_ERR((long)map(total * HUGE, 0), ENOMEM);
	CHECK_EQ(nr_free(), total - 1);
	at = map((total - 1) * HUGE, 0);
	CHECK(at != MAP_FAILED);
	memset(at, 1, (total - 1) * HUGE);
	CHECK_EQ(nr_free(), 0);
}

TEST(exit_gives_back, 20, "so do exit, and exec")
{
	int before = nr_free();

	huge(1);
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			memset(map(HUGE, 0), 1, HUGE);
			if (i)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		CHECK_EQ(test_wait(-1), 0);
		CHECK_EQ(nr_free(), before - 1);
	}
}

TEST(refusals, 20, "parts of a huge page, other sizes, files")
{
	char *at = huge(2);
	int fd = open("/proc/self/exe", O_RDONLY);

	CHECK_ERR(munmap(at, PAGE), EINVAL);
	CHECK_ERR(munmap(at + PAGE, HUGE), EINVAL);
	CHECK_ERR(mprotect(at, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(mprotect(at + PAGE, PAGE, PROT_READ), EINVAL);
	CHECK_ERR(madvise(at + PAGE, HUGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(at, HUGE, MADV_FREE), EINVAL);
	CHECK_ERR((long)mmap(at + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     -1, 0),
		  ENOMEM);
	CHECK_ERR((long)mmap(at + PAGE, HUGE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0),
		  EINVAL);
	CHECK_ERR((long)map(HUGE, MAP_HUGE_1G), EINVAL);
	CHECK_ERR((long)mmap(NULL, HUGE, PROT_READ, MAP_PRIVATE | MAP_HUGETLB, fd, 0), EINVAL);
	CHECK_EQ(test_differs(at, 2 * HUGE, 1, 0), 2 * HUGE);
}

static sigjmp_buf faulted;

static void on_fault(int sig)
{
	siglongjmp(faulted, sig);
}

static bool faults(volatile char *at, bool write)
{
	if (sigsetjmp(faulted, 1))
		return true;
	if (write)
		*at = 'x';
	else
		(void)*at;
	return false;
}

TEST(protection, 20, "mprotect: read-only, nothing, and back; the bytes stay")
{
	char *at = huge(2);

	signal(SIGSEGV, on_fault);
	CHECK_EQ(mprotect(at + HUGE, HUGE, PROT_READ), 0);
	CHECK(faults(at + HUGE + 5 * PAGE, true));
	CHECK(!faults(at + HUGE - 1, true));
	CHECK_EQ(mprotect(at, 2 * HUGE, PROT_NONE), 0);
	CHECK(faults(at + 7, false));
	CHECK_EQ(mprotect(at, 2 * HUGE, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(test_differs(at, HUGE - 1, 1, 0), HUGE - 1);
	CHECK_EQ(test_differs(at + HUGE, HUGE, 1, HUGE), HUGE);
	CHECK(!faults(at + HUGE + 5 * PAGE, true));
	CHECK_EQ(at[HUGE + 5 * PAGE], 'x');
}

TEST(no_access_goes, 20, "what cannot be accessed is unmapped, forked and replaced like the rest")
{
	int before = nr_free();
	char *at = huge(2);

	CHECK_EQ(mprotect(at, HUGE, PROT_NONE), 0);
	if (fork() == 0) {
		CHECK_EQ(mprotect(at, HUGE, PROT_READ), 0);
		_exit(test_differs(at, HUGE, 1, 0) == HUGE ? 0 : 1);
	}
	CHECK_EQ(test_wait(-1), 0);
	CHECK(mmap(at, HUGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	CHECK_EQ(at[5], 0);
	CHECK_EQ(nr_free(), before - 1);
	CHECK_EQ(test_differs(at + HUGE, HUGE, 1, HUGE), HUGE);
}

TEST(small_then_huge, 20, "where small pages were before, and where they come afterwards")
{
	char *at = huge(1);

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(munmap(at, HUGE), 0);
		CHECK(mmap(at, HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		memset(at, 'a' + i, HUGE);
		CHECK_EQ(at[HUGE - 1], 'a' + i);
		CHECK(map(HUGE, 0) != MAP_FAILED);
		CHECK(mmap(at, HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0) == at);
		CHECK_EQ(at[HUGE - 1], 0);
		test_fill(at, HUGE, 2, 0);
		CHECK_EQ(test_differs(at, HUGE, 2, 0), HUGE);
		CHECK_EQ(munmap(at - HUGE, HUGE), 0);
	}
}

TEST(not_needed, 20, "MADV_DONTNEED gives the page back; then it is zeros")
{
	int before = nr_free();
	char *at = huge(2);

	CHECK_EQ(madvise(at, HUGE, MADV_DONTNEED), 0);
	CHECK_EQ(nr_free(), before - 1);
	CHECK_EQ(at[HUGE / 2], 0);
	CHECK_EQ(test_differs(at + HUGE, HUGE, 1, HUGE), HUGE);
}

TEST(fork_copies, 20, "after fork each has its own, whoever writes first")
{
	char byte;
	int before = nr_free();
	char *at = huge(1);
	int go[2];

	CHECK_EQ(pipe(go), 0);
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			if (i)
				CHECK_EQ(read(go[0], &byte, 1), 1);
			else
				CHECK_EQ(nr_free(), before - 1);
			CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE);
			at[HUGE - 1] ^= 1;
			CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE - 1);
			_exit(0);
		}
		if (i) {
			at[0] ^= 1;
			CHECK_EQ(write(go[1], "g", 1), 1);
		}
		CHECK_EQ(test_wait(-1), 0);
		CHECK_EQ(test_differs(at, HUGE, 1, 0), i ? 0 : HUGE);
	}
	CHECK_EQ(nr_free(), before - 1);
}

BEYOND_TEST(fork_without_pool, 20, "also when the pool is empty", "Linux kills the child")
{
	char *at = huge(1);

	empty_pool();
	if (fork() == 0) {
		at[PAGE] ^= 1;
		at[HUGE - 1] ^= 1;
		CHECK_EQ(test_differs(at, HUGE, 1, 0), PAGE);
		at[PAGE] ^= 1;
		CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE - 1);
		if (fork() == 0) {
			at[0] = 1;
			_exit(0);
		}
		CHECK_EQ(test_wait(-1), 0);
		CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE - 1);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	CHECK_EQ(test_differs(at, HUGE, 1, 0), HUGE);
	at[0] ^= 1;
	CHECK_EQ(test_differs(at, HUGE, 1, 0), 0);
}
