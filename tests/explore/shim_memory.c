/*
 * Pages and small objects, from a pool where the kernel has its direct map. A page or object that
 * was freed may not be touched; what is allocated is full of 0x6b.
 */
#include "kernel/init.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "fs/cache/pagecache.h"
#include "shim.h"

#define NR_PAGES \
	16u /* frames 0..15; the next one is the zero page, and the rest of the pool the heap */
#define HEAP_START (EX_POOL + (NR_PAGES + 1) * PAGE_SIZE)
#define NR_OBJECTS ((EX_POOL_PAGES - NR_PAGES - 1) * PAGE_SIZE / EX_GRAIN)

static struct page pages[NR_PAGES + 1];
struct page *mem_map = pages;
struct page *zero_page = &pages[NR_PAGES];
unsigned int nr_frames = NR_PAGES, lowmem_frames = NR_PAGES;
uintptr_t direct_map_end = UINTPTR_MAX;
struct atomic page_fail_nth;
bool page_fail_count(void)
{
	return false;
}

static struct page *free_pages[NR_PAGES];
static unsigned int nr_free, nr_objects;
static bool object_used[NR_OBJECTS];
static unsigned int free_at_start, objects_at_start;

extern void (*__start_initcalls[])(void) __attribute__((weak));
extern void (*__stop_initcalls[])(void) __attribute__((weak));

void ex_shim_tasks_init(void);
void ex_shim_init(void)
{
	ex_shim_tasks_init();
	for (unsigned int i = 0; i < NR_PAGES; i++)
		free_pages[nr_free++] = &pages[NR_PAGES - 1 - i];
	ex_forbid((void *)EX_POOL, EX_POOL_PAGES * PAGE_SIZE, true);
	ex_forbid(page_address_low(zero_page), PAGE_SIZE, false);
	zero_page->flags = PG_RESERVED;
	for (void (**function)(void) = __start_initcalls; function < __stop_initcalls; function++)
		(*function)();
	ex_count_memory();
}

ONE_STEP unsigned int ex_free_pages(void)
{
	return nr_free;
}

void ex_count_memory(void)
{
	free_at_start = nr_free;
	objects_at_start = nr_objects;
}

void ex_must_have_freed(void)
{
	if (nr_free != free_at_start)
		ex_fail("%d pages were not given back", (int)(free_at_start - nr_free));
	if (nr_objects != objects_at_start)
		ex_fail("%d objects were not freed", (int)(nr_objects - objects_at_start));
}

/* ---- pages ---- */

/* The words in use are few: the first and the last ones stand for all. */
ONE_STEP static void poison(char *at, size_t size)
{
	size_t begin = MIN(size, EX_PAGE_BYTES);

	ex_changes(at, begin);
	__builtin_memset(at, 0x6b, begin);
	ex_changes(at + size - 8, 8);
	__builtin_memset(at + size - 8, 0x6b, 8);
}

ONE_STEP struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page;

	ex_access(&nr_free, sizeof(nr_free), EV_ATOMIC);
	if (order > 0 || nr_free == 0)
		return NULL;
	page = free_pages[--nr_free];
	ex_changes(page, sizeof(*page));
	*page = (struct page){ .refs = ATOMIC_INIT(1) };
	list_init(&page->link);
	ex_forbid(page_address_low(page), PAGE_SIZE, false);
	if (flags & ALLOC_ZERO)
		page_zero(page, 0, PAGE_SIZE);
	else
		poison(page_address_low(page), PAGE_SIZE);
	return page;
}

ONE_STEP void page_free(struct page *page)
{
	ex_access(&nr_free, sizeof(nr_free), EV_ATOMIC);
	if (page->refs.value != 0)
		ex_fail("a page was given back once too often");
	if (page->lent.value != 0)
		ex_fail("a page is freed while it is lent");
	if (page->mapped.value != 0)
		ex_fail("a page is freed while it is mapped");
	ex_forbid(page_address_low(page), PAGE_SIZE, true);
	ex_changes(&free_pages[nr_free], sizeof(*free_pages));
	free_pages[nr_free++] = page;
}

void page_ref(struct page *page)
{
	must(page_get(page));
}

void page_zero(struct page *page, unsigned int offset, unsigned int len)
{
	if (offset < EX_PAGE_BYTES)
		memset((char *)page_address_low(page) + offset, 0,
		       MIN(len, EX_PAGE_BYTES - offset));
}

void page_copy(struct page *to, struct page *from)
{
	memcpy(page_address_low(to), page_address_low(from), EX_PAGE_BYTES);
}

/* All pages are in the direct map. */
void *kmap_local_slow(struct page *page)
{
	ex_fail("kmap_local of a page that is not in the direct map");
	return NULL;
}

void kunmap_local_slow(void *address)
{
	ex_fail("kunmap_local of %p", address);
}

/* Memory is never short. */
void memory_stats(struct memory_stats *stats)
{
	*stats = (struct memory_stats){ NR_PAGES, nr_free, NR_PAGES, nr_free };
}

void shrinker_register(struct shrinker *shrinker)
{
}

/* ---- objects ---- */

ONE_STEP void *kmalloc(size_t size, unsigned int flags)
{
	unsigned int nr = DIV_ROUND_UP(size, EX_GRAIN), i = 0, run = 0;
	char *object;

	ex_access(&nr_objects, sizeof(nr_objects), EV_ATOMIC);
	for (; i < NR_OBJECTS && run < nr; i++)
		run = object_used[i] ? 0 : run + 1;
	if (run < nr)
		return NULL;
	nr_objects++;
	object = (char *)HEAP_START + (i - nr) * EX_GRAIN;
	for (unsigned int j = i - nr; j < i; j++) {
		ex_changes(&object_used[j], sizeof(*object_used));
		object_used[j] = true;
	}
	ex_forbid(object, nr * EX_GRAIN, false);
	if (flags & ALLOC_ZERO)
		memset(object, 0, size);
	else
		poison(object, EX_GRAIN);
	/* Where the object ends: kfree is not told how large it is. */
	ex_changes(object + nr * EX_GRAIN - 4, 4);
	*(unsigned int *)(object + nr * EX_GRAIN - 4) = nr;
	return object;
}

void *buffer_alloc(size_t size, unsigned int flags)
{
	return kmalloc(size, flags);
}

void buffer_free(void *buffer, size_t size)
{
	kfree(buffer);
}

void *vmalloc(size_t size, unsigned int flags)
{
	return kmalloc(size, flags);
}

void vfree(void *object)
{
	kfree(object);
}

void *kzalloc(size_t size, unsigned int flags)
{
	return kmalloc(size, flags | ALLOC_ZERO);
}

ONE_STEP void kfree(const void *object)
{
	unsigned int first = ((uintptr_t)object - HEAP_START) / EX_GRAIN, nr = 1;

	if (!object)
		return;
	ex_access(&nr_objects, sizeof(nr_objects), EV_ATOMIC);
	if (first >= NR_OBJECTS || !object_used[first])
		ex_fail("an object is freed twice");
	while (*(unsigned int *)((char *)object + nr * EX_GRAIN - 4) != nr)
		nr++;
	nr_objects--;
	for (unsigned int i = first; i < first + nr; i++) {
		ex_changes(&object_used[i], sizeof(*object_used));
		object_used[i] = false;
	}
	ex_forbid((void *)object, nr * EX_GRAIN, true);
}

/* A cache is no more than its objects' size. */
struct slab_cache {
	const char *name;
	size_t size;
};
static struct slab_cache caches[16];
static unsigned int nr_caches;

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	caches[nr_caches] = (struct slab_cache){ name, size };
	return &caches[nr_caches++];
}

void *slab_alloc(struct slab_cache *cache, unsigned int flags)
{
	void *object = kmalloc(cache->size, flags);

	ex_object(object, cache->name, cache->name);
	return object;
}

void slab_free(struct slab_cache *cache, void *object)
{
	kfree(object);
}
