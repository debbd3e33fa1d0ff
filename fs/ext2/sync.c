/*
 * What ext2 does when something has changed, or has to last: the list of the inodes that the next
 * commit stores, fsync and sync, and the wait for all commits when a file system ends.
 */
#include "fs/cache/writeback.h"
#include "fs/ext2/batch.h"

/* This many inodes have changed without an operation: the task stores them. */
#define LOOSE_MAX 256u

/* ---- inodes that have changed ---- */

/*
 * Enter an inode into the list of those that have changed, with a reference. Returns how many there
 * are.
 */
static unsigned int note_changed(struct inode *inode, bool tied)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	unsigned int nr;

	if (!own || own->leaving || !READ_ONCE(fs->writable))
		return 0;
	spin_lock(&fs->changed_lock);
	own->transaction = READ_ONCE(fs->running)->id;
	own->tied |= tied;
	if (list_empty(&own->changed)) {
		list_add_tail(&fs->changed, &own->changed);
		fs->nr_changed++;
		inode_get(inode);
	}
	nr = fs->nr_changed;
	spin_unlock(&fs->changed_lock);
	return nr;
}

void ext2_changed(struct inode *inode)
{
	(void)note_changed(inode, true);
}

void ext2_touched(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);

	if (note_changed(inode, false) < LOOSE_MAX)
		return;
	ext2_commit_want(fs, READ_ONCE(fs->running)->id);
}

void ext2_unchanged(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	bool listed;

	spin_lock(&fs->changed_lock);
	listed = !list_empty(&own->changed);
	if (listed) {
		list_del(&own->changed);
		own->tied = false;
		fs->nr_changed--;
	}
	spin_unlock(&fs->changed_lock);
	if (listed)
		inode_put(inode);
}

/* ---- waiting for commits ---- */

/*
 * Have the transactions up to `last` stored all inodes that have changed in transaction `id` or
 * before, also those that a full one has left behind?
 */
static bool covers(const struct ext2_fs *fs, uint32_t last, uint32_t id)
{
	return (int32_t)(id - last) <= 0 && (int32_t)(READ_ONCE(fs->left) - last) < 0;
}

static bool is_committed(const struct ext2_fs *fs, uint32_t id)
{
	return covers(fs, fs->committed, id);
}

/* Wait until that is so. */
static int wait_for_inodes(struct ext2_fs *fs, uint32_t id)
{
	int error = 0;

	while (!error && !fs->stopped && !is_committed(fs, id)) {
		uint32_t next = fs->committed + 1;

		error = ext2_commit_wait(fs, (int32_t)(id - next) > 0 ? id : next);
	}
	return error;
}

/*
 * The file has changed in the running transaction, which has not been closed yet. So all bytes that
 * it has now are written by the commit of that transaction.
 */
static int sync_with_commit(struct ext2_fs *fs, struct inode *inode, uint32_t id)
{
	int error = wait_for_inodes(fs, id), failed = mapping_take_error(&inode->mapping);

	return failed ? failed : error;
}

int ext2_fsync(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	uint32_t id = ext2_own(inode)->transaction;
	int error;

	if (READ_ONCE(fs->writable) && id == READ_ONCE(READ_ONCE(fs->running)->id) &&
	    ext2_data_lasts(inode))
		return sync_with_commit(fs, inode, id);
	error = mapping_sync(&inode->mapping);
	if (!error && READ_ONCE(fs->writable) && !is_committed(fs, id))
		error = wait_for_inodes(fs, id);
	if (!error && fs->error)
		error = -EIO;
	/* A commit that was running may have flushed the disk before the bytes were written. */
	return error ? error : ext2_flush(fs);
}

/*
 * The transaction whose commit stores the last change so far. Needs fs->lock: a commit that closes
 * its transaction takes the inodes out of the list before it stores them.
 */
static uint32_t last_change(struct ext2_fs *fs)
{
	uint32_t running = fs->running->id;

	return ext2_has_changes(fs) || fs->committed + 1 != running ? running : running - 1;
}

int ext2_commit_all(struct ext2_fs *fs)
{
	int error = mutex_lock_killable(&fs->lock);
	uint32_t id, last;
	bool changed;

	if (error)
		return error;
	id = last_change(fs);
	mutex_unlock(&fs->lock);
	changed = !is_committed(fs, id);
	if (changed)
		error = wait_for_inodes(fs, id);
	last = fs->committed;
	if (!error)
		error = wait_event_killable(&fs->commit_queue,
					    (int32_t)(fs->dropped - last) >= 0 || fs->stopped);
	return error ? error : changed;
}

int ext2_sync(struct super_block *sb)
{
	struct ext2_fs *fs = sb->private;
	int changed;

	if (!READ_ONCE(fs->writable))
		return fs->error;
	changed = ext2_commit_all(fs);
	if (changed < 0)
		return changed;
	if (fs->error)
		return fs->error;
	return changed ? 0 : ext2_flush(fs);
}

/*
 * Commit what has changed. Then the deletion of an inode may have changed something, so look again.
 * Returns true if nothing had changed, and no inode is held any more.
 */
static bool settle_once(struct ext2_fs *fs)
{
	uint32_t dropped = fs->dropped, id, next; /* read first: deletions come before it changes */

	mutex_lock(&fs->lock);
	id = last_change(fs);
	mutex_unlock(&fs->lock);
	if (covers(fs, dropped, id))
		return true;
	next = (int32_t)(id - dropped) > 0 ? id : dropped + 1;
	ext2_commit_want(fs, next);
	wait_event(&fs->commit_queue, (int32_t)(fs->dropped - next) >= 0 || fs->stopped);
	return fs->stopped;
}

void ext2_settle(struct super_block *sb)
{
	struct ext2_fs *fs = sb->private;

	if (!READ_ONCE(fs->writable))
		return;
	while (!settle_once(fs))
		;
}
