/*
 * Writing blocks, many at once. The contract is in fs/ext2/batch.h.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/batch.h"
#include "kernel/task.h"

#define MEMORY_WAIT (10 * NSEC_PER_MSEC)
#define NO_BLOCK    UINT32_MAX

void ext2_wait_for_memory(void)
{
	current->state = TASK_UNINTERRUPTIBLE; /* only the clock wakes it */
	(void)schedule_until(time_now() + MEMORY_WAIT);
}

/* All bios have ended. */
static int end(struct ext2_batch *batch)
{
	for (unsigned int i = 0; i < batch->nr; i++) {
		if (batch->bios[i]->error)
			batch->error = -EIO;
		bio_free(batch->bios[i]);
	}
	while (batch->nr_pages > 0)
		page_put(batch->pages[--batch->nr_pages]);
	batch->nr = 0;
	return batch->error;
}

int ext2_batch_finish(struct ext2_batch *batch)
{
	if (batch->nr > 0) {
		bio_submit_all(batch->bios, batch->nr, &batch->left);
		bio_wait_all_always(&batch->left);
	}
	return end(batch);
}

int ext2_batch_finish_in_turn(struct ext2_batch *batch)
{
	if (batch->nr > 0 && bio_do_in_turn(batch->bios, batch->nr))
		batch->error = -EIO;
	return end(batch);
}

/* Add an empty bio. */
static struct bio *add_bio(struct ext2_batch *batch, uint64_t sector)
{
	struct bio *bio;

	if (batch->nr == EXT2_BATCH_BIOS)
		(void)ext2_batch_finish(batch);
	while (!(bio = bio_alloc(batch->fs->sb->device, sector, true, 0)))
		ext2_wait_for_memory();
	batch->bios[batch->nr++] = bio;
	return bio;
}

void ext2_batch_add_flush(struct ext2_batch *batch)
{
	if (batch->fs->sb->device->ops->flush)
		(void)add_bio(batch, 0);
	batch->next = NO_BLOCK; /* the next block is a write of its own */
}

void ext2_batch_add(struct ext2_batch *batch, uint32_t block, struct page *page)
{
	const struct ext2_layout *layout = &batch->fs->layout;
	uint64_t sector = (uint64_t)block << (layout->block_shift - SECTOR_SHIFT);
	struct bio *bio = batch->nr > 0 ? batch->bios[batch->nr - 1] : NULL;

	if (!bio || batch->next != block || !bio_add(bio, page, 0, layout->block_size)) {
		bio = add_bio(batch, sector);
		bio_add(bio, page, 0, layout->block_size);
	}
	batch->next = block + 1;
}

struct page *ext2_batch_page(struct ext2_batch *batch)
{
	struct page *page;

	if (batch->nr_pages == EXT2_BATCH_PAGES)
		(void)ext2_batch_finish(batch);
	while (!(page = page_alloc(0, ALLOC_ZERO)))
		ext2_wait_for_memory();
	batch->pages[batch->nr_pages++] = page;
	return page;
}

int ext2_flush(struct ext2_fs *fs)
{
	struct block_device *device = fs->sb->device;
	int error;

	if (!device->ops->flush)
		return 0;
	while ((error = device->ops->flush(device)) == -ENOMEM)
		ext2_wait_for_memory();
	return error;
}
