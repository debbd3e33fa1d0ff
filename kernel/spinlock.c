#include "kernel/spinlock.h"
#include "kernel/atomic.h"

void spin_contended(spinlock_t *lock)
{
	if (lock->held && lock->owner == this_cpu())
		panic("spinlock %s: taken twice by CPU %u", lock->name, this_cpu()->id);
	do {
		while (lock->held)
			cpu_relax();
	} while (__sync_lock_test_and_set(&lock->held, 1));
}

void spin_bad_unlock(spinlock_t *lock)
{
	panic("spinlock %s: given back by CPU %u, which does not hold it", lock->name,
	      this_cpu()->id);
}
