/*
 * Memory lent to a pipe: the half of vmsplice that knows address spaces.
 *
 * 1. The page decides, not the call. A page of a file is lent as splice lends it; private memory is
 *    write-protected and gets one more holder, so that the owner's next write makes a copy.
 * 2. Taking the reference and the right to write is one section of table_lock, with the flush in it:
 *    when the slot is published, no CPU can store to the page by an old entry.
 */
#include "mm/vm/tables.h"

/* One more holder of what the entry maps, and a promise: the right to write goes. */
static inline bool promise(pte_t *entry, struct page *page, unsigned int protect, bool *flush)
{
	if (!page_get(page))
		return false;
	if (*(uint32_t *)entry & protect) {
		pte_write_protect(entry);
		*flush = true;
	}
	atomic_inc(&page_head(page)->lent);
	return true;
}

/* A gift: what the entry maps is the caller's. */
static void give_away(struct mm *mm, pte_t *entry, struct page *page)
{
	pte_take(entry);
	atomic_dec(&page->mapped);
	atomic_dec(&mm->resident);
	atomic_inc(&page->lent);
}

/*
 * The pages that are mapped from va on, as far as one table has them, each with a reference and
 * counted as lent, and write-protected if private; how many, 0: none, or not to be had. A page of a
 * file comes alone, and so does a huge one or a part of one. A gift is taken out of the page table,
 * and the entry's reference is the caller's, if it is a page of the owner's own.
 */
static unsigned int take_mapped(struct vma *vma, uintptr_t va, bool gift, struct page **pages,
				unsigned int max, unsigned int *size)
{
	unsigned int protect = vma->flags & VMA_SHARED ? 0 : PTE_WRITE, nr;
	bool give = gift && protect && vma->flags & VMA_WRITE, flush = false;
	struct mm *mm = vma->mm;
	pte_t *entry;

	max = MIN(max, (MIN(vma->end, mm_next_table(va)) - va) / PAGE_SIZE);
	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	if (!entry)
		max = 0;
	for (nr = 0; nr < max; nr++, entry++) {
		struct page *page = frame_page(pte_frame(*entry));
		unsigned int bits = *entry; /* the low half has them all */

		if (!(bits & PTE_PRESENT))
			break;
		if (page->flags & (PG_HEAD | PG_TAIL) || page->mapping) {
			if (nr > 0 || !promise(entry, page, protect, &flush))
				break;
			*size = pte_pages(bits) * PAGE_SIZE;
			max = 1;
		} else if (give && !(bits & PTE_SPECIAL)) {
			give_away(mm, entry, page);
			flush = true;
		} else if (!promise(entry, page, protect, &flush)) {
			break;
		}
		pages[nr] = page;
	}
	/* Then no CPU can store to the pages by the old entries. */
	if (flush)
		tlb_flush_range(mm, va, va + nr * PAGE_SIZE);
	spin_unlock(&mm->table_lock);
	return nr;
}

int mm_lend_pages(struct mm *mm, uintptr_t va, bool gift, struct page **pages, unsigned int max,
		  unsigned int *size)
{
	struct vma *vma;
	int error = 0;
	unsigned int nr = 0;

	*size = PAGE_SIZE;
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	vma = mm_find_or_grow(mm, va);
	if (!vma || !(vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)) || vma->flags & VMA_DEVICE)
		error = -EFAULT;
	/* Truncate may unmap what was just mapped: then the next fault says that the file has
	 * ended. */
	while (!error && (nr = take_mapped(vma, va, gift, pages, max, size)) == 0)
		error = mm_resolve(vma, va, false);
	mutex_unlock(&mm->lock);
	if (!error)
		return nr;
	if (error == -EINTR)
		return -ERESTARTSYS;
	return error == -ENOMEM ? -ENOMEM : -EFAULT;
}
