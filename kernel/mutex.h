/*
 * Mutexes, for critical sections that may sleep.
 *
 * 1. The task that takes a mutex must also release it. Mutexes are not recursive.
 * 2. They must not be taken in an interrupt or under a spinlock.
 * 3. Taking a mutex twice, or releasing one that the task does not hold, is a panic that names it.
 */
#ifndef KERNEL_MUTEX_H
#define KERNEL_MUTEX_H

#include "kernel/atomic.h"
#include "kernel/wait.h"

struct mutex {
	struct task *volatile owner; /* NULL: free. Taken by compare-and-swap. */
	struct wait_queue queue;
};

#define MUTEX_INIT(name)                            \
	{                                           \
		NULL, WAIT_QUEUE_INIT((name).queue) \
	}
void mutex_init(struct mutex *mutex, const char *name);

void mutex_lock_slow(struct mutex *mutex);
int mutex_lock_killable_slow(struct mutex *mutex);
void mutex_bad_unlock(struct mutex *mutex) __noreturn;

/*
 * Take the mutex if it is free, and return true. Never sleeps. The lock order checker does not see
 * it. Only for the functions below and in wait.c.
 */
static inline bool mutex_trylock(struct mutex *mutex)
{
	return __sync_bool_compare_and_swap(&mutex->owner, NULL, current);
}

/* Tell the lock order checker of the debug build (kernel/lockorder.h). */
static inline void mutex_wanted(struct mutex *mutex)
{
	lock_wanted(mutex->queue.lock.name, LOCK_MUTEX);
}
static inline void mutex_taken(struct mutex *mutex)
{
	lock_taken(mutex, mutex->queue.lock.name, LOCK_MUTEX);
}

/* Take the mutex. May sleep; signals do not interrupt it. */
static inline void mutex_lock(struct mutex *mutex)
{
	mutex_wanted(mutex);
	if (unlikely(!mutex_trylock(mutex)))
		mutex_lock_slow(mutex);
	mutex_taken(mutex);
}

/*
 * Take the mutex, or give up if the task is killed while it waits. May sleep. Returns 0, or
 * -ERESTARTSYS if the mutex was not taken.
 */
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

/* Returns true if the current task holds the mutex. */
static inline bool mutex_held(struct mutex *mutex)
{
	return mutex->owner == current;
}

/* Release the mutex, and wake the first task that waits for it. Never sleeps. */
static inline void mutex_unlock(struct mutex *mutex)
{
	lock_given(mutex, LOCK_MUTEX);
	/*
	 * A full barrier: the queue is looked at after the mutex is free. See lock_slow() in
	 * wait.c.
	 */
	if (unlikely(!__sync_bool_compare_and_swap(&mutex->owner, current, NULL)))
		mutex_bad_unlock(mutex);
	if (unlikely(!list_empty_unlocked(&mutex->queue.waiters)))
		wake_one(&mutex->queue);
}

#endif
