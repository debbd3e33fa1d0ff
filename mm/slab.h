/*
 * Slab caches: objects of one size, cut from low-memory pages. kmalloc is a row of them.
 *
 * In the debug build freed objects are poisoned, red zones stand around each object, and a double
 * free panics. Locks are taken irqsave; freeing works from interrupts, allocation too with ATOMIC.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "kernel/init.h"
#include "mm/page.h"

struct slab_cache;

void slab_init(void);

/* A cache of objects of `size` bytes, aligned to `align` (0: 8). Panics without memory (boot). */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
/* At the top of a file: a cache of objects of a type, which is made at boot. */
#define SLAB_CACHE(cache, name, type, align)                            \
	static struct slab_cache *cache;                                \
	static void cache##_init(void)                                  \
	{                                                               \
		cache = slab_cache_create(name, sizeof(type), (align)); \
	}                                                               \
	INITCALL(1, cache##_init)
/*
 * One object, not initialised; NULL: no memory. flags: 0 (may sleep) or ALLOC_ATOMIC, ALLOC_ZERO.
 */
void *slab_alloc(struct slab_cache *cache, unsigned int flags);
void slab_free(struct slab_cache *cache, void *object);

/* size bytes (up to 128 KiB; above a page from the page allocator). NULL: no memory.  */
void *kmalloc(size_t size, unsigned int flags);
void *kzalloc(size_t size, unsigned int flags);
/* NULL is fine. */
void kfree(const void *object);

/* For /proc/slabinfo: calls show for each cache. */
void slab_walk(void (*show)(void *context, const char *name, size_t size, unsigned int in_use,
			    unsigned int pages),
	       void *context);

#endif
