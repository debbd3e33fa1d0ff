/*
 * /proc/PID/pagemap: one word of 64 bits for each page of a process's address space. The position
 * in the file is the number of the page, times 8.
 *
 * 1. The word says whether the page is present, whether it belongs to a file or to shared memory,
 *    and whether nothing else maps it. Nothing is swapped out, so no word says that.
 * 2. The number of the page frame is always 0, also for root. It would help nobody but an attacker.
 */
#include "fs/file/file.h"
#include "kernel/syscalls.h"
#include "fs/proc/proc_internal.h"
#include "mm/vm/iter.h"
#include "mm/vm/tables.h"

enum pagemap_bits { /* Linux, Documentation/admin-guide/mm/pagemap.rst */
		    PAGEMAP_EXCLUSIVE = 56,
		    PAGEMAP_OF_FILE = 61,
		    PAGEMAP_PRESENT = 63,
};

#define WORD  sizeof(uint64_t)
#define BATCH 32u /* words that are filled in with mm->lock held once */

static uint64_t bit(enum pagemap_bits number)
{
	return 1ull << number;
}

/* mm->table_lock is held. */
static uint64_t word_of_entry(pte_t entry, uintptr_t va)
{
	struct page *page;

	if (!(entry & PTE_PRESENT))
		return 0;
	/* A page of zeros, or device memory. */
	if (entry & PTE_SPECIAL)
		return bit(PAGEMAP_PRESENT);
	page = pte_page(entry, va);
	return bit(PAGEMAP_PRESENT) | (page->mapping ? bit(PAGEMAP_OF_FILE) : 0) |
	       (atomic_read(&page->mapped) == 1 ? bit(PAGEMAP_EXCLUSIVE) : 0);
}

/* Fill in the words of `nr` pages. Returns 0 or -ERESTARTSYS. */
static int fill_words(struct mm *mm, uintptr_t va, uint64_t *words, unsigned int nr)
{
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	spin_lock(&mm->table_lock);
	for (unsigned int i = 0; i < nr; i++, va += PAGE_SIZE) {
		const pte_t *entry = mm_pte(mm, va);

		words[i] = entry ? word_of_entry(*entry, va) : 0;
	}
	spin_unlock(&mm->table_lock);
	mutex_unlock(&mm->lock);
	return 0;
}

static ssize_t copy_words(struct mm *mm, struct iter *to, file_off_t *pos)
{
	const file_off_t end = USER_END / PAGE_SIZE * WORD;
	uint64_t words[BATCH];
	ssize_t done = 0;

	while (to->left > 0 && *pos < end) {
		unsigned int nr = MIN(MIN(to->left, end - *pos) / WORD, BATCH);
		int error = fill_words(mm, *pos / WORD * PAGE_SIZE, words, nr);
		size_t n = error ? 0 : iter_copy_to(to, words, nr * WORD);

		done += n;
		*pos += n;
		if (n < nr * WORD)
			return done ? done : error ? error : -EFAULT;
	}
	return done;
}

static ssize_t read_pagemap(struct process *process, struct iter *iter, file_off_t *pos, bool write)
{
	struct mm *mm;
	ssize_t done;

	if (write)
		return refuse(EINVAL, "the map of pages cannot be written");
	if (*pos % WORD || iter->left % WORD)
		return refuse(EINVAL, "not whole words");
	mm = process_mm(process);
	if (!mm)
		return 0;
	done = copy_words(mm, iter, pos);
	mm_put(mm);
	return done;
}
PROC_ENTRY(pid_pagemap, .path = "/pid/pagemap", .mode = 0400, .transfer = read_pagemap);
PROC_ENTRY(task_pagemap, .path = "/pid/task/N/pagemap", .mode = 0400, .transfer = read_pagemap);
