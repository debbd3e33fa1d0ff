/*
 * The blocks of a file: finding, adding and freeing them. fs/ext2/ext2.h has the contract.
 *
 * 1. A block pointer of 0, on any level, is a hole and reads as zeros. Any other pointer is checked
 *    before it is used, so a damaged file reads as -EIO. A path to a block has at most four steps,
 *    so indirect blocks that point to themselves cause no endless loop.
 * 2. Finding a block may wait for indirect blocks, which are metadata. It never waits for data, and
 *    takes no lock: a pointer is read in one piece. An indirect block that is freed meanwhile is
 *    noticed (own->detached).
 */
#include "fs/ext2/ext2.h"
#include "lib/string.h"
#include "mm/kmap.h"

#define POINTERS_AT_ONCE 64u /* at most EXT2_GIVEN_MAX: see struct ext2_undo */
#define POINTER_SIZE	 4u

static const uint32_t no_pointers[POINTERS_AT_ONCE];

/*
 * How many of the `nr` pointers, from the first one on, are consecutive blocks, or are all holes.
 */
static unsigned int count_run(const uint32_t *pointers, unsigned int nr)
{
	unsigned int n = 1;

	while (n < nr && pointers[n] == (pointers[0] ? pointers[0] + n : 0))
		n++;
	return n;
}

static int check_run(struct inode *inode, uint32_t first, unsigned int n)
{
	const struct ext2_layout *layout = &ext2_fs(inode)->layout;

	if (first == 0 || (ext2_block_ok(layout, first) && ext2_block_ok(layout, first + n - 1)))
		return 0;
	return ext2_damaged(inode->sb, inode->number, "a block that is not on the file system");
}

/*
 * How many blocks there are from the one with this path to the last one that its pointer of `level`
 * leads to.
 */
static uint64_t count_below(const struct ext2_layout *layout, const unsigned int *path,
			    unsigned int length, unsigned int level)
{
	unsigned int shift = layout->block_shift - 2;
	uint64_t before = 0;

	for (unsigned int at = level; at < length; at++)
		before = before << shift | path[at];
	return (1ull << shift * (length - level)) - before;
}

/*
 * Follow the path of a block. After each step `pointers` holds the pointers in the last block on
 * the path, from the path's place in it on. Returns as ext2_lookup_block(), but *first has not been
 * checked yet. It may be the pointer to an indirect block that is not on the file system.
 */
static int follow_path(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = inode->private;
	uint32_t pointers[POINTERS_AT_ONCE];
	unsigned int path[4], left, n, level = 1, at_once;
	unsigned int length = ext2_block_path(&fs->layout, block, path, &left);
	int error;

	if (length == 0)
		return -EIO;
	at_once = MIN(MIN(max, left), POINTERS_AT_ONCE);
	n = length == 1 ? at_once : 1;
	for (unsigned int i = 0; i < n; i++)
		pointers[i] = READ_ONCE(own->block[path[0] + i]);
	for (;;) {
		n = count_run(pointers, n);
		*first = pointers[0];
		if (level == length || (pointers[0] && !ext2_block_ok(&fs->layout, pointers[0])))
			return n;
		if (pointers[0] == 0)
			return MIN((uint64_t)max, count_below(&fs->layout, path, length, level));
		n = level == length - 1 ? at_once : 1;
		error = ext2_read(fs, pointers[0], path[level++] * POINTER_SIZE, pointers,
				  n * sizeof(*pointers));
		if (error)
			return error;
	}
}

/*
 * Punching a hole may free an indirect block while we follow a path through it, to a block that is
 * not in the hole:
 *
 *	lookup				punching
 *	reads the pointer to an
 *	indirect block
 *					clears the pointer, detached++, forgets the
 *					block, and another file gets it
 *	reads the block: another
 *	file's bytes
 *	detached has changed:
 *	follows the path again
 *
 * The indirect block is forgotten last, so a task that reads it from the disk again sees the new
 * count.
 */
//BOOK: ext2-detached
int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	struct ext2_inode *own = inode->private;
	unsigned int detached;
	int n, error;

	do {
		detached = load_acquire(&own->detached);
		n = follow_path(inode, block, max, first);
	} while (load_acquire(&own->detached) != detached);
	if (n < 0)
		return n;
	error = check_run(inode, *first, n);
	return error ? error : n;
}

/* ---- adding ---- */

static unsigned int sectors_of(const struct inode *inode, unsigned int blocks)
{
	return blocks << (ext2_fs(inode)->layout.block_shift - 9);
}

/* Take up to `max` consecutive blocks for a file, near the ones that it has got last. */
static int take_near(struct inode *inode, unsigned int max, uint32_t *first)
{
	struct ext2_inode *own = ext2_own(inode);
	struct ext2_fs *fs = ext2_fs(inode);
	uint32_t goal = own->goal ? own->goal : ext2_group_goal(fs, inode->number);
	int n = ext2_take_blocks(fs, goal, max, first);

	if (n > 0) {
		own->goal = *first + n;
		inode->blocks += sectors_of(inode, n);
	}
	return n;
}

/*
 * The block in which the pointer to a block of a file is, and its index there. The indirect blocks
 * on the way are made. Returns 0 or an error. *parent is 0 if the pointer is in the inode.
 */
static int make_path(struct inode *inode, const unsigned int *path, unsigned int length,
		     uint32_t *parent)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	int error = 0;

	*parent = 0;
	for (unsigned int level = 0; !error && level + 1 < length; level++) {
		uint32_t pointer = own->block[path[0]], made = 0;

		if (level > 0)
			error = ext2_read(fs, *parent, path[level] * POINTER_SIZE, &pointer,
					  sizeof(pointer));
		if (!error && pointer == 0) {
			error = take_near(inode, 1, &made);
			error = error < 0 ? error : ext2_make_block(fs, made);
			pointer = made;
		}
		if (!error && !ext2_block_ok(&fs->layout, pointer))
			error = check_run(inode, pointer, 1);
		if (!error && made && level > 0)
			error = ext2_edit(fs, *parent, path[level] * POINTER_SIZE, &pointer,
					  sizeof(pointer));
		if (!error && level == 0)
			own->block[path[0]] = pointer;
		*parent = pointer;
	}
	return error;
}

/*
 * Fill a hole of `nr` blocks that have their pointers in one block. Returns how many were added, or
 * an error.
 */
static int fill_hole(struct inode *inode, uint64_t block, unsigned int nr, bool metadata)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	uint32_t pointers[POINTERS_AT_ONCE], parent, first;
	unsigned int path[4], left;
	unsigned int length = ext2_block_path(&fs->layout, block, path, &left);
	int error, n;

	if (length == 0)
		return -EFBIG;
	error = make_path(inode, path, length, &parent);
	if (error)
		return error;
	n = take_near(inode, MIN(MIN(nr, left), POINTERS_AT_ONCE), &first);
	for (int i = 0; i < n; i++) {
		pointers[i] = first + i;
		if (!parent)
			own->block[path[0] + i] = first + i;
		if (metadata && !error)
			error = ext2_make_block(fs, first + i);
	}
	if (n > 0 && parent && !error)
		error = ext2_edit(fs, parent, path[length - 1] * POINTER_SIZE, pointers,
				  n * POINTER_SIZE);
	return error ? error : n;
}

int ext2_add_blocks(struct inode *inode, uint64_t block, unsigned int nr, bool metadata,
		    unsigned int *added)
{
	*added = 0;
	while (nr > 0) {
		uint64_t first;
		int n;

		if (block >= ext2_max_blocks(&ext2_fs(inode)->layout))
			return -EFBIG;
		n = ext2_lookup_block(inode, block, nr, &first);
		if (n > 0 && first == 0) {
			n = fill_hole(inode, block, n, metadata);
			*added += MAX(n, 0);
		}
		if (n < 0)
			return n;
		block += n;
		nr -= n;
	}
	return 0;
}

/* ---- freeing ---- */

/* Clear pointers that are in the inode, and store it if nothing else will. */
static int clear_own(struct inode *inode, unsigned int index, const uint32_t *pointers,
		     unsigned int nr)
{
	struct ext2_inode *own = ext2_own(inode);
	int error = 0;

	memset(own->block + index, 0, nr * POINTER_SIZE);
	if (own->leaving)
		error = ext2_store_inode(inode);
	if (error)
		memcpy(own->block + index, pointers, nr * POINTER_SIZE);
	return error;
}

/* Free what `nr` pointers lead to. Returns how many blocks that were, or an error. */
static int give_runs(struct inode *inode, const uint32_t *pointers, unsigned int nr)
{
	unsigned int freed = 0, n;
	int error = 0;

	for (unsigned int i = 0; !error && i < nr; i += n) {
		n = count_run(pointers + i, nr - i);
		if (pointers[i] == 0)
			continue;
		error = ext2_give_blocks(ext2_fs(inode), pointers[i], n);
		freed += n;
	}
	return error ? error : (int)freed;
}

/*
 * One operation: free what `nr` pointers lead to, and clear them. They are in the block `parent`,
 * from `index` on, or, if it is 0, in the inode. `metadata`: their blocks are metadata.
 */
static int free_pointers(struct inode *inode, uint32_t parent, unsigned int index,
			 const uint32_t *pointers, unsigned int nr, bool metadata)
{
	struct ext2_fs *fs = ext2_fs(inode);
	int freed, error = ext2_begin_always(fs);

	if (error)
		return error;
	freed = give_runs(inode, pointers, nr);
	error = MIN(freed, 0);
	if (!error && parent)
		error = ext2_edit(fs, parent, index * POINTER_SIZE, no_pointers, nr * POINTER_SIZE);
	if (!error && !parent)
		error = clear_own(inode, index, pointers, nr);
	if (!error) {
		for (unsigned int i = 0; metadata && i < nr; i++)
			if (pointers[i])
				ext2_forget(fs, pointers[i]);
		inode->blocks -= MIN(inode->blocks, (uint64_t)sectors_of(inode, freed));
		ext2_changed(inode);
	}
	return ext2_end(fs, error);
}

static bool any_pointer(const uint32_t *pointers, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (pointers[i])
			return true;
	return false;
}

/*
 * Free the blocks of a file from `from` on that an indirect block leads to. Its first pointer is
 * that of block `start`. With depth 1 its pointers lead to the file's own blocks.
 */
static int free_below(struct inode *inode, uint32_t indirect, unsigned int depth, uint64_t start,
		      uint64_t from)
{
	struct ext2_fs *fs = ext2_fs(inode);
	unsigned int shift = fs->layout.block_shift - 2, per_block = 1u << shift;
	uint64_t span = 1ull << shift * (depth - 1);
	unsigned int index = from > start ? (from - start) / span : 0;
	unsigned int at_once = depth == 1 ? POINTERS_AT_ONCE : 1, n;
	uint32_t pointers[POINTERS_AT_ONCE];
	int error = check_run(inode, indirect, 1);

	for (; !error && index < per_block; index += n) {
		uint64_t child = start + index * span;

		n = MIN(at_once, per_block - index);
		error = ext2_read(fs, indirect, index * POINTER_SIZE, pointers, n * POINTER_SIZE);
		if (error || !any_pointer(pointers, n))
			continue;
		if (depth > 1)
			error = free_below(inode, pointers[0], depth - 1, child, from);
		if (!error && child >= from)
			error = free_pointers(inode, indirect, index, pointers, n,
					      depth > 1 || !S_ISREG(inode->mode));
	}
	return error;
}

int ext2_free_from(struct inode *inode, uint64_t block)
{
	struct ext2_inode *own = ext2_own(inode);
	unsigned int shift = ext2_fs(inode)->layout.block_shift - 2;
	uint64_t start = EXT2_DIRECT;
	uint32_t pointers[EXT2_POINTERS];
	int error = 0;

	own->goal = 0;
	memcpy(pointers, own->block, sizeof(pointers));
	if (block < EXT2_DIRECT && any_pointer(pointers + block, EXT2_DIRECT - block))
		error = free_pointers(inode, 0, block, pointers + block, EXT2_DIRECT - block,
				      !S_ISREG(inode->mode));
	for (unsigned int depth = 1; !error && depth <= 3; depth++) {
		unsigned int index = EXT2_DIRECT + depth - 1;
		uint64_t next = start + (1ull << shift * depth);

		if (pointers[index] && next > block)
			error = free_below(inode, pointers[index], depth, start, block);
		if (!error && pointers[index] && start >= block)
			error = free_pointers(inode, 0, index, pointers + index, 1, true);
		start = next;
	}
	return error;
}

/* ---- freeing a part of a file ---- */

/*
 * The way to a block of a file. Pointer path[level] of block parents[level] leads to the next one.
 * parents[0] is 0: the inode.
 */
struct branch {
	unsigned int path[4], length;
	uint32_t parents[4];
};

static int read_pointers(struct inode *inode, uint32_t parent, unsigned int index,
			 uint32_t *pointers, unsigned int nr)
{
	if (parent)
		return ext2_read(ext2_fs(inode), parent, index * POINTER_SIZE, pointers,
				 nr * POINTER_SIZE);
	memcpy(pointers, ext2_own(inode)->block + index, nr * POINTER_SIZE);
	return 0;
}

static int clear_pointers(struct inode *inode, uint32_t parent, unsigned int index, unsigned int nr)
{
	if (parent)
		return ext2_edit(ext2_fs(inode), parent, index * POINTER_SIZE, no_pointers,
				 nr * POINTER_SIZE);
	for (unsigned int i = index; i < index + nr; i++)
		WRITE_ONCE(ext2_own(inode)->block[i], 0);
	return 0;
}

/*
 * Find the way to a block. Returns 1, 0 if an indirect block on it is missing, or an error. Writes
 * to *left how many pointers there are in the last parent from the block's own on.
 */
static int find_branch(struct inode *inode, uint64_t block, struct branch *branch,
		       unsigned int *left)
{
	int error = 0;

	branch->length = ext2_block_path(&ext2_fs(inode)->layout, block, branch->path, left);
	branch->parents[0] = 0;
	if (branch->length == 0)
		return -EIO;
	for (unsigned int level = 1; !error && level < branch->length; level++) {
		uint32_t *pointer = branch->parents + level;

		error = read_pointers(inode, pointer[-1], branch->path[level - 1], pointer, 1);
		if (!error && *pointer == 0)
			return 0;
		error = error ? error : check_run(inode, *pointer, 1);
	}
	return error ? error : 1;
}

/* Are all pointers in an indirect block zeros? Returns 1, 0 or an error. */
static int is_empty(struct ext2_fs *fs, uint32_t indirect)
{
	struct page *page = ext2_page(fs, indirect);
	const uint32_t *pointers;
	bool any;

	if (IS_ERR(page))
		return PTR_ERR(page);
	pointers = kmap_local(page);
	any = any_pointer(pointers, fs->layout.block_size / POINTER_SIZE);
	kunmap_local((void *)pointers);
	page_put(page);
	return !any;
}

/*
 * Free the indirect blocks on the way that have become empty: the last `*nr` parents. Returns 0 or
 * an error.
 */
static int free_empty(struct inode *inode, const struct branch *branch, unsigned int *nr)
{
	struct ext2_fs *fs = ext2_fs(inode);
	int error = 0;

	*nr = 0;
	for (unsigned int level = branch->length - 1; !error && level > 0; level--) {
		int empty = is_empty(fs, branch->parents[level]);

		if (empty <= 0)
			return empty;
		error = ext2_give_blocks(fs, branch->parents[level], 1);
		if (!error)
			error = clear_pointers(inode, branch->parents[level - 1],
					       branch->path[level - 1], 1);
		(*nr)++;
	}
	return error;
}

/*
 * Part of an operation: free up to `nr` blocks from `block` on whose pointers are in one block, and
 * the indirect blocks above them that have become empty. Returns how many places were passed, or an
 * error.
 */
static int free_in_parent(struct inode *inode, uint64_t block, unsigned int nr)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	uint32_t pointers[POINTERS_AT_ONCE], *parent;
	unsigned int left, empty, *index;
	struct branch branch;
	int freed, error = find_branch(inode, block, &branch, &left);

	nr = MIN(MIN(nr, left), POINTERS_AT_ONCE);
	if (error <= 0)
		return error ? error : (int)nr;
	parent = branch.parents + branch.length - 1;
	index = branch.path + branch.length - 1;
	error = read_pointers(inode, *parent, *index, pointers, nr);
	if (error)
		return error;
	freed = give_runs(inode, pointers, nr);
	if (freed <= 0)
		return freed ? freed : (int)nr;
	error = clear_pointers(inode, *parent, *index, nr);
	if (!error)
		error = free_empty(inode, &branch, &empty);
	if (error)
		return error;
	if (empty > 0)
		store_release(&own->detached, own->detached + 1);
	for (unsigned int i = 0; i < empty; i++)
		ext2_forget(fs, parent[-i]);
	inode->blocks -= MIN(inode->blocks, (uint64_t)sectors_of(inode, freed + empty));
	return nr;
}

/* The same as one operation. */
static int free_once(struct inode *inode, uint64_t block, unsigned int nr)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	uint32_t pointers[EXT2_POINTERS];
	int n = ext2_begin_in_page(fs);

	if (n)
		return n;
	memcpy(pointers, own->block, sizeof(pointers));
	n = free_in_parent(inode, block, nr);
	if (n < 0)
		memcpy(own->block, pointers, sizeof(pointers));
	else
		ext2_changed(inode);
	ext2_end(fs, MIN(n, 0));
	return n;
}

int ext2_free_range(struct inode *inode, uint64_t block, uint64_t end)
{
	while (block < end) {
		uint64_t first;
		int n = ext2_lookup_block(inode, block, MIN(end - block, (uint64_t)INT32_MAX),
					  &first);

		if (n > 0 && first != 0)
			n = free_once(inode, block, MIN(end - block, (uint64_t)POINTERS_AT_ONCE));
		if (n < 0)
			return n;
		block += n;
	}
	return 0;
}
