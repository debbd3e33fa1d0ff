/*
 * Directories of ext2: reading, adding, removing and changing names. fs/ext2/ext2.h has the contract.
 *
 * 1. A directory is a sequence of blocks with entries. The blocks are metadata, like all that an operation
 *    changes. The readdir cookie of an entry is its offset in bytes. lseek may set any cookie. Reading
 *    then begins at the start of the cookie's block and skips the entries before it. A damaged entry ends the
 *    search with -EIO. The length of an entry is never 0, so every loop ends.
 * 2. An index (the dir_index feature) looks like unused entries and is skipped. It is given up when the directory
 *    changes, because it would not lead to the new name.
 */
#include "fs/ext2/ext2.h"
#include "lib/string.h"
#include "mm/kmap.h"

#define NOTHING_BEFORE UINT32_MAX

static unsigned int blocks_of(const struct inode *dir)
{
	return dir->size >> ext2_fs(dir)->layout.block_shift;
}

/* The device's block that holds a block of the directory. Returns 0 or an error. */
static int find_block(struct inode *dir, unsigned int block, uint32_t *number)
{
	uint64_t first;
	int n = ext2_lookup_block(dir, block, 1, &first);

	if (n < 0)
		return n;
	if (first == 0)
		return ext2_damaged(dir->sb, dir->number, "a directory with a hole");
	*number = first;
	return 0;
}

/* Returns the page of a block of the directory, with a reference, or ERR_PTR. */
static struct page *read_block(struct inode *dir, unsigned int block, uint32_t *number)
{
	int error = find_block(dir, block, number);

	return error ? ERR_PTR(error)
		     : mapping_read_page(&ext2_fs(dir)->metadata->mapping, *number);
}

static int damaged_entry(struct inode *dir)
{
	return ext2_damaged(dir->sb, dir->number, "a damaged directory entry");
}

/* ---- reading ---- */

/* Emit the used entries of one block, from context->pos on. Returns 0, 1 if the buffer is full, or -EIO. */
static int emit_block(struct inode *dir, const char *block, file_off_t start,
		      struct dir_context *context)
{
	const struct ext2_layout *layout = &ext2_fs(dir)->layout;
	struct ext2_entry entry;
	unsigned int len;

	for (unsigned int offset = 0; offset < layout->block_size; offset += len) {
		len = ext2_read_entry(layout, block, offset, &entry);
		if (len == 0)
			return damaged_entry(dir);
		if (!entry.inode || start + offset < context->pos)
			continue;
		context->pos = start + offset;
		if (!context->emit(context, entry.name, entry.name_len, entry.inode,
				   DT_OF_MODE(ext2_mode_of_type(entry.type))))
			return 1;
		/* If the next entry is damaged, this one must not be emitted again. */
		context->pos++;
	}
	context->pos = start + layout->block_size;
	return 0;
}

int ext2_readdir(struct dentry *dentry, struct dir_context *context)
{
	struct inode *dir = dentry->inode;
	unsigned int shift = ext2_fs(dir)->layout.block_shift;
	int result = context->pos < 0 ? -EINVAL : 0;

	while (result == 0 && context->pos < dir->size) {
		unsigned int block = context->pos >> shift;
		uint32_t number;
		struct page *page = read_block(dir, block, &number);
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		result = emit_block(dir, address, (file_off_t)block << shift, context);
		kunmap_local(address);
		page_put(page);
	}
	return MIN(result, 0);
}

/* ---- finding ---- */

/* Where a name is: the device's block, the offset of its entry, and that of the entry before it in the block. */
struct found {
	uint32_t block;
	unsigned int offset, before, len;
};

/* Look for a name in a block. Returns 1, 0 or -EIO. */
static int search_block(struct inode *dir, const char *block, const char *name, unsigned int len,
			struct found *found)
{
	const struct ext2_layout *layout = &ext2_fs(dir)->layout;
	struct ext2_entry entry;

	found->before = NOTHING_BEFORE;
	for (found->offset = 0; found->offset < layout->block_size; found->offset += found->len) {
		found->len = ext2_read_entry(layout, block, found->offset, &entry);
		if (found->len == 0)
			return damaged_entry(dir);
		if (entry.inode && entry.name_len == len && memcmp(entry.name, name, len) == 0)
			return 1;
		found->before = found->offset;
	}
	return 0;
}

static int find_name(struct inode *dir, const char *name, unsigned int len, struct found *found)
{
	int result = 0;

	for (unsigned int block = 0; result == 0 && block < blocks_of(dir); block++) {
		struct page *page = read_block(dir, block, &found->block);
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		result = search_block(dir, address, name, len, found);
		kunmap_local(address);
		page_put(page);
	}
	if (result == 0)
		return ext2_damaged(dir->sb, dir->number, "a name is missing");
	return MIN(result, 0);
}

int ext2_is_empty(struct inode *dir)
{
	const struct ext2_layout *layout = &ext2_fs(dir)->layout;
	int empty = 1;

	for (unsigned int block = 0; empty == 1 && block < blocks_of(dir); block++) {
		uint32_t number;
		struct page *page = read_block(dir, block, &number);
		struct ext2_entry entry;
		unsigned int len;
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		for (unsigned int offset = 0; empty == 1 && offset < layout->block_size;
		     offset += len) {
			len = ext2_read_entry(layout, address, offset, &entry);
			if (len == 0)
				empty = damaged_entry(dir);
			else if (entry.inode && memcmp(entry.name, "..", entry.name_len) != 0)
				empty = 0;
		}
		kunmap_local(address);
		page_put(page);
	}
	return empty;
}

/* ---- changing ---- */

static int write_entry(struct inode *dir, uint32_t block, unsigned int offset, unsigned int len,
		       const char *name, unsigned int name_len, const struct inode *inode)
{
	struct {
		struct ext2_disk_entry entry;
		char name[NAME_MAX];
	} __packed new = {
		.entry = { inode->number, len, name_len,
			   ext2_entry_type(&ext2_fs(dir)->layout, inode->mode) },
	};

	memcpy(new.name, name, name_len);
	return ext2_edit(ext2_fs(dir), block, offset, &new, sizeof(new.entry) + name_len);
}

static int set_entry_len(struct inode *dir, uint32_t block, unsigned int offset, unsigned int len)
{
	uint16_t value = len;

	return ext2_edit(ext2_fs(dir), block, offset + offsetof(struct ext2_disk_entry, entry_len),
			 &value, sizeof(value));
}

/* The directory changes. */
static void touch(struct inode *dir)
{
	ext2_own(dir)->flags &= ~EXT2_FLAG_INDEX;
	dir->mtime = dir->ctime = time_wall_spec();
	ext2_changed(dir);
}

/* Find room in the directory's blocks. Returns 1, 0 or an error. */
static int find_room(struct inode *dir, unsigned int size, uint32_t *number, struct ext2_room *room)
{
	int result = 0;

	for (unsigned int block = 0; result == 0 && block < blocks_of(dir); block++) {
		struct page *page = read_block(dir, block, number);
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		result = ext2_find_room(&ext2_fs(dir)->layout, address, size, room);
		kunmap_local(address);
		page_put(page);
		if (result < 0)
			return damaged_entry(dir);
	}
	return result;
}

/* Add a block to the directory, with room for entries. */
static int add_block(struct inode *dir, uint32_t *number)
{
	unsigned int block = blocks_of(dir), added;
	int error = ext2_add_blocks(dir, block, 1, true, &added);

	if (!error)
		error = find_block(dir, block, number);
	if (!error)
		inode_set_size(dir, dir->size + ext2_fs(dir)->layout.block_size);
	return error;
}

int ext2_add_name(struct inode *dir, const char *name, unsigned int len, const struct inode *inode)
{
	unsigned int size = ext2_entry_size(len), at = 0;
	struct ext2_room room = { 0, 0, ext2_fs(dir)->layout.block_size };
	uint32_t block;
	int error, found = find_room(dir, size, &block, &room);

	error = MIN(found, 0);
	if (found == 0)
		error = add_block(dir, &block);
	if (!error && room.keep > 0) {
		at = room.before + room.keep;
		error = set_entry_len(dir, block, room.before, room.keep);
	} else if (!error) {
		at = room.before;
	}
	if (!error)
		error = write_entry(dir, block, at, room.len, name, len, inode);
	if (!error)
		touch(dir);
	return error;
}

int ext2_remove_name(struct inode *dir, const char *name, unsigned int len)
{
	static const uint32_t unused;
	struct found found;
	int error = find_name(dir, name, len, &found);

	if (error)
		return error;
	if (found.before == NOTHING_BEFORE)
		error = ext2_edit(ext2_fs(dir), found.block, found.offset, &unused, sizeof(unused));
	else
		error = set_entry_len(dir, found.block, found.before,
				      found.offset + found.len - found.before);
	if (!error)
		touch(dir);
	return error;
}

int ext2_change_name(struct inode *dir, const char *name, unsigned int len,
		     const struct inode *inode)
{
	struct found found;
	int error = find_name(dir, name, len, &found);

	if (!error)
		error = write_entry(dir, found.block, found.offset, found.len, name, len, inode);
	if (!error)
		touch(dir);
	return error;
}

int ext2_fill_directory(struct inode *dir, const struct inode *parent)
{
	unsigned int first = ext2_entry_size(1);
	uint32_t block;
	int error = add_block(dir, &block);

	if (!error)
		error = write_entry(dir, block, 0, first, ".", 1, dir);
	if (!error)
		error = write_entry(dir, block, first, ext2_fs(dir)->layout.block_size - first,
				    "..", 2, parent);
	return error;
}
