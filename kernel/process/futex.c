/*
 * Futexes: sleeping until another thread changes a word of user memory (futex(2)).
 *
 * 1. A futex is identified by a key. In private memory the key is (address space, address). In
 *    shared mappings it is (file mapping, offset), so that it is the same at all addresses. Keys
 *    hold no references, because they are only compared. If the memory is reused, a needless wakeup
 *    may result.
 * 2. All waiters are on one list, the urgent ones first (SCHED_FIFO, SCHED_RR), and the oldest
 *    first of those that are as urgent. futex_lock guards the list and the waiters.
 * 3. FUTEX_WAIT compares the word and joins the list without releasing the lock in between.
 *    Otherwise:
 *
 *	waiter					waker
 *	compares: still locked
 *						unlocks the word, FUTEX_WAKE: no waiter
 *	joins the list, sleeps for ever
 *
 *    The word is read without faulting its page in. If the page is missing, the lock is released,
 *    the page is faulted in, and the wait starts over.
 * 4. A waiter is a local variable of the sleeping task. A waker takes it off the list. The task
 *    returns only after it has seen this, or has taken the waiter off itself, both under the lock.
 *    A waker may therefore use the waiter while it holds the lock.
 */
#include "kernel/process/futex.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "kernel/process/timecalls.h"
#include "fs/file/open_file.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"

enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5,
	FUTEX_LOCK_PI = 6,
	FUTEX_UNLOCK_PI = 7,
	FUTEX_TRYLOCK_PI = 8,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_WAIT_REQUEUE_PI = 11,
	FUTEX_CMP_REQUEUE_PI = 12,
	FUTEX_LOCK_PI2 = 13,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256, /* the timeout is in wall clock time */
};

spinlock_t futex_lock = SPINLOCK_INIT("futex");
struct list futex_waiters = LIST_INIT(futex_waiters);

long futex_key_of(unsigned long address, bool private, bool always, struct futex_key *key)
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
	 * Shared memory must have a page there that can be read. A task that ends has just written
	 * to it, and must wake the tasks that wait for that, see clear_tid().
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

long futex_lock_comparing(unsigned long address, uint32_t value)
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

/* Urgent tasks come before all others, and so are woken first. */
void futex_enqueue(struct futex_waiter *waiter)
{
	struct list *before = &futex_waiters;
	struct futex_waiter *other;

	lockdep_held(&futex_lock);
	if (waiter->task->own_urgency == 0) {
		list_add_tail(before, &waiter->link);
		return;
	}
	list_for_each(other, &futex_waiters, link) {
		if (other->task->own_urgency < waiter->task->own_urgency) {
			before = &other->link;
			break;
		}
	}
	list_add_tail(before, &waiter->link);
}

/*
 * Join the list if the word still has the value. Returns 0, or an error of futex_lock_comparing().
 * May sleep.
 */
static long join(struct futex_waiter *waiter, unsigned long address, uint32_t value)
{
	long error = futex_lock_comparing(address, value);

	if (error)
		return error;
	futex_enqueue(waiter);
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
 * The timeout of FUTEX_WAIT is relative. That of the others is a time since boot or of the wall
 * clock. Sets *deadline, which is UINT64_MAX if there is none. Returns 0, or an error of
 * time_from_user(). May sleep.
 */
static long read_timeout(unsigned int op, const void __user *from, uint64_t *deadline)
{
	unsigned int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	bool wall = op & FUTEX_CLOCK_REALTIME || command == FUTEX_LOCK_PI;
	uint64_t time;
	long error;

	*deadline = UINT64_MAX;
	if (!from)
		return 0;
	error = time_from_user(&time, from, call_has_time64());
	if (error)
		return error;
	*deadline = command == FUTEX_WAIT ? deadline_after(time)
		    : wall		  ? deadline_of_wall(time)
					  : time;
	return 0;
}

static long futex_wait_restarted(struct task *task);

/*
 * A signal ends a wait for a futex. Without a timeout the call is simply made again. With one, the
 * wait goes on until the same deadline if no handler runs, and it is EINTR if one does. The address
 * is a multiple of four, so its lowest bit can say whether the futex is private.
 */
static long futex_interrupted(unsigned long address, bool private, uint32_t value,
			      uint64_t deadline, uint32_t bits)
{
	struct task *task = current;

	if (deadline == UINT64_MAX)
		return -ERESTARTSYS;
	task->restart_arg = (void __user *)(address | private);
	task->restart_value = value;
	task->restart_deadline = deadline;
	task->restart_bits = bits;
	task->restart = futex_wait_restarted;
	return -ERESTART_RESTARTBLOCK;
}

/*
 * No wakeup is lost. The task sets its state and then checks whether it is on the list. The waker
 * takes it off the list and then looks at the state. Both touch the list under the lock.
 */
static long futex_wait(unsigned long address, bool private, uint32_t value, uint64_t deadline,
		       uint32_t bits)
{
	struct futex_waiter waiter = { .task = current, .bits = bits };
	long error = futex_key_of(address, private, false, &waiter.key);

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
			error = futex_interrupted(address, private, value, deadline, bits);
		else if (!schedule_until(deadline))
			error = -ETIMEDOUT;
	}
	current->state = TASK_RUNNING;
	return is_woken(&waiter, true) ? 0 : error;
}

/* Called by restart_syscall(2). */
static long futex_wait_restarted(struct task *task)
{
	unsigned long address = (unsigned long)task->restart_arg;

	return futex_wait(address & ~1ul, address & 1, task->restart_value, task->restart_deadline,
			  task->restart_bits);
}

/* ---- waking ---- */

/*
 * Wake up to nr waiters of `key`, and move up to nr_move others to *to. Returns their total number,
 * or -EINVAL if one of them waits for a lock. futex_lock is held.
 */
static long wake_locked(const struct futex_key *key, int nr, uint32_t bits, int nr_move,
			const struct futex_key *to)
{
	struct futex_waiter *waiter, *next;
	int done = 0;

	lockdep_held(&futex_lock);
	list_for_each_safe(waiter, next, &futex_waiters, link) {
		if (!futex_same(&waiter->key, key))
			continue;
		if (waiter->what != FUTEX_FOR_WAKE)
			return refuse(EINVAL, "a waiter for a lock is not woken like this");
		if (!(waiter->bits & bits))
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
	long error = futex_key_of(address, private, false, &key);

	/* As on Linux, a number below one wakes one waiter. */
	return error < 0 ? error : wake(&key, MAX(nr, 1), bits);
}

void futex_wake_at_exit(unsigned long address)
{
	struct futex_key key;

	if (futex_key_of(address, false, true, &key) == 0)
		wake(&key, 1, FUTEX_BITS_ANY);
}

/*
 * With `expected`, only if the word at `from` has that value. It is compared under the lock, so
 * that no waiter comes between the comparison and the move.
 */
static long futex_requeue(unsigned long from, unsigned long to, bool private, int nr_wake,
			  int nr_move, const uint32_t *expected)
{
	struct futex_key key, target;
	long result;

	if (nr_wake < 0 || nr_move < 0)
		return refuse(EINVAL, "a negative number of waiters");
	result = futex_key_of(from, private, false, &key);
	if (result == 0)
		result = futex_key_of(to, private, false, &target);
	if (result < 0)
		return result;
	if (expected)
		result = futex_lock_comparing(from, *expected);
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
 * Change the word at once. Returns 0 with futex_lock held and the word's old value in *old, or an
 * error without it. May sleep.
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
	long result, more;

	if (!is_known(&op))
		return refuse(ENOSYS, "an unknown operation or comparison");
	result = futex_key_of(address, private, false, &key);
	if (result == 0)
		result = futex_key_of(address2, private, false, &key2);
	if (result == 0)
		result = lock_changing(address2, &op, &old);
	if (result < 0)
		return result;
	result = wake_locked(&key, MAX(nr, 1), FUTEX_BITS_ANY, 0, NULL);
	if (result >= 0 && compares(&op, old)) {
		more = wake_locked(&key2, MAX(nr2, 1), FUTEX_BITS_ANY, 0, NULL);
		result = more < 0 ? more : result + more;
	}
	spin_unlock(&futex_lock);
	return result;
}

/* Does the operation take a clock flag, and has it a timeout? */
static bool takes_clock(unsigned int command)
{
	return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI ||
	       command == FUTEX_LOCK_PI2;
}

static bool has_timeout(unsigned int command)
{
	return takes_clock(command) || command == FUTEX_WAIT || command == FUTEX_LOCK_PI;
}

/*
 * The fourth argument is the timeout of operations that have one, and a number for those with two
 * addresses.
 */
long sys_futex(unsigned long address, unsigned int op, uint32_t value, unsigned long fourth,
	       unsigned long address2, uint32_t bits)
{
	bool private = op & FUTEX_PRIVATE_FLAG;
	unsigned int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	uint64_t deadline;
	long error;

	if (op & FUTEX_CLOCK_REALTIME && !takes_clock(command))
		return refuse(ENOSYS, "this futex operation takes no clock flag");
	error = read_timeout(op, has_timeout(command) ? (void __user *)fourth : NULL, &deadline);
	if (error)
		return error;
	if (command == FUTEX_WAIT || command == FUTEX_WAKE)
		bits = FUTEX_BITS_ANY;
	else if ((command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET) && bits == 0)
		return refuse(EINVAL, "the bit mask is empty");
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return futex_wait(address, private, value, deadline, bits);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, value, bits);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, private, value, fourth, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, private, value, fourth, &bits);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, private, value, fourth, bits);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(address, private, false, deadline);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(address, private, true, UINT64_MAX);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(address, private);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(address, private, value, deadline, address2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_requeue_pi(address, address2, private, value, fourth, bits);
	}
	return refuse(ENOSYS, "a futex operation that is not supported");
}
