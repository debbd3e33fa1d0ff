/*
 * User page tables, for the files that implement address spaces.
 *
 * 1. An entry of zero maps nothing. Any other entry has a reference to its page (vm.h), even if it
 *    lacks PTE_PRESENT, which means that the page is mapped with PROT_NONE.
 * 2. A page table is added with mm->lock and table_lock held, so either of them is enough to look
 *    it up. The reverse mapping has only the second. A table stays until the address space is
 *    freed, or until a huge page is mapped in its place.
 * 3. A huge page is mapped by one entry of a page directory, with PTE_LARGE, in place of a page
 *    table with 512 entries.
 */
#ifndef MM_VM_TABLES_H
#define MM_VM_TABLES_H

#include "mm/huge.h"
#include "mm/vm/vm.h"

/*
 * The entry that maps va, or NULL if there is no page table for it. For a huge page this is an
 * entry of a page directory. table_lock or mm->lock is held.
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
 * Make sure that va has a page directory, and that a huge page can be mapped there: an empty page
 * table in its place is freed. Returns 0 or -ENOMEM. mm->lock is held.
 */
int mm_make_directory(struct mm *mm, uintptr_t va);
/* Returns the number of ordinary pages that an entry maps. */
static inline unsigned int pte_pages(pte_t entry)
{
	return entry & PTE_LARGE ? HUGE_PAGES : 1;
}
/* Returns the page that `entry` maps at va. */
static inline struct page *pte_page(pte_t entry, uintptr_t va)
{
	return frame_page(pte_frame(entry)) + (va / PAGE_SIZE & (pte_pages(entry) - 1));
}
/*
 * How many pins for devices that fill it a page of private memory has (mm/vm/pin.h). A page of a
 * file, and a huge page, has none. table_lock is held, so no pin is added.
 */
static inline unsigned int page_pins(const struct page *page)
{
	if (page_has(page, PG_HEAD | PG_TAIL) || READ_ONCE(page->mapping))
		return 0;
	return *(volatile const unsigned long *)&page->private;
}
/*
 * May the program write the page of its entry in place: does nobody else have it? A page that a
 * device fills is the program's alone, and must stay in its place, whatever else reads it: only a
 * writable entry is pinned for that, and fork() and vmsplice() copy such a page. table_lock is
 * held.
 */
static inline bool page_is_own(const struct page *page)
{
	return page_pins(page) > 0 || atomic_read(&page->refs) == 1;
}
/*
 * For vmsplice: if a device fills the private page at va, copy it to *copy, a new page that counts
 * as lent. Returns 1, 0 if no device does, or -ENOMEM. mm->lock is held. May sleep. mm/vm/pin.c
 */
int mm_copy_filled(struct mm *mm, uintptr_t va, struct page **copy);
/*
 * Replace the mapping of the huge page at va by a page table with 512 entries. Returns 0 or
 * -ENOMEM. mm->lock is held.
 */
int mm_split_huge(struct mm *mm, uintptr_t va);
/*
 * Make sure that va has a top-level table. Returns 0 or -ENOMEM. Afterwards mm_make_directory()
 * cannot fail. mm->lock is held, here and for the next three.
 */
int mm_make_top(struct mm *mm, uintptr_t va);
/*
 * Allocate a zeroed huge page, and everything that is needed to map it around va. Returns NULL if
 * there is no memory. mm/vm/fault.c, as the next two.
 */
struct page *mm_take_huge(struct mm *mm, uintptr_t va);
/* Map it where nothing is mapped. The mapping takes over the reference. Cannot fail. */
void mm_put_huge(struct vma *vma, uintptr_t va, struct page *page);
/* Do both. Returns 0 or -ENOMEM. */
int mm_map_huge(struct vma *vma, uintptr_t va);
/*
 * Make va present. The VMA must allow the access. Returns 0, or an error of mm_fault_in(). May
 * sleep. mm->lock is held. mm/vm/fault.c
 */
int mm_resolve(struct vma *vma, uintptr_t va, bool write);
/*
 * Start to read the pages of the file from va on, which end at `end` at the latest. Returns the
 * address of the first one that was not looked at. Does nothing for files without a store. mm->lock
 * is held. May sleep for memory, but does not wait for the disk. mm/vm/fault.c
 */
uintptr_t mm_start_reading(struct vma *vma, uintptr_t va, uintptr_t end);
/*
 * Find the VMA of va. If va lies below a stack, the stack may grow down to it. Returns NULL if
 * there is none. mm->lock is held. mm/vm/fault.c
 */
struct vma *mm_find_or_grow(struct mm *mm, uintptr_t va);
/* Returns the first address above va that belongs to another page table. */
static inline uintptr_t mm_next_table(uintptr_t va)
{
	return (va | (LARGE_SIZE - 1)) + 1;
}
/* Returns the bits of a page-table entry for a VMA with these flags, except PTE_WRITE. */
pte_t mm_entry_bits(unsigned int vma_flags);

/*
 * Unmap all pages in [start, end), flush the TLBs, and drop the references. Waits for other CPUs,
 * but does not sleep.
 */
void mm_zap(struct mm *mm, uintptr_t start, uintptr_t end);
/*
 * Fork: share the pages of [start, end) copy-on-write. Returns 0 or -ENOMEM. Both mm->locks are
 * held. The caller flushes the TLB for `from`.
 */
int mm_share_range(struct mm *to, struct mm *from, uintptr_t start, uintptr_t end);
/*
 * Move what is mapped in [from, from+len) to `to`, where nothing is mapped. The ranges do not
 * overlap. Returns 0, or -ENOMEM before anything has moved. Flushes the TLBs. Both ranges belong to
 * VMAs of the same file, and the new one has been inserted later. So the reverse mapping, which
 * visits the old one first, finds each page in one of them.
 */
int mm_move_range(struct mm *mm, uintptr_t from, uintptr_t to, size_t len);
/*
 * Give the entries of [start, end) the access that the VMA flags allow. Never adds PTE_WRITE, which
 * a fault does. Flushes the TLBs.
 */
void mm_protect_range(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int flags);
/*
 * Clear the bits of [start, end) that the CPU sets when it uses a page, and flush the TLBs.
 * mm->lock is held.
 */
void mm_forget_use(struct mm *mm, uintptr_t start, uintptr_t end);
/* Create the top-level table of an address space. Returns 0 or -ENOMEM. */
int mm_tables_create(struct mm *mm);
/* Free all tables of an address space. They map nothing any more, and no CPU uses them. */
void mm_tables_free(struct mm *mm);

/* Returns true if `result` is an error. An address above 2 GiB is negative as a long, too. */
static inline bool mm_is_error(long result)
{
	return (unsigned long)result >= (unsigned long)-MAX_ERRNO;
}

/* ---- mm/vm/vm.c, for mmap.c and fault.c; mm->lock is held ---- */

/* Release mm->lock, and then free the VMAs that were removed while it was held. */
void mm_unlock(struct mm *mm);
/*
 * mm_map() and its reverse with mm->lock held. If the range would cut a huge page in two, the first
 * one returns -ENOMEM, as mmap(2) does, and the second one -EINVAL.
 */
int mm_map_locked(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
		  uint32_t page_offset);
int mm_unmap_locked(struct mm *mm, uintptr_t start, size_t len);
/*
 * Insert a copy of the VMA at [start, start+len), where nothing is mapped, for the bytes from the
 * VMA's address `from` on. Returns it, or NULL if there is no memory. The limits are the caller's
 * business.
 */
struct vma *mm_insert_copy(const struct vma *vma, uintptr_t from, uintptr_t start, size_t len);
/* The VMAs of the address space have got so many bytes more. mm->lock is held. */
void mm_count_size(struct mm *mm, long bytes);
/* Let the VMA end at `end` instead. Nothing is mapped between. */
void mm_extend(struct vma *vma, uintptr_t end);
/*
 * Clear and set flags of all VMAs in [start, end), which are split at its ends. Holes are skipped.
 * The page tables stay as they are. Returns 0, -ENOMEM, or -EINVAL for a part of a huge page.
 */
int mm_change_flags(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int clear,
		    unsigned int set);
/*
 * Split the VMA around va, so that one of the halves starts there. Returns 0, -ENOMEM, or -EINVAL
 * in the middle of a huge page.
 */
int mm_split(struct mm *mm, uintptr_t va);
/* Join the anonymous VMAs on both sides of va if their flags are equal. */
void mm_merge(struct mm *mm, uintptr_t va);
/* Returns the address of the highest gap of len bytes, or 0 if there is none. */
uintptr_t mm_find_gap(struct mm *mm, size_t len);
/* Returns true if nothing is mapped in [start, start+len). */
bool mm_range_free(struct mm *mm, uintptr_t start, size_t len);
/*
 * Returns an address for `len` bytes, a multiple of `align`: the hint if nothing is mapped there,
 * or else the highest gap. Returns 0 if there is none.
 */
uintptr_t mm_find_place(struct mm *mm, uintptr_t hint, size_t len, size_t align);
/*
 * Returns true if RLIMIT_AS and RLIMIT_DATA allow `len` more bytes with these flags to be mapped.
 */
bool mm_may_grow(struct mm *mm, size_t len, unsigned int vma_flags);
/*
 * Returns true if `len` bytes of private memory are more than all of RAM, and can never be filled.
 */
bool mm_hopeless(size_t len);
/* ---- mm/vm/mlock.c ---- */

/*
 * Returns true if RLIMIT_MEMLOCK allows `len` more bytes to be locked, or if the
 * task may lock as much as it wants.
 */
bool mm_may_lock(struct mm *mm, size_t len);
/*
 * Returns false if the task must not lock any memory. That is another error than wanting too much.
 */
bool mm_may_lock_at_all(void);
/*
 * Make the pages of [start, end) present, as far as that is possible, for
 * MAP_POPULATE and for mappings that are locked from the start. mm->lock is not held. May sleep.
 */
void mm_populate(struct mm *mm, uintptr_t start, uintptr_t end);

/* ---- mm/vm/shared.c ---- */

/*
 * mapping_ops.read_pages of files that exist in memory only: a page that is read fills a hole, and
 * gets zeros. Never sleeps.
 */
void memory_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr);
/*
 * Returns a file without a name for shared anonymous memory of `size` bytes, or
 * ERR_PTR(-ENOMEM, -ENFILE). /proc/self/maps calls it "/dev/zero (deleted)", as on Linux, where
 * programs know by that name that it is nobody's file. May sleep.
 */
struct file *shared_memory_file(size_t size);

#endif
