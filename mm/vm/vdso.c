/*
 * Mapping the vDSO. See mm/vm/vdso.h for the contract.
 *
 * Each of the two pages is a file without a name, which is filled at boot. So faults, fork, mremap
 * and debuggers treat it like a page of any other file, and no page is copied before somebody
 * writes to it. The kernel changes the figures when it sets the clock.
 */
#include "mm/vm/vdso.h"
#include "fs/cache/pagecache.h"
#include "fs/file/generic.h"
#include "fs/file/open_file.h"
#include "kernel/init.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "kernel/vdso_clock.h"
#include "kernel/vdso_symbols.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

#define NOP 0x90

extern char vdso_image[PAGE_SIZE]; /* mm/vm/vdso_image.asm */

static struct file *clock_file, *code_file;

static int begin_write(struct mapping *mapping, struct page *page, unsigned int from,
		       unsigned int to)
{
	return 0; /* the page is there, and no program can write to it */
}

static const struct mapping_ops vdso_mapping_ops = { .begin_write = begin_write,
						     .has_store = false };

static const struct file_ops vdso_file_ops = {
	.mmap = generic_file_mmap,
};

/* Make the only page of a file. */
static bool add_page(struct mapping *mapping, const void *bytes, size_t len)
{
	bool fresh;
	struct page *page = mapping_find_or_add(mapping, 0, &fresh);
	char *to;

	if (IS_ERR(page))
		return false;
	to = kmap_local(page);
	memset(to, 0, PAGE_SIZE);
	memcpy(to, bytes, len);
	kunmap_local(to);
	set_bits(&page->flags, PG_UPTODATE);
	page_unlock(page);
	page_put(page);
	return true;
}

static struct file *make_file(const char *name, const void *bytes, size_t len)
{
	struct inode *inode = inode_anonymous(S_IFREG | 0400, name);
	struct file *file;

	if (IS_ERR(inode))
		cannot_start("too little memory for the vDSO");
	inode_set_size(inode, PAGE_SIZE);
	mapping_init(&inode->mapping, inode, &vdso_mapping_ops);
	file = file_alloc(inode, &vdso_file_ops, O_RDONLY);
	if (IS_ERR(file) || !add_page(&file->inode->mapping, bytes, len))
		cannot_start("too little memory for the vDSO");
	return file;
}

static void vdso_init(void)
{
	struct vdso_clock clock = time_for_programs();

	if (!cpu_has.lfence)
		clock.raw_scale = 0;
	/* Then the `int` that follows makes the call, and finds the argument in ebp. */
	if (!cpu_has.sysenter)
		memset(vdso_image + VDSO_VSYSCALL_FAST, NOP,
		       VDSO_VSYSCALL_INT - VDSO_VSYSCALL_FAST);
	clock_file = make_file("[vvar]", &clock, sizeof(clock));
	code_file = make_file("[vdso]", vdso_image, PAGE_SIZE);
}
INITCALL(3, vdso_init);

static struct page *changing; /* the page between begin and end; guarded by change_lock */
static struct mutex change_lock = MUTEX_INIT(change_lock);

struct vdso_clock *vdso_clock_begin(void)
{
	struct page *page;
	int error = mutex_lock_killable(&change_lock);

	if (error)
		return ERR_PTR(error);
	page = page_begin_write(&clock_file->inode->mapping, 0, 0, sizeof(struct vdso_clock));
	if (IS_ERR(page)) {
		mutex_unlock(&change_lock);
		return ERR_PTR(PTR_ERR(page));
	}
	changing = page;
	return kmap_local(page);
}

void vdso_clock_end(struct vdso_clock *clock)
{
	kunmap_local(clock);
	page_end_write(changing);
	mutex_unlock(&change_lock);
}

//BOOK: vdso-map
int vdso_map(struct mm *mm, uintptr_t at)
{
	int error = mm_map(mm, at, PAGE_SIZE, VMA_READ, clock_file, 0);

	if (error == 0)
		error = mm_map(mm, at + PAGE_SIZE, PAGE_SIZE, VMA_READ | VMA_EXEC | VMA_MAY_WRITE,
			       code_file, 0);
	mm->vdso = at + PAGE_SIZE;
	return error;
}

void vdso_set_return(struct task *task)
{
	lockdep_held(&tasks_lock);
	task_stack_top(task)->fast_return = task->mm->vdso + VDSO_VSYSCALL_RETURN;
}

void vdso_move(struct mm *mm, uintptr_t at)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process;
	struct task *task;

	mm->vdso = at;
	list_for_each(process, &all_processes, all_link)
		list_for_each(task, &process->threads, thread_link)
			if (task->mm == mm)
				vdso_set_return(task);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

const char *vdso_name(const struct vma *vma)
{
	return vma->file && (vma->file == clock_file || vma->file == code_file)
		       ? vma->file->inode->kind
		       : NULL;
}
