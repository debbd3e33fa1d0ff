/*
 * Descriptors of processes, for clone(2) and waitid(2).
 */
#ifndef FS_PROC_PIDFD_H
#define FS_PROC_PIDFD_H

#include "fs/file/open_file.h"

struct process;

/*
 * Make an open file that stands for a process, to which the caller has a reference. Of the flags,
 * O_NONBLOCK counts. Returns it, or ERR_PTR(-ENFILE, -ENOMEM). May sleep.
 */
struct file *pidfd_file(struct process *process, unsigned int flags);
/*
 * Returns the process that a descriptor stands for, with a reference, and the flags of its file, or
 * ERR_PTR(-EBADF) if it is not a pidfd. Never sleeps, except to close the file.
 */
struct process *pidfd_process(unsigned int number, unsigned int *flags);

#endif
