/*
 * A page that its owner gives away (vmsplice with SPLICE_F_GIFT).
 *
 * The owner's entry is taken out of the page table, and the reference that it held is the
 * receiver's: nothing is counted up and down. What is not the owner's own (a file's page, the zero
 * page, memory that he must not write) cannot be given, and is lent; so is a huge page. Once the flush is done no CPU
 * can store to the page by the old entry.
 */
#include "kernel/task.h"
#include "lib/errno.h"
#include "mm/tables.h"

static struct page *take_own(struct mm *mm, uintptr_t va)
{
	struct page *page = NULL;
	pte_t *entry;

	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	if (entry && *entry & PTE_PRESENT && !(*entry & PTE_SPECIAL))
		page = frame_page(pte_frame(*entry));
	if (page && !page->mapping && !(page->flags & (PG_HEAD | PG_TAIL))) {
		pte_take(entry);
		tlb_flush_range(mm, va, va + PAGE_SIZE);
	} else {
		page = NULL;
	}
	spin_unlock(&mm->table_lock);
	if (page) {
		atomic_dec(&page->mapped);
		atomic_dec(&mm->resident);
	}
	return page;
}

struct page *mm_gift_page(struct mm *mm, uintptr_t va, unsigned int *size)
{
	struct page *page = NULL;
	struct vma *vma;

	if (va >= USER_END)
		return ERR_PTR(-EFAULT);
	if (mutex_lock_killable(&mm->lock) < 0)
		return ERR_PTR(-ERESTARTSYS);
	vma = mm_find(mm, va);
	if (vma && vma->flags & VMA_WRITE && !(vma->flags & (VMA_SHARED | VMA_DEVICE)))
		page = take_own(mm, va);
	mutex_unlock(&mm->lock);
	*size = PAGE_SIZE;
	return page ? page : mm_lend_page(mm, va, size);
}
