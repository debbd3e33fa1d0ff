/*
 * What the parts of the file system "proc" know of each other: how an inode leads to its entry and
 * its process.
 *
 * An inode's number consists of the process, the number of a thread or descriptor, and the entry.
 * The number of a descriptor has that of its thread above its own 16 bits, or 0 if it is one of the
 * whole process. The inode holds nothing else. Each use finds the process again by its number.
 */
#ifndef FS_PROC_PROC_INTERNAL_H
#define FS_PROC_PROC_INTERNAL_H

#include "fs/file/open_file.h"
#include "fs/proc/proc.h"
#include "kernel/process/process.h"

#define FD_BITS	    16u /* MOST_DESCRIPTORS_MAX */
#define NUMBER_BITS 32u
#define ENTRY_BITS  8u

extern const struct proc_entry _proc_files_start[], _proc_files_end[];

static inline const struct proc_entry *entry_in(uint64_t number)
{
	return _proc_files_start + (number & ((1u << ENTRY_BITS) - 1)) - 1;
}
static inline const struct proc_entry *entry_of(const struct inode *inode)
{
	return entry_in(inode->number);
}
/* The number of a descriptor or of a thread. */
static inline unsigned int number_in(const struct inode *inode)
{
	return inode->number >> ENTRY_BITS;
}
static inline unsigned int pid_of(const struct inode *inode)
{
	return inode->number >> (NUMBER_BITS + ENTRY_BITS);
}
static inline uint64_t number_of(const struct proc_entry *entry, unsigned int pid,
				 unsigned int number)
{
	return ((uint64_t)pid << NUMBER_BITS | number) << ENTRY_BITS |
	       (entry - _proc_files_start + 1);
}

/*
 * Returns the process of an inode with a reference, if the caller may inspect it or the file is
 * `for_all`. Otherwise ERR_PTR(-ESRCH, -EACCES). Takes tasks_lock.
 */
struct process *proc_inspect(const struct inode *inode, bool for_all);
/*
 * Returns the number to begin with, in a directory where number 0 has position `base`. A search for
 * one name begins with that number, and so skips all lower ones.
 */
unsigned int proc_first_number(const struct dir_context *context, file_off_t base);
/*
 * Emit the name of a number, at position base + number. False: the buffer is full, or it is the
 * only one that is looked for.
 */
bool proc_emit_number(struct dir_context *context, file_off_t base, unsigned int number,
		      uint64_t inode_number, unsigned int type);
/*
 * Returns the thread with the number, the first thread for 0, or NULL if it has ended. tasks_lock
 * is held. fs/proc/process.c
 */
struct task *proc_thread(struct process *process, unsigned int tid);
/* Returns whether the process has the thread, or had it as its first one. Takes tasks_lock. */
bool process_has_thread(struct process *process, unsigned int tid);

struct memory_use;
struct vma;
/*
 * Count the resident pages of files: use->in_memory and use->of_files. mm->lock is held.
 * fs/proc/smaps.c
 */
void proc_count_kinds(struct mm *mm, struct memory_use *use);

/*
 * Print the line of a VMA in /proc/PID/maps. `buf` has PATH_MAX bytes, for the name of a file.
 * mm->lock is held. May sleep. fs/proc/task.c
 */
void proc_show_area(struct text *text, struct mm *mm, const struct vma *vma, char *buf);
typedef void show_area_function(struct text *text, struct mm *mm, const struct vma *vma, char *buf);
/*
 * Call a function like proc_show_area() for each VMA of a process from the address text->next on,
 * in the order of their addresses, until the text is full. The next part of the text begins with
 * the first VMA that does not fit. A process without an address space has none. Returns 0 or
 * -ENOMEM. May sleep. fs/proc/task.c
 */
int proc_show_areas(struct process *process, struct text *text, show_area_function *show);

struct file_table;
/*
 * Print the locks and the lease of an open file that it or the table owns, each after `lock:`, as
 * fdinfo does. fs/proc/locks.c
 */
void proc_show_file_locks(struct text *text, const struct file *file,
			  const struct file_table *table);

/* fs/proc/text.c: of files that print themselves, and of those that are not text. */
extern const struct file_ops proc_text_ops, proc_bytes_ops;
/*
 * Of a directory /proc/PID. While it is open, file->private is a reference to its process, to which
 * pidfd_send_signal(2) sends. fs/proc/pidfd.c
 */
extern const struct file_ops pid_dir_file_ops;

#endif
