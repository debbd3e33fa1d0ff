/*
 * Pages of memory: struct page, reference counts, the page allocator.
 *
 * 1. mem_map has one struct page for every page frame of RAM. A page belongs to whoever holds a
 *    reference; the last page_put() frees it. A compound page of 2^order frames has its count in
 *    the first struct page; its followers point to it.
 * 2. The allocator is a buddy system with a low zone (in the kernel's direct map) and a high zone
 *    (to be reached by kmap only). Allocation tries high first if HIGH is allowed, then low.
 * 3. zone locks are taken irqsave: pages are freed from interrupts.
 * 4. `lent` counts the pipe slots, packets and bios made from slots that hold a page: its bytes
 *    must not change then (fs/cache/pagecache.h, page_begin_write).
 * 5. A *fake page* (PG_DEVICE) stands for device memory. It is not in mem_map; its frame
 *    number is in `private`. kmap_local works on it.
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
	unsigned int flags; /* PG_*: changed by set_bits / clear_bits */
	struct atomic refs; /* holders; 0: free */
	struct atomic lent; /* promises: slots and the like that hold it */
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
	union {
		struct list link; /* buddy free list, page LRU */
	};
	unsigned long private; /* owner's; compound head: order */
};

enum page_flags {
	PG_LOCKED = 1 << 0,    /* IO runs or the contents are being changed; see page_lock() */
	PG_UPTODATE = 1 << 1,  /* the bytes are there */
	PG_ERROR = 1 << 2,     /* the read failed */
	PG_DIRTY = 1 << 3,     /* newer than its backing store */
	PG_WRITEBACK = 1 << 4, /* a write to its backing store runs */
	PG_HEAD = 1 << 5,      /* first page of a compound page */
	PG_TAIL = 1 << 6,      /* another page of a compound page */
	PG_SLAB = 1 << 7,
	PG_BUDDY = 1 << 8,	 /* free, head of a block of 2^index pages */
	PG_RESERVED = 1 << 9,	 /* not RAM, or never freed */
	PG_DEVICE = 1 << 10,	 /* fake page for device memory */
	PG_WAITERS = 1 << 11,	 /* somebody may wait on this page */
	PG_REFERENCED = 1 << 12, /* used since the LRU looked last */
	PG_LRU = 1 << 13,	 /* on the page LRU */
	PG_HIGH = 1 << 14,	 /* not in the direct map */
	PG_TABLE = 1 << 15,	 /* a page table */
	PG_HUGE = 1 << 16,	 /* head of a huge page: belongs to the pool of mm/huge.c */
};

enum alloc_flags {
	ALLOC_LOW = 0,	     /* from the direct map */
	ALLOC_HIGH = 1 << 0, /* high memory will do */
	ALLOC_ZERO = 1 << 1,
	ALLOC_ATOMIC = 1 << 2, /* must not sleep: no reclaim */
};

extern struct page *mem_map;
extern unsigned int nr_frames;	   /* entries of mem_map */
extern unsigned int lowmem_frames; /* frames below this are in the direct map */
extern struct page *zero_page;	   /* all zeros; reserved, its count does not matter */

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

#define KERNEL_BASE 0xc0000000u /* the direct map starts here, at physical 0 */
/* Only for low memory. */
static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(uintptr_t)(phys + KERNEL_BASE);
}
static inline phys_addr_t virt_to_phys(const void *va)
{
	return (uintptr_t)va - KERNEL_BASE;
}
static inline struct page *virt_to_page(const void *va)
{
	return frame_page(virt_to_phys(va) >> PAGE_SHIFT);
}
static inline void *page_address_low(const struct page *page)
{
	return phys_to_virt(page_phys(page));
}

/*
 * 2^order pages in one piece, with one reference; a compound page if order > 0. NULL: none left.
 * May sleep (reclaim) unless ALLOC_ATOMIC. Takes the zone locks.
 */
struct page *page_alloc(unsigned int order, unsigned int flags);

static inline struct page *page_head(struct page *page)
{
	return unlikely(page->flags & PG_TAIL) ? page->head : page;
}
/* Pages of a (compound) page. */
static inline unsigned int page_order(const struct page *head)
{
	return head->flags & PG_HEAD ? head->private : 0;
}

/*
 * One more holder: false if the count would overflow (then the caller must do without). What has
 * overflowed is far from zero until all who saw it have taken theirs back.
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
/* For callers that hold a reference anyway and make a bounded number: panics on overflow. */
void page_ref(struct page *page);
/* The slow half of page_put: the count has become zero, or less by mistake. */
void page_free(struct page *head);
/* page_put() of a page that is known to be no tail. */
static inline void page_put_head(struct page *head)
{
	if (atomic_dec_to_zero(&head->refs))
		page_free(head);
}
/* Frees the page with its last reference. Never sleeps; from interrupts too. */
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
 * Caches that can give up pages: called (may sleep) when an allocation finds nothing, until it does
 * or nothing more comes. Returns how many pages it freed.
 */
struct shrinker {
	unsigned int (*shrink)(unsigned int wanted);
	struct shrinker *next;
};
void shrinker_register(struct shrinker *shrinker);

/*
 * Fault injection: the nth allocation from now that may fail does (0: off). /proc/sys/vm/fail_nth
 */
extern struct atomic page_fail_nth;
/* Is this allocation the one that is to fail? For allocators. */
static inline bool page_fail_now(void)
{
	return unlikely(atomic_read(&page_fail_nth) > 0) && atomic_dec_and_test(&page_fail_nth);
}

/* A fake page for the device memory in that frame, with one reference. */
void page_init_device(struct page *page, unsigned int frame);

/* The page for kernel stacks, tables and the like as an address: low memory, zeroed. NULL. */
void *page_alloc_low(unsigned int order);
void page_free_low(void *address);

/* ---- boot: mm/boot_memory.c ---- */
struct boot_memory { /* a usable range of RAM from the loader's map, page aligned */
	phys_addr_t start, end;
};
#define MAX_BOOT_MEMORY 32
extern struct boot_memory boot_memory[MAX_BOOT_MEMORY];
extern unsigned int nr_boot_memory;
/* Add [start, end), if it is not empty and there is room. */
void boot_memory_add(phys_addr_t start, phys_addr_t end);
/* Cut [start, end) out of boot_memory: kernel image, modules, what the loader left. */
void boot_memory_reserve(phys_addr_t start, phys_addr_t end);
/* Low memory before the allocator runs; zeroed; panics with a message if there is too little. */
void *boot_alloc(size_t size, size_t align);
/* The end of RAM, reserved parts included; the sum of what boot_memory has left. */
phys_addr_t boot_memory_top(void);
phys_addr_t boot_memory_usable(void);
/* Build mem_map and free everything that is left. After pgtable_init. */
void page_init(void);
/* Hand RAM that no mem_map entry is free for to the allocator: [first, end) are frames. */
void page_add_frames(unsigned int first, unsigned int end);

#endif
