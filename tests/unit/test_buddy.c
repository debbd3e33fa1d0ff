/*
 * mm/page.c and mm/boot_memory.c: blocks never overlap and are aligned, nothing is lost, zones and
 * holes are respected, references and injected failures do what the header says.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"
#include "mm/page.c"
#include "mm/boot_memory.c"

#define LOW_FRAMES 2500u /* not a multiple of a block */
#define FIRST_FREE 256u	 /* the first MiB is not given out */
#define HOLE_START 3000u
#define HOLE_END   3111u
#define MAX_LIVE   ARENA_FRAMES

static unsigned char owned[ARENA_FRAMES];
static struct {
	struct page *page;
	unsigned int order;
} live[MAX_LIVE];
static unsigned int nr_live, owned_pages;

static struct memory_stats stats(void)
{
	struct memory_stats s;

	memory_stats(&s);
	return s;
}

static void take_over(struct page *page, unsigned int order)
{
	unsigned int frame = page_frame(page);

	must(frame % (1u << order) == 0);
	must(frame >= FIRST_FREE && frame + (1u << order) <= ARENA_FRAMES);
	must(page_order(page) == order && atomic_read(&page->refs) == 1);
	for (unsigned int f = frame; f < frame + (1u << order); f++) {
		must(!owned[f] && (f < HOLE_START || f >= HOLE_END));
		must(!(frame_page(f)->flags & PG_HIGH) == (f < LOW_FRAMES));
		must(page_head(frame_page(f)) == page);
		owned[f] = 1;
	}
	must(nr_live < MAX_LIVE);
	live[nr_live].page = page;
	live[nr_live++].order = order;
	owned_pages += 1u << order;
}

static void give_back(unsigned int i)
{
	unsigned int frame = page_frame(live[i].page);

	for (unsigned int f = frame; f < frame + (1u << live[i].order); f++)
		owned[f] = 0;
	owned_pages -= 1u << live[i].order;
	page_put(frame_page(frame + random_u32() % (1u << live[i].order))); /* a tail will do */
	live[i] = live[--nr_live];
}

static void give_back_all(void)
{
	while (nr_live)
		give_back(random_u32() % nr_live);
}

static void setup(void)
{
	boot_memory[0] = (struct boot_memory){ 0, HOLE_START * PAGE_SIZE };
	boot_memory[1] = (struct boot_memory){ HOLE_END * PAGE_SIZE, ARENA_FRAMES * PAGE_SIZE };
	nr_boot_memory = 2;
	lowmem_frames = LOW_FRAMES;
	page_init();
}

CASE(boot)
{
	struct memory_stats s;
	unsigned int map_pages = DIV_ROUND_UP(ARENA_FRAMES * sizeof(struct page), PAGE_SIZE);

	setup();
	s = stats();
	ok(nr_frames == ARENA_FRAMES, "mem_map describes all of RAM");
	ok(s.total == ARENA_FRAMES - FIRST_FREE - (HOLE_END - HOLE_START) - map_pages,
	   "total counts the pages that were free");
	ok(s.free == s.total - 1, "only the zero page is in use");
	ok(s.low_total == LOW_FRAMES - FIRST_FREE - map_pages, "the low zone ends where it should");
	for (unsigned int f = HOLE_START; f < HOLE_END; f++)
		must(frame_page(f)->flags & PG_RESERVED);
	ok(true, "the hole is reserved");
}

/* Allocate single pages until there is none left. */
static void take_all(void)
{
	struct page *page;

	while ((page = page_alloc(0, ALLOC_HIGH)) != NULL)
		take_over(page, 0);
}

static void exhaust(unsigned int flags, unsigned int expected, const char *name)
{
	struct page *page;

	while ((page = page_alloc(0, flags)) != NULL)
		take_over(page, 0);
	ok(owned_pages == expected, "%s: every page is allocated exactly once", name);
	give_back_all();
	ok(stats().free == stats().total - 1, "%s: all pages came back", name);
}

CASE(all_memory)
{
	setup();
	exhaust(ALLOC_HIGH, stats().total - 1, "all memory");
}

CASE(low_memory)
{
	setup();
	exhaust(ALLOC_LOW, stats().low_free, "low memory");
}

CASE(joins)
{
	unsigned int before = 0, after = 0;
	struct page *page;

	setup();
	while ((page = page_alloc(MAX_ORDER, ALLOC_HIGH)) != NULL) {
		take_over(page, MAX_ORDER);
		before++;
	}
	give_back_all();
	take_all();
	give_back_all();
	while ((page = page_alloc(MAX_ORDER, ALLOC_HIGH)) != NULL) {
		take_over(page, MAX_ORDER);
		after++;
	}
	give_back_all();
	ok(before > 0 && before == after, "single pages join again to the largest blocks");
	ok(!page_alloc(MAX_ORDER + 1, ALLOC_HIGH), "a larger order is refused");
}

CASE(random_steps)
{
	setup();
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int order = random_u32() % (random_u32() % 4 ? 3 : MAX_ORDER + 1);
		struct page *page;

		if (nr_live && (random_u32() % 5 < 2 || nr_live == MAX_LIVE)) {
			give_back(random_u32() % nr_live);
			continue;
		}
		page = page_alloc(order, random_u32() % 2 ? ALLOC_HIGH : ALLOC_LOW);
		if (page)
			take_over(page, order);
		else if (nr_live)
			give_back(random_u32() % nr_live);
		must(stats().free + owned_pages == stats().total - 1);
	}
	give_back_all();
	ok(stats().free == stats().total - 1, "200000 random steps: no overlap, nothing lost");
}

CASE(zeroed)
{
	struct page *page;
	bool zero = true;
	char *bytes;

	setup();
	page = page_alloc(2, ALLOC_LOW);
	bytes = page_address_low(page);
	memset(bytes, 0x55, 4 * PAGE_SIZE);
	page_put(page);
	page = page_alloc(2, ALLOC_LOW | ALLOC_ZERO);
	bytes = page_address_low(page);
	for (unsigned int i = 0; i < 4 * PAGE_SIZE; i++)
		zero &= bytes[i] == 0;
	ok(zero, "ALLOC_ZERO");
	page_put(page);
}

CASE(references)
{
	struct page *page;
	unsigned int free;

	setup();
	page = page_alloc(1, ALLOC_LOW);
	free = stats().free;
	must(page_get(page + 1));
	page_put(page);
	ok(stats().free == free, "the page stays while it has a holder");
	atomic_set(&page->refs, INT32_MAX);
	ok(!page_get(page), "a count that is nearly full refuses");
	ok(atomic_read(&page->refs) == INT32_MAX, "and the count does not change");
	atomic_set(&page->refs, 1);
	page_put(page);
	ok(stats().free == free + 2, "the last holder frees it");
}

static void put_twice(void)
{
	struct page *page = page_alloc(0, ALLOC_LOW);

	page_put(page);
	page_put(page);
}

static void free_lent(void)
{
	struct page *page = page_alloc(0, ALLOC_LOW);

	atomic_inc(&page->lent);
	page_put(page);
}

CASE(second_fails)
{
	struct page *first, *second, *third;

	setup();
	atomic_set(&page_fail_nth, 2);
	first = page_alloc(0, 0);
	second = page_alloc(0, 0);
	third = page_alloc(0, 0);
	ok(first && !second && third, "the second allocation fails, and only that one");
	page_put(first);
	page_put(third);
	ok(stats().free == stats().total - 1, "the others came back");
}

CASE(freed_in_use)
{
	setup();
	ok(panics(put_twice), "a double free is noticed");
	ok(panics(free_lent), "a promised page cannot be freed");
	page_put(page_alloc(0, ALLOC_LOW));
	ok(stats().free == stats().total - 1, "a page without users can be freed");
}

/* ---- the stacks ---- */

CASE(stack_takes_a_batch)
{
	struct single_pages *own;

	setup();
	own = this_cpu()->single_pages + ZONE_LOW;
	spill(own, &zones[ZONE_LOW], 0);
	take_over(page_alloc(0, ALLOC_LOW), 0);
	ok(own->count == BATCH - 1, "an empty stack is filled with a batch: %u are left",
	   own->count);
	while (nr_live < 3 * BATCH)
		take_over(page_alloc(0, ALLOC_LOW), 0);
	while (own->count < SINGLES_MAX)
		give_back(0);
	give_back(0);
	ok(own->count == SINGLES_MAX - BATCH + 1, "a full stack gives a batch back: %u are left",
	   own->count);
	give_back_all();
}

CASE(stack_is_finite)
{
	struct single_pages *own;

	setup();
	own = this_cpu()->single_pages + ZONE_LOW;
	for (unsigned int i = 0; i < 4 * SINGLES_MAX; i++)
		take_over(page_alloc(0, ALLOC_LOW), 0);
	while (nr_live) {
		give_back(nr_live - 1);
		must(own[ZONE_LOW].count <= SINGLES_MAX && own[ZONE_HIGH].count <= SINGLES_MAX);
		must(stats().free + owned_pages == stats().total - 1);
	}
	ok(own->count > 0, "pages that come back wait on the stack, up to its end");
}

/* The pages on the stack are all that a block needs. */
CASE(stack_is_joined_again)
{
	struct single_pages *own;
	struct page *block;

	setup();
	take_all();
	own = this_cpu()->single_pages + ZONE_LOW;
	for (unsigned int i = nr_live; i-- > 0;)
		if ((page_frame(live[i].page) & ~15u) == 1024)
			give_back(i);
	must(stats().free == 16);
	block = page_alloc(4, ALLOC_LOW);
	ok(block && own->count == 0,
	   "before a request fails, the pages on the stack are joined: %u are still there",
	   own->count);
	if (block)
		take_over(block, 4);
	give_back_all();
}

/* ---- reclaim ---- */

static unsigned int shrunk;
static unsigned int shrink_one(unsigned int wanted)
{
	shrunk++;
	if (!nr_live || shrunk > 3)
		return 0;
	give_back(nr_live - 1);
	return 1;
}

CASE(shrinkers_are_asked)
{
	static struct shrinker shrinker = { .shrink = shrink_one };
	struct page *page;

	setup();
	take_all();
	shrinker_register(&shrinker);
	ok(!page_alloc(0, ALLOC_HIGH | ALLOC_ATOMIC) && shrunk == 0,
	   "an atomic allocation does not reclaim");
	page = page_alloc(0, ALLOC_HIGH);
	ok(page && shrunk == 1, "an allocation that finds nothing asks the shrinkers");
	take_over(page, 0);
	shrunk = 3;
	ok(!page_alloc(0, ALLOC_HIGH) && shrunk == 4, "it fails when the shrinkers free nothing");
	give_back_all();
}

static struct page *shrinker_got;

/* A shrinker that needs a page itself. */
static unsigned int shrink_and_allocate(unsigned int wanted)
{
	shrunk++;
	shrinker_got = page_alloc(0, ALLOC_HIGH);
	if (shrunk > 1 || !nr_live)
		return 0;
	give_back(nr_live - 1);
	return 1;
}

CASE(shrinker_allocates)
{
	static struct shrinker shrinker = { .shrink = shrink_and_allocate };
	struct page *page;

	setup();
	take_all();
	shrinker_register(&shrinker);
	page = page_alloc(0, ALLOC_HIGH);
	ok(page && !shrinker_got && shrunk == 1,
	   "a shrinker that needs a page is not asked again: %u", shrunk);
	if (page)
		take_over(page, 0);
	give_back_all();
}

static unsigned int killed;

static bool kill_one(void)
{
	killed++;
	return false;
}

/* Another CPU frees pages while this one asks the shrinkers, which find nothing. */
static unsigned int shrink_while_others_free(unsigned int wanted)
{
	if (nr_live) {
		give_back(nr_live - 1);
		for (unsigned int z = 0; z < NR_ZONES; z++)
			spill(this_cpu()->single_pages + z, &zones[z], 0);
	}
	return 0;
}

CASE(freed_meanwhile)
{
	static struct shrinker shrinker = { .shrink = shrink_while_others_free };
	struct page *page;

	setup();
	take_all();
	shrinkers = &shrinker;
	page_alloc_last_resort = kill_one;
	page = page_alloc(0, 0);
	ok(killed == 0 && page, "no process is killed if memory was freed meanwhile: %u", killed);
	if (page)
		take_over(page, 0);
	give_back_all();
}

/* boot_memory_reserve against a map of pages. */
CASE(reserve)
{
	static unsigned char map[1024];

	for (unsigned int round = 0; round < 2000; round++) {
		memset(map, 1, sizeof(map));
		boot_memory[0] = (struct boot_memory){ 0, sizeof(map) * PAGE_SIZE };
		nr_boot_memory = 1;
		for (unsigned int i = 0; i < 12; i++) {
			unsigned int from = random_u32() % 1000, to = from + random_u32() % 24;

			boot_memory_reserve(from * PAGE_SIZE, to * PAGE_SIZE);
			memset(map + from, 0, to - from);
		}
		for (unsigned int i = 0; i < nr_boot_memory; i++) {
			phys_addr_t p = boot_memory[i].start;

			for (; p < boot_memory[i].end; p += PAGE_SIZE)
				must(map[p / PAGE_SIZE]++ == 1);
		}
		must(!memchr(map, 1, sizeof(map)));
	}
	ok(true, "2000 maps cut into pieces: exactly the pages that were not reserved are left");
}

CASE(last_resort)
{
	setup();
	take_all();
	page_alloc_last_resort = kill_one;
	ok(!page_alloc(0, ALLOC_HIGH | ALLOC_OPTIONAL) && killed == 0,
	   "no process is killed for an optional page: %u", killed);
	ok(!page_alloc(KILL_ORDER + 1, ALLOC_HIGH) && killed == 0,
	   "no process is killed for a large block: %u", killed);
	ok(!page_alloc(0, ALLOC_HIGH | ALLOC_ATOMIC) && killed == 0,
	   "no process is killed in an interrupt: %u", killed);
	ok(!page_alloc(0, ALLOC_HIGH) && killed == 1,
	   "one is asked to go for a page that must be: %u", killed);
	give_back_all();
}
