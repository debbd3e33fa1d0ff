/*
 * The ext2 format on disk ("The Second Extended File System, Internal Layout", D. Poirier), and the
 * checks that stand between it and the rest of the kernel.
 *
 * 1. Everything here is plain computation on bytes that came from a disk. It takes no locks,
 *    allocates no memory and does no IO, so it never sleeps. It is tested on the host.
 * 2. A disk may hold anything. Data that these functions have accepted can be used without further
 *    checks. Shifts are in range, divisors are not zero, offsets lie within their block, and block
 *    numbers lie within the file system.
 */
#ifndef FS_EXT2_FORMAT_H
#define FS_EXT2_FORMAT_H

#include "lib/types.h"

#define EXT2_SUPER_OFFSET 1024u
#define EXT2_MAGIC	  0xef53
#define EXT2_ROOT_INODE	  2u
#define EXT2_DIRECT	  12u /* block pointers in the inode */
#define EXT2_POINTERS	  15u /* with single, double and triple indirect */
#define EXT2_FAST_SYMLINK 60u /* a shorter target is stored in place of the pointers */

/* 3.1 Superblock: the fields that are used. */
struct ext2_disk_super {
	uint32_t inodes_count, blocks_count, reserved_blocks, free_blocks, free_inodes;
	uint32_t first_data_block, log_block_size, log_fragment_size;
	uint32_t blocks_per_group, fragments_per_group, inodes_per_group;
	uint32_t mount_time, write_time;
	uint16_t mount_count, max_mount_count, magic, state, errors, minor_revision;
	uint32_t last_check, check_interval, creator_os, revision;
	uint16_t default_uid, default_gid;
	uint32_t first_inode;
	uint16_t inode_size, block_group;
	uint32_t compatible, incompatible, read_only_compatible;
	uint8_t uuid[16], volume_name[16], last_mounted[64];
	uint32_t algorithms;
	uint8_t preallocate, preallocate_directory;
	uint16_t reserved_groups; /* blocks for more group descriptors, with each copy of them */
	uint8_t journal_uuid[16];
	uint32_t journal_inode, journal_device, last_orphan;
} __packed;

#define EXT2_STATE_CLEAN       0x0001u /* super.state: it was unmounted */

#define EXT2_INCOMPAT_FILETYPE 0x0002u /* directory entries name the type */
#define EXT2_INCOMPAT_RECOVER  0x0004u /* the journal has to be replayed */
#define EXT2_INCOMPAT_KNOWN    (EXT2_INCOMPAT_FILETYPE | EXT2_INCOMPAT_RECOVER)
#define EXT2_COMPAT_JOURNAL    0x0004u
#define EXT2_COMPAT_XATTR      0x0008u /* there are extended attributes */
#define EXT2_COMPAT_RESIZE     0x0010u /* blocks are kept for more group descriptors */
/* With other features of this kind the file system can be read but not written. */
#define EXT2_READ_ONLY_SPARSE	  0x0001u /* not every group has a copy of the superblock */
#define EXT2_READ_ONLY_LARGE_FILE 0x0002u /* a file has 2 GiB or more */
#define EXT2_READ_ONLY_KNOWN	  (EXT2_READ_ONLY_SPARSE | EXT2_READ_ONLY_LARGE_FILE)

/* 3.2 Block group descriptor */
struct ext2_disk_group {
	uint32_t block_bitmap, inode_bitmap, inode_table;
	uint16_t free_blocks, free_inodes, directories, pad;
	uint32_t reserved[3];
} __packed;

/* 3.3 Inode, without the extra fields of larger inodes */
struct ext2_disk_inode {
	uint16_t mode, uid;
	uint32_t size, atime, ctime, mtime, dtime;
	uint16_t gid, links;
	uint32_t sectors, flags, os1;
	uint32_t block[EXT2_POINTERS];
	uint32_t generation, file_acl, size_high, fragment;
	uint16_t fragment_info, pad, uid_high, gid_high;
	uint32_t os2;
} __packed;

#define EXT2_INODE_SIZE_MIN  128u
#define EXT2_LINKS_MAX	     32000u
#define EXT2_FLAG_INDEX	     0x00001000u /* a directory with hashes of its names */
#define EXT2_FLAG_COMPRESSED 0x00000004u
#define EXT2_FLAG_EXTENTS    0x00080000u /* ext4: the pointers are something else */
#define EXT2_FLAG_INLINE     0x10000000u /* ext4: the data is in the inode */

/* 4.1 Directory entry; the name follows. */
struct ext2_disk_entry {
	uint32_t inode;
	uint16_t entry_len;
	uint8_t name_len, type;
} __packed;

/* The layout of a file system whose superblock has been accepted. */
struct ext2_layout {
	unsigned int block_shift, block_size;
	uint32_t blocks, inodes, first_data_block;
	uint32_t blocks_per_group, inodes_per_group, groups;
	unsigned int inode_size;
	uint32_t free_blocks, free_inodes;
	uint32_t reserved_blocks; /* for root and reserved_uid */
	uint32_t reserved_uid;
	unsigned int reserved_groups; /* blocks */
	uint32_t first_inode;	      /* that ordinary files have */
	uint32_t read_only_features, last_orphan;
	bool file_types;    /* directory entries have them */
	bool sparse_supers; /* not every group has a copy of the superblock */
};

/*
 * Check a superblock against the size of the device. Returns NULL and fills in *layout if it is
 * good, or a text that says what is wrong. *features is set to the bits of unknown features, or to
 * 0.
 */
const char *ext2_check_super(const struct ext2_disk_super *super, uint64_t device_bytes,
			     struct ext2_layout *layout, uint32_t *features);

/* Is this the number of a block that a file may have? */
static inline bool ext2_block_ok(const struct ext2_layout *layout, uint32_t block)
{
	return block > layout->first_data_block && block < layout->blocks;
}

/* A place in the file system's metadata. */
struct ext2_place {
	uint32_t block;
	unsigned int offset; /* bytes, within the block */
};
struct ext2_place ext2_super_place(const struct ext2_layout *layout);
/* The descriptor of a group, which is below layout->groups. */
struct ext2_place ext2_group_place(const struct ext2_layout *layout, uint32_t group);
/*
 * An inode. `inode_table` is the inode table of its group, and has been checked. `number` is 1 or
 * more.
 */
struct ext2_place ext2_inode_place(const struct ext2_layout *layout, uint32_t number,
				   uint32_t inode_table);
static inline uint32_t ext2_inode_group(const struct ext2_layout *layout, uint32_t number)
{
	return (number - 1) / layout->inodes_per_group;
}
/* Check a group's descriptor. Returns NULL, or a text that says what is wrong. */
const char *ext2_check_group(const struct ext2_layout *layout, const struct ext2_disk_group *group);
/* The number of blocks that a group has. Only the last one may be shorter than the others. */
uint32_t ext2_group_blocks(const struct ext2_layout *layout, uint32_t group);

/* How many blocks the bitmaps, the inode tables, and the superblock with its copies take. */
uint32_t ext2_system_blocks(const struct ext2_layout *layout);

/*
 * Check an inode that should be in use. An orphan may have no links. Returns NULL, or a text that
 * says what is wrong.
 */
const char *ext2_check_inode(const struct ext2_layout *layout, const struct ext2_disk_inode *inode,
			     bool orphan);
/* The size of the file in bytes, which is below 2^63. */
int64_t ext2_inode_size(const struct ext2_disk_inode *inode);
/* Is it a symbolic link whose target is in the inode? */
bool ext2_is_fast_symlink(const struct ext2_layout *layout, const struct ext2_disk_inode *inode);
/* The device number of a character or block device, and how it is stored in the pointers. */
unsigned int ext2_device_number(const struct ext2_disk_inode *inode);
void ext2_set_device_number(uint32_t *pointers, unsigned int rdev);

/*
 * Find the path to a block of a file: the index of a pointer in the inode, and then the index in
 * each indirect block. Returns the length of the path (1 to 4), or 0 if `block` is beyond the
 * largest file. *left is the number of blocks, from this one on, whose pointers are in the same
 * inode or indirect block.
 */
unsigned int ext2_block_path(const struct ext2_layout *layout, uint64_t block, unsigned int path[4],
			     unsigned int *left);
/* The largest size that a file can have, in blocks. */
uint64_t ext2_max_blocks(const struct ext2_layout *layout);

/*
 * Read the entry at `offset` in a block of a directory. Returns its length, which leads to the next
 * entry, or 0 if it is damaged. The name is name[0..name_len), is part of the block, and has no '/'
 * and no '\0'. An entry with inode 0 is unused.
 */
struct ext2_entry {
	uint32_t inode;
	const char *name;
	unsigned int name_len, type;
};
unsigned int ext2_read_entry(const struct ext2_layout *layout, const void *block,
			     unsigned int offset, struct ext2_entry *entry);
/*
 * Find a name in a block of a directory. Returns 1, 0 if it is not there, or -1 if an entry is
 * damaged. The characters of other names are not checked. found->before is the offset of the entry
 * before it, or UINT32_MAX.
 */
struct ext2_found {
	unsigned int offset, before, len;
	uint32_t inode;
	unsigned int type;
};
int ext2_find_entry(const struct ext2_layout *layout, const void *block, const char *name,
		    unsigned int name_len, struct ext2_found *found);
/* How many bytes an entry with such a name needs. */
unsigned int ext2_entry_size(unsigned int name_len);
/*
 * Find room for an entry of `size` bytes in a block of a directory, from `offset` on, where an
 * entry begins. Returns 1, 0 if there is none, or -1 if an entry is damaged. The entry at
 * room->before keeps its first room->keep bytes, and the new one gets room->len bytes behind them.
 * If `keep` is 0, the entry there is unused and is replaced.
 */
struct ext2_room {
	unsigned int before, keep, len;
};
int ext2_find_room(const struct ext2_layout *layout, const void *block, unsigned int offset,
		   unsigned int size, struct ext2_room *room);
/* The `type` of an entry (4.1) for a mode, or 0 if the file system has no types. */
unsigned int ext2_entry_type(const struct ext2_layout *layout, unsigned int mode);
/* The bits of S_IFMT for such a type, or 0. */
unsigned int ext2_mode_of_type(unsigned int type);

#endif
