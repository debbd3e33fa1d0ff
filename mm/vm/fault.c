/*
 * Page faults: making the pages of a VMA present.
 *
 * 1. mm->lock is held while a fault is resolved. Meanwhile only the reverse mapping (truncate,
 *    lending, write-back) changes page-table entries of the address space, and only to unmap or
 *    write-protect.
 * 2. A page of a file is locked while it is mapped, so that truncate and lending find the mapping.
 *    The neighbours of a read fault, and its own page if that is in the cache, do without the lock
 *    (count_mapping). They are mapped read-only, so a store to one of them causes a fault of its
 *    own.
 * 3. A shared page becomes writable only if `lent` is zero, while it is locked. A later lender
 *    waits for the page lock, and then write-protects the mapping.
 * 4. Private memory is written in place only if the entry's reference is the page's only one, or if
 *    all others are those of devices that fill the page for this program (mm/vm/pin.h).
 * 5. In the kernel, only the copies of mm/vm/uaccess.c may fault on user addresses. Any other such
 *    fault is a bug.
 */
#include "lib/string.h"
#include "mm/vm/tables.h"
#include "fs/cache/writeback.h"
#include "fs/file/open_file.h"
#include "kernel/process/oom.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "lib/errno.h"
#include "mm/kmap.h"
#include "mm/vm/uaccess.h"

#define FAULT_IN_MAX 16u  /* pages that user_fault_in() looks at */
#define ALWAYS_TRIES 100u /* of a task that is ending, to find memory */
#define ALWAYS_WAIT  (10 * NSEC_PER_MSEC)

#define FAULT_WRITE  2u /* error code, Intel SDM vol. 3, 4.7 */
#define FAULT_EXEC   16u

#define SEGV_MAPERR  1 /* si_code */
#define SEGV_ACCERR  2
#define BUS_ADRERR   2

#define FAULT_AROUND 16u /* most pages of a file that one read fault maps; divides 512 */
#define READ_AROUND  16u /* most pages of a file that one read fault starts to read */
#define STACK_GAP    (64 * PAGE_SIZE) /* kept free below a stack that grows */

/* ---- entries ---- */

/*
 * Map `page` at va in place of the old page, and take over the caller's reference. The page table
 * exists.
 */
static void map_page(struct vma *vma, uintptr_t va, struct page *page, bool writable)
{
	struct mm *mm = vma->mm;
	pte_t bits = mm_entry_bits(vma->flags), old, *entry;

	if (writable)
		bits |= PTE_WRITE | PTE_DIRTY;
	if (page_has(page, PG_HUGE))
		bits |= PTE_LARGE;
	spin_lock(&mm->table_lock);
	entry = bits & PTE_LARGE ? mm_directory_entry(mm, va) : mm_pte(mm, va);
	atomic_inc(&page->mapped);
	atomic_add(&mm->resident, pte_pages(bits));
	old = pte_take(entry);
	pte_set(entry, pte_make(page_phys(page), bits));
	spin_unlock(&mm->table_lock);
	if (!old)
		return;
	tlb_flush_range(mm, va, va + PAGE_SIZE);
	if (!(old & PTE_SPECIAL)) {
		struct page *before = frame_page(pte_frame(old));

		atomic_dec(&before->mapped);
		atomic_add(&mm->resident, -(int)pte_pages(old));
		page_put(before);
	}
}

/* Map memory without a reference count: the zero page, or device memory. Returns 0 or -ENOMEM. */
static int map_special(struct vma *vma, uintptr_t va, phys_addr_t phys, pte_t bits)
{
	struct mm *mm = vma->mm;

	spin_lock(&mm->table_lock);
	pte_set(mm_pte(mm, va), pte_make(phys, bits | mm_entry_bits(vma->flags) | PTE_SPECIAL));
	spin_unlock(&mm->table_lock);
	return 0;
}

/* ---- private memory ---- */

/*
 * Map a private copy of `from`, or a page of zeros if that is NULL. A debugger's write also makes
 * one where the program may not write (remote.c). Drops the caller's reference to `from`. Returns 0
 * or -ENOMEM.
 */
static int map_copy(struct vma *vma, uintptr_t va, struct page *from)
{
	struct page *page = page_alloc(0, ALLOC_HIGH | (from ? 0 : ALLOC_ZERO));

	if (page && from)
		page_copy(page, from);
	if (page)
		map_page(vma, va, page, vma->flags & VMA_WRITE);
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
	map_page(vma, va, page, vma->flags & VMA_WRITE);
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
 * Resolve a write to a private page that is mapped read-only. If the page is the program's own,
 * it becomes writable, otherwise the page is copied. A huge page with other references is
 * split, and the CPU repeats the access. The rest of a split page is never written in place. It
 * returns to the pool once all of it has been copied or unmapped.
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
		/* An entry for a part of a split huge page does not own the whole page. */
		alone = page_is_own(page) && !(old & PTE_LARGE) == !page_has(page, PG_HUGE);
		if (alone)
			pte_set(entry, old | PTE_DIRTY | (vma->flags & VMA_WRITE ? PTE_WRITE : 0));
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

/*
 * Convert an error of the page cache: -ENOMEM, -ENOSPC, -EINTR if killed, or else -EIO, which means
 * SIGBUS.
 */
static int fault_error(long error)
{
	if (error == -ENOMEM || error == -ENOSPC)
		return error;
	return error == -ERESTARTSYS ? -EINTR : -EIO;
}

/*
 * Count another mapping of a cached page, to which the caller has a reference. Returns false, and
 * counts none, if the page is locked, not uptodate, or not in its file. table_lock is held until
 * the page is mapped, so the page need not be locked:
 *
 *	fault					truncate, write
 *	mapped++				locks the page
 *	is it locked? leaves it out		mapped > 0: unmaps it, waits for table_lock
 *
 * Both first steps are full barriers, so at least one side sees what the other has done.
 */
//BOOK: count-mapping
static bool count_mapping(struct mapping *mapping, struct page *page)
{
	unsigned int flags;

	atomic_inc(&page->mapped);
	flags = READ_ONCE(page->flags);
	if (!(flags & PG_LOCKED) && flags & PG_UPTODATE && READ_ONCE(page->mapping) == mapping)
		return true;
	atomic_dec(&page->mapped);
	return false;
}

/*
 * Resolve a read fault at va, which maps page `index` of the file: map the pages around it that are
 * in the cache, read-only. A program that touches one of them soon touches others, and each would
 * be another fault. Never waits: a page that is being read, written or removed is left out. Returns
 * true if va itself is mapped now. The page table exists, and all of the window is in it.
 */
//BOOK: fault-around
static bool map_cached_around(struct vma *vma, uintptr_t va, unsigned int index)
{
	struct mapping *mapping = &vma->file->inode->mapping;
	uintptr_t window = va & ~(uintptr_t)(FAULT_AROUND * PAGE_SIZE - 1);
	uintptr_t start = MAX(vma->start, window);
	unsigned int nr = (MIN(vma->end, window + FAULT_AROUND * PAGE_SIZE) - start) / PAGE_SIZE;
	unsigned int at = (va - start) / PAGE_SIZE, mapped = 0;
	pte_t bits = mm_entry_bits(vma->flags), *entries;
	struct page *pages[FAULT_AROUND];
	struct mm *mm = vma->mm;
	bool there;

	memset(pages, 0, sizeof(pages));
	for (unsigned int i = 0; i < nr;)
		i += mapping_find_run(mapping, index - at + i, nr - i, pages + i, true);
	if (pages[at])
		page_mark_used(pages[at]);
	spin_lock(&mm->table_lock);
	entries = mm_pte(mm, start);
	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = pages[i];

		if (!page || entries[i] || !count_mapping(mapping, page))
			continue;
		pte_set(&entries[i], pte_make(page_phys(page), bits));
		pages[i] = NULL; /* the entry has taken over the reference */
		mapped++;
	}
	atomic_add(&mm->resident, mapped);
	there = entries[at] != 0;
	spin_unlock(&mm->table_lock);
	for (unsigned int i = 0; i < nr; i++)
		if (pages[i])
			page_put(pages[i]);
	return there;
}

/*
 * Read the page of the file at `index`. Returns it locked and with a reference, or ERR_PTR(-ENOMEM,
 * -EINTR, or -EIO for SIGBUS). If the page leaves the file before it is locked, it is looked up
 * again.
 */
static struct page *lock_file_page(struct mapping *mapping, unsigned int index)
{
	for (;;) {
		struct page *page = mapping_read_page(mapping, index);
		int error;

		if (IS_ERR(page))
			return ERR_PTR(fault_error(PTR_ERR(page)));
		error = page_lock(page, TASK_KILLABLE);
		if (!error && page->mapping == mapping && page_has(page, PG_UPTODATE))
			return page;
		if (!error)
			page_unlock(page);
		page_put(page);
		if (error)
			return ERR_PTR(-EINTR);
	}
}

/*
 * Several pages are read at once, because a program's start causes many faults in a row. A file
 * without a store has nothing to read, and pages for its holes would only take memory. *there tells
 * whether the first page has its bytes.
 */
static uintptr_t start_reading(struct vma *vma, uintptr_t va, uintptr_t end, bool *there)
{
	struct mapping *mapping = &vma->file->inode->mapping;
	unsigned int nr = MIN((end - va) / PAGE_SIZE, READ_AROUND);
	struct page *pages[READ_AROUND];
	int had;

	*there = true;
	if (!mapping->ops->has_store)
		return end;
	had = mapping_start(mapping, vma->file, vma->page_offset + (va - vma->start) / PAGE_SIZE,
			    nr, pages, false);
	if (had > 0)
		*there = page_has(pages[0], PG_UPTODATE);
	while (had > 0)
		page_put(pages[--had]);
	return va + nr * PAGE_SIZE;
}

uintptr_t mm_start_reading(struct vma *vma, uintptr_t va, uintptr_t end)
{
	bool there;

	return start_reading(vma, va, end, &there);
}

/*
 * Map the locked page for writing, or, if it is lent, the copy that takes its place. Drops the
 * lock. Returns 0 or an error.
 */
static int map_writable(struct vma *vma, uintptr_t va, struct page *page)
{
	struct page *writable = page_make_writable(&vma->file->inode->mapping, page);

	if (IS_ERR(writable)) {
		page_unlock(page);
		page_put(page);
		return fault_error(PTR_ERR(writable));
	}
	map_page(vma, va, writable, true);
	page_unlock(writable);
	return 0;
}

static int resolve_file(struct vma *vma, uintptr_t va, bool write)
{
	uint64_t index = vma->page_offset + (uint64_t)(va - vma->start) / PAGE_SIZE;
	struct page *page;
	bool there;

	if (index > UINT32_MAX)
		return -EIO;
	if (!write && map_cached_around(vma, va, index))
		return 0;
	start_reading(vma, va, write ? va + PAGE_SIZE : vma->end, &there);
	if (!there)
		current->major_faults++;
	page = lock_file_page(&vma->file->inode->mapping, index);
	if (IS_ERR(page))
		return PTR_ERR(page);
	if (write && vma->flags & VMA_SHARED)
		return map_writable(vma, va, page);
	if (!write)
		map_page(vma, va, page, false);
	page_unlock(page);
	return write ? map_copy(vma, va, page) : 0;
}

/* ---- the fault ---- */

/* As mm_resolve(), but -ENOSPC if a hole of a file has got no room. va is page aligned. */
//BOOK: page-fault
static int resolve(struct vma *vma, uintptr_t va, bool write)
{
	struct mm *mm = vma->mm;
	pte_t *place = mm_pte(mm, va), entry = 0;

	if (place) {
		spin_lock(&mm->table_lock);
		entry = *place;
		spin_unlock(&mm->table_lock);
	} else {
		if (vma->flags & VMA_HUGE && mm_map_huge(vma, va) == 0)
			return 0;
		if (mm_make_table(mm, va) < 0)
			return -ENOMEM;
	}
	if (entry & PTE_PRESENT && (!write || entry & PTE_WRITE))
		return 0; /* another thread has resolved it */
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

/* The contract is in mm/vm/tables.h. va is page aligned. */
int mm_resolve(struct vma *vma, uintptr_t va, bool write)
{
	int error = resolve(vma, va, write);

	return error == -ENOSPC ? -EIO : error;
}

/* Do stores to the mapping make pages dirty that a disk has to get? */
static bool keeps_stores(const struct vma *vma)
{
	return vma->flags & VMA_SHARED && !(vma->flags & VMA_DEVICE) && vma->file &&
	       vma->file->inode->mapping.ops->has_store;
}

/* The stack grows if its limit and the mapping below it allow that. */
struct vma *mm_find_or_grow(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find_next(mm, va), *below;
	uint64_t limit = current->process->limits[RLIMIT_STACK].soft;
	uintptr_t start = va & PAGE_MASK;

	if (!vma || vma->start <= va)
		return vma;
	if (!(vma->flags & VMA_STACK) || vma->end - start > limit || start < MMAP_MIN ||
	    !mm_may_grow(mm, vma->start - start, vma->flags) ||
	    (vma->flags & VMA_LOCKED && !mm_may_lock(mm, vma->start - start)))
		return NULL;
	below = mm_find_previous(mm, vma->end);
	if (below && start - below->end < STACK_GAP)
		return NULL;
	mm_count_size(mm, vma->start - start);
	vma->start = start;
	return vma;
}

/*
 * Resolve an access, which is VMA_READ, VMA_WRITE or VMA_EXEC. Returns 0, -EFAULT if nothing is
 * mapped, -EACCES, -ENOMEM, -EINTR, -EIO for SIGBUS, or -ENOSPC if a hole of a file has got no
 * room. *stored becomes the file of a shared mapping that was stored to, with a reference.
 */
static int fault_in_locked(struct mm *mm, uintptr_t va, unsigned int access, struct file **stored)
{
	unsigned int allowed;
	struct vma *vma = mm_find_or_grow(mm, va);
	unsigned int major = current->major_faults;
	int error = -EFAULT;

	if (vma) {
		allowed = vma->flags & (VMA_READ | VMA_WRITE | VMA_EXEC);
		/* The CPU lets any present page be read, and executed too unless it has NX. */
		if (allowed)
			allowed |= VMA_READ | (pte_nx ? 0 : VMA_EXEC);
		error = -EACCES;
		if (allowed & access)
			error = resolve(vma, va & PAGE_MASK, access == VMA_WRITE);
		if (allowed & access && access == VMA_WRITE && keeps_stores(vma)) {
			*stored = vma->file;
			file_get(vma->file);
		}
	}
	if (error == 0) {
		current->minor_faults += current->major_faults == major;
		mm->peak_resident = MAX(mm->peak_resident, atomic_read(&mm->resident));
	}
	return error;
}

/*
 * A store to a shared mapping of a file has been resolved, or has found no room. Stores make pages
 * dirty just as writes do, and wait as they do, without mm->lock. *wait is as in wait_for_room of
 * mapping_ops. Drops the reference. Returns the error, or -EAGAIN if there is room by now.
 */
//BOOK: fault-balance
static int settle_store(struct file *file, int error, struct room_wait *wait)
{
	struct mapping *mapping = &file->inode->mapping;

	if (error == 0)
		page_balance_dirty(mapping);
	if (error == -ENOSPC && mapping_room_comes(mapping, wait))
		error = -EAGAIN;
	file_put(file);
	return error;
}

static int fault_in(struct mm *mm, uintptr_t va, unsigned int access)
{
	struct file *stored;
	struct room_wait wait = { 0 };
	int error;

	do {
		stored = NULL;
		if (mutex_lock_killable(&mm->lock) < 0)
			return -EINTR;
		error = fault_in_locked(mm, va, access, &stored);
		mutex_unlock(&mm->lock);
		if (stored)
			error = settle_store(stored, error, &wait);
	} while (error == -EAGAIN);
	return error == -ENOSPC ? -EIO : error;
}

static int fault_in_once(struct mm *mm, uintptr_t va, bool write)
{
	struct file *stored = NULL;
	int error;

	mutex_lock(&mm->lock);
	error = fault_in_locked(mm, va, write ? VMA_WRITE : VMA_READ, &stored);
	mutex_unlock(&mm->lock);
	if (stored)
		file_put(stored);
	return error == -ENOSPC ? -EIO : error;
}

int mm_fault_in_always(struct mm *mm, uintptr_t va, bool write)
{
	bool finishing = current->finishing;
	int error;

	current->finishing = true;
	error = fault_in_once(mm, va, write);
	for (unsigned int tries = ALWAYS_TRIES; error == -ENOMEM && tries > 0; tries--) {
		current->state = TASK_UNINTERRUPTIBLE; /* only the clock wakes it */
		(void)schedule_until(time_now() + ALWAYS_WAIT);
		error = fault_in_once(mm, va, write);
	}
	current->finishing = finishing;
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
		frame->eip = eip; /* continue the copy */
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
	case -EINTR: /* killed: the task ends when it returns to user mode */
		break;
	case -ENOMEM: /* the CPU repeats the access after this */
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
