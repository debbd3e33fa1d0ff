/*
 * The order of locks, watched: the debug build only. In the other one everything here is empty.
 *
 * 1. A class is all locks whose initialiser gave them one name; a spinlock and a mutex of one name
 *    are two classes. An edge from A to B says that somebody waited for a B while he held an A.
 * 2. The first edge that closes a circle is a panic ("lock order: ..."): before it the log has the
 *    stack of everyone who drew the other edges, and the panic's own backtrace is the stack now.
 *    Nothing needs to hang for it, and no second CPU: that both orders were seen is enough.
 * 3. Two locks of one class may not be held at once, but for the classes in `ordered`
 *    (kernel/lockorder.c), whose order stands where the code documents it.
 * 4. To wait for a mutex under a spinlock is a panic too.
 * 5. An interrupt's locks count as taken under the spinlocks of what it interrupted: it may come
 *    there again, wherever they are held with interrupts on.
 */
#ifndef KERNEL_LOCKORDER_H
#define KERNEL_LOCKORDER_H

#include "lib/types.h"

enum lock_kind { LOCK_SPIN, LOCK_MUTEX };

#if DEBUG

/* What a CPU (spinlocks) or a task (mutexes) holds. */
struct lock_holds {
	unsigned int nr;
	struct {
		const void *lock;
		unsigned int class;
	} held[16];
};

/* The caller is about to wait for a lock. Never sleeps; from interrupts too, as the next two. */
void lock_wanted(const char *name, enum lock_kind kind);
/* It has the lock: between the two, nothing is held yet. */
void lock_taken(const void *lock, const char *name, enum lock_kind kind);
/* It is about to give the lock back; in any order. */
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
