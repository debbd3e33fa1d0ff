/* Locks with priority inheritance: what their tests share. */
#ifndef USER_TEST_FUTEX_PI_H
#define USER_TEST_FUTEX_PI_H

#include "signals.h"

#define FUTEX_WAIT	      0
#define FUTEX_WAKE	      1
#define FUTEX_REQUEUE	      3
#define FUTEX_LOCK_PI	      6
#define FUTEX_UNLOCK_PI	      7
#define FUTEX_TRYLOCK_PI      8
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI  12
#define FUTEX_LOCK_PI2	      13
#define FUTEX_PRIVATE	      128
#define FUTEX_CLOCK_REALTIME  256

#define FUTEX_WAITERS	      0x80000000u
#define FUTEX_OWNER_DIED      0x40000000u

typedef volatile uint32_t word_t;

__attribute__((unused)) static long lock(word_t *word)
{
	return syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

__attribute__((unused)) static long unlock(word_t *word)
{
	return syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

__attribute__((unused)) static long try_lock(word_t *word)
{
	return syscall(SYS_futex, word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0);
}

__attribute__((unused)) static pid_t tid(void)
{
	return syscall(SYS_gettid);
}

/* Memory that is shared with children. */
__attribute__((unused)) static word_t *shared(void)
{
	word_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(word != MAP_FAILED);
	return word;
}

#endif
