/*
 * In place of kernel/spinlock.h: the engine knows who holds a lock and who waits for it, so nobody
 * spins.
 */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include "lib/types.h"
#include "kernel/cpu/cpu.h"
#include "kernel/lockorder.h"

typedef struct spinlock {
	struct cpu *volatile owner; /* as tests/explore/engine.h has it */
	const char *name;
} spinlock_t;

#define SPINLOCK_INIT(n) \
	{                \
		NULL, n  \
	}
#define spin_init(lock, n)		    ((lock)->owner = NULL, (lock)->name = (n))
#define spin_held			    ex_spin_held
#define lockdep_held(lock)		    assert(spin_held(lock))
#define spin_lock			    ex_spin_lock
#define spin_trylock			    ex_spin_trylock
#define spin_unlock			    ex_spin_unlock

#define spin_lock_irqsave(lock)		    (ex_spin_lock(lock), 0u)
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), ex_spin_unlock(lock))

#endif
