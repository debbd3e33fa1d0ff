/*
 * System V semaphores: tasks that wait, in which order they are served, and what ends their waits.
 */
#include "sem_sysv.h"
#include "signals.h"

static void take_two(void)
{
	CHECK_EQ(op(0, -2, 0), 0);
	CHECK_EQ(op(1, 1, 0), 0);
}

static void await_zero(void)
{
	CHECK_EQ(op(0, 0, 0), 0);
}

TEST(waits, 10, "a task waits until the value is large enough, or zero")
{
	pid_t taker, waiter;

	set_up(2);
	taker = in_background(take_two);
	await(0, GETNCNT, 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_EQ(op(0, 1, 0), 0);
	test_sleep_ms(20);
	CHECK_EQ(value(0), 1);
	waiter = in_background(await_zero);
	await(0, GETZCNT, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(taker), 0);
	CHECK_EQ(test_wait(waiter), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(value(1), 1);
	CHECK_EQ(semctl(id, 0, GETPID), waiter);
	clean_up();
}

static int place;

static void take_in_turn(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
	CHECK_EQ(op(1, place, 0), 0);
}

TEST(in_order, 20, "tasks are served in the order in which they came")
{
	pid_t child[4];

	set_up(2);
	for (place = 1; place <= 4; place++) {
		child[place - 1] = in_background(take_in_turn);
		await(0, GETNCNT, place);
	}
	for (int i = 0; i < 4; i++) {
		set(1, 0);
		CHECK_EQ(op(0, 1, 0), 0);
		CHECK_EQ(test_wait(child[i]), 0);
		CHECK_EQ(value(1), i + 1);
	}
	clean_up();
}

static void take_many(void)
{
	CHECK_EQ(op(0, -3, 0), 0);
}

static void take_one(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
}

static void pass_on(void)
{
	struct sembuf sops[] = { { 0, -1, 0 }, { 1, 1, 0 } };

	CHECK_EQ(semop(id, sops, 2), 0);
}

static void take_passed(void)
{
	CHECK_EQ(op(1, -1, 0), 0);
}

TEST(chain, 10, "a large wish does not hold up a small one, and one that was served serves others")
{
	pid_t many, one, passed, passing;

	set_up(2);
	many = in_background(take_many);
	await(0, GETNCNT, 1);
	one = in_background(take_one);
	await(0, GETNCNT, 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(one), 0);
	passed = in_background(take_passed);
	await(1, GETNCNT, 1);
	passing = in_background(pass_on);
	await(0, GETNCNT, 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(passing), 0);
	CHECK_EQ(test_wait(passed), 0);
	set(0, 3); /* so does a value that is set */
	CHECK_EQ(test_wait(many), 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void sees_removal(void)
{
	CHECK_ERR(op(0, -1, 0), EIDRM);
}

TEST(removed, 10, "IPC_RMID ends the waits with EIDRM")
{
	pid_t a, b;

	set_up(1);
	a = in_background(sees_removal);
	b = in_background(sees_removal);
	await(0, GETNCNT, 2);
	clean_up();
	CHECK_EQ(test_wait(a), 0);
	CHECK_EQ(test_wait(b), 0);
}

static void is_interrupted(void)
{
	handle(SIGUSR1, on_signal, SA_RESTART);
	CHECK_ERR(op(0, -1, 0), EINTR);
}

static void waits_for_one(void)
{
	op(0, -1, 0);
}

TEST(interrupted, 10,
     "a signal ends the wait with EINTR, in spite of SA_RESTART, and so does a kill")
{
	pid_t child;

	set_up(1);
	child = in_background(is_interrupted);
	await(0, GETNCNT, 1);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
	child = in_background(waits_for_one);
	await(0, GETNCNT, 1);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(value(0), 1);
	clean_up();
}

TEST(timed, 10, "semtimedop waits for so long, and takes what is there at once")
{
	struct sembuf take = { 0, -1, 0 };
	struct timespec wait = { 0, 50000000 }, none = { 0, 0 }, bad = { 0, 1000000000 };
	long long wide[2] = { 0, 20000000 };
	long long start = test_ms();

	set_up(1);
	CHECK_ERR(semtimedop(id, &take, 1, &wait), EAGAIN);
	CHECK(test_ms() - start >= 49);
	CHECK_ERR(semtimedop(id, &take, 1, &none), EAGAIN);
	CHECK_ERR(semtimedop(id, &take, 1, &bad), EINVAL);
	CHECK_ERR(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, wide), EAGAIN);
	CHECK_ERR(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, 8), EFAULT);
	set(0, 2);
	CHECK_EQ(semtimedop(id, &take, 1, &none), 0);
	CHECK_EQ(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, NULL), 0);
	clean_up();
}

static void take_now(void)
{
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(op(0, -1, SEM_UNDO), 0);
		set(1, value(1) + 1);
		CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	}
}

TEST(exclusion, 20, "a semaphore of one keeps processes apart")
{
	pid_t child[3];

	set_up(2);
	set(0, 1);
	for (int i = 0; i < 3; i++)
		child[i] = in_background(take_now);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(child[i]), 0);
	CHECK_EQ(value(0), 1);
	CHECK_EQ(value(1), 1500);
	clean_up();
}
