/* The slow paths of spinlocks. See kernel/spinlock.h for the contract. */
#include "kernel/spinlock.h"
#include "kernel/atomic.h"

void spin_contended(spinlock_t *lock)
{
	struct cpu *cpu = this_cpu();

	if (lock->owner == cpu)
		panic("spinlock %s: taken twice by CPU %u", lock->name, cpu->id);
	do {
		while (lock->owner)
			cpu_relax();
	} while (!__sync_bool_compare_and_swap(&lock->owner, NULL, cpu));
}

void spin_bad_unlock(spinlock_t *lock)
{
	panic("spinlock %s: released by CPU %u, which does not hold it", lock->name,
	      this_cpu()->id);
}
