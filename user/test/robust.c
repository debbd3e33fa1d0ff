/*
 * Robust locks: what happens to the locks of a thread that ends.
 */
#include "user/test/test.h"
#include "user/test/background.h"

#include <pthread.h>
#include <stddef.h>

#define FUTEX_WAIT	 0
#define FUTEX_WAITERS	 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u

#define OFFSET		 (offsetof(struct lock, word) - offsetof(struct lock, link))

struct robust_list {
	struct robust_list *next;
};

struct robust_list_head {
	struct robust_list list;
	long futex_offset;
	struct robust_list *list_op_pending;
};

struct lock {
	struct robust_list link;
	int other;
	volatile uint32_t word;
};

static struct shared {
	struct robust_list_head head;
	struct lock locks[4];
} * shared;

static long futex(volatile uint32_t *word, int op, uint32_t value, void *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static void make_list(void)
{
	struct robust_list *last;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	last = (struct robust_list *)&shared->head;
	shared->head.futex_offset = OFFSET;
	for (int i = 0; i < 3; i++) {
		last->next = &shared->locks[i].link;
		last = &shared->locks[i].link;
	}
	last->next = (struct robust_list *)&shared->head;
}

TEST(robust_errors, 5, "set_robust_list wants the right size, get_robust_list tells its arguments")
{
	struct robust_list_head head, *got = NULL;
	size_t size = 0;

	CHECK_ERR(syscall(SYS_set_robust_list, &head, 11), EINVAL);
	CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
	CHECK_EQ(syscall(SYS_get_robust_list, 0, &got, &size), 0);
	CHECK(got == &head && size == sizeof(head));
	CHECK_EQ(syscall(SYS_get_robust_list, getpid(), &got, &size), 0);
	CHECK_ERR(syscall(SYS_get_robust_list, 32767, &got, &size), ESRCH);
	CHECK_ERR(syscall(SYS_get_robust_list, 0, &got, 1), EFAULT);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(syscall(SYS_get_robust_list, 1, &got, &size), EPERM);
	CHECK_EQ(syscall(SYS_set_robust_list, NULL, sizeof(head)), 0);
}

/* A child has two of the locks and waits to be killed, or executes another program. */
static pid_t holder(bool exec)
{
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(syscall(SYS_set_robust_list, &shared->head, sizeof(shared->head)), 0);
		shared->locks[0].word = getpid();
		shared->locks[2].word = getpid() | FUTEX_WAITERS;
		shared->locks[3].word = getpid();
		shared->head.list_op_pending = &shared->locks[3].link;
		while (exec && (await_sleep(getppid()), 1))
			execl("/bin/sleep", "sleep", "1000", NULL);
		pause();
	}
	while (shared->head.list_op_pending == NULL)
		test_sleep_ms(1);
	return child;
}

static void look(void)
{
	CHECK_EQ(shared->locks[0].word, FUTEX_OWNER_DIED);
	CHECK_EQ(shared->locks[1].word, 4711);
	CHECK_EQ(shared->locks[2].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	CHECK_EQ(shared->locks[3].word, FUTEX_OWNER_DIED);
}

static void waits_for_the_dead(bool exec)
{
	pid_t child;

	make_list();
	shared->locks[1].word = 4711;
	child = holder(exec);
	if (!exec) {
		pid_t killer = fork();

		if (killer == 0) {
			await_sleep(getppid());
			_exit(kill(child, SIGKILL) != 0);
		}
		CHECK_EQ(futex(&shared->locks[2].word, FUTEX_WAIT, child | FUTEX_WAITERS, NULL), 0);
		CHECK_EQ(test_wait(killer), 0);
	} else {
		CHECK_EQ(futex(&shared->locks[2].word, FUTEX_WAIT, child | FUTEX_WAITERS, NULL), 0);
		kill(child, SIGKILL);
	}
	test_wait(child);
	look();
}

TEST(dead_owner, 20, "the locks of a killed process are marked, and a waiter is woken")
{
	waits_for_the_dead(false);
}

TEST(owner_gone, 20, "so are those of a program that is replaced")
{
	waits_for_the_dead(true);
}

TEST(bad_lists, 20, "a list that is endless, or leads nowhere, harms nobody")
{
	make_list();
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		if (child == 0) {
			void *head = &shared->head;

			shared->locks[0].word = shared->locks[1].word = getpid();
			if (i == 0)
				shared->locks[1].link.next = &shared->locks[0].link;
			if (i == 1)
				shared->locks[0].link.next = (void *)0xc0000000;
			if (i == 2)
				shared->locks[1].link.next = (void *)3;
			if (i == 3)
				head = (void *)0x10;
			CHECK_EQ(syscall(SYS_set_robust_list, head, sizeof(shared->head)), 0);
			_exit(0);
		}
		CHECK_EQ(test_wait(child), 0);
		if (i < 3)
			CHECK_EQ(shared->locks[0].word, FUTEX_OWNER_DIED);
	}
}

static void *lock_and_end(void *mutex)
{
	return (void *)pthread_mutex_lock(mutex);
}

TEST(robust_mutexes, 20, "the C library's robust mutexes find out that their owner has died")
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_t thread;

	pthread_mutexattr_init(&attributes);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&mutex, &attributes), 0);
	CHECK_EQ(pthread_create(&thread, NULL, lock_and_end, &mutex), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&mutex), 0);
}
