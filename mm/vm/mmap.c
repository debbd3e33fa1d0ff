/*
 * The system calls that map, unmap and protect memory.
 *
 * 1. The arguments are checked first, without mm->lock. Then the change is made under mm->lock.
 *    Removed VMAs are freed after that lock is released (mm/vm/vm.c).
 * 2. Unknown flags have no effect, except that MAP_SHARED_VALIDATE refuses them. Flags that Linux
 *    takes as mere advice (MAP_ADVICE) are known.
 */
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/file/generic.h"
#include "kernel/process/personality.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

#define PROT_READ      1u
#define PROT_WRITE     2u
#define PROT_EXEC      4u
#define PROT_ALL       7u /* READ, WRITE, EXEC */
#define PROT_GROWSDOWN 0x01000000u
#define PROT_SEM       0x8u /* for atomic operations: all memory is */

#define MAP_SHARED     0x01u
#define MAP_PRIVATE    0x02u
#define MAP_VALIDATE   0x03u /* MAP_SHARED_VALIDATE: only of a file; unknown flags are EOPNOTSUPP */
#define MAP_TYPE       0x0fu
#define MAP_FIXED      0x10u
#define MAP_ANONYMOUS  0x20u
#define MAP_GROWSDOWN  0x100u
#define MAP_ADVICE     0x31840u /* 32BIT, DENYWRITE, EXECUTABLE, NONBLOCK, STACK */
#define MAP_LOCKED     0x2000u
#define MAP_NORESERVE  0x4000u
#define MAP_POPULATE   0x8000u
#define MAP_HUGETLB    0x40000u
#define MAP_NOREPLACE  0x100000u   /* MAP_FIXED_NOREPLACE */
#define MAP_HUGE_SIZE  0xfc000000u /* log2 of a huge page's size, or 0 */
#define MAP_HUGE_2MB   (21u << 26)
#define MAP_KNOWN                                                                         \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_ADVICE | MAP_LOCKED | \
	 MAP_NORESERVE | MAP_POPULATE | MAP_HUGETLB | MAP_NOREPLACE)

/* Nothing to prepare: page faults map the pages of the page cache. */
int generic_file_mmap(struct file *file, struct vma *vma)
{
	return 0;
}

/* ---- mmap ---- */

/* Returns the VMA flags for a mapping, or an error. */
static bool on_noexec(const struct file *file)
{
	return file->path.mount && file->path.mount->flags & MOUNT_NOEXEC;
}

/* Returns the protection that a program gets, which depends on its personality. */
static unsigned int implied(unsigned int prot)
{
	return prot & PROT_READ && current->personality & READ_IMPLIES_EXEC ? prot | PROT_EXEC
									    : prot;
}

static long vma_flags_for(unsigned int prot, unsigned int flags, struct file *file)
{
	unsigned int vma_flags = (file && on_noexec(file) ? prot : implied(prot)) & PROT_ALL;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		vma_flags |= VMA_SHARED;
	if (flags & MAP_HUGETLB)
		vma_flags |= VMA_HUGE;
	if (flags & MAP_GROWSDOWN)
		vma_flags |= VMA_STACK;
	if (flags & MAP_LOCKED)
		vma_flags |= VMA_LOCKED;
	if (!file)
		return vma_flags | VMA_MAY_WRITE;
	if (!file->readable)
		return refuse(EACCES, "the file is not open for reading");
	if (prot & PROT_EXEC && on_noexec(file))
		return refuse(EPERM, "the mount has no programs");
	if (vma_flags & VMA_SHARED && file->writable && inode_only_grows(file->inode))
		return refuse(EACCES, "the file is append-only");
	if (!(vma_flags & VMA_SHARED) || file->writable)
		return vma_flags | VMA_MAY_WRITE;
	if (prot & PROT_WRITE)
		return refuse(EACCES, "the file is not open for writing");
	return vma_flags;
}

static long check_flags(unsigned int flags)
{
	unsigned int type = flags & MAP_TYPE;

	if (type == MAP_VALIDATE && !(flags & MAP_ANONYMOUS)) {
		if (flags & ~MAP_KNOWN)
			return refuse(EOPNOTSUPP, "a flag that is not supported");
	} else if (type != MAP_SHARED && type != MAP_PRIVATE) {
		return refuse(EINVAL, "neither MAP_SHARED nor MAP_PRIVATE");
	}
	if (flags & MAP_HUGETLB) {
		if (flags & MAP_HUGE_SIZE && (flags & MAP_HUGE_SIZE) != MAP_HUGE_2MB)
			return refuse(EINVAL, "huge pages have 2 MiB");
		if (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS))
			return refuse(EINVAL, "huge pages are for private anonymous memory");
	}
	if (flags & MAP_GROWSDOWN &&
	    (flags & (MAP_TYPE | MAP_ANONYMOUS | MAP_HUGETLB)) != (MAP_PRIVATE | MAP_ANONYMOUS))
		return refuse(EINVAL, "only private anonymous memory grows down");
	if (flags & MAP_LOCKED && !mm_may_lock_at_all())
		return -EPERM;
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
		if (flags & MAP_NOREPLACE && !mm_range_free(mm, hint, len))
			return -EEXIST;
		return hint;
	}
	/* A hint in the first page is none. One a little above it means the lowest place. */
	if (hint >= PAGE_SIZE)
		hint = MAX(hint, MMAP_MIN);
	start = mm_find_place(mm, hint, len, align);
	return start ? (long)start : -ENOMEM;
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

/* Make a mapping without its pages. Returns its address or an error. mm->lock is held. */
static long map_locked(struct mm *mm, uintptr_t hint, size_t len, unsigned int flags,
		       unsigned int vma_flags, struct file *file, uint32_t page_offset)
{
	long start = choose_address(mm, hint, len, flags), error;

	if (mm_is_error(start))
		return start;
	if (vma_flags & VMA_LOCKED && !mm_may_lock(mm, len))
		return refuse(EAGAIN, "more than RLIMIT_MEMLOCK");
	if (vma_flags & VMA_HUGE)
		error = map_huge(mm, start, len, vma_flags);
	else
		error = mm_map_locked(mm, start, len, vma_flags, file, page_offset);
	return error ? error : start;
}

static long map(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags,
		struct file *file, uint32_t page_offset)
{
	struct mm *mm = current->mm;
	long vma_flags = vma_flags_for(prot, flags, file), start;

	if (vma_flags < 0)
		return vma_flags;
	if ((vma_flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE && !(flags & MAP_NORESERVE) &&
	    mm_hopeless(len))
		return refuse(ENOMEM, "more than all of the memory");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	if (mm->lock_future)
		vma_flags |= VMA_LOCKED;
	start = map_locked(mm, hint, len, flags, vma_flags, file, page_offset);
	mm_unlock(mm);
	if (mm_is_error(start))
		return start;
	if (flags & (MAP_POPULATE | MAP_LOCKED) || (vma_flags & VMA_LOCKED && !mm->lock_on_fault))
		mm_populate(mm, start, start + len);
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

long mm_map_whole(uintptr_t at, size_t len, unsigned int prot, bool replace, struct file *file)
{
	unsigned int flags = MAP_SHARED;

	if (len > USER_END)
		return -ENOMEM;
	if (at)
		flags |= replace ? MAP_FIXED : MAP_NOREPLACE;
	return map(at, PAGE_ALIGN(len), prot, flags, file, 0);
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
	error = check_flags(flags);
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

/* ---- remap_file_pages ---- */

/*
 * Returns the first part of a shared mapping that covers [start, end), or NULL if there is none.
 * mm->lock is held.
 */
static struct vma *shared_vma(struct mm *mm, uintptr_t start, uintptr_t end)
{
	struct vma *first = mm_find(mm, start), *vma = first;

	if (!first || !first->file || !(first->flags & VMA_SHARED))
		return NULL;
	while (vma->end < end) {
		uintptr_t next = vma->end;

		vma = mm_find(mm, next);
		if (!vma || vma->file != first->file || vma->flags != first->flags)
			return NULL;
	}
	return first;
}

/*
 * Map another part of the file over [start, start + len). Returns 0 or an error. mm->lock is held
 * from the look at the old mapping on, because that may be all that holds the file's System V
 * segment.
 */
static long show_other_part(struct mm *mm, uintptr_t start, size_t len, uint32_t page_offset)
{
	struct vma *vma = shared_vma(mm, start, start + len);
	long vma_flags, result;
	struct file *file;

	if (!vma)
		return refuse(EINVAL, "not a range of one shared mapping");
	file = vma->file;
	vma_flags = vma_flags_for(vma->flags & PROT_ALL, MAP_SHARED, file);
	if (vma_flags < 0)
		return vma_flags;
	vma_flags |= vma->flags & VMA_LOCKED;
	if (mm->lock_future)
		vma_flags |= VMA_LOCKED;
	result = map_locked(mm, start, len, MAP_FIXED, vma_flags, file, page_offset);
	return mm_is_error(result) ? result : 0;
}

/*
 * Let pages of a shared mapping show another part of its file. This is a mapping of its own
 * afterwards.
 */
long sys_remap_file_pages(uintptr_t start, size_t len, unsigned int prot, uint32_t page_offset,
			  unsigned int flags)
{
	struct mm *mm = current->mm;
	long error;

	start &= PAGE_MASK;
	len &= PAGE_MASK;
	if (prot || start + len <= start || page_offset + len / PAGE_SIZE < page_offset)
		return refuse(EINVAL, "a protection, or an impossible range");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	error = show_other_part(mm, start, len, page_offset);
	mm_unlock(mm);
	if (!error)
		mm_populate(mm, start, start + len);
	return error;
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
		if (prot & PROT_EXEC && !(vma->flags & VMA_EXEC) && vma->file &&
		    on_noexec(vma->file))
			return refuse(EACCES, "the mount has no programs");
		if (prot & PROT_WRITE && !(vma->flags & VMA_MAY_WRITE))
			return -EACCES;
		start = vma->end;
	}
	return 0;
}

static int protect(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int prot)
{
	int error = check_range(mm, start, end, prot);

	if (!error)
		error = mm_change_flags(mm, start, end, PROT_ALL, prot);
	if (!error)
		mm_protect_range(mm, start, end, prot);
	return error;
}

/*
 * PROT_GROWSDOWN: let the range begin where the stack begins in which it is. Returns 0 or an error.
 */
static int find_bottom(struct mm *mm, uintptr_t *start, size_t *len)
{
	struct vma *vma = mm_find_next(mm, *start);

	if (!vma || vma->start >= *start + *len)
		return -ENOMEM;
	if (!(vma->flags & VMA_STACK))
		return refuse(EINVAL, "PROT_GROWSDOWN in memory that does not grow down");
	*len += *start - vma->start;
	*start = vma->start;
	return 0;
}

long sys_mprotect(uintptr_t start, size_t len, unsigned int prot)
{
	bool grows_down = prot & PROT_GROWSDOWN;
	struct mm *mm = current->mm;
	int error;

	prot &= ~(PROT_GROWSDOWN | PROT_SEM);
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
	error = grows_down ? find_bottom(mm, &start, &len) : 0;
	if (!error)
		error = protect(mm, start, start + PAGE_ALIGN(len), implied(prot));
	mutex_unlock(&mm->lock);
	return error;
}

/* Move the end of the heap. On failure it stays where it is. mm->lock is held. */
static void move_brk(struct mm *mm, uintptr_t to)
{
	uintptr_t old = PAGE_ALIGN(mm->brk_end), new = PAGE_ALIGN(to);
	unsigned int flags = VMA_READ | VMA_WRITE | VMA_MAY_WRITE;

	if (to < mm->brk_start || to >= USER_END ||
	    to - mm->brk_start > current->process->limits[RLIMIT_DATA].soft)
		return;
	if (mm->lock_future)
		flags |= VMA_LOCKED;
	if (new > old &&
	    (mm_hopeless(new - mm->brk_start) || !mm_range_free(mm, old, new - old + PAGE_SIZE) ||
	     (mm->lock_future && !mm_may_lock(mm, new - old)) ||
	     mm_map_locked(mm, old, new - old, flags, NULL, 0) < 0))
		return;
	if (new < old && mm_unmap_locked(mm, new, old - new) < 0)
		return;
	mm->brk_end = to;
}

long sys_brk(uintptr_t to)
{
	struct mm *mm = current->mm;
	uintptr_t old, result;
	bool populate;

	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	old = mm->brk_end;
	move_brk(mm, to);
	result = mm->brk_end;
	populate = mm->lock_future && !mm->lock_on_fault;
	mm_unlock(mm);
	if (populate && result > old)
		mm_populate(mm, PAGE_ALIGN(old), PAGE_ALIGN(result));
	return result;
}
