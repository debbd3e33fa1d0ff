/*
 * What kernel code needs around it to run in a host program: a unit test includes this file first,
 * then the kernel's .c files that it tests.
 *
 * 1. Memory comes from malloc, so that the address sanitizer sees every object; the nth allocation
 *    can be made to fail (shim_fail_nth).
 * 2. A panic or a failed assertion aborts the test. shim_log_lines counts log lines.
 * 3. Locks do nothing but check that they are used in pairs; there is one CPU and one task.
 * 4. The kernel's headers for the machine are replaced by what stands here (their include guards
 *    are set).
 */
#ifndef TESTS_UNIT_SHIM_H
#define TESTS_UNIT_SHIM_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIB_STRING_H /* the C library has these functions; the rest stands below */
#include "lib/types.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "kernel/atomic.h"

size_t strlcpy(char *dst, const char *src, size_t size);
uint64_t parse_size(const char *s, const char **end);
int parse_u32(const char *s, uint32_t *value);

/* ---- kernel/log.h ---- */
#define KERNEL_LOG_H
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };
static unsigned int shim_log_lines __attribute__((unused));
#define log_at(level, ...) \
	((void)(level), (void)sizeof(printf(__VA_ARGS__)), (void)shim_log_lines++)
#define log_error(...)	 log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_DEBUG, __VA_ARGS__)
#define panic(...)                                      \
	do {                                            \
		fprintf(stderr, "panic: " __VA_ARGS__); \
		fputc('\n', stderr);                    \
		abort();                                \
	} while (0)
#define cannot_start panic
#define assert(cond)                                                                      \
	do {                                                                              \
		if (!(cond))                                                              \
			panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)

/* ---- kernel/cpu/cpu.h ---- */
#define KERNEL_CPU_CPU_H
#define MAX_CPUS 8
struct task;
struct single_pages;
struct cpu {
	unsigned int id, irq_depth;
	struct single_pages *single_pages;
};
static struct cpu cpus[MAX_CPUS];
static inline struct cpu *this_cpu(void)
{
	return cpus;
}
#define current ((struct task *)this_cpu())
static inline unsigned int irq_save(void)
{
	return 0;
}
static inline void irq_restore(unsigned int flags)
{
	(void)flags;
}
static inline bool irqs_enabled(void)
{
	return true;
}

/* ---- kernel/spinlock.h ---- */
#define KERNEL_SPINLOCK_H
typedef struct spinlock {
	unsigned int held;
} spinlock_t;
#define SPINLOCK_INIT(name) \
	{                   \
		0           \
	}
static inline void spin_init(spinlock_t *lock, const char *name)
{
	(void)name;
	lock->held = 0;
}
static inline bool spin_held(spinlock_t *lock)
{
	return lock->held;
}
static inline void spin_lock(spinlock_t *lock)
{
	assert(!lock->held);
	lock->held = 1;
}
static inline bool spin_trylock(spinlock_t *lock)
{
	return lock->held ? false : (lock->held = 1);
}
static inline void spin_unlock(spinlock_t *lock)
{
	assert(lock->held);
	lock->held = 0;
}
static inline unsigned int spin_lock_irqsave(spinlock_t *lock)
{
	spin_lock(lock);
	return 0;
}
static inline void spin_unlock_irqrestore(spinlock_t *lock, unsigned int flags)
{
	(void)flags;
	spin_unlock(lock);
}
#define lockdep_held(lock) assert(spin_held(lock))

/* ---- kernel/wait.h: a test has one task; what would sleep for ever aborts ---- */
#define KERNEL_WAIT_H
#include "kernel/task_state.h"
struct wait_queue {
	struct list waiters;
};
enum wake_reason { WAKE_EVENT, WAKE_CHANGE, WAKE_STATE };
struct waiter {
	struct list link;
	struct task *task;
	bool (*wake)(struct waiter *, enum wake_reason);
};
#define WAIT_QUEUE_INIT(name)             \
	{                                 \
		LIST_INIT((name).waiters) \
	}
static inline void wait_queue_init(struct wait_queue *queue, const char *name)
{
	(void)name;
	list_init(&queue->waiters);
}
static inline void wake_all(struct wait_queue *queue)
{
	(void)queue;
}
static inline bool wait_queue_used(const struct wait_queue *queue)
{
	return !list_empty(&queue->waiters);
}
static inline bool wait_queues_used(const struct wait_queue *queue, const struct wait_queue *other)
{
	return wait_queue_used(queue) || wait_queue_used(other);
}
static inline void wake_all_for(struct wait_queue *queue, enum wake_reason reason)
{
	(void)queue;
	(void)reason;
}
static inline void wake_both(struct wait_queue *queue, struct wait_queue *other)
{
	(void)queue;
	(void)other;
}
static inline void wake_one(struct wait_queue *queue)
{
	(void)queue;
}
#define wait_event(queue, cond)		      ((void)(queue), ({ assert(cond); }))
#define wait_event_interruptible(queue, cond) ((void)(queue), (cond) ? 0 : -ERESTARTSYS)
#define wait_event_killable(queue, cond)      ((void)(queue), (cond) ? 0 : -ERESTARTSYS)
static inline bool signal_pending(void)
{
	return false;
}
static inline bool kill_pending(void)
{
	return false;
}

/* ---- kernel/mutex.h ---- */
#define KERNEL_MUTEX_H
struct mutex {
	bool held;
};
#define MUTEX_INIT(name) \
	{                \
		false    \
	}
static inline void mutex_init(struct mutex *mutex, const char *name)
{
	(void)name;
	mutex->held = false;
}
static inline bool mutex_held(struct mutex *mutex)
{
	return mutex->held;
}
static inline void mutex_lock(struct mutex *mutex)
{
	assert(!mutex->held);
	mutex->held = true;
}
static inline bool mutex_trylock(struct mutex *mutex)
{
	return mutex->held ? false : (mutex->held = true);
}
static inline int mutex_lock_killable(struct mutex *mutex)
{
	mutex_lock(mutex);
	return 0;
}
static inline void mutex_unlock(struct mutex *mutex)
{
	assert(mutex->held);
	mutex->held = false;
}

/* ---- mm/slab.h, unless the test brings the kernel's own ---- */
#ifndef SHIM_WITHOUT_SLAB
#define MM_SLAB_H
#define SHIM_ALLOC_ZERO (1 << 1) /* ALLOC_ZERO of mm/page.h */
static unsigned int shim_fail_nth __attribute__((unused));
static inline void *kmalloc(size_t size, unsigned int flags)
{
	if (shim_fail_nth > 0 && --shim_fail_nth == 0)
		return NULL;
	return flags & SHIM_ALLOC_ZERO ? calloc(1, size) : malloc(size);
}
static inline void *kzalloc(size_t size, unsigned int flags)
{
	return kmalloc(size, flags | SHIM_ALLOC_ZERO);
}
static inline void kfree(const void *object)
{
	free((void *)object);
}
struct slab_cache {
	size_t size;
};
static inline struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *cache = malloc(sizeof(*cache));

	(void)name;
	(void)align;
	cache->size = size;
	return cache;
}
static inline void *slab_alloc(struct slab_cache *cache, unsigned int flags)
{
	return kmalloc(cache->size, flags);
}
static inline void slab_free(struct slab_cache *cache, void *object)
{
	(void)cache;
	free(object);
}
#endif

/* ---- mm/vm/uaccess.h: user memory is the test's own ---- */
#define MM_VM_UACCESS_H
#define MM_VM_USERCOPY_H
static inline int copy_from_user(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}
static inline int copy_to_user(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	return 0;
}

/* ---- TAP; cases.h runs the cases and counts for them ---- */
struct tap {
	int count, failures;
};
static struct tap *tap;

/* One line of the output. */
#define ok(cond, ...)                                                  \
	do {                                                           \
		bool _ok = (cond);                                     \
                                                                       \
		printf("%sok %d - ", _ok ? "" : "not ", ++tap->count); \
		if (!_ok)                                              \
			printf("%s:%d: ", __FILE__, __LINE__);         \
		printf(__VA_ARGS__);                                   \
		printf("%s\n", _ok ? "" : " (" #cond ")");             \
		tap->failures += !_ok;                                 \
	} while (0)

/* A check that prints nothing if it passes. If it fails, its case ends. */
#define must(cond)                                                                          \
	do {                                                                                \
		if (!(cond)) {                                                              \
			printf("not ok %d - %s:%d: %s\n", ++tap->count, __FILE__, __LINE__, \
			       #cond);                                                      \
			tap->failures++;                                                    \
			exit(1);                                                            \
		}                                                                           \
	} while (0)

/* Random numbers that repeat: xorshift32. */
static uint32_t shim_seed __attribute__((unused)) = 2463534242u;
static inline uint32_t random_u32(void)
{
	shim_seed ^= shim_seed << 13;
	shim_seed ^= shim_seed >> 17;
	shim_seed ^= shim_seed << 5;
	return shim_seed;
}

#endif
