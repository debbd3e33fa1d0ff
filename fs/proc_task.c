/*
 * What /proc/PID/... says of a process.
 *
 * 1. tasks_lock is held while a snapshot is taken, and given back before it is printed.
 * 2. A process without an address space (a zombie) has no maps and an empty command line.
 * 3. maps is printed with mm->lock held: names of files are looked up under it, nothing else.
 */
#include "drivers/tty.h"
#include "fs/file.h"
#include "fs/proc.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/tables.h"

#define NS_A_TICK	(NSEC_PER_SEC / 100) /* USER_HZ: the unit of times in /proc */
#define NORMAL_PRIORITY 20

static const char *const state_names[] = {
	[TASK_RUNNING] = "R (running)",	    [TASK_INTERRUPTIBLE] = "S (sleeping)",
	[TASK_KILLABLE] = "D (disk sleep)", [TASK_UNINTERRUPTIBLE] = "D (disk sleep)",
	[TASK_STOPPED] = "T (stopped)",	    [TASK_DEAD] = "Z (zombie)",
};

struct snapshot {
	char name[TASK_NAME_LEN];
	const char *state;
	unsigned int parent, pgid, sid, tty_device, threads, cpu;
	int tty_foreground;
	uint64_t cpu_ns, children_ns, started_ns;
	unsigned int pages, resident; /* of memory */
};

static void snapshot_memory(struct snapshot *s, struct process *process)
{
	struct mm *mm = process_mm(process);
	struct vma *vma;

	if (!mm)
		return;
	mutex_lock(&mm->lock);
	for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
		s->pages += (vma->end - vma->start) >> PAGE_SHIFT;
	mutex_unlock(&mm->lock);
	s->resident = MAX(atomic_read(&mm->resident), 0);
	mm_put(mm);
}

static void snapshot_take(struct snapshot *s, struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *leader = process_leader(process);

	*s = (struct snapshot){
		.state = state_names[leader ? leader->state : TASK_DEAD],
		.parent = process->parent ? process->parent->pid : 0,
		.pgid = process->pgid,
		.sid = process->sid,
		.threads = process->nr_threads,
		.tty_foreground = -1,
		.cpu_ns = process_cpu_ns(process),
		.children_ns = process->children_ns,
	};
	if (process->tty) { /* as mknod(2) takes it; its numbers are small */
		s->tty_device = MAJOR(process->tty->device) << 8 | MINOR(process->tty->device);
		s->tty_foreground = process->tty->foreground;
	}
	if (leader) {
		s->started_ns = leader->started_ns;
		s->cpu = leader->cpu ? leader->cpu->id : 0;
		memcpy(s->name, leader->name, sizeof(s->name));
	} else { /* a zombie: its threads are gone */
		memcpy(s->name, process->name, sizeof(s->name));
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	snapshot_memory(s, process);
}

static unsigned int ticks(uint64_t ns)
{
	return div_u64(ns, NS_A_TICK, NULL);
}

/* proc(5), in its order. What is not kept (faults, signals, addresses) is 0. */
int proc_show_stat(struct process *process, struct text *text)
{
	struct snapshot s;

	snapshot_take(&s, process);
	text_printf(text, "%u (%s) %c %u %u %u %u %d ", process->pid, s.name, s.state[0], s.parent,
		    s.pgid, s.sid, s.tty_device, s.tty_foreground);
	text_printf(text, "0 0 0 0 0 %u 0 %u 0 %d 0 %u 0 %u %u %u ", ticks(s.cpu_ns),
		    ticks(s.children_ns), NORMAL_PRIORITY, s.threads, ticks(s.started_ns),
		    s.pages << PAGE_SHIFT, s.resident);
	text_printf(text, "0 0 0 0 0 0 0 0 0 0 0 0 0 %u %u 0 0 0 0 0 0 0 0 0 0 0 0 %d\n", SIGCHLD,
		    s.cpu, process->exit_status);
	return 0;
}

int proc_show_status(struct process *process, struct text *text)
{
	const struct credentials *cred = &process->cred;
	struct snapshot s;

	snapshot_take(&s, process);
	text_printf(text, "Name:\t%s\nState:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\n", s.name,
		    s.state, process->pid, process->pid, s.parent);
	text_printf(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid,
		    cred->suid, cred->euid, cred->gid, cred->egid, cred->sgid, cred->egid);
	if (s.pages)
		text_printf(text, "VmSize:\t%8u kB\nVmRSS:\t%8u kB\n", s.pages * (PAGE_SIZE / 1024),
			    s.resident * (PAGE_SIZE / 1024));
	text_printf(text, "Threads:\t%u\n", s.threads);
	return 0;
}

/* ---- memory ---- */

/*
 * The page at va of an address space, made present, with a reference; NULL. Zero pages and device
 * memory are none.
 */
static struct page *mm_page(struct mm *mm, uintptr_t va)
{
	struct page *page = NULL;
	pte_t *entry;

	if (mm_fault_in(mm, va, false) < 0)
		return NULL;
	mutex_lock(&mm->lock);
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

int proc_show_cmdline(struct process *process, struct text *text)
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

static const char *area_name(const struct mm *mm, const struct vma *vma, char *buf)
{
	if (vma->file)
		return file_text(vma->file, buf, PATH_MAX);
	if (vma->flags & VMA_STACK)
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

int proc_show_maps(struct process *process, struct text *text)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct mm *mm = process_mm(process);
	struct vma *vma;

	if (mm && buf) {
		mutex_lock(&mm->lock);
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
