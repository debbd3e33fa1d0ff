/*
 * The journal of ext3 on disk ("Journal (jbd2)" in the documentation of ext4), as ext3 has it:
 * without checksums, and with block numbers of 32 bits. All numbers are big-endian.
 */
#ifndef FS_EXT2_JOURNAL_FORMAT_H
#define FS_EXT2_JOURNAL_FORMAT_H

#include "lib/types.h"

#define JOURNAL_MAGIC 0xc03b3998u

enum journal_block_type {
	JOURNAL_DESCRIPTOR = 1, /* the places of the blocks that follow */
	JOURNAL_COMMIT = 2,	/* the transaction is complete */
	JOURNAL_SUPER_1 = 3,
	JOURNAL_SUPER_2 = 4, /* with features */
	JOURNAL_REVOKE = 5,  /* blocks whose older copies are not to be replayed */
};

struct journal_header { /* of each block that is not a copy of another one */
	uint32_t magic, type, sequence;
} __packed;

struct journal_super {
	struct journal_header header;
	uint32_t block_size, blocks, first; /* the log is [first, blocks) */
	uint32_t sequence, start; /* of the oldest transaction; start 0: the log is empty */
	uint32_t error;
	uint32_t compatible, incompatible, read_only_compatible;
	uint8_t uuid[16];
} __packed;
#define JOURNAL_INCOMPAT_REVOKE 1u

struct journal_tag { /* in a descriptor: one for each block that follows */
	uint32_t block, flags;
} __packed;
enum journal_tag_flags {
	JOURNAL_ESCAPED =
		1, /* its first four bytes were JOURNAL_MAGIC, and are zeros in the copy */
	JOURNAL_SAME_UUID = 2, /* otherwise 16 bytes follow the tag */
	JOURNAL_LAST = 8,
};
#define JOURNAL_UUID_SIZE 16u

struct journal_revoke { /* the numbers of the blocks follow */
	struct journal_header header;
	uint32_t bytes; /* of this block that are in use */
} __packed;

static inline uint32_t big_endian(uint32_t number)
{
	return __builtin_bswap32(number);
}

#endif
