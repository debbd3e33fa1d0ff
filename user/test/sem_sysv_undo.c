/* System V semaphores: SEM_UNDO. */
#include "sem_sysv.h"

/* Semaphore 0 has this value when a child that calls the function has ended with status 0. */
static void leaves(void (*function)(void), int left)
{
	CHECK_EQ(in_child(function), 0);
	CHECK_EQ(value(0), left);
}

static void take_and_exit(void)
{
	CHECK_EQ(op(0, -1, SEM_UNDO), 0);
	CHECK_EQ(op(1, 3, SEM_UNDO), 0);
	CHECK_EQ(op(1, 1, 0), 0);
}

static void take_and_die(void)
{
	take_and_exit();
	raise(SIGKILL);
}

static void wait_for_undo(void)
{
	CHECK_EQ(op(0, -2, 0), 0);
}

TEST(undone, 10, "what was done with SEM_UNDO is undone at the end, and others who wait go on")
{
	pid_t waiter;

	set_up(2);
	set(0, 2);
	leaves(take_and_exit, 2);
	CHECK_EQ(value(1), 1);
	set(0, 1);
	waiter = in_background(wait_for_undo);
	await(0, GETNCNT, 1);
	set(0, 1);
	CHECK_EQ(in_child(take_and_die), 128 + SIGKILL);
	CHECK_EQ(value(0), 1);
	CHECK_EQ(value(1), 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(waiter), 0);
	clean_up();
}

static void hold_until_told(void)
{
	CHECK_EQ(op(0, -1, SEM_UNDO), 0);
	CHECK_EQ(op(1, -1, 0), 0);
}

static void take_what_was_held(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
}

TEST(undo_wakes, 10, "a task that waits for what another one holds gets it when that ends")
{
	pid_t holder, waiter;

	set_up(2);
	set(0, 1);
	holder = in_background(hold_until_told);
	await(1, GETNCNT, 1);
	waiter = in_background(take_what_was_held);
	await(0, GETNCNT, 1);
	CHECK_EQ(op(1, 1, 0), 0);
	CHECK_EQ(test_wait(holder), 0);
	CHECK_EQ(test_wait(waiter), 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void exec_with_undo(void)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	execl("/bin/sh", "sh", "-c", "exit 9", NULL);
}

static void add_and_fork(void)
{
	pid_t child;

	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	child = fork();
	if (!child)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(value(0), 1); /* a child inherits nothing to undo */
}

static void undo_below_zero(void)
{
	CHECK_EQ(op(0, 5, SEM_UNDO), 0);
	CHECK_EQ(op(0, -3, 0), 0);
}

static void undo_is_forgotten(void)
{
	CHECK_EQ(op(0, 5, SEM_UNDO), 0);
	set(0, 4);
}

static void undo_has_a_limit(void)
{
	for (int i = 0; i < 32768; i++) {
		CHECK_EQ(op(0, 1, SEM_UNDO), 0);
		CHECK_EQ(op(0, -1, 0), 0);
	}
	CHECK_ERR(op(0, 1, SEM_UNDO), ERANGE);
	CHECK_EQ(value(0), 0);
}

TEST(undo_rules, 10,
     "exec keeps it, fork does not hand it on, SETVAL forgets it, and it has limits")
{
	set_up(1);
	CHECK_EQ(in_child(exec_with_undo), 9);
	CHECK_EQ(value(0), 0);
	leaves(add_and_fork, 0);
	leaves(undo_below_zero, 0);
	leaves(undo_is_forgotten, 4);
	set(0, 0);
	CHECK_EQ(in_child(undo_has_a_limit), 0);
	clean_up();
}

static void remove_with_undo(void)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	clean_up();
	set_up(1);
}

TEST(undo_removed, 10, "a set that was removed has nothing to undo")
{
	struct seminfo info;
	struct semid_ds ds;

	set_up(1);
	CHECK_EQ(in_child(remove_with_undo), 0);
	CHECK_ERR(value(0), EINVAL);
	/* The child's second set is still there, and nothing has changed it. */
	id = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	CHECK(id >= 0);
	id = semctl(id, 0, SEM_STAT, (union semun){ .buf = &ds });
	CHECK(id >= 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void *add_with_undo(void *unused)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	return unused;
}

static void threads_share(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, add_with_undo, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(value(0), 1); /* the thread has ended, and the process lives */
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
}

static int add_and_end(void *unused)
{
	(void)unused;
	op(0, 1, SEM_UNDO);
	return 0;
}

static void clone_shares(bool share)
{
	static char stack[16384] __attribute__((aligned(16)));
	pid_t child = clone(add_and_end, stack + sizeof(stack),
			    SIGCHLD | CLONE_VM | (share ? CLONE_SYSVSEM : 0), NULL);

	CHECK(child > 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(value(0), share);
}

static void clone_with(void)
{
	clone_shares(true);
}

static void clone_without(void)
{
	clone_shares(false);
}

TEST(undo_shared, 10,
     "CLONE_SYSVSEM: what is to be undone belongs to all, and the last one undoes it")
{
	set_up(1);
	leaves(threads_share, 0);
	leaves(clone_with, 0);
	leaves(clone_without, 0);
	clean_up();
}
