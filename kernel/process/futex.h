/*
 * Futexes: what the files about them share. The contract is at the top of futex.c.
 */
#ifndef KERNEL_PROCESS_FUTEX_H
#define KERNEL_PROCESS_FUTEX_H

#include "kernel/process/inherit.h"

/*
 * The word of a lock with priority inheritance, and of a robust lock: the owner's number, and two
 * flags.
 */
#define FUTEX_WAITERS	 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK	 0x3fffffffu

#define FUTEX_BITS_ANY	 0xffffffffu

struct futex_key {
	const void *space; /* struct mm, or struct mapping */
	uint64_t at;	   /* address, or offset in the file */
};

struct futex_waiter {
	struct list link; /* futex_waiters; futex_lock guards this and all that follows */
	struct futex_key key;
	struct task *task;
	uint32_t bits;
	enum {
		FUTEX_FOR_WAKE, /* waits until it is woken */
		FUTEX_FOR_MOVE, /* waits until it is moved to the lock `target` */
		FUTEX_FOR_LOCK, /* waits until it owns the lock, and lends its urgency to the owner */
	} what;

	/* kernel/process/futex_pi.c */
	struct futex_key target;
	struct lender lender;
	bool granted; /* it owns the lock */
	bool marks;   /* and stays on the list until it has written its number to the lock's word */
};

extern spinlock_t futex_lock;
extern struct list
	futex_waiters; /* the most urgent first, and those that are as urgent by their age */

static inline bool futex_same(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->at == b->at;
}

/* ---- kernel/process/futex.c ---- */

/*
 * Find the key of a futex. With `always`, a kill does not interrupt it. Returns 0, -EFAULT,
 * -EINVAL, or -ERESTARTSYS if the task is killed. May sleep; takes mm->lock.
 */
long futex_key_of(unsigned long address, bool private, bool always, struct futex_key *key);
/*
 * Take futex_lock if the word has the value. Returns 0 with the lock held, or without it -EAGAIN if
 * the word has another value, -EFAULT, or -ERESTARTSYS if the task is killed. May sleep.
 */
long futex_lock_comparing(unsigned long address, uint32_t value);
/* Add a waiter to the list. futex_lock is held. */
void futex_enqueue(struct futex_waiter *waiter);
/*
 * Wake one waiter of the word at `address`, which has just been written. Works in a task that has
 * been killed, too. May sleep; takes mm->lock.
 */
void futex_wake_at_exit(unsigned long address);

/* ---- kernel/process/futex_pi.c: locks with priority inheritance. All may sleep. ---- */

/* FUTEX_LOCK_PI, LOCK_PI2, and with `try`, TRYLOCK_PI. The deadline is a value of time_now(). */
long futex_lock_pi(unsigned long address, bool private, bool try, uint64_t deadline);
/* FUTEX_UNLOCK_PI */
long futex_unlock_pi(unsigned long address, bool private);
/* FUTEX_WAIT_REQUEUE_PI */
long futex_wait_requeue_pi(unsigned long address, bool private, uint32_t value, uint64_t deadline,
			   unsigned long lock);
/* FUTEX_CMP_REQUEUE_PI */
long futex_requeue_pi(unsigned long address, unsigned long lock, bool private, int nr_wake,
		      int nr_move, uint32_t value);
/*
 * The current task ends or, unless `ends`, its program: those that wait for its locks get them.
 * Never sleeps.
 */
void futex_leave_pi(bool ends);

#endif
