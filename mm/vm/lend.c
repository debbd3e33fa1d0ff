/*
 * Lending user memory to a pipe: the part of vmsplice that deals with address spaces.
 *
 * 1. The kind of the page decides what happens. A page of a file is lent as splice lends it. A
 *    private page is write-protected and gets one more reference, so that the owner's next write
 *    makes a copy.
 * 2. A device may be filling a private page (mm/vm/pin.h). Then a copy is lent, and the owner keeps
 *    the page.
 * 3. Taking the reference, write-protecting and flushing the TLBs happen in one section of
 *    table_lock. So when the slot is published, no CPU can store to the page through an old entry.
 */
#include "mm/vm/tables.h"

/* Take a reference to the page, write-protect the entry, and count the page as lent. */
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

/* For a gift: unmap the page. Its reference becomes the caller's. */
static void give_away(struct mm *mm, pte_t *entry, struct page *page)
{
	pte_take(entry);
	atomic_dec(&page->mapped);
	atomic_dec(&mm->resident);
	atomic_inc(&page->lent);
}

/*
 * Get the pages that are mapped from va on, as mm_lend_pages() does, but only those that are
 * present, and from one page table. Returns how many there are, or 0 if the first one is not
 * present or its reference count is full.
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
		unsigned int bits = *entry; /* all flags are in the low half, except NX */

		if (!(bits & PTE_PRESENT) || page_pins(page) > 0)
			break;
		if (page_has(page, PG_HEAD | PG_TAIL) || page->mapping) {
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
	/* From here on no CPU can store to the pages through the old entries. */
	if (flush)
		tlb_flush_range(mm, va, va + nr * PAGE_SIZE);
	spin_unlock(&mm->table_lock);
	return nr;
}

int mm_lend_pages(struct mm *mm, uintptr_t va, bool gift, struct page **pages, unsigned int max,
		  unsigned int *size)
{
	struct vma *vma;
	int error = 0, nr = 0;

	*size = PAGE_SIZE;
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	vma = mm_find_or_grow(mm, va);
	if (!vma || !(vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC)) || vma->flags & VMA_DEVICE)
		error = -EFAULT;
	/*
	 * Truncate may unmap a page that was just mapped. The next mm_resolve() then fails, because
	 * the file ends before it.
	 */
	while (!error && (nr = take_mapped(vma, va, gift, pages, max, size)) == 0 &&
	       (nr = mm_copy_filled(mm, va, pages)) == 0)
		error = mm_resolve(vma, va, false);
	mutex_unlock(&mm->lock);
	if (!error)
		return nr;
	if (error == -EINTR)
		return -ERESTARTSYS;
	return error == -ENOMEM ? -ENOMEM : -EFAULT;
}
