/*
 * ext2: where the blocks of a file are, and reading them.
 *
 * 1. A pointer of 0, on any level, is a hole: zeros. Any other one is checked before it is used, so
 *    a damaged file reads as EIO, and indirect blocks that point to themselves are only read as
 *    often as the path is long.
 * 2. Finding a block may wait for indirect blocks, which are metadata; reading data waits for
 *    nothing.
 */
#include "fs/ext2/ext2.h"
#include "drivers/block.h"
#include "fs/pageio.h"

#define POINTERS_AT_ONCE 64u

/* How many of `nr` pointers lie in one piece from the first one on (holes: are holes). */
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

/* Follow the path down to the block that holds the last pointers: *block, 0 if the way leads into a
 * hole. */
static int walk_indirect(struct inode *inode, const unsigned int *path, unsigned int length,
			 uint32_t *block)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = inode->private;
	uint32_t pointer = own->block[path[0]];

	for (unsigned int level = 1;; level++) {
		int error = check_run(inode, pointer, 1);

		if (error)
			return error;
		if (pointer == 0 || level == length - 1)
			break;
		error = ext2_read_metadata(fs,
					   ((uint64_t)pointer << fs->layout.block_shift) +
						   path[level] * sizeof(uint32_t),
					   &pointer, sizeof(pointer));
		if (error)
			return error;
	}
	*block = pointer;
	return 0;
}

static int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = inode->private;
	uint32_t copied[POINTERS_AT_ONCE], *pointers = copied, indirect;
	unsigned int path[4], left, n;
	unsigned int length = ext2_block_path(&fs->layout, block, path, &left);
	int error;

	if (length == 0)
		return -EIO;
	max = MIN(MIN(max, left), POINTERS_AT_ONCE);
	if (length == 1) {
		pointers = &own->block[path[0]];
	} else {
		error = walk_indirect(inode, path, length, &indirect);
		if (error)
			return error;
		*first = 0;
		if (indirect == 0)
			return max;
		error = ext2_read_metadata(fs,
					   ((uint64_t)indirect << fs->layout.block_shift) +
						   path[length - 1] * sizeof(uint32_t),
					   copied, max * sizeof(uint32_t));
		if (error)
			return error;
	}
	n = count_run(pointers, max);
	*first = pointers[0];
	error = check_run(inode, pointers[0], n);
	return error ? error : (int)n;
}

static void ext2_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct inode *inode = mapping->inode;

	pageio_read(inode->sb->device, mapping, ext2_fs(inode)->layout.block_shift,
		    ext2_lookup_block, pages, nr);
}

const struct mapping_ops ext2_mapping_ops = {
	.read_pages = ext2_read_pages,
	.has_store = true,
};
