/*
 * Futexes: sleeping in the kernel on a word of user memory (futex(2)).
 *
 * 1. A futex is its place: (address space, address) in private memory, (file mapping, offset) in
 *    shared mappings, wherever it is mapped. The place is only compared: it holds no reference, and
 *    one that is used again for other memory costs a needless wakeup at most.
 * 2. Waiters hang in buckets by hash; the bucket's lock guards its list and the `woken` and
 *    `bucket` of its waiters. Two buckets are locked in the order of their addresses.
 * 3. FUTEX_WAIT compares and joins the list under the bucket's lock:
 *
 *	waiter					waker
 *	compares: still locked
 *						unlocks the word, FUTEX_WAKE: nobody there
 *	joins, sleeps for ever
 *
 *    so the word is read without faulting pages in; if it is not there, the lock is dropped for it.
 * 4. A waiter is a variable of the sleeping task. It leaves only after it has seen itself woken, or
 *    taken itself off, with the bucket's lock held; so a waker may use it for as long as it has the
 *    lock.
 */
#include "kernel/futex.h"
#include "kernel/init.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "kernel/timespec.h"
#include "fs/vfs.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

#define BUCKETS 64u

enum {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256,
};
#define FUTEX_BITS_ANY 0xffffffffu

/* The word of a robust futex. */
#define FUTEX_WAITERS	  0x80000000u
#define FUTEX_OWNER_DIED  0x40000000u
#define FUTEX_TID_MASK	  0x3fffffffu
#define ROBUST_LIST_LIMIT 2048u

struct futex_key {
	const void *space; /* struct mm, or struct mapping */
	uint64_t at;	   /* address, or offset in the file */
};

struct futex_bucket {
	spinlock_t lock;
	struct list waiters;
};

struct futex_waiter {
	struct list link;
	struct futex_bucket *volatile bucket;
	struct futex_key key;
	struct task *task;
	uint32_t bits;
	bool woken;
};

static struct futex_bucket buckets[BUCKETS];

static void futex_init(void)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, "futex");
		list_init(&buckets[i].waiters);
	}
}
INITCALL(1, futex_init);

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	uint32_t hash =
		(uint32_t)key->space >> 4 ^ (uint32_t)(key->at >> 2) ^ (uint32_t)(key->at >> 32);

	return &buckets[(hash * 2654435761u) >> 26];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->space == b->space && a->at == b->at;
}

/* May sleep: takes mm->lock. */
static long key_of(unsigned long address, bool private, struct futex_key *key)
{
	struct mm *mm = current->mm;
	struct vma *vma;

	if (address & 3)
		return refuse(EINVAL, "a futex is aligned to 4 bytes");
	if (!user_range_ok((void __user *)address, sizeof(uint32_t)))
		return -EFAULT;
	*key = (struct futex_key){ mm, address };
	if (private)
		return 0;
	mutex_lock(&mm->lock);
	vma = mm_find(mm, address);
	if (vma && (vma->flags & VMA_SHARED) && vma->file) {
		key->space = &vma->file->inode->mapping;
		key->at = ((uint64_t)vma->page_offset << PAGE_SHIFT) + (address - vma->start);
	}
	mutex_unlock(&mm->lock);
	return vma ? 0 : -EFAULT;
}

/* ---- waiting ---- */

static struct futex_bucket *lock_bucket_of(struct futex_waiter *waiter)
{
	for (;;) {
		struct futex_bucket *bucket = waiter->bucket;

		spin_lock(&bucket->lock);
		if (waiter->bucket == bucket)
			return bucket;
		/* Requeued meanwhile. */
		spin_unlock(&bucket->lock);
	}
}

/* On the list, if the word still is `value`: 0, -EAGAIN, -EFAULT. May sleep. */
static long join(struct futex_waiter *waiter, unsigned long address, uint32_t value)
{
	struct futex_bucket *bucket = bucket_of(&waiter->key);
	uint32_t word;
	int error;

	for (;;) {
		spin_lock(&bucket->lock);
		if (copy_from_user_nofault(&word, (void __user *)address, sizeof(word)) ==
		    sizeof(word))
			break;
		spin_unlock(&bucket->lock);
		error = user_fault_in((void __user *)address, sizeof(word), false);
		if (error < 0)
			return error;
	}
	if (word == value) {
		waiter->bucket = bucket;
		list_add_tail(&bucket->waiters, &waiter->link);
	}
	spin_unlock(&bucket->lock);
	return word == value ? 0 : -EAGAIN;
}

/* True if it had been woken; it is off the list then in any case. */
static bool leave(struct futex_waiter *waiter)
{
	struct futex_bucket *bucket = lock_bucket_of(waiter);
	bool woken = waiter->woken;

	if (!woken)
		list_del(&waiter->link);
	spin_unlock(&bucket->lock);
	return woken;
}

static bool is_woken(struct futex_waiter *waiter)
{
	struct futex_bucket *bucket = lock_bucket_of(waiter);
	bool woken = waiter->woken;

	spin_unlock(&bucket->lock);
	return woken;
}

/*
 * 0 woken, -ETIMEDOUT, -EINTR. The state is set before the look at `woken`, whose waker looks at
 * the state after it has set it; both hold the bucket's lock for it.
 */
static long futex_sleep(unsigned long address, bool private, uint32_t value, uint32_t bits,
			uint64_t deadline)
{
	struct futex_waiter waiter = { .task = current, .bits = bits };
	bool passed = false, interrupted = false;
	long error = key_of(address, private, &waiter.key);

	if (error < 0)
		return error;
	error = join(&waiter, address, value);
	if (error < 0)
		return error;
	while (!passed && !interrupted) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (is_woken(&waiter))
			break;
		interrupted = signal_pending();
		if (!interrupted)
			passed = !schedule_until(deadline);
	}
	current->state = TASK_RUNNING;
	if (leave(&waiter))
		return 0;
	return passed ? -ETIMEDOUT : -EINTR;
}

/* restart_bits: is it a private futex? */
static long wait_again(struct task *task)
{
	long error = futex_sleep((unsigned long)task->restart_arg, task->restart_bits,
				 task->restart_value, FUTEX_BITS_ANY, task->restart_deadline);

	if (error != -EINTR)
		return error;
	task->restart = wait_again;
	return -ERESTART_RESTARTBLOCK;
}

/* FUTEX_WAIT counts its time from now; after a signal it goes on with what is left of it. */
static long wait_relative(unsigned long address, bool private, uint32_t value, uint64_t deadline)
{
	struct task *task = current;
	long error;

	if (deadline == UINT64_MAX) {
		error = futex_sleep(address, private, value, FUTEX_BITS_ANY, deadline);
		return error == -EINTR ? -ERESTARTSYS : error;
	}
	task->restart_arg = (void __user *)address;
	task->restart_bits = private;
	task->restart_value = value;
	task->restart_deadline = deadline;
	return wait_again(task);
}

static long wait_absolute(unsigned long address, bool private, uint32_t value, uint32_t bits,
			  uint64_t deadline)
{
	long error;

	if (bits == 0)
		return refuse(EINVAL, "no bit to be woken by");
	error = futex_sleep(address, private, value, bits, deadline);
	return error == -EINTR ? -ERESTARTSYS : error;
}

/* ---- waking ---- */

/* The bucket's lock is held. */
static void wake_waiter(struct futex_waiter *waiter)
{
	list_del(&waiter->link);
	waiter->woken = true;
	task_wake(waiter->task);
}

static long wake_key(const struct futex_key *key, int nr, uint32_t bits)
{
	struct futex_bucket *bucket = bucket_of(key);
	struct futex_waiter *waiter, *next;
	int woken = 0;

	spin_lock(&bucket->lock);
	list_for_each_safe(waiter, next, &bucket->waiters, link) {
		if (woken >= nr)
			break;
		if (!same_key(&waiter->key, key) || !(waiter->bits & bits))
			continue;
		wake_waiter(waiter);
		woken++;
	}
	spin_unlock(&bucket->lock);
	return woken;
}

static long futex_wake(unsigned long address, bool private, int nr, uint32_t bits)
{
	struct futex_key key;
	long error;

	if (bits == 0)
		return refuse(EINVAL, "no bit to wake by");
	error = key_of(address, private, &key);
	/* A number below one wakes one, as ever. */
	return error < 0 ? error : wake_key(&key, MAX(nr, 1), bits);
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b)
		return lock_two(b, a);
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/*
 * Wake up to nr_wake waiters of `from`, hang up to nr_move others over to `to`. Both buckets are
 * locked.
 */
static long move_waiters(const struct futex_key *from, const struct futex_key *to, int nr_wake,
			 int nr_move, bool count_moved)
{
	struct futex_bucket *target = bucket_of(to);
	struct futex_waiter *waiter, *next;
	int woken = 0, moved = 0;

	list_for_each_safe(waiter, next, &bucket_of(from)->waiters, link) {
		if (!same_key(&waiter->key, from))
			continue;
		if (woken < nr_wake) {
			wake_waiter(waiter);
			woken++;
			continue;
		}
		if (moved >= nr_move || same_key(from, to))
			break;
		list_del(&waiter->link);
		waiter->key = *to;
		waiter->bucket = target;
		list_add_tail(&target->waiters, &waiter->link);
		moved++;
	}
	return count_moved ? woken + moved : woken;
}

static long requeue(unsigned long from, unsigned long to, bool private, int nr_wake, int nr_move,
		    const uint32_t *value)
{
	struct futex_key a, b;
	uint32_t word;
	long error;

	if (nr_wake < 0 || nr_move < 0)
		return refuse(EINVAL, "a negative number of waiters");
	error = key_of(from, private, &a);
	if (error == 0)
		error = key_of(to, private, &b);
	while (error == 0) {
		lock_two(bucket_of(&a), bucket_of(&b));
		if (!value || copy_from_user_nofault(&word, (void __user *)from, sizeof(word)) ==
				      sizeof(word)) {
			error = value && word != *value
					? -EAGAIN
					: move_waiters(&a, &b, nr_wake, nr_move, value != NULL);
			unlock_two(bucket_of(&a), bucket_of(&b));
			return error;
		}
		unlock_two(bucket_of(&a), bucket_of(&b));
		error = user_fault_in((void __user *)from, sizeof(word), false);
	}
	return error;
}

/* ---- the calls ---- */

static bool takes_timeout(unsigned int command)
{
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

static long futex(unsigned long address, unsigned long op, uint32_t value,
		  const struct timespec64 *timeout, unsigned long value2, unsigned long address2,
		  uint32_t value3)
{
	bool private = op & FUTEX_PRIVATE_FLAG;
	unsigned int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	uint64_t deadline = UINT64_MAX;

	if ((op & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return refuse(ENOSYS, "FUTEX_CLOCK_REALTIME goes with FUTEX_WAIT_BITSET only");
	if (timeout && !timespec_valid(timeout))
		return refuse(EINVAL, "the timeout is no time");
	if (timeout)
		deadline = timespec_to_ns(timeout);
	if (timeout && command == FUTEX_WAIT)
		deadline = deadline_after(deadline);
	else if (timeout && (op & FUTEX_CLOCK_REALTIME))
		deadline = deadline_from_wall(deadline);
	switch (command) {
	case FUTEX_WAIT:
		return wait_relative(address, private, value, deadline);
	case FUTEX_WAIT_BITSET:
		return wait_absolute(address, private, value, value3, deadline);
	case FUTEX_WAKE:
		return futex_wake(address, private, value, FUTEX_BITS_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, value, value3);
	case FUTEX_REQUEUE:
		return requeue(address, address2, private, value, value2, NULL);
	case FUTEX_CMP_REQUEUE:
		return requeue(address, address2, private, value, value2, &value3);
	}
	return refuse(ENOSYS, "this futex operation is not there");
}

/* The fourth argument is a timeout for those that wait, and a number for those that requeue. */
long sys_futex(unsigned long address, unsigned long op, unsigned long value, unsigned long timeout,
	       unsigned long address2, unsigned long value3)
{
	bool timed = timeout && takes_timeout(op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME));
	struct timespec64 ts;

	if (timed && timespec_from_user32(&ts, (void __user *)timeout) < 0)
		return -EFAULT;
	return futex(address, op, value, timed ? &ts : NULL, timeout, address2, value3);
}

long sys_futex_time64(unsigned long address, unsigned long op, unsigned long value,
		      unsigned long timeout, unsigned long address2, unsigned long value3)
{
	bool timed = timeout && takes_timeout(op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME));
	struct timespec64 ts;

	if (timed && timespec_from_user64(&ts, (void __user *)timeout) < 0)
		return -EFAULT;
	return futex(address, op, value, timed ? &ts : NULL, timeout, address2, value3);
}

/* ---- robust futexes ---- */

struct robust_list_head { /* as the C library has it */
	uint32_t next;
	int32_t futex_offset;
	uint32_t op_pending;
};

long sys_set_robust_list(unsigned long head, unsigned long size)
{
	if (size != sizeof(struct robust_list_head))
		return refuse(EINVAL, "the head of a robust list has 12 bytes");
	current->robust_list = (void __user *)head;
	return 0;
}

long sys_get_robust_list(unsigned long tid, unsigned long head, unsigned long size)
{
	const struct credentials *me = &current->process->cred;
	struct task *task = tid ? task_find(tid) : NULL;
	uint32_t list = (uint32_t)(task ? task : current)->robust_list;
	bool allowed = !task || task->process == current->process || me->euid == 0 ||
		       me->euid == task->process->cred.uid;

	if (task)
		task_put(task);
	if (tid && !task)
		return -ESRCH;
	if (!allowed)
		return refuse(EPERM, "another user's thread");
	if (put_user_u32(list, (void __user *)head) < 0 ||
	    put_user_u32(sizeof(struct robust_list_head), (void __user *)size) < 0)
		return -EFAULT;
	return 0;
}

/*
 * The owner dies: says so in the word, and wakes one waiter. While the word has our tid, others
 * only ever add FUTEX_WAITERS to it; if that happens between the read and the write, it must not be
 * lost: so it is set in any case, and costs its next owner a needless FUTEX_WAKE.
 */
static void give_up(unsigned long address)
{
	uint32_t word;

	if ((address & 3) || get_user_u32(&word, (void __user *)address) < 0)
		return;
	if ((word & FUTEX_TID_MASK) != current->tid)
		return;
	if (put_user_u32(FUTEX_WAITERS | FUTEX_OWNER_DIED, (void __user *)address) < 0)
		return;
	futex_wake(address, false, 1, FUTEX_BITS_ANY);
}

/* The lowest bit of a link says that it is a priority-inheritance futex, which are not there. */
static void give_up_robust(struct task *task)
{
	unsigned long head_address = (unsigned long)task->robust_list;
	struct robust_list_head head;
	uint32_t entry, next;

	if (copy_from_user(&head, task->robust_list, sizeof(head)) < 0)
		return;
	entry = head.next;
	for (unsigned int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1u) != head_address; i++) {
		/* The next link first: once woken, the new owner may change this one. */
		if (get_user_u32(&next, (void __user *)(entry & ~1u)) < 0)
			break;
		if (entry != head.op_pending)
			give_up((entry & ~1u) + head.futex_offset);
		entry = next;
	}
	if (head.op_pending)
		give_up((head.op_pending & ~1u) + head.futex_offset);
}

void futex_task_exit(void)
{
	struct task *task = current;

	if (task->robust_list)
		give_up_robust(task);
	task->robust_list = NULL;
	/* Nobody can wait for it if the memory is ours alone. */
	if (task->clear_child_tid && atomic_read(&task->mm->users) > 1 &&
	    put_user_u32(0, task->clear_child_tid) == 0)
		futex_wake((unsigned long)task->clear_child_tid, false, 1, FUTEX_BITS_ANY);
	task->clear_child_tid = NULL;
}
