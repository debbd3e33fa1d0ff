/*
 * What a program says about the use of its memory, and what it asks: madvise, msync, mincore.
 *
 * 1. madvise works on the VMAs of a range one after another. Holes are skipped, and make the call
 *    fail with ENOMEM after everything else has been done.
 * 2. Advice about the order of accesses, about cold pages and about core dumps changes nothing that
 *    a program could see, so it is checked and otherwise has no effect.
 */
#include "fs/cache/pagecache.h"
#include "fs/file/allocate.h"
#include "fs/file/file.h"
#include "fs/file/open_file.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

enum {
	MADV_NORMAL = 0,
	MADV_RANDOM = 1,
	MADV_SEQUENTIAL = 2,
	MADV_WILLNEED = 3,
	MADV_DONTNEED = 4,
	MADV_FREE = 8,
	MADV_REMOVE = 9,
	MADV_DONTFORK = 10,
	MADV_DOFORK = 11,
	MADV_DONTDUMP = 16,
	MADV_DODUMP = 17,
	MADV_WIPEONFORK = 18,
	MADV_KEEPONFORK = 19,
	MADV_COLD = 20,
	MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22,
	MADV_POPULATE_WRITE = 23,
	MADV_DONTNEED_LOCKED = 24,
};

/* ---- madvise ---- */

static bool is_known(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_FREE ||
	       advice == MADV_REMOVE || advice == MADV_DONTFORK || advice == MADV_DOFORK ||
	       (advice >= MADV_DONTDUMP && advice <= MADV_DONTNEED_LOCKED);
}

static int forget(struct vma *vma, uintptr_t start, uintptr_t end, int advice)
{
	if (vma->flags & VMA_LOCKED && advice != MADV_DONTNEED_LOCKED)
		return refuse(EINVAL, "locked memory");
	if (vma->flags & VMA_DEVICE)
		return refuse(EINVAL, "device memory");
	if (advice == MADV_FREE && (vma->file || vma->flags & VMA_HUGE))
		return refuse(EINVAL, "only private anonymous memory can be freed");
	if (vma->flags & VMA_HUGE && start % LARGE_SIZE)
		return refuse(EINVAL, "a part of a huge page");
	mm_zap(vma->mm, start, vma->flags & VMA_HUGE ? end & ~(LARGE_SIZE - 1) : end);
	return 0;
}

/* What a child gets is a flag of the whole VMA, so the range becomes a VMA of its own. */
static int set_inheritance(struct vma *vma, uintptr_t start, uintptr_t end, int advice)
{
	unsigned int flag =
		advice == MADV_DONTFORK || advice == MADV_DOFORK ? VMA_DONTFORK : VMA_WIPEONFORK;

	if (advice == MADV_DOFORK && vma->flags & VMA_DEVICE)
		return refuse(EINVAL, "device memory");
	if (advice == MADV_WIPEONFORK && (vma->file || vma->flags & VMA_HUGE))
		return refuse(EINVAL, "only private anonymous memory can be wiped");
	return mm_change_flags(vma->mm, start, end, flag,
			       advice == MADV_DONTFORK || advice == MADV_WIPEONFORK ? flag : 0);
}

/* Follow the advice for a part of a VMA. Returns 0 or an error. mm->lock is held. */
static int follow(struct vma *vma, uintptr_t start, uintptr_t end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return forget(vma, start, end, advice);
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return set_inheritance(vma, start, end, advice);
	case MADV_COLD:
	case MADV_PAGEOUT:
		if (vma->flags & (VMA_LOCKED | VMA_DEVICE | VMA_HUGE))
			return refuse(EINVAL, "memory that cannot be reclaimed");
		return 0;
	case MADV_WILLNEED:
		while (vma->file && !(vma->flags & VMA_DEVICE) && start < end)
			start = mm_start_reading(vma, start, end);
		return 0;
	default:
		return 0;
	}
}

/* Returns 0 or the first error, or -ENOMEM if there was a hole. mm->lock is held. */
static int advise(struct mm *mm, uintptr_t start, uintptr_t end, int advice)
{
	int result = 0;

	while (start < end) {
		struct vma *vma = mm_find_next(mm, start);
		uintptr_t stop;
		int error;

		if (!vma || vma->start >= end)
			return -ENOMEM;
		if (vma->start > start)
			result = -ENOMEM;
		start = MAX(start, vma->start);
		stop = MIN(end, vma->end);
		error = follow(vma, start, stop, advice);
		if (error < 0)
			return error;
		start = stop;
	}
	return result;
}

/* MADV_POPULATE_READ and WRITE. Returns 0, or an error at the first page that cannot be had. */
static long populate(struct mm *mm, uintptr_t start, uintptr_t end, bool write)
{
	for (; start < end; start += PAGE_SIZE) {
		struct vma *vma;
		int error = 0;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find(mm, start);
		if (!vma)
			error = -ENOMEM;
		else if (!(vma->flags & (write ? VMA_WRITE : VMA_READ)) || vma->flags & VMA_DEVICE)
			error = refuse(EINVAL, "the memory does not allow this access");
		else
			error = mm_resolve(vma, start, write);
		mutex_unlock(&mm->lock);
		if (error < 0)
			return error == -EINTR ? -ERESTARTSYS : error == -EIO ? -EFAULT : error;
	}
	return 0;
}

/*
 * MADV_REMOVE: punch a hole into the file of a shared mapping. Returns how many bytes of the range
 * belong to the mapping at its start, or an error. The file's lock comes before mm->lock, so that
 * is not held.
 */
static long remove_once(struct mm *mm, uintptr_t start, uintptr_t end)
{
	struct file *file = NULL;
	file_off_t offset = 0;
	struct vma *vma;
	long error = 0;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	vma = mm_find(mm, start);
	if (!vma)
		error = -ENOMEM;
	else if (vma->flags & (VMA_LOCKED | VMA_DEVICE) || !vma->file)
		error = refuse(EINVAL, "locked memory, or no memory of a file");
	else if (!(vma->flags & VMA_SHARED) || !(vma->flags & VMA_MAY_WRITE))
		error = refuse(EACCES, "the mapping cannot allow stores to the file");
	if (error == 0) {
		file = vma->file;
		file_get(file);
		end = MIN(end, vma->end);
		offset = ((file_off_t)vma->page_offset << PAGE_SHIFT) + (start - vma->start);
	}
	mutex_unlock(&mm->lock);
	if (!file)
		return error;
	error = file_allocate(file, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, offset, end - start);
	file_put(file);
	return error < 0 ? error : (long)(end - start);
}

static long remove_range(struct mm *mm, uintptr_t start, uintptr_t end)
{
	while (start < end) {
		long done = remove_once(mm, start, end);

		if (done < 0)
			return done;
		start += done;
	}
	return 0;
}

long mm_advise(struct mm *mm, uintptr_t start, size_t len, int advice)
{
	uintptr_t end = start + PAGE_ALIGN(len);
	int error;

	if (!is_known(advice))
		return refuse(EINVAL, "advice that is not supported");
	if (start % PAGE_SIZE || end < start || PAGE_ALIGN(len) < len)
		return refuse(EINVAL, "the address is not page aligned, or the range wraps around");
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return populate(mm, start, end, advice == MADV_POPULATE_WRITE);
	if (advice == MADV_REMOVE)
		return remove_range(mm, start, end);
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	error = advise(mm, start, end, advice);
	mutex_unlock(&mm->lock);
	return error;
}

bool advice_is_for_others(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
}

long sys_madvise(uintptr_t start, size_t len, int advice)
{
	return mm_advise(current->mm, start, len, advice);
}

/* ---- msync ---- */

/*
 * Write what was stored through shared mappings to the disks of their files. All mappings of a file
 * see the same pages anyway, so MS_INVALIDATE has no effect, except that locked memory refuses it.
 */
enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };

long sys_msync(uintptr_t start, size_t len, unsigned int flags)
{
	uintptr_t end = start + PAGE_ALIGN(len);
	struct mm *mm = current->mm;
	struct file *file;
	long result = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC))
		return refuse(EINVAL, "both MS_ASYNC and MS_SYNC, or an unknown flag");
	if (start % PAGE_SIZE)
		return refuse(EINVAL, "the address is not page aligned");
	if (end < start)
		return -ENOMEM;
	while (start < end) {
		struct vma *vma;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find_next(mm, start);
		if (!vma || vma->start > start)
			result = -ENOMEM;
		file = NULL;
		if (vma && vma->start < end && flags & MS_INVALIDATE && vma->flags & VMA_LOCKED) {
			mutex_unlock(&mm->lock);
			return -EBUSY;
		}
		if (vma && vma->start < end && flags & MS_SYNC && vma->flags & VMA_SHARED)
			file = vma->file;
		if (file)
			file_get(file);
		start = vma ? vma->end : end;
		mutex_unlock(&mm->lock);
		if (!file)
			continue;
		/* mm->lock is not held here, because fsync waits for a disk. */
		if (file->ops->fsync && file->ops->fsync(file) < 0)
			result = -EIO;
		file_put(file);
	}
	return result;
}

/* ---- mincore ---- */

#define MINCORE_BATCH 64u /* pages that are looked at with mm->lock held once */

/*
 * Which pages of a file are in memory is told only to those who could write it. Others would learn
 * from it what other users read. They are told that all pages are there.
 */
static bool may_ask(const struct vma *vma)
{
	struct inode *inode = vma->file->inode;

	return vma->file->writable || current->process->cred.euid == inode->uid ||
	       inode_permission(inode, MAY_WRITE) == 0;
}

static bool in_cache(const struct vma *vma, uintptr_t va)
{
	uint64_t index = vma->page_offset + (uint64_t)(va - vma->start) / PAGE_SIZE;
	struct page *page;
	bool there;

	if (index > UINT32_MAX)
		return false;
	page = mapping_find(&vma->file->inode->mapping, index);
	there = page && page_has(page, PG_UPTODATE);
	if (page)
		page_put(page);
	return there;
}

/* Tell of up to nr pages from va on. Returns their number, or an error. May sleep. */
static int look(struct mm *mm, uintptr_t va, unsigned int nr, char *there)
{
	struct vma *vma;
	unsigned int i;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	vma = mm_find(mm, va);
	for (i = 0; vma && i < nr && va < vma->end; i++, va += PAGE_SIZE) {
		pte_t *entry = mm_pte(mm, va);

		there[i] = entry && *entry;
		if (!there[i] && vma->file && !(vma->flags & VMA_DEVICE))
			there[i] = !may_ask(vma) || in_cache(vma, va);
	}
	mutex_unlock(&mm->lock);
	return i ? (int)i : -ENOMEM;
}

long sys_mincore(uintptr_t start, size_t len, char __user *result)
{
	size_t left = len / PAGE_SIZE + (len % PAGE_SIZE != 0);
	char there[MINCORE_BATCH];

	if (start % PAGE_SIZE)
		return refuse(EINVAL, "the address is not page aligned");
	if (start > USER_END || len > USER_END - start)
		return -ENOMEM;
	if (!user_range_ok(result, left))
		return -EFAULT;
	while (left > 0) {
		int nr = look(current->mm, start, MIN(left, MINCORE_BATCH), there);

		if (nr < 0)
			return nr;
		if (copy_to_user(result, there, nr) < 0)
			return -EFAULT;
		start += nr * PAGE_SIZE;
		result += nr;
		left -= nr;
	}
	return 0;
}
