/*
 * Futexes, and what the C library builds from them.
 */
#include "background.h"
#include "signals.h"
#include <pthread.h>

#define FUTEX_WAIT	     0
#define FUTEX_WAKE	     1
#define FUTEX_REQUEUE	     3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP	     5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_CLOCK_REALTIME 256

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turns, turn;

static void *take_turns(void *arg)
{
	int me = (int)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&cond, &mutex);
		turn = (turn + 1) % 4;
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(condition_variables, 60, "four threads take turns by a condition variable, two thousand times")
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(turns == 2000);
}

TEST(condition_timeout, 10, "pthread_cond_timedwait times out when it should")
{
	struct timespec ts, before, after;

	clock_gettime(CLOCK_REALTIME, &ts);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ts.tv_nsec += 200000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	CHECK(pthread_cond_timedwait(&cond, &mutex, &ts) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	clock_gettime(CLOCK_MONOTONIC, &after);
	long ms =
		(after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;

	CHECK(ms >= 195 && ms < 1500);
}

TEST(shared_futex, 20, "a futex in shared memory is one for two processes, wherever it is mapped")
{
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(word != MAP_FAILED);
	pid_t child = fork();

	if (child == 0) {
		while (*(volatile int *)word == 0)
			syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*word);
	}
	test_sleep_ms(200);
	*word = 9;
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	CHECK(waitpid(child, &status, 0) == child && status == 9 << 8);
}

static int futex_word;
static volatile int woken;
static void *futex_waiter(void *arg)
{
	if (syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | 128, 0, NULL, NULL,
		    (unsigned int)arg) == 0)
		__sync_fetch_and_add(&woken, 1);
	return NULL;
}

TEST(futex_bits, 20,
     "FUTEX_WAKE_BITSET wakes by bits; REQUEUE moves waiters; wrong values are EAGAIN")
{
	static int other;
	pthread_t threads[3];

	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT, 1, NULL) == -1 && errno == EAGAIN);
	CHECK(syscall(SYS_futex, (char *)&futex_word + 1, FUTEX_WAIT, 0, NULL) == -1 &&
	      errno == EINVAL);
	CHECK(syscall(SYS_futex, NULL, FUTEX_WAIT, 0, NULL) == -1 && errno == EFAULT);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, futex_waiter, (void *)(1 << i));
	test_sleep_ms(300);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE_BITSET | 128, 99, NULL, NULL, 2) == 1);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_REQUEUE | 128, 0, 9, &other, 0) == 2);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE | 128, 9, NULL, NULL, 0) == 0);
	CHECK(syscall(SYS_futex, &other, FUTEX_WAKE | 128, 9, NULL, NULL, 0) == 2);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(woken == 3);
}

/* Waits with a time limit of 50 ms by that clock: how long it took, in ms; errno is ETIMEDOUT. */
static long wait_until(clockid_t clock, int flags)
{
	struct timespec start, end;
	long long ns;

	clock_gettime(CLOCK_MONOTONIC, &start);
	clock_gettime(clock, &end);
	ns = end.tv_nsec + 50000000ll;
	/* The call's own struct has 32 bits each. */
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | 128 | flags, 0,
		      &(long[2]){ end.tv_sec + ns / 1000000000, ns % 1000000000 }, NULL, 1) == -1 &&
	      errno == ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
}

TEST(futex_clocks, 20, "FUTEX_WAIT_BITSET waits until a time of the clock that it names")
{
	long ms = wait_until(CLOCK_MONOTONIC, 0);

	CHECK(ms >= 49 && ms < 5000);
	ms = wait_until(CLOCK_REALTIME, FUTEX_CLOCK_REALTIME);
	CHECK(ms >= 49 && ms < 5000);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1) == -1 &&
	      errno == ENOSYS);
}

TEST(compared_requeue, 20, "FUTEX_CMP_REQUEUE moves waiters only while the word has a value")
{
	static unsigned int other;
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, futex_waiter, (void *)1);
	test_sleep_ms(300);
	CHECK_ERR(syscall(SYS_futex, &futex_word, FUTEX_CMP_REQUEUE | 128, 1, 9, &other, 5),
		  EAGAIN);
	CHECK_ERR(syscall(SYS_futex, &futex_word, FUTEX_CMP_REQUEUE | 128, -1, 9, &other, 0),
		  EINVAL);
	CHECK_ERR(syscall(SYS_futex, &futex_word, FUTEX_CMP_REQUEUE | 128, 1, -1, &other, 0),
		  EINVAL);
	CHECK_EQ(syscall(SYS_futex, &futex_word, FUTEX_CMP_REQUEUE | 128, 1, 1, &other, 0), 2);
	CHECK_EQ(syscall(SYS_futex, &other, FUTEX_WAKE | 128, 9), 1);
	CHECK_EQ(syscall(SYS_futex, &futex_word, FUTEX_WAKE | 128, 9), 1);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static unsigned int changed;

/*
 * Returns what the word has become, or -1 if its waiter was woken and should not, or the other way.
 */
static long change(unsigned int from, unsigned int op, int operand, unsigned int compare, int with,
		   bool wakes)
{
	unsigned int code = op << 28 | compare << 24 | (operand & 0xfff) << 12 | (with & 0xfff);
	unsigned int nobody = 0;
	pthread_t thread;
	long woken;

	changed = from;
	pthread_create(&thread, NULL, futex_waiter, (void *)1);
	while (syscall(SYS_futex, &futex_word, FUTEX_REQUEUE | 128, 0, 1, &changed) == 0)
		test_sleep_ms(1);
	woken = syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | 128, 1, 1, &changed, code);
	if (!wakes)
		CHECK_EQ(syscall(SYS_futex, &changed, FUTEX_WAKE | 128, 1), 1);
	pthread_join(thread, NULL);
	return woken == wakes ? changed : -1;
}

TEST(wake_op, 20, "FUTEX_WAKE_OP changes a word, and wakes by its old value")
{
	CHECK_EQ(change(5, 0, 7, 0, 5, true), 7);
	CHECK_EQ(change(5, 1, -3, 1, 5, false), 2);
	CHECK_EQ(change(5, 2, 8, 2, 6, true), 13);
	CHECK_EQ(change(5, 3, 4, 3, 4, false), 1);
	CHECK_EQ(change(5, 4, 1, 4, -1, true), 4);
	CHECK_EQ(change(5, 8 | 2, 4, 5, 6, false), 21);
	CHECK_ERR(syscall(SYS_futex, &changed, FUTEX_WAKE_OP | 128, 1, 1, &changed, 5 << 28),
		  ENOSYS);
	CHECK_ERR(syscall(SYS_futex, &changed, FUTEX_WAKE_OP | 128, 1, 1, &changed, 6 << 24),
		  ENOSYS);
	CHECK_ERR(syscall(SYS_futex, &changed, FUTEX_WAKE_OP | 128, 1, 1, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_futex, &changed, FUTEX_WAKE_OP | 128, 1, 1, 2, 0), EINVAL);
}

static uint32_t *shared_word;

/* Wait for a long time, and end with the error. */
static void wait_long(void)
{
	struct timespec time = { .tv_sec = 1000 };

	if (syscall(SYS_futex, shared_word, FUTEX_WAIT, 0, &time))
		_exit(errno);
}

/* Wait until a time long after the start of the machine. */
static void wait_until_late(void)
{
	struct timespec time = { .tv_sec = 1000000 };

	handle(SIGUSR1, on_signal, SA_RESTART);
	if (syscall(SYS_futex, shared_word, FUTEX_WAIT_BITSET, 0, &time, NULL, -1))
		_exit(errno);
}

static void stop_and_continue(pid_t child)
{
	int status;

	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(kill(child, SIGCONT), 0);
}

TEST(stopped_wait, 20, "a wait with a timeout goes on after a stop, and ends when a handler runs")
{
	pid_t child;

	shared_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared_word != MAP_FAILED);
	child = asleep_in_background(wait_long);
	stop_and_continue(child);
	await_sleep(child);
	CHECK_EQ(syscall(SYS_futex, shared_word, FUTEX_WAKE, 1), 1);
	CHECK_EQ(test_wait(child), 0);
	child = asleep_in_background(wait_until_late);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), EINTR);
}
