/*
 * The files of a process in /proc/PID.
 *
 * 1. tasks_lock is held while fields of a process are read and printed. Its memory is counted before.
 * 2. A process without an address space (a zombie) has no maps and an empty command line.
 * 3. maps is printed with mm->lock held, under which the names of files are looked up.
 */
#include "drivers/tty/tty.h"
#include "fs/file/file.h"
#include "fs/proc/proc.h"
#include "kernel/process/process.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"

#define NS_A_TICK	(NSEC_PER_SEC / 100) /* USER_HZ: the unit of times in /proc */
#define NORMAL_PRIORITY 20

static const char *const state_names[] = {
	[TASK_RUNNING] = "R (running)",	    [TASK_INTERRUPTIBLE] = "S (sleeping)",
	[TASK_KILLABLE] = "D (disk sleep)", [TASK_UNINTERRUPTIBLE] = "D (disk sleep)",
	[TASK_STOPPED] = "T (stopped)",	    [TASK_DEAD] = "Z (zombie)",
};

/* ---- its memory and its program ---- */

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

struct memory_use {
	unsigned int pages, resident;
};

static struct memory_use memory_use(struct process *process)
{
	struct memory_use use = { 0, 0 };
	struct mm *mm = process_mm(process);
	struct vma *vma;

	if (!mm)
		return use;
	if (mutex_lock_killable(&mm->lock) == 0) { /* else nobody will see the zero */
		for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
			use.pages += (vma->end - vma->start) >> PAGE_SHIFT;
		mutex_unlock(&mm->lock);
	}
	use.resident = MAX(atomic_read(&mm->resident), 0);
	mm_put(mm);
	return use;
}

static const char *state_of(struct process *process)
{
	const struct task *leader = process_leader(process);

	return state_names[leader ? leader->state : TASK_DEAD];
}

/* A zombie's threads are gone. */
static const char *name_of(struct process *process)
{
	const struct task *leader = process_leader(process);

	return leader ? leader->name : process->name;
}

static unsigned int parent_of(const struct process *process)
{
	return process->parent ? process->parent->pid : 0;
}

static unsigned int ticks(uint64_t ns)
{
	return div_u64(ns, NS_A_TICK, NULL);
}

/* The fields of proc(5), in order. Those that are not kept (faults, signals, addresses) are 0. */
static int show_stat(struct process *process, struct text *text)
{
	struct memory_use memory = memory_use(process);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *leader = process_leader(process);
	const struct tty *tty = process->tty;
	struct usage own = process_usage(process), children = process->children_usage;

	text_printf(text, "%u (%s) %c %u %u %u %u %d ", process->pid, name_of(process),
		    *state_of(process), parent_of(process), process->pgid, process->sid,
		    tty ? device_encode(tty->device) : 0, tty ? (int)tty->foreground : -1);
	text_printf(text, "0 0 0 0 0 %u %u %u %u %d 0 %u 0 %u %u %u ", ticks(own.user),
		    ticks(own.system), ticks(children.user), ticks(children.system),
		    NORMAL_PRIORITY, process->nr_threads, leader ? ticks(leader->started_ns) : 0,
		    memory.pages << PAGE_SHIFT, memory.resident);
	text_printf(text, "0 0 0 0 0 0 0 0 0 0 0 0 0 %u %u 0 0 0 0 0 0 0 0 0 0 0 0 %d\n", SIGCHLD,
		    leader && leader->cpu ? leader->cpu->id : 0, process->exit_status);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_stat, .path = "/pid/stat", .mode = 0444, .show_process = show_stat);

static void show_set(struct text *text, const char *name, sigmask_t set)
{
	text_printf(text, "%s:\t%08x%08x\n", name, (uint32_t)(set >> 32), (uint32_t)set);
}

/* The thread is the oldest one. tasks_lock is held. */
static void show_signals(struct process *process, struct text *text)
{
	const struct task *leader = process_leader(process);
	sigmask_t ignored = 0, caught = 0;

	for (int signo = 1; signo <= NR_SIGNALS; signo++) {
		uint32_t handler = process->actions[signo - 1].handler;

		if (handler == SIG_IGN)
			ignored |= SIG_BIT(signo);
		else if (handler != SIG_DFL)
			caught |= SIG_BIT(signo);
	}
	text_printf(text, "SigQ:\t%u/%u\n", signal_entries_of(process->cred.uid),
		    (unsigned int)MIN(process->limits[RLIMIT_SIGPENDING].soft, UINT32_MAX));
	show_set(text, "SigPnd", leader ? leader->signals.set : 0);
	show_set(text, "ShdPnd", process->signals.set);
	show_set(text, "SigBlk", leader ? leader->blocked : 0);
	show_set(text, "SigIgn", ignored);
	show_set(text, "SigCgt", caught);
}

static int show_status(struct process *process, struct text *text)
{
	const struct credentials *cred = &process->cred;
	struct memory_use memory = memory_use(process);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	text_printf(text, "Name:\t%s\nState:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\n",
		    name_of(process), state_of(process), process->pid, process->pid,
		    parent_of(process));
	text_printf(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid,
		    cred->suid, cred->fsuid, cred->gid, cred->egid, cred->sgid, cred->fsgid);
	if (memory.pages)
		text_printf(text, "VmSize:\t%8u kB\nVmRSS:\t%8u kB\n",
			    memory.pages * (PAGE_SIZE / 1024),
			    memory.resident * (PAGE_SIZE / 1024));
	text_printf(text, "Threads:\t%u\n", process->nr_threads);
	show_signals(process, text);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_status, .path = "/pid/status", .mode = 0444, .show_process = show_status);

/* ---- memory ---- */

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

static int show_cmdline(struct process *process, struct text *text)
{
	struct mm *mm = process_mm(process);
	uintptr_t at = mm ? mm->arg_start : 0;
	struct page *page;
	char *address;

	while (mm && at < mm->arg_end && (page = mm_page(mm, at)) != NULL) {
		unsigned int offset = at & (PAGE_SIZE - 1);
		size_t room = text->size - text->len;
		size_t n = MIN(MIN(PAGE_SIZE - offset, mm->arg_end - at), room);

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
	if (mm)
		mm_put(mm);
	return 0;
}
PROC_ENTRY(pid_cmdline, .path = "/pid/cmdline", .mode = 0444, .show_process = show_cmdline);

static const char *area_name(const struct mm *mm, const struct vma *vma, char *buf)
{
	if (vma->file)
		return file_text(vma->file, buf, PATH_MAX);
	if (vma->flags & VMA_STACK && vma->end == mm->stack_top)
		return "[stack]";
	return vma->start < mm->brk_end && vma->end > mm->brk_start ? "[heap]" : "";
}

static void show_area(struct text *text, struct mm *mm, const struct vma *vma, char *buf)
{
	const struct inode *inode = vma->file ? vma->file->inode : NULL;
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

static int show_maps(struct process *process, struct text *text)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct mm *mm = process_mm(process);
	struct vma *vma;

	if (mm && buf && mutex_lock_killable(&mm->lock) == 0) {
		for (vma = mm_find_next(mm, 0); vma && !text->full;
		     vma = mm_find_next(mm, vma->end))
			show_area(text, mm, vma, buf);
		mutex_unlock(&mm->lock);
	}
	if (mm)
		mm_put(mm);
	kfree(buf);
	return buf ? 0 : -ENOMEM;
}
PROC_ENTRY(pid_maps, .path = "/pid/maps", .mode = 0400, .show_process = show_maps);
