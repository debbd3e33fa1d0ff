/*
 * Advisory locks. The contract is in fs/file/lock.h.
 *
 * 1. All that wait for a lock share one queue, and every lock that goes away or shrinks wakes them.
 *    Locks are rarely waited for, so a needless wakeup costs less than a queue for each file.
 * 2. A sleeper joins the queue before it tries to set its lock, and a lock is gone before its owner
 *    wakes:
 *
 *	sleeper				owner
 *	joins the queue
 *	tries: in conflict
 *					removes its lock, wakes
 *	goes on
 *
 * 3. A task that waits is in `waiters` together with the lock that it waits for. If both are the
 *    locks of tables (F_SETLKW) and the chain of those leads back to the task's own owner, waiting
 *    would never end (EDEADLK).
 */
#include "fs/file/lock.h"
#include "kernel/init.h"
#include "kernel/wait.h"
#include "mm/slab.h"

#define LOCKS_MAX 65536 /* in all */

struct lock_waiter {
	struct list link;
	const struct file_lock *wanted;
	const struct file_lock *blocker; /* it may be gone, so its address is only compared */
	const void *blocked_by;		 /* the owner */
};

static spinlock_t locks_lock = SPINLOCK_INIT("file locks");
static struct wait_queue lock_changes = WAIT_QUEUE_INIT(lock_changes);
static struct list waiters = LIST_INIT(waiters);
static struct list all_locks = LIST_INIT(all_locks);
static struct atomic nr_locks = ATOMIC_INIT(0);
SLAB_CACHE(lock_cache, "lock", struct file_lock, 0);

static struct file_lock *lock_alloc(void)
{
	struct file_lock *lock = NULL;

	if (atomic_add_return(&nr_locks, 1) <= LOCKS_MAX)
		lock = slab_alloc(lock_cache, 0);
	if (!lock)
		atomic_dec(&nr_locks);
	return lock;
}

/* Free a list of locks, or NULL. */
static void locks_free(struct file_lock *lock)
{
	while (lock) {
		struct file_lock *next = lock->next;

		slab_free(lock_cache, lock);
		atomic_dec(&nr_locks);
		lock = next;
	}
}

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static bool adjacent(const struct file_lock *a, const struct file_lock *b)
{
	return (a->last != FILE_LOCK_END && a->last + 1 == b->first) ||
	       (b->last != FILE_LOCK_END && b->last + 1 == a->first);
}

/*
 * Returns the first lock in the file of another owner that excludes this one. locks_lock is held.
 */
static struct file_lock *find_conflict(struct inode *inode, const struct file_lock *lock)
{
	struct file_lock *other;

	for (other = inode->locks; other; other = other->next)
		if (other->kind == lock->kind && other->owner != lock->owner &&
		    (other->write || lock->write) && overlap(other, lock))
			break;
	return other;
}

bool lock_conflict(struct file *file, const struct file_lock *lock, struct file_lock *found)
{
	struct file_lock *other;

	spin_lock(&locks_lock);
	other = find_conflict(file->inode, lock);
	if (other)
		*found = *other;
	spin_unlock(&locks_lock);
	return other != NULL;
}

/* ---- changing an owner's locks ---- */

/* Locks for a change: allocated before it, and what is left or was removed is freed after it. */
struct spare {
	struct file_lock *locks;
};

static struct file_lock *spare_take(struct spare *spare)
{
	struct file_lock *lock = spare->locks;

	spare->locks = lock->next;
	return lock;
}

static void spare_give(struct spare *spare, struct file_lock *lock)
{
	lock->next = spare->locks;
	spare->locks = lock;
}

/* Remove the lock that *at points to. locks_lock is held. */
static void take_out(struct file_lock **at, struct spare *spare)
{
	struct file_lock *lock = *at;

	WRITE_ONCE(*at, lock->next);
	list_del(&lock->link);
	spare_give(spare, lock);
}

/* Allocate n locks. Returns false, and has none, if that fails. May sleep. */
static bool spare_fill(struct spare *spare, unsigned int n)
{
	spare->locks = NULL;
	while (n-- > 0) {
		struct file_lock *lock = lock_alloc();

		if (!lock) {
			locks_free(spare->locks);
			return false;
		}
		spare_give(spare, lock);
	}
	return true;
}

/* Insert a copy of the lock, in the order of the first bytes. locks_lock is held. */
static void insert(struct inode *inode, struct spare *spare, const struct file_lock *lock)
{
	struct file_lock *new = spare_take(spare), **at = &inode->locks;

	while (*at && (*at)->first < lock->first)
		at = &(*at)->next;
	*new = *lock;
	new->inode = inode;
	list_add_tail(&all_locks, &new->link);
	new->next = *at;
	WRITE_ONCE(*at, new);
}

/*
 * Take the range away from the owner's locks. A lock that reaches beyond both ends is divided,
 * which takes one spare lock. locks_lock is held.
 */
static void carve(struct inode *inode, struct spare *spare, const struct file_lock *range)
{
	struct file_lock **at = &inode->locks, *lock;

	while ((lock = *at)) {
		struct file_lock behind = *lock;

		if (lock->owner != range->owner || lock->kind != range->kind ||
		    !overlap(lock, range)) {
			at = &lock->next;
			continue;
		}
		if (lock->first < range->first) {
			lock->last = range->first - 1;
			at = &lock->next;
		} else {
			take_out(at, spare);
		}
		if (behind.last > range->last) {
			behind.first = range->last + 1;
			insert(inode, spare, &behind);
		}
	}
}

/*
 * Extend the new lock over those of the same kind that touch it, and remove those. locks_lock is
 * held.
 */
static void absorb(struct inode *inode, struct spare *spare, struct file_lock *new)
{
	struct file_lock **at = &inode->locks, *lock;

	while ((lock = *at)) {
		if (lock->owner != new->owner || lock->kind != new->kind ||
		    lock->write != new->write || !(overlap(lock, new) || adjacent(lock, new))) {
			at = &lock->next;
			continue;
		}
		new->first = MIN(new->first, lock->first);
		new->last = MAX(new->last, lock->last);
		take_out(at, spare);
		at = &inode->locks; /* the new lock may touch others now */
	}
}

bool lock_has(struct file *file, const struct file_lock *wanted)
{
	struct file_lock *lock;

	spin_lock(&locks_lock);
	for (lock = file->inode->locks; lock; lock = lock->next)
		if (lock->owner == wanted->owner && lock->kind == wanted->kind &&
		    lock->write == wanted->write && lock->first <= wanted->first &&
		    lock->last >= wanted->last)
			break;
	spin_unlock(&locks_lock);
	return lock != NULL;
}

/* ---- waiting ---- */

static bool is_of_table(const struct file_lock *lock)
{
	return lock->kind == ADVISORY_RECORD && !lock_is_of_file(lock);
}

/* Would an owner that waits for `other` wait for itself? locks_lock is held. */
static bool would_wait_for_itself(const void *owner, const void *other)
{
	struct lock_waiter *waiter;
	unsigned int steps = 0;
	bool found = true;

	while (found && other != owner && steps++ < LOCKS_MAX) {
		found = false;
		list_for_each(waiter, &waiters, link) {
			if (is_of_table(waiter->wanted) && waiter->wanted->owner == other) {
				other = waiter->blocked_by;
				found = true;
				break;
			}
		}
	}
	return other == owner;
}

/*
 * Set the lock if nothing conflicts. Otherwise return -EAGAIN, and with a waiter, note whom it
 * waits for, or return -EDEADLK.
 */
static int try_set(struct inode *inode, struct spare *spare, const struct file_lock *lock,
		   struct lock_waiter *waiter)
{
	struct file_lock new = *lock, *other;
	int error = 0;

	spin_lock(&locks_lock);
	other = find_conflict(inode, lock);
	if (waiter)
		list_del(&waiter->link);
	if (other) {
		error = -EAGAIN;
		if (waiter && is_of_table(lock) &&
		    would_wait_for_itself(lock->owner, other->owner)) {
			error = -EDEADLK;
		} else if (waiter) {
			waiter->blocker = other;
			waiter->blocked_by = other->owner;
			list_add_tail(&waiters, &waiter->link);
		}
	} else {
		carve(inode, spare, lock);
		absorb(inode, spare, &new);
		insert(inode, spare, &new);
	}
	spin_unlock(&locks_lock);
	return error;
}

int lock_set(struct file *file, const struct file_lock *lock, bool wait)
{
	struct lock_waiter waiter = { .link = LIST_INIT(waiter.link), .wanted = lock };
	struct inode *inode = file->inode;
	struct spare spare;
	int error = 0, interrupted = 0;

	/* One for the lock, and one if another one has to be divided. */
	if (!spare_fill(&spare, 2))
		return -ENOLCK;
	if (wait)
		interrupted = wait_event_interruptible(
			&lock_changes, (error = try_set(inode, &spare, lock, &waiter)) != -EAGAIN);
	else
		error = try_set(inode, &spare, lock, NULL);
	if (interrupted) {
		spin_lock(&locks_lock);
		list_del(&waiter.link);
		spin_unlock(&locks_lock);
		error = interrupted;
	}
	locks_free(spare.locks);
	/* A lock for reading in place of one for writing lets others in. */
	if (!error)
		wake_all(&lock_changes);
	return error;
}

int lock_clear(struct file *file, const struct file_lock *range)
{
	struct spare spare;

	if (!spare_fill(&spare, 1))
		return -ENOLCK;
	spin_lock(&locks_lock);
	carve(file->inode, &spare, range);
	spin_unlock(&locks_lock);
	locks_free(spare.locks);
	wake_all(&lock_changes);
	return 0;
}

void lock_drop_owner_slow(struct inode *inode, const void *owner)
{
	struct file_lock **at = &inode->locks, *lock;
	struct spare gone = { NULL };

	spin_lock(&locks_lock);
	while ((lock = *at)) {
		if (lock->owner == owner)
			take_out(at, &gone);
		else
			at = &lock->next;
	}
	spin_unlock(&locks_lock);
	if (gone.locks)
		wake_all(&lock_changes);
	locks_free(gone.locks);
}

/* ---- telling ---- */

size_t locks_tell(size_t skipped, tell_lock_function *tell, void *context)
{
	const struct lock_waiter *waiter;
	const struct file_lock *lock;
	bool more = true;
	size_t n = 0;

	spin_lock(&locks_lock);
	list_for_each(lock, &all_locks, link) {
		if (n++ < skipped)
			continue;
		more = tell(context, lock, false);
		list_for_each(waiter, &waiters, link)
			if (more && waiter->blocker == lock)
				more = tell(context, waiter->wanted, true);
		if (!more)
			break;
	}
	spin_unlock(&locks_lock);
	return n;
}

void locks_tell_file(const struct file *file, tell_lock_function *tell, void *context)
{
	const struct file_lock *lock;
	bool more = true;

	if (!READ_ONCE(file->inode->locks))
		return;
	spin_lock(&locks_lock);
	for (lock = file->inode->locks; lock && more; lock = lock->next)
		more = tell(context, lock, false);
	spin_unlock(&locks_lock);
}
