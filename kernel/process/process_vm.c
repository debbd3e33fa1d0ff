/*
 * process_vm_readv(2) and process_vm_writev(2): copy between the caller's memory and that of
 * another process. process_madvise(2): advice about the memory of another process.
 *
 * The address space is looked up before the caller's rights are checked. If exec changes the
 * program in between, the rights are checked against the new program (process->changing), or the
 * bytes are those of the old one.
 */
#include "fs/proc/pidfd.h"
#include "fs/proc/proc.h"
#include "kernel/capability.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"

/* Returns the address space of a task with a reference, or ERR_PTR(-ESRCH, -EPERM). */
static struct mm *remote_mm(unsigned int tid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = task_find_locked(tid);
	struct mm *mm = ERR_PTR(-ESRCH);

	if (task && task->mm) {
		mm = process_may_trace(task->process) ? task->mm : ERR_PTR(-EPERM);
		if (!IS_ERR(mm))
			mm_get(mm);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return mm;
}

/* Copy one page at most. Returns the number of bytes, or an error. */
static ssize_t copy_piece(struct mm *mm, struct iter *local, uintptr_t at, size_t len, char *page,
			  bool write)
{
	size_t n = MIN(MIN(len, local->left), PAGE_SIZE - (at & (PAGE_SIZE - 1)));
	ssize_t done;

	if (write) {
		n = iter_copy_from(local, page, n);
		return n ? mm_access(mm, at, page, n, MM_WRITE) : -EFAULT;
	}
	done = mm_access(mm, at, page, n, 0);
	if (done <= 0)
		return done;
	n = iter_copy_to(local, page, done);
	return n ? (ssize_t)n : -EFAULT;
}

/*
 * Copy until one side ends, or memory is not there. Returns the number of bytes, or an error if
 * there are none.
 */
static ssize_t copy_all(struct mm *mm, struct iter *local, struct iter *remote, char *page,
			bool write)
{
	ssize_t done = 0, n = 0;

	while (local->left && remote->left) {
		size_t len = iter_piece(remote);

		n = copy_piece(mm, local, (uintptr_t)remote->at, len, page, write);
		if (n <= 0)
			break;
		iter_advance(remote, n);
		done += n;
	}
	if (n == -EIO || n == -ENOMEM)
		n = -EFAULT;
	return done ? done : n == -EINTR ? -ERESTARTSYS : n;
}

static long transfer(int pid, struct iter *local, struct iter *remote, bool write)
{
	char *page = kmalloc(PAGE_SIZE, 0);
	struct mm *mm = page ? remote_mm(pid) : ERR_PTR(-ENOMEM);
	long result;

	if (IS_ERR(mm)) {
		kfree(page);
		return PTR_ERR(mm);
	}
	result = copy_all(mm, local, remote, page, write);
	mm_put(mm);
	kfree(page);
	return result;
}

static long process_vm(int pid, const struct iovec __user *own, unsigned int nr_own,
		       const struct iovec __user *other, unsigned int nr_other, unsigned long flags,
		       bool write)
{
	struct iovec own_fast[IOV_FAST], other_fast[IOV_FAST], *own_heap = NULL, *other_heap = NULL;
	struct iter local, remote;
	long result;

	if (flags)
		return refuse(EINVAL, "unknown flags");
	result = iter_import(&local, own, nr_own, own_fast, &own_heap);
	if (result == 0 && local.left)
		result = iter_import(&remote, other, nr_other, other_fast, &other_heap);
	if (result == 0 && local.left)
		result = transfer(pid, &local, &remote, write);
	kfree(own_heap);
	kfree(other_heap);
	return result;
}

long sys_process_vm_readv(int pid, const struct iovec __user *own, unsigned int nr_own,
			  const struct iovec __user *other, unsigned int nr_other,
			  unsigned long flags)
{
	return process_vm(pid, own, nr_own, other, nr_other, flags, false);
}

long sys_process_vm_writev(int pid, const struct iovec __user *own, unsigned int nr_own,
			   const struct iovec __user *other, unsigned int nr_other,
			   unsigned long flags)
{
	return process_vm(pid, own, nr_own, other, nr_other, flags, true);
}

/* ---- advice ---- */

/* Give advice about all ranges. Returns the number of bytes, or an error if there are none. */
static ssize_t advise_all(struct mm *mm, struct iter *ranges, int advice)
{
	ssize_t done = 0;
	long error = 0;

	while (ranges->left && !error) {
		size_t len = iter_piece(ranges);

		error = mm_advise(mm, (uintptr_t)ranges->at, len, advice);
		if (!error) {
			iter_advance(ranges, len);
			done += len;
		}
	}
	return done ? done : error;
}

/* Of another process, only what it would not notice: reading ahead, and letting pages go. */
static long advise_process(struct process *process, struct iter *ranges, int advice)
{
	struct mm *mm;
	long result;

	if (!advice_is_for_others(advice))
		return refuse(EINVAL, "advice that is only for one's own memory");
	mm = process_mm(process);
	if (!mm)
		return -ESRCH;
	if (mm != current->mm && !process_may_inspect(process))
		result = -EACCES;
	else if (!capable(CAP_SYS_NICE))
		result = -EPERM;
	else
		result = advise_all(mm, ranges, advice);
	mm_put(mm);
	return result;
}

long sys_process_madvise(unsigned int pidfd, const struct iovec __user *ranges, unsigned int nr,
			 int advice, unsigned int flags)
{
	struct iovec fast[IOV_FAST], *heap = NULL;
	struct process *process;
	struct iter iter;
	unsigned int unused;
	long result;

	if (flags)
		return refuse(EINVAL, "an unknown flag");
	result = iter_import(&iter, ranges, nr, fast, &heap);
	if (result == 0) {
		process = pidfd_process(pidfd, &unused);
		result = PTR_ERR(process);
		if (!IS_ERR(process)) {
			result = advise_process(process, &iter, advice);
			process_put(process);
		}
	}
	kfree(heap);
	return result;
}
