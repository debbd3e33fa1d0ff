/*
 * Locks with priority inheritance: FUTEX_LOCK_PI and its relatives.
 *
 * 1. The word of a lock is 0, or it has the number of the task that owns the lock. Programs take
 *    and give up a free lock by themselves. The kernel is called if the lock has an owner already,
 *    and by an owner that finds FUTEX_WAITERS in the word.
 * 2. A waiter for a lock is on the list of futexes (futex.c) and lends its urgency to the owner.
 *    All waiters of a lock lend to the same task.
 * 3. An owner that gives up the lock hands it over: it writes the number of the most urgent waiter
 *    to the word, and takes this waiter off the list, without releasing futex_lock in between. So
 *    no other task finds the lock free, and the word and the list agree.
 * 4. An owner that ends cannot do so, because it knows the keys of its locks, but not where the
 *    words are in its memory. It grants the lock to the waiter, which stays on the list, as the
 *    owner, until it has written the word itself. An owner that ends cannot be missed:
 *
 *	locker					owner
 *	finds the owner by its number
 *						ends: grants its locks, has no waiters
 *	joins the list, sleeps for ever
 *
 *    The owner sets locks_left in the same step in which it grants its locks, and the locker looks
 *    at it and joins without releasing futex_lock in between.
 * 5. No word is to be trusted. It may name any task. That task is then lent some urgency, and when
 *    it ends, the lock is granted to a waiter, which is all that can happen.
 */
#include "kernel/process/futex.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"

static struct futex_waiter *first_waiter(const struct futex_key *key)
{
	struct futex_waiter *waiter;

	lockdep_held(&futex_lock);
	list_for_each(waiter, &futex_waiters, link)
		if (futex_same(&waiter->key, key))
			return waiter;
	return NULL;
}

/* ---- handing over. futex_lock is held. ---- */

/* Returns the most urgent waiter, the oldest of them, or NULL if there is none. */
static struct futex_waiter *next_owner(const struct futex_key *key)
{
	struct futex_waiter *waiter, *next = NULL;

	list_for_each(waiter, &futex_waiters, link)
		if (futex_same(&waiter->key, key) && waiter->what == FUTEX_FOR_LOCK &&
		    !waiter->granted &&
		    (!next || READ_ONCE(waiter->task->urgency) > READ_ONCE(next->task->urgency)))
			next = waiter;
	return next;
}

/* Make a waiter the owner. From now on the other waiters lend to it. The caller wakes it. */
static void grant(struct futex_waiter *next)
{
	struct task *old = next->lender.to;
	struct futex_waiter *waiter;

	lender_set(&next->lender, NULL);
	next->granted = true;
	list_for_each(waiter, &futex_waiters, link)
		if (futex_same(&waiter->key, &next->key) && waiter->lender.to)
			lender_set(&waiter->lender, next->task);
	if (old)
		inherit_update(old);
	inherit_update(next->task);
}

/* The owner has ended, or cannot write to the word. The next one marks the word itself. */
static void pass_on(const struct futex_key *key)
{
	struct futex_waiter *next = next_owner(key);

	if (!next)
		return;
	next->marks = true;
	grant(next);
	task_wake(next->task);
}

void futex_leave_pi(bool ends)
{
	struct task *task = current;
	struct futex_waiter *waiter;

	spin_lock(&futex_lock);
	while (!list_empty(&task->lenders)) {
		waiter = list_first(&task->lenders, struct futex_waiter, lender.link);
		pass_on(&waiter->key);
	}
	task->locks_left = ends;
	spin_unlock(&futex_lock);
}

/* ---- taking ---- */

/*
 * Replace the word if it is `seen`. Returns 1, -EAGAIN if it has another value now, or -EFAULT if
 * its page is not there. futex_lock is held.
 */
static long replace(unsigned long address, uint32_t seen, uint32_t new)
{
	uint32_t old = seen;

	if (user_exchange_nofault((uint32_t __user *)address, &old, new) < 0)
		return -EFAULT;
	return old == seen ? 1 : -EAGAIN;
}

/* The waiters of a lock and its word must agree about the owner. Returns 0 or -EINVAL. */
static long owner_of_waiter(const struct futex_waiter *waiter, uint32_t word, struct task **owner)
{
	uint32_t tid = word & FUTEX_TID_MASK;

	if (waiter->what != FUTEX_FOR_LOCK)
		return refuse(EINVAL, "others wait for a wakeup here, not for a lock");
	*owner = waiter->granted ? waiter->task : waiter->lender.to;
	/* The owner is ending, or the new owner has yet to write the word. */
	if (waiter->granted || (tid == 0 && word & FUTEX_OWNER_DIED))
		return 0;
	if (tid != (*owner)->tid)
		return refuse(EINVAL, "the word does not name the lock's owner");
	return 0;
}

/* Returns 0, -ESRCH if there is no such task, or -EAGAIN if the word has changed meanwhile. */
static long owner_by_number(unsigned long address, uint32_t word, struct task **owner)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = task_find_locked(word & FUTEX_TID_MASK);
	uint32_t now;

	spin_unlock_irqrestore(&tasks_lock, flags);
	*owner = task;
	if (task && !task->locks_left)
		return 0;
	/* A task that ends marks the words of its robust locks first. */
	if (copy_from_user_nofault(&now, (void __user *)address, sizeof(now)) != sizeof(now))
		return -EFAULT;
	return now == word ? refuse(ESRCH, "the lock's owner does not exist") : -EAGAIN;
}

/*
 * Take the lock at `address` for `task`. With `waiters`, the word then says that others may wait.
 * futex_lock is held. Returns
 *	1		the task owns it
 *	0		it belongs to *owner, and its word says that others wait
 *	-EFAULT		the word is not there: fault it in for writing
 *	-EAGAIN		the word is being changed: try again
 * and the errors of the call. Never sleeps.
 */
static long take(unsigned long address, const struct futex_key *key, const struct task *task,
		 bool waiters, struct task **owner)
{
	struct futex_waiter *waiter;
	uint32_t word;
	long result;

	if (copy_from_user_nofault(&word, (void __user *)address, sizeof(word)) != sizeof(word))
		return -EFAULT;
	if ((word & FUTEX_TID_MASK) == task->tid)
		return refuse(EDEADLK, "the task has the lock already");
	waiter = first_waiter(key);
	if (waiter)
		return owner_of_waiter(waiter, word, owner);
	if (!(word & FUTEX_TID_MASK))
		return replace(address, word,
			       (word & FUTEX_OWNER_DIED) | task->tid |
				       (waiters ? FUTEX_WAITERS : 0));
	result = replace(address, word, word | FUTEX_WAITERS);
	return result < 0 ? result : owner_by_number(address, word | FUTEX_WAITERS, owner);
}

/*
 * take() has failed, and futex_lock is released. Returns 0 if it is to be called again, or an error
 * for the caller. May sleep.
 */
static long take_again(unsigned long address, long error)
{
	if (error == -EAGAIN)
		return kill_pending() ? -ERESTARTSYS : 0;
	return error == -EFAULT ? user_fault_in((void __user *)address, sizeof(uint32_t), true)
				: error;
}

/* Let a waiter lend its urgency to the owner of the lock that it waits for. futex_lock is held. */
static long lend(struct futex_waiter *waiter, struct task *owner)
{
	if (!lender_allowed(waiter->task, owner))
		return refuse(EDEADLK, "the lock's owner waits for this task");
	waiter->what = FUTEX_FOR_LOCK;
	lender_set(&waiter->lender, owner);
	inherit_update(owner);
	return 0;
}

/* ---- waiting ---- */

static bool is_granted(const struct futex_waiter *waiter)
{
	bool granted;

	spin_lock(&futex_lock);
	granted = waiter->granted;
	spin_unlock(&futex_lock);
	return granted;
}

/*
 * Sleep until the waiter owns the lock. Returns 0, -EINTR or -ETIMEDOUT. No wakeup is lost: the
 * task sets its state and then looks whether it is the owner, under the lock. The owner makes it
 * one under the lock, and then looks at its state.
 */
static long sleep(struct futex_waiter *waiter, uint64_t deadline)
{
	long error = 0;

	while (error == 0) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (is_granted(waiter))
			break;
		if (signal_pending())
			error = -EINTR;
		else if (!schedule_until(deadline))
			error = -ETIMEDOUT;
	}
	current->state = TASK_RUNNING;
	return error;
}

/* The last owner has ended. Write the current task's number to the word. futex_lock is held. */
static long mark_word(unsigned long address)
{
	uint32_t word;
	long result;

	if (copy_from_user_nofault(&word, (void __user *)address, sizeof(word)) != sizeof(word))
		return -EFAULT;
	result = replace(address, word, FUTEX_OWNER_DIED | FUTEX_WAITERS | current->tid);
	return MIN(result, 0);
}

/*
 * Stop waiting for the lock at `address`, whether the task has got it or not. Returns true if it
 * has, or the lock's word cannot be written, with the reason in *error. May sleep.
 */
static bool finish(struct futex_waiter *waiter, unsigned long address, long *error)
{
	struct task *owner;
	long fault = 0;

	spin_lock(&futex_lock);
	while (waiter->marks) {
		fault = mark_word(address);
		if (fault == 0)
			break;
		spin_unlock(&futex_lock);
		fault = take_again(address, fault);
		spin_lock(&futex_lock);
		if (fault)
			break;
	}
	owner = waiter->lender.to;
	list_del(&waiter->link);
	if (fault)
		pass_on(&waiter->key);
	if (owner) {
		lender_set(&waiter->lender, NULL);
		inherit_update(owner);
	}
	*error = fault;
	spin_unlock(&futex_lock);
	return waiter->granted;
}

/*
 * Join the waiters of the lock if it is owned. Returns 0, or 1 if the task owns it, or an error.
 * May sleep.
 */
static long join(struct futex_waiter *waiter, unsigned long address, bool try)
{
	struct task *owner;
	long result, again = 0;

	do {
		spin_lock(&futex_lock);
		result = take(address, &waiter->key, current, false, &owner);
		if (result == 0 && try)
			result = -EAGAIN;
		else if (result == 0)
			result = lend(waiter, owner);
		else if (result < 0)
			again = result;
		if (result == 0)
			futex_enqueue(waiter);
		spin_unlock(&futex_lock);
		if (!again)
			return result;
		again = take_again(address, again);
	} while (again == 0);
	return again;
}

long futex_lock_pi(unsigned long address, bool private, bool try, uint64_t deadline)
{
	struct futex_waiter waiter = { .task = current, .lender.task = current };
	long error = futex_key_of(address, private, false, &waiter.key), fault;

	if (error == 0)
		error = join(&waiter, address, try);
	if (error)
		return MIN(error, 0);
	error = sleep(&waiter, deadline);
	if (finish(&waiter, address, &fault))
		return fault;
	/*
	 * The program has not got the lock, whatever the signal's flags say, so it is to try again.
	 */
	return error == -EINTR ? -ERESTARTNOINTR : error;
}

/* ---- giving up ---- */

/* futex_lock is held. Returns 1, or an error as take() does. */
static long give_up(unsigned long address, const struct futex_key *key, uint32_t word)
{
	struct futex_waiter *first = first_waiter(key), *next;
	struct task *owner;
	long result;

	if (!first)
		return replace(address, word, 0);
	result = owner_of_waiter(first, word, &owner);
	if (result < 0)
		return result;
	next = next_owner(key);
	if (owner != current || !next)
		return refuse(EINVAL, "the lock's waiters wait for another owner");
	result = replace(address, word, FUTEX_WAITERS | next->task->tid);
	if (result < 0)
		return result;
	grant(next);
	list_del(&next->link);
	task_wake(next->task);
	return 1;
}

long futex_unlock_pi(unsigned long address, bool private)
{
	struct futex_key key;
	uint32_t word;
	long result;

	do {
		if (get_user_u32(&word, (void __user *)address) < 0)
			return -EFAULT;
		if ((word & FUTEX_TID_MASK) != current->tid)
			return refuse(EPERM, "the lock belongs to another task");
		result = futex_key_of(address, private, false, &key);
		if (result < 0)
			return result;
		spin_lock(&futex_lock);
		result = give_up(address, &key, word);
		spin_unlock(&futex_lock);
		if (result == 1)
			return 0;
		result = take_again(address, result);
	} while (result == 0);
	return result;
}

/* ---- condition variables: waiters that are moved to a lock ---- */

/*
 * The list and the lock are two words. A waiter waits at `address`. When it is moved to `lock`, or
 * gets the lock at once, it is as if it had called futex_lock_pi() there.
 */
long futex_wait_requeue_pi(unsigned long address, bool private, uint32_t value, uint64_t deadline,
			   unsigned long lock)
{
	struct futex_waiter waiter = { .task = current,
				       .lender.task = current,
				       .bits = FUTEX_BITS_ANY,
				       .what = FUTEX_FOR_MOVE };
	long error = futex_key_of(lock, private, false, &waiter.target), fault;

	if (error == 0)
		error = futex_key_of(address, private, false, &waiter.key);
	if (error == 0 && futex_same(&waiter.key, &waiter.target))
		error = refuse(EINVAL, "the condition and the lock are the same word");
	if (error == 0)
		error = futex_lock_comparing(address, value);
	if (error)
		return error;
	futex_enqueue(&waiter);
	spin_unlock(&futex_lock);
	error = sleep(&waiter, deadline);
	if (finish(&waiter, lock, &fault))
		return fault;
	if (error != -EINTR)
		return error;
	/* A restarted call would find another value, because the waiter has been moved. */
	return waiter.what == FUTEX_FOR_LOCK ? -EAGAIN : -ERESTARTNOINTR;
}

/* Move one waiter to the lock. futex_lock is held. Returns 0, or an error as take() does. */
static long move(struct futex_waiter *waiter, unsigned long lock, const struct futex_key *key,
		 bool more)
{
	struct task *owner;
	long result;

	if (waiter->what != FUTEX_FOR_MOVE || !futex_same(&waiter->target, key))
		return refuse(EINVAL, "a waiter that waits for no lock, or for another one");
	result = take(lock, key, waiter->task, more, &owner);
	if (result == 0)
		result = lend(waiter, owner);
	if (result < 0)
		return result;
	list_del(&waiter->link);
	waiter->key = *key;
	if (waiter->what == FUTEX_FOR_LOCK) {
		futex_enqueue(waiter);
	} else {
		waiter->granted = true;
		task_wake(waiter->task);
	}
	return 0;
}

/* Move up to nr waiters. futex_lock is held. *done counts those that have been moved already. */
static long move_all(const struct futex_key *from, unsigned long lock, const struct futex_key *key,
		     int nr, int *done)
{
	struct futex_waiter *waiter, *next;
	long error;

	list_for_each_safe(waiter, next, &futex_waiters, link) {
		if (!futex_same(&waiter->key, from))
			continue;
		if (*done - 1 >= nr)
			break;
		error = move(waiter, lock, key, nr > 0);
		if (error)
			return error;
		++*done;
	}
	return 0;
}

long futex_requeue_pi(unsigned long address, unsigned long lock, bool private, int nr_wake,
		      int nr_move, uint32_t value)
{
	struct futex_key from, key;
	int done = 0;
	long error;

	if (nr_wake != 1 || nr_move < 0)
		return refuse(EINVAL, "one waiter gets the lock, and others wait for it");
	error = futex_key_of(address, private, false, &from);
	if (error == 0)
		error = futex_key_of(lock, private, false, &key);
	if (error == 0 && futex_same(&from, &key))
		error = refuse(EINVAL, "the condition and the lock are the same word");
	while (error == 0) {
		error = futex_lock_comparing(address, value);
		if (error)
			break;
		error = move_all(&from, lock, &key, nr_move, &done);
		spin_unlock(&futex_lock);
		if (error == 0)
			return done;
		error = take_again(lock, error);
	}
	return error;
}
