/*
 * User page tables, for the files that implement address spaces.
 *
 * 1. An entry of zero maps nothing. Any other entry has a reference to its page (vm.h), even if it lacks
 *    PTE_PRESENT, which means that the page is mapped with PROT_NONE.
 * 2. A page table is added with mm->lock held. It stays until the address space is freed, or until a
 *    huge page is mapped in its place.
 * 3. A huge page is mapped by one entry of a page directory, with PTE_LARGE, in place of a page table
 *    with 512 entries.
 */
#ifndef MM_VM_TABLES_H
#define MM_VM_TABLES_H

#include "mm/huge.h"
#include "mm/vm/vm.h"

/*
 * The entry that maps va, or NULL if there is no page table for it. For a huge page this is an entry of a
 * page directory. table_lock or mm->lock is held.
 */
pte_t *mm_pte(struct mm *mm, uintptr_t va);
/* The entry for va in a page directory, or NULL if there is no directory. The same locks. */
pte_t *mm_directory_entry(struct mm *mm, uintptr_t va);
/*
 * Make sure that va has a page table, unless a huge page is mapped there. Returns 0 or -ENOMEM. May
 * sleep. mm->lock is held.
 */
int mm_make_table(struct mm *mm, uintptr_t va);
/*
 * Make sure that va has a page directory, and that a huge page can be mapped there: an empty page table
 * in its place is freed. Returns 0 or -ENOMEM. mm->lock is held.
 */
int mm_make_directory(struct mm *mm, uintptr_t va);
/* How many ordinary pages an entry maps. */
static inline unsigned int pte_pages(pte_t entry)
{
	return entry & PTE_LARGE ? HUGE_PAGES : 1;
}
/* The page that `entry` maps at va. */
static inline struct page *pte_page(pte_t entry, uintptr_t va)
{
	return frame_page(pte_frame(entry)) + (va / PAGE_SIZE & (pte_pages(entry) - 1));
}
/*
 * Replace the mapping of the huge page at va by a page table with 512 entries. Returns 0 or -ENOMEM.
 * mm->lock is held.
 */
int mm_split_huge(struct mm *mm, uintptr_t va);
/*
 * The uppermost table that leads to va is there: 0 or -ENOMEM. Once it is, mm_make_directory() cannot
 * fail. mm->lock is held, here and for the next three.
 */
int mm_make_top(struct mm *mm, uintptr_t va);
/* mm/vm/fault.c: a zeroed huge page, and all that is needed to map it around va. NULL: no memory. */
struct page *mm_take_huge(struct mm *mm, uintptr_t va);
/* Map it where nothing is; the reference is the mapping's then. Cannot fail. */
void mm_put_huge(struct vma *vma, uintptr_t va, struct page *page);
/* Both in one. 0 or -ENOMEM. */
int mm_map_huge(struct vma *vma, uintptr_t va);
/*
 * mm/vm/fault.c: make va of the VMA present, which allows it. 0, or an error of mm_fault_in(). May
 * sleep. mm->lock is held.
 */
int mm_resolve(struct vma *vma, uintptr_t va, bool write);
/* mm/vm/fault.c: the VMA of va, where need be a stack that grows down to it; NULL: none. The same. */
struct vma *mm_find_or_grow(struct mm *mm, uintptr_t va);
/* The first address above va that belongs to another page table. */
static inline uintptr_t mm_next_table(uintptr_t va)
{
	return (va | (LARGE_SIZE - 1)) + 1;
}
/* The bits of a page-table entry for a VMA with these flags, without PTE_WRITE. */
pte_t mm_entry_bits(unsigned int vma_flags);

/*
 * Unmap all pages in [start, end), flush the TLBs, and drop the references. Waits for other CPUs, but
 * does not sleep.
 */
void mm_zap(struct mm *mm, uintptr_t start, uintptr_t end);
/*
 * Fork: share the pages of [start, end) copy-on-write. Returns 0 or -ENOMEM. Both mm->locks are held. The
 * caller flushes the TLB for `from`.
 */
int mm_share_range(struct mm *to, struct mm *from, uintptr_t start, uintptr_t end);
/*
 * Give the entries of [start, end) the access that the VMA flags allow. Never adds PTE_WRITE, which a
 * fault does. Flushes the TLBs.
 */
void mm_protect_range(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int flags);
/* Create the top level of an address space; free all its tables once they map nothing. */
int mm_tables_create(struct mm *mm);
void mm_tables_free(struct mm *mm);

/* ---- mm/vm/vm.c, for mmap.c and fault.c; mm->lock is held ---- */

/* Release mm->lock, and then free the VMAs that were removed while it was held. */
void mm_unlock(struct mm *mm);
/* mm_map() and its reverse. -EINVAL: the range would cut a huge page. */
int mm_map_locked(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
		  uint32_t page_offset);
int mm_unmap_locked(struct mm *mm, uintptr_t start, size_t len);
/* Split the VMA around va, so that one of the halves starts there. Returns 0 or -ENOMEM. */
int mm_split(struct mm *mm, uintptr_t va);
/* Join the anonymous VMAs on both sides of va if their flags are equal. */
void mm_merge(struct mm *mm, uintptr_t va);
/* The address of the highest gap of len bytes, or 0 if there is none. */
uintptr_t mm_find_gap(struct mm *mm, size_t len);
/* Returns true if RLIMIT_AS allows `len` more bytes to be mapped. */
bool mm_may_grow(struct mm *mm, size_t len);
/*
 * mm/vm/shared.c: a file without a name for shared anonymous memory of `size` bytes. Returns
 * ERR_PTR(-ENOMEM) or ERR_PTR(-ENFILE) on failure.
 */
struct file *shared_memory_file(size_t size);

#endif
