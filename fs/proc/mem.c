/*
 * /proc/PID/mem: the memory of a process. The position in the file is the address.
 *
 * The rights are checked at every access, against the program that the process runs then. A
 * debugger may read and write what the process itself may not (mm_access), but never changes a
 * file.
 */
#include "fs/proc/proc.h"
#include "fs/file/file.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/vm.h"

/* Copy one page at most. Returns the number of bytes, or an error. */
static ssize_t copy_piece(struct mm *mm, struct iter *iter, uintptr_t at, char *page, bool write)
{
	size_t n = MIN(iter->left, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
	ssize_t done;

	if (write) {
		n = iter_copy_from(iter, page, n);
		return n ? mm_access(mm, at, page, n, MM_FORCE | MM_WRITE) : -EFAULT;
	}
	done = mm_access(mm, at, page, n, MM_FORCE);
	if (done <= 0)
		return done;
	n = iter_copy_to(iter, page, done);
	return n ? (ssize_t)n : -EFAULT;
}

static ssize_t copy_all(struct mm *mm, struct iter *iter, file_off_t *pos, bool write)
{
	char *page = kmalloc(PAGE_SIZE, 0);
	ssize_t done = 0, n = page ? 0 : -ENOMEM;

	while (n >= 0 && iter->left && *pos >= 0 && *pos <= UINT32_MAX) {
		n = copy_piece(mm, iter, *pos, page, write);
		if (n <= 0)
			break;
		done += n;
		*pos += n;
	}
	kfree(page);
	return done ? done : n == -EINTR ? -ERESTARTSYS : n == -EFAULT ? -EIO : n;
}

static ssize_t process_memory(struct process *process, struct iter *iter, file_off_t *pos,
			      bool write)
{
	struct mm *mm = process_mm(process);
	ssize_t done;

	if (!mm)
		return 0;
	/* In this order: see kernel/process/process_vm.c. */
	done = process_may_inspect(process) ? copy_all(mm, iter, pos, write) : -EACCES;
	mm_put(mm);
	return done;
}
PROC_ENTRY(pid_mem, .path = "/pid/mem", .mode = 0600, .transfer = process_memory);
PROC_ENTRY(task_mem, .path = "/pid/task/N/mem", .mode = 0600, .transfer = process_memory);
