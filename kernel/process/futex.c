/*
 * Futexes: sleeping until another thread changes a word of user memory (futex(2)).
 *
 * 1. A futex is identified by a key. In private memory the key is (address space, address). In shared
 *    mappings it is (file mapping, offset), so that it is the same at all addresses. Keys hold no
 *    references, because they are only compared. If the memory is reused, a needless wakeup may result.
 * 2. All waiters are on one list, oldest first. futex_lock guards the list and the waiters.
 * 3. FUTEX_WAIT compares the word and joins the list without releasing the lock in between. Otherwise:
 *
 *	waiter					waker
 *	compares: still locked
 *						unlocks the word, FUTEX_WAKE: no waiter
 *	joins the list, sleeps for ever
 *
 *    The word is read without faulting its page in. If the page is missing, the lock is released, the
 *    page is faulted in, and the wait starts over.
 * 4. A waiter is a local variable of the sleeping task. A waker takes it off the list. The task returns
 *    only after it has seen this, or has taken the waiter off itself, both under the lock. A waker may
 *    therefore use the waiter while it holds the lock.
 */
#include "kernel/process/futex.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "kernel/process/timecalls.h"
#include "fs/names/vfs.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"

enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256, /* FUTEX_WAIT_BITSET's timeout is in wall clock time */
};
#define FUTEX_BITS_ANY 0xffffffffu

struct futex_key {
	const void *space; /* struct mm, or struct mapping */
	uint64_t at;	   /* address, or offset in the file */
};

struct futex_waiter {
	struct list link;
	struct futex_key key;
	struct task *task;
	uint32_t bits;
};

static spinlock_t futex_lock = SPINLOCK_INIT("futex");
static struct list waiters = LIST_INIT(waiters);

/*
 * Find the key of a futex. With `always`, a kill does not interrupt it. Returns 0, -EFAULT, -EINVAL, or
 * -ERESTARTSYS if the task is killed. May sleep; takes mm->lock.
 */
static long key_of(unsigned long address, bool private, bool always, struct futex_key *key)
{
	struct mm *mm = current->mm;
	struct vma *vma;
	long error;

	if (address & 3)
		return refuse(EINVAL, "a futex is aligned to 4 bytes");
	if (!user_range_ok((void __user *)address, sizeof(uint32_t)))
		return -EFAULT;
	*key = (struct futex_key){ mm, address };
	if (private)
		return 0;
	/*
	 * Shared memory must have a page there that can be read. A task that ends has just written to it,
	 * and must wake the tasks that wait for that, see clear_tid().
	 */
	error = always ? 0 : user_fault_in((void __user *)address, sizeof(uint32_t), false);
	if (error)
		return error;
	if (always)
		mutex_lock(&mm->lock);
	else if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	vma = mm_find(mm, address);
	if (vma && (vma->flags & VMA_SHARED) && vma->file) {
		key->space = &vma->file->inode->mapping;
		key->at = ((uint64_t)vma->page_offset << PAGE_SHIFT) + (address - vma->start);
	}
	mutex_unlock(&mm->lock);
	return vma ? 0 : -EFAULT;
}

/* ---- waiting ---- */

/*
 * Take futex_lock if the word has the value. Returns 0 with the lock held, or without it -EAGAIN if the
 * word has another value, -EFAULT, or -ERESTARTSYS if the task is killed. May sleep.
 */
static long lock_comparing(unsigned long address, uint32_t value)
{
	uint32_t word;
	int error;

	for (;;) {
		spin_lock(&futex_lock);
		if (copy_from_user_nofault(&word, (void __user *)address, sizeof(word)) ==
		    sizeof(word))
			break;
		spin_unlock(&futex_lock);
		error = user_fault_in((void __user *)address, sizeof(word), false);
		if (error < 0)
			return error;
	}
	if (word == value)
		return 0;
	spin_unlock(&futex_lock);
	return -EAGAIN;
}

/* Join the list if the word still has the value. Returns 0, or an error of lock_comparing(). May sleep. */
static long join(struct futex_waiter *waiter, unsigned long address, uint32_t value)
{
	long error = lock_comparing(address, value);

	if (error)
		return error;
	list_add_tail(&waiters, &waiter->link);
	spin_unlock(&futex_lock);
	return 0;
}

/* Returns true if the waiter has been woken. With `leave`, take it off the list in any case. */
static bool is_woken(struct futex_waiter *waiter, bool leave)
{
	bool woken;

	spin_lock(&futex_lock);
	woken = list_empty(&waiter->link);
	if (leave)
		list_del(&waiter->link);
	spin_unlock(&futex_lock);
	return woken;
}

/*
 * The timeout of FUTEX_WAIT is relative. That of FUTEX_WAIT_BITSET is a time since boot or of the wall
 * clock. A wait with a relative timeout cannot be restarted after a signal.
 *
 * No wakeup is lost. The task sets its state and then checks whether it is on the list. The waker takes
 * it off the list and then looks at the state. Both touch the list under the lock.
 */
static long futex_wait(unsigned long address, unsigned int op, uint32_t value,
		       const void __user *timeout, uint32_t bits)
{
	struct futex_waiter waiter = { .task = current, .bits = bits };
	bool relative = !(op & FUTEX_WAIT_BITSET);
	uint64_t deadline = UINT64_MAX;
	long error = timeout ? time_from_user(&deadline, timeout, call_has_time64()) : 0;

	if (relative)
		deadline = deadline_after(deadline);
	else if (op & FUTEX_CLOCK_REALTIME && timeout)
		deadline = time_of_wall(deadline);
	if (error == 0)
		error = key_of(address, op & FUTEX_PRIVATE_FLAG, false, &waiter.key);
	if (error == 0)
		error = join(&waiter, address, value);
	if (error < 0)
		return error;
	while (error == 0) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (is_woken(&waiter, false))
			break;
		if (signal_pending())
			error = timeout && relative ? -EINTR : -ERESTARTSYS;
		else if (!schedule_until(deadline))
			error = -ETIMEDOUT;
	}
	current->state = TASK_RUNNING;
	return is_woken(&waiter, true) ? 0 : error;
}

/* ---- waking ---- */

/*
 * Wake up to nr waiters of `key`, and move up to nr_move others to *to. Returns their total number.
 * futex_lock is held.
 */
static long wake_locked(const struct futex_key *key, int nr, uint32_t bits, int nr_move,
			const struct futex_key *to)
{
	struct futex_waiter *waiter, *next;
	int done = 0;

	lockdep_held(&futex_lock);
	list_for_each_safe(waiter, next, &waiters, link) {
		if (waiter->key.space != key->space || waiter->key.at != key->at ||
		    !(waiter->bits & bits))
			continue;
		if (done - nr >= nr_move)
			break;
		if (done++ < nr) {
			list_del(&waiter->link);
			task_wake(waiter->task);
		} else {
			waiter->key = *to;
		}
	}
	return done;
}

static long wake(const struct futex_key *key, int nr, uint32_t bits)
{
	long done;

	spin_lock(&futex_lock);
	done = wake_locked(key, nr, bits, 0, NULL);
	spin_unlock(&futex_lock);
	return done;
}

static long futex_wake(unsigned long address, bool private, int nr, uint32_t bits)
{
	struct futex_key key;
	long error = key_of(address, private, false, &key);

	/* As on Linux, a number below one wakes one waiter. */
	return error < 0 ? error : wake(&key, MAX(nr, 1), bits);
}

void futex_wake_at_exit(unsigned long address)
{
	struct futex_key key;

	if (key_of(address, false, true, &key) == 0)
		wake(&key, 1, FUTEX_BITS_ANY);
}

/*
 * With `expected`, only if the word at `from` has that value. It is compared under the lock, so that no
 * waiter comes between the comparison and the move.
 */
static long futex_requeue(unsigned long from, unsigned long to, bool private, int nr_wake,
			  int nr_move, const uint32_t *expected)
{
	struct futex_key key, target;
	long result;

	if (nr_wake < 0 || nr_move < 0)
		return refuse(EINVAL, "a negative number of waiters");
	result = key_of(from, private, false, &key);
	if (result == 0)
		result = key_of(to, private, false, &target);
	if (result < 0)
		return result;
	if (expected)
		result = lock_comparing(from, *expected);
	else
		spin_lock(&futex_lock);
	if (result < 0)
		return result;
	result = wake_locked(&key, nr_wake, FUTEX_BITS_ANY, nr_move, &target);
	spin_unlock(&futex_lock);
	return result;
}

/* ---- FUTEX_WAKE_OP: change a word, and wake its waiters if its old value compares ---- */

struct wake_op { /* the fields of the last argument, futex(2) */
	unsigned int op, compare;
	int operand, with;
};

static struct wake_op decode(uint32_t code)
{
	struct wake_op decoded = { code >> 28 & 7, code >> 24 & 15, (int32_t)(code << 8) >> 20,
				   (int32_t)(code << 20) >> 20 };

	if (code >> 31)
		decoded.operand = 1u << (decoded.operand & 31);
	return decoded;
}

static bool is_known(const struct wake_op *op)
{
	return op->op <= 4 && op->compare <= 5;
}

static uint32_t changed(const struct wake_op *op, uint32_t word)
{
	const uint32_t results[] = { op->operand, word + op->operand, word | op->operand,
				     word & ~op->operand, word ^ op->operand };

	return results[op->op];
}

static bool compares(const struct wake_op *op, int word)
{
	const bool results[] = { word == op->with, word != op->with,
				 word<op->with, word <= op->with, word> op->with,
				 word >= op->with };

	return results[op->compare];
}

/*
 * Change the word at once. Returns 0 with futex_lock held and the word's old value in *old, or an error
 * without it. May sleep.
 */
static long lock_changing(unsigned long address, const struct wake_op *op, uint32_t *old)
{
	uint32_t __user *word = (uint32_t __user *)address;
	long error;

	for (;;) {
		uint32_t seen;

		spin_lock(&futex_lock);
		if (copy_from_user_nofault(&seen, word, sizeof(seen)) == sizeof(seen)) {
			do {
				*old = seen;
				error = user_exchange_nofault(word, &seen, changed(op, seen));
			} while (error == 0 && seen != *old);
			if (error == 0)
				return 0;
		}
		spin_unlock(&futex_lock);
		error = user_fault_in(word, sizeof(*word), true);
		if (error < 0)
			return error;
	}
}

static long futex_wake_op(unsigned long address, unsigned long address2, bool private, int nr,
			  int nr2, uint32_t code)
{
	const struct wake_op op = decode(code);
	struct futex_key key, key2;
	uint32_t old = 0;
	long result;

	if (!is_known(&op))
		return refuse(ENOSYS, "an unknown operation or comparison");
	result = key_of(address, private, false, &key);
	if (result == 0)
		result = key_of(address2, private, false, &key2);
	if (result == 0)
		result = lock_changing(address2, &op, &old);
	if (result < 0)
		return result;
	result = wake_locked(&key, MAX(nr, 1), FUTEX_BITS_ANY, 0, NULL);
	if (compares(&op, old))
		result += wake_locked(&key2, MAX(nr2, 1), FUTEX_BITS_ANY, 0, NULL);
	spin_unlock(&futex_lock);
	return result;
}

/*
 * The fourth argument is the timeout of the waiting operations, and a number for those with two addresses.
 * There are no futexes with priority inheritance.
 */
long sys_futex(unsigned long address, unsigned int op, uint32_t value, unsigned long timeout,
	       unsigned long address2, uint32_t bits)
{
	bool private = op & FUTEX_PRIVATE_FLAG;
	unsigned int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

	if (op & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET)
		return refuse(ENOSYS, "this futex operation takes no clock flag");
	if (command == FUTEX_WAIT || command == FUTEX_WAKE)
		bits = FUTEX_BITS_ANY;
	else if ((command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET) && bits == 0)
		return refuse(EINVAL, "the bit mask is empty");
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return futex_wait(address, op, value, (void __user *)timeout, bits);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, value, bits);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, private, value, timeout, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, private, value, timeout, &bits);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, private, value, timeout, bits);
	}
	return refuse(ENOSYS, "a futex operation that is not supported");
}
