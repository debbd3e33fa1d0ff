/*
 * Replaying the journal after a crash. The contract is in fs/ext2/journal.h.
 *
 * 1. The log is read three times. The first time finds where it ends: at the first block that does
 *    not belong to the next transaction. Transactions without a commit block do not count. The
 *    second time collects the revoked blocks, and the third time brings the copies to their places.
 * 2. A copy is passed over if the block has been revoked by its own transaction or a later one.
 * 3. The log may hold anything. Numbers of blocks are checked, and no more blocks are read than the
 *    log has. Replaying twice, after a crash in the first replay, does no harm: the log is marked
 *    as empty last.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/batch.h"
#include "fs/ext2/journal.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/kmap.h"

struct replay {
	struct ext2_fs *fs;
	struct page *page, *copy; /* a block of the journal's own, and a copy of another one */
	uint32_t at;		  /* the next block of the log */
	uint32_t left;		  /* blocks that have not been read in this pass */
	uint32_t sequence,
		end; /* the transaction that is being read; the first one that is not complete */
	struct radix_tree revoked; /* by block: the last transaction that revokes it */
	unsigned int nr_copies;
};

enum pass { FIND_END, COLLECT_REVOKED, COPY };

/* Read or write one block. Returns 0, -EIO or -ENOMEM. */
static int move_block(struct ext2_fs *fs, uint32_t block, struct page *page, bool write)
{
	unsigned int shift = fs->layout.block_shift;
	struct bio *bio =
		bio_alloc(fs->sb->device, (uint64_t)block << (shift - SECTOR_SHIFT), write, 0);
	struct atomic left;
	int error;

	if (!bio)
		return -ENOMEM;
	bio_add(bio, page, 0, fs->layout.block_size);
	bio_submit_all(&bio, 1, &left);
	bio_wait_all_always(&left);
	error = bio->error;
	bio_free(bio);
	return error;
}

/* Read the next block of the log. Returns 1, 0 if the whole log has been read, or an error. */
static int read_next(struct replay *replay, struct page *page)
{
	uint32_t place;
	int error;

	if (replay->left == 0)
		return 0;
	error = ext2_journal_place(replay->fs, replay->at, &place);
	if (!error)
		error = move_block(replay->fs, place, page, false);
	replay->at = ext2_journal_next(&replay->fs->log, replay->at);
	replay->left--;
	return error ? error : 1;
}

/*
 * Returns the type of the journal's own block in a page, or 0 if it does not belong to the
 * transaction.
 */
static uint32_t type_of(const struct replay *replay)
{
	const struct journal_header *header = kmap_local(replay->page);
	uint32_t type = 0;

	if (big_endian(header->magic) == JOURNAL_MAGIC &&
	    big_endian(header->sequence) == replay->sequence)
		type = big_endian(header->type);
	kunmap_local((void *)header);
	return type;
}

/* ---- revoked blocks ---- */

/*
 * Radix trees have no entry that is NULL, so the number of a transaction is kept in the upper bits.
 */
static int note_revoked(struct replay *replay, uint32_t block)
{
	void *entry = (void *)(uintptr_t)(replay->sequence | 1u << 31);
	struct radix_pool pool = { .count = 0 };
	int error = 0;

	if (radix_lookup(&replay->revoked, block)) {
		radix_replace(&replay->revoked, block, entry);
		return 0;
	}
	error = radix_preload(&pool, radix_need(&replay->revoked, block));
	if (!error)
		radix_insert(&replay->revoked, block, &entry, 1, &pool);
	radix_pool_release(&pool);
	return error;
}

static bool is_revoked(const struct replay *replay, uint32_t block)
{
	uintptr_t entry = (uintptr_t)radix_lookup(&replay->revoked, block);

	return entry && (int32_t)((entry << 1) - (replay->sequence << 1)) >= 0;
}

static int collect_revoked(struct replay *replay)
{
	const struct journal_revoke *revoke = kmap_local(replay->page);
	const uint32_t *numbers = (const uint32_t *)(revoke + 1);
	uint32_t bytes = big_endian(revoke->bytes);
	unsigned int nr;
	int error = 0;

	bytes = MIN(MAX(bytes, sizeof(*revoke)), replay->fs->layout.block_size);
	nr = (bytes - sizeof(*revoke)) / sizeof(uint32_t);
	for (unsigned int i = 0; !error && i < nr; i++)
		error = note_revoked(replay, big_endian(numbers[i]));
	kunmap_local((void *)revoke);
	return error;
}

/* ---- copies ---- */

/* Bring a copy to its place. */
static int copy_block(struct replay *replay, uint32_t block, uint32_t flags)
{
	const struct ext2_layout *layout = &replay->fs->layout;

	if (block < layout->first_data_block || block >= layout->blocks) {
		log_error("ext2: %s: the journal names block %u, which does not exist",
			  replay->fs->sb->device->name, block);
		return -EINVAL;
	}
	if (is_revoked(replay, block))
		return 0;
	if (flags & JOURNAL_ESCAPED) {
		uint32_t *address = kmap_local(replay->copy);

		*address = big_endian(JOURNAL_MAGIC);
		kunmap_local(address);
	}
	replay->nr_copies++;
	return move_block(replay->fs, block, replay->copy, true);
}

/*
 * Go through a descriptor and the copies behind it. Returns 1, 0 if the log ends there, or an
 * error.
 */
static int read_descriptor(struct replay *replay, enum pass pass)
{
	unsigned int size = replay->fs->layout.block_size, at = sizeof(struct journal_header);
	struct journal_tag tag;
	int result = 1;

	do {
		const char *address;

		if (at + sizeof(tag) > size)
			return 0; /* no tag is marked as the last one */
		address = kmap_local(replay->page);
		memcpy(&tag, address + at, sizeof(tag));
		kunmap_local((void *)address);
		tag.flags = big_endian(tag.flags) & 0xffff;
		at += sizeof(tag);
		if (!(tag.flags & JOURNAL_SAME_UUID))
			at += JOURNAL_UUID_SIZE;
		if (pass == COPY) {
			result = read_next(replay, replay->copy);
			if (result > 0) {
				int error = copy_block(replay, big_endian(tag.block), tag.flags);

				result = error ? error : 1;
			}
		} else if (replay->left == 0) {
			result = 0;
		} else {
			replay->at = ext2_journal_next(&replay->fs->log, replay->at);
			replay->left--;
		}
	} while (result > 0 && !(tag.flags & JOURNAL_LAST));
	return result;
}

static int go_through(struct replay *replay, enum pass pass)
{
	const struct ext2_log *log = &replay->fs->log;
	int result;

	replay->at = log->start;
	replay->left = log->blocks - log->first;
	replay->sequence = log->sequence;
	while ((pass == FIND_END || replay->sequence != replay->end) &&
	       (result = read_next(replay, replay->page)) != 0) {
		if (result < 0)
			return result;
		switch (type_of(replay)) {
		case JOURNAL_DESCRIPTOR:
			result = read_descriptor(replay, pass);
			break;
		case JOURNAL_REVOKE:
			result = pass == COLLECT_REVOKED ? collect_revoked(replay) : 0;
			result = result ? result : 1;
			break;
		case JOURNAL_COMMIT:
			replay->sequence++;
			break;
		default:
			result = 0;
		}
		if (result < 0)
			return result;
		if (result == 0)
			break;
	}
	if (pass == FIND_END)
		replay->end = replay->sequence;
	return 0;
}

static void forget_revoked(struct replay *replay)
{
	unsigned int block = 0;

	while (radix_next(&replay->revoked, &block))
		radix_remove(&replay->revoked, block);
}

int ext2_journal_replay(struct ext2_fs *fs)
{
	struct ext2_log *log = &fs->log;
	struct replay replay = { .fs = fs, .page = page_alloc(0, 0), .copy = page_alloc(0, 0) };
	int error = replay.page && replay.copy ? 0 : -ENOMEM;

	radix_init(&replay.revoked);
	if (log->start != 0) {
		for (enum pass pass = FIND_END; !error && pass <= COPY; pass++)
			error = go_through(&replay, pass);
		if (!error)
			log_info("ext2: %s: replayed %u transactions of the journal, %u blocks",
				 fs->sb->device->name, replay.end - log->sequence,
				 replay.nr_copies);
		if (!error)
			error = ext2_flush(fs);
		if (!error)
			error = ext2_journal_set_start(fs, 0, replay.end + 1);
	}
	forget_revoked(&replay);
	if (replay.page)
		page_put(replay.page);
	if (replay.copy)
		page_put(replay.copy);
	return error;
}
