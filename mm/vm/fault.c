/*
 * Page faults: making what a VMA promises present.
 *
 * 1. mm->lock is held while a fault is resolved: only the rmap (truncate, lending, write-back)
 *    changes the entries of the address space meanwhile, and only to unmap or to write-protect.
 * 2. A page of a file is mapped while it is locked, so that truncate and the lender find the
 *    mapping. That holds for the pages that come with a neighbour's fault as well; they are mapped
 *    read-only, so a store to one of them faults like the first one.
 * 3. A shared page becomes writable only if `lent` is zero, looked at under table_lock with the
 *    page locked: a lender that comes later waits for the page lock, and write-protects.
 * 4. Private memory is written in place only if the entry's reference is the page's only one.
 * 5. Faults of the kernel on user addresses come from mm/vm/uaccess.c alone: any other one is a bug.
 */
#include "mm/vm/tables.h"
#include "fs/names/vfs.h"
#include "kernel/process/oom.h"
#include "kernel/process/process.h"
#include "kernel/process/signal.h"
#include "lib/errno.h"
#include "mm/kmap.h"
#include "mm/vm/uaccess.h"

#define FAULT_IN_MAX 16u /* pages that user_fault_in() looks at */

#define FAULT_WRITE  2u /* error code, Intel SDM vol. 3, 4.7 */
#define FAULT_EXEC   16u

#define SEGV_MAPERR  1 /* si_code */
#define SEGV_ACCERR  2
#define BUS_ADRERR   2

#define FAULT_AROUND 16u /* pages of a file that one read fault maps at most; divides a table */
#define READ_AROUND  16u /* pages of a file whose reads one read fault starts */
#define STACK_GAP    (64 * PAGE_SIZE) /* kept free below a stack that grows */

/* ---- entries ---- */

/*
 * Map `page` at va in place of what is there; takes over the caller's reference. The table exists.
 * With `unless_lent` nothing is done, and false returned, if the page is lent.
 */
static bool map_page(struct vma *vma, uintptr_t va, struct page *page, bool writable,
		     bool unless_lent)
{
	struct mm *mm = vma->mm;
	pte_t bits = mm_entry_bits(vma->flags), old, *entry;

	if (writable)
		bits |= PTE_WRITE | PTE_DIRTY;
	if (page->flags & PG_HUGE)
		bits |= PTE_LARGE;
	spin_lock(&mm->table_lock);
	if (unless_lent && atomic_read(&page->lent) > 0) {
		spin_unlock(&mm->table_lock);
		return false;
	}
	entry = bits & PTE_LARGE ? mm_directory_entry(mm, va) : mm_pte(mm, va);
	atomic_inc(&page->mapped);
	atomic_add(&mm->resident, pte_pages(bits));
	old = pte_take(entry);
	pte_set(entry, pte_make(page_phys(page), bits));
	spin_unlock(&mm->table_lock);
	if (!old)
		return true;
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	if (!(old & PTE_SPECIAL)) {
		struct page *before = frame_page(pte_frame(old));

		atomic_dec(&before->mapped);
		atomic_add(&mm->resident, -(int)pte_pages(old));
		page_put(before);
	}
	return true;
}

/* Map what has no count: the zero page, device memory. */
static int map_special(struct vma *vma, uintptr_t va, phys_addr_t phys, pte_t bits)
{
	struct mm *mm = vma->mm;

	spin_lock(&mm->table_lock);
	pte_set(mm_pte(mm, va), pte_make(phys, bits | mm_entry_bits(vma->flags) | PTE_SPECIAL));
	spin_unlock(&mm->table_lock);
	return 0;
}

/* ---- private memory ---- */

/* Map a private copy, or a page of zeros; drops the caller's reference to `from`, which may be
 * NULL. */
static int map_copy(struct vma *vma, uintptr_t va, struct page *from)
{
	struct page *page = page_alloc(0, ALLOC_HIGH | (from ? 0 : ALLOC_ZERO));

	if (page && from)
		page_copy(page, from);
	if (page)
		map_page(vma, va, page, true, false);
	if (from)
		page_put(from);
	return page ? 0 : -ENOMEM;
}

struct page *mm_take_huge(struct mm *mm, uintptr_t va)
{
	return mm_make_top(mm, va) < 0 ? NULL : huge_alloc();
}

void mm_put_huge(struct vma *vma, uintptr_t va, struct page *page)
{
	mm_make_directory(vma->mm, va);
	map_page(vma, va, page, vma->flags & VMA_WRITE, false);
}

int mm_map_huge(struct vma *vma, uintptr_t va)
{
	struct page *page = mm_take_huge(vma->mm, va);

	if (!page)
		return -ENOMEM;
	mm_put_huge(vma, va, page);
	return 0;
}

/*
 * A write to a page that is mapped read-only: in place if it is ours alone, else a copy. A huge page
 * is split for that, and the CPU tries again. What is left of it is never written in place, so that
 * it goes back to the pool when all of it was copied or unmapped.
 */
//BOOK: copy-on-write
static int write_private(struct vma *vma, uintptr_t va)
{
	struct mm *mm = vma->mm;
	struct page *page = NULL;
	bool alone = false;
	pte_t *entry, old;

	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	old = *entry;
	if (old && !(old & PTE_SPECIAL)) {
		page = frame_page(pte_frame(old));
		/* A part of a huge page is not the whole. */
		alone = atomic_read(&page->refs) == 1 &&
			!(old & PTE_LARGE) == !(page->flags & PG_HUGE);
		if (alone)
			pte_set(entry, old | PTE_WRITE | PTE_DIRTY);
		else if (!(old & PTE_LARGE) && !page_get(page))
			page = ERR_PTR(-ENOMEM);
	}
	spin_unlock(&mm->table_lock);
	if (!old || alone) /* truncate was faster: the CPU tries again */
		return 0;
	if (IS_ERR(page))
		return PTR_ERR(page);
	return old & PTE_LARGE ? mm_split_huge(mm, va) : map_copy(vma, va, page);
}

/* ---- files ---- */

/* What the page cache's error means for a fault: out of memory, killed, or else SIGBUS. */
static int fault_error(long error)
{
	if (error == -ENOMEM)
		return -ENOMEM;
	return error == -ERESTARTSYS ? -EINTR : -EIO;
}

/* A cached page that may be mapped now is locked: its bytes are there, and it is in its file. */
static bool lock_cached(struct mapping *mapping, struct page *page)
{
	if (!page_trylock(page))
		return false;
	if (page->mapping == mapping && page->flags & PG_UPTODATE)
		return true;
	page_unlock(page);
	return false;
}

/*
 * Map locked pages of a file, which are NULL where there is none, from va on, read-only. The entry's
 * reference is taken from the caller, whose pages[i] is NULL then; what is mapped already stays. All
 * addresses are in one table. Returns with the mapped pages unlocked.
 */
static void map_locked_pages(struct vma *vma, uintptr_t va, struct page **pages, unsigned int nr)
{
	pte_t bits = mm_entry_bits(vma->flags), *entry;
	struct mm *mm = vma->mm;
	unsigned int mapped = 0;

	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	for (unsigned int i = 0; i < nr; i++, entry++) {
		struct page *page = pages[i];

		if (!page || *entry)
			continue;
		atomic_inc(&page->mapped);
		pte_set(entry, pte_make(page_phys(page), bits));
		page_unlock(page);
		pages[i] = NULL;
		mapped++;
	}
	atomic_add(&mm->resident, mapped);
	spin_unlock(&mm->table_lock);
}

/*
 * A fault for reading at va, which shows page `index` of the file: map what the cache has of the
 * pages around it. A program that touches one of them soon touches others, and each would be a fault.
 * Waits for nothing: a page that is being read, written or removed is left out. True if va itself
 * is mapped now. The table exists.
 */
//BOOK: fault-around
static bool map_cached_around(struct vma *vma, uintptr_t va, unsigned int index)
{
	struct mapping *mapping = &vma->file->inode->mapping;
	uintptr_t window = va & ~(uintptr_t)(FAULT_AROUND * PAGE_SIZE - 1);
	uintptr_t start = MAX(vma->start, window);
	unsigned int nr = (MIN(vma->end, window + FAULT_AROUND * PAGE_SIZE) - start) / PAGE_SIZE;
	unsigned int at = (va - start) / PAGE_SIZE;
	struct page *pages[FAULT_AROUND];
	bool there;

	mapping_find_cached(mapping, index - at, nr, pages);
	for (unsigned int i = 0; i < nr; i++) {
		if (pages[i] && !lock_cached(mapping, pages[i])) {
			page_put(pages[i]);
			pages[i] = NULL;
		}
	}
	there = pages[at] != NULL;
	if (there)
		page_mark_used(pages[at]);
	map_locked_pages(vma, start, pages, nr);
	for (unsigned int i = 0; i < nr; i++) {
		if (pages[i]) {
			page_unlock(pages[i]);
			page_put(pages[i]);
		}
	}
	return there;
}

/*
 * The page of the file at index, read, locked, with a reference. ERR_PTR(-EIO: SIGBUS, -ENOMEM,
 * -EINTR). One that leaves its file before it is locked is looked up again.
 */
static struct page *lock_file_page(struct mapping *mapping, unsigned int index)
{
	for (;;) {
		struct page *page = mapping_read_page(mapping, index);
		int error;

		if (IS_ERR(page))
			return ERR_PTR(fault_error(PTR_ERR(page)));
		error = page_lock(page, TASK_KILLABLE);
		if (!error && page->mapping == mapping && page->flags & PG_UPTODATE)
			return page;
		if (!error)
			page_unlock(page);
		page_put(page);
		if (error)
			return ERR_PTR(-EINTR);
	}
}

/* Start the reads of a few pages together: a program's start is many faults in a row. Without a
 * store there is nothing to read: the neighbours in a hole would only take room. */
static void read_around(struct vma *vma, uintptr_t va, unsigned int index)
{
	struct page *pages[READ_AROUND];
	int had = mapping_start(&vma->file->inode->mapping, vma->file, index,
				MIN((vma->end - va) / PAGE_SIZE, READ_AROUND), pages, false);

	while (had > 0)
		page_put(pages[--had]);
}

/* Map the locked page, or what takes its place if it is lent, for writing. */
static int map_writable(struct vma *vma, uintptr_t va, struct page *page)
{
	int error = 0;

	do {
		struct page *writable = page_make_writable(&vma->file->inode->mapping, page);

		if (!IS_ERR(writable))
			page = writable;
		else
			error = fault_error(PTR_ERR(writable));
	} while (!error && !map_page(vma, va, page, true, true));
	page_unlock(page);
	if (error)
		page_put(page);
	return error;
}

static int resolve_file(struct vma *vma, uintptr_t va, bool write)
{
	uint64_t index = vma->page_offset + (uint64_t)(va - vma->start) / PAGE_SIZE;
	struct page *page;

	if (index > UINT32_MAX)
		return -EIO;
	if (!write) {
		if (map_cached_around(vma, va, index))
			return 0;
		if (vma->file->inode->mapping.ops->has_store)
			read_around(vma, va, index);
	}
	page = lock_file_page(&vma->file->inode->mapping, index);
	if (IS_ERR(page))
		return PTR_ERR(page);
	if (write && vma->flags & VMA_SHARED)
		return map_writable(vma, va, page);
	if (!write)
		map_page(vma, va, page, false, false);
	page_unlock(page);
	return write ? map_copy(vma, va, page) : 0;
}

/* ---- the fault ---- */

/* va (page aligned) is to be present in the VMA, which allows the access. mm->lock is held. */
//BOOK: page-fault
int mm_resolve(struct vma *vma, uintptr_t va, bool write)
{
	struct mm *mm = vma->mm;
	pte_t entry;

	if (vma->flags & VMA_HUGE && !mm_pte(mm, va) && mm_map_huge(vma, va) == 0)
		return 0;
	if (mm_make_table(mm, va) < 0)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	entry = *mm_pte(mm, va);
	spin_unlock(&mm->table_lock);
	if (entry & PTE_PRESENT && (!write || entry & PTE_WRITE))
		return 0; /* another thread was faster */
	if (vma->flags & VMA_DEVICE)
		return map_special(
			vma, va, ((phys_addr_t)vma->page_offset << PAGE_SHIFT) + (va - vma->start),
			PTE_NOCACHE | PTE_WRITETHROUGH | (vma->flags & VMA_WRITE ? PTE_WRITE : 0));
	if (entry && !(vma->flags & VMA_SHARED))
		return write_private(vma, va);
	if (vma->file)
		return resolve_file(vma, va, write);
	return write ? map_copy(vma, va, NULL) : map_special(vma, va, page_phys(zero_page), 0);
}

/* The VMA of va; a stack grows down to it if its limit and its neighbour below allow that. */
struct vma *mm_find_or_grow(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find_next(mm, va), *below;
	uint64_t limit = current->process->limits[RLIMIT_STACK].soft;
	uintptr_t start = va & PAGE_MASK;

	if (!vma || vma->start <= va)
		return vma;
	if (!(vma->flags & VMA_STACK) || vma->end - start > limit || start < MMAP_MIN ||
	    !mm_may_grow(mm, vma->start - start))
		return NULL;
	below = mm_find_previous(mm, vma->end);
	if (below && start - below->end < STACK_GAP)
		return NULL;
	vma->start = start;
	return vma;
}

/* access: VMA_READ, VMA_WRITE or VMA_EXEC. 0, -EFAULT: no mapping, -EACCES, -EIO: SIGBUS,
 * -ENOMEM, -EINTR. */
static int fault_in_locked(struct mm *mm, uintptr_t va, unsigned int access)
{
	unsigned int allowed;
	struct vma *vma = mm_find_or_grow(mm, va);
	int error = -EFAULT;

	if (vma) {
		allowed = vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC);
		/* What is there can be read, and without NX executed: the CPU knows no more. */
		if (allowed)
			allowed |= VMA_READ | (pte_nx ? 0 : VMA_EXEC);
		error = -EACCES;
		if (allowed & access)
			error = mm_resolve(vma, va & PAGE_MASK, access == VMA_WRITE);
	}
	return error;
}

static int fault_in(struct mm *mm, uintptr_t va, unsigned int access)
{
	int error;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -EINTR;
	error = fault_in_locked(mm, va, access);
	mutex_unlock(&mm->lock);
	return error;
}

int mm_fault_in_always(struct mm *mm, uintptr_t va, bool write)
{
	int error;

	mutex_lock(&mm->lock);
	error = fault_in_locked(mm, va, write ? VMA_WRITE : VMA_READ);
	mutex_unlock(&mm->lock);
	return error;
}

int mm_fault_in(struct mm *mm, uintptr_t va, bool write)
{
	int error = fault_in(mm, va, write ? VMA_WRITE : VMA_READ);

	return error == -EACCES ? -EFAULT : error;
}

int user_fault_in(const void __user *addr, size_t n, bool write)
{
	uintptr_t va = (uintptr_t)addr & PAGE_MASK, end = (uintptr_t)addr + n;

	if (!current->mm || !user_range_ok(addr, n))
		return -EFAULT;
	for (unsigned int i = 0; i < FAULT_IN_MAX && va < end; i++, va += PAGE_SIZE) {
		int error;

		while ((error = mm_fault_in(current->mm, va, write)) == -ENOMEM && !kill_pending())
			oom_fault();
		if (error)
			return error == -EINTR || error == -ENOMEM ? -ERESTARTSYS : -EFAULT;
	}
	return 0;
}

static void kernel_fault(struct trap_frame *frame, uintptr_t va, unsigned int access)
{
	uint32_t eip = frame->eip;
	int error;

	if (va >= USER_END || !fixup_exception(frame)) {
		frame->eip = eip;
		trap_fatal(frame, va < PAGE_SIZE ? "null pointer" : "page fault");
	}
	user_access_stop();
	if (!current->mm || current->faults_off || this_cpu()->irq_depth || !irqs_enabled())
		return;
	while ((error = fault_in(current->mm, va, access)) == -ENOMEM && !kill_pending())
		oom_fault();
	if (error == 0)
		frame->eip = eip; /* the copy goes on */
}

void page_fault(struct trap_frame *frame, uintptr_t va, unsigned int error)
{
	unsigned int access = error & FAULT_WRITE ? VMA_WRITE : VMA_READ;
	int result;

	if (error & FAULT_EXEC)
		access = VMA_EXEC;
	if (!trap_from_user(frame)) {
		kernel_fault(frame, va, access);
		return;
	}
	result = fault_in(current->mm, va, access);
	switch (result) {
	case 0:
	case -EINTR: /* killed: the way back to user mode ends the task */
		break;
	case -ENOMEM: /* the CPU tries again */
		oom_fault();
		break;
	case -EIO:
		signal_force(SIGBUS, BUS_ADRERR, va);
		break;
	default:
		signal_force(SIGSEGV, result == -EACCES ? SEGV_ACCERR : SEGV_MAPERR, va);
		break;
	}
}
