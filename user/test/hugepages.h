/*
 * What the tests of huge pages share. The guest has a pool of them if its kernel was started with
 * hugepages=N (at least 3). Without one every mapping fails with ENOMEM, which is what each case
 * then shows.
 */
#ifndef USER_TEST_HUGEPAGES_H
#define USER_TEST_HUGEPAGES_H

#include "text_files.h"

#define PAGE 4096
#define HUGE (2u << 20)

#ifndef MAP_HUGETLB
#define MAP_HUGETLB 0x40000
#endif

__attribute__((unused)) static int nr_free(void)
{
	return meminfo("HugePages_Free");
}

__attribute__((unused)) static void *map(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

/* n huge pages, filled with seed 1. Without a pool there are none, and the case ends well. */
__attribute__((unused)) static char *huge(int n)
{
	char *at;

	if (meminfo("HugePages_Total") == 0) {
		CHECK_ERR((long)map(n * HUGE, 0), ENOMEM);
		_exit(0);
	}
	at = map(n * HUGE, 0);
	CHECK(at != MAP_FAILED);
	CHECK_EQ((uintptr_t)at % HUGE, 0);
	test_fill(at, n * HUGE, 1, 0);
	return at;
}

/* Take all that is left of the pool. */
__attribute__((unused)) static void empty_pool(void)
{
	while (nr_free() > 0)
		*(volatile char *)map(HUGE, 0) = 1;
}

#endif
