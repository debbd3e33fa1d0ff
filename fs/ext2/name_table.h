/*
 * The name table of a large directory: in which of its blocks a name may be.
 *
 * 1. The table is in memory only. It has a word for each name of the directory: some bits of the
 *    name's hash, and the number of the directory's block. So a block that the table gives may lack
 *    the name, but a name for which it gives no block is not in the directory.
 * 2. If the table becomes too full it is freed, and the next search makes another one. Without a
 *    table the directory is searched block by block.
 * 3. The lock of the directory's inode guards its table.
 */
#ifndef FS_EXT2_NAME_TABLE_H
#define FS_EXT2_NAME_TABLE_H

#include "lib/types.h"

struct ext2_name_table;

/*
 * Returns an empty table for a directory of so many blocks and bytes, or NULL if the directory is
 * too small or too large to have one, or if there is no memory. May sleep.
 */
struct ext2_name_table *ext2_name_table_alloc(unsigned int blocks, uint64_t bytes);
/* Free a table. Ignores NULL. */
void ext2_name_table_free(struct ext2_name_table *table);
/*
 * Enter a name of the directory's block. Returns false if the table is too full, and has to be
 * freed.
 */
bool ext2_name_table_add(struct ext2_name_table *table, const char *name, unsigned int len,
			 unsigned int block);
/* Take out a name of the directory's block, which has been entered. */
void ext2_name_table_remove(struct ext2_name_table *table, const char *name, unsigned int len,
			    unsigned int block);
/*
 * Find the blocks that may have a name, one after the other. *place is 0 at first. Returns 1 with
 * the number in *block, or 0 if there are no more.
 */
int ext2_name_table_next(const struct ext2_name_table *table, const char *name, unsigned int len,
			 unsigned int *place, unsigned int *block);

#endif
