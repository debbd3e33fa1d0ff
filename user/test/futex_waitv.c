/*
 * futex_waitv: waiting for one of several words.
 */
#include "user/test/test.h"

#include <pthread.h>

#define FUTEX_WAKE    1
#define FUTEX_REQUEUE 3
#define FUTEX_32      2
#define FUTEX_PRIVATE 128
#define FUTEX_WAITV   449

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static volatile uint32_t words[130];

static long waitv(struct waiter *waiters, unsigned int nr, unsigned int flags, int64_t *time,
		  int clock)
{
	return syscall(FUTEX_WAITV, waiters, nr, flags, time, clock);
}

static struct waiter waiter_of(volatile uint32_t *word, uint32_t value)
{
	return (struct waiter){ value, (uintptr_t)word, FUTEX_32 | FUTEX_PRIVATE, 0 };
}

static int wake(volatile uint32_t *word, int nr)
{
	return syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE, nr);
}

TEST(waitv_errors, 5, "wrong numbers, flags, values, addresses and clocks are refused")
{
	struct waiter two[2] = { waiter_of(&words[0], 0), waiter_of(&words[1], 0) };
	static struct waiter many[129];
	int64_t time[2] = { 0, 0 }, bad[2] = { 0, -1 };

	CHECK_ERR(waitv(two, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(NULL, 1, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(two, 2, 1, NULL, 0), EINVAL);
	CHECK_ERR(waitv(many, 129, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv((struct waiter *)8, 1, 0, NULL, 0), EFAULT);
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(waitv(two, 2, 0, bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), ETIMEDOUT);
	two[1].reserved = 1;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EINVAL);
	two[1].reserved = 0;
	two[1].flags = FUTEX_PRIVATE;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EINVAL);
	two[1].flags = FUTEX_32 | 4;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EINVAL);
	two[1] = waiter_of(&words[1], 7);
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EAGAIN);
	two[1].address++;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EINVAL);
	two[1].address = 0;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_MONOTONIC), EFAULT);
	/* None of these calls has left a waiter behind. */
	CHECK_EQ(wake(&words[0], 9), 0);
}

static void *wait_for_many(void *arg)
{
	static struct waiter waiters[128];

	for (int i = 0; i < 128; i++)
		waiters[i] = waiter_of(&words[i], 0);
	return (void *)waitv(waiters, 128, 0, NULL, 0);
}

TEST(waitv_wakes, 20,
     "a wakeup of one of 128 words ends the wait and tells which; the others are left")
{
	pthread_t thread;
	void *result;

	for (int i = 0; i < 128; i += 42) {
		CHECK_EQ(pthread_create(&thread, NULL, wait_for_many, NULL), 0);
		while (wake(&words[i], 1) == 0)
			usleep(1000);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((long)result, i);
		for (int j = 0; j < 128; j++)
			CHECK_EQ(wake(&words[j], 1), 0);
	}
}

TEST(waitv_moved, 20, "a waiter that is moved to another word is woken there")
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, wait_for_many, NULL), 0);
	while (syscall(SYS_futex, &words[5], FUTEX_REQUEUE | FUTEX_PRIVATE, 0, 1, &words[129]) == 0)
		usleep(1000);
	CHECK_EQ(wake(&words[5], 1), 0);
	CHECK_EQ(wake(&words[129], 1), 1);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK_EQ((long)result, 5);
}

TEST(waitv_shared, 10, "words in shared memory, and a timeout by the wall clock")
{
	volatile uint32_t *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct waiter two[2] = { waiter_of(&words[0], 0), waiter_of(word, 0) };
	struct timespec now;
	int64_t time[2];
	int status;

	CHECK(word != MAP_FAILED);
	two[1].flags = FUTEX_32;
	pid_t child = fork();

	if (child == 0)
		_exit(waitv(two, 2, 0, NULL, 0) == 1 ? 0 : 1);
	while (syscall(SYS_futex, word, FUTEX_WAKE, 1) == 0)
		usleep(1000);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	time[0] = now.tv_sec;
	time[1] = now.tv_nsec;
	CHECK_ERR(waitv(two, 2, 0, time, CLOCK_REALTIME), ETIMEDOUT);
}

static void nothing(int signo)
{
}

TEST(waitv_signal, 10, "a signal whose handler does not restart calls ends the wait")
{
	struct waiter one = waiter_of(&words[0], 0);
	struct sigaction action = { .sa_handler = nothing };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	alarm(1);
	CHECK_ERR(waitv(&one, 1, 0, NULL, 0), EINTR);
	CHECK_EQ(wake(&words[0], 1), 0);
}
