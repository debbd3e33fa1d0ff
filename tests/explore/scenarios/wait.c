/* Wait queues: waiters whose conditions differ, and both kinds of wakeups. */
#include "kernel/wait.h"
#include "shim.h"

static struct wait_queue queue;
static spinlock_t lock;
static unsigned int value;

static void set_up(void)
{
	wait_queue_init(&queue, "queue");
	spin_init(&lock, "value");
}

static bool reached(unsigned int n)
{
	bool yes;

	spin_lock(&lock);
	yes = value >= n;
	spin_unlock(&lock);
	return yes;
}

static void wait_for(int n)
{
	wait_event(&queue, reached(n));
	must(READ_ONCE(value) >= n);
	must(current->state == TASK_RUNNING);
}

static void raise(unsigned int n)
{
	spin_lock(&lock);
	WRITE_ONCE(value, n); /* the waiters look again without the lock */
	spin_unlock(&lock);
}

static void raise_and_wake_all(int n)
{
	for (int i = 1; i <= n; i++) {
		raise(i);
		wake_all(&queue);
	}
}

static void queue_is_empty(void)
{
	must(list_empty(&queue.waiters));
}

SCENARIO(wait_twice, "a waiter for the second of two wakeups", set_up, queue_is_empty,
	 { "waiter", wait_for, 2 }, { "waker", raise_and_wake_all, 2 });

SCENARIO(wait_two, "two waiters with conditions that come true one after the other", set_up,
	 queue_is_empty, { "waiter1", wait_for, 1 }, { "waiter2", wait_for, 2 },
	 { "waker", raise_and_wake_all, 2 });

SCENARIO(wait_three, "three waiters with different conditions", set_up, queue_is_empty,
	 { "waiter1", wait_for, 1 }, { "waiter2", wait_for, 2 }, { "waiter3", wait_for, 3 },
	 { "waker", raise_and_wake_all, 3 });

/* ---- waiters that are woken for nothing get their old places back ---- */

static void set_up_late(void)
{
	set_up();
	queue.tickets = -2u; /* the second ticket is 0, which may be left out */
}

/* A task with several waiters, which never sleeps. */
static void come_back(int unused)
{
	struct waiter waiters[4], *w = waiters;

	for (int i = 0; i < 4; i++) {
		w[i] = (struct waiter){ LIST_INIT(w[i].link), NULL, NULL, 0 };
		wait_prepare(&queue, &w[i], TASK_UNINTERRUPTIBLE);
	}
	must(queue.waiters.next == &w[0].link && w[0].link.next == &w[1].link);
	wait_finish(&queue, &w[1]);
	current->state = TASK_UNINTERRUPTIBLE;
	wake_all(&queue);
	must(list_empty(&queue.waiters));
	must(current->state == TASK_RUNNING);
	wait_prepare(&queue, &w[3], TASK_UNINTERRUPTIBLE);
	wait_prepare(&queue, &w[0], TASK_UNINTERRUPTIBLE);
	wait_prepare(&queue, &w[2], TASK_UNINTERRUPTIBLE);
	must(queue.waiters.next == &w[0].link);
	must(w[0].link.next == &w[2].link);
	must(w[2].link.next == &w[3].link);
	for (int i = 0; i < 4; i++)
		wait_finish(&queue, &w[i]);
}

SCENARIO(old_places, "waiters that join again, in another order, after the tickets wrapped",
	 set_up_late, queue_is_empty, { "waiter", come_back, 0 });

/* ---- waiters with a function, as poll has them ---- */

static unsigned int calls;

static bool count_call(struct waiter *waiter, enum wake_reason reason)
{
	calls++;
	return false;
}

static void be_called(int unused)
{
	struct waiter waiter = { .link = LIST_INIT(waiter.link), .wake = count_call };

	calls = 0;
	wait_add(&queue, &waiter);
	wake_all(&queue);
	must(calls == 1);
	must(!list_empty(&waiter.link));
	wake_all(&queue);
	must(calls == 2);
	must(!list_empty(&waiter.link));
	wait_remove(&queue, &waiter);
	wake_all(&queue);
	must(calls == 2);
}

SCENARIO(called, "a waiter with a function is called each time, and stays on the queue", set_up,
	 queue_is_empty, { "poller", be_called, 0 });

static void be_called_alone(int unused)
{
	struct waiter first = { .link = LIST_INIT(first.link), .wake = count_call };
	struct waiter second = { .link = LIST_INIT(second.link), .wake = count_call };

	calls = 0;
	wait_add(&queue, &first);
	wait_add(&queue, &second);
	wake_one(&queue);
	must(calls == 1);
	must(queue.waiters.next == &first.link);
	wake_one(&queue);
	must(calls == 2);
	wait_remove(&queue, &first);
	wait_remove(&queue, &second);
	wake_one(&queue);
	must(calls == 2);
}

SCENARIO(called_alone, "wake_one calls the function of the first waiter, which stays on the queue",
	 set_up, queue_is_empty, { "poller", be_called_alone, 0 });

static bool pass_on(struct waiter *waiter, enum wake_reason reason)
{
	calls++;
	return true;
}

static void share(int unused)
{
	struct waiter first = { .link = LIST_INIT(first.link), .wake = pass_on, .exclusive = true };
	struct waiter second = { .link = LIST_INIT(second.link),
				 .wake = pass_on,
				 .exclusive = true };
	struct waiter other = { .link = LIST_INIT(other.link), .wake = count_call };

	calls = 0;
	wait_add(&queue, &first);
	wait_add(&queue, &second);
	wait_add(&queue, &other);
	wake_all(&queue);
	must(calls == 2);
	wake_all_for(&queue, WAKE_STATE);
	must(calls == 5);
	wait_remove(&queue, &first);
	wake_all(&queue);
	must(calls == 7);
	wait_remove(&queue, &second);
	wait_remove(&queue, &other);
}

SCENARIO(shared, "one of two exclusive waiters is told of an event, and both of a change of state",
	 set_up, queue_is_empty, { "poller", share, 0 });

/* ---- wake_one: each waiter takes one of what there is ---- */

static bool take_one(void)
{
	bool taken;

	spin_lock(&lock);
	taken = value > 0;
	value -= taken;
	spin_unlock(&lock);
	return taken;
}

static void take(int n)
{
	struct waiter waiter = { .link = LIST_INIT(waiter.link) };

	while (n-- > 0) {
		for (;;) {
			wait_prepare(&queue, &waiter, TASK_UNINTERRUPTIBLE);
			if (take_one())
				break;
			schedule();
		}
		wait_finish(&queue, &waiter);
	}
}

static void give(int n)
{
	while (n-- > 0) {
		spin_lock(&lock);
		value++;
		spin_unlock(&lock);
		wake_one(&queue);
	}
}

static void give_all(int n)
{
	raise(n);
	wake_all(&queue);
}

SCENARIO(wake_one_one, "wake_one, and a waiter that takes two things", set_up, queue_is_empty,
	 { "taker", take, 2 }, { "giver", give, 2 });

SCENARIO(wake_all_takers, "wake_all, and two waiters that take one thing each", set_up,
	 queue_is_empty, { "taker1", take, 1 }, { "taker2", take, 1 }, { "giver", give_all, 2 });

/* ---- a condition without a lock: the barriers must do ---- */

static bool reached_unlocked(unsigned int n)
{
	return READ_ONCE(value) >= n;
}

static void wait_unlocked(int n)
{
	wait_event(&queue, reached_unlocked(n));
}

static void raise_by_exchange(int n)
{
	(void)__atomic_exchange_n(&value, n, __ATOMIC_SEQ_CST);
	wake_all(&queue);
}

SCENARIO(wait_unlocked_two, "a condition that is set by an exchange, without a lock", set_up,
	 queue_is_empty, { "waiter1", wait_unlocked, 1 }, { "waiter2", wait_unlocked, 1 },
	 { "waker", raise_by_exchange, 1 });

/* ---- task_wake without a queue, as poll and futex use it ---- */

static void wait_for_flag(int n)
{
	while (READ_ONCE(value) != 1) {
		(void)__atomic_exchange_n(&current->state, TASK_UNINTERRUPTIBLE, __ATOMIC_SEQ_CST);
		if (READ_ONCE(value) != 1)
			schedule();
		current->state = TASK_RUNNING;
	}
}

static void set_flag_and_wake(int task)
{
	WRITE_ONCE(value, 1);
	task_wake(&ex_tasks[task]);
}

SCENARIO(wake_task, "a task is woken after a plain store", set_up, queue_is_empty,
	 { "sleeper", wait_for_flag, 0 }, { "waker", set_flag_and_wake, 0 });

/* ---- a kill ends a wait ---- */

static void wait_killable(int n)
{
	int error = wait_event_killable(&queue, reached(n));

	must(error == 0 || (error == -ERESTARTSYS && ex_killed()));
}

static void kill_first(int unused)
{
	ex_kill(0);
}

SCENARIO(wait_killed, "a kill and a wakeup of another waiter", set_up, queue_is_empty,
	 { "killed", wait_killable, 9 }, { "waiter1", wait_for, 1 }, { "killer", kill_first, 0 },
	 { "waker", raise_and_wake_all, 1 });
