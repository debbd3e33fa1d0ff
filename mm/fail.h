/* Fault injection: allocations that fail although there is memory. */
#ifndef MM_FAIL_H
#define MM_FAIL_H

#include "kernel/atomic.h"

/* The nth allocation from now on fails. 0: none does. /proc/sys/vm/fail_nth and fail_nth_any */
extern struct atomic page_fail_nth;
/* Only the allocations of this task count, and not those of interrupts; or 0: all of them do. */
extern unsigned int page_fail_tid;
/* Count an allocation, while page_fail_nth is not 0. Returns true if it has to fail. */
bool page_fail_count(void);
/* For allocators: returns true if this allocation has to fail. */
static inline bool page_fail_now(void)
{
	return unlikely(atomic_read(&page_fail_nth) > 0) && page_fail_count();
}

#endif
