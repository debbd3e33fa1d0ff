/*
 * Tests mm/kmap.c: which pages the entries of both kinds show, when other CPUs are told of a change,
 * and that a full pool makes its callers wait.
 */
#include "tests/unit/shim.h"
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

static void invlpg(uintptr_t va)
{
	(void)va;
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

#include "mm/kmap.c"

static struct page *other_page; /* the page that the other task has mapped */
static unsigned int waits;

static void another_task(void)
{
	waits++;
	kunmap(other_page);
}

static bool shows(const void *address, unsigned int frame)
{
	return pte_frame(*kernel_pte((uintptr_t)address)) == frame;
}

static void test_pool(void)
{
	void *address[KMAP_POOL_PAGES], *again;
	bool good = true;

	for (unsigned int i = 0; i < KMAP_POOL_PAGES; i++) {
		address[i] = kmap(&frames[i]);
		good = good && shows(address[i], i);
		for (unsigned int k = 0; k < i; k++)
			good = good && address[k] != address[i];
	}
	ok(good && flushes == KMAP_POOL_PAGES,
	   "each page has its own address, and all CPUs are told");
	again = kmap(&frames[5]);
	ok(again == address[5] && flushes == KMAP_POOL_PAGES,
	   "a page that is mapped is not mapped again");
	kunmap(&frames[5]);
	other_page = &frames[77];
	again = kmap(&frames[500]);
	ok(waits == 1 && again == address[77] && shows(again, 500) &&
		   flushes == KMAP_POOL_PAGES + 1,
	   "a full pool makes its caller wait, and the entry that is given back then shows the caller's page");
	ok(shows(address[5], 5), "a page stays mapped while it has a user");
	kunmap(&frames[3]);
	ok(kmap(&frames[3]) == address[3] && flushes == KMAP_POOL_PAGES + 1,
	   "an entry without users shows its page until it is needed");
}

static void test_local(void)
{
	void *one = kmap_local(&frames[10]), *two = kmap_local(&frames[11]), *in_interrupt;

	ok(one != two && shows(one, 10) && shows(two, 11), "local mappings are a stack");
	in_interrupt = kmap_local(&frames[12]);
	ok(in_interrupt != one && in_interrupt != two && shows(in_interrupt, 12) &&
		   shows(one, 10) && shows(two, 11),
	   "an interrupt puts its mapping on top of them");
	kunmap_local(in_interrupt);

	running = &second_task;
	ok(kmap_local(&frames[20]) == one && shows(one, 20),
	   "another task begins with the first entry");
	running = &first_task;
	kmap_switch_in(running);
	ok(shows(one, 10) && shows(two, 11), "a task that runs again finds its mappings");
	kunmap_local((char *)two + 100);
	kunmap_local(one);
	ok(running->kmap_depth == 0, "any address within the page gives it back");
}

int main(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		frames[i].flags = PG_HIGH;
	frames[PAGES - 1].flags = 0;
	test_pool();
	test_local();
	ok(kmap(&frames[PAGES - 1]) == page_address_low(&frames[PAGES - 1]),
	   "low memory needs no entry");
	kunmap(&frames[PAGES - 1]);
	return tap_done();
}
