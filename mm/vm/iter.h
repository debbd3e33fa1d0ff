/*
 * Iterators: where the bytes of a read or write go to or come from: user segments, or kernel
 * memory.
 */
#ifndef MM_VM_ITER_H
#define MM_VM_ITER_H

#include "lib/types.h"

struct iovec { /* as user programs pass it */
	void __user *base;
	uint32_t len;
};

#define IOV_MAX 1024

enum iter_kind {
	ITER_USER,   /* one buffer */
	ITER_VECTOR, /* several, as `segment` says */
	ITER_KERNEL, /* kernel memory */
};

/* A copy of it is an iterator of its own. */
struct iter {
	char __user *at; /* the next byte */
	size_t left;	 /* bytes left in all */
	enum iter_kind kind;
	const struct iovec *segment; /* ITER_VECTOR: the one that `at` lies in */
};

/* The range has been checked (user_range_ok): the copies do not look again. */
static inline void iter_init_user(struct iter *iter, void __user *base, size_t len)
{
	iter->at = base;
	iter->left = len;
	iter->kind = ITER_USER;
}

static inline void iter_init_kernel(struct iter *iter, void *base, size_t len)
{
	iter->at = base;
	iter->left = len;
	iter->kind = ITER_KERNEL;
}

/* ---- mm/vm/iter.c ---- */

/*
 * Copy an iovec array from user memory into `fast` (IOV_FAST entries) or memory of its own (*heap:
 * to be kfree'd), check its lengths (sum <= INT32_MAX). 0, -EINVAL, -EFAULT, -ENOMEM.
 */
#define IOV_FAST 8
int iter_import(struct iter *iter, const struct iovec __user *iov, unsigned int nr,
		struct iovec fast[IOV_FAST], struct iovec **heap);

/*
 * Copy n bytes (at most iter->left) to / from the iterator and advance it by what was copied: that
 * count is returned. These may sleep; short means -EFAULT at this place.
 */
size_t iter_copy_to(struct iter *iter, const void *src, size_t n);
size_t iter_copy_from(struct iter *iter, void *dst, size_t n);
/* The same without faulting pages in: short means: let go of locks, iter_fault_in(), try again. */
size_t iter_copy_to_nofault(struct iter *iter, const void *src, size_t n);
size_t iter_copy_from_nofault(struct iter *iter, void *dst, size_t n);
size_t iter_zero(struct iter *iter, size_t n);
/*
 * Make the next n bytes (at most 64 KiB of them) present, for reading from (write == false) or
 * writing to. Of several pieces only the first one must be there, unless the caller can do nothing
 * with less than the whole: it would come back for ever. 0, -EFAULT.
 */
int iter_fault_in(struct iter *iter, size_t n, bool whole, bool write);
void iter_advance(struct iter *iter, size_t n);
/* Undo an advance of n bytes. */
void iter_rewind(struct iter *iter, size_t n);
/* The next bytes that lie in one piece, from iter->at on: how many. Passes segments that are used up. */
size_t iter_piece(struct iter *iter);

#endif
