/* Fault injection: whose allocations fail. */
#include "mm/fail.h"
#include "kernel/task.h"

struct atomic page_fail_nth;
unsigned int page_fail_tid;

bool page_fail_count(void)
{
	unsigned int tid = READ_ONCE(page_fail_tid);

	if (tid && (this_cpu()->irq_depth || current->tid != tid))
		return false;
	return atomic_dec_and_test(&page_fail_nth);
}
