/*
 * Slab caches.
 *
 * 1. A slab is a (compound) page of low memory cut into objects of one cache. Its struct page has
 *    the cache (slab), the first free object (free_objects) and the objects in use (index), and is
 *    on the cache's `partial` list while it has some of both, on `empty` while none is in use.
 * 2. Each CPU has a magazine of free objects for each cache, which most calls are served from.
 *    Objects in magazines count as in use for their slab, not for slab_walk().
 * 3. Locks, both irqsave: magazine->lock < cache->lock.
 * 4. A free object's first word links it to the next. In the debug build an object has a red zone
 *    on either side, and in the second one's first word says whether it is free; free objects are
 *    filled with a pattern, which is checked when they are given out.
 */
#include "mm/slab.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "lib/string.h"

#define MAGAZINE_SIZE  16u
#define MAX_SLAB_ORDER 3u
#define KEEP_EMPTY     1u /* slabs without objects that a cache keeps */

/* Debug build. */
#define RED_ZONE   16u
#define RED_BYTE   0xbb
#define FREE_BYTE  0x6b
#define STATE_FREE 0xf4eef4eeu
#define STATE_USED 0x05ed05edu

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
	unsigned int batch;	    /* objects that a magazine takes */
	spinlock_t lock;	    /* irqsave: the next four */
	struct list partial, empty; /* slabs, by page->link */
	unsigned int nr_empty, nr_slabs;
	unsigned int nr_out;	 /* objects outside their slabs, in magazines too */
	struct slab_cache *next; /* all caches */
	struct magazine magazines[MAX_CPUS];
};

static spinlock_t caches_lock = SPINLOCK_INIT("slab caches");
static struct slab_cache *caches;
static struct slab_cache cache_cache;

/* ---- checks of the debug build ---- */

static uint32_t *state_of(struct slab_cache *cache, void *object)
{
	return (uint32_t *)((char *)object + ALIGN_UP(cache->size, sizeof(uint32_t)));
}

static void damaged(struct slab_cache *cache, void *object, const char *what)
{
	panic("slab %s: object %p: %s", cache->name, object, what);
}

static void check_bytes(struct slab_cache *cache, void *object, const unsigned char *bytes,
			size_t n, unsigned char wanted, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != wanted)
			damaged(cache, object, what);
	}
}

static void check_zones(struct slab_cache *cache, void *object)
{
	unsigned char *first = (unsigned char *)object - cache->before;
	unsigned char *end = (unsigned char *)(state_of(cache, object) + 1);

	check_bytes(cache, object, first, cache->before, RED_BYTE, "written before its start");
	check_bytes(cache, object, end, first + cache->stride - end, RED_BYTE,
		    "written behind its end");
}

static void debug_prepare(struct slab_cache *cache, void *object)
{
	memset((char *)object - cache->before, RED_BYTE, cache->stride);
	memset(object, FREE_BYTE, cache->size);
	*state_of(cache, object) = STATE_FREE;
}

static void debug_alloc(struct slab_cache *cache, void *object)
{
	check_zones(cache, object);
	if (*state_of(cache, object) != STATE_FREE)
		damaged(cache, object, "written behind its end");
	check_bytes(cache, object, (unsigned char *)object + sizeof(void *),
		    cache->size - sizeof(void *), FREE_BYTE, "written after it was freed");
	*state_of(cache, object) = STATE_USED;
}

static void debug_free(struct slab_cache *cache, void *object)
{
	size_t offset = (char *)object - (char *)page_address_low(page_head(virt_to_page(object)));

	if (offset % cache->stride != cache->before)
		damaged(cache, object, "is not the start of an object");
	if (*state_of(cache, object) == STATE_FREE)
		damaged(cache, object, "freed twice");
	if (*state_of(cache, object) != STATE_USED)
		damaged(cache, object, "written behind its end");
	check_zones(cache, object);
	memset(object, FREE_BYTE, cache->size);
	*state_of(cache, object) = STATE_FREE;
}

/* ---- slabs; cache->lock is held where a slab is on a list ---- */

static struct page *slab_create(struct slab_cache *cache, unsigned int flags)
{
	struct page *page = page_alloc(cache->order, ALLOC_LOW | (flags & ALLOC_ATOMIC));
	char *object;

	if (!page)
		return NULL;
	page->slab = cache;
	page->index = 0;
	page->free_objects = NULL;
	object = (char *)page_address_low(page) + cache->before;
	for (unsigned int i = 0; i < cache->per_slab; i++, object += cache->stride) {
		if (DEBUG_BUILD)
			debug_prepare(cache, object);
		*(void **)object = page->free_objects;
		page->free_objects = object;
	}
	set_bits(&page->flags, PG_SLAB);
	return page;
}

static void slab_destroy(struct page *page)
{
	clear_bits(&page->flags, PG_SLAB);
	page->slab = NULL;
	page->free_objects = NULL;
	page_put(page);
}

/* One object out of the slabs, or NULL. */
static void *take_object(struct slab_cache *cache)
{
	struct page *page;
	void *object;

	if (!list_empty(&cache->partial)) {
		page = list_first(&cache->partial, struct page, link);
	} else if (!list_empty(&cache->empty)) {
		page = list_first(&cache->empty, struct page, link);
		list_del(&page->link);
		list_add(&cache->partial, &page->link);
		cache->nr_empty--;
	} else {
		return NULL;
	}
	object = page->free_objects;
	page->free_objects = *(void **)object;
	if (++page->index == cache->per_slab)
		list_del(&page->link);
	cache->nr_out++;
	return object;
}

/* An object back into its slab. Slabs that are to be freed are put on `surplus`. */
static void give_object(struct slab_cache *cache, void *object, struct list *surplus)
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
	if (cache->nr_empty < KEEP_EMPTY) {
		list_add(&cache->empty, &page->link);
		cache->nr_empty++;
	} else {
		list_add(surplus, &page->link);
		cache->nr_slabs--;
	}
}

static unsigned int destroy_slabs(struct list *surplus)
{
	struct page *page, *next;
	unsigned int pages = 0;

	list_for_each_safe(page, next, surplus, link) {
		pages += 1u << page_order(page);
		list_del(&page->link);
		slab_destroy(page);
	}
	return pages;
}

/* ---- magazines ---- */

/* Give all but `keep` objects of a magazine back. Returns the pages freed. */
static unsigned int magazine_spill(struct slab_cache *cache, struct magazine *magazine,
				   unsigned int keep)
{
	struct list surplus = LIST_INIT(surplus);

	lockdep_held(&magazine->lock);
	spin_lock(&cache->lock);
	while (magazine->count > keep)
		give_object(cache, magazine->objects[--magazine->count], &surplus);
	spin_unlock(&cache->lock);
	return destroy_slabs(&surplus);
}

/* Half a magazine of objects from the slabs there are. */
static void magazine_fill(struct slab_cache *cache, struct magazine *magazine)
{
	lockdep_held(&magazine->lock);
	spin_lock(&cache->lock);
	while (magazine->count < DIV_ROUND_UP(cache->batch, 2)) {
		void *object = take_object(cache);

		if (!object)
			break;
		magazine->objects[magazine->count++] = object;
	}
	spin_unlock(&cache->lock);
}

/* From this CPU's magazine, or the slabs; NULL: a new slab is needed. */
static void *take_from_cpu(struct slab_cache *cache)
{
	unsigned int flags = irq_save();
	struct magazine *magazine = &cache->magazines[this_cpu()->id];
	void *object = NULL;

	spin_lock(&magazine->lock);
	if (unlikely(!magazine->count))
		magazine_fill(cache, magazine);
	if (likely(magazine->count))
		object = magazine->objects[--magazine->count];
	spin_unlock(&magazine->lock);
	irq_restore(flags);
	return object;
}

static bool grow(struct slab_cache *cache, unsigned int flags)
{
	struct page *page = slab_create(cache, flags);
	unsigned int irq;

	if (!page)
		return false;
	irq = spin_lock_irqsave(&cache->lock);
	list_add(&cache->empty, &page->link);
	cache->nr_empty++;
	cache->nr_slabs++;
	spin_unlock_irqrestore(&cache->lock, irq);
	return true;
}

void *slab_alloc(struct slab_cache *cache, unsigned int flags)
{
	void *object;

	if (page_fail_now())
		return NULL;
	/* Another CPU may take all of a new slab before this one does: then once more. */
	while (unlikely(!(object = take_from_cpu(cache)))) {
		if (!grow(cache, flags))
			return NULL;
	}
	if (DEBUG_BUILD)
		debug_alloc(cache, object);
	if (flags & ALLOC_ZERO)
		memset(object, 0, cache->size);
	return object;
}

void slab_free(struct slab_cache *cache, void *object)
{
	unsigned int flags;
	struct magazine *magazine;

	if (DEBUG_BUILD)
		debug_free(cache, object);
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

static unsigned int reclaim_cache(struct slab_cache *cache)
{
	struct list surplus = LIST_INIT(surplus);
	unsigned int freed = 0, flags;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct magazine *magazine = &cache->magazines[cpu];

		flags = spin_lock_irqsave(&magazine->lock);
		freed += magazine_spill(cache, magazine, 0);
		spin_unlock_irqrestore(&magazine->lock, flags);
	}
	flags = spin_lock_irqsave(&cache->lock);
	cache->nr_slabs -= cache->nr_empty;
	cache->nr_empty = 0;
	list_splice_tail(&surplus, &cache->empty);
	spin_unlock_irqrestore(&cache->lock, flags);
	return freed + destroy_slabs(&surplus);
}

unsigned int slab_reclaim(unsigned int wanted)
{
	unsigned int freed = 0;

	/* Caches are never removed, and added at the front: the list may be walked without the
	 * lock. */
	for (struct slab_cache *cache = READ_ONCE(caches); cache; cache = cache->next)
		freed += reclaim_cache(cache);
	return freed;
}

/* The smallest slab that wastes at most an eighth, or else the largest. */
static void choose_order(struct slab_cache *cache)
{
	for (cache->order = 0; cache->order < MAX_SLAB_ORDER; cache->order++) {
		size_t slab = PAGE_SIZE << cache->order;

		if (cache->stride <= slab && slab % cache->stride <= slab / 8)
			break;
	}
	cache->per_slab = (PAGE_SIZE << cache->order) / cache->stride;
}

static void cache_setup(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
	if (align < sizeof(void *))
		align = 8;
	cache->name = name;
	cache->size = MAX(size, sizeof(void *));
	cache->before = DEBUG_BUILD ? MAX(align, (size_t)RED_ZONE) : 0;
	cache->stride = ALIGN_UP(cache->before + cache->size + (DEBUG_BUILD ? RED_ZONE : 0), align);
	choose_order(cache);
	if (!cache->per_slab)
		panic("slab %s: objects of %u bytes are too large", name, (unsigned int)size);
	cache->batch = size < 512 ? MAGAZINE_SIZE : MAGAZINE_SIZE / 4;
	spin_init(&cache->lock, "slab cache");
	list_init(&cache->partial);
	list_init(&cache->empty);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		spin_init(&cache->magazines[cpu].lock, "slab magazine");
	spin_lock(&caches_lock);
	cache->next = caches;
	WRITE_ONCE(caches, cache);
	spin_unlock(&caches_lock);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *cache = slab_alloc(&cache_cache, ALLOC_ZERO);

	if (!cache)
		panic("no memory for slab cache %s", name);
	cache_setup(cache, name, size, align);
	return cache;
}

void slab_walk(void (*show)(void *context, const char *name, size_t size, unsigned int in_use,
			    unsigned int pages),
	       void *context)
{
	for (struct slab_cache *cache = READ_ONCE(caches); cache; cache = cache->next) {
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
#define KMALLOC_MAX	 (128u << 10)

static struct slab_cache *kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)];

/* The order of the pages that hold `size` bytes. */
static unsigned int order_for(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

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
	page = page_alloc(order_for(size), ALLOC_LOW | (flags & (ALLOC_ATOMIC | ALLOC_ZERO)));
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
	if (page->flags & PG_SLAB)
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
