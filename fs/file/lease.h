/*
 * Leases on files (F_SETLEASE): the holder is told before another open file can conflict with it.
 *
 * 1. A lease belongs to an open file. One for reading (F_RDLCK) is broken by an open for writing
 *    and by truncate(2), and one for writing (F_WRLCK) by every open. A lease is refused while such
 *    an open file exists.
 * 2. To break a lease, an open sends the owner of the holder's file a signal (fs/file/owner.h), and
 *    sleeps until the holder has given the lease up or has reduced it. After lease_break_time
 *    seconds the lease ends by itself.
 * 3. An open counts itself (inode->busy, inode->readers) before it looks for leases. F_SETLEASE
 *    enters a lease before it looks at these counts, and takes it back if they forbid it. So one of
 *    the two sees the other.
 * 4. leases_lock, a plain spinlock, guards all leases. It is taken before tasks_lock.
 * 5. As long as there are no leases, an open and a close cost a load of nr_leases.
 */
#ifndef FS_FILE_LEASE_H
#define FS_FILE_LEASE_H

#include "fs/file/open_file.h"

extern unsigned int nr_leases;	      /* guarded by leases_lock; may be read without it */
extern unsigned int lease_break_time; /* seconds; 0: no limit. /proc/sys/fs/lease-break-time */
extern bool leases_enabled;	      /* /proc/sys/fs/leases-enable */

/*
 * F_SETLEASE on the file of a descriptor: `type` is F_RDLCK, F_WRLCK or F_UNLCK. Returns 0,
 * -EINVAL, -EACCES, -EAGAIN, -ENOMEM or -ERESTARTSYS. May sleep.
 */
long lease_set(unsigned int fd, struct file *file, unsigned int type);
/*
 * F_GETLEASE: returns the type of the file's lease, or, while it is being broken, what it may stay.
 * Never sleeps.
 */
long lease_get(struct file *file);

struct lease_state {
	const struct file *file;
	int pid;	   /* of the process that has set the lease */
	unsigned int type; /* as lease_get() returns it */
	bool breaking;
};
/*
 * Tell of all leases but the first `skipped`. The function must not sleep, and returns false to
 * hear no more. Never sleeps.
 */
void leases_tell(size_t skipped, bool (*tell)(void *, const struct lease_state *), void *context);

int lease_break_slow(struct inode *inode, bool write, bool wait);
void lease_drop_slow(struct file *file);

/*
 * Break the leases that an open of the inode, for writing or only for reading, conflicts with.
 * Returns 0, -EAGAIN if there are some and the caller does not wait, or -ERESTARTSYS. May sleep.
 */
static inline int lease_break(struct inode *inode, bool write, bool wait)
{
	return unlikely(READ_ONCE(nr_leases)) ? lease_break_slow(inode, write, wait) : 0;
}
/* The file is closed. Never sleeps. */
static inline void lease_drop(struct file *file)
{
	if (unlikely(READ_ONCE(nr_leases)))
		lease_drop_slow(file);
}

#endif
