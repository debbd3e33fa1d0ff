/*
 * The owner of an open file: who gets a signal when bytes can be read or written (F_SETOWN,
 * F_SETSIG, O_ASYNC), when a lease is broken, and when something happens in a directory (F_NOTIFY).
 */
#ifndef FS_FILE_OWNER_H
#define FS_FILE_OWNER_H

#include "fs/file/open_file.h"

enum { /* commands of fcntl(2) */
       F_SETOWN = 8,
       F_GETOWN = 9,
       F_SETSIG = 10,
       F_GETSIG = 11,
       F_SETOWN_EX = 15,
       F_GETOWN_EX = 16,
};

/*
 * Do one of these commands. Returns its result, or -EINVAL, -ESRCH, -EFAULT or -ENOMEM. May sleep.
 */
long file_owner_fcntl(struct file *file, unsigned int command, unsigned long argument);
/* The same for ioctl(2) on a socket: FIOSETOWN and FIOGETOWN. `to` and `from` point to a number. */
long file_owner_from_user(struct file *file, const void __user *from);
long file_owner_to_user(struct file *file, void __user *to);
/*
 * Begin or stop sending signals, as O_ASYNC says. `fd` is the descriptor that the signals will
 * tell. The caller then sets the flag. Does nothing for a file without signals. Returns 0, -ENOMEM
 * or -ERESTARTSYS. May sleep.
 */
long file_set_async(struct file *file, unsigned int fd, bool on);
/*
 * Make the current process the owner of the file, unless there is one, and note the descriptor that
 * signals will tell. Returns 0 or -ENOMEM. May sleep.
 */
long file_owner_default(struct file *file, unsigned int fd);
/*
 * Send the owner, which the file must have, a signal with the code POLL_MSG. Takes tasks_lock.
 * Never sleeps.
 */
void file_owner_tell(struct file *file);
/*
 * Name nobody as the owner, which the file must have, and SIGIO as the signal. Takes tasks_lock.
 * Never sleeps.
 */
void file_owner_forget(struct file *file);
/* The last reference to a file with an owner has gone. Its queues still exist. May sleep. */
void file_owner_free(struct file *file);

#endif
