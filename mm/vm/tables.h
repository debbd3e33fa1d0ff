/*
 * User page tables: between the files of mm/.
 *
 * 1. An entry of zero maps nothing. Any other one holds its page (vm.h), also one without
 *    PTE_PRESENT: that is a page under PROT_NONE.
 * 2. A table is added with mm->lock held and stays until the address space goes, or a huge page is
 *    mapped in its place.
 * 3. A huge page has an entry of a page directory, with PTE_LARGE, for its 512 entries of a table.
 */
#ifndef MM_VM_TABLES_H
#define MM_VM_TABLES_H

#include "mm/huge.h"
#include "mm/vm/vm.h"

/*
 * The entry of va, or NULL if there is no table for it; a huge page's own entry. table_lock, or
 * mm->lock, is held.
 */
pte_t *mm_pte(struct mm *mm, uintptr_t va);
/* The entry of a page directory for va, or NULL if there is no directory. The same locks. */
pte_t *mm_directory_entry(struct mm *mm, uintptr_t va);
/* Have a table for va, unless a huge page is there: 0 or -ENOMEM. May sleep. mm->lock is held. */
int mm_make_table(struct mm *mm, uintptr_t va);
/*
 * Have a directory for va, and no table in the place of a huge page: one that was there is empty.
 * 0 or -ENOMEM. mm->lock is held.
 */
int mm_make_directory(struct mm *mm, uintptr_t va);
/* Ordinary pages that an entry maps. */
static inline unsigned int pte_pages(pte_t entry)
{
	return entry & PTE_LARGE ? HUGE_PAGES : 1;
}
/* The page of va, whose entry this is. */
static inline struct page *pte_page(pte_t entry, uintptr_t va)
{
	return frame_page(pte_frame(entry)) + (va / PAGE_SIZE & (pte_pages(entry) - 1));
}
/* Map the huge page at va by a table's entries instead. 0 or -ENOMEM. mm->lock is held. */
int mm_split_huge(struct mm *mm, uintptr_t va);
/* mm/vm/fault.c: map a new, zeroed huge page around va, where nothing is. 0 or -ENOMEM. The same. */
int mm_map_huge(struct vma *vma, uintptr_t va);
/*
 * mm/vm/fault.c: make va of the VMA present, which allows it. 0, or an error of mm_fault_in(). May
 * sleep. mm->lock is held.
 */
int mm_resolve(struct vma *vma, uintptr_t va, bool write);
/* mm/vm/fault.c: the VMA of va, where need be a stack that grows down to it; NULL: none. The same. */
struct vma *mm_find_or_grow(struct mm *mm, uintptr_t va);
/* The first address behind va that has another table. */
static inline uintptr_t mm_next_table(uintptr_t va)
{
	return (va | (LARGE_SIZE - 1)) + 1;
}
/* Entry bits for a VMA's flags, without PTE_WRITE. */
pte_t mm_entry_bits(unsigned int vma_flags);

/* Unmap what is mapped in [start, end), flush, and drop the pages. Waits for other CPUs, does
 * not sleep. */
void mm_zap(struct mm *mm, uintptr_t start, uintptr_t end);
/* Fork: share the pages of [start, end) copy-on-write. 0 or -ENOMEM. Both mm->locks are held; the
 * caller flushes `from`. */
int mm_share_range(struct mm *to, struct mm *from, uintptr_t start, uintptr_t end);
/* Give the entries of [start, end) the access that flags say; never adds PTE_WRITE. Flushes. */
void mm_protect_range(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int flags);
/* Make an address space's top level; free all tables, which map nothing any more. */
int mm_tables_create(struct mm *mm);
void mm_tables_free(struct mm *mm);

/* ---- mm/vm/vm.c, for mmap.c and fault.c; mm->lock is held ---- */

/* Give mm->lock back, and then free the VMAs that were taken out under it. */
void mm_unlock(struct mm *mm);
/* mm_map() and its reverse; -EINVAL: it would be a part of a huge page. */
int mm_map_locked(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
		  uint32_t page_offset);
int mm_unmap_locked(struct mm *mm, uintptr_t start, size_t len);
/* Split the VMA around va so that one starts there. 0 or -ENOMEM. */
int mm_split(struct mm *mm, uintptr_t va);
/* Join anonymous neighbours with equal flags at va. */
void mm_merge(struct mm *mm, uintptr_t va);
/* The highest gap of len bytes for a mapping; 0: none. */
uintptr_t mm_find_gap(struct mm *mm, size_t len);
/* May `len` more bytes be mapped? RLIMIT_AS. */
bool mm_may_grow(struct mm *mm, size_t len);
/* An object that shared anonymous memory lives in; ERR_PTR(-ENOMEM, -ENFILE). mm/vm/shared.c */
struct file *shared_memory_file(size_t size);

#endif
