/*
 * The system calls that change an address space's layout.
 *
 * 1. The arguments are checked first, without mm->lock. Then the change is made under mm->lock.
 *    Removed VMAs are freed after that lock is released (mm/vm/vm.c).
 * 2. Flags that Linux accepts as mere advice (MAP_ADVICE, madvise NORMAL to WILLNEED) are accepted
 *    here too. Other unknown flags are refused.
 */
#include "fs/file/file.h"
#include "fs/file/generic.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

#define PROT_READ     1u
#define PROT_WRITE    2u
#define PROT_EXEC     4u
#define PROT_ALL      7u /* READ, WRITE, EXEC */

#define MAP_SHARED    0x01u
#define MAP_PRIVATE   0x02u
#define MAP_VALIDATE  0x03u /* MAP_SHARED_VALIDATE: only of a file; unknown flags are EOPNOTSUPP */
#define MAP_TYPE      0x0fu
#define MAP_FIXED     0x10u
#define MAP_ANONYMOUS 0x20u
#define MAP_ADVICE    0x31840u /* 32BIT, DENYWRITE, EXECUTABLE, NONBLOCK, STACK */
#define MAP_LOCKED    0x2000u
#define MAP_NORESERVE 0x4000u
#define MAP_POPULATE  0x8000u
#define MAP_HUGETLB   0x40000u
#define MAP_NOREPLACE 0x100000u	  /* MAP_FIXED_NOREPLACE */
#define MAP_HUGE_SIZE 0xfc000000u /* log2 of a huge page's size, or 0 */
#define MAP_HUGE_2MB  (21u << 26)
#define MAP_KNOWN                                                                         \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_ADVICE | MAP_LOCKED | MAP_NORESERVE | \
	 MAP_POPULATE | MAP_HUGETLB | MAP_NOREPLACE)
/* Mapped pages are never swapped out, so a locked mapping only needs to have its pages at once. */
#define MAP_AT_ONCE   (MAP_POPULATE | MAP_LOCKED)

#define MADV_NORMAL   0
#define MADV_WILLNEED 3
#define MADV_DONTNEED 4

/* Nothing to prepare: page faults map the pages of the page cache. */
int generic_file_mmap(struct file *file, struct vma *vma)
{
	return 0;
}

static bool range_free(struct mm *mm, uintptr_t start, size_t len)
{
	struct vma *next = mm_find_next(mm, start);

	return !next || next->start >= start + len;
}

/*
 * Writable private memory that is larger than all of RAM can never be filled, so refuse it at once.
 */
static bool hopeless(size_t len)
{
	struct memory_stats stats;

	memory_stats(&stats);
	return len / PAGE_SIZE > stats.total;
}

/* ---- mmap ---- */

/* Returns the VMA flags for a mapping, or an error. */
static long vma_flags_for(unsigned int prot, unsigned int flags, struct file *file)
{
	unsigned int vma_flags = prot & PROT_ALL;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		vma_flags |= VMA_SHARED;
	if (flags & MAP_HUGETLB)
		vma_flags |= VMA_HUGE;
	if (!file)
		return vma_flags | VMA_MAY_WRITE;
	if (!file->readable)
		return refuse(EACCES, "the file is not open for reading");
	if (!(vma_flags & VMA_SHARED) || file->writable)
		return vma_flags | VMA_MAY_WRITE;
	if (prot & PROT_WRITE)
		return refuse(EACCES, "the file is not open for writing");
	return vma_flags;
}

static long check_flags(unsigned int prot, unsigned int flags)
{
	unsigned int type = flags & MAP_TYPE;

	if (type == MAP_VALIDATE && !(flags & MAP_ANONYMOUS)) {
		if (flags & ~MAP_KNOWN)
			return refuse(EOPNOTSUPP, "a flag that is not supported");
	} else if (type != MAP_SHARED && type != MAP_PRIVATE) {
		return refuse(EINVAL, "neither MAP_SHARED nor MAP_PRIVATE");
	}
	if (flags & MAP_HUGETLB) {
		if ((flags & MAP_HUGE_SIZE) == MAP_HUGE_2MB)
			flags &= ~MAP_HUGE_SIZE;
		if (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS))
			return refuse(EINVAL, "huge pages are for private anonymous memory");
	}
	if (flags & ~MAP_KNOWN)
		return refuse(EINVAL, "a flag that is not supported");
	if (prot & ~PROT_ALL)
		return refuse(EINVAL, "a protection bit that is not supported");
	return 0;
}

/* Returns the address for the mapping, or an error if MAP_FIXED cannot be met. mm->lock is held. */
static long choose_address(struct mm *mm, uintptr_t hint, size_t len, unsigned int flags)
{
	size_t align = flags & MAP_HUGETLB ? LARGE_SIZE : PAGE_SIZE;
	uintptr_t start;

	if (flags & (MAP_FIXED | MAP_NOREPLACE)) {
		if (hint % align)
			return refuse(EINVAL, "a fixed address must be page aligned");
		if (hint > USER_END || len > USER_END - hint)
			return -ENOMEM;
		if (hint < MMAP_MIN)
			return refuse(EPERM, "the lowest 64 KiB are not mapped");
		if (flags & MAP_NOREPLACE && !range_free(mm, hint, len))
			return -EEXIST;
		return hint;
	}
	start = ALIGN_UP(hint, align);
	if (start >= MMAP_MIN && start < USER_END && len <= USER_END - start &&
	    range_free(mm, start, len))
		return start;
	start = mm_find_gap(mm, len + align - PAGE_SIZE);
	return start ? (long)ALIGN_UP(start, align) : -ENOMEM;
}

/* An address above 2 GiB is negative as a long too. Only the last 4,095 values are errors. */
static bool is_error(long result)
{
	return (unsigned long)result >= (unsigned long)-MAX_ERRNO;
}

static void drop_pages(struct list *pages)
{
	while (!list_empty(pages)) {
		struct page *page = list_first(pages, struct page, link);

		list_del(&page->link);
		page_put(page);
	}
}

/*
 * Make a huge mapping, which has all its pages at once. They are allocated first, because the
 * mapping may replace an old one, which must stay if the pool is empty. mm->lock is held.
 */
static int map_huge(struct mm *mm, uintptr_t start, size_t len, unsigned int flags)
{
	struct list pages = LIST_INIT(pages);
	int error = 0;

	for (size_t done = 0; !error && done < len; done += LARGE_SIZE) {
		struct page *page = mm_take_huge(mm, start + done);

		if (page)
			list_add_tail(&pages, &page->link);
		else
			error = refuse(ENOMEM, "the pool of huge pages is empty");
	}
	if (!error)
		error = mm_map_locked(mm, start, len, flags, NULL, 0);
	for (size_t done = 0; !error && done < len; done += LARGE_SIZE) {
		struct page *page = list_first(&pages, struct page, link);

		list_del(&page->link);
		mm_put_huge(mm_find(mm, start), start + done, page);
	}
	drop_pages(&pages);
	return error;
}

static long map(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags,
		struct file *file, uint32_t page_offset)
{
	struct mm *mm = current->mm;
	long vma_flags = vma_flags_for(prot, flags, file), start, error;

	if (vma_flags < 0)
		return vma_flags;
	if ((vma_flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE && !(flags & MAP_NORESERVE) &&
	    hopeless(len))
		return refuse(ENOMEM, "more than all of the memory");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	start = choose_address(mm, hint, len, flags);
	if (is_error(start))
		error = start;
	else if (vma_flags & VMA_HUGE)
		error = map_huge(mm, start, len, vma_flags);
	else
		error = mm_map_locked(mm, start, len, vma_flags, file, page_offset);
	mm_unlock(mm);
	if (error)
		return error;
	for (size_t done = 0; flags & MAP_AT_ONCE && done < len; done += PAGE_SIZE) {
		if (mm_fault_in(mm, start + done, prot & PROT_WRITE) < 0)
			break;
	}
	return start;
}

static long map_anonymous(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags)
{
	struct file *file;
	long result;

	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return map(hint, len, prot, flags, NULL, 0);
	file = shared_memory_file(len);
	if (IS_ERR(file))
		return -ENOMEM;
	result = map(hint, len, prot, flags, file, 0);
	file_put(file);
	return result;
}

/* Make a mapping whose arguments have been checked. If file is NULL, the memory is anonymous. */
static long map_checked(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags,
			struct file *file, uint32_t page_offset)
{
	long error;

	if (len == 0)
		return refuse(EINVAL, "the length is zero");
	if (len > USER_END)
		return -ENOMEM;
	len = ALIGN_UP(len, flags & MAP_HUGETLB ? LARGE_SIZE : PAGE_SIZE);
	if (file && page_offset + len / PAGE_SIZE < page_offset)
		return -EOVERFLOW;
	error = check_flags(prot, flags);
	if (error)
		return error;
	return file ? map(hint, len, prot, flags, file, page_offset)
		    : map_anonymous(hint, len, prot, flags);
}

long sys_mmap2(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags, int fd,
	       uint32_t page_offset)
{
	struct fd f;
	long result;

	if (flags & MAP_ANONYMOUS)
		return map_checked(hint, len, prot, flags, NULL, 0);
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	result = map_checked(hint, len, prot, flags, f.file, page_offset);
	fd_put(f);
	return result;
}

/* The oldest form of the call, with its arguments in memory and the offset in bytes. */
long sys_old_mmap(const uint32_t __user *arguments)
{
	uint32_t a[6];

	if (copy_from_user(a, arguments, sizeof(a)))
		return -EFAULT;
	if (a[5] % PAGE_SIZE)
		return refuse(EINVAL, "the offset is not page aligned");
	return sys_mmap2(a[0], a[1], a[2], a[3], a[4], a[5] / PAGE_SIZE);
}

/* ---- munmap, mprotect, brk ---- */

long sys_munmap(uintptr_t start, size_t len)
{
	struct mm *mm = current->mm;
	int error;

	if (start % PAGE_SIZE || len == 0 || start > USER_END || len > USER_END - start)
		return refuse(EINVAL, "not a range of user pages");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	error = mm_unmap_locked(mm, start, PAGE_ALIGN(len));
	mm_unlock(mm);
	return error;
}

/*
 * Check that all of [start, end) is mapped and may have this access. Returns 0, -ENOMEM or -EACCES.
 */
static int check_range(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int prot)
{
	while (start < end) {
		struct vma *vma = mm_find(mm, start);

		if (!vma)
			return -ENOMEM;
		if (prot & PROT_WRITE && !(vma->flags & VMA_MAY_WRITE) && vma->flags & VMA_SHARED)
			return -EACCES;
		start = vma->end;
	}
	return 0;
}

static int protect(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int prot)
{
	int error = check_range(mm, start, end, prot);

	if (!error)
		error = mm_split(mm, start);
	if (!error)
		error = mm_split(mm, end);
	while (!error && start < end) {
		struct vma *vma = mm_find(mm, start);
		uintptr_t next = vma->end;

		vma->flags = (vma->flags & ~PROT_ALL) | prot;
		mm_protect_range(mm, start, next, vma->flags);
		mm_merge(mm, start);
		start = next;
	}
	if (!error)
		mm_merge(mm, end);
	return error;
}

long sys_mprotect(uintptr_t start, size_t len, unsigned int prot)
{
	struct mm *mm = current->mm;
	int error;

	if (prot & ~PROT_ALL)
		return refuse(EINVAL, "a protection bit that is not supported");
	if (start % PAGE_SIZE)
		return refuse(EINVAL, "the address is not page aligned");
	if (len == 0)
		return 0;
	if (start > USER_END || len > USER_END - start)
		return -ENOMEM;
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	error = protect(mm, start, start + PAGE_ALIGN(len), prot);
	mutex_unlock(&mm->lock);
	return error;
}

long mm_map_code(const void *code, size_t len)
{
	long at = map(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	long error;

	if (is_error(at))
		return at;
	error = copy_to_user((void __user *)at, code, len);
	if (!error)
		error = sys_mprotect(at, PAGE_SIZE, PROT_READ | PROT_EXEC);
	if (!error)
		return at;
	sys_munmap(at, PAGE_SIZE);
	return error;
}

/* Move the end of the heap. On failure it stays where it is. mm->lock is held. */
static void move_brk(struct mm *mm, uintptr_t to)
{
	uintptr_t old = PAGE_ALIGN(mm->brk_end), new = PAGE_ALIGN(to);

	if (to < mm->brk_start || to >= USER_END ||
	    to - mm->brk_start > current->process->limits[RLIMIT_DATA].soft)
		return;
	if (new > old &&
	    (hopeless(new - mm->brk_start) || !range_free(mm, old, new - old + PAGE_SIZE) ||
	     mm_map_locked(mm, old, new - old, VMA_READ | VMA_WRITE | VMA_MAY_WRITE, NULL, 0) < 0))
		return;
	if (new < old && mm_unmap_locked(mm, new, old - new) < 0)
		return;
	mm->brk_end = to;
}

long sys_brk(uintptr_t to)
{
	struct mm *mm = current->mm;
	long result;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	move_brk(mm, to);
	result = mm->brk_end;
	mm_unlock(mm);
	return result;
}

/* ---- madvise ---- */

/* Drop the pages of a range. Holes are skipped, and reported as -ENOMEM at the end. */
static int forget_range(struct mm *mm, uintptr_t start, uintptr_t end)
{
	int result = 0;

	while (start < end) {
		struct vma *vma = mm_find_next(mm, start);
		uintptr_t stop;

		if (!vma || vma->start >= end)
			return -ENOMEM;
		if (vma->start > start)
			result = -ENOMEM;
		start = MAX(start, vma->start);
		stop = MIN(end, vma->end);
		if (vma->flags & VMA_HUGE && start % LARGE_SIZE)
			return refuse(EINVAL, "a part of a huge page");
		mm_zap(mm, start, vma->flags & VMA_HUGE ? stop & ~(LARGE_SIZE - 1) : stop);
		start = stop;
	}
	return result;
}

long sys_madvise(uintptr_t start, size_t len, int advice)
{
	struct mm *mm = current->mm;
	int error;

	if (start % PAGE_SIZE || start > USER_END || len > USER_END - start)
		return refuse(EINVAL, "not a range of user pages");
	if (advice >= MADV_NORMAL && advice <= MADV_WILLNEED)
		return 0; /* advice about future use has no effect here */
	if (advice != MADV_DONTNEED)
		return refuse(EINVAL, "advice that is not supported");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	error = forget_range(mm, start, start + PAGE_ALIGN(len));
	mutex_unlock(&mm->lock);
	return error;
}

/*
 * Write what was stored through shared mappings to the disks of their files. All mappings of a file
 * see the same pages anyway, so MS_INVALIDATE has no effect.
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
	if (end < start || PAGE_ALIGN(len) < len)
		return -ENOMEM;
	while (start < end) {
		struct vma *vma;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find_next(mm, start);
		if (!vma || vma->start > start)
			result = -ENOMEM;
		file = NULL;
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
