/*
 * Free blocks and free inodes: the bitmaps, and the counts in the group descriptors. fs/ext2/ext2.h
 * has the contract. fs->lock is held.
 *
 * 1. A block can be taken if its bit is clear, and if neither the running transaction nor the one
 *    that is being committed has freed it.
 * 2. A damaged bitmap may say that a block of metadata is free. Blocks of the group's own bitmaps
 *    and inode table, and those before the end of the group descriptors, are never taken.
 */
#include "fs/ext2/ext2.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define RUN_MAX	 64u  /* blocks taken at once */
#define GIVE_MAX 256u /* blocks given back in one edit */
/* How long a call tries that finds no space while others find some, and how often at least. */
#define SPACE_SECONDS 1u
#define SPACE_TRIES   8u

static bool bit_is_set(const uint8_t *bits, unsigned int bit)
{
	return bits[bit >> 3] >> (bit & 7) & 1;
}

static int read_group(struct ext2_fs *fs, uint32_t group, struct ext2_disk_group *disk)
{
	struct ext2_place place = ext2_group_place(&fs->layout, group);
	const char *wrong;
	int error = ext2_read(fs, place.block, place.offset, disk, sizeof(*disk));

	if (error)
		return error;
	wrong = ext2_check_group(&fs->layout, disk);
	return wrong ? ext2_damaged(fs->sb, 0, wrong) : 0;
}

static int write_group(struct ext2_fs *fs, uint32_t group, const struct ext2_disk_group *disk)
{
	struct ext2_place place = ext2_group_place(&fs->layout, group);
	const unsigned int from = offsetof(struct ext2_disk_group, free_blocks);

	return ext2_edit(fs, place.block, place.offset + from, (const char *)disk + from,
			 offsetof(struct ext2_disk_group, pad) - from);
}

/* Set or clear up to GIVE_MAX bits of a bitmap, which all have the other value. */
static int change_bits(struct ext2_fs *fs, uint32_t bitmap, unsigned int bit, unsigned int nr,
		       bool set)
{
	unsigned int first = bit >> 3, len = ((bit + nr - 1) >> 3) - first + 1, i;
	uint8_t *bytes = ext2_edit_begin(fs, bitmap, first, len);

	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	for (i = bit; i < bit + nr && bit_is_set(bytes, i - 8 * first) != set; i++)
		bytes[(i >> 3) - first] ^= 1u << (i & 7);
	kunmap_local(bytes);
	if (i < bit + nr)
		return ext2_damaged(fs->sb, 0, "a bitmap disagrees with what is in use");
	return 0;
}

/* ---- blocks ---- */

/* What is looked at to find a free block of one group. */
struct search {
	const uint8_t *bitmap, *freed, *freeing; /* the last two may be NULL */
	const struct ext2_layout *layout;
	const struct ext2_disk_group *group;
	uint32_t first; /* the group's first block */
	unsigned int blocks;
};

static bool is_system_block(const struct search *search, uint32_t block)
{
	const struct ext2_layout *layout = search->layout;
	const struct ext2_disk_group *group = search->group;
	uint64_t table = (uint64_t)layout->inodes_per_group * layout->inode_size;

	return block <= ext2_group_place(layout, layout->groups - 1).block ||
	       block == group->block_bitmap || block == group->inode_bitmap ||
	       (block >= group->inode_table &&
		block - group->inode_table < DIV_ROUND_UP(table, (uint64_t)layout->block_size));
}

//BOOK: ext2-freed
static bool can_take(const struct search *search, unsigned int bit)
{
	return !bit_is_set(search->bitmap, bit) &&
	       !(search->freed && bit_is_set(search->freed, bit)) &&
	       !(search->freeing && bit_is_set(search->freeing, bit)) &&
	       !is_system_block(search, search->first + bit);
}

/*
 * Find up to `max` free blocks from *bit on. Returns how many, and writes the first one's bit to
 * *bit.
 */
static unsigned int find_run(const struct search *search, unsigned int *bit, unsigned int max)
{
	unsigned int n = 0, at = *bit;

	while (at < search->blocks && !can_take(search, at))
		at += (at & 7) == 0 && search->bitmap[at >> 3] == 0xff ? 8 : 1;
	while (n < max && at + n < search->blocks && can_take(search, at + n))
		n++;
	*bit = at;
	return n;
}

/*
 * Find free blocks in a group, from *bit on. Returns how many, or an error.
 */
static int search_group(struct ext2_fs *fs, uint32_t number, const struct ext2_disk_group *group,
			unsigned int *bit, unsigned int max)
{
	struct page *page = ext2_page(fs, group->block_bitmap);
	struct search search = {
		.freed = radix_lookup(&fs->running->freed, number),
		.freeing = fs->committing ? radix_lookup(&fs->committing->freed, number) : NULL,
		.layout = &fs->layout,
		.group = group,
		.first = fs->layout.first_data_block + number * fs->layout.blocks_per_group,
		.blocks = ext2_group_blocks(&fs->layout, number),
	};
	char *address;
	int n;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	search.bitmap = (const uint8_t *)address;
	n = find_run(&search, bit, max);
	kunmap_local(address);
	page_put(page);
	return n;
}

/* How many blocks the current process may take: some are kept for root. */
static uint32_t may_take(const struct ext2_fs *fs)
{
	uint32_t kept = fs->layout.reserved_blocks;

	if (!current->process || current_uid() == fs->layout.reserved_uid ||
	    (fs->free_blocks <= kept && capable(CAP_SYS_RESOURCE)))
		kept = 0;
	return fs->free_blocks - MIN(kept, fs->free_blocks);
}

int ext2_take_blocks(struct ext2_fs *fs, uint32_t goal, unsigned int max, uint32_t *first)
{
	const struct ext2_layout *layout = &fs->layout;
	struct ext2_disk_group group;
	uint32_t number, allowed = may_take(fs);
	unsigned int bit;
	int error, n = 0;

	if (allowed == 0)
		return -ENOSPC;
	if (!ext2_block_ok(layout, goal))
		goal = layout->first_data_block;
	number = (goal - layout->first_data_block) / layout->blocks_per_group;
	bit = (goal - layout->first_data_block) % layout->blocks_per_group;
	/* The first group is looked at twice: from the goal on, and at last as a whole. */
	for (uint32_t left = layout->groups + 1; left > 0; left--) {
		error = read_group(fs, number, &group);
		if (error)
			return error;
		n = group.free_blocks ? search_group(fs, number, &group, &bit, MIN(max, RUN_MAX))
				      : 0;
		if (n < 0)
			return n;
		if (n > 0)
			break;
		number = number + 1 == layout->groups ? 0 : number + 1;
		bit = 0;
	}
	if (n == 0)
		return -ENOSPC;
	n = MIN(MIN((unsigned int)n, (unsigned int)group.free_blocks), allowed);
	error = change_bits(fs, group.block_bitmap, bit, n, true);
	group.free_blocks -= n;
	if (!error)
		error = write_group(fs, number, &group);
	if (error)
		return error;
	WRITE_ONCE(fs->free_blocks, fs->free_blocks - n);
	*first = layout->first_data_block + number * layout->blocks_per_group + bit;
	return n;
}

/* Note that the running transaction frees blocks of a group. Returns 0 or -ENOMEM. */
static int note_freed(struct ext2_fs *fs, uint32_t group, unsigned int bit, unsigned int nr)
{
	struct ext2_transaction *running = fs->running;
	uint8_t *bits = radix_lookup(&running->freed, group);

	if (!bits) {
		struct radix_pool pool = { .count = 0 };
		int error;

		bits = kzalloc(2 * fs->layout.block_size, 0);
		error = bits ? radix_preload(&pool, radix_need(&running->freed, group)) : -ENOMEM;
		if (!error)
			radix_insert(&running->freed, group, (void *const *)&bits, 1, &pool);
		radix_pool_release(&pool);
		if (error) {
			kfree(bits);
			return error;
		}
	}
	for (unsigned int i = bit; i < bit + nr; i++)
		bits[i >> 3] |= 1u << (i & 7);
	WRITE_ONCE(running->nr_freed, running->nr_freed + nr);
	return 0;
}

void ext2_freed_are_free(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	unsigned int group = 0;
	void *bits;

	if (transaction->nr_freed > 0)
		WRITE_ONCE(fs->blocks_came, fs->blocks_came + 1);
	while ((bits = radix_next(&transaction->freed, &group)) != NULL) {
		radix_remove(&transaction->freed, group);
		kfree(bits);
	}
	WRITE_ONCE(transaction->nr_freed, 0);
	WRITE_ONCE(transaction->nr_revoked, 0);
}

void ext2_note_revoked(struct ext2_fs *fs, uint32_t block)
{
	unsigned int bit = block - fs->layout.first_data_block;
	uint8_t *bits = radix_lookup(&fs->running->freed, bit / fs->layout.blocks_per_group);

	bits += fs->layout.block_size;
	bit %= fs->layout.blocks_per_group;
	if (bit_is_set(bits, bit))
		return;
	bits[bit >> 3] |= 1u << (bit & 7);
	WRITE_ONCE(fs->running->nr_revoked, fs->running->nr_revoked + 1);
}

uint32_t ext2_next_revoked(const struct ext2_fs *fs, const struct ext2_transaction *transaction,
			   uint32_t block)
{
	uint32_t per_group = fs->layout.blocks_per_group, first = fs->layout.first_data_block;
	unsigned int at = MAX(block, first) - first, group = at / per_group, bit = at % per_group;

	for (;; bit = 0, group++) {
		unsigned int found = group;
		const uint8_t *bits = radix_next(&transaction->freed, &found);

		assert(bits);
		if (found != group)
			bit = 0;
		group = found;
		bits += fs->layout.block_size;
		for (; bit < per_group; bit++)
			if (bit_is_set(bits, bit))
				return first + group * per_group + bit;
	}
}

/* The same for blocks of one group, at most GIVE_MAX. */
static int give_in_group(struct ext2_fs *fs, uint32_t number, unsigned int bit, unsigned int nr)
{
	struct ext2_disk_group group;
	int error = read_group(fs, number, &group);

	if (!error)
		error = note_freed(fs, number, bit, nr);
	if (!error)
		error = change_bits(fs, group.block_bitmap, bit, nr, false);
	if (error)
		return error;
	group.free_blocks += nr;
	error = write_group(fs, number, &group);
	if (!error)
		WRITE_ONCE(fs->free_blocks, fs->free_blocks + nr);
	return error;
}

int ext2_give_blocks(struct ext2_fs *fs, uint32_t first, unsigned int nr)
{
	const struct ext2_layout *layout = &fs->layout;
	int error = 0;

	if (!ext2_block_ok(layout, first) || nr > layout->blocks - first)
		return ext2_damaged(fs->sb, 0, "a block that is not on the file system");
	while (!error && nr > 0) {
		uint32_t group = (first - layout->first_data_block) / layout->blocks_per_group;
		unsigned int bit = (first - layout->first_data_block) % layout->blocks_per_group;
		unsigned int n = MIN(MIN(nr, GIVE_MAX), layout->blocks_per_group - bit);

		error = give_in_group(fs, group, bit, n);
		first += n;
		nr -= n;
	}
	return error;
}

uint32_t ext2_group_goal(const struct ext2_fs *fs, uint32_t number)
{
	return fs->layout.first_data_block +
	       ext2_inode_group(&fs->layout, number) * fs->layout.blocks_per_group;
}

/* ---- inodes ---- */

/*
 * Directories are spread: each goes to the group with the most free blocks among those that have an
 * average number of free inodes at least. Returns a group, or an error.
 */
static int group_for_directory(struct ext2_fs *fs, uint32_t *best)
{
	uint32_t average = fs->free_inodes / fs->layout.groups;
	struct ext2_disk_group group;
	unsigned int most = 0;

	*best = 0;
	for (uint32_t number = 0; number < fs->layout.groups; number++) {
		int error = read_group(fs, number, &group);

		if (error)
			return error;
		if (group.free_inodes > 0 && group.free_inodes >= average &&
		    group.free_blocks > most) {
			most = group.free_blocks;
			*best = number;
		}
	}
	return 0;
}

/* The first free inode of a group from `bit` on. Returns its bit, -ENOSPC or another error. */
static int find_inode(struct ext2_fs *fs, const struct ext2_disk_group *group, unsigned int bit)
{
	struct page *page = ext2_page(fs, group->inode_bitmap);
	unsigned int nr = fs->layout.inodes_per_group;
	const uint8_t *bits;

	if (IS_ERR(page))
		return PTR_ERR(page);
	bits = kmap_local(page);
	while (bit < nr && bit_is_set(bits, bit))
		bit += (bit & 7) == 0 && bits[bit >> 3] == 0xff ? 8 : 1;
	kunmap_local((void *)bits);
	page_put(page);
	return bit < nr ? (int)bit : -ENOSPC;
}

int ext2_take_inode(struct ext2_fs *fs, const struct inode *dir, bool directory, uint32_t *number,
		    struct ext2_place *place)
{
	const struct ext2_layout *layout = &fs->layout;
	uint32_t at = ext2_inode_group(layout, dir->number);
	struct ext2_disk_group group;
	int bit = -ENOSPC, error = 0;

	if (fs->free_inodes == 0)
		return -ENOSPC;
	if (directory)
		error = group_for_directory(fs, &at);
	for (uint32_t left = layout->groups; !error && bit == -ENOSPC && left > 0; left--) {
		error = read_group(fs, at, &group);
		if (!error && group.free_inodes > 0)
			bit = find_inode(fs, &group, at == 0 ? layout->first_inode - 1 : 0);
		if (bit == -ENOSPC)
			at = at + 1 == layout->groups ? 0 : at + 1;
	}
	if (error || bit < 0)
		return error ? error : bit;
	*number = at * layout->inodes_per_group + bit + 1;
	if (*number > layout->inodes)
		return -ENOSPC;
	*place = ext2_inode_place(layout, *number, group.inode_table);
	error = change_bits(fs, group.inode_bitmap, bit, 1, true);
	group.free_inodes--;
	group.directories += directory;
	if (!error)
		error = write_group(fs, at, &group);
	if (!error)
		WRITE_ONCE(fs->free_inodes, fs->free_inodes - 1);
	return error;
}

int ext2_give_inode(struct ext2_fs *fs, uint32_t number, bool directory)
{
	uint32_t at = ext2_inode_group(&fs->layout, number);
	struct ext2_disk_group group;
	int error = read_group(fs, at, &group);

	if (!error)
		error = change_bits(fs, group.inode_bitmap,
				    (number - 1) % fs->layout.inodes_per_group, 1, false);
	if (error)
		return error;
	group.free_inodes++;
	group.directories -= directory;
	error = write_group(fs, at, &group);
	if (!error) {
		WRITE_ONCE(fs->free_inodes, fs->free_inodes + 1);
		WRITE_ONCE(fs->inodes_came, fs->inodes_came + 1);
	}
	return error;
}

/* ---- space that comes ---- */

/* Is there an inode without a name that goes as soon as the commits let go of it? */
static bool commits_hold_orphans(struct ext2_fs *fs)
{
	bool hold = fs->dropped != fs->committed;
	struct ext2_inode *own;

	if (hold || list_empty(&fs->orphans))
		return hold;
	if (mutex_lock_killable(&fs->lock) < 0)
		return false;
	list_for_each(own, &fs->orphans, orphan)
		hold |= !list_empty(&own->changed) || !list_empty(&own->committing);
	mutex_unlock(&fs->lock);
	return hold;
}

/*
 * A file that has changed is kept in memory until a commit has stored it. If it has no name, its
 * room comes after that commit, and its blocks can be used after another one:
 *
 *	task				commits
 *	changes a file
 *	unlinks it, and closes it
 *	makes another one: no space
 *					stores the first one, drops it: that deletes it
 *					stores the deletion
 *	makes the other one
 */
//BOOK: ext2-space
static void wait_for_space(struct ext2_fs *fs)
{
	if (commits_hold_orphans(fs) && ext2_commit_all(fs) < 0)
		return;
	if (ext2_blocks_waiting(fs) > 0 && may_take(fs) > 0)
		(void)ext2_commit_wait(fs, READ_ONCE(READ_ONCE(fs->running)->id));
}

static uint32_t space_that_came(const struct ext2_fs *fs, bool inodes)
{
	return READ_ONCE(fs->blocks_came) + (inodes ? READ_ONCE(fs->inodes_came) : 0);
}

struct ext2_lack ext2_lack(const struct ext2_fs *fs, bool inodes)
{
	return (struct ext2_lack){ .inodes = inodes, .seen = space_that_came(fs, inodes) };
}

bool ext2_space_comes(struct ext2_fs *fs, struct ext2_lack *lack)
{
	uint32_t came, seen = lack->seen;

	if (lack->wait.tries++ == 0)
		lack->wait.end = time_now() + SPACE_SECONDS * NSEC_PER_SEC;
	wait_for_space(fs);
	came = space_that_came(fs, lack->inodes);
	lack->seen = came;
	return came != seen && (lack->wait.tries <= SPACE_TRIES || !time_reached(lack->wait.end));
}
