/*
 * Spinlocks, for critical sections of a few lines that never sleep.
 *
 * 1. A lock holds a pointer to the CPU that has taken it. Taking it twice, or releasing a lock that
 *    the CPU does not hold, is a panic that names the lock.
 * 2. If an interrupt handler takes a lock, everybody takes it with the _irqsave functions. All
 *    other locks are taken with the plain functions. Those need not do more, because kernel code is
 *    not preempted.
 * 3. A CPU that waits for a plain lock has interrupts on (unless its caller turned them off), so it
 *    still answers TLB shootdowns. Code that waits for a shootdown may therefore hold plain locks,
 *    but no irqsave locks.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include "lib/types.h"
#include "kernel/cpu/cpu.h"
#include "kernel/lockorder.h"

typedef struct spinlock {
	struct cpu *volatile owner; /* NULL: free. Taken by compare-and-swap. */
	const char *name;
} spinlock_t;

#define SPINLOCK_INIT(n) \
	{                \
		NULL, n  \
	}

static inline void spin_init(spinlock_t *lock, const char *name)
{
	lock->owner = NULL;
	lock->name = name;
}

/*
 * The slow paths of spin_lock() and spin_unlock(). The first panics if this CPU has the lock
 * already.
 */
void spin_contended(spinlock_t *lock);
void spin_bad_unlock(spinlock_t *lock) __noreturn;

/*
 * Returns true if this CPU holds the lock. The read need not be volatile, because no other CPU can
 * change the answer.
 */
static inline bool spin_held(spinlock_t *lock)
{
	return *(struct cpu *const *)&lock->owner == this_cpu();
}

#define lockdep_held(lock) assert(spin_held(lock))

/* Take the lock. Spins while another CPU holds it. */
static inline void spin_lock(spinlock_t *lock)
{
	lock_wanted(lock->name, LOCK_SPIN);
	if (unlikely(!__sync_bool_compare_and_swap(&lock->owner, NULL, this_cpu())))
		spin_contended(lock);
	lock_taken(lock, lock->name, LOCK_SPIN);
}

/* Take the lock if it is free, and return true. */
static inline bool spin_trylock(spinlock_t *lock)
{
	if (!__sync_bool_compare_and_swap(&lock->owner, NULL, this_cpu()))
		return false;
	lock_taken(lock, lock->name, LOCK_SPIN);
	return true;
}

static inline void spin_unlock(spinlock_t *lock)
{
	if (unlikely(!spin_held(lock)))
		spin_bad_unlock(lock);
	lock_given(lock, LOCK_SPIN);
	__sync_lock_release(&lock->owner);
}

/* Turn interrupts off and take the lock. Returns the flags for spin_unlock_irqrestore(). */
static inline unsigned int spin_lock_irqsave(spinlock_t *lock)
{
	unsigned int flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned int flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}

#endif
