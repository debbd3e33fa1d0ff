/*
 * Spinlocks: the search knows which are free, so nobody spins. Taking one is always a point.
 */
#include <stdlib.h>
#include "engine.h"

#define MAX_LOCKS 31

static struct spinlock *locks[MAX_LOCKS];
static int nr_locks;

/*
 * A bit for the lock; 0 for those beyond the 31st, which then protect nothing from being visible.
 */
static uint32_t lock_bit(struct spinlock *lock)
{
	int i;

	for (i = 0; i < nr_locks && locks[i] != lock; i++)
		;
	if (i == MAX_LOCKS)
		return 0;
	if (i == nr_locks)
		locks[nr_locks++] = lock;
	return 1u << i;
}

bool lock_is_free(const void *lock)
{
	return !((const struct spinlock *)lock)->owner;
}

const char *lock_name(const void *lock)
{
	return ((const struct spinlock *)lock)->name;
}

static void *me(void)
{
	return &coroutines[running];
}

bool ex_spin_held(struct spinlock *lock)
{
	return running < 0 || lock->owner == me();
}

void ex_spin_lock(struct spinlock *lock)
{
	struct coroutine *c = &coroutines[running];
	struct word *word = word_of((uint32_t)&lock->owner);
	uint32_t pc = CALLER;

	word_changes(word);
	if (!exploring || running < 0)
		return;
	finish_access();
	if (forbidden((uint32_t)lock))
		ex_fail("a spinlock is taken in memory that was freed");
	delayed_drain();
	if (lock->owner == me())
		ex_fail("spinlock %s: taken twice", lock->name);
	c->status = WANTS_LOCK;
	c->waits_for = lock;
	c->steps++;
	coroutine_yield();
	c->status = READY;
	c->waits_for = NULL;
	lock->owner = me();
	c->held |= lock_bit(lock);
	clocks_acquire(word);
	note_event(EV_LOCK, (uint32_t)lock, 0, pc);
	events[nr_events - 1].text = lock->name;
}

bool ex_spin_trylock(struct spinlock *lock)
{
	if (exploring && running >= 0) {
		finish_access();
		delayed_drain();
		point(true);
		if (lock->owner)
			return false;
	}
	ex_spin_lock(lock);
	return true;
}

void ex_spin_unlock(struct spinlock *lock)
{
	struct coroutine *c = &coroutines[running];

	if (!exploring || running < 0)
		return;
	finish_access();
	if (lock->owner != me())
		ex_fail("spinlock %s: given back by a task that does not hold it", lock->name);
	note_event(EV_UNLOCK, (uint32_t)lock, 0, CALLER);
	events[nr_events - 1].text = lock->name;
	delay_unlock(lock);
	lock->owner = NULL;
	c->held &= ~lock_bit(lock);
	clocks_release(word_of((uint32_t)&lock->owner));
}
