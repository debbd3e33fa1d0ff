/* Locks with priority inheritance: owners, waiters, and the urgency that is lent. */
#include "futex_pi.h"
#include "background.h"
#include "text_files.h"

#include <pthread.h>
#include <sched.h>

/* The priority that the scheduler obeys, field 18 of /proc/PID/stat: 20 + nice, or -1 - urgency. */
static int priority_of(pid_t pid)
{
	const char *field = strrchr(contents("/proc/%d/stat", pid), ')') + 2;
	int priority = 0;

	for (int i = 3; i < 18; i++)
		field = strchr(field, ' ') + 1;
	CHECK(sscanf(field, "%d", &priority) == 1);
	return priority;
}

static void be_urgent(pid_t pid, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	CHECK_EQ(syscall(SYS_sched_setscheduler, pid, priority ? SCHED_FIFO : SCHED_OTHER, &param),
		 0);
}

/* ---- the word ---- */

TEST(pi_word, 5, "a free lock gets the number of its owner, which gives it up again")
{
	static word_t word;

	CHECK_EQ(lock(&word), 0);
	CHECK_EQ(word, tid());
	CHECK_ERR(lock(&word), EDEADLK);
	CHECK_ERR(try_lock(&word), EDEADLK);
	CHECK_EQ(unlock(&word), 0);
	CHECK_EQ(word, 0);
	CHECK_EQ(try_lock(&word), 0);
	CHECK_EQ(word, tid());
	word |= FUTEX_WAITERS;
	CHECK_EQ(unlock(&word), 0);
	CHECK_EQ(word, 0);
	word = FUTEX_OWNER_DIED;
	CHECK_EQ(lock(&word), 0);
	CHECK_EQ(word, FUTEX_OWNER_DIED | tid());
	CHECK_EQ(unlock(&word), 0);
	CHECK_EQ(word, 0);
}

TEST(pi_errors, 5, "wrong owners, numbers, addresses and times are refused")
{
	static word_t word;
	word_t *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(unlock(&word), EPERM);
	word = 1;
	CHECK_ERR(unlock(&word), EPERM);
	word = 4194303; /* above PID_MAX */
	CHECK_ERR(lock(&word), ESRCH);
	CHECK_ERR(try_lock(&word), ESRCH);
	CHECK_ERR(lock((word_t *)((char *)&word + 2)), EINVAL);
	CHECK_ERR(lock(NULL), EFAULT);
	CHECK_ERR(unlock(NULL), EFAULT);
	CHECK_ERR(lock(read_only), EFAULT);
	word = 0;
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, (long[2]){ 0, -1 }), EINVAL);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, (void *)8), EFAULT);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL), ENOSYS);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI | FUTEX_CLOCK_REALTIME, 0), ENOSYS);
	CHECK_EQ(syscall(SYS_futex, &word, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, NULL), 0);
	CHECK_EQ(word, tid());
}

/* ---- handing over ---- */

static pid_t child_locks(word_t *word, int priority)
{
	pid_t child = fork();

	if (child == 0) {
		if (priority)
			be_urgent(0, priority);
		if (lock(word) < 0)
			_exit(errno);
		word[8] = word[8] * 10 + priority;
		_exit(unlock(word) < 0 ? errno : 0);
	}
	await_sleep(child);
	return child;
}

TEST(pi_order, 10, "the most urgent waiter gets the lock, by its number in the word")
{
	word_t *word = shared();
	pid_t children[3];

	CHECK_EQ(lock(word), 0);
	for (int i = 0; i < 3; i++)
		children[i] = child_locks(word, (int[]){ 3, 9, 6 }[i]);
	CHECK_EQ(word[0], FUTEX_WAITERS | tid());
	/* What counts is how urgent they are now. */
	be_urgent(children[2], 20);
	CHECK_EQ(unlock(word), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(wait_status(children[i]), 0);
	CHECK_EQ(word[8], 693);
	CHECK_EQ(word[0], 0);
}

TEST(pi_mixed, 10,
     "waiters for a lock are not woken or moved, and others are no waiters for a lock")
{
	word_t *word = shared();
	pid_t child;

	CHECK_EQ(lock(word), 0);
	child = child_locks(word, 0);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_WAKE, 1), EINVAL);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_REQUEUE, 0, 1, word + 1), EINVAL);
	CHECK_EQ(unlock(word), 0);
	CHECK_EQ(wait_status(child), 0);
	child = fork();
	if (child == 0) {
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL);
		_exit(0);
	}
	await_sleep(child);
	word[0] = 1;
	CHECK_ERR(lock(word), EINVAL);
	word[0] = tid();
	CHECK_ERR(unlock(word), EINVAL);
	CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1), 1);
	CHECK_EQ(wait_status(child), 0);
}

TEST(pi_timeout, 10, "a wait for a lock ends at a time of the wall clock, or of the clock named")
{
	static const int ops[] = { FUTEX_LOCK_PI, FUTEX_LOCK_PI2,
				   FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME };
	word_t *word = shared();

	CHECK_EQ(lock(word), 0);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			struct timespec start, end;

			clock_gettime(CLOCK_MONOTONIC, &start);
			clock_gettime(i == 1 ? CLOCK_MONOTONIC : CLOCK_REALTIME, &end);
			end.tv_nsec += 50000000;
			CHECK_ERR(syscall(SYS_futex, word, ops[i], 0,
					  (long[2]){ end.tv_sec + end.tv_nsec / 1000000000,
						     end.tv_nsec % 1000000000 }),
				  ETIMEDOUT);
			clock_gettime(CLOCK_MONOTONIC, &end);
			_exit(end.tv_sec == start.tv_sec && end.tv_nsec - start.tv_nsec < 49000000);
		}
		CHECK_EQ(wait_status(child), 0);
	}
	CHECK_EQ(unlock(word), 0);
	CHECK_EQ(word[0], 0);
}

TEST(pi_try_owned, 5,
     "TRYLOCK_PI of a lock that another task has fails, and asks the owner to tell us")
{
	word_t *word = shared();
	int status;

	CHECK_EQ(lock(word), 0);
	pid_t child = fork();

	if (child == 0) {
		CHECK_ERR(try_lock(word), EAGAIN);
		_exit(0);
	}
	status = wait_status(child);
	CHECK_EQ(status, 0);
	CHECK_EQ(word[0], FUTEX_WAITERS | tid());
	CHECK_EQ(unlock(word), 0);
}

static void nothing(int signo)
{
}

TEST(pi_signal, 10, "a wait for a lock goes on after a signal, whatever the handler's flags are")
{
	word_t *word = shared();

	CHECK_EQ(lock(word), 0);
	struct sigaction action = { .sa_handler = nothing };
	pid_t child;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	child = child_locks(word, 0);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	await_sleep(child);
	CHECK_EQ(unlock(word), 0);
	CHECK_EQ(wait_status(child), 0);
}

/* ---- owners that end ---- */

TEST(pi_owner_dies, 10, "the lock of an owner that ends goes to a waiter, which is told so")
{
	word_t *word = shared();
	pid_t owner = fork();

	if (owner == 0) {
		CHECK_EQ(lock(word), 0);
		pause();
	}
	await_sleep(owner);
	CHECK_EQ(word[0], owner);
	pid_t waiter = fork();

	if (waiter == 0) {
		CHECK_EQ(lock(word), 0);
		CHECK_EQ(word[0], FUTEX_OWNER_DIED | FUTEX_WAITERS | tid());
		CHECK_EQ(unlock(word), 0);
		_exit(0);
	}
	await_sleep(waiter);
	CHECK_EQ(kill(owner, SIGKILL), 0);
	CHECK_EQ(wait_status(owner), SIGKILL);
	CHECK_EQ(wait_status(waiter), 0);
	CHECK_EQ(word[0], 0);
}

TEST(pi_waiter_dies, 10, "a waiter that is killed neither gets the lock nor makes others wait")
{
	word_t *word = shared();
	pid_t first, second;

	CHECK_EQ(lock(word), 0);
	first = child_locks(word, 0);
	second = child_locks(word, 0);
	CHECK_EQ(kill(first, SIGKILL), 0);
	CHECK_EQ(wait_status(first), SIGKILL);
	CHECK_EQ(unlock(word), 0);
	CHECK_EQ(wait_status(second), 0);
	CHECK_EQ(word[0], 0);
}

TEST(pi_dead_owner, 5, "a lock whose owner ended before anybody waited is refused with ESRCH")
{
	word_t *word = shared();
	pid_t owner = fork();

	if (owner == 0) {
		CHECK_EQ(lock(word), 0);
		_exit(0);
	}
	CHECK_EQ(wait_status(owner), 0);
	CHECK_ERR(lock(word), ESRCH);
	CHECK_EQ(word[0], FUTEX_WAITERS | owner);
}

/* ---- circles ---- */

static word_t a, b;

static void *second_of_circle(void *arg)
{
	CHECK_EQ(lock(&b), 0);
	CHECK_EQ(lock(&a), 0);
	CHECK_EQ(unlock(&a), 0);
	CHECK_EQ(unlock(&b), 0);
	return NULL;
}

TEST(pi_circle, 10, "two tasks that would wait for each other: the second one is refused")
{
	pthread_t thread;

	CHECK_EQ(lock(&a), 0);
	CHECK_EQ(pthread_create(&thread, NULL, second_of_circle, NULL), 0);
	while (a != (FUTEX_WAITERS | tid()))
		sched_yield();
	CHECK_ERR(lock(&b), EDEADLK);
	CHECK_EQ(unlock(&a), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(a, 0);
}

/* ---- inheritance ---- */

TEST(pi_inherited, 10,
     "an owner is as urgent as its most urgent waiter, along a chain, until it unlocks")
{
	word_t *word = shared();
	pid_t owner = fork(), middle, urgent;
	struct sched_param param;

	if (owner == 0) {
		CHECK_EQ(lock(word), 0);
		while (!word[16])
			usleep(1000);
		CHECK_EQ(unlock(word), 0);
		word[16] = 0;
		pause();
	}
	while (word[0] != owner)
		usleep(1000);
	middle = fork();
	if (middle == 0) {
		CHECK_EQ(lock(word + 1), 0);
		CHECK_EQ(lock(word), 0);
		pause();
	}
	while (word[0] != (FUTEX_WAITERS | owner))
		usleep(1000);
	await_sleep(middle);
	CHECK_EQ(priority_of(owner), 20);
	urgent = child_locks(word + 1, 30);
	CHECK_EQ(priority_of(middle), -31);
	CHECK_EQ(priority_of(owner), -31);
	/* What programs are told is the own priority. */
	CHECK_EQ(syscall(SYS_sched_getparam, owner, &param), 0);
	CHECK_EQ(param.sched_priority, 0);
	be_urgent(urgent, 40);
	CHECK_EQ(priority_of(owner), -41);
	be_urgent(owner, 50);
	CHECK_EQ(priority_of(owner), -51);
	be_urgent(owner, 5);
	CHECK_EQ(priority_of(owner), -41);
	word[16] = 1;
	while (word[16])
		usleep(1000);
	CHECK_EQ(priority_of(owner), -6);
	CHECK_EQ(priority_of(middle), -41);
	CHECK_EQ(word[0], FUTEX_WAITERS | middle);
	/* The end of a waiter takes its urgency back. */
	CHECK_EQ(kill(urgent, SIGKILL), 0);
	CHECK_EQ(wait_status(urgent), SIGKILL);
	CHECK_EQ(priority_of(middle), 20);
	CHECK_EQ(kill(owner, SIGKILL), 0);
	CHECK_EQ(kill(middle, SIGKILL), 0);
	wait_status(owner);
	wait_status(middle);
}

TEST(pi_scheduled, 20, "a task of middle urgency does not keep an owner from giving up a lock")
{
	word_t *word = shared();
	pid_t owner, urgent, middle;

	stay_on(0);
	be_urgent(0, 60);
	owner = fork();
	if (owner == 0) {
		be_urgent(0, 1);
		CHECK_EQ(lock(word), 0);
		word[16] = 1;
		while (!word[17])
			;
		CHECK_EQ(unlock(word), 0);
		_exit(0);
	}
	while (!word[16])
		usleep(1000);
	urgent = fork();
	if (urgent == 0) {
		be_urgent(0, 50);
		CHECK_EQ(lock(word), 0);
		word[18] = 1;
		_exit(0);
	}
	await_sleep(urgent);
	middle = fork();
	if (middle == 0) {
		be_urgent(0, 20);
		while (!word[18] && !word[19])
			;
		_exit(word[18] == 0);
	}
	word[17] = 1;
	/*
	 * We are asleep, so the most urgent of the others has the CPU: the owner, as urgent as
	 * `urgent`.
	 */
	for (int ms = 0; ms < 10000 && !word[18]; ms++)
		usleep(1000);
	word[19] = 1;
	CHECK_EQ(wait_status(middle), 0);
	CHECK_EQ(wait_status(urgent), 0);
	CHECK_EQ(wait_status(owner), 0);
}
