/* Tests mm/vm/iter.c: compares copies over random segments and missing pages with a flat array. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#define USER_SIZE 65536u
static char *user; /* user memory */
static bool present[USER_SIZE / PAGE_SIZE], never[USER_SIZE / PAGE_SIZE];
static unsigned int faults;

/* Returns how many bytes from addr on, up to n, can be touched without a fault. */
static size_t reachable(const void *addr, size_t n)
{
	size_t from = (const char *)addr - user, at = from;

	while (at < from + n && present[at / PAGE_SIZE])
		at = (at / PAGE_SIZE + 1) * PAGE_SIZE;
	return at > from + n ? n : at - from;
}

static size_t user_copy_nofault(void *dst, const void *src, size_t n)
{
	bool to_user = (char *)dst >= user && (char *)dst < user + USER_SIZE;

	n = reachable(to_user ? dst : src, n);
	memcpy(dst, src, n);
	return n;
}

static int user_fault_in(const void *addr, size_t n, bool write)
{
	size_t first = ((const char *)addr - user) / PAGE_SIZE;
	size_t last = ((const char *)addr - user + n - 1) / PAGE_SIZE;

	for (size_t i = first; i <= last; i++) {
		if (never[i])
			return i == first ? -EFAULT : 0;
		faults += !present[i];
		present[i] = true;
	}
	return 0;
}

static int clear_user(void *dst, size_t n)
{
	if (user_fault_in(dst, n, true))
		return -EFAULT;
	memset(dst, 0, n);
	return 0;
}

long refuse(int error, const char *why);
long refuse(int error, const char *why)
{
	return -error;
}

static bool user_range_ok(const void *addr, size_t n)
{
	return true;
}

#include "mm/vm/iter.c"

#define MAX_SEGMENTS 20
#define ROUNDS	     20000

static struct iovec segments[MAX_SEGMENTS];
static char flat[USER_SIZE], want[USER_SIZE], kernel[USER_SIZE];

/*
 * Makes segments that do not overlap, in ascending order, some of them empty. Returns their total
 * length.
 */
static size_t make_segments(unsigned int *nr)
{
	size_t at = 0, total = 0;

	*nr = 1 + random_u32() % MAX_SEGMENTS;
	for (unsigned int i = 0; i < *nr; i++) {
		size_t gap = random_u32() % 500, len = random_u32() % 4 ? random_u32() % 2500 : 0;

		segments[i].base = user + at + gap;
		segments[i].len = len;
		at += gap + len;
		total += len;
	}
	for (unsigned int i = 0; i < USER_SIZE / PAGE_SIZE; i++)
		present[i] = random_u32() % 2;
	return total;
}

static void gather(char *into, const struct iovec *iov, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		memcpy(into, iov[i].base, iov[i].len);
		into += iov[i].len;
	}
}

static bool import(struct iter *iter, unsigned int nr, struct iovec *fast, struct iovec **heap)
{
	return iter_import(iter, segments, nr, fast, heap) == 0;
}

/* Copies everything in random pieces, in both directions. */
static bool round_trip(bool to_user)
{
	struct iovec fast[IOV_FAST], *heap;
	struct iter iter;
	unsigned int nr;
	size_t total = make_segments(&nr), done = 0;
	bool good;

	for (size_t i = 0; i < total; i++)
		kernel[i] = random_u32();
	for (size_t i = 0; i < USER_SIZE; i++)
		user[i] = i * 7;
	gather(want, segments, nr);
	good = import(&iter, nr, fast, &heap) && iter.left == total;
	while (good && done < total) {
		size_t n = 1 + random_u32() % 3000, copied;

		copied = to_user ? iter_copy_to(&iter, kernel + done, n)
				 : iter_copy_from(&iter, flat + done, n);
		good = copied == MIN(n, total - done);
		done += copied;
		good = good && iter.left == total - done;
	}
	if (to_user)
		gather(flat, segments, nr);
	good = good && !memcmp(flat, to_user ? kernel : want, total);
	free(heap);
	return good;
}

/* If a page is not available, the copy and the iterator stop exactly there. */
static bool stops_at_a_bad_page(void)
{
	struct iovec fast[IOV_FAST], *heap;
	unsigned int bad = 1 + random_u32() % 4, nr;
	size_t total = make_segments(&nr), before = 0, copied;
	struct iter iter;
	bool good, hit = false;

	for (unsigned int i = 0; i < nr && !hit; i++) {
		size_t start = (char *)segments[i].base - user, limit = bad * PAGE_SIZE;

		hit = segments[i].len && start + segments[i].len > limit;
		if (hit && start >= limit + PAGE_SIZE)
			return true; /* no segment touches it */
		before += hit ? (start < limit ? limit - start : 0) : segments[i].len;
	}
	present[bad] = false;
	never[bad] = true;
	good = import(&iter, nr, fast, &heap);
	copied = iter_copy_to(&iter, kernel, total);
	never[bad] = false;
	free(heap);
	return good && copied == before && iter.left == total - before;
}

static bool zeroes(void)
{
	struct iovec fast[IOV_FAST], *heap;
	struct iter iter, saved;
	unsigned int nr;
	size_t total = make_segments(&nr), n = total / 2;
	bool good;

	memset(user, 1, USER_SIZE);
	good = import(&iter, nr, fast, &heap);
	saved = iter;
	good = good && iter_zero(&iter, n) == n;
	gather(flat, segments, nr);
	for (size_t i = 0; i < total; i++)
		good = good && flat[i] == (i >= n);
	iter = saved;
	good = good && iter.left == total && iter_copy_from(&iter, flat, total) == total;
	free(heap);
	return good;
}

static void start(void)
{
	user = malloc(USER_SIZE);
	must(user);
}

static bool often(bool (*check)(void))
{
	start();
	for (int i = 0; i < ROUNDS; i++)
		if (!check())
			return false;
	return true;
}

static bool to_user(void)
{
	return round_trip(true);
}
static bool from_user(void)
{
	return round_trip(false);
}

CASE(copy_to)
{
	ok(often(to_user) && faults > 0, "bytes arrive in random segments");
}

CASE(copy_from)
{
	ok(often(from_user) && faults > 0, "bytes come from random segments");
}

CASE(bad_page)
{
	ok(often(stops_at_a_bad_page), "a copy stops where the memory ends");
}

CASE(zero)
{
	ok(often(zeroes), "zeroing and going back");
}

CASE(limits)
{
	struct iovec fast[IOV_FAST], *heap = NULL;
	struct iter iter;

	start();
	ok(iter_import(&iter, segments, IOV_MAX + 1, fast, &heap) == -EINVAL && !heap,
	   "too many segments are refused");
	segments[0] = (struct iovec){ user, 0x80000000u };
	ok(iter_import(&iter, segments, 1, fast, &heap) == -EINVAL, "a negative length is refused");
	segments[0] = (struct iovec){ user, INT32_MAX };
	segments[1] = (struct iovec){ user, INT32_MAX };
	ok(iter_import(&iter, segments, 2, fast, &heap) == 0 &&
		   iter.left == (INT32_MAX & PAGE_MASK),
	   "the sum is cut to the maximum of one call");
	iter_init_kernel(&iter, user, 10);
	ok(iter_copy_to(&iter, "0123456789abc", 13) == 10 && !memcmp(user, "0123456789", 10) &&
		   iter.left == 0,
	   "copies of kernel memory stop at the end");
}
