/*
 * futex_waitv(2): sleep until one of several words is woken.
 *
 * 1. A waiter for each word is on the list of futexes. The task sleeps until one of them has been
 *    taken off, and then takes off the others.
 * 2. All words are compared, and all waiters join, while futex_lock is held. So no wakeup of one
 *    word is lost while another is still being compared.
 */
#include "kernel/process/futex.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define WAITV_MAX     128u
#define FUTEX_32      2u /* the word has 32 bits; there are no others */
#define FUTEX_PRIVATE 128u

struct user_waiter { /* struct futex_waitv */
	uint64_t value, address;
	uint32_t flags, reserved;
};

struct wanted {
	struct futex_waiter waiter;
	unsigned long address;
	uint32_t value;
};

/* Returns 0, -EFAULT, -EINVAL or -ERESTARTSYS. May sleep. */
static long read_waiters(struct wanted *wanted, unsigned int nr,
			 const struct user_waiter __user *from)
{
	struct user_waiter user;
	long error = 0;

	for (unsigned int i = 0; i < nr && error == 0; i++) {
		if (copy_from_user(&user, from + i, sizeof(user)) < 0)
			return -EFAULT;
		if (user.flags & ~(FUTEX_32 | FUTEX_PRIVATE) || !(user.flags & FUTEX_32) ||
		    user.reserved)
			return refuse(EINVAL, "a wrong flag of a word");
		if (user.address > UINT32_MAX)
			return -EFAULT;
		wanted[i].address = user.address;
		wanted[i].value = user.value;
		wanted[i].waiter = (struct futex_waiter){ .link = LIST_INIT(wanted[i].waiter.link),
							  .task = current,
							  .bits = FUTEX_BITS_ANY };
		error = futex_key_of(user.address, user.flags & FUTEX_PRIVATE, false,
				     &wanted[i].waiter.key);
	}
	return error;
}

/*
 * Join the list for all words if each has its value. Returns 0, -EAGAIN if one has not, or -EFAULT
 * with the word in *missing if its page is not there. Never sleeps.
 */
static long join_all(struct wanted *wanted, unsigned int nr, unsigned long *missing)
{
	uint32_t word;
	long error = 0;

	spin_lock(&futex_lock);
	for (unsigned int i = 0; i < nr && error == 0; i++) {
		*missing = wanted[i].address;
		if (copy_from_user_nofault(&word, (void __user *)wanted[i].address, sizeof(word)) !=
		    sizeof(word))
			error = -EFAULT;
		else if (word != wanted[i].value)
			error = -EAGAIN;
	}
	for (unsigned int i = 0; i < nr && error == 0; i++)
		futex_enqueue(&wanted[i].waiter);
	spin_unlock(&futex_lock);
	return error;
}

/*
 * Returns the number of a word that has been woken, or -1. With `leave`, all waiters leave the
 * list.
 */
static long woken(struct wanted *wanted, unsigned int nr, bool leave)
{
	long found = -1;

	spin_lock(&futex_lock);
	for (unsigned int i = 0; i < nr; i++) {
		if (found < 0 && list_empty(&wanted[i].waiter.link))
			found = i;
		if (leave)
			list_del(&wanted[i].waiter.link);
	}
	spin_unlock(&futex_lock);
	return found;
}

/* Wakeups are not lost for the same reason as in futex_wait(). */
static long wait_for_any(struct wanted *wanted, unsigned int nr, uint64_t deadline)
{
	long error, found;
	unsigned long missing;

	while ((error = join_all(wanted, nr, &missing)) == -EFAULT) {
		error = user_fault_in((void __user *)missing, sizeof(uint32_t), false);
		if (error)
			return error;
	}
	if (error)
		return error;
	while (error == 0) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (woken(wanted, nr, false) >= 0)
			break;
		if (signal_pending())
			error = -ERESTARTSYS;
		else if (!schedule_until(deadline))
			error = -ETIMEDOUT;
	}
	current->state = TASK_RUNNING;
	found = woken(wanted, nr, true);
	return found >= 0 ? found : error;
}

long sys_futex_waitv(const void __user *waiters, unsigned int nr, unsigned int flags,
		     const void __user *timeout, int clock)
{
	uint64_t deadline = UINT64_MAX;
	struct wanted *wanted;
	long error = 0;

	if (flags || nr == 0 || nr > WAITV_MAX || !waiters)
		return refuse(EINVAL, "a flag, or not 1 to 128 words");
	if (timeout && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return refuse(EINVAL, "not a clock of timeouts");
	if (timeout)
		error = time_from_user(&deadline, timeout, true);
	if (error)
		return error;
	if (timeout && clock == CLOCK_REALTIME)
		deadline = deadline_of_wall(deadline);
	wanted = kmalloc(nr * sizeof(*wanted), 0);
	if (!wanted)
		return -ENOMEM;
	error = read_waiters(wanted, nr, waiters);
	if (error == 0)
		error = wait_for_any(wanted, nr, deadline);
	kfree(wanted);
	return error;
}
