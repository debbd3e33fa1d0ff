/*
 * Threads: their signals, their registers, their names, and many of them.
 */
#include "signals.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

static volatile pthread_t signalled;
static void note_thread(int sig)
{
	signalled = pthread_self();
	hits++;
}

TEST(signals_to_threads, 20,
     "pthread_kill reaches its thread; a signal to the process one that lets it in")
{
	sigset_t set = set_of(SIGUSR2);
	pthread_t a, b;

	handle(SIGUSR1, note_thread, 0);
	handle(SIGUSR2, note_thread, 0);
	CHECK(pthread_create(&a, NULL, spin, NULL) == 0);
	CHECK(pthread_create(&b, NULL, spin, (void *)1) == 0);
	test_sleep_ms(100);
	CHECK(pthread_kill(b, SIGUSR1) == 0);
	while (hits < 1)
		sched_yield();
	CHECK(pthread_equal(signalled, b));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	while (hits < 2)
		sched_yield();
	CHECK(pthread_equal(signalled, a));
	stop_threads = 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

static void *create_one(void *arg)
{
	return arg;
}

TEST(thread_storm, 60, "five hundred threads made and joined")
{
	for (int i = 0; i < 500; i++) {
		pthread_t thread;
		void *result;

		CHECK(pthread_create(&thread, NULL, create_one, (void *)i) == 0);
		CHECK(pthread_join(thread, &result) == 0 && result == (void *)i);
	}
}

TEST(clone_errors, 5, "clone refuses flags that do not go together")
{
	CHECK(syscall(SYS_clone, 0x800, 0, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_clone, 0x10000, 0, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_clone, 0x10800, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

struct registers {
	unsigned char bytes[8][16];
};

static void load_registers(const struct registers *from)
{
	__asm__ volatile("movups (%0), %%xmm0\n movups 16(%0), %%xmm1\n"
			 "movups 32(%0), %%xmm2\n movups 48(%0), %%xmm3\n"
			 "movups 64(%0), %%xmm4\n movups 80(%0), %%xmm5\n"
			 "movups 96(%0), %%xmm6\n movups 112(%0), %%xmm7\n" ::"r"(from)
			 : "memory");
}

static void store_registers(struct registers *to)
{
	__asm__ volatile("movups %%xmm0, (%0)\n movups %%xmm1, 16(%0)\n"
			 "movups %%xmm2, 32(%0)\n movups %%xmm3, 48(%0)\n"
			 "movups %%xmm4, 64(%0)\n movups %%xmm5, 80(%0)\n"
			 "movups %%xmm6, 96(%0)\n movups %%xmm7, 112(%0)\n" ::"r"(to)
			 : "memory");
}

/* A long read or write, of memory that is not there yet, with registers full of `byte`. */
static bool move_keeps(int fd, bool out, int byte)
{
	const size_t size = 40000;
	struct registers before, after;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t done = 0;

	memset(&before, byte, sizeof(before));
	load_registers(&before);
	while (done < size) {
		ssize_t n = out ? write(fd, memory + done, size - done)
				: read(fd, memory + done, size - done);

		if (n <= 0)
			return false;
		done += n;
	}
	store_registers(&after);
	munmap(memory, size);
	return memcmp(&before, &after, sizeof(before)) == 0;
}

TEST(registers_stay, 20, "long copies and switches leave a program's vector registers as they were")
{
	int fds[2];
	pid_t child;

	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 50; i++)
			if (!move_keeps(fds[1], true, 100 + i))
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 50; i++)
		CHECK(move_keeps(fds[0], false, i));
	CHECK(wait_status(child) == 0);
}

TEST(names, 5, "prctl sets and gets the name")
{
	char name[16];

	CHECK(prctl(PR_SET_NAME, "a-long-name-that-is-cut", 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "a-long-name-tha") == 0);
	CHECK(prctl(12345, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return (char *)arg + 1;
}

TEST(threads, 60, "threads share memory; mutexes and join work")
{
	pthread_t threads[4];
	void *result;

	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_up, (void *)i), 0);
	for (long i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, i + 1);
	}
	CHECK_EQ(counter, 80000);
}

static void *sleeper(void *arg)
{
	while (arg == NULL)
		pause();
	return arg;
}

TEST(exit_with_threads, 10, "exit ends all threads, exec too")
{
	pthread_t thread;
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleeper, NULL);
		exit(5);
	}
	CHECK_EQ(test_wait(child), 5);
	child = fork();
	if (!child) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleeper, NULL);
		execl("/bin/sh", "sh", "-c", "exit 6", NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 6);
}
