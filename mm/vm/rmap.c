/*
 * Reverse mapping: finds the user mappings of a page of a file.
 *
 * 1. mapping->vmas lists the VMAs of a file. The address of a page in a VMA follows from its index.
 * 2. The locks are taken in this order: page lock, mapping->vma_lock, mm->table_lock. The last two
 *    are plain spinlocks and are held during the TLB flush, so a fault cannot map the page again
 *    before the flush is done.
 * 3. A private mapping also shows the file's page until it is written to. After that it has a copy
 *    of its own, which stays mapped. Only truncate removes such copies.
 */
#include "mm/vm/tables.h"
#include "fs/cache/pagecache.h"
#include "fs/file/open_file.h"

/* The address of page `index` in the VMA, or 0 if it is outside. mapping->vma_lock is held. */
static uintptr_t address_in(const struct vma *vma, unsigned int index)
{
	uint64_t va = vma->start + ((uint64_t)index - vma->page_offset) * PAGE_SIZE;

	return index >= vma->page_offset && va < vma->end ? va : 0;
}

/*
 * Unmap the page in this VMA, if it is mapped, or only write-protect it. Returns true if the
 * mapping was dirty.
 */
static bool change(struct vma *vma, struct page *page, bool unmap)
{
	uintptr_t va = address_in(vma, page->index);
	struct mm *mm = vma->mm;
	pte_t *entry, old = 0;

	if (!va)
		return false;
	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	if (entry && *entry && !(*entry & PTE_SPECIAL) && frame_page(pte_frame(*entry)) == page) {
		old = unmap ? pte_take(entry) : pte_write_protect(entry);
		if (unmap || old & PTE_WRITE)
			tlb_flush_range(mm, va, va + PAGE_SIZE);
	}
	spin_unlock(&mm->table_lock);
	if (old && unmap) {
		atomic_dec(&page->mapped);
		atomic_dec(&mm->resident);
		page_put(page); /* not the last one: the caller has one */
	}
	return old & PTE_WRITE && old & PTE_DIRTY;
}

static bool change_all(struct mapping *mapping, struct page *page, bool unmap)
{
	bool dirty = false;
	struct vma *vma;

	if (atomic_read(&page->mapped) == 0)
		return false;
	spin_lock(&mapping->vma_lock);
	list_for_each(vma, &mapping->vmas, mapping_link)
		dirty |= change(vma, page, unmap);
	spin_unlock(&mapping->vma_lock);
	return dirty;
}

bool mapping_page_locked(struct mapping *mapping, struct page *page)
{
	bool locked = false;
	struct vma *vma;

	if (atomic_read(&page->mapped) == 0)
		return false;
	spin_lock(&mapping->vma_lock);
	list_for_each(vma, &mapping->vmas, mapping_link)
		locked |= vma->flags & VMA_LOCKED && address_in(vma, page->index);
	spin_unlock(&mapping->vma_lock);
	return locked;
}

bool mapping_unmap_page(struct mapping *mapping, struct page *page)
{
	return change_all(mapping, page, true);
}

bool mapping_protect_page(struct mapping *mapping, struct page *page)
{
	return change_all(mapping, page, false);
}

/* Write-protect those of the pages that are mapped in this VMA, with one flush of the TLBs. */
static void protect_in(struct vma *vma, struct page **pages, unsigned int nr)
{
	uintptr_t from = 0, to = 0;

	spin_lock(&vma->mm->table_lock);
	for (unsigned int i = 0; i < nr; i++) {
		uintptr_t va = address_in(vma, pages[i]->index);
		pte_t *entry = va ? mm_pte(vma->mm, va) : NULL;

		if (!entry || !(*entry & PTE_WRITE) || *entry & PTE_SPECIAL ||
		    frame_page(pte_frame(*entry)) != pages[i])
			continue;
		pte_write_protect(entry);
		from = to ? from : va;
		to = va + PAGE_SIZE;
	}
	if (to)
		tlb_flush_range(vma->mm, from, to);
	spin_unlock(&vma->mm->table_lock);
}

//BOOK: protect-run
void mapping_protect_run(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct vma *vma;

	spin_lock(&mapping->vma_lock);
	list_for_each(vma, &mapping->vmas, mapping_link)
		protect_in(vma, pages, nr);
	spin_unlock(&mapping->vma_lock);
}

void mapping_unmap_range(struct mapping *mapping, unsigned int first, unsigned int last)
{
	struct vma *vma;

	spin_lock(&mapping->vma_lock);
	list_for_each(vma, &mapping->vmas, mapping_link) {
		uint64_t begin = vma->page_offset;
		uint64_t from = MAX((uint64_t)first, begin);
		uint64_t to = MIN((uint64_t)last + 1, begin + (vma->end - vma->start) / PAGE_SIZE);

		if (from < to)
			mm_zap(vma->mm, vma->start + (from - begin) * PAGE_SIZE,
			       vma->start + (to - begin) * PAGE_SIZE);
	}
	spin_unlock(&mapping->vma_lock);
}

bool vma_can_write_file(const struct vma *vma)
{
	return vma->flags & VMA_SHARED && vma->file->writable;
}

bool mapping_seal(struct mapping *mapping)
{
	struct vma *vma;
	bool found = false;

	spin_lock(&mapping->vma_lock);
	list_for_each(vma, &mapping->vmas, mapping_link)
		found |= vma_can_write_file(vma);
	mapping->sealed |= !found;
	spin_unlock(&mapping->vma_lock);
	return !found;
}
