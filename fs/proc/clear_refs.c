/*
 * /proc/PID/clear_refs: a number written to it forgets which pages of a process have been used, or
 * how many it has had at most. Programs that look for the memory that another one really needs
 * write here, wait, and read smaps.
 *
 * mm->lock is held while the entries of all VMAs are changed. A CPU that uses a page afterwards
 * sets the bit again.
 */
#include "fs/proc/proc_internal.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/tables.h"
#include "mm/vm/vdso.h"

enum clear_what { /* proc_pid_clear_refs(5) */
		  CLEAR_ALL = 1,
		  CLEAR_ANONYMOUS,
		  CLEAR_FILES,
		  CLEAR_SOFT_DIRTY, /* an entry of 32-bit Linux has no such bit, and none here has */
		  CLEAR_PEAK,
};
#define CLEAR_TEXT_MAX 12 /* bytes of the number that are looked at */

static bool is_chosen(const struct vma *vma, uint32_t what)
{
	bool of_file = vma->file && !vdso_name(vma);

	if (vma->flags & VMA_DEVICE || what == CLEAR_SOFT_DIRTY)
		return false;
	return what == CLEAR_ALL || (what == CLEAR_FILES) == of_file;
}

/* mm->lock is held. */
static void clear(struct mm *mm, uint32_t what)
{
	struct vma *vma;

	if (what == CLEAR_PEAK) {
		mm->peak_resident = atomic_read(&mm->resident);
		return;
	}
	for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
		if (is_chosen(vma, what))
			mm_forget_use(mm, vma->start, vma->end);
}

/* Find the number, which may have spaces around it. Returns 0, -EINVAL or -ERANGE. */
static int parse(char *input, uint32_t *what)
{
	size_t len = strlen(input);
	int error;

	while (len > 0 && strchr(" \t\n", input[len - 1]))
		input[--len] = '\0';
	while (*input && strchr(" \t\n", *input))
		input++;
	error = parse_u32(input, what);
	if (!error && *what > INT32_MAX)
		error = refuse(ERANGE, "a number that is too large");
	if (!error && (*what < CLEAR_ALL || *what > CLEAR_PEAK))
		error = refuse(EINVAL, "not a number from 1 to 5");
	return error;
}

static int store_clear_refs(struct process *process, unsigned int number, char *input, size_t len)
{
	struct mm *mm;
	uint32_t what;
	int error;

	input[MIN(len, (size_t)CLEAR_TEXT_MAX)] = '\0';
	error = parse(input, &what);
	if (error)
		return error;
	mm = process_mm(process);
	if (!mm)
		return 0;
	error = mutex_lock_killable(&mm->lock);
	if (!error) {
		clear(mm, what);
		mutex_unlock(&mm->lock);
	}
	mm_put(mm);
	return error;
}
PROC_ENTRY(pid_clear_refs, .path = "/pid/clear_refs", .mode = 0200,
	   .store_process = store_clear_refs);
PROC_ENTRY(task_clear_refs, .path = "/pid/task/N/clear_refs", .mode = 0200,
	   .store_process = store_clear_refs);
