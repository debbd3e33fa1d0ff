/*
 * Address spaces and their VMAs.
 *
 * 1. VMAs do not overlap, and are in a tree by their ends. mm->lock guards them. The reverse
 *    mapping reads `start`, `end` and `page_offset` of a file's VMA without it. So a VMA only
 *    shrinks after another VMA covers the rest.
 * 2. A removed VMA goes to mm->dead, and its file is put after mm->lock is released, because the
 *    last file_put() may take locks that come before mm->lock.
 * 3. A new VMA of a file goes to the end of its mapping's list. fork relies on that: the reverse
 *    mapping visits the old VMA before the new one, so it finds a page that is being shared in one
 *    of the two.
 * 4. A CPU may keep an address space in CR3 after its task has left. mm_put() calls tlb_flush_mm(),
 *    which makes such CPUs load another one, before it frees the tables.
 */
#include "mm/vm/vm.h"
#include "fs/file/open_file.h"
#include "fs/names/times.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"

#define MAX_VMAS 65536u

SLAB_CACHE(mm_cache, "mm", struct mm, 0);
SLAB_CACHE(vma_cache, "vma", struct vma, 0);

/* ---- the tree ---- */

static struct vma *vma_of(struct tree_node *node)
{
	return node ? container_of(node, struct vma, node) : NULL;
}

struct vma *mm_find_next(struct mm *mm, uintptr_t va)
{
	return vma_of(tree_above(mm->vmas, va));
}

struct vma *mm_find_previous(struct mm *mm, uintptr_t va)
{
	return vma_of(tree_below(mm->vmas, va));
}

struct vma *mm_find(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find_next(mm, va);

	return vma && vma->start <= va ? vma : NULL;
}

/* ---- VMAs and their files; each is in both the tree and its file's list ---- */

/*
 * Is the VMA one that its file's mapping must know? Anonymous memory and devices need not be found.
 */
static bool is_listed(const struct vma *vma)
{
	return vma->file && !(vma->flags & VMA_DEVICE);
}

/*
 * Add a VMA to the list of its file's mapping. Returns 0, or -EPERM if a seal forbids it. The seal
 * is looked at under the lock that mapping_seal() sets it with, so a VMA is either refused here, or
 * seen there.
 */
static int mapping_join(struct vma *vma)
{
	struct mapping *mapping = &vma->file->inode->mapping;
	bool refused;

	spin_lock(&mapping->vma_lock);
	refused = mapping->sealed && vma_can_write_file(vma);
	if (!refused)
		list_add_tail(&mapping->vmas, &vma->mapping_link);
	spin_unlock(&mapping->vma_lock);
	return refused ? -EPERM : 0;
}

static void mapping_leave(struct vma *vma)
{
	struct mapping *mapping = &vma->file->inode->mapping;

	spin_lock(&mapping->vma_lock);
	list_del(&vma->mapping_link);
	spin_unlock(&mapping->vma_lock);
}

void mm_count_size(struct mm *mm, long bytes)
{
	mm->size += bytes;
	mm->peak_size = MAX(mm->peak_size, mm->size);
}

/* The VMA is in the list of its file's mapping, if it needs to be. */
static void vma_insert_listed(struct vma *vma)
{
	tree_insert(&vma->mm->vmas, &vma->node);
	vma->mm->nr_vmas++;
	mm_count_size(vma->mm, vma->end - vma->start);
}

/* For a part or a copy of a VMA that is in the list. No seal has been set since that joined. */
static void vma_insert(struct vma *vma)
{
	vma_insert_listed(vma);
	if (is_listed(vma))
		mapping_join(vma);
}

/* A VMA holds its file. */
static void vma_get_file(struct vma *vma)
{
	if (!vma->file)
		return;
	file_get(vma->file);
	if (vma->file->ops->attached)
		vma->file->ops->attached(vma->file);
}

static void vma_put_file(struct vma *vma)
{
	if (!vma->file)
		return;
	if (vma->file->ops->detached)
		vma->file->ops->detached(vma->file);
	file_put(vma->file);
}

static struct vma *vma_copy(const struct vma *from, struct mm *mm)
{
	struct vma *vma = mm->nr_vmas < MAX_VMAS ? slab_alloc(vma_cache, 0) : NULL;

	if (!vma)
		return NULL;
	*vma = *from;
	vma->mm = mm;
	list_init(&vma->mapping_link);
	vma_get_file(vma);
	return vma;
}

void mm_unlock(struct mm *mm)
{
	struct list dead = LIST_INIT(dead);
	struct vma *vma, *next;

	list_splice_tail(&dead, &mm->dead);
	mutex_unlock(&mm->lock);
	list_for_each_safe(vma, next, &dead, mapping_link) {
		vma_put_file(vma);
		slab_free(vma_cache, vma);
	}
}

/*
 * Remove the VMA from the address space, and unmap its pages. That comes first, because the reverse
 * mapping must find the VMA as long as one of its pages is mapped.
 */
static void vma_remove(struct vma *vma)
{
	struct mm *mm = vma->mm;

	mm_zap(mm, vma->start, vma->end);
	if (is_listed(vma))
		mapping_leave(vma);
	tree_remove(&mm->vmas, &vma->node);
	mm->nr_vmas--;
	mm_count_size(mm, -(long)(vma->end - vma->start));
	mm->full_from = MAX(mm->full_from, MIN(vma->end, mm->mmap_top));
	list_add_tail(&mm->dead, &vma->mapping_link);
}

int mm_split(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find(mm, va), *upper;

	if (!vma || vma->start == va)
		return 0;
	if (vma->flags & VMA_HUGE && va % LARGE_SIZE)
		return refuse(EINVAL, "a part of a huge page");
	upper = vma_copy(vma, mm);
	if (!upper)
		return -ENOMEM;
	upper->start = va;
	upper->page_offset += (va - vma->start) / PAGE_SIZE;
	mm->size -= vma->end - va; /* vma_insert() adds it again */
	/*
	 * The upper VMA goes behind the one with the same end. For a moment the reverse mapping
	 * finds a page through both, which does no harm.
	 */
	vma_insert(upper);
	vma->end = va;
	return 0;
}

void mm_merge(struct mm *mm, uintptr_t va)
{
	struct vma *upper = mm_find(mm, va), *lower;

	if (!upper || upper->start != va || upper->file)
		return;
	lower = mm_find_previous(mm, upper->end);
	if (!lower || lower->file || lower->end != va || lower->flags != upper->flags ||
	    lower->flags & VMA_STACK)
		return;
	tree_remove(&mm->vmas, &upper->node);
	mm->nr_vmas--;
	lower->end = upper->end;
	slab_free(vma_cache, upper);
}

struct vma *mm_insert_copy(const struct vma *from, uintptr_t va, uintptr_t start, size_t len)
{
	struct vma *vma = vma_copy(from, from->mm);

	if (!vma)
		return NULL;
	vma->start = start;
	vma->end = start + len;
	vma->page_offset += (va - from->start) / PAGE_SIZE;
	vma_insert(vma);
	return vma;
}

/* The VMAs stay in their order, because nothing is mapped up to the new end. */
void mm_extend(struct vma *vma, uintptr_t end)
{
	mm_count_size(vma->mm, end - vma->end);
	vma->end = end;
}

int mm_change_flags(struct mm *mm, uintptr_t start, uintptr_t end, unsigned int clear,
		    unsigned int set)
{
	int error = mm_split(mm, start);
	struct vma *vma;

	if (!error)
		error = mm_split(mm, end);
	while (!error && (vma = mm_find_next(mm, start)) != NULL && vma->start < end) {
		uintptr_t first = vma->start;

		start = vma->end;
		vma->flags = (vma->flags & ~clear) | set;
		mm_merge(mm, first);
	}
	if (!error)
		mm_merge(mm, end);
	return error;
}

/* ---- mapping and unmapping ---- */

bool mm_range_free(struct mm *mm, uintptr_t start, size_t len)
{
	struct vma *next = mm_find_next(mm, start);

	return !next || next->start >= start + len;
}

uintptr_t mm_find_gap(struct mm *mm, size_t len)
{
	uintptr_t top = mm->full_from;
	struct vma *vma = mm_find_next(mm, top - 1);

	if (!vma)
		vma = mm_find_previous(mm, top);
	for (; vma; vma = mm_find_previous(mm, vma->end)) {
		if (vma->end <= top && top - vma->end >= len)
			break;
		if (vma->end >= top && mm->full_from == top)
			mm->full_from = MIN(top, vma->start);
		top = MIN(top, vma->start);
	}
	return top >= len && top - len >= MMAP_MIN ? top - len : 0;
}

uintptr_t mm_find_place(struct mm *mm, uintptr_t hint, size_t len, size_t align)
{
	uintptr_t start = ALIGN_UP(hint, align);

	if (start < MMAP_MIN || start >= USER_END || len > USER_END - start ||
	    !mm_range_free(mm, start, len))
		start = ALIGN_UP(mm_find_gap(mm, len + align - PAGE_SIZE), align);
	return start;
}

bool mm_hopeless(size_t len)
{
	struct memory_stats stats;

	memory_stats(&stats);
	return len / PAGE_SIZE > stats.total;
}

/*
 * Are these the flags of what RLIMIT_DATA counts: private memory that can be written, but no stack?
 */
static bool is_data(unsigned int vma_flags)
{
	return (vma_flags & (VMA_WRITE | VMA_SHARED | VMA_STACK)) == VMA_WRITE;
}

/* Bytes of data in all VMAs. mm->lock is held. */
static uintptr_t data_size(struct mm *mm)
{
	uintptr_t size = 0;

	for (struct vma *vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
		size += is_data(vma->flags) ? vma->end - vma->start : 0;
	return size;
}

bool mm_may_grow(struct mm *mm, size_t len, unsigned int vma_flags)
{
	uint64_t all, data;

	if (mm != current->mm)
		return true;
	all = current->process->limits[RLIMIT_AS].soft;
	data = current->process->limits[RLIMIT_DATA].soft;
	if ((uint64_t)mm->size + len > all)
		return false;
	return !is_data(vma_flags) || data == RLIM_INFINITY ||
	       (uint64_t)data_size(mm) + len <= data;
}

int mm_unmap_locked(struct mm *mm, uintptr_t start, size_t len)
{
	uintptr_t end = start + len;
	struct vma *vma;
	int error;

	vma = mm_find_next(mm, start);
	if (!vma || vma->start >= end)
		return 0;
	error = mm_split(mm, start);
	if (!error)
		error = mm_split(mm, end);
	if (error)
		return error;
	while ((vma = mm_find_next(mm, start)) != NULL && vma->start < end)
		vma_remove(vma);
	return 0;
}

int mm_map_locked(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
		  uint32_t page_offset)
{
	struct vma model = {
		.start = start,
		.end = start + len,
		.flags = flags,
		.file = file,
		.page_offset = page_offset,
	};
	struct vma *vma;
	int error = 0;

	if (!mm_may_grow(mm, len, flags))
		return -ENOMEM;
	vma = vma_copy(&model, mm);
	if (!vma)
		return -ENOMEM;
	/* The mmap operation may turn the VMA into device memory. */
	if (file)
		error = file->ops->mmap ? file->ops->mmap(file, vma) : -ENODEV;
	if (file && !error && S_ISREG(file->inode->mode))
		file_accessed(file);
	/* Before anything is unmapped, because a seal may refuse it. It maps no page yet. */
	if (!error && is_listed(vma))
		error = mapping_join(vma);
	if (!error && mm_unmap_locked(mm, start, len) < 0) {
		if (is_listed(vma))
			mapping_leave(vma);
		error = -ENOMEM;
	}
	if (error) {
		list_add_tail(&mm->dead, &vma->mapping_link);
		return error;
	}
	vma_insert_listed(vma);
	if (!file) {
		mm_merge(mm, start + len);
		mm_merge(mm, start);
	}
	return 0;
}

int mm_map(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
	   uint32_t page_offset)
{
	int error;

	if (start % PAGE_SIZE || len % PAGE_SIZE || !len || start >= USER_END ||
	    len > USER_END - start)
		return refuse(EINVAL, "not a range of user pages");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -EINTR;
	error = mm_map_locked(mm, start, len, flags, file, page_offset);
	mm_unlock(mm);
	return error;
}

/* ---- life ---- */

struct mm *mm_create(void)
{
	struct mm *mm = slab_alloc(mm_cache, ALLOC_ZERO);

	if (!mm)
		return NULL;
	atomic_set(&mm->users, 1);
	mm->mmap_top = mm->full_from = MMAP_TOP;
	mutex_init(&mm->lock, "mm");
	list_init(&mm->dead);
	list_init(&mm->tables);
	spin_init(&mm->table_lock, "page tables");
	if (mm_tables_create(mm) < 0) {
		slab_free(mm_cache, mm);
		return NULL;
	}
	return mm;
}

int mm_set_program(struct mm *mm, struct file *file)
{
	int error = inode_begin_running(file->inode);

	if (error)
		return error;
	file_get(file);
	mm->program = file;
	return 0;
}

static int fork_vma(struct mm *to, struct vma *from)
{
	struct vma *vma;

	if (from->flags & VMA_DONTFORK)
		return 0;
	vma = vma_copy(from, to);
	if (!vma)
		return -ENOMEM;
	vma->flags &= ~VMA_LOCKED;
	vma_insert(vma);
	/*
	 * Page faults bring shared memory back. Only private memory has pages that exist nowhere
	 * else.
	 */
	if (vma->flags & (VMA_SHARED | VMA_DEVICE | VMA_WIPEONFORK))
		return 0;
	return mm_share_range(to, from->mm, vma->start, vma->end);
}

struct mm *mm_fork(struct mm *from)
{
	struct mm *to = mm_create();
	struct vma *vma;
	int error = 0;

	if (!to)
		return ERR_PTR(-ENOMEM);
	if (from->program)
		mm_set_program(to, from->program); /* cannot fail: the program runs already */
	if (mutex_lock_killable(&from->lock) < 0) {
		mm_put(to);
		return ERR_PTR(-EINTR);
	}
	to->mmap_top = to->full_from = from->mmap_top;
	to->brk_start = from->brk_start;
	to->brk_end = from->brk_end;
	to->stack_top = from->stack_top;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->aux_start = from->aux_start;
	to->aux_end = from->aux_end;
	to->vdso = from->vdso;
	to->barriers = from->barriers;
	for (vma = mm_find_next(from, 0); vma && !error; vma = mm_find_next(from, vma->end))
		error = fork_vma(to, vma);
	tlb_flush_mm(from);
	mutex_unlock(&from->lock);
	if (error) {
		mm_put(to);
		return ERR_PTR(error);
	}
	return to;
}

void mm_get(struct mm *mm)
{
	atomic_inc(&mm->users);
}

void mm_put(struct mm *mm)
{
	struct vma *vma;

	if (!atomic_dec_and_test(&mm->users))
		return;
	tlb_flush_mm(mm);
	mutex_lock(&mm->lock); /* only for the assertions: no other task uses it */
	while ((vma = mm_find_next(mm, 0)) != NULL)
		vma_remove(vma);
	mm_unlock(mm);
	if (mm->program) {
		inode_end_running(mm->program->inode);
		file_put(mm->program);
	}
	mm_tables_free(mm);
	slab_free(mm_cache, mm);
}
