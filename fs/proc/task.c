/*
 * The files of a process in /proc/PID that are about its memory.
 *
 * 1. A process without an address space (a zombie) has no maps and an empty command line.
 * 2. maps is printed with mm->lock held, under which the names of files are looked up.
 */
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "fs/proc/proc_internal.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"
#include "mm/vm/vdso.h"

struct mm *process_mm(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct mm *mm = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (!mm)
			mm = task->mm;
	if (mm)
		mm_get(mm);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return mm;
}

struct file *process_program(struct process *process)
{
	struct mm *mm = process_mm(process);
	struct file *file = NULL;

	if (!mm)
		return NULL;
	file = mm->program;
	if (file)
		file_get(file);
	mm_put(mm);
	return file;
}

/*
 * Make the page at `va` present and return it with a reference. Returns NULL if it cannot be read,
 * or if it is a zero page or device memory.
 */
static struct page *mm_page(struct mm *mm, uintptr_t va)
{
	struct page *page = NULL;
	pte_t *entry;

	if (mm_fault_in(mm, va, false) < 0 || mutex_lock_killable(&mm->lock) < 0)
		return NULL;
	spin_lock(&mm->table_lock);
	entry = mm_pte(mm, va);
	if (entry && *entry & PTE_PRESENT && !(*entry & PTE_SPECIAL)) {
		page = pte_page(*entry, va);
		if (!page_get(page))
			page = NULL;
	}
	spin_unlock(&mm->table_lock);
	mutex_unlock(&mm->lock);
	return page;
}

/* Copy bytes of another address space from `at` to `end`, as far as they can be read. */
static void show_bytes(struct text *text, struct mm *mm, uintptr_t at, uintptr_t end)
{
	struct page *page;
	char *address;

	while (at < end && (page = mm_page(mm, at)) != NULL) {
		unsigned int offset = at & (PAGE_SIZE - 1);
		size_t room = text->size - text->len;
		size_t n = MIN(MIN(PAGE_SIZE - offset, end - at), room);

		address = kmap_local(page);
		memcpy(text->buf + text->len, address + offset, n);
		kunmap_local(address);
		page_put(page);
		text->len += n;
		at += n;
		text->full = n == room;
		if (text->full)
			break;
	}
}

static int show_cmdline(struct process *process, unsigned int number, struct text *text)
{
	struct mm *mm = process_mm(process);

	if (!mm)
		return 0;
	show_bytes(text, mm, mm->arg_start, mm->arg_end);
	mm_put(mm);
	return 0;
}
PROC_ENTRY(pid_cmdline, .path = "/pid/cmdline", .mode = 0444, .show_process = show_cmdline);
PROC_ENTRY(task_cmdline, .path = "/pid/task/N/cmdline", .mode = 0444, .show_process = show_cmdline);

static int show_environ(struct process *process, unsigned int number, struct text *text)
{
	struct mm *mm = process_mm(process);

	if (!mm)
		return 0;
	show_bytes(text, mm, mm->env_start, mm->env_end);
	mm_put(mm);
	return 0;
}
PROC_ENTRY(pid_environ, .path = "/pid/environ", .mode = 0400, .show_process = show_environ);
PROC_ENTRY(task_environ, .path = "/pid/task/N/environ", .mode = 0400, .show_process = show_environ);

static int show_auxv(struct process *process, unsigned int number, struct text *text)
{
	struct mm *mm = process_mm(process);

	if (!mm)
		return 0;
	show_bytes(text, mm, mm->aux_start, mm->aux_end);
	mm_put(mm);
	return 0;
}
PROC_ENTRY(pid_auxv, .path = "/pid/auxv", .mode = 0400, .show_process = show_auxv);
PROC_ENTRY(task_auxv, .path = "/pid/task/N/auxv", .mode = 0400, .show_process = show_auxv);

static const char *area_name(const struct mm *mm, const struct vma *vma, char *buf)
{
	if (vdso_name(vma))
		return vdso_name(vma);
	if (vma->file)
		return file_text(vma->file, buf, PATH_MAX);
	if (vma->flags & VMA_STACK && vma->end == mm->stack_top)
		return "[stack]";
	return vma->start < mm->brk_end && vma->end > mm->brk_start ? "[heap]" : "";
}

void proc_show_area(struct text *text, struct mm *mm, const struct vma *vma, char *buf)
{
	const struct inode *inode = vma->file && !vdso_name(vma) ? vma->file->inode : NULL;
	unsigned int device = inode ? inode->sb->dev : 0;
	const char *name = area_name(mm, vma, buf);
	size_t start = text->len;

	text_printf(text, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu", (unsigned long)vma->start,
		    (unsigned long)vma->end, vma->flags & VMA_READ ? 'r' : '-',
		    vma->flags & VMA_WRITE ? 'w' : '-', vma->flags & VMA_EXEC ? 'x' : '-',
		    vma->flags & VMA_SHARED ? 's' : 'p',
		    (unsigned long long)vma->page_offset << PAGE_SHIFT, MAJOR(device),
		    MINOR(device), inode ? (unsigned long long)inode->number : 0ull);
	text_printf(text, "%*s%s\n", MAX(1, 73 - (int)(text->len - start)), "",
		    IS_ERR(name) ? "" : name);
}

/* Returns false if the area does not fit: if there are others, it begins the next part. */
static bool show_whole_area(struct text *text, struct mm *mm, struct vma *vma, char *buf,
			    show_area_function *show)
{
	size_t before = text->len;

	show(text, mm, vma, buf);
	if (!text->full)
		return true;
	if (before > 0) {
		text->len = before;
		text->full = false;
		text->more = true;
		text->next = vma->start;
	}
	return false;
}

int proc_show_areas(struct process *process, struct text *text, show_area_function *show)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct mm *mm = process_mm(process);

	if (mm && buf && mutex_lock_killable(&mm->lock) == 0) {
		struct vma *vma = mm_find_next(mm, text->next);

		while (vma && show_whole_area(text, mm, vma, buf, show))
			vma = mm_find_next(mm, vma->end);
		mutex_unlock(&mm->lock);
	}
	if (mm)
		mm_put(mm);
	kfree(buf);
	return buf ? 0 : -ENOMEM;
}

static int show_maps(struct process *process, unsigned int number, struct text *text)
{
	return proc_show_areas(process, text, proc_show_area);
}
PROC_ENTRY(pid_maps, .path = "/pid/maps", .mode = 0400, .show_process = show_maps);
PROC_ENTRY(task_maps, .path = "/pid/task/N/maps", .mode = 0400, .show_process = show_maps);
