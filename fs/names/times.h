/*
 * The times of a file: when it was last read (atime), and when its bytes (mtime) or anything about
 * it (ctime) last changed.
 *
 * 1. Whatever changes the bytes of a file, or the names in a directory, calls inode_modified().
 *    Whatever changes something else about it calls inode_status_changed(). inode->lock is held, or
 *    nobody else knows the inode yet.
 * 2. The access time follows the rule that mounts have by default on Linux, `relatime`: a read sets
 *    it if the file has changed since the last read, or if it is a day old. A mount with
 *    `strictatime` sets it each time, `noatime` never, and `nodiratime` not for directories.
 *    O_NOATIME spares the file that is open with it.
 * 3. Most reads find that there is nothing to do, and must find it quickly. Therefore an inode
 *    notes in which round (access_round) its access time was found to be right. A change of the
 *    inode clears the note. A new round begins every hour, and whenever a mount is given other
 *    flags. So a read compares two numbers.
 * 4. The note is made before the times are looked at, and cleared after they are changed. Otherwise
 *
 *	reader					writer
 *	the access time is right
 *						sets mtime, clears the note
 *	makes the note: the next reads leave the access time older than mtime
 *
 * 5. A file system stores an access time as it stores a time of modification: later, and in no
 *    operation of its own. Readers do not hold inode->lock, so of two reads at once either may have
 *    the last word.
 */
#ifndef FS_NAMES_TIMES_H
#define FS_NAMES_TIMES_H

#include "fs/file/open_file.h"
#include "fs/names/vfs.h"

extern uint32_t access_round; /* never 0 */

/*
 * Begin a new round: the flags of a mount, or the access of a file system, have changed. Never
 * sleeps.
 */
void access_new_round(void);

/* Set mtime and ctime, or only ctime, to the present. See 1. They never sleep. */
void inode_modified(struct inode *inode);
void inode_status_changed(struct inode *inode);

/* Slow paths of the two functions below. */
void file_note_access(struct file *file);
void inode_note_access(struct mount *mount, struct inode *inode);

/*
 * The file has been read, or mapped, by way of an open file. It is neither a FIFO nor a socket.
 * Never sleeps, and needs no lock.
 */
static inline void file_accessed(struct file *file)
{
	if (unlikely(file->inode->access_round != READ_ONCE(access_round)))
		file_note_access(file);
}

/* A symbolic link that is seen through a mount has been read. Never sleeps, and needs no lock. */
static inline void link_accessed(struct mount *mount, struct inode *link)
{
	if (unlikely(link->access_round != READ_ONCE(access_round)))
		inode_note_access(mount, link);
}

#endif
