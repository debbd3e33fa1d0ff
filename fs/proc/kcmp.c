/*
 * kcmp(2): do two threads share an open file, their memory, or something else of theirs?
 *
 * The result is also an order, so that a program can sort many threads. The order of two things is
 * that of their addresses after a multiplication with a random odd number, so that it tells nothing
 * about the addresses.
 */
#include "fs/file/file.h"
#include "fs/proc/proc.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/random.h"
#include "kernel/syscalls.h"

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_TYPES };

static uint32_t factor; /* odd; 0: not chosen yet */

static uint32_t hidden(const void *thing)
{
	uint32_t chosen;

	if (!READ_ONCE(factor)) {
		random_bytes(&chosen, sizeof(chosen));
		WRITE_ONCE(factor, chosen | 1);
	}
	return (uint32_t)(uintptr_t)thing * factor;
}

/* 0: the same, 1: the first one is less, 2: it is greater */
static long compare(const void *first, const void *second)
{
	if (first == second)
		return 0;
	return hidden(first) < hidden(second) ? 1 : 2;
}

/* There are no contexts of IO to be shared. */
static const void *thing_of(const struct task *task, unsigned int type)
{
	switch (type) {
	case KCMP_VM:
		return task->mm;
	case KCMP_FILES:
		return task->files;
	case KCMP_FS:
		return task->fs;
	case KCMP_SIGHAND:
		return task->process->handlers;
	case KCMP_SYSVSEM:
		return task->sem_undo;
	}
	return NULL;
}

/*
 * Returns the result, -ESRCH, -EPERM or -EINVAL. Open files are compared later: for them, tables[]
 * are set to the threads' file tables, which the caller has to drop. tasks_lock is held, and the
 * lock of a table comes before it.
 */
static long compare_tasks(const int tids[2], unsigned int type, struct file_table *tables[2])
{
	const struct task *tasks[2];

	lockdep_held(&tasks_lock);
	for (unsigned int i = 0; i < 2; i++)
		tasks[i] = tids[i] > 0 ? task_find_locked(tids[i]) : NULL;
	if (!tasks[0] || !tasks[1])
		return -ESRCH;
	if (!process_may_inspect(tasks[0]->process) || !process_may_inspect(tasks[1]->process))
		return refuse(EPERM, "the process of another user");
	if (type >= KCMP_TYPES)
		return refuse(EINVAL, "not a thing that can be compared");
	if (type != KCMP_FILE)
		return compare(thing_of(tasks[0], type), thing_of(tasks[1], type));
	for (unsigned int i = 0; i < 2; i++) {
		tables[i] = tasks[i]->files;
		if (tables[i])
			atomic_inc(&tables[i]->users);
	}
	return 0;
}

static long compare_files(struct file_table *tables[2], const unsigned int fds[2])
{
	struct file *files[2];
	long result;

	for (unsigned int i = 0; i < 2; i++)
		files[i] = tables[i] ? file_table_get(tables[i], fds[i]) : NULL;
	result = files[0] && files[1] ? compare(files[0], files[1]) : -EBADF;
	for (unsigned int i = 0; i < 2; i++)
		if (files[i])
			file_put(files[i]);
	return result;
}

long sys_kcmp(int first, int second, unsigned int type, unsigned int fd1, unsigned int fd2)
{
	struct file_table *tables[2] = { NULL, NULL };
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	long result = compare_tasks((int[2]){ first, second }, type, tables);

	spin_unlock_irqrestore(&tasks_lock, flags);
	if (result == 0 && type == KCMP_FILE)
		result = compare_files(tables, (unsigned int[2]){ fd1, fd2 });
	for (unsigned int i = 0; i < 2; i++)
		file_table_put(tables[i]);
	return result;
}
