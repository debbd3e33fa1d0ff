/*
 * Reading and writing the memory of another process: for ptrace(2), /proc/PID/mem and
 * process_vm_readv(2).
 *
 * 1. The bytes of a page are copied under mm->lock. A store is done under table_lock, too, and only
 *    into a page that the entry lets the process itself write. So a page that has been lent, or is
 *    shared with a child, is replaced before it changes.
 * 2. With MM_FORCE, private memory that the process itself may not write is written all the same:
 *    the process gets a page of its own, which it still may not write. A debugger puts its
 *    breakpoints into programs that way. The page cache never sees them.
 */
#include "lib/string.h"
#include "mm/vm/tables.h"
#include "mm/kmap.h"

static bool may_access(const struct vma *vma, unsigned int how)
{
	unsigned int flags = vma->flags;

	if (flags & VMA_DEVICE)
		return false;
	if (how & MM_WRITE)
		return flags & VMA_WRITE || (how & MM_FORCE && !(flags & VMA_SHARED));
	return flags & (VMA_READ | VMA_WRITE | VMA_EXEC) || how & MM_FORCE;
}

/*
 * May the page be written through this entry? It is also the process's own if only this entry holds
 * it.
 */
static bool is_own(const struct vma *vma, pte_t entry)
{
	const struct page *page;

	if (entry & PTE_WRITE)
		return true;
	if (vma->flags & VMA_WRITE || entry & PTE_SPECIAL)
		return false;
	page = frame_page(pte_frame(entry));
	return page_is_own(page) && !(entry & PTE_LARGE) == !page_has(page, PG_HUGE);
}

/* Copy to or from the page at va, if its entry allows that now. Returns whether it did. */
static bool copy_page(struct vma *vma, uintptr_t va, void *buf, size_t len, bool write)
{
	unsigned int offset = va & (PAGE_SIZE - 1);
	struct mm *mm = vma->mm;
	bool done = false;
	char *address;
	pte_t *entry;

	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	if (entry && *entry && (!write || is_own(vma, *entry))) {
		address = kmap_local(pte_page(*entry, va));
		if (write)
			memcpy(address + offset, buf, len);
		else
			memcpy(buf, address + offset, len);
		kunmap_local(address);
		if (write)
			pte_set(entry, *entry | PTE_DIRTY);
		done = true;
	}
	spin_unlock(&mm->table_lock);
	return done;
}

/* Copy a part of one page. Returns 0, -EFAULT, -ENOMEM, -EINTR or -EIO. mm->lock is held. */
static int access_page(struct mm *mm, uintptr_t va, void *buf, size_t len, unsigned int how)
{
	struct vma *vma = mm_find(mm, va);
	bool write = how & MM_WRITE;
	int error;

	if (!vma || !may_access(vma, how))
		return -EFAULT;
	while (!copy_page(vma, va, buf, len, write)) {
		/* Truncation or lending may be faster. Then it starts over. */
		error = mm_resolve(vma, va & PAGE_MASK, write);
		if (error)
			return error;
		if (kill_pending())
			return -EINTR;
	}
	return 0;
}

ssize_t mm_access(struct mm *mm, uintptr_t va, void *buf, size_t len, unsigned int how)
{
	size_t done = 0;
	int error = 0;

	while (done < len && !error) {
		uintptr_t at = va + done;
		size_t n = MIN(PAGE_SIZE - (at & (PAGE_SIZE - 1)), len - done);

		if (at < va || at >= USER_END) {
			error = -EFAULT;
		} else if (mutex_lock_killable(&mm->lock) < 0) {
			error = -EINTR;
		} else {
			error = access_page(mm, at, buf + done, n, how);
			mutex_unlock(&mm->lock);
		}
		done += error ? 0 : n;
	}
	return done ? (ssize_t)done : error;
}
