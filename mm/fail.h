/* Fault injection: allocations that fail although there is memory. */
#ifndef MM_FAIL_H
#define MM_FAIL_H

#include "kernel/atomic.h"

/*
 * The nth allocation from now on fails. 0 switches it off. /proc/sys/vm/fail_nth
 */
extern struct atomic page_fail_nth;
/* For allocators: returns true if this allocation has to fail. */
static inline bool page_fail_now(void)
{
	return unlikely(atomic_read(&page_fail_nth) > 0) && atomic_dec_and_test(&page_fail_nth);
}

#endif
