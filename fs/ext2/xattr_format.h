/*
 * Extended attributes of ext2 on disk (Linux, Documentation/filesystems/ext4/attributes.rst).
 *
 * 1. Attributes are in lists. An inode may have one list in the inode itself, behind the extra
 *    fields of a large inode, and one in a block of its own, which other inodes may share. Each
 *    attribute is in one of the two.
 * 2. A list has a region of bytes. The entries with the names grow from its beginning, and end with
 *    four zeros. The values grow from its end. Names and values are padded to a multiple of four.
 * 3. The entries in a block are sorted by index, by the length of the name, and by the name, and
 *    have hashes. Those in an inode stand in the order in which they came.
 * 4. Like fs/ext2/format.h, all this is plain computation on bytes that may be anything. It neither
 *    sleeps nor allocates, and is tested on the host.
 */
#ifndef FS_EXT2_XATTR_FORMAT_H
#define FS_EXT2_XATTR_FORMAT_H

#include "lib/types.h"

#define EXT2_XATTR_MAGIC 0xea020000u /* at the beginning of both kinds */

/* The header of a block. The region begins with the block, and the entries behind the header. */
struct ext2_xattr_block {
	uint32_t magic, holders, blocks, hash, checksum, reserved[3];
} __packed;

/* An entry; the name follows. A value of no bytes has the offset 0. */
struct ext2_disk_xattr {
	uint8_t name_len, index;
	uint16_t value_offset; /* in the region */
	uint32_t value_inode;  /* ext4: the value is in an inode of its own */
	uint32_t value_size, hash;
} __packed;

/* The index stands for the beginning of the name. */
enum ext2_xattr_index {
	EXT2_XATTR_USER = 1,
	EXT2_XATTR_TRUSTED = 4,
	EXT2_XATTR_SECURITY = 6,
};

/* A list: its region, and where in it the entries begin. */
struct ext2_xattr_list {
	char *region;
	unsigned int first, size;
	bool sorted; /* it is in a block */
};

/* An attribute. The name has no beginning, and no '\0' at its end. */
struct ext2_xattr {
	unsigned int index, name_len, size;
	const char *name;
	const void *value;
};

/*
 * Read the entry at offset `at`. Returns its length, which leads to the next one, 0 behind the last
 * one, or -1 if it is damaged. Its name and its value are in the region.
 */
int ext2_xattr_read(const struct ext2_xattr_list *list, unsigned int at, struct ext2_xattr *xattr);
/*
 * Find the attribute that has the index and the name of *xattr, and set its value. Returns 1, 0 if
 * it is not there, or -1 if an entry on the way is damaged.
 */
int ext2_xattr_find(const struct ext2_xattr_list *list, struct ext2_xattr *xattr);
/*
 * Write to `to`, whose region is zeros, what `from` has, but with *xattr in place of an attribute
 * of its name, or without it if the value is NULL. Both have the same layout. If `from` is NULL, it
 * has no attributes. Returns the number of attributes, -ENOSPC if they do not fit, or -EIO if
 * `from` is damaged. The header of a block remains to be written.
 */
int ext2_xattr_change(const struct ext2_xattr_list *from, const struct ext2_xattr_list *to,
		      const struct ext2_xattr *xattr);
/* The hash for the header of a block, of the entries in the list. */
uint32_t ext2_xattr_hash(const struct ext2_xattr_list *list);

#endif
