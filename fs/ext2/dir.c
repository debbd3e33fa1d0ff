/*
 * ext2 directories: a row of blocks with entries, read through the directory's own page cache.
 *
 * 1. An entry's place in the directory, in bytes, is its readdir cookie. A cookie may be anything
 *    (lseek): reading begins at the start of its block and skips what stands before it.
 * 2. A damaged entry ends the search in its directory with EIO. The length of an entry is never 0,
 *    so every loop ends.
 * 3. An index (the dir_index feature) looks like unused entries to us, and is passed over.
 */
#include "fs/ext2/ext2.h"
#include "fs/splice.h"
#include "lib/string.h"
#include "mm/kmap.h"

/* The `type` of an entry (4.1), as S_IFMT's bits. */
static unsigned int mode_of_type(unsigned int type)
{
	static const uint16_t modes[] = {
		0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK,
	};

	return type < ARRAY_SIZE(modes) ? modes[type] : 0;
}

/*
 * Call each(context, entry, offset) for the used entries of one block, those at or after `from`. It
 * returns 0 to go on, else this is returned. -EIO if an entry is damaged.
 */
static int walk_block(struct inode *dir, const char *block, file_off_t start, file_off_t from,
		      int (*each)(void *, const struct ext2_entry *, file_off_t), void *context)
{
	const struct ext2_layout *layout = &ext2_fs(dir)->layout;
	unsigned int offset = 0;

	while (offset < layout->block_size) {
		struct ext2_entry entry;
		unsigned int len = ext2_read_entry(layout, block, offset, &entry);
		int result;

		if (len == 0)
			return ext2_damaged(dir->sb, dir->number, "a damaged directory entry");
		if (entry.inode && start + offset >= from) {
			result = each(context, &entry, start + offset);
			if (result)
				return result;
		}
		offset += len;
	}
	return 0;
}

/* The same for the whole directory from byte `from` on. May sleep, also in `each`. */
static int walk_dir(struct inode *dir, file_off_t from,
		    int (*each)(void *, const struct ext2_entry *, file_off_t), void *context)
{
	unsigned int block_size = ext2_fs(dir)->layout.block_size;
	file_off_t start = from & ~(file_off_t)(block_size - 1);
	int result = 0;

	while (result == 0 && start < dir->size) {
		struct page *page = mapping_read_page(&dir->mapping, start >> PAGE_SHIFT);
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		do {
			result = walk_block(dir, address + (start & (PAGE_SIZE - 1)), start, from,
					    each, context);
			start += block_size;
		} while (result == 0 && start & (PAGE_SIZE - 1) && start < dir->size);
		kunmap_local(address);
		page_put(page);
	}
	return result;
}

struct search {
	const char *name;
	unsigned int len;
	uint32_t found;
};

static int compare(void *context, const struct ext2_entry *entry, file_off_t offset)
{
	struct search *search = context;

	if (entry->name_len != search->len || memcmp(entry->name, search->name, search->len))
		return 0;
	search->found = entry->inode;
	return 1;
}

static struct inode *ext2_lookup(struct inode *dir, struct dentry *dentry)
{
	struct search search = { dentry->name, dentry->name_len, 0 };
	int result = walk_dir(dir, 0, compare, &search);

	if (result < 0)
		return ERR_PTR(result);
	return result ? ext2_get_inode(dir->sb, search.found) : NULL;
}

static int emit(void *context, const struct ext2_entry *entry, file_off_t offset)
{
	struct dir_context *dir = context;

	dir->pos = offset;
	if (!dir->emit(dir, entry->name, entry->name_len, entry->inode,
		       DT_OF_MODE(mode_of_type(entry->type))))
		return 1;
	/* Behind it: should the next one be damaged, this one is not to be had again. */
	dir->pos = offset + 1;
	return 0;
}

static int ext2_readdir(struct file *file, struct dir_context *context)
{
	struct inode *dir = file->inode;
	int result;

	if (context->pos < 0)
		return -EINVAL;
	result = walk_dir(dir, context->pos, emit, context);
	if (result == 0)
		context->pos = dir->size;
	return MIN(result, 0);
}

const struct inode_ops ext2_dir_inode_ops = {
	.lookup = ext2_lookup,
};

const struct file_ops ext2_dir_ops = {
	.llseek = generic_llseek,
	.readdir = ext2_readdir,
};
