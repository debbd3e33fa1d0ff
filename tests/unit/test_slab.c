/*
 * Tests mm/slab.c as in the debug build. Objects never overlap, nothing is lost, and each kind of
 * misuse is noticed.
 */
#include "tests/unit/memory_shim.h"
#define DEBUG_BUILD 1
#include "tests/unit/cases.h"
#include "mm/page.c"
#include "mm/slab.c"

#define MAX_LIVE 3000u

static struct {
	unsigned char *bytes;
	size_t size;
	unsigned char fill;
	struct slab_cache *cache; /* NULL for kmalloc */
} live[MAX_LIVE];
static unsigned int nr_live;

static unsigned int free_pages(void)
{
	struct memory_stats s;

	slab_reclaim(0);
	memory_stats(&s);
	return s.free;
}

static void keep(void *object, size_t size, struct slab_cache *cache)
{
	unsigned char fill = random_u32();

	memset(object, fill, size);
	live[nr_live].bytes = object;
	live[nr_live].size = size;
	live[nr_live].cache = cache;
	live[nr_live++].fill = fill;
}

static void release(unsigned int i)
{
	for (size_t b = 0; b < live[i].size; b++)
		must(live[i].bytes[b] == live[i].fill);
	if (live[i].cache)
		slab_free(live[i].cache, live[i].bytes);
	else
		kfree(live[i].bytes);
	live[i] = live[--nr_live];
}

static void release_all(void)
{
	while (nr_live)
		release(random_u32() % nr_live);
}

/* Each case begins with it. */
static void setup(void)
{
	static struct page map[ARENA_FRAMES];

	mem_map = map;
	nr_frames = ARENA_FRAMES;
	lowmem_frames = ARENA_FRAMES;
	page_add_frames(1, ARENA_FRAMES);
	slab_init();
}

CASE(random)
{
	static const size_t sizes[] = { 4, 8, 24, 40, 100, 700, 1100, 3000 };
	struct slab_cache *caches_of[ARRAY_SIZE(sizes)];
	unsigned int before;

	setup();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		caches_of[i] = slab_cache_create("test", sizes[i], i == 3 ? 64 : i == 4 ? 32 : 0);
	before = free_pages();
	for (unsigned int step = 0; step < 100000; step++) {
		unsigned int which = random_u32() % ARRAY_SIZE(sizes);
		size_t size = random_u32() % 8 ? random_u32() % 300 : random_u32() % 20000;
		void *object;

		if (nr_live == MAX_LIVE || random_u32() % 9 < (nr_live > 1500 ? 5 : 4)) {
			if (nr_live)
				release(random_u32() % nr_live);
			continue;
		}
		if (random_u32() % 2) {
			object = slab_alloc(caches_of[which], 0);
			must(!object || which != 3 || (uintptr_t)object % 64 == 0);
			must(!object || which != 4 || (uintptr_t)object % 32 == 0);
			if (object)
				keep(object, sizes[which], caches_of[which]);
		} else {
			object = kmalloc(size, 0);
			must((uintptr_t)object % 8 == 0);
			if (object)
				keep(object, size, NULL);
		}
	}
	release_all();
	ok(free_pages() == before,
	   "100000 random steps: every object keeps its bytes, every page comes back");
}

static unsigned int in_use;
static void count(void *context, const char *name, size_t size, unsigned int used,
		  unsigned int pages)
{
	in_use += used;
}

static unsigned int objects(void)
{
	in_use = 0;
	slab_walk(count, NULL);
	return in_use;
}

CASE(counts)
{
	unsigned int before;
	void *a, *b, *c;

	setup();
	before = objects();
	a = kmalloc(50, 0);
	b = kmalloc(50, 0);
	c = kmalloc(1000, 0);
	ok(objects() == before + 3, "slab_walk counts the objects in use");
	kfree(a);
	kfree(b);
	kfree(c);
	ok(objects() == before, "and no longer counts freed objects");
	kfree(NULL);
	ok(!kmalloc(KMALLOC_MAX + 1, 0), "an object that is too large for kmalloc is refused");
	a = kmalloc(KMALLOC_MAX, 0);
	ok(a, "the largest kmalloc");
	kfree(a);
	a = kzalloc(300, 0);
	for (unsigned int i = 0; i < 300; i++)
		must(((char *)a)[i] == 0);
	kfree(a);
	ok(true, "kzalloc");
}

CASE(injected_failure)
{
	void *first, *second;

	setup();
	atomic_set(&page_fail_nth, 1);
	first = kmalloc(64, 0);
	second = kmalloc(64, 0);
	ok(!first && second, "an injected failure hits kmalloc");
	kfree(second);
}

static void free_twice(void)
{
	void *object = kmalloc(40, 0);

	kfree(object);
	kfree(object);
}

static void free_inside(void)
{
	kfree((char *)kmalloc(40, 0) + 8);
}

static void write_behind(void)
{
	char *object = kmalloc(64, 0);

	object[64] = 1;
	kfree(object);
}

static void write_far_behind(void)
{
	char *object = kmalloc(64, 0);

	object[64 + 9] = 1;
	kfree(object);
}

static void write_before(void)
{
	char *object = kmalloc(64, 0);

	object[-1] = 1;
	kfree(object);
}

static void write_freed(void)
{
	char *object = kmalloc(64, 0);

	kfree(object);
	object[30] = 1;
	kmalloc(64, 0);
}

static void write_free_page(void)
{
	struct page *page = page_alloc(0, ALLOC_LOW);
	char *bytes = page_address_low(page);

	page_put(page);
	bytes[99] = 1;
	page_alloc(0, ALLOC_LOW);
}

CASE(free_twice)
{
	setup();
	ok(panics(free_twice), "a double free is noticed");
}

CASE(free_inside)
{
	setup();
	ok(panics(free_inside), "a pointer into an object is noticed");
}

CASE(write_behind)
{
	setup();
	ok(panics(write_behind), "a write just behind an object is noticed");
}

CASE(write_far_behind)
{
	setup();
	ok(panics(write_far_behind), "a write into the red zone is noticed");
}

CASE(write_before)
{
	setup();
	ok(panics(write_before), "a write ahead of an object is noticed");
}

CASE(write_freed)
{
	setup();
	ok(panics(write_freed), "a write to a freed object is noticed");
}

CASE(write_free_page)
{
	setup();
	ok(panics(write_free_page), "a write to a free page is noticed");
}
