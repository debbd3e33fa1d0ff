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

/* If there are attributes in the inode and in a block, those in the inode are told. */
static int find_attributes(struct inode *inode, file_off_t start, file_off_t end,
			   struct file_extent *extent)
{
	struct ext2_place place;
	unsigned int len;
	int error = ext2_xattr_place(inode, &place, &len);

	if (error)
		return error;
	*extent = (struct file_extent){
		.len = len,
		.place = ((uint64_t)place.block << ext2_fs(inode)->layout.block_shift) +
			 place.offset,
		.in_inode = place.offset > 0,
	};
	return start < extent->len;
}

const struct extent_ops ext2_extent_ops = {
	.find = find,
	.find_attributes = find_attributes,
};
