/*
 * A block that has changed: what fs/ext2/metadata.c and fs/ext2/commit.c share.
 */
#ifndef FS_EXT2_BLOCKS_H
#define FS_EXT2_BLOCKS_H

#include "fs/ext2/ext2.h"

struct ext2_block {
	struct list link;  /* in transaction->blocks */
	struct page *page; /* with a reference; its index is the block's number */
};

/* Take a block out of its transaction, and drop its page. */
void ext2_block_free(struct ext2_block *block);

#endif
