/*
 * A file system of ext2's, with a disk that writes at once: see small_ext2.h. It has the real
 * fs/ext2/metadata.c, commit.c, sync.c and journal.c, and stands in for the files that read and
 * store inodes.
 */
#include "small_ext2.h"
#include "drivers/disk/block.h"
#include "fs/ext2/blocks.h"
#include "fs/ext2/journal.h"
#include "mm/kmap.h"

#define SUPER 1u /* the block of the superblock */

struct ext2_fs small_fs;
struct super_block small_super;
unsigned char small_stored[SMALL_BLOCKS];
bool small_crashes;
void (*small_at_commit_block)(void);

/* ---- the log on the disk ---- */

#define LOG_BLOCKS 13u /* of the largest log, and its superblock */
#define NAMED_MAX  4u

static struct log_block {
	uint32_t type, sequence; /* type 0: a copy */
	unsigned int nr_named;
	uint32_t named[NAMED_MAX]; /* by a descriptor */
	unsigned char byte;	   /* the first one */
} log_on_disk[LOG_BLOCKS];
static uint32_t log_start, log_sequence;

ONE_STEP static void write_log_block(unsigned int block, const void *bytes)
{
	const struct journal_header *header = bytes;
	const struct journal_super *super = bytes;
	const struct journal_tag *tag = (const void *)(header + 1);
	struct log_block *to = &log_on_disk[block];

	ex_changes(&log_start, sizeof(log_start));
	ex_changes(&log_sequence, sizeof(log_sequence));
	ex_changes(to, sizeof(*to));
	if (block == 0) {
		log_start = big_endian(super->start);
		log_sequence = big_endian(super->sequence);
		return;
	}
	to->type = header->magic == big_endian(JOURNAL_MAGIC) ? big_endian(header->type) : 0;
	if (to->type == JOURNAL_COMMIT && small_at_commit_block)
		small_at_commit_block();
	to->sequence = big_endian(header->sequence);
	to->byte = *(const unsigned char *)bytes;
	to->nr_named = 0;
	while (to->type == JOURNAL_DESCRIPTOR && to->nr_named < NAMED_MAX) {
		bool last = big_endian(tag->flags) & JOURNAL_LAST;

		to->named[to->nr_named] = big_endian(tag->block);
		tag = (const void *)(tag + 1) + (to->nr_named == 0 ? JOURNAL_UUID_SIZE : 0);
		to->nr_named++;
		if (last)
			break;
	}
}

ONE_STEP static uint32_t next_in_log(uint32_t at)
{
	return at + 1 == small_fs.log.blocks ? small_fs.log.first : at + 1;
}

/*
 * Replay the transaction at a block of the log. Returns where the next one begins, or 0 if it is
 * not complete.
 */
ONE_STEP static uint32_t replay_one(uint32_t at, uint32_t sequence, unsigned char *bytes)
{
	unsigned char copies[SMALL_BLOCKS];

	for (unsigned int i = 0; i < SMALL_BLOCKS; i++)
		copies[i] = bytes[i];
	for (;;) {
		const struct log_block *block = &log_on_disk[at];

		if (block->type == 0 || block->sequence != sequence)
			return 0;
		at = next_in_log(at);
		if (block->type == JOURNAL_COMMIT)
			break;
		for (unsigned int i = 0; i < block->nr_named; i++, at = next_in_log(at))
			copies[block->named[i]] = log_on_disk[at].byte;
	}
	for (unsigned int i = 0; i < SMALL_BLOCKS; i++)
		bytes[i] = copies[i];
	return at;
}

ONE_STEP unsigned char small_lasting(unsigned int block)
{
	unsigned char bytes[SMALL_BLOCKS];
	uint32_t sequence = log_sequence;

	for (unsigned int i = 0; i < SMALL_BLOCKS; i++)
		bytes[i] = small_stored[i];
	for (uint32_t at = log_start; at != 0; sequence++)
		at = replay_one(at, sequence, bytes);
	return bytes[block];
}

/*
 * The device reads the page at some time before the request has ended. What it reads is a promise.
 */
static void write_block(unsigned int block, struct page *page)
{
	unsigned char *bytes = page_address_low(page), seen = *bytes;

	must(*bytes == seen);
	if (block == SUPER)
		return;
	if (block >= SMALL_BLOCKS) {
		write_log_block(block - SMALL_BLOCKS, bytes);
		return;
	}
	must(seen != SMALL_UNDONE && seen >= small_stored[block]);
	small_stored[block] = seen;
}

static void submit(struct block_device *device, struct bio *bio)
{
	must(bio->write);
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		write_block((bio->sector >> 1) + i, bio->segments[i].page);
	must(!small_crashes || small_lasting(SMALL_A) == small_lasting(SMALL_B));
	bio_complete(bio, 0);
}

static const struct block_device_ops device_ops = { .submit = submit }; /* without a cache */
static struct block_device device = { .ops = &device_ops, .sectors = 100 };

/* ---- the file system ---- */

void small_add_block(unsigned int block)
{
	bool fresh;
	struct page *page = mapping_find_or_add(&small_fs.metadata->mapping, block, &fresh);

	must(!IS_ERR(page) && fresh);
	page_zero(page, 0, PAGE_SIZE);
	page->flags |= PG_UPTODATE;
	page_unlock(page);
	page_put(page);
}

void small_mounted(void)
{
	small_fs.sb = &small_super;
	small_super.private = &small_fs;
	small_super.device = &device;
	small_fs.layout = (struct ext2_layout){ .block_size = 1024,
						.block_shift = 10,
						.first_data_block = SUPER,
						.blocks = SMALL_BLOCKS };
	mutex_init(&small_fs.lock, "ext2");
	spin_init(&small_fs.changed_lock, "ext2 changed");
	list_init(&small_fs.orphans);
	list_init(&small_fs.changed);
	list_init(&small_fs.done);
	wait_queue_init(&small_fs.task_queue, "ext2 task");
	wait_queue_init(&small_fs.commit_queue, "ext2 commit");
	must(ext2_metadata_init(&small_fs) == 0);
	small_add_block(SUPER);
	small_add_block(SMALL_A);
	small_add_block(SMALL_B);
	must(ext2_commit_start(&small_fs) == 0);
	small_fs.task = &ex_tasks[0];
	small_fs.writable = true;
	ex_count_memory();
}

void small_make_file(struct inode *inode, struct ext2_inode *own, unsigned int block)
{
	inode->sb = &small_super;
	inode->private = own;
	inode->nr_links = 1;
	inode->size = 1;
	atomic_set(&inode->refs, 1);
	own->inode = inode;
	own->table_block = block;
	list_init(&own->changed);
	list_init(&own->committing);
	list_init(&own->orphan);
}

int ext2_store_inode(struct inode *file)
{
	unsigned char size = inode_size(file);

	return ext2_edit(&small_fs, ext2_own(file)->table_block, 0, &size, 1);
}

/* ---- the journal ---- */

static struct inode journal;

int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	must(inode == &journal && block < small_fs.log.blocks);
	*first = SMALL_BLOCKS + block;
	return MIN(max, (unsigned int)(small_fs.log.blocks - block));
}

void small_open_log(unsigned int blocks)
{
	must(blocks < LOG_BLOCKS);
	small_fs.log.inode = &journal;
	small_fs.log.first = 1;
	small_fs.log.blocks = blocks + 1;
	small_add_block(SMALL_BLOCKS);
	must(ext2_journal_open(&small_fs) == 0);
	ex_count_memory();
}

void small_log_is_open(void)
{
	small_mounted();
	small_open_log(12);
	nr_frames = 1u << 16; /* with less, each commit would be followed by a checkpoint */
	small_crashes = true;
}

/* ---- for tasks and checks ---- */

void small_task(int unused)
{
	ex_kernel_task(&small_fs);
}

void small_is_idle(void)
{
	if (small_fs.log.active)
		must(ext2_journal_close(&small_fs) == 0 && log_start == 0);
	must(list_empty(&small_fs.running->blocks) && small_fs.running->nr_blocks == 0);
	must(!small_fs.committing);
	ex_must_have_freed();
}
