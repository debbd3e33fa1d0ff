/*
 * Slab caches: objects of one size, cut from pages of low memory. kmalloc() picks one of several
 * caches by size.
 *
 * 1. Objects may be freed in an interrupt, and allocated there with ALLOC_ATOMIC. All locks are
 *    taken with interrupts off.
 * 2. The debug build poisons freed objects, puts red zones around each object, and panics if an
 *    object is freed twice.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "kernel/init.h"
#include "mm/page.h"

struct slab_cache;

void slab_init(void);

/*
 * Create a cache of objects of `size` bytes, aligned to `align` bytes (0 means 8). For boot: panics
 * if there is no memory.
 */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align);
/* Declares a cache for objects of one type, at the top of a file. It is created at boot. */
#define SLAB_CACHE(cache, name, type, align)                            \
	static struct slab_cache *cache;                                \
	static void cache##_init(void)                                  \
	{                                                               \
		cache = slab_cache_create(name, sizeof(type), (align)); \
	}                                                               \
	INITCALL(1, cache##_init)
/*
 * Allocate one object. Its contents are undefined unless ALLOC_ZERO is set. Returns NULL if there
 * is no memory. May sleep unless ALLOC_ATOMIC is set.
 */
void *slab_alloc(struct slab_cache *cache, unsigned int flags);
void slab_free(struct slab_cache *cache, void *object);

/*
 * Allocate `size` bytes, up to KMALLOC_MAX. The flags are those of slab_alloc(). Returns NULL if
 * there is no memory or `size` is larger.
 */
#define KMALLOC_MAX (128u << 10)
void *kmalloc(size_t size, unsigned int flags);
void *kzalloc(size_t size, unsigned int flags);
/* Free what kmalloc() or kzalloc() returned. `object` may be NULL. Never sleeps. */
void kfree(const void *object);

/* Call `show` for each cache, for /proc/slabinfo. */
void slab_walk(void (*show)(void *context, const char *name, size_t size, unsigned int in_use,
			    unsigned int pages),
	       void *context);

#endif
