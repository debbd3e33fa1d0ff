/*
 * Condition variables whose waiters are moved to a lock with priority inheritance, and such locks
 * in the C library.
 */
#include "futex_pi.h"
#include "background.h"
#include <pthread.h>

static pid_t child_waits(word_t *word, long *timeout)
{
	pid_t child = fork();

	if (child == 0) {
		if (syscall(SYS_futex, word, FUTEX_WAIT_REQUEUE_PI, 7, timeout, word + 1, 0) < 0)
			_exit(errno);
		word[8]++;
		_exit(unlock(word + 1) < 0 ? errno : 0);
	}
	return child;
}

static long requeue(word_t *word, int wake, int move, int value)
{
	return syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PI, wake, move, word + 1, value);
}

TEST(pi_requeue, 10, "waiters of a condition get its lock, or wait for it, one by one")
{
	word_t *word = shared();
	pid_t children[3];

	word[0] = 7;
	for (int i = 0; i < 3; i++)
		await_sleep(children[i] = child_waits(word, NULL));
	CHECK_ERR(requeue(word, 1, 9, 8), EAGAIN);
	CHECK_ERR(requeue(word, 2, 9, 7), EINVAL);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_WAKE, 1), EINVAL);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_REQUEUE, 1, 1, word + 1), EINVAL);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PI, 1, 9, word + 2, 7), EINVAL);
	CHECK_EQ(lock(word + 1), 0);
	CHECK_EQ(requeue(word, 1, 0, 7), 1);
	CHECK_EQ(requeue(word, 1, 9, 7), 2);
	CHECK_EQ(word[1], FUTEX_WAITERS | tid());
	CHECK_EQ(word[8], 0);
	CHECK_EQ(unlock(word + 1), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(wait_status(children[i]), 0);
	CHECK_EQ(word[8], 3);
	await_sleep(children[0] = child_waits(word, NULL));
	CHECK_EQ(requeue(word, 1, 0, 7), 1);
	CHECK_EQ(wait_status(children[0]), 0);
	CHECK_EQ(word[1], 0);
}

TEST(pi_requeue_errors, 10, "a wait to be moved ends in time, and with another value")
{
	word_t *word = shared();
	struct timespec soon;
	long time[2];

	CHECK_ERR(syscall(SYS_futex, word, FUTEX_WAIT_REQUEUE_PI, 7, NULL, word + 1, 0), EAGAIN);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, word, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PI, 1, 1, word, 0), EINVAL);
	CHECK_EQ(requeue(word, 1, 1, 0), 0);
	word[0] = 7;
	clock_gettime(CLOCK_MONOTONIC, &soon);
	time[0] = soon.tv_sec + (soon.tv_nsec > 900000000);
	time[1] = (soon.tv_nsec + 100000000) % 1000000000;
	CHECK_EQ(wait_status(child_waits(word, time)), ETIMEDOUT << 8);
	/* It has been moved when the time is over. */
	CHECK_EQ(lock(word + 1), 0);
	clock_gettime(CLOCK_MONOTONIC, &soon);
	time[0] = soon.tv_sec + 2;
	time[1] = soon.tv_nsec;
	pid_t child = child_waits(word, time);

	await_sleep(child);
	CHECK_EQ(requeue(word, 1, 1, 7), 1);
	CHECK_EQ(wait_status(child), ETIMEDOUT << 8);
	CHECK_EQ(unlock(word + 1), 0);
	CHECK_EQ(word[1], 0);
}

/* ---- the C library ---- */

static pthread_mutex_t mutex;
static int counter;

static void *count(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		if (i % 64 == 0)
			sched_yield();
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(pi_mutexes, 30, "PTHREAD_PRIO_INHERIT mutexes exclude")
{
	pthread_mutexattr_t attributes;
	pthread_t threads[4];

	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(counter, 8000);
}

static volatile bool has_mutex;

static void *die_with_mutex(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
	has_mutex = true;
	if (arg)
		await_sleep(getpid()); /* the first thread, which waits for the mutex */
	return NULL;
}

TEST(pi_robust, 10, "the next owner of a robust mutex with PTHREAD_PRIO_INHERIT learns of the end")
{
	pthread_mutexattr_t attributes;
	pthread_t thread;

	CHECK_EQ(pthread_mutexattr_init(&attributes), 0);
	CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
	for (int i = 0; i < 2; i++) {
		has_mutex = false;
		CHECK_EQ(pthread_create(&thread, NULL, die_with_mutex, (void *)i), 0);
		if (i == 0)
			CHECK_EQ(pthread_join(thread, NULL), 0);
		while (!has_mutex)
			sched_yield();
		CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
		CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
		CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
		if (i == 1)
			CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}
