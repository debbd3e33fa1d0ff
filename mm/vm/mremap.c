/*
 * mremap: mappings that grow, shrink and move.
 *
 * 1. All checks come first. After them only memory can be missing, and then the old mapping is as
 *    it was, except that VMAs may have been split, and that what lay at a fixed new address is
 *    gone.
 * 2. A mapping moves by its page-table entries. Nothing is copied, and pages that are lent, shared
 *    with a child, or on their way stay what they are.
 * 3. An old length of zero makes a second mapping of the same shared memory.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"
#include "mm/vm/vdso.h"

#define MREMAP_MAYMOVE	 1u
#define MREMAP_FIXED	 2u
#define MREMAP_DONTUNMAP 4u

struct request {
	uintptr_t start, to; /* the second only if flags has MREMAP_FIXED; a hint with DONTUNMAP */
	size_t old_len, new_len; /* whole pages */
	unsigned int flags;
};

/* Huge mappings consist of whole huge pages. Returns 0 or an error. */
static int align_huge(struct request *r)
{
	r->old_len = ALIGN_UP(r->old_len, LARGE_SIZE);
	r->new_len = ALIGN_UP(r->new_len, LARGE_SIZE);
	if (r->start % LARGE_SIZE || (r->flags & MREMAP_FIXED && r->to % LARGE_SIZE))
		return refuse(EINVAL, "a part of a huge page");
	if (r->new_len > r->old_len || r->flags & MREMAP_DONTUNMAP)
		return refuse(EINVAL, "huge pages can only move and shrink");
	return 0;
}

static int check_target(const struct request *r)
{
	if (r->flags & MREMAP_FIXED && r->to % PAGE_SIZE)
		return refuse(EINVAL, "the new address is not page aligned");
	if (r->new_len > USER_END || (r->flags & MREMAP_FIXED && r->to > USER_END - r->new_len))
		return refuse(EINVAL, "the new place is no user memory");
	if (r->flags & MREMAP_FIXED && r->to < MMAP_MIN)
		return refuse(EPERM, "the lowest 64 KiB are not mapped");
	if (r->flags & MREMAP_FIXED && r->start + r->old_len > r->to &&
	    r->to + r->new_len > r->start)
		return refuse(EINVAL, "the old place and the new one overlap");
	return 0;
}

/* Check that the VMA can be had with the new length. Returns 0 or an error. */
static int check_growth(struct mm *mm, const struct vma *vma, const struct request *r)
{
	size_t more = r->flags & MREMAP_DONTUNMAP ? r->new_len : r->new_len - r->old_len;
	uint64_t offset = vma->page_offset + (r->start - vma->start) / PAGE_SIZE;

	if (r->old_len == 0 && !(vma->flags & VMA_SHARED))
		return refuse(EINVAL, "only shared memory can be mapped a second time");
	if (r->flags & MREMAP_DONTUNMAP && vma->flags & VMA_DEVICE)
		return refuse(EINVAL, "device memory cannot be left behind");
	if (r->old_len > vma->end - r->start)
		return refuse(EFAULT, "more than one mapping");
	if (r->new_len > r->old_len) {
		if (vma->file && offset + r->new_len / PAGE_SIZE > UINT32_MAX)
			return refuse(EINVAL, "beyond the largest offset in a file");
		if (vma->flags & VMA_DEVICE)
			return refuse(EFAULT, "device memory cannot grow");
		if (vma->flags & VMA_LOCKED && !mm_may_lock(mm, more))
			return refuse(EAGAIN, "more than RLIMIT_MEMLOCK");
		if ((vma->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE && mm_hopeless(more))
			return refuse(ENOMEM, "more than all of the memory");
	}
	if (r->new_len > r->old_len || r->flags & MREMAP_DONTUNMAP)
		return mm_may_grow(mm, more, vma->flags) ? 0 : -ENOMEM;
	return 0;
}

/*
 * Returns 0 or an error. The VMA ends where the old range does, unless nothing is to be unmapped.
 */
static long move_to(struct mm *mm, const struct request *r, uintptr_t to)
{
	size_t moved = MIN(r->old_len, r->new_len);
	bool unmap = r->old_len && !(r->flags & MREMAP_DONTUNMAP);
	int error = unmap ? mm_split(mm, r->start) : 0;
	struct vma *vma;

	if (error == 0 && unmap)
		error = mm_split(mm, r->start + r->old_len);
	if (error < 0)
		return error;
	vma = mm_insert_copy(mm_find(mm, r->start), r->start, to, r->new_len);
	if (!vma)
		return -ENOMEM;
	if (mm_move_range(mm, r->start, to, moved) < 0) {
		mm_unmap_locked(mm, to, r->new_len); /* cannot fail: it is a VMA of its own */
		return -ENOMEM;
	}
	if (unmap)
		mm_unmap_locked(mm, r->start, r->old_len); /* so is this */
	if (mm->vdso - r->start < r->old_len)
		vdso_move(mm, mm->vdso + to - r->start);
	mm_merge(mm, to + r->new_len);
	mm_merge(mm, to);
	return 0;
}

/* Returns the new address or an error. What lies at a fixed address is unmapped. */
static long move(struct mm *mm, const struct request *r)
{
	size_t align = mm_find(mm, r->start)->flags & VMA_HUGE ? LARGE_SIZE : PAGE_SIZE;
	uintptr_t to = r->to;
	long error = 0;

	if (r->flags & MREMAP_FIXED)
		error = mm_unmap_locked(mm, to, r->new_len);
	else
		to = mm_find_place(mm, r->flags & MREMAP_DONTUNMAP ? to : 0, r->new_len, align);
	if (error == 0 && to == 0)
		error = -ENOMEM;
	if (error == 0)
		error = move_to(mm, r, to);
	return error < 0 ? error : (long)to;
}

/* Grow where it is, if there is room. Returns true if that was possible. */
static bool grow(struct mm *mm, struct vma *vma, const struct request *r)
{
	uintptr_t end = r->start + r->old_len;

	if (vma->end != end || r->new_len > USER_END - r->start ||
	    !mm_range_free(mm, end, r->new_len - r->old_len))
		return false;
	mm_extend(vma, r->start + r->new_len);
	mm_merge(mm, r->start + r->new_len);
	return true;
}

/* Returns the address of the mapping or an error. mm->lock is held. */
static long remap(struct mm *mm, struct request *r)
{
	bool away = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	struct vma *vma = mm_find(mm, r->start);
	int error;

	if (!vma)
		return refuse(EFAULT, "nothing is mapped there");
	error = vma->flags & VMA_HUGE ? align_huge(r) : 0;
	if (error == 0 && away)
		error = check_target(r);
	if (error < 0)
		return error;
	if (r->old_len > r->new_len) {
		size_t less = r->old_len - r->new_len;

		/* What is cut off may belong to several mappings, or to none. */
		if (away && r->new_len > vma->end - r->start)
			return refuse(EFAULT, "more than one mapping");
		error = mm_unmap_locked(mm, r->start + r->new_len, less);
		r->old_len = r->new_len;
		if (error < 0)
			return error;
		vma = mm_find(mm, r->start);
	}
	if (r->old_len == r->new_len && !away)
		return r->start;
	error = check_growth(mm, vma, r);
	if (error < 0)
		return error;
	if (!away && r->old_len && grow(mm, vma, r))
		return r->start;
	if (!(r->flags & MREMAP_MAYMOVE))
		return refuse(ENOMEM, "there is no room to grow");
	return move(mm, r);
}

long sys_mremap(uintptr_t start, size_t old_len, size_t new_len, unsigned int flags, uintptr_t to)
{
	struct request r = { start, to, PAGE_ALIGN(old_len), PAGE_ALIGN(new_len), flags };
	struct mm *mm = current->mm;
	bool locked = false;
	long result;

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return refuse(EINVAL, "an unknown flag");
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return refuse(EINVAL, "the flag needs MREMAP_MAYMOVE");
	if (flags & MREMAP_DONTUNMAP && r.old_len != r.new_len)
		return refuse(EINVAL, "MREMAP_DONTUNMAP with another length");
	if (start % PAGE_SIZE || r.new_len == 0)
		return refuse(EINVAL, "the address is not page aligned, or the new length is zero");
	if (start > USER_END || r.old_len > USER_END - start)
		return refuse(start >= USER_END ? EFAULT : EINVAL, "not a range of user pages");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	result = remap(mm, &r);
	if (!mm_is_error(result))
		locked = mm_find(mm, result)->flags & VMA_LOCKED;
	mm_unlock(mm);
	if (locked)
		mm_populate(mm, result, result + r.new_len);
	return result;
}
