/*
 * How much of a process's memory is present, mapping by mapping (/proc/PID/smaps) and in all
 * (smaps_rollup).
 *
 * 1. A page is private if nothing else maps it, and dirty if it is newer than its file. The share
 *    of a page (Pss) is its size divided by the number of its mappings.
 * 2. Both files are printed with mm->lock held. The pages of a mapping are counted with
 *    mm->table_lock held for one page table at a time.
 */
#include "fs/proc/proc_internal.h"
#include "lib/div64.h"
#include "mm/vm/tables.h"

#define KB_A_PAGE  (PAGE_SIZE / 1024)
#define SHARE_BITS 12 /* fractions of a page's share that are kept */

struct page_count { /* in pages */
	unsigned int resident, shared_clean, shared_dirty, private_clean, private_dirty;
	unsigned int referenced, anonymous, in_memory, huge, locked; /* in_memory: of tmpfs */
	/*
	 * Shares in pages << SHARE_BITS: all, and those of dirty pages, of anonymous ones, of those
	 * of tmpfs, and of those of other files.
	 */
	uint64_t share, share_dirty, share_anonymous, share_in_memory, share_file;
};

/* ---- counting ---- */

/* Count the pages that an entry maps, of which the first `nr` are in the VMA. */
static void count_entry(struct page_count *count, const struct vma *vma, uintptr_t va, pte_t entry,
			unsigned int nr)
{
	struct page *page = pte_page(entry, va);
	unsigned int mapped = MAX(atomic_read(&page->mapped), 1);
	bool dirty = entry & PTE_DIRTY || page_has(page, PG_DIRTY);
	bool anonymous = !vma->file || !page->mapping;
	bool in_memory = !anonymous && !page->mapping->ops->has_store;
	uint64_t share = div_u64((uint64_t)nr << SHARE_BITS, mapped, NULL);

	count->resident += nr;
	if (mapped > 1)
		*(dirty ? &count->shared_dirty : &count->shared_clean) += nr;
	else
		*(dirty ? &count->private_dirty : &count->private_clean) += nr;
	count->referenced += entry & PTE_ACCESSED ? nr : 0;
	count->anonymous += anonymous ? nr : 0;
	count->in_memory += in_memory ? nr : 0;
	count->huge += entry & PTE_LARGE ? nr : 0;
	count->share += share;
	count->share_dirty += dirty ? share : 0;
	*(anonymous   ? &count->share_anonymous
	  : in_memory ? &count->share_in_memory
		      : &count->share_file) += share;
}

/* Count what is present of [va, end), which one page table maps. */
static void count_table(struct page_count *count, const struct vma *vma, uintptr_t va,
			uintptr_t end)
{
	struct mm *mm = vma->mm;

	spin_lock(&mm->table_lock);
	while (va < end) {
		const pte_t *entry = mm_pte(mm, va);
		unsigned int nr;

		if (!entry)
			break;
		nr = MIN(pte_pages(*entry), (end - va) / PAGE_SIZE);
		if (*entry & PTE_PRESENT && !(*entry & PTE_SPECIAL))
			count_entry(count, vma, va, *entry, nr);
		va += nr * PAGE_SIZE;
	}
	spin_unlock(&mm->table_lock);
}

static void count_vma(struct page_count *count, const struct vma *vma)
{
	struct page_count before = *count;
	uintptr_t va = vma->start, next;

	for (; !(vma->flags & VMA_DEVICE) && va < vma->end; va = next) {
		next = MIN(mm_next_table(va), vma->end);
		count_table(count, vma, va, next);
	}
	if (vma->flags & VMA_LOCKED)
		count->locked += count->resident - before.resident;
}

void proc_count_kinds(struct mm *mm, struct memory_use *use)
{
	struct page_count count = { 0 };
	struct vma *vma;

	for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
		count_vma(&count, vma);
	use->in_memory = count.in_memory;
	use->of_files = count.resident - count.anonymous - count.in_memory;
}

/* ---- printing ---- */

static void show_kb(struct text *text, const char *name, unsigned int kb)
{
	text_printf(text, "%-16s%8u kB\n", name, kb);
}

static void show_pages(struct text *text, const char *name, unsigned int pages)
{
	show_kb(text, name, pages * KB_A_PAGE);
}

static void show_share(struct text *text, const char *name, uint64_t share)
{
	show_kb(text, name, share * KB_A_PAGE >> SHARE_BITS);
}

/* Nothing is swapped out, and no page is made huge unasked. */
static void show_count(struct text *text, const struct page_count *count, bool all)
{
	show_pages(text, "Rss:", count->resident);
	show_share(text, "Pss:", count->share);
	show_share(text, "Pss_Dirty:", count->share_dirty);
	if (all) {
		show_share(text, "Pss_Anon:", count->share_anonymous);
		show_share(text, "Pss_File:", count->share_file);
		show_share(text, "Pss_Shmem:", count->share_in_memory);
	}
	show_pages(text, "Shared_Clean:", count->shared_clean);
	show_pages(text, "Shared_Dirty:", count->shared_dirty);
	show_pages(text, "Private_Clean:", count->private_clean);
	show_pages(text, "Private_Dirty:", count->private_dirty);
	show_pages(text, "Referenced:", count->referenced);
	show_pages(text, "Anonymous:", count->anonymous);
	show_pages(text, "LazyFree:", 0);
	show_pages(text, "AnonHugePages:", 0);
	show_pages(text, "ShmemPmdMapped:", 0);
	show_pages(text, "FilePmdMapped:", 0);
	show_pages(text, "Shared_Hugetlb:", 0);
	show_pages(text, "Private_Hugetlb:", count->huge);
	show_pages(text, "Swap:", 0);
	show_pages(text, "SwapPss:", 0);
	show_pages(text, "Locked:", count->locked);
}

/*
 * What a mapping has, and what mprotect(2) may add: any mapping may become readable and executable.
 */
static void show_flags(struct text *text, const struct vma *vma)
{
	static const struct {
		unsigned int flag; /* 0: always */
		const char *name;
	} names[] = {
		{ VMA_READ, "rd" },
		{ VMA_WRITE, "wr" },
		{ VMA_EXEC, "ex" },
		{ VMA_SHARED, "sh" },
		{ 0, "mr" },
		{ VMA_MAY_WRITE, "mw" },
		{ 0, "me" },
		{ VMA_SHARED, "ms" },
		{ VMA_STACK, "gd" },
		{ VMA_DEVICE, "pf" },
		{ VMA_LOCKED, "lo" },
		{ VMA_DEVICE, "io" },
		{ VMA_DONTFORK, "dc" },
		{ VMA_HUGE, "ht" },
		{ VMA_WIPEONFORK, "wf" },
	};

	text_printf(text, "VmFlags: ");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if ((vma->flags & names[i].flag) == names[i].flag)
			text_printf(text, "%s ", names[i].name);
	text_printf(text, "\n");
}

static void show_vma(struct text *text, struct mm *mm, const struct vma *vma, char *buf)
{
	unsigned int page_kb = (vma->flags & VMA_HUGE ? LARGE_SIZE : PAGE_SIZE) / 1024;
	struct page_count count = { 0 };

	count_vma(&count, vma);
	proc_show_area(text, mm, vma, buf);
	show_kb(text, "Size:", (vma->end - vma->start) / 1024);
	show_kb(text, "KernelPageSize:", page_kb);
	show_kb(text, "MMUPageSize:", page_kb);
	show_count(text, &count, false);
	text_printf(text, "THPeligible:    0\n");
	show_flags(text, vma);
}

static int show_smaps(struct process *process, unsigned int number, struct text *text)
{
	return proc_show_areas(process, text, show_vma);
}
PROC_ENTRY(pid_smaps, .path = "/pid/smaps", .mode = 0400, .show_process = show_smaps);
PROC_ENTRY(task_smaps, .path = "/pid/task/N/smaps", .mode = 0400, .show_process = show_smaps);

static int show_smaps_rollup(struct process *process, unsigned int number, struct text *text)
{
	struct mm *mm = process_mm(process);
	struct page_count count = { 0 };
	uintptr_t start = 0, end = 0;
	struct vma *vma;

	if (!mm)
		return -ESRCH;
	if (mutex_lock_killable(&mm->lock) == 0) {
		for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end)) {
			start = start ? start : vma->start;
			end = vma->end;
			count_vma(&count, vma);
		}
		mutex_unlock(&mm->lock);
	}
	mm_put(mm);
	text_printf(text, "%08lx-%08lx ---p 00000000 00:00 0 %25s[rollup]\n", (unsigned long)start,
		    (unsigned long)end, "");
	show_count(text, &count, true);
	return 0;
}
PROC_ENTRY(pid_smaps_rollup, .path = "/pid/smaps_rollup", .mode = 0400,
	   .show_process = show_smaps_rollup);
PROC_ENTRY(task_smaps_rollup, .path = "/pid/task/N/smaps_rollup", .mode = 0400,
	   .show_process = show_smaps_rollup);
