/*
 * Iterators. They describe the memory to or from which a read or write copies: segments of user
 * memory, or kernel memory.
 */
#ifndef MM_VM_ITER_H
#define MM_VM_ITER_H

#include "lib/types.h"

struct iovec { /* in the layout of user programs */
	void __user *base;
	uint32_t len;
};

#define IOV_MAX 1024

enum iter_kind {
	ITER_USER,   /* one buffer */
	ITER_VECTOR, /* several, as `segment` says */
	ITER_KERNEL, /* kernel memory */
};

/* It may be copied. The copy is then advanced independently. */
struct iter {
	char __user *at; /* the next byte */
	size_t left;	 /* bytes left in all */
	enum iter_kind kind;
	bool nowait;		     /* RWF_NOWAIT, for files that obey it (fs/file/direct.h) */
	const struct iovec *segment; /* ITER_VECTOR: the one that `at` lies in */
};

/* The caller has checked the range with user_range_ok(). The copies do not check it again. */
static inline void iter_init_user(struct iter *iter, void __user *base, size_t len)
{
	iter->at = base;
	iter->left = len;
	iter->kind = ITER_USER;
	iter->nowait = false;
}

static inline void iter_init_kernel(struct iter *iter, void *base, size_t len)
{
	iter->at = base;
	iter->left = len;
	iter->kind = ITER_KERNEL;
	iter->nowait = false;
}

/* ---- mm/vm/iter.c ---- */

/*
 * Copy an iovec array from user memory, and check its lengths, whose sum must not exceed INT32_MAX.
 * The copy is in `fast` (IOV_FAST entries), or in *heap, which the caller has to kfree(). Returns
 * 0, -EINVAL, -EFAULT or -ENOMEM. May sleep.
 */
#define IOV_FAST 8
int iter_import(struct iter *iter, const struct iovec __user *iov, unsigned int nr,
		struct iovec fast[IOV_FAST], struct iovec **heap);

/*
 * Copy n bytes (at most iter->left) to or from the iterator, and advance it by the number of bytes
 * copied. Return that number. If it is less than n, the memory there cannot be accessed (-EFAULT).
 * May sleep.
 */
size_t iter_copy_to(struct iter *iter, const void *src, size_t n);
size_t iter_copy_from(struct iter *iter, void *dst, size_t n);
/*
 * The same, but without faulting pages in, and without sleeping. After a short copy, the caller
 * releases its locks, calls iter_fault_in(), and tries again.
 */
size_t iter_copy_to_nofault(struct iter *iter, const void *src, size_t n);
size_t iter_copy_from_nofault(struct iter *iter, void *dst, size_t n);
/* Like iter_copy_to(), but write n zeros. */
size_t iter_zero(struct iter *iter, size_t n);
/*
 * Make the next n bytes, but at most 64 KiB, present for reading (write == false) or writing. If
 * they lie in several segments, it is enough that the first one is valid. With `whole`, all must be
 * valid. Callers that cannot use a part pass `whole`, because they would try again for ever.
 * Returns 0 or -EFAULT. May sleep.
 */
int iter_fault_in(struct iter *iter, size_t n, bool whole, bool write);
/* Skip n bytes (at most iter->left). */
void iter_advance(struct iter *iter, size_t n);
/* Undo an advance of n bytes. */
void iter_rewind(struct iter *iter, size_t n);
/*
 * Returns the number of contiguous bytes from iter->at on. Moves on to the next segment if the
 * current one is used up.
 */
size_t iter_piece(struct iter *iter);

#endif
