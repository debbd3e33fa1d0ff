/*
 * The journal: what a commit writes before the blocks reach their places, so that after a crash all
 * of a transaction is there or nothing.
 *
 *	data of files	| flush, then	| flush		| later
 *	and the log	| the commit	|		|
 *	written		| block		| committed	| the blocks reach their places
 *
 * 1. A transaction in the log is: descriptors, each followed by copies of the blocks that it names;
 *    revoke blocks, with the numbers of metadata blocks that the transaction has freed; the commit
 *    block. The copies are the lent pages themselves.
 * 2. After the commit block has been flushed, the pages stay lent, and are in log.places: the
 *    newest committed bytes of each block that has not reached its place. A checkpoint writes them
 *    all, flushes, and then lets the log begin anew behind its last transaction. This happens when
 *    the log is half full, when the pages take too much memory, and at the end.
 * 3. A block that is freed leaves log.places when the transaction that frees it has been committed.
 *    Only then can it be used again, so an older copy never overwrites what comes after it, here or
 *    in a replay.
 * 4. The superblock of the file system has the feature RECOVER while the log may be needed.
 * 5. All this is the task's own, but for opening and closing.
 */
#ifndef FS_EXT2_JOURNAL_H
#define FS_EXT2_JOURNAL_H

#include "fs/ext2/ext2.h"
#include "fs/ext2/journal_format.h"

/*
 * Returns how many blocks the file of the journal has, or 0 if there is none or it cannot be read.
 * May sleep.
 */
uint32_t ext2_journal_size(struct ext2_fs *fs, const struct ext2_disk_super *super);
/*
 * Find the journal of a file system, if it has one, and check it. Returns 1, 0 if there is none, or
 * -EINVAL with a line in the log, -EIO, -ENOMEM. May sleep.
 */
int ext2_journal_find(struct ext2_fs *fs, const struct ext2_disk_super *super);
/*
 * Bring the blocks of the transactions in the log to their places, after a crash. The log is empty
 * then, and the file system's metadata is to be read anew. Returns 0, -EINVAL if the journal is
 * damaged, -EIO or -ENOMEM. May sleep.
 */
int ext2_journal_replay(struct ext2_fs *fs);
/*
 * Begin to use the log: the transactions from the next one on go through it. Returns 0, -EIO or
 * -ENOMEM. May sleep.
 */
int ext2_journal_open(struct ext2_fs *fs);
/*
 * Write a closed transaction to the log, as above. Its blocks go to log.places. Returns 0 or -EIO.
 * Called by the task.
 */
int ext2_journal_write(struct ext2_fs *fs, struct ext2_transaction *transaction);
/*
 * Bring everything to its place, and mark the log as empty. Called by the task. Returns 0 or -EIO.
 */
int ext2_journal_close(struct ext2_fs *fs);
/* Forget the journal. The file system is no longer written. */
void ext2_journal_drop(struct ext2_fs *fs);
/* How many blocks a transaction may have before it is committed. */
unsigned int ext2_journal_room(const struct ext2_fs *fs);

/* ---- for fs/ext2/journal.c and replay.c ---- */

/* The device's block of a block of the log. Returns 0 or an error. */
int ext2_journal_place(struct ext2_fs *fs, uint32_t block, uint32_t *place);
/* The block that follows in the log. */
static inline uint32_t ext2_journal_next(const struct ext2_log *log, uint32_t block)
{
	return block + 1 == log->blocks ? log->first : block + 1;
}
/*
 * Write the journal's superblock: the log begins at `start` with transaction `sequence`. start 0:
 * it is empty. Waits for memory. Returns 0, -EIO, or -ERESTARTSYS after a SIGKILL. May sleep.
 */
int ext2_journal_set_start(struct ext2_fs *fs, uint32_t start, uint32_t sequence);

#endif
