/*
 * Iterators. See fs/iter.h.
 *
 * 1. The plain copies are made of the _nofault ones: those know how many bytes arrived, so a copy
 *    that fails in the middle is exact, and the iterator stands where the bytes end.
 * 2. Segments of length 0 are passed over.
 */
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "fs/iter.h"

#define FAULT_IN_MAX (64u << 10)

int iter_import(struct iter *iter, const struct iovec __user *iov, unsigned int nr,
		struct iovec fast[IOV_FAST], struct iovec **heap)
{
	struct iovec *segments = fast;
	size_t left = INT32_MAX & PAGE_MASK; /* what one call moves at most */
	size_t total = 0;

	*heap = NULL;
	if (nr > IOV_MAX)
		return refuse(EINVAL, "more than IOV_MAX pieces");
	if (nr > IOV_FAST) {
		segments = *heap = kmalloc(nr * sizeof(*segments), 0);
		if (!segments)
			return -ENOMEM;
	}
	if (copy_from_user(segments, iov, nr * sizeof(*segments)))
		return -EFAULT;
	for (unsigned int i = 0; i < nr; i++) {
		struct iovec *segment = &segments[i];

		if (segment->len > INT32_MAX)
			return refuse(EINVAL, "a length that is negative as a ssize_t");
		if (!user_range_ok(segment->base, segment->len))
			return -EFAULT;
		segment->len = MIN(segment->len, left - total);
		total += segment->len;
	}
	iter->segment = segments;
	iter->nr = nr;
	iter->offset = 0;
	iter->left = total;
	iter->kernel = false;
	return 0;
}

void iter_advance(struct iter *iter, size_t n)
{
	iter->left -= n;
	iter->offset += n;
	while (iter->nr > 1 && iter->offset >= iter->segment->len) {
		iter->offset -= iter->segment->len;
		iter->segment++;
		iter->nr--;
	}
}

/* The next piece: where it is, and its length (at most n). */
static void __user *iter_piece(struct iter *iter, size_t n, size_t *len)
{
	iter_advance(iter, 0);
	*len = MIN(n, iter->segment->len - iter->offset);
	return (char __user *)iter->segment->base + iter->offset;
}

/* The usual copy: user memory, and all of it in the current segment. */
static inline bool is_short(const struct iter *iter, size_t n)
{
	return likely(!iter->kernel && n <= iter->segment->len - iter->offset);
}

/* Several segments, or kernel memory. Apart, so that the way of a short copy saves no registers. */
static __attribute__((noinline)) size_t copy_to_segments(struct iter *iter, const void *src,
							 size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t len;
		void __user *dst = iter_piece(iter, n - done, &len);
		size_t copied = len;

		if (iter->kernel)
			memcpy(dst, src + done, len);
		else
			copied = copy_to_user_nofault(dst, src + done, len);
		iter_advance(iter, copied);
		done += copied;
		if (copied < len)
			break;
	}
	return done;
}

size_t iter_copy_to_nofault(struct iter *iter, const void *src, size_t n)
{
	size_t done;

	n = MIN(n, iter->left);
	if (is_short(iter, n)) {
		void __user *to = iter->segment->base + iter->offset;

		done = user_copy_nofault(to, src, to, n);
		iter->offset += done;
		iter->left -= done;
		return done;
	}
	return copy_to_segments(iter, src, n);
}

static __attribute__((noinline)) size_t copy_from_segments(struct iter *iter, void *dst, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t len;
		const void __user *src = iter_piece(iter, n - done, &len);
		size_t copied = len;

		if (iter->kernel)
			memcpy(dst + done, src, len);
		else
			copied = copy_from_user_nofault(dst + done, src, len);
		iter_advance(iter, copied);
		done += copied;
		if (copied < len)
			break;
	}
	return done;
}

size_t iter_copy_from_nofault(struct iter *iter, void *dst, size_t n)
{
	size_t done;

	n = MIN(n, iter->left);
	if (is_short(iter, n)) {
		const void __user *from = iter->segment->base + iter->offset;

		done = user_copy_nofault(dst, from, from, n);
		iter->offset += done;
		iter->left -= done;
		return done;
	}
	return copy_from_segments(iter, dst, n);
}

size_t iter_copy_to(struct iter *iter, const void *src, size_t n)
{
	size_t done = 0;

	n = MIN(n, iter->left);
	for (;;) {
		done += iter_copy_to_nofault(iter, src + done, n - done);
		if (done == n || iter_fault_in(iter, n - done, false, true))
			return done;
	}
}

size_t iter_copy_from(struct iter *iter, void *dst, size_t n)
{
	size_t done = 0;

	n = MIN(n, iter->left);
	for (;;) {
		done += iter_copy_from_nofault(iter, dst + done, n - done);
		if (done == n || iter_fault_in(iter, n - done, false, false))
			return done;
	}
}

size_t iter_zero(struct iter *iter, size_t n)
{
	size_t done = 0;

	n = MIN(n, iter->left);
	while (done < n) {
		size_t len;
		char __user *dst = iter_piece(iter, n - done, &len);

		/* A page at a time: it is there as a whole or not at all. */
		len = MIN(len, PAGE_SIZE - ((uintptr_t)dst & (PAGE_SIZE - 1)));
		if (iter->kernel)
			memset(dst, 0, len);
		else if (clear_user(dst, len))
			break;
		iter_advance(iter, len);
		done += len;
	}
	return done;
}

int iter_fault_in(struct iter *iter, size_t n, bool whole, bool write)
{
	const struct iovec *segment;
	size_t offset;

	if (iter->kernel || iter->left == 0)
		return 0;
	iter_advance(iter, 0);
	segment = iter->segment;
	offset = iter->offset;
	n = MIN(MIN(n, iter->left), FAULT_IN_MAX);
	while (n > 0) {
		size_t len = MIN(n, segment->len - offset);
		int error = len ? user_fault_in(segment->base + offset, len, write) : 0;

		if (error)
			return whole || segment == iter->segment ? error : 0;
		n -= len;
		offset = 0;
		segment++;
	}
	return 0;
}
