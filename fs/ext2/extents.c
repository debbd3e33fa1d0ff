/*
 * Where files of ext2 lie on the disk: the extent_ops of fs/file/extents.h.
 *
 * 1. A file gets its blocks when a write to it begins, so there are no extents that are still to be
 *    allocated.
 * 2. An extent is as long as its blocks are neighbours, even if their pointers lie in different
 *    indirect blocks.
 */
#include "fs/ext2/ext2.h"
#include "fs/file/extents.h"
#include "kernel/cpu/cpu.h"
#include "kernel/wait.h"

static file_off_t limit(const struct inode *inode)
{
	const struct ext2_layout *layout = &ext2_fs(inode)->layout;

	return ext2_max_blocks(layout) << layout->block_shift;
}

/*
 * Returns the end of the run that begins with a block of [block, end), or an error. *first is the
 * disk's block where it begins.
 */
static int64_t find_end(struct inode *inode, int64_t block, int64_t end, uint64_t *first)
{
	int64_t at = block;
	uint64_t place;

	while (at < end) {
		int n = ext2_lookup_block(inode, at, MIN(end - at, (int64_t)INT32_MAX), &place);

		if (n < 0)
			return n;
		if (at == block)
			*first = place;
		if (place != *first + (at - block))
			break;
		at += n;
		if (kill_pending())
			return -EINTR;
		if (this_cpu()->need_resched)
			schedule();
	}
	return at;
}

static int find(struct inode *inode, file_off_t start, file_off_t end, struct file_extent *extent)
{
	unsigned int shift = ext2_fs(inode)->layout.block_shift;
	int64_t behind = (end + (1u << shift) - 1) >> shift, run_end;
	int64_t block = ext2_find_block(inode, start >> shift, behind, true);
	uint64_t first = 0;

	if (block < 0 || block == behind)
		return MIN(block, 0ll);
	run_end = find_end(inode, block, behind, &first);
	if (run_end < 0)
		return run_end;
	*extent = (struct file_extent){
		.start = block << shift,
		.len = (run_end - block) << shift,
		.place = first << shift,
	};
	return 1;
}

/*
 * Are there extended attributes in the inode itself, behind its extra fields? Returns 1 and writes
 * to *at where in the inode they begin, or returns 0 or an error.
 */
static int attributes_in_inode(const struct inode *inode, unsigned int *at)
{
	const struct ext2_inode *own = ext2_own(inode);
	struct ext2_fs *fs = ext2_fs(inode);
	uint16_t extra;
	uint32_t magic;
	int error;

	if (fs->layout.inode_size == EXT2_INODE_SIZE_MIN)
		return 0;
	error = ext2_read(fs, own->table_block, own->table_offset + EXT2_INODE_SIZE_MIN, &extra,
			  sizeof(extra));
	if (error)
		return error;
	*at = EXT2_INODE_SIZE_MIN + extra;
	if (extra == 0 || *at > fs->layout.inode_size - sizeof(magic))
		return 0;
	error = ext2_read(fs, own->table_block, own->table_offset + *at, &magic, sizeof(magic));
	return error ? error : magic == EXT2_ATTRIBUTES_MAGIC;
}

/*
 * Attributes may be in the inode, and others in a block of their own. The inode's are told, or else
 * the block.
 */
static int find_attributes(struct inode *inode, file_off_t start, file_off_t end,
			   struct file_extent *extent)
{
	const struct ext2_inode *own = ext2_own(inode);
	struct ext2_fs *fs = ext2_fs(inode);
	unsigned int at = 0;
	int in_inode = attributes_in_inode(inode, &at);

	if (in_inode < 0)
		return in_inode;
	if (in_inode == 0 && own->file_acl == 0)
		return 0;
	if (in_inode)
		*extent = (struct file_extent){
			.len = fs->layout.inode_size - at,
			.place = ((uint64_t)own->table_block << fs->layout.block_shift) +
				 own->table_offset + at,
			.in_inode = true,
		};
	else
		*extent = (struct file_extent){
			.len = fs->layout.block_size,
			.place = (uint64_t)own->file_acl << fs->layout.block_shift,
		};
	return start < extent->len;
}

const struct extent_ops ext2_extent_ops = {
	.limit = limit,
	.find = find,
	.find_attributes = find_attributes,
};
