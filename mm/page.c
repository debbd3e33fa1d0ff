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
 *    come and go all the time, pass through it and are neither split nor joined. They count as free.
 *    `busy` protects a stack: its own CPU sets it while it uses the stack, and another CPU sets it to
 *    empty the stack. Whoever finds it set uses the zone instead, and so does an interrupt that
 *    arrives while its CPU has it set.
 * 3. zone->lock is taken with interrupts off, and after `busy`. Only page_alloc() may sleep.
 * 4. Reclaim: an allocation that finds nothing asks the shrinkers, one task at a time. Allocations
 *    made by a shrinker do not reclaim. Shrinkers only try locks, because their caller may hold them.
 * 5. In the debug build, free pages are filled with a pattern, which is checked when they are handed
 *    out.
 */
#include "mm/page.h"
#include "kernel/log.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "lib/string.h"
#include "mm/boot_memory.h"
#include "mm/huge.h"
#include "mm/kmap.h"

#define MAX_ORDER   10u /* the largest block: 4 MiB */
#define HOT_MAX	    30u /* pages on a CPU's stack; 128 bytes are cheap to index */
#define HOT_BATCH   15u /* moved to or from the zone at once */
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

struct hot_pages {
	volatile unsigned int busy;
	unsigned int count;
	struct page *pages[HOT_MAX];
};

#define ZONE_INIT(n)                     \
	{                                \
		.lock = SPINLOCK_INIT(n) \
	}
static struct zone zones[NR_ZONES] = { ZONE_INIT("low zone"), ZONE_INIT("high zone") };
static struct hot_pages hot_pages[MAX_CPUS][NR_ZONES];

struct page *mem_map, *zero_page;
unsigned int nr_frames;
struct atomic page_fail_nth;

bool (*page_alloc_last_resort)(void);

static struct shrinker *shrinkers;
static struct mutex reclaim_lock;

static unsigned int zone_of(const struct page *page)
{
	return page->flags & PG_HIGH ? ZONE_HIGH : ZONE_LOW;
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

		if (other >= nr_frames || !(buddy->flags & PG_BUDDY) || buddy->index != order ||
		    (buddy->flags & PG_HIGH) != (page->flags & PG_HIGH))
			break;
		block_remove(buddy);
		frame &= ~(1u << order);
	}
	block_insert(zone, frame_page(frame), order);
}

/* ---- the stacks of single pages ---- */

/* Begin to use a stack. Returns false if somebody else is using it. */
static bool hot_begin(struct hot_pages *hot)
{
	return !__sync_lock_test_and_set(&hot->busy, 1);
}

static void hot_end(struct hot_pages *hot)
{
	__sync_lock_release(&hot->busy);
}

static void hot_fill(struct hot_pages *hot, struct zone *zone)
{
	unsigned int flags = spin_lock_irqsave(&zone->lock);
	struct page *page;

	while (hot->count < HOT_BATCH && (page = buddy_take(zone, 0)))
		hot->pages[hot->count++] = page;
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* Give all but `keep` pages of a stack back to their zone. */
static void hot_spill(struct hot_pages *hot, struct zone *zone, unsigned int keep)
{
	unsigned int flags = spin_lock_irqsave(&zone->lock);

	while (hot->count > keep)
		buddy_give(zone, hot->pages[--hot->count], 0);
	spin_unlock_irqrestore(&zone->lock, flags);
}

//BOOK: hot-pages
/* A page from this CPU's stack, or NULL: it is in use, or the zone has nothing to fill it with. */
static struct page *hot_take(unsigned int z)
{
	struct hot_pages *hot = this_cpu()->hot_pages + z;
	struct page *page = NULL;

	if (!hot_begin(hot))
		return NULL;
	if (hot->count == 0)
		hot_fill(hot, &zones[z]);
	if (hot->count > 0)
		page = hot->pages[--hot->count];
	hot_end(hot);
	return page;
}

/* Put a page on this CPU's stack. Returns false if the stack is in use. */
static bool hot_give(struct page *page, unsigned int z)
{
	struct hot_pages *hot = this_cpu()->hot_pages + z;

	if (!hot_begin(hot))
		return false;
	if (hot->count == HOT_MAX)
		hot_spill(hot, &zones[z], HOT_MAX - HOT_BATCH);
	hot->pages[hot->count++] = page;
	hot_end(hot);
	return true;
}

/*
 * Empty the stacks of all CPUs. Their pages may complete a larger block, or be the last ones free. An
 * interrupt does not wait for a stack, because its own CPU may be using it.
 */
static void drain_hot_pages(void)
{
	for (unsigned int i = 0; i < MAX_CPUS * NR_ZONES; i++) {
		struct hot_pages *hot = &hot_pages[i / NR_ZONES][i % NR_ZONES];
		bool mine;

		while (!(mine = hot_begin(hot)) && !this_cpu()->irq_depth)
			cpu_relax();
		if (!mine)
			continue;
		hot_spill(hot, &zones[i % NR_ZONES], 0);
		hot_end(hot);
	}
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

static struct page *try_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = NULL;

	for (int z = first_zone(flags); z >= ZONE_LOW && !page; z--) {
		unsigned int irq = spin_lock_irqsave(&zones[z].lock);

		page = buddy_take(&zones[z], order);
		spin_unlock_irqrestore(&zones[z].lock, irq);
	}
	return page;
}

/* Ask all shrinkers once. Returns how many pages they freed. */
static unsigned int shrink(unsigned int wanted)
{
	unsigned int freed = 0;

	for (struct shrinker *s = shrinkers; s; s = s->next)
		freed += s->shrink(wanted);
	return freed;
}

static struct page *reclaim_and_alloc(unsigned int order, unsigned int flags)
{
	struct page *page;
	unsigned int freed;

	mutex_lock(&reclaim_lock);
	do {
		freed = shrink(32u << order);
		drain_hot_pages();
		page = try_alloc(order, flags);
	} while (!page && freed);
	mutex_unlock(&reclaim_lock);
	return page;
}

/*
 * Take a block from a zone. If no zone has one, collect the single pages from the stacks, then ask the
 * shrinkers as long as they free something, and then the last resort. A large block is not worth a
 * process: memory may be in pieces, and not used up.
 */
static struct page *alloc_slow(unsigned int order, unsigned int flags)
{
	struct page *page = try_alloc(order, flags);

	if (page)
		return page;
	drain_hot_pages();
	page = try_alloc(order, flags);
	if (page || flags & ALLOC_ATOMIC || !shrinkers || mutex_held(&reclaim_lock))
		return page;
	do
		page = reclaim_and_alloc(order, flags);
	while (!page && !(flags & ALLOC_OPTIONAL) && order <= KILL_ORDER &&
	       page_alloc_last_resort && page_alloc_last_resort());
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

	if (page_fail_now() || order > MAX_ORDER)
		return NULL;
	if (order == 0)
		page = hot_take(first_zone(flags));
	if (!page)
		page = alloc_slow(order, flags);
	if (page)
		prepare(page, order, flags);
	return page;
}

/* A page that is freed must not be used for anything any more. */
static void check_free(const struct page *page)
{
	if (atomic_read(&page->refs) < 0)
		panic("page %x: freed twice", page_frame(page));
	if (page->flags & PG_NOT_FREE || atomic_read(&page->mapped) | atomic_read(&page->lent))
		panic("page %x: freed in use: flags %x, mapped %d, lent %d", page_frame(page),
		      page->flags, atomic_read(&page->mapped), atomic_read(&page->lent));
}

void page_free(struct page *page)
{
	unsigned int order = page_order(page), z = zone_of(page), flags;

	check_free(page);
	if (page->flags & PG_HUGE) {
		huge_free(page);
		return;
	}
	if (DEBUG_BUILD)
		poison(page, order, false);
	break_compound(page, order);
	page->flags &= PG_HIGH;
	page->mapping = NULL;
	page->private = 0;
	if (order == 0 && hot_give(page, z))
		return;
	flags = spin_lock_irqsave(&zones[z].lock);
	buddy_give(&zones[z], page, order);
	spin_unlock_irqrestore(&zones[z].lock, flags);
}

/* ---- references ---- */

void page_ref(struct page *page)
{
	if (unlikely(!page_get(page)))
		panic("page %x: too many references", page_frame(page));
}

void *page_alloc_low(unsigned int order)
{
	struct page *page = page_alloc(order, ALLOC_LOW | ALLOC_ZERO);

	return page ? page_address_low(page) : NULL;
}

void page_free_low(void *address)
{
	page_put(virt_to_page(address));
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
			free[z] += READ_ONCE(hot_pages[cpu][z].count);
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
	mutex_init(&reclaim_lock, "reclaim");
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		cpus[i].hot_pages = hot_pages[i];
	for (unsigned int i = 0; i < NR_ZONES * (MAX_ORDER + 1); i++)
		list_init(&zones[i % NR_ZONES].free[i / NR_ZONES]);
}

void page_add_frames(unsigned int first, unsigned int end)
{
	if (!zones[ZONE_LOW].free[0].next)
		zones_init();
	while (first < end) {
		unsigned int order = MAX_ORDER, zone_end = end, flags;
		struct page *page = frame_page(first);
		struct zone *zone = &zones[zone_of(page)];

		if (!(page->flags & PG_HIGH))
			zone_end = MIN(end, lowmem_frames);
		while (first % (1u << order) || first + (1u << order) > zone_end)
			order--;
		for (unsigned int i = 0; i < 1u << order; i++) {
			atomic_set(&page[i].refs, 0);
			page[i].flags &= PG_HIGH;
		}
		if (DEBUG_BUILD)
			poison(page, order, false);
		flags = spin_lock_irqsave(&zone->lock);
		zone->nr_pages += 1u << order;
		buddy_give(zone, page, order);
		spin_unlock_irqrestore(&zone->lock, flags);
		first += 1u << order;
	}
}
