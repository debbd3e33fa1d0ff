/* Mutexes: contention, and a kill while a task waits. */
#include "kernel/mutex.h"
#include "shim.h"

static struct mutex mutex;
static unsigned int counter;

static void set_up(void)
{
	mutex_init(&mutex, "mutex");
}

static void count(int n)
{
	while (n-- > 0) {
		mutex_lock(&mutex);
		counter++;
		mutex_unlock(&mutex);
	}
}

static void count_killable(int n)
{
	int error = mutex_lock_killable(&mutex);

	must(error == 0 || ex_killed());
	if (error)
		return;
	counter++;
	mutex_unlock(&mutex);
}

static void kill_first(int unused)
{
	ex_kill(0);
}

static void is_free(void)
{
	must(!mutex.owner && list_empty(&mutex.queue.waiters));
}

static void counted_two(void)
{
	is_free();
	must(counter == 2);
}

static void counted_three(void)
{
	is_free();
	must(counter == 3);
}

SCENARIO(mutex_two, "two tasks, two rounds for one of them", set_up, counted_three,
	 { "a", count, 2 }, { "b", count, 1 });

SCENARIO(mutex_three, "three tasks", set_up, counted_three, { "a", count, 1 }, { "b", count, 1 },
	 { "c", count, 1 });

SCENARIO(mutex_killed, "a task is killed while others want the mutex, too", set_up, is_free,
	 { "killed", count_killable, 1 }, { "a", count, 1 }, { "b", count, 1 },
	 { "killer", kill_first, 0 });

SCENARIO(mutex_two_rounds, "two tasks, one round each", set_up, counted_two, { "a", count, 1 },
	 { "b", count, 1 });
