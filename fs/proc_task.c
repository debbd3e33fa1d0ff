/*
 * What /proc/PID/... says of a process.
 *
 * 1. tasks_lock and signal_lock are held while a snapshot is taken, and given back before it is
 *    printed.
 * 2. A process without an address space (a zombie) has no maps and an empty command line.
 * 3. maps is printed with mm->lock held: names of files are looked up under it, nothing else.
 */
#include "fs/proc_task.h"
#include "drivers/tty.h"
#include "fs/file.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/tables.h"

#define NS_A_TICK	(NSEC_PER_SEC / 100) /* USER_HZ: the unit of times in /proc */
#define NORMAL_PRIORITY 20

struct snapshot {
	char name[TASK_NAME_LEN];
	char state;
	const char *state_name;
	unsigned int pid, parent, pgid, sid, tty_device, tty_foreground, threads, cpu;
	uint64_t cpu_ns, children_ns, started_ns;
	unsigned int exit_signal, nr_siginfo;
	int exit_status;
	sigmask_t pending, shared_pending, blocked, ignored, caught;
	uint64_t stack_limit;
	struct credentials cred;
};

static void snapshot_state(struct snapshot *s, const struct process *process,
			   const struct task *task)
{
	static const struct {
		char letter;
		const char *name;
	} states[] = {
		[TASK_RUNNING] = { 'R', "running" },
		[TASK_INTERRUPTIBLE] = { 'S', "sleeping" },
		[TASK_KILLABLE] = { 'D', "disk sleep" },
		[TASK_UNINTERRUPTIBLE] = { 'D', "disk sleep" },
		[TASK_STOPPED] = { 'T', "stopped" },
		[TASK_DEAD] = { 'Z', "zombie" },
	};
	enum task_state state = task && !process->zombie ? task->state : TASK_DEAD;

	s->state = states[state].letter;
	s->state_name = states[state].name;
}

static void snapshot_signals(struct snapshot *s, struct process *process, const struct task *task)
{
	unsigned int flags = spin_lock_irqsave(&process->signal_lock);

	s->shared_pending = process->pending;
	s->nr_siginfo = process->nr_siginfo;
	if (task) {
		s->pending = task->pending;
		s->blocked = task->blocked;
	}
	for (unsigned int i = 0; i < NR_SIGNALS; i++) {
		if (process->actions[i].handler == SIG_IGN)
			s->ignored |= SIG_BIT(i + 1);
		else if (process->actions[i].handler != SIG_DFL)
			s->caught |= SIG_BIT(i + 1);
	}
	spin_unlock_irqrestore(&process->signal_lock, flags);
}

/* As mknod(2) takes it: minor 0..7, major 8..19, the minor's upper bits 20..31. */
static unsigned int user_device(unsigned int device)
{
	unsigned int minor = MINOR(device);

	return (minor & 0xff) | MAJOR(device) << 8 | (minor & ~0xffu) << 12;
}

static void snapshot_take(struct snapshot *s, struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *leader = process->leader;

	*s = (struct snapshot){
		.pid = process->pid,
		.parent = process->parent ? process->parent->pid : 0,
		.pgid = process->pgid,
		.sid = process->sid,
		.threads = process->nr_threads,
		.cpu_ns = process_cpu_ns(process),
		.children_ns = process->children_ns,
		.exit_signal = process->exit_signal,
		.exit_status = process->exit_status,
		.stack_limit = process->limits[RLIMIT_STACK].soft,
		.cred = process->cred,
	};
	if (process->tty) {
		s->tty_device = user_device(process->tty->device);
		s->tty_foreground = process->tty->foreground;
	}
	if (leader) {
		s->started_ns = leader->started_ns;
		s->cpu = leader->cpu ? leader->cpu->id : 0;
		memcpy(s->name, leader->name, sizeof(s->name));
	} else if (process->executable) { /* a zombie: its threads are gone */
		const char *slash = strrchr(process->executable, '/');

		strlcpy(s->name, slash ? slash + 1 : process->executable, sizeof(s->name));
	}
	snapshot_state(s, process, leader);
	snapshot_signals(s, process, leader);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static unsigned int ticks(uint64_t ns)
{
	return div_u64(ns, NS_A_TICK, NULL);
}

/* ---- memory ---- */

struct sizes {
	unsigned int pages, resident, text, data, stack;
};

static void measure(struct mm *mm, struct sizes *sizes)
{
	struct vma *vma;

	*sizes = (struct sizes){ 0 };
	if (!mm)
		return;
	mutex_lock(&mm->lock);
	for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end)) {
		unsigned int pages = (vma->end - vma->start) >> PAGE_SHIFT;

		sizes->pages += pages;
		if (vma->flags & VMA_STACK)
			sizes->stack += pages;
		else if (vma->flags & VMA_EXEC)
			sizes->text += pages;
		else if (vma->flags & VMA_WRITE)
			sizes->data += pages;
	}
	mutex_unlock(&mm->lock);
	sizes->resident = MAX(atomic_read(&mm->resident), 0);
}

static void process_measure(struct process *process, struct sizes *sizes)
{
	struct mm *mm = process_mm(process);

	measure(mm, sizes);
	if (mm)
		mm_put(mm);
}

/* The page at va of an address space, made present, with a reference; NULL. Zero pages and device
 * memory are none. */
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

/* Append the bytes [start, end) of an address space, up to `max` of them. */
static void show_memory(struct mm *mm, uintptr_t start, uintptr_t end, struct text *text)
{
	while (start < end && !text->full) {
		unsigned int offset = start & (PAGE_SIZE - 1);
		size_t n = MIN(PAGE_SIZE - offset, end - start);
		struct page *page = mm_page(mm, start);
		char *address;

		if (!page)
			return;
		if (n > text->size - text->len) {
			n = text->size - text->len;
			text->full = true;
		}
		address = kmap_local(page);
		memcpy(text->buf + text->len, address + offset, n);
		kunmap_local(address);
		page_put(page);
		text->len += n;
		start += n;
	}
}

int proc_show_cmdline(struct process *process, struct text *text)
{
	struct mm *mm = process_mm(process);

	if (!mm)
		return 0;
	show_memory(mm, mm->arg_start, mm->arg_end, text);
	mm_put(mm);
	return 0;
}

/* ---- maps ---- */

static const char *area_name(const struct mm *mm, const struct vma *vma)
{
	if (vma->flags & VMA_STACK)
		return "[stack]";
	if (vma->start < mm->brk_end && vma->end > mm->brk_start)
		return "[heap]";
	return NULL;
}

static void show_area(struct text *text, struct mm *mm, const struct vma *vma, char *buf)
{
	const struct inode *inode = vma->file ? vma->file->inode : NULL;
	unsigned int device = inode && inode->sb ? inode->sb->dev : 0;
	const char *name = inode ? file_text(vma->file, buf, PATH_MAX) : area_name(mm, vma);
	size_t start = text->len;

	text_printf(text, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu", (unsigned long)vma->start,
		    (unsigned long)vma->end, vma->flags & VMA_READ ? 'r' : '-',
		    vma->flags & VMA_WRITE ? 'w' : '-', vma->flags & VMA_EXEC ? 'x' : '-',
		    vma->flags & VMA_SHARED ? 's' : 'p',
		    (unsigned long long)vma->page_offset << PAGE_SHIFT, MAJOR(device),
		    MINOR(device), inode ? (unsigned long long)inode->number : 0ull);
	if (name && !IS_ERR(name))
		text_printf(text, "%*s%s", MAX(1, 73 - (int)(text->len - start)), "", name);
	text_printf(text, "\n");
}

int proc_show_maps(struct process *process, struct text *text)
{
	struct mm *mm = process_mm(process);
	char *buf;
	struct vma *vma;

	if (!mm)
		return 0;
	buf = kmalloc(PATH_MAX, 0);
	if (!buf) {
		mm_put(mm);
		return -ENOMEM;
	}
	mutex_lock(&mm->lock);
	for (vma = mm_find_next(mm, 0); vma && !text->full; vma = mm_find_next(mm, vma->end))
		show_area(text, mm, vma, buf);
	mutex_unlock(&mm->lock);
	kfree(buf);
	mm_put(mm);
	return 0;
}

/* ---- the rest ---- */

int proc_show_mounts(struct process *process, struct text *text)
{
	mounts_show(text); /* one tree of mounts for all */
	return 0;
}

int proc_show_comm(struct process *process, struct text *text)
{
	struct snapshot s;

	snapshot_take(&s, process);
	text_printf(text, "%s\n", s.name);
	return 0;
}

int proc_show_statm(struct process *process, struct text *text)
{
	struct sizes sizes;

	process_measure(process, &sizes);
	text_printf(text, "%u %u 0 %u 0 %u 0\n", sizes.pages, sizes.resident, sizes.text,
		    sizes.data + sizes.stack);
	return 0;
}

/* proc(5), in its order. What is not kept here (page faults, swap, where the task sleeps) is 0. */
int proc_show_stat(struct process *process, struct text *text)
{
	struct snapshot s;
	struct sizes sizes;
	struct mm *mm = process_mm(process);

	snapshot_take(&s, process);
	measure(mm, &sizes);
	text_printf(text, "%u (%s) %c %u %u %u %u %d ", s.pid, s.name, s.state, s.parent, s.pgid,
		    s.sid, s.tty_device, s.tty_device ? (int)s.tty_foreground : -1);
	text_printf(text, "0 0 0 0 0 %u 0 %u 0 %d 0 %u 0 ", ticks(s.cpu_ns), ticks(s.children_ns),
		    NORMAL_PRIORITY, s.threads);
	text_printf(text, "%llu %u %u %u 0 0 %lu 0 0 %u %u %u %u 0 0 0 %u %u 0 0 0 0 0 0 0 ",
		    (unsigned long long)div_u64(s.started_ns, NS_A_TICK, NULL),
		    sizes.pages << PAGE_SHIFT, sizes.resident,
		    s.stack_limit > UINT32_MAX ? UINT32_MAX : (unsigned int)s.stack_limit,
		    mm ? (unsigned long)mm->stack_top : 0ul, (unsigned int)s.pending & INT32_MAX,
		    (unsigned int)s.blocked & INT32_MAX, (unsigned int)s.ignored & INT32_MAX,
		    (unsigned int)s.caught & INT32_MAX, s.exit_signal, s.cpu);
	text_printf(text, "%lu %lu %lu %lu %lu %d\n", mm ? (unsigned long)mm->brk_start : 0ul,
		    mm ? (unsigned long)mm->arg_start : 0ul, mm ? (unsigned long)mm->arg_end : 0ul,
		    mm ? (unsigned long)mm->env_start : 0ul, mm ? (unsigned long)mm->env_end : 0ul,
		    s.exit_status);
	if (mm)
		mm_put(mm);
	return 0;
}

static void show_ids(struct text *text, const struct credentials *cred)
{
	text_printf(text, "Uid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid, cred->suid, cred->fsuid);
	text_printf(text, "Gid:\t%u\t%u\t%u\t%u\nGroups:\t", cred->gid, cred->egid, cred->sgid,
		    cred->fsgid);
	for (unsigned int i = 0; i < cred->nr_groups; i++)
		text_printf(text, "%u ", cred->groups[i]);
	text_printf(text, "\n");
}

static void show_kb(struct text *text, const char *name, unsigned int pages)
{
	text_printf(text, "%s:\t%8u kB\n", name, pages * (PAGE_SIZE / 1024));
}

static void show_mask(struct text *text, const char *name, sigmask_t mask)
{
	text_printf(text, "%s:\t%016llx\n", name, (unsigned long long)mask);
}

int proc_show_status(struct process *process, struct text *text)
{
	struct snapshot s;
	struct sizes sizes;

	snapshot_take(&s, process);
	process_measure(process, &sizes);
	text_printf(text, "Name:\t%s\nState:\t%c (%s)\n", s.name, s.state, s.state_name);
	text_printf(text, "Tgid:\t%u\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n", s.pid, s.pid,
		    s.parent);
	show_ids(text, &s.cred);
	if (sizes.pages) {
		show_kb(text, "VmSize", sizes.pages);
		show_kb(text, "VmRSS", sizes.resident);
		show_kb(text, "VmData", sizes.data);
		show_kb(text, "VmStk", sizes.stack);
		show_kb(text, "VmExe", sizes.text);
	}
	text_printf(text, "Threads:\t%u\nSigQ:\t%u\n", s.threads, s.nr_siginfo);
	show_mask(text, "SigPnd", s.pending);
	show_mask(text, "ShdPnd", s.shared_pending);
	show_mask(text, "SigBlk", s.blocked);
	show_mask(text, "SigIgn", s.ignored);
	show_mask(text, "SigCgt", s.caught);
	return 0;
}

char *proc_executable(struct process *process)
{
	char *copy = kmalloc(PATH_MAX, 0);
	unsigned int flags;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	flags = spin_lock_irqsave(&tasks_lock);
	strlcpy(copy, process->executable ? process->executable : "", PATH_MAX);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return copy;
}
