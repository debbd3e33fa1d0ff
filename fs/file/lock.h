/*
 * Advisory locks on files: fcntl(F_SETLK), open file description locks, and flock.
 *
 * 1. A lock belongs to an owner: a file table (F_SETLK) or an open file (F_OFD_SETLK, flock). It
 *    covers a range of bytes, first to last, for reading or for writing.
 * 2. Two locks of different owners conflict if they overlap and one of them is for writing. Record
 *    locks (both forms of fcntl) and flock do not see each other.
 * 3. An owner's record locks on a file never overlap, and adjacent ones of one kind are one lock.
 * 4. A table's locks on a file go away when the table closes any descriptor of that file. An open
 *    file's locks go away with the open file.
 * 5. locks_lock, a plain spinlock, guards the locks of all inodes, and the lists of all locks and
 *    of those who wait.
 */
#ifndef FS_FILE_LOCK_H
#define FS_FILE_LOCK_H

#include "fs/file/open_file.h"

/* Kinds of record locks, and of leases (fs/file/lease.h). */
enum { F_RDLCK = 0, F_WRLCK = 1, F_UNLCK = 2 };

enum advisory_kind { ADVISORY_RECORD, ADVISORY_FLOCK };

struct file_lock {
	struct file_lock *next; /* inode->locks, in the order of `first` */
	struct list link;	/* all locks, in the order in which they were set */
	struct inode *inode;	/* set by lock_set() */
	const void *owner;
	enum advisory_kind kind;
	bool write;
	file_off_t first, last; /* bytes; `last` is FILE_LOCK_END for all that may come */
	int32_t pid;		/* the process, or -1 for a record lock of an open file */
};
#define FILE_LOCK_END INT64_MAX

/* Is it a record lock whose owner is an open file? */
static inline bool lock_is_of_file(const struct file_lock *lock)
{
	return lock->kind == ADVISORY_RECORD && lock->pid == -1;
}

/*
 * Set a lock on the file's inode, in place of what its owner has in the range. With `wait`, sleep
 * until no lock conflicts. Returns 0, -EAGAIN if one does, -EDEADLK if waiting would never end,
 * -ENOLCK if there are too many locks or no memory, or -ERESTARTSYS.
 */
int lock_set(struct file *file, const struct file_lock *lock, bool wait);
/* Returns true if the owner has a lock of this kind on all of the range. Never sleeps. */
bool lock_has(struct file *file, const struct file_lock *wanted);
/* Remove the owner's locks in the range. Returns 0, or -ENOLCK: a lock may have to be divided. */
int lock_clear(struct file *file, const struct file_lock *range);
/* Find the first lock that conflicts. Returns false if there is none. Never sleeps. */
bool lock_conflict(struct file *file, const struct file_lock *lock, struct file_lock *found);

/*
 * Tells of a lock, or with `waits` of one that waits for the lock that was told before. Must not
 * sleep. Returns false to hear no more.
 */
typedef bool tell_lock_function(void *context, const struct file_lock *lock, bool waits);
/*
 * Tell of all locks but the first `skipped`, each before those that wait for it. Returns how many
 * locks there are, or have been told. Never sleeps.
 */
size_t locks_tell(size_t skipped, tell_lock_function *tell, void *context);
/* Tell of the locks in a file. Never sleeps. */
void locks_tell_file(const struct file *file, tell_lock_function *tell, void *context);

/* ---- fs/file/lock_calls.c ---- */

/* Is it a command of fcntl about locks? */
bool is_lock_command(unsigned int command);
/* Carry out such a command on the file of a descriptor. Returns 0 or an error. May sleep. */
long fcntl_lock(unsigned int fd, struct file *file, unsigned int command, void __user *argument);

/* ---- fs/file/lock.c ---- */

void lock_drop_owner_slow(struct inode *inode, const void *owner);
/*
 * Remove all locks of an owner that has closed the file or goes away. Never sleeps. No other task
 * can set a lock for this owner at the same time, except where the caller of lock_set() checks for
 * that.
 */
static inline void lock_drop_owner(struct file *file, const void *owner)
{
	struct inode *inode = file->inode; /* NULL: the open has failed */

	if (inode && unlikely(READ_ONCE(inode->locks) != NULL))
		lock_drop_owner_slow(inode, owner);
}

#endif
