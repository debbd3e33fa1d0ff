/*
 * Mutexes: for sections that may sleep. Held by one task, given back by the same one; not
 * recursive. Never taken from interrupts.
 */
#ifndef KERNEL_MUTEX_H
#define KERNEL_MUTEX_H

#include "kernel/atomic.h"
#include "kernel/wait.h"

struct mutex {
	struct task *volatile owner;	 /* NULL: free; the compare-and-swap takes it */
	volatile unsigned int contended; /* somebody may be on the queue */
	struct wait_queue queue;
};

#define MUTEX_INIT(name)                               \
	{                                              \
		NULL, 0, WAIT_QUEUE_INIT((name).queue) \
	}
void mutex_init(struct mutex *mutex, const char *name);

void mutex_lock_slow(struct mutex *mutex);
int mutex_lock_killable_slow(struct mutex *mutex);
void mutex_unlock_slow(struct mutex *mutex);
void mutex_bad_unlock(struct mutex *mutex) __noreturn;

/* Take it if it is free; the watch on the order of locks does not see it. */
static inline bool mutex_trylock(struct mutex *mutex)
{
	return __sync_bool_compare_and_swap(&mutex->owner, NULL, current);
}

/* The debug build watches the order of locks. */
static inline void mutex_wanted(struct mutex *mutex)
{
	lock_wanted(mutex->queue.lock.name, LOCK_MUTEX);
}
static inline void mutex_taken(struct mutex *mutex)
{
	lock_taken(mutex, mutex->queue.lock.name, LOCK_MUTEX);
}

/* Take it; sleeps uninterruptibly. */
static inline void mutex_lock(struct mutex *mutex)
{
	mutex_wanted(mutex);
	if (unlikely(!mutex_trylock(mutex)))
		mutex_lock_slow(mutex);
	mutex_taken(mutex);
}

/* Take it: 0, or -ERESTARTSYS if a kill came while it waited. */
static inline int mutex_lock_killable(struct mutex *mutex)
{
	int error = 0;

	mutex_wanted(mutex);
	if (unlikely(!mutex_trylock(mutex)))
		error = mutex_lock_killable_slow(mutex);
	if (!error)
		mutex_taken(mutex);
	return error;
}

static inline bool mutex_held(struct mutex *mutex)
{
	return mutex->owner == current;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	lock_given(mutex, LOCK_MUTEX);
	/*
	 * A full barrier, so that `contended` is read after the mutex is free: see mutex_lock_slow.
	 */
	if (unlikely(!__sync_bool_compare_and_swap(&mutex->owner, current, NULL)))
		mutex_bad_unlock(mutex);
	if (unlikely(mutex->contended))
		mutex_unlock_slow(mutex);
}

#endif
