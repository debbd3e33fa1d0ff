/*
 * Writing the journal. The contract is in fs/ext2/journal.h.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/batch.h"
#include "fs/ext2/blocks.h"
#include "fs/ext2/journal.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/kmap.h"

#define PLACES_PART 32u	 /* of memory, that blocks on their way to their places may take */
#define LOG_MIN	    256u /* blocks of the smallest log */
#define RUN_MAX	    64u	 /* blocks looked up at once */

/*
 * Look up a run of blocks of the log. The journal's file keeps its blocks, so the run stays true.
 */
static int look_up_run(struct ext2_fs *fs, uint32_t block)
{
	struct ext2_log *log = &fs->log;
	uint64_t first;
	int n = ext2_lookup_block(log->inode, block, RUN_MAX, &first);

	if (n < 0)
		return n;
	if (first == 0)
		return ext2_damaged(fs->sb, log->inode->number, "a hole in the journal");
	log->run_block = block;
	log->run_place = first;
	log->run_len = n;
	return 0;
}

int ext2_journal_place(struct ext2_fs *fs, uint32_t block, uint32_t *place)
{
	struct ext2_log *log = &fs->log;
	int error = 0;

	if (block < log->run_block || block - log->run_block >= log->run_len)
		error = look_up_run(fs, block);
	if (!error)
		*place = log->run_place + (block - log->run_block);
	return error;
}

/* The same for what has been begun and has to be completed: wait for memory. Returns 0 or -EIO. */
static int find_place(struct ext2_fs *fs, uint32_t block, uint32_t *place)
{
	int error;

	while ((error = ext2_journal_place(fs, block, place)) == -ENOMEM)
		ext2_wait_for_memory();
	return error;
}

/* Read the journal's superblock. */
static int read_super(struct ext2_fs *fs, struct journal_super *super)
{
	uint32_t place;
	int error = ext2_journal_place(fs, 0, &place);

	return error ? error : ext2_read(fs, place, 0, super, sizeof(*super));
}

int ext2_journal_set_start(struct ext2_fs *fs, uint32_t start, uint32_t sequence)
{
	struct ext2_batch batch = { .fs = fs };
	struct page *page, *old;
	struct journal_super *super;
	uint32_t place;
	int error = find_place(fs, 0, &place);

	if (error)
		return error;
	while ((old = mapping_read_page(&fs->metadata->mapping, place)) == ERR_PTR(-ENOMEM))
		ext2_wait_for_memory();
	if (IS_ERR(old))
		return PTR_ERR(old);
	page = ext2_batch_page(&batch);
	page_copy(page, old);
	page_put(old);
	super = kmap_local(page);
	super->sequence = big_endian(sequence);
	super->start = big_endian(start);
	if (super->header.type == big_endian(JOURNAL_SUPER_2))
		super->incompatible |= big_endian(JOURNAL_INCOMPAT_REVOKE);
	kunmap_local(super);
	ext2_batch_add(&batch, place, page);
	error = ext2_batch_finish(&batch);
	return error ? error : ext2_flush(fs);
}

/* ---- finding ---- */

static const char *check_super(const struct ext2_fs *fs, const struct journal_super *super)
{
	uint32_t type = big_endian(super->header.type);
	uint64_t size = fs->log.inode->size >> fs->layout.block_shift;

	if (big_endian(super->header.magic) != JOURNAL_MAGIC ||
	    (type != JOURNAL_SUPER_1 && type != JOURNAL_SUPER_2))
		return "its journal has no superblock";
	if (big_endian(super->block_size) != fs->layout.block_size)
		return "its journal has another block size";
	if (type == JOURNAL_SUPER_1)
		return "its journal is of an old version, which cannot revoke";
	if (big_endian(super->incompatible) & ~JOURNAL_INCOMPAT_REVOKE ||
	    super->read_only_compatible)
		return "its journal has features of ext4";
	if (big_endian(super->first) == 0 || big_endian(super->blocks) > size ||
	    big_endian(super->blocks) < big_endian(super->first) + LOG_MIN)
		return "its journal has a bad size";
	if (big_endian(super->start) >= big_endian(super->blocks) ||
	    (super->start && big_endian(super->start) < big_endian(super->first)))
		return "its journal begins at a bad place";
	return NULL;
}

static bool has_journal(const struct ext2_disk_super *disk)
{
	return disk->compatible & EXT2_COMPAT_JOURNAL && disk->revision > 0;
}

uint32_t ext2_journal_size(struct ext2_fs *fs, const struct ext2_disk_super *disk)
{
	struct inode *inode;
	uint64_t blocks;

	if (!has_journal(disk) || disk->journal_inode == 0)
		return 0;
	inode = inode_get_number(fs->sb, disk->journal_inode);
	if (IS_ERR(inode))
		return 0;
	blocks = (uint64_t)inode->size >> fs->layout.block_shift;
	inode_put(inode);
	return MIN(blocks, (uint64_t)fs->layout.blocks);
}

int ext2_journal_find(struct ext2_fs *fs, const struct ext2_disk_super *disk)
{
	struct ext2_log *log = &fs->log;
	struct journal_super super;
	const char *wrong = NULL;
	int error;

	if (!has_journal(disk))
		return 0;
	if (disk->journal_inode == 0) {
		wrong = "its journal is on another device";
	} else {
		log->inode = inode_get_number(fs->sb, disk->journal_inode);
		if (IS_ERR(log->inode)) {
			error = PTR_ERR(log->inode);
			log->inode = NULL;
			return error;
		}
		if (!S_ISREG(log->inode->mode))
			wrong = "its journal is no file";
	}
	error = wrong ? 0 : read_super(fs, &super);
	if (!wrong && !error)
		wrong = check_super(fs, &super);
	if (wrong) {
		log_error("ext2: %s: %s", fs->sb->device->name, wrong);
		error = -EINVAL;
	}
	if (error) {
		ext2_journal_drop(fs);
		return error;
	}
	log->blocks = big_endian(super.blocks);
	log->first = big_endian(super.first);
	log->start = big_endian(super.start);
	log->sequence = big_endian(super.sequence);
	memcpy(log->uuid, super.uuid, sizeof(log->uuid));
	return 1;
}

static void drop_place(struct ext2_log *log, struct ext2_block *block)
{
	radix_remove(&log->places, block->page->index);
	log->nr_places--;
	page_unlend(block->page);
	ext2_block_free(block);
}

static void free_pages(struct ext2_log *log)
{
	for (unsigned int i = 0; i < EXT2_LOG_PAGES; i++)
		if (log->pages[i])
			page_put(log->pages[i]);
	memset(log->pages, 0, sizeof(log->pages));
}

static int alloc_pages(struct ext2_log *log)
{
	for (unsigned int i = 0; i < EXT2_LOG_PAGES; i++)
		if (!log->pages[i] && !(log->pages[i] = page_alloc(0, ALLOC_ZERO)))
			return -ENOMEM;
	return 0;
}

void ext2_journal_drop(struct ext2_fs *fs)
{
	unsigned int index = 0;
	struct ext2_block *block;

	while ((block = radix_next(&fs->log.places, &index)) != NULL)
		drop_place(&fs->log, block);
	free_pages(&fs->log);
	inode_put(fs->log.inode);
	fs->log.inode = NULL;
	fs->log.run_len = 0;
	fs->log.active = false;
}

int ext2_journal_open(struct ext2_fs *fs)
{
	struct ext2_log *log = &fs->log;
	int error = alloc_pages(log);

	if (error)
		return error;
	log->head = log->first;
	log->used = 0;
	error = ext2_journal_set_start(fs, log->head, fs->running->id);
	log->active = !error;
	return error;
}

/* ---- checkpoints ---- */

//BOOK: ext2-checkpoint
/* Bring all committed blocks to their places. */
static int checkpoint(struct ext2_fs *fs)
{
	struct ext2_batch batch = { .fs = fs };
	struct ext2_log *log = &fs->log;
	struct ext2_block *block;
	unsigned int index;
	int error;

	for (index = 0; (block = radix_next(&log->places, &index)) != NULL; index++)
		ext2_batch_add(&batch, index, block->page);
	error = ext2_batch_finish(&batch);
	if (!error)
		error = ext2_flush(fs);
	if (error)
		return error;
	for (index = 0; (block = radix_next(&log->places, &index)) != NULL;)
		drop_place(log, block);
	return 0;
}

/* The log begins anew behind its last transaction, whose number is `last`. */
static int empty_log(struct ext2_fs *fs, uint32_t last)
{
	int error = checkpoint(fs);

	if (!error)
		error = ext2_journal_set_start(fs, fs->log.head, last + 1);
	if (!error)
		fs->log.used = 0;
	return error;
}

/* ---- writing a transaction ---- */

struct writer {
	struct ext2_fs *fs;
	struct ext2_batch batch;
	uint32_t sequence;
	unsigned int nr_pages; /* the log's own that are in use */
	int error;
};

/* Add a page as the next block of the log. */
static void append(struct writer *writer, struct page *page)
{
	struct ext2_log *log = &writer->fs->log;
	uint32_t place = 0;
	int error = find_place(writer->fs, log->head, &place);

	if (error)
		writer->error = error;
	else
		ext2_batch_add(&writer->batch, place, page);
	log->head = ext2_journal_next(log, log->head);
	log->used++;
}

/*
 * A block of the journal's own. The first ones of a transaction are the log's pages, which are not
 * cleared: what is behind the new record is part of an old one, and nothing reads it.
 */
static struct page *new_block(struct writer *writer, enum journal_block_type type)
{
	bool own = writer->nr_pages < EXT2_LOG_PAGES;
	struct page *page =
		own ? writer->fs->log.pages[writer->nr_pages++] : ext2_batch_page(&writer->batch);
	struct journal_header *header = kmap_local(page);

	header->magic = big_endian(JOURNAL_MAGIC);
	header->type = big_endian(type);
	header->sequence = big_endian(writer->sequence);
	kunmap_local(header);
	return page;
}

static bool begins_with_magic(struct page *page)
{
	uint32_t *address = kmap_local(page);
	bool magic = *address == big_endian(JOURNAL_MAGIC);

	kunmap_local(address);
	return magic;
}

/* How many blocks one descriptor names. */
static unsigned int tags_in_block(const struct ext2_fs *fs)
{
	return (fs->layout.block_size - sizeof(struct journal_header) - JOURNAL_UUID_SIZE) /
	       sizeof(struct journal_tag);
}

/* Append the descriptor of the next `nr` blocks, from `block` on. */
static void append_descriptor(struct writer *writer, const struct ext2_block *block,
			      unsigned int nr)
{
	struct page *page = new_block(writer, JOURNAL_DESCRIPTOR);
	char *address = kmap_local(page), *at = address + sizeof(struct journal_header);

	for (unsigned int i = 0; i < nr; i++) {
		struct journal_tag *tag = (struct journal_tag *)at;
		uint32_t flags = i > 0 ? JOURNAL_SAME_UUID : 0;

		if (begins_with_magic(block->page))
			flags |= JOURNAL_ESCAPED;
		if (i == nr - 1)
			flags |= JOURNAL_LAST;
		tag->block = big_endian(block->page->index);
		tag->flags = big_endian(flags);
		at += sizeof(*tag);
		if (i == 0) {
			memcpy(at, writer->fs->log.uuid, JOURNAL_UUID_SIZE);
			at += JOURNAL_UUID_SIZE;
		}
		block = list_next(block, link);
	}
	kunmap_local(address);
	append(writer, page);
}

/* Append a copy of a block. It must not look like one of the journal's own. */
static void append_copy(struct writer *writer, struct page *page)
{
	struct page *copy = page;

	if (begins_with_magic(page)) {
		copy = ext2_batch_page(&writer->batch);
		page_copy(copy, page);
		page_zero(copy, 0, sizeof(uint32_t));
	}
	append(writer, copy);
}

static void append_blocks(struct writer *writer, struct ext2_transaction *transaction)
{
	unsigned int left = transaction->nr_blocks, in_block = tags_in_block(writer->fs), named = 0;
	struct ext2_block *block;

	list_for_each(block, &transaction->blocks, link) {
		if (named == 0) {
			named = MIN(left, in_block);
			append_descriptor(writer, block, named);
		}
		append_copy(writer, block->page);
		named--;
		left--;
	}
}

/* How many numbers one revoke block has. */
static unsigned int revokes_in_block(const struct ext2_fs *fs)
{
	return (fs->layout.block_size - sizeof(struct journal_revoke)) / sizeof(uint32_t);
}

static void append_revokes(struct writer *writer, const struct ext2_transaction *transaction)
{
	uint32_t next = 0;

	for (unsigned int left = transaction->nr_revoked; left > 0;) {
		struct page *page = new_block(writer, JOURNAL_REVOKE);
		struct journal_revoke *revoke = kmap_local(page);
		uint32_t *numbers = (uint32_t *)(revoke + 1);
		unsigned int n = MIN(left, revokes_in_block(writer->fs));

		for (unsigned int i = 0; i < n; i++, next++) {
			next = ext2_next_revoked(writer->fs, transaction, next);
			numbers[i] = big_endian(next);
		}
		revoke->bytes = big_endian(sizeof(*revoke) + n * sizeof(uint32_t));
		kunmap_local(revoke);
		append(writer, page);
		left -= n;
	}
}

static unsigned int blocks_needed(const struct ext2_fs *fs,
				  const struct ext2_transaction *transaction)
{
	return transaction->nr_blocks + DIV_ROUND_UP(transaction->nr_blocks, tags_in_block(fs)) +
	       DIV_ROUND_UP(transaction->nr_revoked, revokes_in_block(fs)) + 1;
}

/*
 * A block of the transaction is committed: it replaces an older one that has not reached its place.
 */
static void keep_place(struct ext2_log *log, struct ext2_block *block)
{
	struct ext2_block *old = radix_lookup(&log->places, block->page->index);
	struct radix_pool pool = { .count = 0 };

	list_del(&block->link);
	if (old) {
		radix_replace(&log->places, block->page->index, block);
		page_unlend(old->page);
		ext2_block_free(old);
		return;
	}
	while (radix_preload(&pool, radix_need(&log->places, block->page->index)))
		ext2_wait_for_memory();
	radix_insert(&log->places, block->page->index, (void *const *)&block, 1, &pool);
	radix_pool_release(&pool);
	log->nr_places++;
}

static void keep_places(struct ext2_log *log, struct ext2_transaction *transaction)
{
	while (!list_empty(&transaction->blocks))
		keep_place(log, list_first(&transaction->blocks, struct ext2_block, link));
}

/* Blocks that the transaction has freed need not reach their places. */
static void drop_revoked(struct ext2_fs *fs, const struct ext2_transaction *transaction)
{
	struct ext2_block *block;
	uint32_t number = 0;

	for (unsigned int left = transaction->nr_revoked; left > 0; left--, number++) {
		number = ext2_next_revoked(fs, transaction, number);
		block = radix_lookup(&fs->log.places, number);
		if (block)
			drop_place(&fs->log, block);
	}
}

/*
 * Write all of the transaction. When the bytes of its files are written, too, flush them, write the
 * commit block, and flush that.
 */
static int write_log(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct writer writer = { .fs = fs, .batch.fs = fs, .sequence = transaction->id };
	int error;

	append_blocks(&writer, transaction);
	append_revokes(&writer, transaction);
	error = ext2_batch_finish(&writer.batch);
	error = writer.error ? writer.error : error;
	if (!error)
		error = ext2_finish_data(transaction);
	if (error)
		return error;
	ext2_batch_add_flush(&writer.batch);
	append(&writer, new_block(&writer, JOURNAL_COMMIT));
	ext2_batch_add_flush(&writer.batch);
	error = ext2_batch_finish_in_turn(&writer.batch);
	return writer.error ? writer.error : error;
}

int ext2_journal_write(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct ext2_log *log = &fs->log;
	unsigned int capacity = log->blocks - log->first;
	unsigned int need = blocks_needed(fs, transaction);
	int error = 0;

	/* A transaction of nothing is written, too: a replay ends where a number is missing. */
	if (need >= capacity - log->used)
		error = empty_log(fs, transaction->id - 1);
	if (!error && need >= capacity) {
		log_error("ext2: %s: a transaction is larger than the journal",
			  fs->sb->device->name);
		error = -EIO;
	}
	if (!error)
		error = write_log(fs, transaction);
	if (error)
		return error;
	keep_places(log, transaction);
	drop_revoked(fs, transaction);
	if (log->used > capacity / 2 || log->nr_places > nr_frames / PLACES_PART)
		error = empty_log(fs, transaction->id);
	return error;
}

int ext2_journal_close(struct ext2_fs *fs)
{
	int error = checkpoint(fs);

	if (!error)
		error = ext2_journal_set_start(fs, 0, fs->running->id);
	fs->log.active = false;
	return error;
}

unsigned int ext2_journal_room(const struct ext2_fs *fs)
{
	return (fs->log.blocks - fs->log.first) / 4;
}
