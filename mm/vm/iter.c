/*
 * Iterators. See mm/vm/iter.h.
 *
 * 1. The plain copies consist of _nofault copies, which return exactly how many bytes they have
 *    copied. So after a copy that fails in the middle, the iterator is right behind the last byte
 *    copied.
 * 2. Segments of length 0 are skipped.
 */
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/usercopy.h"
#include "mm/vm/iter.h"

#define FAULT_IN_MAX (64u << 10)

int iter_import(struct iter *iter, const struct iovec __user *iov, unsigned int nr,
		struct iovec fast[IOV_FAST], struct iovec **heap)
{
	struct iovec *segments = fast;
	size_t left = INT32_MAX & PAGE_MASK; /* most bytes that one call moves */
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
	iter->at = nr > 0 ? segments->base : NULL;
	iter->left = total;
	iter->kind = ITER_VECTOR;
	iter->nowait = false;
	iter->segment = segments;
	return 0;
}

size_t iter_piece(struct iter *iter)
{
	const struct iovec *segment = iter->segment;

	if (iter->kind != ITER_VECTOR || iter->left == 0)
		return iter->left;
	while (iter->at == segment->base + segment->len) {
		segment = ++iter->segment;
		iter->at = segment->base;
	}
	return (char *)segment->base + segment->len - iter->at;
}

void iter_advance(struct iter *iter, size_t n)
{
	while (n > 0) {
		size_t piece = MIN(iter_piece(iter), n);

		iter->at += piece;
		iter->left -= piece;
		n -= piece;
	}
}

void iter_rewind(struct iter *iter, size_t n)
{
	iter->left += n;
	while (iter->kind == ITER_VECTOR && n > iter->at - (char *)iter->segment->base) {
		n -= iter->at - (char *)iter->segment->base;
		iter->segment--;
		iter->at = (char *)iter->segment->base + iter->segment->len;
	}
	iter->at -= n;
}

/*
 * Copy to or from several segments, or kernel memory. Not inlined, so that the common case of a
 * single buffer saves no registers.
 */
static __noinline size_t copy_pieces(struct iter *iter, void *memory, size_t n, bool to_iter)
{
	size_t done = 0, piece, copied;

	do {
		void *dst, *src;

		piece = MIN(iter_piece(iter), n - done);
		dst = to_iter ? iter->at : memory + done;
		src = to_iter ? memory + done : iter->at;
		copied = piece;
		if (iter->kind == ITER_KERNEL)
			memcpy(dst, src, piece);
		else
			copied = user_copy_nofault(dst, src, piece);
		iter->at += copied;
		iter->left -= copied;
		done += copied;
	} while (done < n && copied == piece);
	return done;
}

size_t iter_copy_to_nofault(struct iter *iter, const void *src, size_t n)
{
	size_t done;

	if (unlikely(iter->kind != ITER_USER))
		return copy_pieces(iter, (void *)src, n, true);
	done = user_copy_nofault(iter->at, src, n);
	iter->at += done;
	iter->left -= done;
	return done;
}

size_t iter_copy_from_nofault(struct iter *iter, void *dst, size_t n)
{
	size_t done;

	if (unlikely(iter->kind != ITER_USER))
		return copy_pieces(iter, dst, n, false);
	done = user_copy_nofault(dst, iter->at, n);
	iter->at += done;
	iter->left -= done;
	return done;
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
		/* Fault in one page at a time. */
		size_t piece = MIN(iter_piece(iter), n - done);

		piece = MIN(piece, PAGE_SIZE - ((uintptr_t)iter->at & (PAGE_SIZE - 1)));
		if (iter->kind == ITER_KERNEL)
			memset(iter->at, 0, piece);
		else if (clear_user(iter->at, piece))
			break;
		iter_advance(iter, piece);
		done += piece;
	}
	return done;
}

int iter_fault_in(struct iter *iter, size_t n, bool whole, bool write)
{
	struct iter ahead = *iter;

	if (iter->kind == ITER_KERNEL)
		return 0;
	n = MIN(MIN(n, iter->left), FAULT_IN_MAX);
	while (n > 0) {
		size_t piece = MIN(iter_piece(&ahead), n);
		int error = user_fault_in(ahead.at, piece, write);

		if (error)
			return whole || ahead.left == iter->left ? error : 0;
		iter_advance(&ahead, piece);
		n -= piece;
	}
	return 0;
}
