/*
 * Address spaces and their VMAs.
 *
 * 1. VMAs do not overlap; a red-black tree has them by start. mm->lock guards them; what the rmap
 *    reads of a file's VMA (start, end, page_offset) only shrinks, once the rest has a VMA too.
 * 2. A VMA that is taken out is put on a list of dead ones, and its file is let go after mm->lock:
 *    the last reference of a file may want locks that come before it.
 * 3. A new VMA of a file goes to the end of its mapping's list. fork relies on it: the
 *    rmap visits the old VMA before the new one, so that a page which moves meanwhile is seen in
 *    one of them.
 * 4. A task's CR3 may stay loaded after the task has left: tlb_flush_mm() makes such CPUs let go,
 *    and mm_put() calls it before the tables are freed.
 */
#include "mm/vm.h"
#include "fs/vfs.h"
#include "kernel/init.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/tables.h"

#define MAX_VMAS 65536u

static struct slab_cache *mm_cache, *vma_cache;

static void vm_init(void)
{
	mm_cache = slab_cache_create("mm", sizeof(struct mm), 0);
	vma_cache = slab_cache_create("vma", sizeof(struct vma), 0);
}
INITCALL(1, vm_init);

/* ---- the tree ---- */

struct vma *mm_find_next(struct mm *mm, uintptr_t va)
{
	struct rb_node *node = mm->vmas.node;
	struct vma *found = NULL;

	while (node) {
		struct vma *vma = rb_entry(node, struct vma, node);

		if (va < vma->end) {
			found = vma;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct vma *mm_find(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find_next(mm, va);

	return vma && vma->start <= va ? vma : NULL;
}

static void tree_insert(struct mm *mm, struct vma *vma)
{
	struct rb_node **link = &mm->vmas.node, *parent = NULL;

	while (*link) {
		struct vma *other = rb_entry(*link, struct vma, node);

		parent = *link;
		link = vma->start < other->start ? &parent->left : &parent->right;
	}
	rb_insert(&mm->vmas, &vma->node, parent, link);
	mm->nr_vmas++;
}

static unsigned int vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) / PAGE_SIZE;
}

/* ---- VMAs and their files ---- */

/* The page cache that the VMA shows; NULL: none. */
static struct mapping *vma_mapping(struct vma *vma)
{
	return vma->file && !(vma->flags & VMA_DEVICE) ? &vma->file->inode->mapping : NULL;
}

static void mapping_join(struct vma *vma)
{
	struct mapping *mapping = vma_mapping(vma);

	if (!mapping)
		return;
	spin_lock(&mapping->vma_lock);
	list_add_tail(&mapping->vmas, &vma->mapping_link);
	mapping->nr_mapped++;
	spin_unlock(&mapping->vma_lock);
}

static void mapping_leave(struct vma *vma)
{
	struct mapping *mapping = vma_mapping(vma);

	if (!mapping)
		return;
	spin_lock(&mapping->vma_lock);
	list_del(&vma->mapping_link);
	mapping->nr_mapped--;
	spin_unlock(&mapping->vma_lock);
}

static struct vma *vma_copy(const struct vma *from, struct mm *mm)
{
	struct vma *vma = slab_alloc(vma_cache, 0);

	if (!vma)
		return NULL;
	*vma = *from;
	vma->mm = mm;
	list_init(&vma->mapping_link);
	if (vma->file)
		file_get(vma->file);
	return vma;
}

static void vma_free(struct vma *vma)
{
	if (vma->file)
		file_put(vma->file);
	slab_free(vma_cache, vma);
}

void mm_free_vmas(struct list *dead)
{
	struct vma *vma, *next;

	list_for_each_safe(vma, next, dead, mapping_link) {
		list_del(&vma->mapping_link);
		vma_free(vma);
	}
}

/* Out of the address space, and its pages unmapped: the rmap must find it as long as one is
 * mapped. */
static void vma_remove(struct vma *vma, struct list *dead)
{
	struct mm *mm = vma->mm;

	mm_zap(mm, vma->start, vma->end);
	mapping_leave(vma);
	rb_erase(&mm->vmas, &vma->node);
	mm->nr_vmas--;
	mm->nr_pages -= vma_pages(vma);
	list_add_tail(dead, &vma->mapping_link);
}

int mm_split(struct mm *mm, uintptr_t va)
{
	struct vma *vma = mm_find(mm, va), *upper;

	if (!vma || vma->start == va)
		return 0;
	if (vma->flags & VMA_HUGE && va % LARGE_SIZE)
		return refuse(EINVAL, "a part of a huge page");
	if (mm->nr_vmas >= MAX_VMAS)
		return -ENOMEM;
	upper = vma_copy(vma, mm);
	if (!upper)
		return -ENOMEM;
	upper->start = va;
	upper->page_offset += (va - vma->start) / PAGE_SIZE;
	/* The rmap finds a page by both of them meanwhile, which does no harm. */
	mapping_join(upper);
	vma->end = va;
	tree_insert(mm, upper);
	return 0;
}

void mm_merge(struct mm *mm, uintptr_t va)
{
	struct vma *upper = mm_find(mm, va), *lower;
	struct rb_node *before;

	if (!upper || upper->start != va || upper->file)
		return;
	before = rb_prev(&upper->node);
	if (!before)
		return;
	lower = rb_entry(before, struct vma, node);
	if (lower->file || lower->end != va || lower->flags != upper->flags ||
	    lower->flags & VMA_STACK)
		return;
	lower->end = upper->end;
	rb_erase(&mm->vmas, &upper->node);
	mm->nr_vmas--;
	slab_free(vma_cache, upper);
}

/* ---- mapping and unmapping ---- */

uintptr_t mm_find_gap(struct mm *mm, size_t len)
{
	uintptr_t top = MMAP_TOP;
	struct vma *above = mm_find_next(mm, top - 1);
	struct rb_node *node = above ? &above->node : rb_last(&mm->vmas);

	for (; node; node = rb_prev(node)) {
		struct vma *vma = rb_entry(node, struct vma, node);

		if (vma->end <= top && top - vma->end >= len)
			break;
		top = MIN(top, vma->start);
	}
	return top >= len && top - len >= MMAP_MIN ? top - len : 0;
}

bool mm_may_grow(struct mm *mm, size_t len)
{
	uint64_t bytes = (uint64_t)mm->nr_pages * PAGE_SIZE + len;

	return mm != current->mm || bytes <= current->process->limits[RLIMIT_AS].soft;
}

int mm_unmap_locked(struct mm *mm, uintptr_t start, size_t len, struct list *dead)
{
	uintptr_t end = start + len;
	struct vma *vma;
	int error;

	error = mm_split(mm, start);
	if (!error)
		error = mm_split(mm, end);
	if (error)
		return error;
	while ((vma = mm_find_next(mm, start)) != NULL && vma->start < end)
		vma_remove(vma, dead);
	return 0;
}

int mm_map_locked(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
		  uint32_t page_offset, struct list *dead)
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

	if (!mm_may_grow(mm, len) || mm->nr_vmas >= MAX_VMAS)
		return -ENOMEM;
	vma = vma_copy(&model, mm);
	if (!vma)
		return -ENOMEM;
	/* It may make the VMA device memory. */
	if (file)
		error = file->ops->mmap ? file->ops->mmap(file, vma) : -ENODEV;
	if (!error && mm_unmap_locked(mm, start, len, dead) < 0)
		error = -ENOMEM;
	if (error) {
		list_add_tail(dead, &vma->mapping_link);
		return error;
	}
	tree_insert(mm, vma);
	mm->nr_pages += vma_pages(vma);
	mapping_join(vma);
	mm_merge(mm, start + len);
	mm_merge(mm, start);
	return 0;
}

int mm_map(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
	   uint32_t page_offset)
{
	struct list dead = LIST_INIT(dead);
	int error;

	if (start % PAGE_SIZE || len % PAGE_SIZE || !len || start >= USER_END ||
	    len > USER_END - start)
		return -EINVAL;
	mutex_lock(&mm->lock);
	error = mm_map_locked(mm, start, len, flags, file, page_offset, &dead);
	mutex_unlock(&mm->lock);
	mm_free_vmas(&dead);
	return error;
}

/* ---- life ---- */

struct mm *mm_create(void)
{
	struct mm *mm = slab_alloc(mm_cache, ALLOC_ZERO);

	if (!mm)
		return NULL;
	atomic_set(&mm->users, 1);
	mutex_init(&mm->lock, "mm");
	spin_init(&mm->table_lock, "page tables");
	if (mm_tables_create(mm) < 0) {
		slab_free(mm_cache, mm);
		return NULL;
	}
	return mm;
}

static int fork_vma(struct mm *to, struct vma *from)
{
	struct vma *vma = vma_copy(from, to);

	if (!vma)
		return -ENOMEM;
	tree_insert(to, vma);
	to->nr_pages += vma_pages(vma);
	mapping_join(vma);
	/* Shared memory comes back by page faults; only private memory has pages that are
	 * nowhere else. */
	if (vma->flags & (VMA_SHARED | VMA_DEVICE))
		return 0;
	return mm_share_range(to, from->mm, vma->start, vma->end);
}

struct mm *mm_fork(struct mm *from)
{
	struct mm *to = mm_create();
	int error = 0;

	if (!to)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&from->lock);
	to->brk_start = from->brk_start;
	to->brk_end = from->brk_end;
	to->stack_top = from->stack_top;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	for (struct rb_node *node = rb_first(&from->vmas); node && !error; node = rb_next(node))
		error = fork_vma(to, rb_entry(node, struct vma, node));
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
	struct list dead = LIST_INIT(dead);
	struct rb_node *node;

	if (!atomic_dec_and_test(&mm->users))
		return;
	tlb_flush_mm(mm);
	mutex_lock(&mm->lock);
	while ((node = rb_last(&mm->vmas)) != NULL)
		vma_remove(rb_entry(node, struct vma, node), &dead);
	mutex_unlock(&mm->lock);
	mm_free_vmas(&dead);
	mm_tables_free(mm);
	slab_free(mm_cache, mm);
}

void mm_switch(struct mm *mm)
{
	unsigned int flags;
	struct cpu *cpu;
	struct mm *old;

	if (!mm)
		return;
	flags = irq_save();
	cpu = this_cpu();
	old = cpu->mm;
	if (old != mm) {
		/* The bit is set before the tables are read: who changes them either sees it, or
		 * came first. */
		set_bits((unsigned int *)&mm->loaded_on, 1u << cpu->id);
		cpu->mm = mm;
		write_cr3(mm->cr3);
		if (old)
			clear_bits((unsigned int *)&old->loaded_on, 1u << cpu->id);
	}
	irq_restore(flags);
}
