/*
 * Writing blocks, many at once.
 *
 * Only the task that commits uses this. It waits for memory instead of failing.
 */
#ifndef FS_EXT2_BATCH_H
#define FS_EXT2_BATCH_H

#include "fs/ext2/ext2.h"

#define EXT2_BATCH_BIOS	 16u
#define EXT2_BATCH_PAGES 16u

struct ext2_batch {
	struct ext2_fs *fs;
	struct bio *bios[EXT2_BATCH_BIOS];
	unsigned int nr;
	uint32_t next;			      /* the block behind the last one */
	struct page *pages[EXT2_BATCH_PAGES]; /* that are freed when they have been written */
	unsigned int nr_pages;
	struct atomic left;
	int error;
};

/*
 * Add a block whose bytes are at the beginning of a page. The page must stay as it is until
 * ext2_batch_finish(). May sleep.
 */
void ext2_batch_add(struct ext2_batch *batch, uint32_t block, struct page *page);
/*
 * Returns a new page of zeros in low memory that the batch frees when it has been written. May
 * sleep.
 */
struct page *ext2_batch_page(struct ext2_batch *batch);
/*
 * Write all that was added, and wait. Returns 0, or -EIO if a write of this batch has failed, now
 * or before.
 */
int ext2_batch_finish(struct ext2_batch *batch);
/*
 * Add a flush: the disk stores what it has in its own cache. Only for ext2_batch_finish_in_turn().
 * May sleep.
 */
void ext2_batch_add_flush(struct ext2_batch *batch);
/*
 * The same as ext2_batch_finish(), but one after the other in the order in which they were added.
 * After an error the rest is not written. Up to EXT2_BATCH_BIOS writes and flushes.
 */
int ext2_batch_finish_in_turn(struct ext2_batch *batch);
/*
 * Have the disk store what it has in its own cache. Returns 0, -EIO, or -ERESTARTSYS after a
 * SIGKILL. May sleep.
 */
int ext2_flush(struct ext2_fs *fs);
/* Sleep for a moment, because there was no memory. */
void ext2_wait_for_memory(void);

#endif
