/*
 * Slab caches.
 *
 * 1. A slab is a (compound) page of low memory that is cut into objects of one cache. Its struct
 *    page holds the cache (slab), the first free object (free_objects) and the number of objects in
 *    use (index). The slab is on the cache's list while it has free objects. It is freed with its
 *    last object.
 * 2. Each CPU has a magazine of free objects for each cache, which serves most calls. Objects in a
 *    magazine count as in use for their slab, but slab_walk() counts them as free.
 * 3. magazine->lock comes before cache->lock. Both are taken with interrupts off.
 * 4. The first word of a free object points to the next free one. In the debug build an object has
 *    a red zone on either side, whose bytes say whether the object is free, and free objects are
 *    filled with a pattern. Both are checked when an object is allocated or freed.
 */
#include "mm/direct_map.h"
#include "mm/fail.h"
#include "mm/slab.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "lib/string.h"

#define MAGAZINE_SIZE  16u
#define MAX_SLAB_ORDER 3u

/* Debug build. */
#define RED_ZONE  16u
#define RED_USED  0xbb
#define RED_FREE  0xcc
#define FREE_BYTE 0x6b

struct magazine {
	spinlock_t lock; /* irqsave; taken by other CPUs to drain it */
	unsigned int count;
	void *objects[MAGAZINE_SIZE];
};

struct slab_cache {
	const char *name;
	size_t size;	     /* as asked for */
	size_t stride;	     /* from one object to the next */
	unsigned int before; /* bytes of red zone ahead of the object */
	unsigned int order, per_slab;
	unsigned int batch;  /* objects that a magazine takes */
	spinlock_t lock;     /* irqsave: the next three */
	struct list partial; /* slabs with free objects, by page->link */
	unsigned int nr_slabs;
	unsigned int nr_out;	 /* objects outside their slabs, in magazines too */
	struct slab_cache *next; /* all caches: never removed, and added at the front */
	struct magazine magazines[MAX_CPUS];
};

static struct slab_cache *caches;
static struct slab_cache cache_cache;

/* ---- checks of the debug build ---- */

static void check_bytes(struct slab_cache *cache, char *object, const char *from, const char *end,
			unsigned char wanted)
{
	for (; from < end; from++) {
		if ((unsigned char)*from != wanted)
			panic("slab %s: object %p: written while free or out of bounds, or freed twice",
			      cache->name, object);
	}
}

/*
 * Panic unless the object is free or in use, as `red` says, and nobody has overwritten its zones.
 */
static void debug_check(struct slab_cache *cache, char *object, unsigned char red)
{
	char *first = object - cache->before;

	if ((first - (char *)page_address_low(page_head(virt_to_page(object)))) % cache->stride)
		panic("slab %s: %p is not the start of an object", cache->name, object);
	check_bytes(cache, object, first, object, red);
	check_bytes(cache, object, object + cache->size, first + cache->stride, red);
	if (red == RED_FREE)
		check_bytes(cache, object, object + sizeof(void *), object + cache->size,
			    FREE_BYTE);
}

static void debug_fill(struct slab_cache *cache, char *object, unsigned char red)
{
	memset(object - cache->before, red, cache->stride);
	memset(object, FREE_BYTE, cache->size);
}

/* ---- slabs ---- */

/* Add a slab to the cache. Returns false if there is no memory. */
static bool grow(struct slab_cache *cache, unsigned int flags)
{
	struct page *page = page_alloc(cache->order, ALLOC_LOW | (flags & ALLOC_ATOMIC));
	unsigned int irq;
	char *object;

	if (!page)
		return false;
	page->slab = cache;
	page->index = 0;
	page->free_objects = NULL;
	object = (char *)page_address_low(page) + cache->before;
	for (unsigned int i = 0; i < cache->per_slab; i++, object += cache->stride) {
		if (DEBUG_BUILD)
			debug_fill(cache, object, RED_FREE);
		*(void **)object = page->free_objects;
		page->free_objects = object;
	}
	set_bits(&page->flags, PG_SLAB);
	irq = spin_lock_irqsave(&cache->lock);
	list_add(&cache->partial, &page->link);
	cache->nr_slabs++;
	spin_unlock_irqrestore(&cache->lock, irq);
	return true;
}

/* Take an object out of a slab. cache->lock is held, and the cache has a free object. */
static void *take_object(struct slab_cache *cache)
{
	struct page *page = list_first(&cache->partial, struct page, link);
	void *object = page->free_objects;

	page->free_objects = *(void **)object;
	if (++page->index == cache->per_slab)
		list_del(&page->link);
	cache->nr_out++;
	return object;
}

/*
 * Put an object back into its slab, and free the slab if it was the last one. cache->lock is held.
 */
static void give_object(struct slab_cache *cache, void *object)
{
	struct page *page = page_head(virt_to_page(object));

	*(void **)object = page->free_objects;
	page->free_objects = object;
	cache->nr_out--;
	if (page->index-- == cache->per_slab)
		list_add(&cache->partial, &page->link);
	if (page->index > 0)
		return;
	list_del(&page->link);
	cache->nr_slabs--;
	clear_bits(&page->flags, PG_SLAB);
	page->slab = NULL;
	page->free_objects = NULL;
	page_put(page);
}

/* ---- magazines ---- */

/* Put all but `keep` objects of a magazine back into their slabs. */
static void magazine_spill(struct slab_cache *cache, struct magazine *magazine, unsigned int keep)
{
	lockdep_held(&magazine->lock);
	spin_lock(&cache->lock);
	while (magazine->count > keep)
		give_object(cache, magazine->objects[--magazine->count]);
	spin_unlock(&cache->lock);
}

/*
 * Take an object from this CPU's magazine. An empty magazine is filled to the half first. Returns
 * NULL if that needs a new slab.
 */
static void *take_from_cpu(struct slab_cache *cache)
{
	unsigned int flags = irq_save();
	struct magazine *magazine = &cache->magazines[this_cpu()->id];
	void *object = NULL;

	spin_lock(&magazine->lock);
	if (unlikely(!magazine->count)) {
		spin_lock(&cache->lock);
		while (magazine->count < cache->batch / 2 && !list_empty(&cache->partial))
			magazine->objects[magazine->count++] = take_object(cache);
		spin_unlock(&cache->lock);
	}
	if (likely(magazine->count))
		object = magazine->objects[--magazine->count];
	spin_unlock(&magazine->lock);
	irq_restore(flags);
	return object;
}

void *slab_alloc(struct slab_cache *cache, unsigned int flags)
{
	void *object;

	if (page_fail_now())
		return NULL;
	/* Another CPU may take all objects of the new slab first, so this is a loop. */
	while (unlikely(!(object = take_from_cpu(cache)))) {
		if (!grow(cache, flags))
			return NULL;
	}
	if (DEBUG_BUILD) {
		debug_check(cache, object, RED_FREE);
		debug_fill(cache, object, RED_USED);
	}
	if (flags & ALLOC_ZERO)
		memset(object, 0, cache->size);
	return object;
}

void slab_free(struct slab_cache *cache, void *object)
{
	unsigned int flags;
	struct magazine *magazine;

	if (DEBUG_BUILD) {
		debug_check(cache, object, RED_USED);
		debug_fill(cache, object, RED_FREE);
	}
	flags = irq_save();
	magazine = &cache->magazines[this_cpu()->id];
	spin_lock(&magazine->lock);
	if (unlikely(magazine->count == cache->batch))
		magazine_spill(cache, magazine, cache->batch / 2);
	magazine->objects[magazine->count++] = object;
	spin_unlock(&magazine->lock);
	irq_restore(flags);
}

/* ---- caches ---- */

/* The shrinker: empty the magazines, so that unused slabs are freed. */
static unsigned int slab_reclaim(unsigned int wanted)
{
	unsigned int freed = 0;

	for (struct slab_cache *cache = caches; cache; cache = cache->next) {
		unsigned int before = READ_ONCE(cache->nr_slabs);

		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
			struct magazine *magazine = &cache->magazines[cpu];
			unsigned int flags = spin_lock_irqsave(&magazine->lock);

			magazine_spill(cache, magazine, 0);
			spin_unlock_irqrestore(&magazine->lock, flags);
		}
		freed += (before - MIN(before, READ_ONCE(cache->nr_slabs))) << cache->order;
	}
	return freed;
}

static void cache_setup(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
	if (align < sizeof(void *))
		align = 8;
	cache->name = name;
	cache->size = MAX(size, sizeof(void *));
	cache->before = DEBUG_BUILD ? MAX(align, (size_t)RED_ZONE) : 0;
	cache->stride = ALIGN_UP(cache->before + cache->size + (DEBUG_BUILD ? RED_ZONE : 0), align);
	/* The smallest slab that wastes at most an eighth, or else the largest. */
	while (cache->order < MAX_SLAB_ORDER &&
	       (cache->stride > PAGE_SIZE << cache->order ||
		(PAGE_SIZE << cache->order) % cache->stride > PAGE_SIZE << cache->order >> 3))
		cache->order++;
	cache->per_slab = (PAGE_SIZE << cache->order) / cache->stride;
	if (!cache->per_slab)
		panic("slab %s: objects of %u bytes are too large", name, (unsigned int)size);
	cache->batch = size < 512 ? MAGAZINE_SIZE : MAGAZINE_SIZE / 4;
	spin_init(&cache->lock, "slab cache");
	list_init(&cache->partial);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		spin_init(&cache->magazines[cpu].lock, "slab magazine");
	cache->next = caches;
	caches = cache;
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *cache = slab_alloc(&cache_cache, ALLOC_ZERO);

	if (!cache)
		cannot_start("too little memory for slab cache %s", name);
	cache_setup(cache, name, size, align);
	return cache;
}

void slab_walk(void (*show)(void *context, const char *name, size_t size, unsigned int in_use,
			    unsigned int pages),
	       void *context)
{
	for (struct slab_cache *cache = caches; cache; cache = cache->next) {
		unsigned int in_use = READ_ONCE(cache->nr_out);

		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			in_use -= READ_ONCE(cache->magazines[cpu].count);
		show(context, cache->name, cache->size, in_use,
		     READ_ONCE(cache->nr_slabs) << cache->order);
	}
}

/* ---- kmalloc ---- */

static const struct {
	unsigned int size;
	const char *name;
} kmalloc_sizes[] = {
	{ 16, "kmalloc-16" },	  { 32, "kmalloc-32" },	  { 64, "kmalloc-64" },
	{ 96, "kmalloc-96" },	  { 128, "kmalloc-128" }, { 192, "kmalloc-192" },
	{ 256, "kmalloc-256" },	  { 512, "kmalloc-512" }, { 1024, "kmalloc-1024" },
	{ 2048, "kmalloc-2048" },
};
#define KMALLOC_SLAB_MAX 2048u

static struct slab_cache *kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)];

void *kmalloc(size_t size, unsigned int flags)
{
	struct page *page;
	unsigned int i = 0;

	if (size <= KMALLOC_SLAB_MAX) {
		while (kmalloc_sizes[i].size < size)
			i++;
		return slab_alloc(kmalloc_caches[i], flags);
	}
	if (size > KMALLOC_MAX)
		return NULL;
	for (i = 0; PAGE_SIZE << i < size;)
		i++;
	page = page_alloc(i, ALLOC_LOW | (flags & (ALLOC_ATOMIC | ALLOC_ZERO)));
	return page ? page_address_low(page) : NULL;
}

void *kzalloc(size_t size, unsigned int flags)
{
	return kmalloc(size, flags | ALLOC_ZERO);
}

void kfree(const void *object)
{
	struct page *page;

	if (!object)
		return;
	page = page_head(virt_to_page(object));
	if (page_has(page, PG_SLAB))
		slab_free(page->slab, (void *)object);
	else
		page_put(page);
}

void slab_init(void)
{
	static struct shrinker shrinker = { .shrink = slab_reclaim };

	cache_setup(&cache_cache, "slab_cache", sizeof(struct slab_cache), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++)
		kmalloc_caches[i] =
			slab_cache_create(kmalloc_sizes[i].name, kmalloc_sizes[i].size, 0);
	shrinker_register(&shrinker);
}
