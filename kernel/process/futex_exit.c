/*
 * What a task leaves behind in the memory of its program when it ends, or replaces the program.
 *
 * 1. The word at clear_child_tid is set to zero, and its waiter is woken: pthread_join() waits for
 *    that.
 * 2. Robust locks that the task holds are marked: the next owner learns that the last one has died.
 *    The program keeps a list of them in its own memory (set_robust_list(2)). Nothing in that
 *    memory is to be trusted. The list may be endless, and its links may point anywhere.
 * 3. The locks with priority inheritance that others wait for are handed over. Their words are
 *    marked first.
 * 4. All this is done although the task may have been killed. An ordinary fault then gives up as
 *    soon as it would have to wait for mm->lock. This wait for it ends: its holder is a thread that
 *    is killed too, or a process that shares the memory and is not, whose own waits a kill of it
 *    ends. A lock may lie in a file whose page is being written, or must be read again. The disk
 *    is waited for, too: otherwise another process would wait for the lock for ever.
 */
#include "kernel/capability.h"
#include "kernel/process/credentials.h"
#include "kernel/process/futex.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"

#define ROBUST_MAX 2048u /* so many locks are looked at */
#define ENTRY_PI   1u /* in a link: the lock inherits priorities, futex_pi.c deals with its waiters */

struct robust_list_head { /* in the program's memory, set_robust_list(2) */
	uint32_t first;	  /* address of the first link; the last one points back to this field */
	int32_t offset;	  /* from a link to its lock's word */
	uint32_t pending; /* a link whose lock is just being taken or given up */
};

/*
 * ---- access by a task that may have been killed. They return false if there is no such memory.
 * ----
 */

static bool read_always(struct task *task, uintptr_t address, uint32_t *value)
{
	if (address & 3 || !user_range_ok((void __user *)address, sizeof(*value)))
		return false;
	while (copy_from_user_nofault(value, (void __user *)address, sizeof(*value)) !=
	       sizeof(*value))
		if (mm_fault_in_always(task->mm, address, false) < 0)
			return false;
	return true;
}

/* Replace *old by `new`. If the word has another value, that becomes *old. */
static bool exchange_always(struct task *task, uintptr_t address, uint32_t *old, uint32_t new)
{
	while (user_exchange_nofault((void __user *)address, old, new) < 0)
		if (mm_fault_in_always(task->mm, address, true) < 0)
			return false;
	return true;
}

static bool clear_tid(struct task *task)
{
	uintptr_t address = (uintptr_t)task->clear_child_tid;
	int error;

	if (address & 3)
		return false;
	for (;;) {
		pagefault_disable();
		error = put_user_u32(0, task->clear_child_tid);
		pagefault_enable();
		if (error == 0)
			return true;
		if (mm_fault_in_always(task->mm, address, true) < 0)
			return false;
	}
}

/* ---- robust locks ---- */

/* Mark one lock if the task has it. Returns false if its word cannot be accessed. */
static bool leave_lock(struct task *task, uint32_t link, int32_t offset, bool pending)
{
	uintptr_t address = (link & ~ENTRY_PI) + offset;
	bool inherits = link & ENTRY_PI;
	uint32_t word, seen;

	if (!read_always(task, address, &word))
		return false;
	/* The task has given it up already, but perhaps not woken the next owner. */
	if (pending && !inherits && word == 0)
		futex_wake_at_exit(address);
	for (; (word & FUTEX_TID_MASK) == task->tid; word = seen) {
		seen = word;
		if (!exchange_always(task, address, &seen,
				     (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
			return false;
		if (seen != word)
			continue;
		if (word & FUTEX_WAITERS && !inherits)
			futex_wake_at_exit(address);
		break;
	}
	return true;
}

static void leave_locks(struct task *task)
{
	uintptr_t head = (uintptr_t)task->robust_list;
	struct robust_list_head list;
	uint32_t link, next;

	if (!read_always(task, head, &list.first) ||
	    !read_always(task, head + 4, (uint32_t *)&list.offset) ||
	    !read_always(task, head + 8, &list.pending))
		return;
	link = list.first;
	for (unsigned int i = 0; i < ROBUST_MAX && (link & ~ENTRY_PI) != head; i++, link = next) {
		/* The next owner may free the lock as soon as it is marked. */
		bool more = read_always(task, link & ~ENTRY_PI, &next);

		if ((link | ENTRY_PI) != (list.pending | ENTRY_PI) &&
		    !leave_lock(task, link, list.offset, false))
			return;
		if (!more)
			return;
	}
	if (list.pending)
		leave_lock(task, list.pending, list.offset, true);
}

void futex_task_exit(bool ends)
{
	struct task *task = current;

	if (task->robust_list)
		leave_locks(task);
	task->robust_list = NULL;
	futex_leave_pi(ends);
	/* No other task can wait for it if no other task uses the memory. */
	if (task->clear_child_tid && atomic_read(&task->mm->users) > 1 && clear_tid(task))
		futex_wake_at_exit((unsigned long)task->clear_child_tid);
	task->clear_child_tid = NULL;
}

/* ---- the calls ---- */

long sys_set_robust_list(void __user *head, size_t size)
{
	if (size != sizeof(struct robust_list_head))
		return refuse(EINVAL, "the head of the list has another size");
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int tid, void __user *head, void __user *size)
{
	void __user *list = NULL;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = tid ? task_find_locked(tid) : current;
	bool allowed = task && process_may_inspect(task->process);

	if (allowed)
		list = task->robust_list;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (!task)
		return -ESRCH;
	if (!allowed)
		return refuse(EPERM, "a thread of another user");
	if (put_user_u32(sizeof(struct robust_list_head), size) < 0)
		return -EFAULT;
	return put_user_u32((uint32_t)list, head);
}
