/*
 * Walks over user page tables.
 *
 * 1. mm->table_lock guards the entries. Who takes a page, or the right to write to it, out of them
 *    flushes the TLBs of all CPUs that run the address space before table_lock is given back: until
 *    then a CPU may still write to the page, and the rmap, which finds the entry changed already,
 *    must not believe that it can't.
 * 2. For the same reason a page's `mapped` is lowered, and its reference dropped, after the flush.
 * 3. A top-level entry is read by the CPU when CR3 is loaded: adding one reloads it everywhere.
 */
#include "mm/tables.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "kernel/init.h"
#include "mm/slab.h"

#define ENTRIES	 512u
#define TOP_USER 3u /* top entries for user addresses */
#define GATHER	 64u

static struct slab_cache *top_cache;

static void tables_init(void)
{
	top_cache = slab_cache_create("page_top", 4 * sizeof(pte_t), 32);
}
INITCALL(1, tables_init);

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

static pte_t *new_table(void)
{
	struct page *page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);

	if (!page)
		return NULL;
	set_bits(&page->flags, PG_TABLE);
	return page_address_low(page);
}

static int make_top(struct mm *mm, uintptr_t va)
{
	pte_t *top = &mm->top[va >> 30], *directory;

	if (*top & PTE_PRESENT)
		return 0;
	directory = new_table();
	if (!directory)
		return -ENOMEM;
	pte_set(top, pte_make(virt_to_phys(directory), PTE_PRESENT));
	tlb_flush_mm(mm);
	return 0;
}

static void set_table(pte_t *entry, pte_t *table)
{
	pte_set(entry, pte_make(virt_to_phys(table), PTE_PRESENT | PTE_WRITE | PTE_USER));
}

int mm_make_table(struct mm *mm, uintptr_t va)
{
	pte_t *entry, *table;

	if (make_top(mm, va) < 0)
		return -ENOMEM;
	entry = mm_directory_entry(mm, va);
	if (*entry)
		return 0;
	table = new_table();
	if (!table)
		return -ENOMEM;
	set_table(entry, table);
	return 0;
}

/* ---- huge pages ---- */

int mm_make_directory(struct mm *mm, uintptr_t va)
{
	pte_t *entry, old;

	if (make_top(mm, va) < 0)
		return -ENOMEM;
	entry = mm_directory_entry(mm, va);
	spin_lock(&mm->table_lock);
	old = pte_take(entry);
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	spin_unlock(&mm->table_lock);
	if (old)
		page_free_low(table_at(old));
	return 0;
}

int mm_split_huge(struct mm *mm, uintptr_t va)
{
	pte_t *table = new_table(), *entry = mm_directory_entry(mm, va), old;
	struct page *head;

	if (!table)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	old = pte_take(entry);
	/* No CPU may know the page by an entry of each kind. */
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	head = frame_page(pte_frame(old));
	/* As many as there are address spaces, times 511: far from where page_get() refuses. */
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

struct gather {
	unsigned int nr;
	unsigned int resident; /* ordinary pages that they are */
	struct page *pages[GATHER];
};

/* Clear entries from va on, up to a full gather, and flush. Returns where it stopped. */
static uintptr_t zap_batch(struct mm *mm, struct gather *gather, uintptr_t va, uintptr_t end)
{
	uintptr_t start = va;

	spin_lock(&mm->table_lock);
	while (va < end && gather->nr < GATHER) {
		pte_t *entry = mm_pte(mm, va), old;

		if (entry && *entry) {
			old = pte_take(entry);
			if (!(old & PTE_SPECIAL)) {
				gather->pages[gather->nr++] = frame_page(pte_frame(old));
				gather->resident += pte_pages(old);
			}
			va += pte_pages(old) * PAGE_SIZE;
		} else {
			va = entry ? va + PAGE_SIZE : mm_next_table(va);
		}
	}
	tlb_flush_range(mm, start, MIN(va, end));
	for (unsigned int i = 0; i < gather->nr; i++)
		atomic_dec(&gather->pages[i]->mapped);
	atomic_add(&mm->resident, -(int)gather->resident);
	spin_unlock(&mm->table_lock);
	return va;
}

void mm_zap(struct mm *mm, uintptr_t start, uintptr_t end)
{
	struct gather gather;

	while (start < end) {
		gather.nr = gather.resident = 0;
		start = zap_batch(mm, &gather, start, end);
		for (unsigned int i = 0; i < gather.nr; i++)
			page_put(gather.pages[i]);
	}
}

/* ---- fork ---- */

/* Both table locks are held. 0, or -ENOMEM: a page has too many holders. */
static int share_entry(struct mm *to, pte_t *target, pte_t *entry)
{
	struct page *page;

	if (!*entry)
		return 0;
	if (!(*entry & PTE_SPECIAL)) {
		page = frame_page(pte_frame(*entry));
		if (!page_get(page))
			return -ENOMEM;
		atomic_inc(&page->mapped);
		atomic_add(&to->resident, pte_pages(*entry));
	}
	if (*entry & PTE_WRITE)
		pte_write_protect(entry);
	pte_set(target, *entry);
	return 0;
}

int mm_share_range(struct mm *to, struct mm *from, uintptr_t start, uintptr_t end)
{
	int error = 0;

	for (uintptr_t va = start, stop; va < end && !error; va = stop) {
		pte_t *entry = mm_pte(from, va), *target;
		unsigned int nr;

		stop = MIN(end, mm_next_table(va));
		if (!entry)
			continue;
		nr = *entry & PTE_LARGE ? 1 : (stop - va) / PAGE_SIZE;
		error = *entry & PTE_LARGE ? mm_make_directory(to, va) : mm_make_table(to, va);
		if (error)
			break;
		target = *entry & PTE_LARGE ? mm_directory_entry(to, va) : mm_pte(to, va);
		spin_lock(&from->table_lock);
		spin_lock(&to->table_lock);
		while (nr-- > 0 && !error)
			error = share_entry(to, target++, entry++);
		spin_unlock(&to->table_lock);
		spin_unlock(&from->table_lock);
	}
	return error;
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
	spin_lock(&mm->table_lock);
	for (uintptr_t va = start; va < end;) {
		uintptr_t stop = MIN(end, mm_next_table(va));
		pte_t *entry = mm_pte(mm, va);

		for (; entry && va < stop; va += PAGE_SIZE, entry++) {
			if (*entry)
				pte_set(entry, with_access(pte_take(entry), flags));
			if (*entry & PTE_LARGE)
				break;
		}
		va = stop;
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

static void free_directory(pte_t *directory)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (directory[i] & PTE_PRESENT)
			page_free_low(table_at(directory[i]));
	}
	page_free_low(directory);
}

void mm_tables_free(struct mm *mm)
{
	for (unsigned int i = 0; i < TOP_USER; i++) {
		if (mm->top[i] & PTE_PRESENT)
			free_directory(table_at(mm->top[i]));
	}
	slab_free(top_cache, mm->top);
}
