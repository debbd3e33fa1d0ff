/*
 * The page allocator.
 *
 * page_alloc() hands out one page, or a block of 2^order pages in one piece. page_put() of the last
 * reference calls page_free(), which takes it back.
 *
 * 1. There are two zones: low memory (in the direct map) and high memory. Each is a buddy system:
 *    free blocks of 2^order pages, aligned to their size, on one list for each order. A block is
 *    split into halves to serve a smaller order, and joined with its other half (its buddy) when
 *    both are free.
 * 2. Each CPU has a short stack of single pages for each zone. The pages of pipes and files, which
 *    come and go all the time, pass through it and are neither split nor joined. They count as
 *    free. Only the tasks of a CPU use its stacks, and interrupts go to the zone, so a stack needs
 *    no lock. Other CPUs cannot reach the pages on it, which are SINGLES_MAX at most.
 * 3. zone->lock is taken with interrupts off. Only page_alloc() may sleep.
 * 4. Reclaim: an allocation that finds nothing asks the shrinkers, one task at a time. Allocations
 *    made by a shrinker do not reclaim. Shrinkers only try locks, because their caller may hold
 *    them.
 * 5. In the debug build, free pages are filled with a pattern, which is checked when they are
 *    handed out.
 */
#include "mm/page.h"
#include "kernel/log.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/boot_memory.h"
#include "mm/fail.h"
#include "mm/huge.h"
#include "mm/kmap.h"

#define MAX_ORDER   10u /* the largest block: 4 MiB */
#define SINGLES_MAX 30u /* pages on a CPU's stack */
#define BATCH	    15u /* moved to or from the zone at once */
#define KILL_ORDER  3u	/* no process is killed for larger blocks */
#define POISON_WORD 0xa5a5a5a5u
#define PG_NOT_FREE (PG_RESERVED | PG_BUDDY | PG_SLAB | PG_LRU | PG_DEVICE | PG_LOCKED)

enum { ZONE_LOW, ZONE_HIGH, NR_ZONES };

struct zone {
	spinlock_t lock;		 /* irqsave */
	struct list free[MAX_ORDER + 1]; /* blocks, by page->link */
	unsigned int nr_free;		 /* pages, without those on the stacks */
	unsigned int nr_pages;		 /* in all */
};

struct single_pages {
	unsigned int count;
	struct page *pages[SINGLES_MAX];
};

static struct zone zones[NR_ZONES] = { { .lock = SPINLOCK_INIT("low zone") },
				       { .lock = SPINLOCK_INIT("high zone") } };
static struct single_pages single_pages[MAX_CPUS][NR_ZONES];

struct page *mem_map, *zero_page;
unsigned int nr_frames;

bool (*page_alloc_last_resort)(void);

static struct shrinker *shrinkers;
static struct mutex reclaim_lock = MUTEX_INIT(reclaim_lock);

static unsigned int zone_of(const struct page *page)
{
	return page_has(page, PG_HIGH) ? ZONE_HIGH : ZONE_LOW;
}

/* ---- the buddy system; zone->lock is held ---- */

static void block_insert(struct zone *zone, struct page *page, unsigned int order)
{
	page->index = order;
	page->flags |= PG_BUDDY;
	list_add(&zone->free[order], &page->link);
}

static void block_remove(struct page *page)
{
	list_del(&page->link);
	page->flags &= ~PG_BUDDY;
}

//BOOK: buddy
static struct page *buddy_take(struct zone *zone, unsigned int order)
{
	unsigned int from = order;
	struct page *page;

	while (from <= MAX_ORDER && list_empty(&zone->free[from]))
		from++;
	if (from > MAX_ORDER)
		return NULL;
	page = list_first(&zone->free[from], struct page, link);
	block_remove(page);
	while (from > order) {
		from--;
		block_insert(zone, page + (1u << from), from);
	}
	zone->nr_free -= 1u << order;
	return page;
}

static void buddy_give(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned int frame = page_frame(page);

	zone->nr_free += 1u << order;
	for (; order < MAX_ORDER; order++) {
		unsigned int other = frame ^ 1u << order;
		struct page *buddy = frame_page(other);

		if (other >= nr_frames || !page_has(buddy, PG_BUDDY) || buddy->index != order ||
		    page_has(buddy, PG_HIGH) != page_has(page, PG_HIGH))
			break;
		block_remove(buddy);
		frame &= ~(1u << order);
	}
	block_insert(zone, frame_page(frame), order);
}

/*
 * ---- the stacks of single pages; not for interrupts ----
 *
 * The rare cases are not inlined, so that the common one saves no registers for them.
 */

static __noinline void refill(struct single_pages *own, struct zone *zone)
{
	unsigned int flags = spin_lock_irqsave(&zone->lock);
	struct page *page;

	while (own->count < BATCH && (page = buddy_take(zone, 0)) != NULL)
		own->pages[own->count++] = page;
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* Give all but `keep` pages of a stack back to their zone. */
static __noinline void spill(struct single_pages *own, struct zone *zone, unsigned int keep)
{
	unsigned int flags = spin_lock_irqsave(&zone->lock);

	while (own->count > keep)
		buddy_give(zone, own->pages[--own->count], 0);
	spin_unlock_irqrestore(&zone->lock, flags);
}

//BOOK: single-pages
static struct page *take_single(unsigned int z)
{
	struct single_pages *own = this_cpu()->single_pages + z;

	if (own->count == 0)
		refill(own, &zones[z]);
	return own->count > 0 ? own->pages[--own->count] : NULL;
}

static void give_single(struct page *page, unsigned int z)
{
	struct single_pages *own = this_cpu()->single_pages + z;

	if (own->count == SINGLES_MAX)
		spill(own, &zones[z], SINGLES_MAX - BATCH);
	own->pages[own->count++] = page;
}

/* ---- allocation ---- */

/* Debug build: fill free memory with a pattern, or check that it is there still. */
static void poison(struct page *page, unsigned int order, bool check)
{
	for (unsigned int i = 0; i < 1u << order; i++) {
		uint32_t *words = kmap_local(page + i);

		for (unsigned int w = 0; w < PAGE_SIZE / 4; w++) {
			if (check && words[w] != POISON_WORD)
				panic("page %x: free memory was written, %x at %x",
				      page_frame(page + i), words[w], w * 4);
			words[w] = POISON_WORD;
		}
		kunmap_local(words);
	}
}

static void make_compound(struct page *head, unsigned int order)
{
	head->flags |= PG_HEAD;
	head->private = order;
	for (unsigned int i = 1; i < 1u << order; i++) {
		head[i].flags |= PG_TAIL;
		head[i].head = head;
	}
}

static void break_compound(struct page *head, unsigned int order)
{
	for (unsigned int i = 1; i < 1u << order; i++) {
		head[i].flags &= PG_HIGH;
		head[i].head = NULL;
	}
}

/* The zone to begin with. */
static unsigned int first_zone(unsigned int flags)
{
	return flags & ALLOC_HIGH && zones[ZONE_HIGH].nr_pages > 0 ? ZONE_HIGH : ZONE_LOW;
}

/* Ask all shrinkers once. Returns how many pages they freed. */
static unsigned int shrink(unsigned int wanted)
{
	unsigned int freed = 0;

	for (struct shrinker *s = shrinkers; s; s = s->next)
		freed += s->shrink(wanted);
	return freed;
}

/*
 * Returns whether a zone has a block by now. Another CPU may have freed it since the last look:
 *
 *	this CPU			the other CPU
 *	finds no block
 *					reclaims all that the caches can give
 *	asks the shrinkers: nothing
 *	kills a process, although memory is free
 */
static bool block_is_there(unsigned int order, unsigned int flags)
{
	for (int z = first_zone(flags); z >= ZONE_LOW; z--)
		for (unsigned int from = order; from <= MAX_ORDER; from++)
			if (!list_empty_unlocked(&zones[z].free[from]))
				return true;
	return false;
}

/*
 * No zone has a block. Join the single pages of this CPU, then ask the shrinkers, and if they free
 * nothing, the last resort. Returns true if the allocation should be tried again. A large block is
 * not worth a process: memory may be in pieces, and not used up.
 */
static bool make_room(unsigned int order, unsigned int flags)
{
	struct single_pages *own = this_cpu()->single_pages;
	unsigned int freed;

	if (!this_cpu()->irq_depth && own[ZONE_LOW].count + own[ZONE_HIGH].count > 0) {
		spill(&own[ZONE_LOW], &zones[ZONE_LOW], 0);
		spill(&own[ZONE_HIGH], &zones[ZONE_HIGH], 0);
		return true;
	}
	if (flags & ALLOC_ATOMIC || order > MAX_ORDER || mutex_held(&reclaim_lock))
		return false;
	mutex_lock(&reclaim_lock);
	freed = shrink(32u << order);
	mutex_unlock(&reclaim_lock);
	if (freed > 0 || block_is_there(order, flags))
		return true;
	return !(flags & ALLOC_OPTIONAL) && order <= KILL_ORDER && page_alloc_last_resort &&
	       page_alloc_last_resort();
}

static __noinline struct page *alloc_block(unsigned int order, unsigned int flags)
{
	struct page *page = NULL;

	do {
		for (int z = first_zone(flags); z >= ZONE_LOW && !page; z--) {
			unsigned int irq = spin_lock_irqsave(&zones[z].lock);

			page = buddy_take(&zones[z], order);
			spin_unlock_irqrestore(&zones[z].lock, irq);
		}
	} while (!page && make_room(order, flags));
	return page;
}

/* Turn a free block into what the caller of page_alloc() gets. */
static void prepare(struct page *page, unsigned int order, unsigned int flags)
{
	if (DEBUG_BUILD)
		poison(page, order, true);
	atomic_set(&page->refs, 1);
	if (order > 0)
		make_compound(page, order);
	if (flags & ALLOC_ZERO)
		for (unsigned int i = 0; i < 1u << order; i++)
			page_zero(page + i, 0, PAGE_SIZE);
}

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = NULL;

	if (page_fail_now())
		return NULL;
	if (order == 0 && !this_cpu()->irq_depth)
		page = take_single(first_zone(flags));
	if (!page)
		page = alloc_block(order, flags);
	if (page)
		prepare(page, order, flags);
	return page;
}

/* A page that is freed must not be used for anything any more. */
static void check_free(const struct page *page)
{
	if (atomic_read(&page->refs) < 0)
		panic("page %x: freed twice", page_frame(page));
	if (page_has(page, PG_NOT_FREE) || atomic_read(&page->mapped) | atomic_read(&page->lent))
		panic("page %x: freed while in use: flags %x, mapped %d, lent %d", page_frame(page),
		      page->flags, atomic_read(&page->mapped), atomic_read(&page->lent));
}

static __noinline void free_block(struct page *page, unsigned int order)
{
	struct zone *zone = &zones[zone_of(page)];
	unsigned int irq = spin_lock_irqsave(&zone->lock);

	buddy_give(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, irq);
}

void page_free(struct page *page)
{
	unsigned int order = page_order(page);

	check_free(page);
	if (order > 0 && page_has(page, PG_HUGE)) {
		huge_free(page);
		return;
	}
	if (DEBUG_BUILD)
		poison(page, order, false);
	if (order > 0)
		break_compound(page, order);
	page->flags &= PG_HIGH;
	page->mapping = NULL;
	page->private = 0;
	if (order == 0 && !this_cpu()->irq_depth)
		give_single(page, zone_of(page));
	else
		free_block(page, order);
}

/* ---- references ---- */

void page_ref(struct page *page)
{
	if (unlikely(!page_get(page)))
		panic("page %x: too many references", page_frame(page));
}

//BOOK: fake-page
void page_init_device(struct page *page, unsigned int frame)
{
	*page = (struct page){ .flags = PG_DEVICE | PG_UPTODATE, .private = frame };
	atomic_set(&page->refs, 1);
	list_init(&page->link);
}

/* ---- counts, shrinkers, boot ---- */

void memory_stats(struct memory_stats *stats)
{
	unsigned int free[NR_ZONES];

	for (unsigned int z = 0; z < NR_ZONES; z++) {
		free[z] = READ_ONCE(zones[z].nr_free);
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			free[z] += READ_ONCE(single_pages[cpu][z].count);
	}
	stats->low_total = zones[ZONE_LOW].nr_pages;
	stats->low_free = free[ZONE_LOW];
	stats->total = stats->low_total + zones[ZONE_HIGH].nr_pages;
	stats->free = free[ZONE_LOW] + free[ZONE_HIGH];
}

void shrinker_register(struct shrinker *shrinker)
{
	shrinker->next = shrinkers;
	shrinkers = shrinker;
}

static void zones_init(void)
{
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		cpus[i].single_pages = single_pages[i];
	for (unsigned int i = 0; i < NR_ZONES * (MAX_ORDER + 1); i++)
		list_init(&zones[i % NR_ZONES].free[i / NR_ZONES]);
}

void page_add_frames(unsigned int first, unsigned int end)
{
	if (!zones[ZONE_LOW].nr_pages)
		zones_init();
	for (; first < end; first++) {
		struct page *page = frame_page(first);

		atomic_set(&page->refs, 0);
		page->flags &= PG_HIGH;
		zones[zone_of(page)].nr_pages++;
		page_free(page);
	}
}
