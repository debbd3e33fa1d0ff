/*
 * Tests mm/kmap.c: which pages the entries of both kinds show, when other CPUs are told of a
 * change, and that a full pool makes its callers wait.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "mm/page.h"
#include "mm/pgtable.h"

#define PAGES 600u

#define KERNEL_TASK_H
#define KMAP_LOCAL_MAX 16
struct task {
	unsigned int kmap_depth;
	struct page *kmap_pages[KMAP_LOCAL_MAX];
};
static struct task first_task, second_task, *running = &first_task;
#undef current
#define current running

static struct page frames[PAGES];
struct page *mem_map = frames;
uintptr_t direct_map_end;
pte_t pte_nx;

static pte_t pool_entries[KMAP_POOL_PAGES], local_entries[64];
static unsigned int flushes; /* of all CPUs */

pte_t *kernel_pte(uintptr_t va)
{
	if (va >= KMAP_LOCAL_START)
		return &local_entries[(va - KMAP_LOCAL_START) / PAGE_SIZE];
	return &pool_entries[(va - KMAP_POOL_START) / PAGE_SIZE];
}

static uintptr_t last_forgotten;

static void invlpg(uintptr_t va)
{
	last_forgotten = va;
}

void tlb_flush_kernel(uintptr_t start, uintptr_t end)
{
	must(end == start + PAGE_SIZE);
	flushes++;
}

/* While a task waits, another task runs and gives an entry back. */
static void another_task(void);
#undef wait_event
#define wait_event(queue, cond)         \
	do {                            \
		(void)(queue);          \
		while (!(cond))         \
			another_task(); \
	} while (0)

static unsigned int wakes;
#define wake_all(queue) ((void)(queue), wakes++)

#include "mm/kmap.c"

static struct page *other_page; /* the page that the other task has mapped */
static unsigned int waits;

static void another_task(void)
{
	waits++;
	kunmap(other_page);
}

static void map_one_more(void)
{
	kmap_local(&frames[100]);
}

static void *below;

static void unmap_below(void)
{
	kunmap_local(below);
}

static bool shows(const void *address, unsigned int frame)
{
	return pte_frame(*kernel_pte((uintptr_t)address)) == frame;
}

static void make_frames(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		frames[i].flags = PG_HIGH;
}

/* ---- kmap_local ---- */

CASE(stack)
{
	void *one, *two;

	make_frames();
	one = kmap_local(&frames[10]);
	two = kmap_local(&frames[11]);
	ok(one != two && shows(one, 10) && shows(two, 11), "local mappings are a stack");
	kunmap_local((char *)two + 100);
	kunmap_local(one);
	ok(running->kmap_depth == 0, "any address within the page gives it back");
	ok(kmap_local(&frames[12]) == one && shows(one, 12),
	   "the next mapping takes the place of the one that was given back");
}

CASE(stack_is_left_in_order)
{
	make_frames();
	below = kmap_local(&frames[10]);
	kmap_local(&frames[11]);
	ok(panics(unmap_below), "a mapping below the latest one is not given back");
}

CASE(stack_is_finite)
{
	make_frames();
	for (unsigned int i = 0; i < KMAP_LOCAL_MAX; i++)
		must(shows(kmap_local(&frames[i]), i));
	ok(running->kmap_depth == KMAP_LOCAL_MAX, "a task may have KMAP_LOCAL_MAX mappings");
	ok(panics(map_one_more), "one more is a fault of the kernel");
}

CASE(cpus)
{
	void *here, *there;

	make_frames();
	here = kmap_local(&frames[10]);
	cpus[0].id = 1;
	running = &second_task;
	there = kmap_local(&frames[20]);
	ok(here != there && shows(here, 10) && shows(there, 20), "each CPU has entries of its own");
	ok((char *)there - (char *)here == KMAP_LOCAL_MAX * PAGE_SIZE,
	   "a CPU has KMAP_LOCAL_MAX entries, one behind the other");
}

CASE(interrupt)
{
	void *one, *two, *in_interrupt;

	make_frames();
	one = kmap_local(&frames[10]);
	two = kmap_local(&frames[11]);
	in_interrupt = kmap_local(&frames[12]);
	ok(in_interrupt != one && in_interrupt != two && shows(in_interrupt, 12) &&
		   shows(one, 10) && shows(two, 11),
	   "an interrupt puts its mapping on top of them");
}

CASE(tasks)
{
	void *one, *two;

	make_frames();
	one = kmap_local(&frames[10]);
	two = kmap_local(&frames[11]);
	running = &second_task;
	ok(kmap_local(&frames[20]) == one && shows(one, 20),
	   "another task begins with the first entry");
	ok(kmap_local(&frames[21]) == two && shows(two, 21), "and goes on with the second one");
	running = &first_task;
	kmap_switch_in(running);
	ok(shows(one, 10) && shows(two, 11), "a task that runs again finds its mappings");
}

CASE(old_mappings_are_forgotten)
{
	void *address;

	make_frames();
	address = kmap_local(&frames[10]);
	ok(last_forgotten == (uintptr_t)address, "the CPU forgets what it knew about the address");
	kunmap_local(address);
	last_forgotten = 0;
	kmap_local(&frames[11]);
	ok(last_forgotten == (uintptr_t)address, "each time that the entry is set");
}

CASE(low_memory)
{
	make_frames();
	frames[PAGES - 1].flags = 0;
	ok(kmap_local(&frames[PAGES - 1]) == page_address_low(&frames[PAGES - 1]) &&
		   kmap(&frames[PAGES - 1]) == page_address_low(&frames[PAGES - 1]),
	   "low memory needs no entry");
	kunmap(&frames[PAGES - 1]);
	ok(flushes == 0 && running->kmap_depth == 0, "and uses none");
}

/* ---- kmap ---- */

static void *fill_pool(unsigned int frame)
{
	void *found = NULL;

	make_frames();
	for (unsigned int i = 0; i < KMAP_POOL_PAGES; i++) {
		void *address = kmap(&frames[i]);

		must(shows(address, i));
		found = i == frame ? address : found;
	}
	return found;
}

CASE(pool_addresses)
{
	void *address[KMAP_POOL_PAGES];
	bool good = true;

	make_frames();
	for (unsigned int i = 0; i < KMAP_POOL_PAGES; i++) {
		address[i] = kmap(&frames[i]);
		good = good && shows(address[i], i);
		for (unsigned int k = 0; k < i; k++)
			good = good && address[k] != address[i];
	}
	ok(good, "each page has its own address");
	ok(flushes == KMAP_POOL_PAGES, "all CPUs are told of each new mapping");
}

CASE(pool_shares)
{
	void *address = fill_pool(5);

	ok(kmap(&frames[5]) == address && flushes == KMAP_POOL_PAGES,
	   "a page that is mapped is not mapped again");
	kunmap(&frames[5]);
	other_page = &frames[77];
	kmap(&frames[500]);
	ok(shows(address, 5), "a page stays mapped while it has a user");
}

CASE(pool_is_full)
{
	void *given_back = fill_pool(77), *again;

	other_page = &frames[77];
	again = kmap(&frames[500]);
	ok(waits == 1 && again == given_back && shows(again, 500),
	   "a full pool makes its caller wait, and the entry that is given back then shows the caller's page");
	ok(flushes == KMAP_POOL_PAGES + 1, "all CPUs are told");
	ok(wakes == 1, "giving an entry back wakes those that wait for one");
}

CASE(pool_remembers)
{
	void *address = fill_pool(3);

	kunmap(&frames[3]);
	ok(kmap(&frames[3]) == address && flushes == KMAP_POOL_PAGES,
	   "an entry without users shows its page until it is needed");
}
