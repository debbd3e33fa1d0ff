/*
 * Directories of ext2: reading, adding, removing and changing names. fs/ext2/ext2.h has the
 * contract.
 *
 * 1. A directory is a sequence of blocks with entries. The blocks are metadata, like all that an
 *    operation changes. The readdir cookie of an entry is its offset in bytes. lseek may set any
 *    cookie. Reading then begins at the start of the cookie's block and skips the entries before
 *    it. A damaged entry ends the search with -EIO. The length of an entry is never 0, so every
 *    loop ends.
 * 2. A large directory has a table of its names in memory (fs/ext2/name_table.h).
 * 3. An index (the dir_index feature) looks like unused entries and is skipped. It is given up when
 *    the directory changes, because it would not lead to the new name.
 */
#include "fs/ext2/ext2.h"
#include "fs/names/path.h"
#include "fs/names/times.h"
#include "lib/string.h"
#include "mm/kmap.h"

#define BLOCKS_SHORT 64u /* with fewer free blocks, all room in a directory is used */

static unsigned int blocks_of(const struct inode *dir)
{
	return dir->size >> ext2_fs(dir)->layout.block_shift;
}

/* The place in the directory of an offset in one of its blocks. */
static file_off_t byte_of(const struct inode *dir, unsigned int index, unsigned int offset)
{
	return ((file_off_t)index << ext2_fs(dir)->layout.block_shift) + offset;
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

	return error ? ERR_PTR(error) : ext2_page(ext2_fs(dir), *number);
}

static int damaged_entry(struct inode *dir)
{
	return ext2_damaged(dir->sb, dir->number, "a damaged directory entry");
}

/* A walk over the used entries of a directory's block. */
struct walk {
	struct inode *dir;
	unsigned int index; /* of the block */
	/*
	 * Called for each entry with its place in the block. Goes on if this returns 0. Does not
	 * sleep.
	 */
	int (*each)(struct walk *walk, unsigned int offset, const struct ext2_entry *entry);
	struct dir_context *context; /* for emit_entry() */
};

/* Returns 0, what `each` has returned, or an error. */
static int walk_block(struct walk *walk)
{
	const struct ext2_layout *layout = &ext2_fs(walk->dir)->layout;
	uint32_t number = 0;
	struct page *page = read_block(walk->dir, walk->index, &number);
	struct ext2_entry entry;
	unsigned int len;
	char *address;
	int result = 0;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	for (unsigned int offset = 0; result == 0 && offset < layout->block_size; offset += len) {
		len = ext2_read_entry(layout, address, offset, &entry);
		if (len == 0)
			result = damaged_entry(walk->dir);
		else if (entry.inode)
			result = walk->each(walk, offset, &entry);
	}
	kunmap_local(address);
	page_put(page);
	return result;
}

/* ---- finding ---- */

/* Where a name is. */
struct place {
	unsigned int index; /* the directory's block */
	uint32_t block;	    /* the device's block */
	struct ext2_found entry;
};

/* Look for a name in a block of the directory. Returns 1, 0 or an error. */
static int search_block(struct inode *dir, unsigned int index, const char *name, unsigned int len,
			struct place *place)
{
	struct page *page = read_block(dir, index, &place->block);
	char *address;
	int result;

	if (IS_ERR(page))
		return PTR_ERR(page);
	place->index = index;
	address = kmap_local(page);
	result = ext2_find_entry(&ext2_fs(dir)->layout, address, name, len, &place->entry);
	kunmap_local(address);
	page_put(page);
	return result < 0 ? damaged_entry(dir) : result;
}

static void drop_table(struct inode *dir)
{
	ext2_name_table_free(ext2_own(dir)->names);
	ext2_own(dir)->names = NULL;
}

/* Note that a block of the directory has a name. */
static void note_name(struct inode *dir, const char *name, unsigned int len, unsigned int index)
{
	struct ext2_inode *own = ext2_own(dir);

	if (own->names && !ext2_name_table_add(own->names, name, len, index))
		drop_table(dir);
}

static int note_entry(struct walk *walk, unsigned int offset, const struct ext2_entry *entry)
{
	note_name(walk->dir, entry->name, entry->name_len, walk->index);
	return 0;
}

/*
 * Give a large directory a table of its names. A directory that cannot be read as a whole has none.
 */
static void make_table(struct inode *dir)
{
	struct ext2_inode *own = ext2_own(dir);
	struct walk walk = { .dir = dir, .each = note_entry };

	own->names = ext2_name_table_alloc(blocks_of(dir), dir->size);
	for (; own->names && walk.index < blocks_of(dir); walk.index++)
		if (walk_block(&walk))
			drop_table(dir);
}

void ext2_forget_names(struct inode *dir)
{
	drop_table(dir);
	ext2_own(dir)->room_from = 0;
}

//BOOK: ext2-find-name
/* Look for a name. Returns 1, 0 or an error. */
static int find_name(struct inode *dir, const char *name, unsigned int len, struct place *place)
{
	struct ext2_inode *own = ext2_own(dir);
	unsigned int index, at = 0;
	int result = 0;

	if (!own->names)
		make_table(dir);
	if (own->names) {
		while (result == 0 && ext2_name_table_next(own->names, name, len, &at, &index))
			result = search_block(dir, index, name, len, place);
		return result;
	}
	for (index = 0; result == 0 && index < blocks_of(dir); index++)
		result = search_block(dir, index, name, len, place);
	return result;
}

/* Find a name that is there. Returns 0 or an error. */
static int find_present(struct inode *dir, const char *name, unsigned int len, struct place *place)
{
	int result = find_name(dir, name, len, place);

	if (result == 0)
		return ext2_damaged(dir->sb, dir->number, "a name is missing");
	return MIN(result, 0);
}

static int emit_wanted(struct inode *dir, struct dir_context *context)
{
	const struct name *wanted = context->wanted;
	struct place place;
	int result = find_name(dir, wanted->text, wanted->len, &place);

	if (result > 0)
		(void)context->emit(context, wanted->text, wanted->len, place.entry.inode,
				    DT_OF_MODE(ext2_mode_of_type(place.entry.type)));
	return MIN(result, 0);
}

/* Emit an entry from context->pos on. Returns 1 if the buffer is full. */
static int emit_entry(struct walk *walk, unsigned int offset, const struct ext2_entry *entry)
{
	struct dir_context *context = walk->context;
	file_off_t pos = byte_of(walk->dir, walk->index, offset);

	if (pos < context->pos)
		return 0;
	context->pos = pos;
	if (!context->emit(context, entry->name, entry->name_len, entry->inode,
			   DT_OF_MODE(ext2_mode_of_type(entry->type))))
		return 1;
	/* If the next entry is damaged, this one must not be emitted again. */
	context->pos++;
	return 0;
}

int ext2_readdir(struct dentry *dentry, struct dir_context *context)
{
	struct inode *dir = dentry->inode;
	struct walk walk = { .dir = dir, .each = emit_entry, .context = context };
	int result = context->pos < 0 ? -EINVAL : 0;

	if (context->wanted)
		return emit_wanted(dir, context);
	while (result == 0 && context->pos < dir->size) {
		walk.index = context->pos >> ext2_fs(dir)->layout.block_shift;
		result = walk_block(&walk);
		if (result == 0)
			context->pos = byte_of(dir, walk.index + 1, 0);
	}
	return MIN(result, 0);
}

static int is_of_a_file(struct walk *walk, unsigned int offset, const struct ext2_entry *entry)
{
	return memcmp(entry->name, "..", entry->name_len) != 0;
}

int ext2_is_empty(struct inode *dir)
{
	struct walk walk = { .dir = dir, .each = is_of_a_file };
	int result = 0;

	for (; result == 0 && walk.index < blocks_of(dir); walk.index++)
		result = walk_block(&walk);
	return result < 0 ? result : result == 0;
}

/* ---- changing ---- */

static int write_entry(struct inode *dir, uint32_t block, unsigned int offset, unsigned int len,
		       const char *name, unsigned int name_len, const struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct ext2_disk_entry *entry =
		ext2_edit_begin(fs, block, offset, sizeof(*entry) + name_len);

	if (IS_ERR(entry))
		return PTR_ERR(entry);
	*entry = (struct ext2_disk_entry){ inode->number, len, name_len,
					   ext2_entry_type(&fs->layout, inode->mode) };
	memcpy(entry + 1, name, name_len);
	kunmap_local(entry);
	return 0;
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
	inode_modified(dir);
	ext2_changed(dir);
}

/*
 * Find room in the directory's blocks. Returns 1, 0 or an error. The search begins where an earlier
 * one has ended. What is before lacked room for some name, so little of them is wasted. A disk that
 * is nearly full wastes nothing.
 */
static int find_room(struct inode *dir, unsigned int size, unsigned int *index, uint32_t *number,
		     struct ext2_room *room)
{
	const struct ext2_layout *layout = &ext2_fs(dir)->layout;
	struct ext2_inode *own = ext2_own(dir);
	file_off_t from = ext2_fs(dir)->free_blocks < BLOCKS_SHORT ? 0 : own->room_from;
	int result = 0;

	for (; result == 0 && from < dir->size; from = byte_of(dir, *index + 1, 0)) {
		struct page *page;
		char *address;

		*index = from >> layout->block_shift;
		page = read_block(dir, *index, number);
		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		result = ext2_find_room(layout, address, from & (layout->block_size - 1), size,
					room);
		kunmap_local(address);
		page_put(page);
	}
	if (result < 0)
		return damaged_entry(dir);
	if (result == 0)
		*index = blocks_of(dir);
	own->room_from = byte_of(dir, *index, result ? room->before : 0);
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
	unsigned int size = ext2_entry_size(len), at = 0, index;
	struct ext2_room room = { 0, 0, ext2_fs(dir)->layout.block_size };
	uint32_t block;
	int error, found = find_room(dir, size, &index, &block, &room);

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
	if (error)
		return error;
	note_name(dir, name, len, index);
	touch(dir);
	return 0;
}

int ext2_remove_name(struct inode *dir, const char *name, unsigned int len)
{
	static const uint32_t unused;
	struct ext2_inode *own = ext2_own(dir);
	struct ext2_found *entry;
	struct place place;
	file_off_t room;
	int error = find_present(dir, name, len, &place);

	if (error)
		return error;
	entry = &place.entry;
	if (entry->before == UINT32_MAX)
		error = ext2_edit(ext2_fs(dir), place.block, entry->offset, &unused,
				  sizeof(unused));
	else
		error = set_entry_len(dir, place.block, entry->before,
				      entry->offset + entry->len - entry->before);
	if (error)
		return error;
	room = byte_of(dir, place.index, MIN(entry->before, entry->offset));
	own->room_from = MIN(own->room_from, room);
	if (own->names)
		ext2_name_table_remove(own->names, name, len, place.index);
	touch(dir);
	return 0;
}

int ext2_change_name(struct inode *dir, const char *name, unsigned int len,
		     const struct inode *inode)
{
	struct place place;
	int error = find_present(dir, name, len, &place);

	if (!error)
		error = write_entry(dir, place.block, place.entry.offset, place.entry.len, name,
				    len, inode);
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
