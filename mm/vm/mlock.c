/*
 * Locked memory: mlock and its relatives.
 *
 * 1. Pages of programs are never written to a swap area, because there is none. What a locked
 *    mapping gains is that its pages are present at once, and that reclaim leaves the pages of its
 *    file alone (page_try_drop() asks mapping_page_locked()).
 * 2. The locked bytes of an address space are those of its VMAs with VMA_LOCKED. RLIMIT_MEMLOCK
 *    limits them, except with CAP_IPC_LOCK.
 * 3. A child inherits no locks (mm/vm/vm.c), and exec makes a new address space.
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"

#define MLOCK_ONFAULT 1u
#define MCL_CURRENT   1u
#define MCL_FUTURE    2u
#define MCL_ONFAULT   4u

static bool may_lock_all(void)
{
	return capable(CAP_IPC_LOCK);
}

/* Returns the bytes in [start, end) that are locked, or those that are mapped. mm->lock is held. */
static size_t count(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int flag)
{
	size_t bytes = 0;

	for (struct vma *vma = mm_find_next(mm, start); vma && vma->start < end;
	     vma = mm_find_next(mm, vma->end))
		if (!flag || vma->flags & flag)
			bytes += MIN(vma->end, end) - MAX(vma->start, start);
	return bytes;
}

bool mm_may_lock(struct mm *mm, size_t len)
{
	return may_lock_all() || count(mm, 0, USER_END, VMA_LOCKED) + (uint64_t)len <=
					 current->process->limits[RLIMIT_MEMLOCK].soft;
}

void mm_populate(struct mm *mm, uintptr_t start, uintptr_t end)
{
	while (start < end) {
		struct vma *vma;
		bool write = false;

		if (mutex_lock_killable(&mm->lock) < 0)
			return;
		vma = mm_find(mm, start);
		if (vma)
			write = (vma->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE;
		mutex_unlock(&mm->lock);
		if (!vma || mm_fault_in(mm, start, write) < 0)
			return;
		start += PAGE_SIZE;
	}
}

/*
 * Make every page of the range present. Returns 0, -ENOMEM if one cannot be had (it has no access
 * rights, or lies behind the end of its file), or -EAGAIN if memory is short.
 */
static long fault_in_range(struct mm *mm, uintptr_t start, uintptr_t end)
{
	for (; start < end; start += PAGE_SIZE) {
		unsigned int flags = 0;
		struct vma *vma;
		int error;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find(mm, start);
		if (vma)
			flags = vma->flags;
		mutex_unlock(&mm->lock);
		/* Another thread may have unmapped or unlocked the page, which is its affair. */
		if (!(flags & VMA_LOCKED))
			continue;
		error = mm_fault_in(mm, start, (flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE);
		if (error == -EINTR)
			return -ERESTARTSYS;
		if (error < 0)
			return error == -ENOMEM ? -EAGAIN : -ENOMEM;
	}
	return 0;
}

static long lock_range(uintptr_t start, size_t len, bool lock, bool populate)
{
	size_t bytes = PAGE_ALIGN(len + start % PAGE_SIZE);
	struct mm *mm = current->mm;
	long error = 0;

	start &= PAGE_MASK;
	if (start + bytes < start)
		return refuse(EINVAL, "a range that wraps around");
	/* This is also what Linux says to a length that wraps around to 0. */
	if (bytes == 0)
		return 0;
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	if (lock && !mm_may_lock(mm, bytes - count(mm, start, start + bytes, VMA_LOCKED)))
		error = refuse(ENOMEM, "more than RLIMIT_MEMLOCK");
	if (error == 0 && count(mm, start, start + bytes, 0) < bytes)
		error = refuse(ENOMEM, "a part of the range is not mapped");
	if (error == 0)
		error = mm_change_flags(mm, start, start + bytes, VMA_LOCKED,
					lock ? VMA_LOCKED : 0);
	mutex_unlock(&mm->lock);
	return error == 0 && populate ? fault_in_range(mm, start, start + bytes) : error;
}

bool mm_may_lock_at_all(void)
{
	return may_lock_all() || current->process->limits[RLIMIT_MEMLOCK].soft > 0;
}

long sys_mlock2(uintptr_t start, size_t len, unsigned int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return refuse(EINVAL, "an unknown flag");
	if (!mm_may_lock_at_all())
		return -EPERM;
	return lock_range(start, len, true, !(flags & MLOCK_ONFAULT));
}

long sys_mlock(uintptr_t start, size_t len)
{
	return sys_mlock2(start, len, 0);
}

long sys_munlock(uintptr_t start, size_t len)
{
	return lock_range(start, len, false, false);
}

/* Lock or unlock all of the address space. A mapping without access rights stays without pages. */
static long lock_all(unsigned int set, unsigned int flags)
{
	struct mm *mm = current->mm;
	long error = 0;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	if (set && !may_lock_all() &&
	    count(mm, 0, USER_END, 0) > current->process->limits[RLIMIT_MEMLOCK].soft)
		error = refuse(ENOMEM, "more than RLIMIT_MEMLOCK");
	if (error == 0) {
		mm->lock_future = flags & MCL_FUTURE;
		mm->lock_on_fault = flags & MCL_ONFAULT;
		if (!(flags & MCL_FUTURE) || flags & MCL_CURRENT)
			error = mm_change_flags(mm, 0, USER_END, VMA_LOCKED, set);
	}
	mutex_unlock(&mm->lock);
	return error;
}

long sys_mlockall(unsigned int flags)
{
	struct mm *mm = current->mm;
	uintptr_t va = 0;
	struct vma *vma;
	long error;

	if (flags == 0 || flags == MCL_ONFAULT || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return refuse(EINVAL, "neither MCL_CURRENT nor MCL_FUTURE, or an unknown flag");
	if (!mm_may_lock_at_all())
		return -EPERM;
	error = lock_all(flags & MCL_CURRENT ? VMA_LOCKED : 0, flags);
	if (error < 0 || !(flags & MCL_CURRENT) || flags & MCL_ONFAULT)
		return error;
	do {
		uintptr_t start;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find_next(mm, va);
		if (vma) {
			start = MAX(va, vma->start);
			va = vma->end;
		}
		mutex_unlock(&mm->lock);
		if (vma)
			mm_populate(mm, start, va);
	} while (vma);
	return 0;
}

long sys_munlockall(void)
{
	return lock_all(0, 0);
}
