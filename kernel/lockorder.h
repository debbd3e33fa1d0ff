/*
 * The lock order checker. It finds code that could deadlock. Only the debug build has it; in the
 * release build all functions here are empty.
 *
 * 1. All locks that were initialised with the same name form a class. A spinlock and a mutex of the
 *    same name belong to two classes. An edge from A to B means that some code waited for a B while
 *    it held an A.
 * 2. The first edge that closes a circle is a panic ("lock order: ..."). The log then has the
 *    stacks that made the other edges, and the panic's backtrace shows the code that made the last
 *    one. Neither a deadlock nor a second CPU is needed. It is enough that both orders have been
 *    seen.
 * 3. A task may not hold two locks of one class. The exceptions are the classes in `ordered`
 *    (kernel/lockorder.c), which have an order of their own.
 * 4. Waiting for a mutex under a spinlock is a panic, too.
 * 5. Locks that an interrupt takes count as taken under the spinlocks that the interrupted code
 *    holds. The interrupt may come there again whenever those are held with interrupts on.
 */
#ifndef KERNEL_LOCKORDER_H
#define KERNEL_LOCKORDER_H

#include "lib/types.h"

enum lock_kind { LOCK_SPIN, LOCK_MUTEX };

#if DEBUG

/* The spinlocks that a CPU holds, or the mutexes that a task holds. */
struct lock_holds {
	unsigned int nr;
	struct {
		const void *lock;
		unsigned int class;
	} held[16];
};

/*
 * The lock functions call these: lock_wanted() before they wait for a lock, lock_taken() when they
 * have it, and lock_given() before they release it. Locks may be released in any order. None of the
 * three sleeps, and all may be called in an interrupt.
 */
void lock_wanted(const char *name, enum lock_kind kind);
void lock_taken(const void *lock, const char *name, enum lock_kind kind);
void lock_given(const void *lock, enum lock_kind kind);

#else

struct lock_holds {
};

static inline void lock_wanted(const char *name, enum lock_kind kind)
{
}
static inline void lock_taken(const void *lock, const char *name, enum lock_kind kind)
{
}
static inline void lock_given(const void *lock, enum lock_kind kind)
{
}

#endif

#endif
