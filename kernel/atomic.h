/*
 * Atomic integers and bit operations. Every read-modify-write is a full memory barrier, because it
 * uses the x86 prefix `lock`.
 */
#ifndef KERNEL_ATOMIC_H
#define KERNEL_ATOMIC_H

#include "lib/types.h"

struct atomic {
	volatile int value;
};

#define ATOMIC_INIT(n) \
	{              \
		(n)    \
	}

static inline int atomic_read(const struct atomic *a)
{
	return a->value;
}
static inline void atomic_set(struct atomic *a, int n)
{
	a->value = n;
}
static inline void atomic_inc(struct atomic *a)
{
	asm volatile("lock incl %0" : "+m"(a->value) : : "memory");
}
/*
 * Add one. Returns true if the result is positive or zero, and false if the counter has overflowed.
 */
static inline bool atomic_inc_positive(struct atomic *a)
{
	bool positive;

	asm volatile("lock incl %0" : "+m"(a->value), "=@ccns"(positive) : : "memory");
	return positive;
}
static inline void atomic_dec(struct atomic *a)
{
	__sync_fetch_and_sub(&a->value, 1);
}
static inline void atomic_add(struct atomic *a, int n)
{
	__sync_fetch_and_add(&a->value, n);
}
/* Add n, and return the new value. */
static inline int atomic_add_return(struct atomic *a, int n)
{
	return __sync_add_and_fetch(&a->value, n);
}
/* Subtract one. Returns true if the result is zero or negative. */
static inline bool atomic_dec_to_zero(struct atomic *a)
{
	bool gone;

	asm volatile("lock decl %0" : "+m"(a->value), "=@ccle"(gone) : : "memory");
	return gone;
}
/* Subtract one. Returns true if the result is zero. */
static inline bool atomic_dec_and_test(struct atomic *a)
{
	return __sync_sub_and_fetch(&a->value, 1) == 0;
}
/* Add one unless the counter is zero. Returns false if it was zero, and then changes nothing. */
static inline bool atomic_inc_not_zero(struct atomic *a)
{
	int old = a->value;

	while (old != 0) {
		int seen = __sync_val_compare_and_swap(&a->value, old, old + 1);
		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

/* Subtract one unless the counter is one. Returns false if it was one, and then changes nothing. */
static inline bool atomic_dec_not_one(struct atomic *a)
{
	int old = a->value;

	while (old != 1) {
		int seen = __sync_val_compare_and_swap(&a->value, old, old - 1);
		if (seen == old)
			return true;
		old = seen;
	}
	return false;
}

static inline void set_bits(unsigned int *word, unsigned int bits)
{
	__sync_fetch_and_or(word, bits);
}
static inline void clear_bits(unsigned int *word, unsigned int bits)
{
	__sync_fetch_and_and(word, ~bits);
}
/* Set the bits. Returns true if all of them were clear before. */
static inline bool test_and_set_bits(unsigned int *word, unsigned int bits)
{
	return (__sync_fetch_and_or(word, bits) & bits) == 0;
}

#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))
/* Of a pointer: what follows the load, and what comes before the store, is not moved across it. */
#define load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define barrier()	    __asm__ volatile("" ::: "memory")
#define memory_barrier()    __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define cpu_relax()	    __asm__ volatile("pause" ::: "memory")

#endif
