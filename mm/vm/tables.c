/*
 * Walks over user page tables.
 *
 * 1. mm->table_lock guards the entries. Code that unmaps or write-protects a page flushes the TLBs
 *    of all CPUs that run the address space before it releases table_lock. Until the flush, a CPU
 *    may still write to the page. The reverse mapping, which sees the changed entry, would wrongly
 *    assume that it cannot.
 * 2. For the same reason a page's `mapped` is lowered, and its reference dropped, after the flush.
 * 3. A CPU reads the top-level entries when CR3 is loaded. Adding one therefore reloads CR3 on all
 *    CPUs.
 */
#include "mm/direct_map.h"
#include "mm/kmap.h"
#include "mm/vm/tables.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define ENTRIES	 512u
#define TOP_USER 3u /* top entries for user addresses */
#define GATHER	 64u

SLAB_CACHE(top_cache, "page_top", pte_t[4], 32);

static pte_t *table_at(pte_t entry)
{
	return phys_to_virt(entry & PTE_FRAME);
}

pte_t *mm_directory_entry(struct mm *mm, uintptr_t va)
{
	pte_t top = mm->top[va >> 30];

	return top & PTE_PRESENT ? &table_at(top)[va / LARGE_SIZE % ENTRIES] : NULL;
}

pte_t *mm_pte(struct mm *mm, uintptr_t va)
{
	pte_t *directory = mm_directory_entry(mm, va);

	if (!directory || !*directory)
		return NULL;
	if (*directory & PTE_LARGE)
		return directory;
	return &table_at(*directory)[va / PAGE_SIZE % ENTRIES];
}

/*
 * Find the first nonzero entry at or after *va, and set *va to its address. Returns NULL if there
 * is none before `end`. A walk passes NULL first, and then the entry that follows the last one, so
 * that tables are looked up only where one begins.
 */
static inline pte_t *next_entry(struct mm *mm, pte_t *entry, uintptr_t *va, uintptr_t end)
{
	while (*va < end) {
		uintptr_t stop = MIN(end, mm_next_table(*va));

		if (!entry || *va % LARGE_SIZE == 0)
			entry = mm_pte(mm, *va);
		for (; entry && *va < stop; *va += PAGE_SIZE, entry++) {
			if (*entry)
				return entry;
		}
		*va = stop;
		entry = NULL;
	}
	return NULL;
}

/* A new, empty table, which maps nothing yet. mm->lock is held. */
static pte_t *new_table(struct mm *mm)
{
	struct page *page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);

	if (!page)
		return NULL;
	list_add(&mm->tables, &page->link);
	atomic_inc(&mm->nr_tables);
	return page_address_low(page);
}

int mm_make_top(struct mm *mm, uintptr_t va)
{
	pte_t *top = &mm->top[va >> 30], *directory;

	if (*top & PTE_PRESENT)
		return 0;
	directory = new_table(mm);
	if (!directory)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	pte_set(top, pte_make(virt_to_phys(directory), PTE_PRESENT));
	spin_unlock(&mm->table_lock);
	tlb_flush_mm(mm);
	return 0;
}

/* table_lock is held. */
static void set_table(pte_t *entry, pte_t *table)
{
	pte_set(entry, pte_make(virt_to_phys(table), PTE_PRESENT | PTE_WRITE | PTE_USER));
}

int mm_make_table(struct mm *mm, uintptr_t va)
{
	pte_t *entry, *table;

	if (mm_make_top(mm, va) < 0)
		return -ENOMEM;
	entry = mm_directory_entry(mm, va);
	if (*entry)
		return 0;
	table = new_table(mm);
	if (!table)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	set_table(entry, table);
	spin_unlock(&mm->table_lock);
	return 0;
}

/* ---- huge pages ---- */

int mm_make_directory(struct mm *mm, uintptr_t va)
{
	pte_t *entry, old;

	if (mm_make_top(mm, va) < 0)
		return -ENOMEM;
	entry = mm_directory_entry(mm, va);
	spin_lock(&mm->table_lock);
	old = pte_take(entry);
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	spin_unlock(&mm->table_lock);
	if (old) {
		list_del(&virt_to_page(table_at(old))->link);
		page_put(virt_to_page(table_at(old)));
		atomic_dec(&mm->nr_tables);
	}
	return 0;
}

int mm_split_huge(struct mm *mm, uintptr_t va)
{
	pte_t *table = new_table(mm), *entry = mm_directory_entry(mm, va), old;
	struct page *head;

	if (!table)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	old = pte_take(entry);
	/* No TLB may have both a huge and an ordinary entry for the same address. */
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	head = frame_page(pte_frame(old));
	/* This adds 511 for each address space at most, far from the limit of page_get(). */
	atomic_add(&head->refs, ENTRIES - 1);
	for (unsigned int i = 0; i < ENTRIES; i++) {
		table[i] = (old & ~PTE_LARGE) + i * PAGE_SIZE;
		if (i > 0)
			atomic_inc(&head[i].mapped);
	}
	set_table(entry, table);
	spin_unlock(&mm->table_lock);
	return 0;
}

pte_t mm_entry_bits(unsigned int flags)
{
	if (!(flags & (VMA_READ | VMA_WRITE | VMA_EXEC)))
		return 0;
	return PTE_PRESENT | PTE_USER | PTE_ACCESSED | (flags & VMA_EXEC ? 0 : pte_nx);
}

/* ---- unmapping ---- */

/*
 * Clear entries from `start` on, flush, and drop what they held. Stops at `end`, or once GATHER
 * pages have been unmapped. Returns where it stopped.
 */
static uintptr_t zap_batch(struct mm *mm, uintptr_t start, uintptr_t end)
{
	unsigned int nr = 0, resident = 0;
	struct page *pages[GATHER];
	uintptr_t va = start;

	spin_lock(&mm->table_lock);
	while (va < end && nr < GATHER) {
		uintptr_t stop = MIN(end, mm_next_table(va));
		pte_t *entry = mm_pte(mm, va), old;

		for (; entry && va < stop && nr < GATHER; entry++) {
			old = *entry ? pte_take(entry) : 0;
			va += pte_pages(old) * PAGE_SIZE;
			if (old && !(old & PTE_SPECIAL)) {
				pages[nr++] = frame_page(pte_frame(old));
				resident += pte_pages(old);
			}
		}
		if (!entry)
			va = stop;
	}
	tlb_flush_range(mm, start, MIN(va, end));
	for (unsigned int i = 0; i < nr; i++)
		atomic_dec(&pages[i]->mapped);
	atomic_add(&mm->resident, -(int)resident);
	spin_unlock(&mm->table_lock);
	while (nr > 0)
		page_put(pages[--nr]);
	return va;
}

void mm_zap(struct mm *mm, uintptr_t start, uintptr_t end)
{
	while (start < end)
		start = zap_batch(mm, start, end);
}

/* ---- fork ---- */

/*
 * Share one entry. Both table locks are held. Returns 0, or -ENOMEM if a reference count is full.
 */
static int share_entry(struct mm *to, uintptr_t va, pte_t *entry)
{
	struct page *page;

	if (!(*entry & PTE_SPECIAL)) {
		page = frame_page(pte_frame(*entry));
		if (!page_get(page))
			return -ENOMEM;
		atomic_inc(&page->mapped);
		atomic_add(&to->resident, pte_pages(*entry));
	}
	if (*entry & PTE_WRITE)
		pte_write_protect(entry);
	pte_set(*entry & PTE_LARGE ? mm_directory_entry(to, va) : mm_pte(to, va), *entry);
	return 0;
}

/*
 * A device fills the page for the parent, who keeps it. Give the child a copy, which is the page
 * `copy`: the entry takes over its reference. Both table locks are held.
 */
//BOOK: fork-while-filled
static void copy_entry(struct mm *to, uintptr_t va, pte_t entry, struct page *copy)
{
	page_copy(copy, frame_page(pte_frame(entry)));
	atomic_inc(&copy->mapped);
	atomic_inc(&to->resident);
	/* Without PTE_WRITE, which a fault adds. */
	pte_set(mm_pte(to, va), pte_make(page_phys(copy), entry & ~(PTE_FRAME | PTE_WRITE)));
}

static bool is_filled(pte_t entry)
{
	return !(entry & PTE_SPECIAL) && page_pins(frame_page(pte_frame(entry))) > 0;
}

/*
 * Share the entries from *va on, up to the first one that needs a copy and has no page for it.
 * Returns 0, -EAGAIN in that case, or -ENOMEM. Uses up *copy for at most one entry. *va becomes the
 * address to go on from.
 */
static int share_entries(struct mm *to, struct mm *from, uintptr_t *va, uintptr_t end,
			 struct page **copy)
{
	pte_t *entry = NULL;
	int error = 0;

	spin_lock(&from->table_lock);
	spin_lock(&to->table_lock);
	for (; !error && (entry = next_entry(from, entry, va, end)); entry++) {
		if (!is_filled(*entry)) {
			error = share_entry(to, *va, entry);
		} else if (*copy) {
			copy_entry(to, *va, *entry, *copy);
			*copy = NULL;
		} else {
			error = -EAGAIN;
			break;
		}
		*va += pte_pages(*entry) * PAGE_SIZE;
	}
	spin_unlock(&to->table_lock);
	spin_unlock(&from->table_lock);
	return error;
}

/*
 * Find the first address at or after *va that is mapped, and set *va to it. *large tells whether
 * that is by a huge page. Returns false if there is none before `end`.
 */
static bool next_mapped(struct mm *mm, uintptr_t *va, uintptr_t end, bool *large)
{
	pte_t *entry;

	spin_lock(&mm->table_lock);
	entry = next_entry(mm, NULL, va, end);
	*large = entry && *entry & PTE_LARGE;
	spin_unlock(&mm->table_lock);
	return entry;
}

int mm_share_range(struct mm *to, struct mm *from, uintptr_t start, uintptr_t end)
{
	struct page *copy = NULL;
	int error = 0;
	uintptr_t va;
	bool large;

	/* Since mm->lock is held, entries may be removed meanwhile, but none is added. */
	for (va = start; !error && next_mapped(from, &va, end, &large); va = mm_next_table(va))
		error = large ? mm_make_directory(to, va) : mm_make_table(to, va);
	if (error)
		return error;
	va = start;
	while ((error = share_entries(to, from, &va, end, &copy)) == -EAGAIN) {
		copy = page_alloc(0, ALLOC_HIGH);
		if (!copy)
			return -ENOMEM;
	}
	if (copy) /* the page that it was for is no longer filled */
		page_put(copy);
	return error;
}

/* ---- moving ---- */

/* Make the tables that the entries of [from, from+len) need if they move to `to`. */
static int make_tables(struct mm *mm, uintptr_t from, uintptr_t to, size_t len)
{
	uintptr_t shift = to - from, va = from;
	int error = 0;
	bool large;

	while (!error && next_mapped(mm, &va, from + len, &large)) {
		error = large ? mm_make_directory(mm, va + shift) : mm_make_table(mm, va + shift);
		va = MIN(mm_next_table(va), mm_next_table(va + shift) - shift);
	}
	return error;
}

//BOOK: move-range
int mm_move_range(struct mm *mm, uintptr_t from, uintptr_t to, size_t len)
{
	uintptr_t shift = to - from, end = from + len, next;

	if (make_tables(mm, from, to, len) < 0)
		return -ENOMEM;
	for (uintptr_t va = from; va < end; va = next) {
		pte_t *entry = NULL;

		next = MIN(end, mm_next_table(va));
		spin_lock(&mm->table_lock);
		for (uintptr_t at = va; (entry = next_entry(mm, entry, &at, next)); entry++) {
			pte_t old = pte_take(entry);

			pte_set(old & PTE_LARGE ? mm_directory_entry(mm, at + shift)
						: mm_pte(mm, at + shift),
				old);
			at += pte_pages(old) * PAGE_SIZE;
		}
		tlb_flush_range(mm, va, next);
		spin_unlock(&mm->table_lock);
	}
	return 0;
}

/* ---- changing access ---- */

static pte_t with_access(pte_t entry, unsigned int flags)
{
	entry &= ~(PTE_PRESENT | PTE_USER | PTE_NX);
	if (!(flags & VMA_WRITE))
		entry &= ~PTE_WRITE;
	return entry | mm_entry_bits(flags);
}

void mm_protect_range(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int flags)
{
	pte_t *entry = NULL;

	spin_lock(&mm->table_lock);
	for (uintptr_t va = start; (entry = next_entry(mm, entry, &va, end)); entry++) {
		pte_set(entry, with_access(pte_take(entry), flags));
		va += pte_pages(*entry) * PAGE_SIZE;
	}
	tlb_flush_range(mm, start, end);
	spin_unlock(&mm->table_lock);
}

void mm_forget_use(struct mm *mm, uintptr_t start, uintptr_t end)
{
	pte_t *entry = NULL;

	spin_lock(&mm->table_lock);
	for (uintptr_t va = start; (entry = next_entry(mm, entry, &va, end)); entry++) {
		pte_set(entry, pte_take(entry) & ~PTE_ACCESSED);
		va += pte_pages(*entry) * PAGE_SIZE;
	}
	tlb_flush_range(mm, start, end);
	spin_unlock(&mm->table_lock);
}

/* ---- life ---- */

int mm_tables_create(struct mm *mm)
{
	mm->top = slab_alloc(top_cache, ALLOC_ZERO);
	if (!mm->top)
		return -ENOMEM;
	mm->top[TOP_USER] = pte_make(kernel_directory_phys, PTE_PRESENT);
	mm->cr3 = virt_to_phys(mm->top);
	return 0;
}

void mm_tables_free(struct mm *mm)
{
	struct page *table, *next;

	list_for_each_safe(table, next, &mm->tables, link)
		page_put(table);
	slab_free(top_cache, mm->top);
}
