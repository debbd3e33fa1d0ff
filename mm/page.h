/*
 * Pages of memory: struct page, reference counts, the page allocator.
 *
 *	struct page *page = page_alloc(0, ALLOC_HIGH | ALLOC_ZERO);
 *
 *	if (!page)
 *		return -ENOMEM;
 *	...
 *	page_put(page);
 *
 * 1. mem_map has one struct page for every page frame of RAM. Each holder of a page has a
 *    reference, and the last page_put() frees the page.
 * 2. A compound page consists of 2^order frames. Its count is in the first struct page (the head),
 *    and the others (its tails) point to the head.
 * 3. The allocator has a low zone (in the kernel's direct map) and a high zone (reached by kmap
 *    only). With ALLOC_HIGH it tries the high zone first. Pages may be freed from interrupts.
 * 4. `lent` counts the promises that a page's bytes will not change. Pipe slots, and bios made
 *    from them, make such promises. See page_begin_write() in fs/cache/pagecache.h.
 * 5. A *fake page* (PG_DEVICE) stands for device memory. It is not in mem_map, and its frame number
 *    is in `private`. kmap_local() works on it.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "lib/list.h"
#include "kernel/atomic.h"

struct mapping;
struct task;
struct slab_cache;

//BOOK: struct-page
struct page {
	unsigned int flags; /* PG_*: changed by set_bits / clear_bits, read by page_has */
	struct atomic refs; /* holders; 0: free */
	struct atomic lent; /* promises that its bytes will not change */
	union {
		struct atomic mapped; /* user page-table entries that point here */
		void *free_objects;   /* PG_SLAB: its first free object */
	};
	unsigned int index; /* page cache: which page of the file. buddy: order of a free block.
					   slab: objects in use */
	union {
		struct mapping *mapping; /* page cache: the file; NULL once truncated or replaced */
		struct slab_cache *slab; /* PG_SLAB: whose objects */
		struct page *head;	 /* PG_TAIL: the first page of the compound page */
	};
	struct list link;      /* buddy free list, page LRU */
	unsigned long private; /* the owner's. compound head: its order. Private memory: mm/vm/pin.h */
};

enum page_flags {
	PG_LOCKED = 1 << 0,    /* IO runs or the contents are being changed; see page_lock() */
	PG_UPTODATE = 1 << 1,  /* the bytes are there */
	PG_ERROR = 1 << 2,     /* the read failed */
	PG_NOT_READ = 1 << 17, /* with PG_ERROR: no memory, or the reader was killed */
	PG_DIRTY = 1 << 3,     /* newer than its backing store */
	PG_WRITEBACK = 1 << 4, /* a write to its backing store runs */
	PG_HEAD = 1 << 5,      /* first page of a compound page */
	PG_TAIL = 1 << 6,      /* another page of a compound page */
	PG_SLAB = 1 << 7,
	PG_BUDDY = 1 << 8,	 /* free, head of a block of 2^index pages */
	PG_RESERVED = 1 << 9,	 /* not RAM, or never freed */
	PG_DEVICE = 1 << 10,	 /* fake page for device memory */
	PG_WAITERS = 1 << 11,	 /* a task may be waiting for this page */
	PG_REFERENCED = 1 << 12, /* used since the LRU looked last */
	PG_LRU = 1 << 13,	 /* on the page LRU */
	PG_HIGH = 1 << 14,	 /* not in the direct map */
	PG_HUGE = 1 << 16,	 /* head of a huge page: belongs to the pool of mm/huge.c */
};

enum alloc_flags {
	ALLOC_LOW = 0,	     /* from the direct map */
	ALLOC_HIGH = 1 << 0, /* high memory will do */
	ALLOC_ZERO = 1 << 1,
	ALLOC_ATOMIC = 1 << 2,	 /* must not sleep: no reclaim */
	ALLOC_OPTIONAL = 1 << 3, /* the caller can do without: no process is killed for it */
};

/*
 * Is any of these bits set? Other bits of the word may change at the same time, so the load is
 * marked.
 */
static inline bool page_has(const struct page *page, unsigned int bits)
{
	return READ_ONCE(page->flags) & bits;
}

extern struct page *mem_map;
extern unsigned int nr_frames;	   /* entries of mem_map */
extern unsigned int lowmem_frames; /* frames below this are in the direct map */
extern struct page *zero_page;	   /* all zeros; reserved, so its count is not used */

static inline unsigned int page_frame(const struct page *page)
{
	return page - mem_map;
}
static inline struct page *frame_page(unsigned int frame)
{
	return &mem_map[frame];
}
static inline phys_addr_t page_phys(const struct page *page)
{
	return (phys_addr_t)page_frame(page) << PAGE_SHIFT;
}

/*
 * Allocate 2^order pages in one piece, with one reference. They are a compound page if order > 0.
 * Returns NULL if there is no memory, even after reclaim. May sleep unless ALLOC_ATOMIC is set.
 */
struct page *page_alloc(unsigned int order, unsigned int flags);

static inline struct page *page_head(struct page *page)
{
	return unlikely(page_has(page, PG_TAIL)) ? page->head : page;
}
/* The order of a page: it consists of 2^order frames. `head` must not be a tail. */
static inline unsigned int page_order(const struct page *head)
{
	return page_has(head, PG_HEAD) ? head->private : 0;
}

/*
 * Take a reference. Returns false if the count is full, and then the caller must do without the
 * page. Several CPUs may exceed the limit for a moment. The limit is so far below the wrap that
 * this does no harm.
 */
static inline bool page_get_head(struct page *head)
{
	if (likely(atomic_inc_positive(&head->refs)))
		return true;
	atomic_dec(&head->refs);
	return false;
}
static inline bool page_get(struct page *page)
{
	return page_get_head(page_head(page));
}
/*
 * Take another reference where the caller has one already and the number of references is bounded.
 * Panics if the count is full.
 */
void page_ref(struct page *page);
/* Free a page whose count has reached zero. Only for page_put(). */
void page_free(struct page *head);
/* page_put() for a page that is known not to be a tail. */
static inline void page_put_head(struct page *head)
{
	if (atomic_dec_to_zero(&head->refs))
		page_free(head);
}
/* Drop a reference; the last one frees the page. Never sleeps. May be called in an interrupt. */
//BOOK: page-put
static inline void page_put(struct page *page)
{
	page_put_head(page_head(page));
}

struct memory_stats {
	unsigned int total, free, low_total, low_free; /* pages */
};
void memory_stats(struct memory_stats *stats);

/*
 * A cache that can give up pages. An allocation that finds nothing calls `shrink` until it
 * succeeds, or until no shrinker frees anything. `shrink` returns how many pages it freed. It must
 * not wait for locks.
 */
struct shrinker {
	unsigned int (*shrink)(unsigned int wanted);
	struct shrinker *next;
};
void shrinker_register(struct shrinker *shrinker);

/*
 * What an allocation tries when no shrinker frees anything: have a process killed and wait for its
 * memory. Returns true if the allocation should be tried again. Sleeps. kernel/process/oom.c sets
 * it.
 */
extern bool (*page_alloc_last_resort)(void);

/* Make `page` a fake page for the device memory in that frame, with one reference. */
void page_init_device(struct page *page, unsigned int frame);

#endif
