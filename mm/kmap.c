/*
 * Mappings for page contents in high memory.
 *
 * 1. kmap_local: CPU c has KMAP_LOCAL_MAX + IRQ_SLOTS entries of its own. Entry i shows the i-th
 *    mapping of the task that runs; the last few are for interrupts. An entry is flushed when it is
 *    set, so what it showed before does not matter, and giving it back costs nothing.
 * 2. A task with such mappings stays on its CPU; kmap_switch_in() puts them back when it runs
 *    again.
 * 3. kmap: a pool of entries, found by their page. An unused entry keeps its page mapped, until the
 *    pool is exhausted: then all unused ones are flushed on all CPUs at once. pool_lock guards it.
 */
#include "mm/kmap.h"
#include "kernel/spinlock.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/pgtable.h"

#define IRQ_SLOTS   4u
#define LOCAL_SLOTS (KMAP_LOCAL_MAX + IRQ_SLOTS)
#define LOCAL_END   (KMAP_LOCAL_START + MAX_CPUS * LOCAL_SLOTS * PAGE_SIZE)
#define POOL_END    (KMAP_POOL_START + KMAP_POOL_PAGES * PAGE_SIZE)
#define BUCKETS	    256u
#define NONE	    0xffffu

static unsigned int irq_slots_used[MAX_CPUS];

struct pool_entry {
	struct page *page; /* NULL: never used, or flushed */
	unsigned int users;
	uint16_t next; /* in its bucket, or on the list of free ones */
};

static spinlock_t pool_lock = SPINLOCK_INIT("kmap pool");
static struct pool_entry pool[KMAP_POOL_PAGES]; /* pool_lock, these and the next two */
static uint16_t buckets[BUCKETS];
static uint16_t first_free;
static struct wait_queue pool_wait = WAIT_QUEUE_INIT(pool_wait);

/* ---- kmap_local ---- */

static uintptr_t local_address(unsigned int slot)
{
	return KMAP_LOCAL_START + (this_cpu()->id * LOCAL_SLOTS + slot) * PAGE_SIZE;
}

/* Device memory is not cached: what is read or written is read or written there. */
static pte_t page_entry(const struct page *page)
{
	pte_t bits = PTE_PRESENT | PTE_WRITE | pte_nx;

	if (page->flags & PG_DEVICE)
		return pte_make((phys_addr_t)page->private << PAGE_SHIFT,
				bits | PTE_NOCACHE | PTE_WRITETHROUGH);
	return pte_make(page_phys(page), bits);
}

static void *local_set(unsigned int slot, struct page *page)
{
	uintptr_t va = local_address(slot);

	pte_set(kernel_pte(va), page_entry(page));
	invlpg(va);
	return (void *)va;
}

//BOOK: kmap-local
void *kmap_local_slow(struct page *page)
{
	struct task *task = current;
	unsigned int slot;

	if (this_cpu()->irq_depth) {
		slot = irq_slots_used[this_cpu()->id]++;
		if (slot >= IRQ_SLOTS)
			panic("kmap_local: too many mappings in interrupts");
		return local_set(KMAP_LOCAL_MAX + slot, page);
	}
	slot = task->kmap_depth;
	if (slot >= KMAP_LOCAL_MAX)
		panic("kmap_local: too many mappings in one task");
	task->kmap_pages[slot] = page;
	task->kmap_depth = slot + 1;
	return local_set(slot, page);
}

void kunmap_local_slow(void *address)
{
	uintptr_t va = (uintptr_t)address & PAGE_MASK;
	struct task *task = current;
	unsigned int slot;

	if (this_cpu()->irq_depth)
		slot = KMAP_LOCAL_MAX + --irq_slots_used[this_cpu()->id];
	else
		slot = --task->kmap_depth;
	if (va != local_address(slot))
		panic("kunmap_local: %p is not the latest mapping", address);
	if (DEBUG_BUILD) {
		pte_set(kernel_pte(va), 0);
		invlpg(va);
	}
}

void kmap_switch_in(struct task *task)
{
	for (unsigned int slot = 0; slot < task->kmap_depth; slot++)
		local_set(slot, task->kmap_pages[slot]);
}

/* ---- kmap ---- */

static unsigned int bucket_of(const struct page *page)
{
	return page_frame(page) % BUCKETS;
}

static uint16_t *find_link(const struct page *page)
{
	uint16_t *link = &buckets[bucket_of(page)];

	while (*link != NONE && pool[*link].page != page)
		link = &pool[*link].next;
	return link;
}

static uintptr_t pool_address(unsigned int i)
{
	return KMAP_POOL_START + i * PAGE_SIZE;
}

/* Take all unused entries out of the buckets, and forget on all CPUs what they showed. */
static void pool_flush(void)
{
	for (unsigned int b = 0; b < BUCKETS; b++) {
		uint16_t *link = &buckets[b];

		while (*link != NONE) {
			unsigned int i = *link;

			if (pool[i].users) {
				link = &pool[i].next;
				continue;
			}
			*link = pool[i].next;
			pool[i].page = NULL;
			pool[i].next = first_free;
			first_free = i;
			pte_set(kernel_pte(pool_address(i)), 0);
		}
	}
	tlb_flush_kernel(KMAP_POOL_START, POOL_END);
}

/* The entry for page with one more user; NONE: the pool is full. */
static unsigned int pool_take(struct page *page)
{
	uint16_t *link = find_link(page);
	unsigned int i = *link;

	lockdep_held(&pool_lock);
	if (i == NONE) {
		if (first_free == NONE)
			pool_flush();
		i = first_free;
		if (i == NONE)
			return NONE;
		first_free = pool[i].next;
		pool[i].page = page;
		pool[i].next = buckets[bucket_of(page)];
		buckets[bucket_of(page)] = i;
		pte_set(kernel_pte(pool_address(i)),
			pte_make(page_phys(page), PTE_PRESENT | PTE_WRITE | pte_nx));
	}
	pool[i].users++;
	return i;
}

static unsigned int pool_try(struct page *page)
{
	unsigned int i;

	spin_lock(&pool_lock);
	i = pool_take(page);
	spin_unlock(&pool_lock);
	return i;
}

void *kmap(struct page *page)
{
	unsigned int i;

	/* A fake page may go while the pool still shows it: kmap_local is for those. */
	assert(!(page->flags & PG_DEVICE));
	if (!(page->flags & PG_HIGH))
		return page_address_low(page);
	/*
	 * kunmap() makes an entry unused under pool_lock before it wakes, and the condition takes
	 * pool_lock after the sleeper is on the queue: one of the two sees the other.
	 */
	wait_event(&pool_wait, (i = pool_try(page)) != NONE);
	return (void *)pool_address(i);
}

void kunmap(struct page *page)
{
	unsigned int i;

	if (!(page->flags & PG_HIGH))
		return;
	spin_lock(&pool_lock);
	i = *find_link(page);
	if (i == NONE || !pool[i].users)
		panic("kunmap: page %x is not mapped", page_frame(page));
	pool[i].users--;
	spin_unlock(&pool_lock);
	wake_all(&pool_wait);
}

void kmap_init(void)
{
	memset(buckets, 0xff, sizeof(buckets));
	for (unsigned int i = 0; i < KMAP_POOL_PAGES; i++)
		pool[i].next = i + 1 < KMAP_POOL_PAGES ? i + 1 : NONE;
	first_free = 0;
}

/* ---- helpers ---- */

void page_zero(struct page *page, unsigned int offset, unsigned int len)
{
	char *address = kmap_local(page);

	memset(address + offset, 0, len);
	kunmap_local(address);
}

void page_copy(struct page *to, struct page *from)
{
	void *target = kmap_local(to), *source = kmap_local(from);

	memcpy(target, source, PAGE_SIZE);
	kunmap_local(source);
	kunmap_local(target);
}
