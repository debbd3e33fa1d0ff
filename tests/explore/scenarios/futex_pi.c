/* Locks with priority inheritance, on private words. */
#include "kernel/process/futex.h"
#include "kernel/syscalls.h"
#include "kernel/atomic.h"
#include "shim.h"

enum { WAKE = 129, LOCK = 134, UNLOCK = 135, WAIT_MOVED = 139, MOVE = 140 };

static uint32_t word, condition;
static unsigned int counter; /* how often a thread had the lock */
static unsigned int lost;    /* how often one found that the owner had ended */

static void nothing(void)
{
}

static long futex(uint32_t *at, unsigned int op)
{
	return sys_futex((unsigned long)at, op, 0, 0, 0, 0);
}

/*
 * As a program does: the kernel is called only if the word is not what it would be without others.
 */
static long lock(uint32_t tid)
{
	uint32_t free = 0;

	if (__atomic_compare_exchange_n(&word, &free, tid, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return 0;
	return futex(&word, LOCK);
}

static void unlock(uint32_t tid)
{
	if (!__atomic_compare_exchange_n(&word, &tid, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		must(futex(&word, UNLOCK) == 0);
}

static void count(int task)
{
	must(lock(task + 1) == 0);
	must((READ_ONCE(word) & FUTEX_TID_MASK) == task + 1);
	counter++;
	unlock(task + 1);
}

static void nothing_left(void)
{
	must(list_empty(&futex_waiters) && counter == 3 && word == 0);
	for (int i = 0; i < 3; i++)
		must(list_empty(&ex_tasks[i].lenders) && !ex_tasks[i].lending &&
		     ex_tasks[i].inherited == 0);
}

SCENARIO(pi_lock, "three threads and a lock", nothing, nothing_left, { "a", count, 0 },
	 { "b", count, 1 }, { "c", count, 2 });

/*
 * The owner ends with the lock. The other thread gets it, or finds that its owner does not exist.
 */
static void die_with_lock(int task)
{
	must(lock(task + 1) == 0);
	counter++;
	futex_leave_pi(true);
}

static void lock_of_the_dead(int task)
{
	long error = lock(task + 1);

	if (error == -ESRCH) {
		__atomic_fetch_add(&lost, 1, __ATOMIC_SEQ_CST);
		return;
	}
	must(error == 0 && (READ_ONCE(word) & FUTEX_TID_MASK) == task + 1);
	counter++;
	unlock(task + 1);
}

static void dead_or_counted(void)
{
	must(counter + lost == 3 && list_empty(&futex_waiters));
}

SCENARIO(pi_owner_ends, "the owner of a lock ends while others come", nothing, dead_or_counted,
	 { "owner", die_with_lock, 0 }, { "a", lock_of_the_dead, 1 }, { "b", lock_of_the_dead, 2 });

/*
 * A wait that a signal ends, or a kill or a timeout in the same way, against an owner that gives it
 * up.
 */
static void count_or_give_up(int task)
{
	long error = lock(task + 1);

	if (error == 0) {
		must((READ_ONCE(word) & FUTEX_TID_MASK) == task + 1);
		unlock(task + 1);
	}
	must(error == 0 || error == -ERESTARTNOINTR);
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

static void signal_waiter(int task)
{
	ex_signal(task);
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

static void lock_and_count(int task)
{
	must(lock(task + 1) == 0);
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	unlock(task + 1);
}

SCENARIO(pi_signal, "a signal ends a wait for a lock while its owner hands it over", nothing,
	 nothing_left, { "owner", lock_and_count, 0 }, { "waiter", count_or_give_up, 1 },
	 { "signal", signal_waiter, 1 });

/* A condition variable: its waiter gets the lock from the task that moves it, or waits for it. */
static void wait_moved(int task)
{
	long error =
		sys_futex((unsigned long)&condition, WAIT_MOVED, 0, 0, (unsigned long)&word, 0);

	must(error == 0 || error == -EAGAIN);
	if (error == 0) {
		must((READ_ONCE(word) & FUTEX_TID_MASK) == task + 1);
		unlock(task + 1);
	}
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

static void move_waiter(int task)
{
	must(lock(task + 1) == 0);
	(void)__atomic_exchange_n(&condition, 1, __ATOMIC_SEQ_CST);
	must(sys_futex((unsigned long)&condition, MOVE, 1, 9, (unsigned long)&word, 1) >= 0);
	__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	unlock(task + 1);
}

SCENARIO(pi_moved, "waiters of a condition are moved to its lock", nothing, nothing_left,
	 { "waiter0", wait_moved, 0 }, { "waiter1", wait_moved, 1 }, { "mover", move_waiter, 2 });
