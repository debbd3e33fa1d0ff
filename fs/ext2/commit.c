/*
 * Commits: storing what has changed since the last one. fs/ext2/ext2.h has the contract.
 *
 * 1. The task closes the running transaction with fs->lock held, and does the rest without it,
 *    while operations go on in the next transaction.
 * 2. The task runs nothing of a process, so no signal ends its waits. When memory is short it waits
 *    until there is some: a transaction that is closed has to be stored as a whole.
 * 3. The references to inodes are dropped after the commit. That may delete an inode, which is an
 *    operation of its own.
 */
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/ext2/batch.h"
#include "fs/ext2/blocks.h"
#include "fs/ext2/journal.h"
#include "kernel/log.h"
#include "kernel/task.h"

#define COMMIT_SECONDS 5u
#define WRITE_ROUNDS   2u

static void transaction_init(struct ext2_transaction *transaction, uint32_t id)
{
	WRITE_ONCE(transaction->id, id);
	list_init(&transaction->blocks);
	WRITE_ONCE(transaction->nr_blocks, 0);
	WRITE_ONCE(transaction->nr_freed, 0);
	WRITE_ONCE(transaction->nr_revoked, 0);
	radix_init(&transaction->freed);
	list_init(&transaction->inodes);
}

/* ---- closing a transaction ---- */

/* Store an inode. Only an error of the disk ends this. */
static int store(struct ext2_fs *fs, struct ext2_inode *own)
{
	int error;

	do {
		fs->undo.nr_edits = fs->undo.nr_bytes = 0; /* it stays, whatever comes later */
		error = ext2_store_inode(own->inode);
		if (error == -ENOMEM)
			ext2_wait_for_memory();
	} while (error == -ENOMEM);
	return error;
}

static int store_orphans(struct ext2_fs *fs)
{
	int error;

	if (!fs->orphans_changed)
		return 0;
	while ((error = ext2_store_orphans(fs)) == -ENOMEM)
		ext2_wait_for_memory();
	WRITE_ONCE(fs->orphans_changed, false);
	return error;
}

/*
 * The next inode that has changed, out of the list. If `tied`, only those that an operation of this
 * transaction has changed. NULL: there is none.
 */
static struct ext2_inode *next_changed(struct ext2_fs *fs, bool tied)
{
	struct ext2_inode *own, *found = NULL;

	spin_lock(&fs->changed_lock);
	list_for_each(own, &fs->changed, changed) {
		if (tied && !own->tied)
			continue;
		found = own;
		break;
	}
	if (found) {
		list_del(&found->changed);
		found->tied = false;
		fs->nr_changed--;
	}
	spin_unlock(&fs->changed_lock);
	return found;
}

/* Does the transaction take no more inodes, because of the size of the journal? */
static bool is_full(const struct ext2_fs *fs)
{
	return fs->log.active && fs->running->nr_blocks > 2 * ext2_journal_room(fs);
}

/*
 * Store the inodes that have changed, in the running transaction. If that becomes full, those that
 * no operation has changed stay for the next one.
 */
static int store_changed(struct ext2_fs *fs)
{
	struct ext2_inode *own;
	int error = 0;

	for (bool tied = true;;) {
		int failed;

		own = next_changed(fs, tied);
		if (!own && !tied)
			return error;
		if (!own) {
			tied = false;
			continue;
		}
		/* It has changed again since it was stored. One of its two references is enough. */
		if (!list_empty(&own->committing)) {
			list_del(&own->committing);
			inode_put(own->inode);
		}
		list_add_tail(&fs->running->inodes, &own->committing);
		failed = store(fs, own);
		error = error ? error : failed;
		if (!tied && is_full(fs))
			return error;
	}
}

/* Bring the counts in the superblock up to date. */
static int store_counts(struct ext2_fs *fs)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	unsigned int offset = place.offset + offsetof(struct ext2_disk_super, free_blocks);
	uint32_t counts[2] = { fs->free_blocks, fs->free_inodes };
	int error;

	if (fs->stored_blocks == counts[0] && fs->stored_inodes == counts[1])
		return 0;
	do {
		fs->undo.nr_edits = fs->undo.nr_bytes = 0;
		error = ext2_edit(fs, place.block, offset, counts, sizeof(counts));
		if (error == -ENOMEM)
			ext2_wait_for_memory();
	} while (error == -ENOMEM);
	fs->stored_blocks = counts[0];
	fs->stored_inodes = counts[1];
	return error;
}

/* Promise the bytes of the blocks: whoever changes them from now on changes a copy. */
static void lend_blocks(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct ext2_block *block;

	list_for_each(block, &transaction->blocks, link) {
		(void)page_lock(block->page, TASK_UNINTERRUPTIBLE);
		page_clear_dirty(&fs->metadata->mapping, block->page);
		block->page->private = 0;
		page_unlock(block->page);
		(void)page_lend(block->page); /* it is in its file, and not mapped */
	}
}

/*
 * Start the next transaction, if all inodes that have changed are stored. Otherwise an inode that
 * changes now would seem to be part of the closed transaction:
 *
 *	task				fsync
 *	finds no inode that has changed
 *					changes an inode: it is in the running transaction
 *	starts the next transaction
 *					waits for the old one, and returns
 */
static bool start_next(struct ext2_fs *fs, struct ext2_transaction *next)
{
	bool start;

	spin_lock(&fs->changed_lock);
	start = list_empty(&fs->changed) || is_full(fs);
	if (start) {
		if (!list_empty(&fs->changed))
			WRITE_ONCE(fs->left, fs->running->id);
		WRITE_ONCE(fs->committing, fs->running);
		WRITE_ONCE(fs->running, next);
	}
	spin_unlock(&fs->changed_lock);
	return start;
}

//BOOK: ext2-close
/*
 * Close the running transaction, and start another one. Returns the closed one, which may have no
 * blocks.
 */
static struct ext2_transaction *close_running(struct ext2_fs *fs)
{
	struct ext2_transaction *closed, *next;

	mutex_lock(&fs->lock);
	closed = fs->running;
	next = closed == fs->transactions ? fs->transactions + 1 : fs->transactions;
	transaction_init(next, closed->id + 1);
	if (store_orphans(fs) || store_counts(fs))
		fs->error = -EIO;
	do
		if (store_changed(fs))
			fs->error = -EIO;
	while (!start_next(fs, next));
	ext2_end_visits(fs);
	lend_blocks(fs, closed);
	mutex_unlock(&fs->lock);
	return closed;
}

/* ---- writing ---- */

bool ext2_data_lasts(const struct inode *inode)
{
	return inode->nr_links > 0 && inode->mapping.ops;
}

/*
 * Start to write the bytes of the files that the transaction has stored. They are on their way to
 * the disk together with the transaction. ext2_finish_data() tries again what could not be started.
 */
static void start_data(const struct ext2_transaction *transaction)
{
	struct ext2_inode *own;

	list_for_each(own, &transaction->inodes, committing)
		if (ext2_data_lasts(own->inode))
			(void)mapping_start_write(&own->inode->mapping);
}

/* A write that has failed leaves its page dirty, so the next round writes it once more. */
static int finish_file(struct mapping *mapping)
{
	for (unsigned int round = 0; round < WRITE_ROUNDS; round++) {
		int error;

		/* At once: a store that is delayed could hide a failure that comes meanwhile. */
		(void)__atomic_exchange_n(&mapping->failed_for_commit, false, __ATOMIC_SEQ_CST);
		while ((error = mapping_write(mapping)) == -ENOMEM)
			ext2_wait_for_memory();
		if (error)
			return error;
		if (!mapping->failed_for_commit)
			return 0;
	}
	return -EIO;
}

//BOOK: ext2-finish-data
int ext2_finish_data(const struct ext2_transaction *transaction)
{
	struct ext2_inode *own;
	int error = 0;

	list_for_each(own, &transaction->inodes, committing) {
		struct mapping *mapping = &own->inode->mapping;

		if (!error && ext2_data_lasts(own->inode))
			error = finish_file(mapping);
		/* After the commit, another file may get blocks that are still being written. */
		else if (!error && atomic_read(&mapping->writing) > 0)
			(void)mapping_write(mapping);
	}
	return error;
}

/* Write the lent blocks to their places. Returns 0 or -EIO. */
static int write_blocks(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct ext2_batch batch = { .fs = fs };
	struct ext2_block *block;
	int error = ext2_finish_data(transaction);

	if (error)
		return error;
	list_for_each(block, &transaction->blocks, link)
		ext2_batch_add(&batch, block->page->index, block->page);
	error = ext2_batch_finish(&batch);
	return error ? error : ext2_flush(fs);
}

static int write_transaction(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	if (fs->error)
		return fs->error;
	start_data(transaction);
	return fs->log.active ? ext2_journal_write(fs, transaction) : write_blocks(fs, transaction);
}

static void finish(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	while (!list_empty(&transaction->blocks)) {
		struct ext2_block *block =
			list_first(&transaction->blocks, struct ext2_block, link);

		page_unlend(block->page);
		ext2_block_free(block);
	}
	/* Operations look at these two together, to find blocks that can be used. */
	mutex_lock(&fs->lock);
	ext2_freed_are_free(fs, transaction);
	WRITE_ONCE(fs->committing, NULL);
	mutex_unlock(&fs->lock);
}

/* Commit the running transaction. */
static void commit(struct ext2_fs *fs)
{
	struct ext2_transaction *transaction = close_running(fs);

	if (write_transaction(fs, transaction) && !fs->error)
		fs->error = -EIO;
	if (fs->error && !fs->told) {
		log_error("ext2: %s: writing has failed; nothing is written to it any more",
			  fs->sb->device->name);
		fs->told = true;
	}
	finish(fs, transaction);
	fs->committed = transaction->id;
	wake_all(&fs->commit_queue);
	list_splice_tail(&fs->done, &transaction->inodes);
}

/*
 * Drop the references of what has been committed. That may delete inodes, and operations of this
 * task commit by themselves when there is much to store. Then there is more afterwards.
 */
static void drop_done(struct ext2_fs *fs)
{
	do {
		uint32_t last = fs->committed;
		struct list done;

		list_init(&done);
		list_splice_tail(&done, &fs->done);
		while (!list_empty(&done)) {
			struct ext2_inode *own = list_first(&done, struct ext2_inode, committing);

			list_del(&own->committing);
			inode_put(own->inode);
		}
		fs->dropped = last;
		wake_all(&fs->commit_queue);
	} while (fs->dropped != fs->committed);
}

/* ---- the task ---- */

static void close_log(struct ext2_fs *fs)
{
	if (fs->log.active && ext2_journal_close(fs) && !fs->error)
		fs->error = -EIO;
	fs->close_log = false;
	wake_all(&fs->commit_queue);
}

static bool commit_is_wanted(const struct ext2_fs *fs)
{
	return (int32_t)(fs->wanted - fs->committed) > 0;
}

static bool is_wanted(const struct ext2_fs *fs)
{
	return fs->stop || fs->close_log || fs->due || commit_is_wanted(fs);
}

/* The timer runs on while commits come and go, so that a commit costs no timer of its own. */
static void commit_is_due(struct timer *timer)
{
	struct ext2_fs *fs = container_of(timer, struct ext2_fs, timer);

	fs->due = true;
	wake_all(&fs->task_queue);
	timer_repeat(timer, time_now() + COMMIT_SECONDS * NSEC_PER_SEC);
}

bool ext2_has_changes(struct ext2_fs *fs)
{
	bool changed;

	spin_lock(&fs->changed_lock);
	changed = !list_empty(&fs->changed);
	spin_unlock(&fs->changed_lock);
	return changed || READ_ONCE(fs->running->nr_blocks) > 0 || READ_ONCE(fs->orphans_changed);
}

static void commit_task(void *arg)
{
	struct ext2_fs *fs = arg;
	bool stop, close;

	fs->task = current;
	do {
		(void)wait_event_interruptible(&fs->task_queue, is_wanted(fs));
		/* First: a change that comes later waits for the next time. */
		fs->due = false;
		stop = fs->stop;
		close = fs->close_log;
		while (ext2_has_changes(fs) || commit_is_wanted(fs)) {
			commit(fs);
			drop_done(fs);
			/* What has changed since is due later, unless it is the end. */
			if (!stop && !close)
				break;
		}
		if (close)
			close_log(fs);
	} while (!stop);
	/* ext2_commit_stop() does not return while this holds the lock, so `fs` stays. */
	spin_lock(&fs->changed_lock);
	fs->stopped = true;
	wake_all(&fs->commit_queue);
	spin_unlock(&fs->changed_lock);
}

int ext2_commit_start(struct ext2_fs *fs)
{
	fs->stop = fs->stopped = fs->due = false;
	fs->running = fs->transactions;
	transaction_init(fs->running, fs->committed + 1);
	fs->wanted = fs->dropped = fs->committed;
	fs->left = fs->committed - 1;
	if (IS_ERR(kernel_task_start("ext2 commit", commit_task, fs)))
		return -ENOMEM;
	fs->timer.function = commit_is_due;
	timer_start(&fs->timer, time_now() + COMMIT_SECONDS * NSEC_PER_SEC);
	return 0;
}

int ext2_commit_stop(struct ext2_fs *fs)
{
	fs->stop = true;
	wake_all(&fs->task_queue);
	wait_event(&fs->commit_queue, fs->stopped);
	(void)timer_stop(&fs->timer);
	spin_lock(&fs->changed_lock); /* the task has released it */
	spin_unlock(&fs->changed_lock);
	return fs->error;
}

void ext2_commit_want(struct ext2_fs *fs, uint32_t id)
{
	uint32_t old = fs->wanted, seen;

	while ((int32_t)(id - old) > 0) {
		seen = __sync_val_compare_and_swap(&fs->wanted, old, id);
		if (seen == old)
			break;
		old = seen;
	}
	wake_all(&fs->task_queue);
}

int ext2_commit_close_log(struct ext2_fs *fs)
{
	fs->close_log = true;
	wake_all(&fs->task_queue);
	wait_event(&fs->commit_queue, !fs->close_log || fs->stopped);
	return fs->error;
}

int ext2_commit_wait(struct ext2_fs *fs, uint32_t id)
{
	int error;

	if (current == fs->task) {
		commit(fs);
		return fs->error;
	}
	ext2_commit_want(fs, id);
	error = wait_event_killable(&fs->commit_queue,
				    (int32_t)(fs->committed - id) >= 0 || fs->stopped);
	return error ? error : fs->error;
}
