/*
 * Checks and arithmetic of the ext2 format. The header has the contract.
 */
#include "fs/ext2/format.h"
#include "fs/names/mode.h"
#include "lib/string.h"

#define MAX_LOG_BLOCK_SIZE 2u /* 1, 2 and 4 KiB */
#define DYNAMIC_REVISION   1u /* the first revision with an inode size and features */
#define OLD_FIRST_INODE	   11u
#define BITS_PER_BYTE	   8u
#define ENTRY_ALIGN	   4u
#define GROUP_MIN	   256u /* blocks; mke2fs makes no smaller groups */

static const char *check_inode_size(const struct ext2_disk_super *super, struct ext2_layout *layout)
{
	unsigned int size =
		super->revision < DYNAMIC_REVISION ? EXT2_INODE_SIZE_MIN : super->inode_size;

	if (size < EXT2_INODE_SIZE_MIN || size > layout->block_size || size & (size - 1))
		return "bad inode size";
	layout->inode_size = size;
	return NULL;
}

static const char *check_groups(const struct ext2_disk_super *super, struct ext2_layout *layout)
{
	uint32_t bits = layout->block_size * BITS_PER_BYTE; /* in the bitmap of a group */
	uint32_t per_group = super->blocks_per_group, inodes = super->inodes_per_group;

	if (per_group < GROUP_MIN || per_group > bits || per_group & (BITS_PER_BYTE - 1))
		return "bad number of blocks in a group";
	if (inodes == 0 || inodes > bits)
		return "bad number of inodes in a group";
	layout->blocks_per_group = per_group;
	layout->inodes_per_group = inodes;
	layout->groups = (layout->blocks - layout->first_data_block - 1) / per_group + 1;
	if (super->inodes_count == 0 || super->inodes_count < EXT2_ROOT_INODE ||
	    super->inodes_count > (uint64_t)layout->groups * inodes)
		return "bad number of inodes";
	layout->inodes = super->inodes_count;
	return NULL;
}

const char *ext2_check_super(const struct ext2_disk_super *super, uint64_t device_bytes,
			     struct ext2_layout *layout, uint32_t *features)
{
	const char *error;

	*features = 0;
	if (super->magic != EXT2_MAGIC)
		return "no ext2 file system (wrong magic number)";
	if (super->revision > DYNAMIC_REVISION)
		return "unknown revision";
	if (super->revision == DYNAMIC_REVISION && super->incompatible & ~EXT2_INCOMPAT_KNOWN) {
		*features = super->incompatible & ~EXT2_INCOMPAT_KNOWN;
		return "incompatible features: made for ext3 or ext4?";
	}
	if (super->log_block_size > MAX_LOG_BLOCK_SIZE)
		return "bad block size";
	layout->block_shift = 10 + super->log_block_size;
	layout->block_size = 1u << layout->block_shift;
	layout->first_data_block = super->first_data_block;
	layout->blocks = super->blocks_count;
	/* The superblock, at byte 1024, is in the first data block. */
	if (super->first_data_block != EXT2_SUPER_OFFSET >> layout->block_shift)
		return "bad first data block";
	if (super->blocks_count <= super->first_data_block + 1)
		return "bad number of blocks";
	if ((uint64_t)super->blocks_count << layout->block_shift > device_bytes)
		return "larger than its device";
	error = check_inode_size(super, layout);
	if (!error)
		error = check_groups(super, layout);
	layout->free_blocks = super->free_blocks;
	layout->free_inodes = super->free_inodes;
	layout->reserved_blocks = super->reserved_blocks;
	layout->reserved_uid = super->default_uid;
	layout->first_inode = super->revision < DYNAMIC_REVISION
				      ? OLD_FIRST_INODE
				      : MAX(super->first_inode, OLD_FIRST_INODE);
	layout->read_only_features = super->revision < DYNAMIC_REVISION
					     ? 0
					     : super->read_only_compatible & ~EXT2_READ_ONLY_KNOWN;
	layout->reserved_groups =
		super->revision == DYNAMIC_REVISION && super->compatible & EXT2_COMPAT_RESIZE
			? super->reserved_groups
			: 0;
	layout->sparse_supers = super->revision == DYNAMIC_REVISION &&
				super->read_only_compatible & EXT2_READ_ONLY_SPARSE;
	layout->last_orphan = super->last_orphan;
	layout->file_types =
		super->revision == DYNAMIC_REVISION && super->incompatible & EXT2_INCOMPAT_FILETYPE;
	return error;
}

struct ext2_place ext2_super_place(const struct ext2_layout *layout)
{
	return (struct ext2_place){ layout->first_data_block,
				    EXT2_SUPER_OFFSET & (layout->block_size - 1) };
}

struct ext2_place ext2_group_place(const struct ext2_layout *layout, uint32_t group)
{
	uint64_t offset = (uint64_t)group * sizeof(struct ext2_disk_group);

	return (struct ext2_place){ layout->first_data_block + 1 + (offset >> layout->block_shift),
				    offset & (layout->block_size - 1) };
}

struct ext2_place ext2_inode_place(const struct ext2_layout *layout, uint32_t number,
				   uint32_t inode_table)
{
	uint64_t offset = (uint64_t)((number - 1) % layout->inodes_per_group) * layout->inode_size;

	return (struct ext2_place){ inode_table + (offset >> layout->block_shift),
				    offset & (layout->block_size - 1) };
}

const char *ext2_check_group(const struct ext2_layout *layout, const struct ext2_disk_group *group)
{
	uint64_t bytes = (uint64_t)layout->inodes_per_group * layout->inode_size;
	uint64_t end = ((uint64_t)group->inode_table << layout->block_shift) + bytes;

	if (!ext2_block_ok(layout, group->inode_table) || end > (uint64_t)layout->blocks
									  << layout->block_shift)
		return "its inode table is not on the file system";
	if (!ext2_block_ok(layout, group->block_bitmap) ||
	    !ext2_block_ok(layout, group->inode_bitmap))
		return "a bitmap of its group is not on the file system";
	return NULL;
}

uint32_t ext2_group_blocks(const struct ext2_layout *layout, uint32_t group)
{
	uint32_t first = layout->first_data_block + group * layout->blocks_per_group;

	return MIN(layout->blocks - first, layout->blocks_per_group);
}

static bool is_power(uint32_t number, uint32_t base)
{
	while (number > base && number % base == 0)
		number /= base;
	return number == base;
}

/* Has the group a copy of the superblock and of the group descriptors? */
static bool has_super(const struct ext2_layout *layout, uint32_t group)
{
	return !layout->sparse_supers || group < 2 || is_power(group, 3) || is_power(group, 5) ||
	       is_power(group, 7);
}

uint32_t ext2_system_blocks(const struct ext2_layout *layout)
{
	uint64_t table = (uint64_t)layout->inodes_per_group * layout->inode_size;
	uint32_t supers = ext2_group_place(layout, layout->groups - 1).block + 1 -
			  layout->first_data_block + layout->reserved_groups;
	uint64_t sum = layout->first_data_block;

	for (uint32_t group = 0; group < layout->groups; group++)
		sum += 2 + DIV_ROUND_UP(table, (uint64_t)layout->block_size) +
		       (has_super(layout, group) ? supers : 0);
	return MIN(sum, (uint64_t)layout->blocks);
}

int64_t ext2_inode_size(const struct ext2_disk_inode *inode)
{
	uint64_t size = inode->size;

	/* Only regular files have an upper half. For other types the field is a directory ACL. */
	if (S_ISREG(inode->mode))
		size |= (uint64_t)inode->size_high << 32;
	return size & INT64_MAX;
}

uint64_t ext2_max_blocks(const struct ext2_layout *layout)
{
	unsigned int shift = layout->block_shift - 2; /* pointers in a block, as a power of two */

	return EXT2_DIRECT + (1ull << shift) + (1ull << 2 * shift) + (1ull << 3 * shift);
}

const char *ext2_check_inode(const struct ext2_layout *layout, const struct ext2_disk_inode *inode,
			     bool orphan)
{
	uint64_t size = ext2_inode_size(inode);

	if (inode->links == 0 && !orphan)
		return "not in use";
	if (inode->flags & (EXT2_FLAG_EXTENTS | EXT2_FLAG_INLINE | EXT2_FLAG_COMPRESSED))
		return "in a form that is not of ext2";
	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		if (inode->size_high >> 31)
			return "bad size";
		break;
	case S_IFDIR:
		if (size == 0 || size & (layout->block_size - 1))
			return "a directory with a bad size";
		break;
	case S_IFLNK:
		if ((size == 0 && inode->links > 0) || size >= layout->block_size)
			return "a symbolic link with a bad size";
		break;
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFSOCK:
		break;
	default:
		return "of no known type";
	}
	if (size > ext2_max_blocks(layout) << layout->block_shift)
		return "larger than a file can be";
	return NULL;
}

bool ext2_is_fast_symlink(const struct ext2_layout *layout, const struct ext2_disk_inode *inode)
{
	/* A block with extended attributes is counted as well. */
	uint32_t attributes = inode->file_acl ? layout->block_size / 512 : 0;

	return S_ISLNK(inode->mode) && inode->size < EXT2_FAST_SYMLINK &&
	       inode->sectors == attributes;
}

/* Small numbers are in the first pointer, with 8 bits each. Larger ones are in the second. */
unsigned int ext2_device_number(const struct ext2_disk_inode *inode)
{
	return device_decode(inode->block[0] ? inode->block[0] & 0xffff : inode->block[1]);
}

void ext2_set_device_number(uint32_t *pointers, unsigned int rdev)
{
	uint32_t number = device_encode(rdev);

	pointers[number > 0xffff] = number;
}

unsigned int ext2_block_path(const struct ext2_layout *layout, uint64_t block, unsigned int path[4],
			     unsigned int *left)
{
	unsigned int shift = layout->block_shift - 2;
	unsigned int mask = (1u << shift) - 1;
	unsigned int length = 2;

	if (block < EXT2_DIRECT) {
		path[0] = block;
		*left = EXT2_DIRECT - block;
		return 1;
	}
	block -= EXT2_DIRECT;
	for (; length <= 4; length++) {
		uint64_t covers = 1ull << (length - 1) * shift;

		if (block < covers)
			break;
		block -= covers;
	}
	if (length > 4)
		return 0;
	path[0] = EXT2_DIRECT + length - 2;
	for (unsigned int level = 1; level < length; level++)
		path[level] = block >> (length - 1 - level) * shift & mask;
	*left = mask + 1 - path[length - 1];
	return length;
}

/* The length of the entry at `offset`, or 0 if it does not fit into the block. */
static unsigned int entry_len(const struct ext2_layout *layout, const void *block,
			      unsigned int offset)
{
	const struct ext2_disk_entry *disk = (const void *)((const char *)block + offset);
	unsigned int len;

	if (offset > layout->block_size - sizeof(*disk))
		return 0;
	len = disk->entry_len;
	if (len < sizeof(*disk) + ENTRY_ALIGN || len & (ENTRY_ALIGN - 1) ||
	    len > layout->block_size - offset)
		return 0;
	return len;
}

/* Does a used entry of that length have a name? */
static bool name_fits(const struct ext2_disk_entry *disk, unsigned int len)
{
	return disk->name_len > 0 && sizeof(*disk) + disk->name_len <= len;
}

unsigned int ext2_read_entry(const struct ext2_layout *layout, const void *block,
			     unsigned int offset, struct ext2_entry *entry)
{
	const struct ext2_disk_entry *disk = (const void *)((const char *)block + offset);
	unsigned int len = entry_len(layout, block, offset);

	if (len == 0)
		return 0;
	entry->inode = disk->inode;
	entry->name = (const char *)(disk + 1);
	/* Without file types the length has 16 bits, but a name is never longer than 255 bytes. */
	entry->name_len = disk->name_len;
	entry->type = layout->file_types ? disk->type : 0;
	if (!layout->file_types && disk->type)
		return 0;
	if (entry->inode == 0)
		return len;
	if (!name_fits(disk, len) || entry->inode > layout->inodes ||
	    memchr(entry->name, '/', entry->name_len) || memchr(entry->name, '\0', entry->name_len))
		return 0;
	return len;
}

int ext2_find_entry(const struct ext2_layout *layout, const void *block, const char *name,
		    unsigned int name_len, struct ext2_found *found)
{
	struct ext2_entry entry;
	unsigned int len;

	found->before = UINT32_MAX;
	for (unsigned int offset = 0; offset < layout->block_size; offset += len) {
		const struct ext2_disk_entry *disk = (const void *)((const char *)block + offset);

		len = entry_len(layout, block, offset);
		if (len == 0 || (disk->inode && !name_fits(disk, len)))
			return -1;
		if (disk->inode && disk->name_len == name_len &&
		    memcmp(disk + 1, name, name_len) == 0) {
			if (ext2_read_entry(layout, block, offset, &entry) == 0)
				return -1;
			found->offset = offset;
			found->len = len;
			found->inode = entry.inode;
			found->type = entry.type;
			return 1;
		}
		found->before = offset;
	}
	return 0;
}

unsigned int ext2_entry_size(unsigned int name_len)
{
	return (sizeof(struct ext2_disk_entry) + name_len + ENTRY_ALIGN - 1) & ~(ENTRY_ALIGN - 1);
}

int ext2_find_room(const struct ext2_layout *layout, const void *block, unsigned int offset,
		   unsigned int size, struct ext2_room *room)
{
	unsigned int len;

	for (; offset < layout->block_size; offset += len) {
		const struct ext2_disk_entry *disk = (const void *)((const char *)block + offset);
		unsigned int keep;

		len = entry_len(layout, block, offset);
		if (len == 0 || (disk->inode && !name_fits(disk, len)))
			return -1;
		keep = disk->inode ? ext2_entry_size(disk->name_len) : 0;
		if (len - keep >= size) {
			*room = (struct ext2_room){ offset, keep, len - keep };
			return 1;
		}
	}
	return 0;
}

/* The types by their numbers (4.1). */
static const uint16_t entry_modes[] = {
	0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK,
};

unsigned int ext2_mode_of_type(unsigned int type)
{
	return type < ARRAY_SIZE(entry_modes) ? entry_modes[type] : 0;
}

unsigned int ext2_entry_type(const struct ext2_layout *layout, unsigned int mode)
{
	unsigned int type = 0;

	if (layout->file_types)
		for (type = ARRAY_SIZE(entry_modes) - 1; type > 0; type--)
			if (entry_modes[type] == (mode & S_IFMT))
				break;
	return type;
}
