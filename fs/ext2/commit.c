/*
 * Commits: storing what has changed since the last one. fs/ext2/ext2.h has the contract.
 *
 * 1. The task closes the running transaction with fs->lock held, and does the rest without it, while
 *    operations go on in the next transaction.
 * 2. The task runs nothing of a process, so no signal ends its waits. When memory is short it waits until there is
 *    some: a transaction that is closed has to be stored as a whole.
 * 3. The references to inodes are dropped after the commit. That may delete an inode, which is an
 *    operation of its own.
 */
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/ext2/blocks.h"
#include "fs/names/mount.h"
#include "kernel/log.h"
#include "kernel/task.h"
#include "lib/string.h"

#define COMMIT_SECONDS 5u
#define BATCH	       16u /* bios in flight */
#define MEMORY_WAIT    (10 * NSEC_PER_MSEC)

static void wait_for_memory(void)
{
	current->state = TASK_UNINTERRUPTIBLE; /* only the clock wakes it */
	(void)schedule_until(time_now() + MEMORY_WAIT);
}

static void transaction_init(struct ext2_transaction *transaction, uint32_t id)
{
	transaction->id = id;
	list_init(&transaction->blocks);
	transaction->nr_blocks = transaction->nr_freed = 0;
	radix_init(&transaction->freed);
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
			wait_for_memory();
	} while (error == -ENOMEM);
	return error;
}

/* Move the inodes that have changed to `inodes`, and store them. */
static int store_changed(struct ext2_fs *fs, struct list *inodes)
{
	int error = 0;

	for (;;) {
		struct ext2_inode *own = NULL;
		int failed;

		spin_lock(&fs->changed_lock);
		if (!list_empty(&fs->changed)) {
			own = list_first(&fs->changed, struct ext2_inode, changed);
			list_del(&own->changed);
		}
		spin_unlock(&fs->changed_lock);
		if (!own)
			return error;
		list_add_tail(inodes, &own->committing);
		failed = store(fs, own);
		error = error ? error : failed;
	}
}

/* Bring the counts in the superblock up to date. */
static int store_counts(struct ext2_fs *fs)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	unsigned int offset = place.offset + offsetof(struct ext2_disk_super, free_blocks);
	uint32_t counts[2] = { fs->free_blocks, fs->free_inodes }, old[2];
	int error = ext2_read(fs, place.block, offset, old, sizeof(old));

	fs->undo.nr_edits = fs->undo.nr_bytes = 0;
	if (!error && memcmp(counts, old, sizeof(counts)) != 0)
		do {
			error = ext2_edit(fs, place.block, offset, counts, sizeof(counts));
			if (error == -ENOMEM)
				wait_for_memory();
		} while (error == -ENOMEM);
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
 * Close the running transaction, and start another one. Returns it, or NULL if it is empty. The inodes that it stores
 * are added to `inodes`.
 */
static struct ext2_transaction *close_running(struct ext2_fs *fs, struct list *inodes)
{
	struct ext2_transaction *closed, *next;

	mutex_lock(&fs->lock);
	closed = fs->running;
	if (store_changed(fs, inodes) || store_counts(fs))
		fs->error = -EIO;
	next = closed == fs->transactions ? fs->transactions + 1 : fs->transactions;
	transaction_init(next, closed->id + 1);
	lend_blocks(fs, closed);
	fs->committing = closed;
	spin_lock(&fs->changed_lock);
	WRITE_ONCE(fs->running, next);
	spin_unlock(&fs->changed_lock);
	mutex_unlock(&fs->lock);
	return closed;
}

/* ---- writing ---- */

/* Write the bytes of a file that has got blocks in this transaction. */
static int write_data(struct inode *inode)
{
	int error;

	if (inode->nr_links == 0 || !inode->mapping.ops)
		return 0;
	while ((error = mapping_write(&inode->mapping)) == -ENOMEM)
		wait_for_memory();
	return error ? error : inode->mapping.write_error;
}

struct batch {
	struct bio *bios[BATCH];
	unsigned int nr;
	struct atomic left;
	int error;
};

static void finish_batch(struct ext2_fs *fs, struct batch *batch)
{
	if (batch->nr == 0)
		return;
	bio_submit_all(batch->bios, batch->nr, &batch->left);
	(void)bio_wait_all(&batch->left);
	for (unsigned int i = 0; i < batch->nr; i++) {
		if (batch->bios[i]->error)
			batch->error = -EIO;
		bio_free(batch->bios[i]);
	}
	batch->nr = 0;
}

/* Returns a bio for the block, which is in the batch. Waits for memory. */
static struct bio *add_bio(struct ext2_fs *fs, struct batch *batch, uint32_t number)
{
	uint64_t sector = (uint64_t)number << (fs->layout.block_shift - SECTOR_SHIFT);
	struct bio *bio;

	if (batch->nr == BATCH)
		finish_batch(fs, batch);
	while (!(bio = bio_alloc(fs->sb->device, sector, true, 0))) {
		finish_batch(fs, batch);
		wait_for_memory();
	}
	batch->bios[batch->nr++] = bio;
	return bio;
}

/* Write the lent blocks to their places. Returns 0 or -EIO. */
static int write_blocks(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct batch batch = { .nr = 0 };
	struct ext2_block *block;
	struct bio *bio = NULL;
	uint32_t next = 0;

	list_for_each(block, &transaction->blocks, link) {
		uint32_t number = block->page->index;

		if (!bio || number != next ||
		    !bio_add(bio, block->page, 0, fs->layout.block_size)) {
			bio = add_bio(fs, &batch, number);
			bio_add(bio, block->page, 0, fs->layout.block_size);
		}
		next = number + 1;
	}
	finish_batch(fs, &batch);
	return batch.error;
}

static int flush(struct ext2_fs *fs)
{
	struct block_device *device = fs->sb->device;

	return device->ops->flush ? device->ops->flush(device) : 0;
}

static int write_transaction(struct ext2_fs *fs, struct ext2_transaction *transaction,
			     struct list *inodes)
{
	struct ext2_inode *own;
	int error = fs->error;

	list_for_each(own, inodes, committing)
		if (!error)
			error = write_data(own->inode);
	if (!error)
		error = write_blocks(fs, transaction);
	return error ? error : flush(fs);
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
	ext2_freed_are_free(transaction);
	fs->committing = NULL;
	mutex_unlock(&fs->lock);
}

/* Commit the running transaction. */
static void commit(struct ext2_fs *fs)
{
	struct list inodes = LIST_INIT(inodes);
	struct ext2_transaction *transaction = close_running(fs, &inodes);

	if (write_transaction(fs, transaction, &inodes) && !fs->error)
		fs->error = -EIO;
	if (fs->error && !fs->told) {
		log_error("ext2: %s: writing has failed; nothing is written to it any more",
			  fs->sb->device->name);
		fs->told = true;
	}
	finish(fs, transaction);
	fs->committed = transaction->id;
	wake_all(&fs->commit_queue);
	list_splice_tail(&fs->done, &inodes);
}

/*
 * Drop the references of what has been committed. That may delete inodes, and operations of this task commit
 * by themselves when there is much to store. So there may be more at the end of the list then.
 */
static void drop_done(struct ext2_fs *fs)
{
	while (!list_empty(&fs->done)) {
		struct ext2_inode *own = list_first(&fs->done, struct ext2_inode, committing);

		list_del(&own->committing);
		inode_put(own->inode);
	}
}

/* ---- the task ---- */

static bool is_wanted(const struct ext2_fs *fs)
{
	return fs->stop || (int32_t)(fs->wanted - fs->committed) > 0;
}

static bool has_changes(struct ext2_fs *fs)
{
	bool changed;

	spin_lock(&fs->changed_lock);
	changed = !list_empty(&fs->changed);
	spin_unlock(&fs->changed_lock);
	return changed || READ_ONCE(fs->running->nr_blocks) > 0;
}

static void commit_task(void *arg)
{
	struct ext2_fs *fs = arg;

	fs->task = current;
	while (!fs->stop) {
		(void)wait_event_until(&fs->task_queue, is_wanted(fs),
				       time_now() + COMMIT_SECONDS * NSEC_PER_SEC);
		while (is_wanted(fs) || has_changes(fs)) {
			bool stop = fs->stop;

			if (has_changes(fs) || (int32_t)(fs->wanted - fs->committed) > 0)
				commit(fs);
			else if (stop)
				break;
			drop_done(fs);
		}
	}
	fs->stopped = true;
	wake_all(&fs->commit_queue);
}

int ext2_commit_start(struct ext2_fs *fs)
{
	fs->stop = fs->stopped = false;
	fs->running = fs->transactions;
	transaction_init(fs->running, fs->committed + 1);
	fs->wanted = fs->committed;
	if (IS_ERR(kernel_task_start("ext2 commit", commit_task, fs)))
		return -ENOMEM;
	return 0;
}

int ext2_commit_stop(struct ext2_fs *fs)
{
	fs->stop = true;
	wake_all(&fs->task_queue);
	wait_event(&fs->commit_queue, fs->stopped);
	return fs->error;
}

int ext2_commit_wait(struct ext2_fs *fs, uint32_t id)
{
	int error;

	if (current == fs->task) {
		commit(fs);
		return fs->error;
	}
	mutex_lock(&fs->wanted_lock);
	if ((int32_t)(id - fs->wanted) > 0)
		fs->wanted = id;
	mutex_unlock(&fs->wanted_lock);
	wake_all(&fs->task_queue);
	error = wait_event_killable(&fs->commit_queue,
				    (int32_t)(fs->committed - id) >= 0 || fs->stopped);
	return error ? error : fs->error;
}

/* ---- the calls of the VFS ---- */

void ext2_changed(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);

	if (!own || own->leaving || !READ_ONCE(fs->writable))
		return;
	spin_lock(&fs->changed_lock);
	own->transaction = READ_ONCE(fs->running)->id;
	if (list_empty(&own->changed)) {
		list_add_tail(&fs->changed, &own->changed);
		inode_get(inode);
	}
	spin_unlock(&fs->changed_lock);
}

void ext2_unchanged(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	bool listed;

	spin_lock(&fs->changed_lock);
	listed = !list_empty(&own->changed);
	list_del(&own->changed);
	spin_unlock(&fs->changed_lock);
	if (listed)
		inode_put(inode);
}

int ext2_fsync(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	int error = mapping_sync(&inode->mapping);

	if (error)
		return error;
	if (fs->error)
		return -EIO;
	if (READ_ONCE(fs->writable) && (int32_t)(ext2_own(inode)->transaction - fs->committed) > 0)
		return ext2_commit_wait(fs, ext2_own(inode)->transaction);
	return flush(fs);
}

int ext2_sync(struct super_block *sb)
{
	struct ext2_fs *fs = sb->private;

	if (!READ_ONCE(fs->writable))
		return fs->error;
	if (!has_changes(fs) && fs->committed + 1 == fs->running->id)
		return fs->error ? fs->error : flush(fs);
	return ext2_commit_wait(fs, READ_ONCE(fs->running)->id);
}
