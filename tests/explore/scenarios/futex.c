/* Futexes: wait, wake and requeue, on private words. */
#include "kernel/syscalls.h"
#include "kernel/atomic.h"
#include "shim.h"

enum { WAIT = 128, WAKE = 129, REQUEUE = 131, CMP_REQUEUE = 132 };

static uint32_t word, other;

static void nothing(void)
{
}

static long futex(uint32_t *at, unsigned int op, uint32_t value, unsigned long more, uint32_t *to)
{
	return sys_futex((unsigned long)at, op, value, more, (unsigned long)to, 0);
}

static void wait_until_set(int unused)
{
	while (READ_ONCE(word) == 0) {
		long error = futex(&word, WAIT, 0, 0, NULL);

		must(error == 0 || error == -EAGAIN);
	}
}

static void set_and_wake(int n)
{
	(void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
	futex(&word, WAKE, n, 0, NULL);
}

SCENARIO(futex_one, "a waiter and a waker", nothing, NULL, { "waiter", wait_until_set, 0 },
	 { "waker", set_and_wake, 1 });

SCENARIO(futex_two, "two waiters, woken at once", nothing, NULL, { "waiter0", wait_until_set, 0 },
	 { "waiter1", wait_until_set, 0 }, { "waker", set_and_wake, 2 });

static void set_requeue_and_wake(int unused)
{
	(void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
	must(futex(&word, REQUEUE, 1, 1, &other) <= 2);
	futex(&other, WAKE, 1, 0, NULL);
}

SCENARIO(futex_requeue, "one waiter is woken, the other one moved and then woken", nothing, NULL,
	 { "waiter0", wait_until_set, 0 }, { "waiter1", wait_until_set, 0 },
	 { "waker", set_requeue_and_wake, 0 });

/* A lock of two states as a program has it: a wakeup must not be lost between two waiters. */
static unsigned int counter;

static void lock_count_unlock(int unused)
{
	while (__atomic_exchange_n(&word, 2, __ATOMIC_SEQ_CST) != 0)
		futex(&word, WAIT, 2, 0, NULL);
	counter++;
	(void)__atomic_exchange_n(&word, 0, __ATOMIC_SEQ_CST);
	futex(&word, WAKE, 1, 0, NULL);
}

static void counted(void)
{
	must(counter == 3 && word == 0);
}

SCENARIO(futex_lock, "three threads and a lock", nothing, counted, { "a", lock_count_unlock, 0 },
	 { "b", lock_count_unlock, 0 }, { "c", lock_count_unlock, 0 });

static void signal_first(int unused)
{
	ex_signal(0);
}

static void wait_or_signal(int unused)
{
	while (READ_ONCE(word) == 0) {
		long error = futex(&word, WAIT, 0, 0, NULL);

		if (error == -ERESTARTSYS)
			return;
		must(error == 0 || error == -EAGAIN);
	}
}

SCENARIO(futex_signal, "a signal and a wakeup", nothing, NULL, { "waiter0", wait_or_signal, 0 },
	 { "waiter1", wait_until_set, 0 }, { "signal", signal_first, 0 },
	 { "waker", set_and_wake, 2 });

static void set_and_requeue(int unused)
{
	uint32_t value = __atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);

	must(sys_futex((unsigned long)&word, CMP_REQUEUE, 0, 2, (unsigned long)&other, value) >= 0);
	futex(&other, WAKE, 2, 0, NULL);
}

SCENARIO(futex_compared, "waiters are moved and woken; those that come later see the new value",
	 nothing, NULL, { "waiter0", wait_until_set, 0 }, { "waiter1", wait_until_set, 0, TWIN },
	 { "waker", set_and_requeue, 0 });

/* futex_waitv: each word is woken by a task of its own. */
struct waitv {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static void wait_for_both(int unused)
{
	struct waitv both[2] = { { 0, (uintptr_t)&word, 130, 0 },
				 { 0, (uintptr_t)&other, 130, 0 } };

	while (READ_ONCE(word) == 0 || READ_ONCE(other) == 0) {
		long result;

		both[0].value = READ_ONCE(word);
		both[1].value = READ_ONCE(other);
		if (both[0].value && both[1].value)
			break;
		result = sys_futex_waitv(both, 2, 0, NULL, 0);
		must(result == 0 || result == 1 || result == -EAGAIN);
	}
}

static void set_other_and_wake(int unused)
{
	(void)__atomic_exchange_n(&other, 1, __ATOMIC_SEQ_CST);
	futex(&other, WAKE, 1, 0, NULL);
}

SCENARIO(futex_waitv, "a waiter for two words, which are woken by two tasks", nothing, NULL,
	 { "waiter", wait_for_both, 0 }, { "waker0", set_and_wake, 1 },
	 { "waker1", set_other_and_wake, 0 });
