/*
 * kernel/atomic.h, but for the functions that are written in assembly: the compiler does not tell
 * the explorer what those touch.
 */
#ifndef EXPLORE_ATOMIC_H
#define EXPLORE_ATOMIC_H

#include "explore.h"

#define atomic_inc	    atomic_inc_by_assembly
#define atomic_inc_positive atomic_inc_positive_by_assembly
#define atomic_dec_to_zero  atomic_dec_to_zero_by_assembly
#include_next "kernel/atomic.h"
#undef atomic_inc
#undef atomic_inc_positive
#undef atomic_dec_to_zero
#undef cpu_relax
#define cpu_relax() ex_relax()

static inline void atomic_inc(struct atomic *a)
{
	__sync_fetch_and_add(&a->value, 1);
}
static inline bool atomic_inc_positive(struct atomic *a)
{
	return __sync_add_and_fetch(&a->value, 1) >= 0;
}
static inline bool atomic_dec_to_zero(struct atomic *a)
{
	return __sync_sub_and_fetch(&a->value, 1) <= 0;
}

#endif
