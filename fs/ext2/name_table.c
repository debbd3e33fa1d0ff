/*
 * The name table of a large directory. The contract is in fs/ext2/name_table.h.
 *
 * It is a hash table with open addressing. A word is 0 if it is free. Otherwise its lower bits are
 * the block's number plus one, and its upper bits are those of the hash. The lower bits of the hash
 * say where the word is. A word that was taken out becomes REMOVED, because a search must go on to
 * the words behind it. Two names may have equal words, and it does not matter which of the two goes
 * first.
 */
#include "fs/ext2/name_table.h"
#include "mm/page.h"
#include "mm/vmalloc.h"

#define BLOCK_BITS 12u /* of a word */
#define BLOCKS_MIN 4u
#define REMOVED	   (1u << BLOCK_BITS) /* of no block */
#define BLOCKS_MAX ((1u << BLOCK_BITS) - 1)
#define BYTES_PER_WORD \
	4u /* of the directory. The shortest entry has 12, so a new table has room for more names */

struct ext2_name_table {
	unsigned int size, used; /* words; size is a power of two; used ones are not 0 */
	uint32_t words[];
};

struct ext2_name_table *ext2_name_table_alloc(unsigned int blocks, uint64_t bytes)
{
	struct ext2_name_table *table;
	unsigned int size = 1;

	if (blocks < BLOCKS_MIN || blocks > BLOCKS_MAX)
		return NULL;
	while (size < bytes / BYTES_PER_WORD)
		size *= 2;
	table = vmalloc(sizeof(*table) + size * sizeof(uint32_t), ALLOC_ZERO | ALLOC_OPTIONAL);
	if (table)
		table->size = size;
	return table;
}

void ext2_name_table_free(struct ext2_name_table *table)
{
	vfree(table);
}

static uint32_t hash_of(const char *name, unsigned int len)
{
	uint32_t hash = len;

	for (unsigned int i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x9e3779b1u;
	return hash ^ hash >> 15;
}

static uint32_t word_of(uint32_t hash, unsigned int block)
{
	return (hash & ~BLOCKS_MAX) | (block + 1);
}

bool ext2_name_table_add(struct ext2_name_table *table, const char *name, unsigned int len,
			 unsigned int block)
{
	uint32_t hash = hash_of(name, len), word = word_of(hash, block);
	unsigned int at = hash & (table->size - 1);

	if (block >= BLOCKS_MAX || table->used > table->size / 4 * 3)
		return false;
	while (table->words[at] != 0 && table->words[at] != REMOVED)
		at = (at + 1) & (table->size - 1);
	table->used += table->words[at] == 0;
	table->words[at] = word;
	return true;
}

void ext2_name_table_remove(struct ext2_name_table *table, const char *name, unsigned int len,
			    unsigned int block)
{
	uint32_t hash = hash_of(name, len), word = word_of(hash, block);
	unsigned int at = hash & (table->size - 1);

	while (table->words[at] != 0 && table->words[at] != word)
		at = (at + 1) & (table->size - 1);
	if (table->words[at] != word)
		return;
	if (table->words[(at + 1) & (table->size - 1)] != 0) {
		table->words[at] = REMOVED;
	} else { /* no search goes on behind it */
		table->words[at] = 0;
		table->used--;
	}
}

int ext2_name_table_next(const struct ext2_name_table *table, const char *name, unsigned int len,
			 unsigned int *place, unsigned int *block)
{
	uint32_t hash = hash_of(name, len), word;

	while ((word = table->words[(hash + *place) & (table->size - 1)]) != 0) {
		(*place)++;
		if (word != REMOVED && (word & ~BLOCKS_MAX) == (hash & ~BLOCKS_MAX)) {
			*block = (word & BLOCKS_MAX) - 1;
			return 1;
		}
	}
	return 0;
}
