/*
 * Spinlocks, for sections of a few lines that never sleep.
 *
 * 1. A lock is the CPU that holds it: taking it twice, or giving back what one does not hold, is a
 *    panic that names the lock.
 * 2. A lock that an interrupt handler takes is taken with the _irqsave forms everywhere; one that
 *    no handler takes, with the plain forms. Kernel code is not preempted, so the plain forms do
 *    nothing else.
 * 3. A CPU that spins in a plain form has interrupts on (unless its caller turned them off) and so
 *    still answers TLB shootdowns. Whoever waits for a shootdown may hold plain locks, no irqsave
 *    ones.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include "lib/types.h"
#include "kernel/cpu/cpu.h"
#include "kernel/lockorder.h"

typedef struct spinlock {
	struct cpu *volatile owner; /* NULL: free; the compare-and-swap takes it */
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

/* The slow half of spin_lock: panics on recursion, else waits. */
void spin_contended(spinlock_t *lock);
void spin_bad_unlock(spinlock_t *lock) __noreturn;

/* Not a volatile read: nobody else makes us the owner, or takes that away. */
static inline bool spin_held(spinlock_t *lock)
{
	return *(struct cpu *const *)&lock->owner == this_cpu();
}

#define lockdep_held(lock) assert(spin_held(lock))

static inline void spin_lock(spinlock_t *lock)
{
	lock_wanted(lock->name, LOCK_SPIN);
	if (unlikely(!__sync_bool_compare_and_swap(&lock->owner, NULL, this_cpu())))
		spin_contended(lock);
	lock_taken(lock, lock->name, LOCK_SPIN);
}

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

/* Turns interrupts off first; returns the flags for spin_unlock_irqrestore. */
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
