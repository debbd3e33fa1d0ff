/*
 * ext2, read-only.
 *
 * 1. The file system is read-only, however it is mounted. /proc/mounts says so, and writes return
 *    -EROFS.
 * 2. Metadata is read through the page cache of the raw device and copied out of it. Nothing points
 *    into those pages, so they may be dropped at any time.
 * 3. Damage causes a line in the log. Mount returns -EINVAL for it, and other calls -EIO.
 * 4. A block pointer of 0, on any level, is a hole and reads as zeros. Any other pointer is checked
 *    before it is used, so a damaged file reads as -EIO. A path to a block has at most four steps, so
 *    indirect blocks that point to themselves cause no endless loop.
 * 5. Finding a block may wait for indirect blocks, which are metadata. It never waits for data.
 * 6. A directory is a sequence of blocks with entries, and is read through its own page cache. The
 *    readdir cookie of an entry is its offset in bytes. lseek may set any cookie. Reading then begins
 *    at the start of the cookie's block and skips the entries before it. A damaged entry ends the
 *    search with -EIO. The length of an entry is never 0, so every loop ends. An index (the dir_index
 *    feature) looks like unused entries and is skipped.
 */
#include "fs/ext2/format.h"
#include "fs/file/generic.h"
#include "drivers/disk/block.h"
#include "fs/cache/pageio.h"
#include "fs/splice/splice.h"
#include "fs/names/vfs.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define MAX_REPORTS	 20 /* lines in the log for one mount */
#define POINTERS_AT_ONCE 64u

struct ext2_fs { /* super_block.private */
	struct ext2_layout layout;
	struct mapping *device; /* the page cache of the raw device: all metadata */
	struct atomic damages;	/* log lines written about them */
};

struct ext2_inode { /* inode.private */
	uint32_t block[EXT2_POINTERS];
	bool fast_symlink; /* block holds the target */
};

static inline struct ext2_fs *ext2_fs(const struct inode *inode)
{
	return inode->sb->private;
}

/*
 * Report damage, and return -EIO. Only MAX_REPORTS lines are written for each mount, so that a program
 * that reads a damaged file again and again does not fill the log.
 */
static int ext2_damaged(const struct super_block *sb, uint64_t inode_number, const char *what)
{
	struct ext2_fs *fs = sb->private;
	int nr = atomic_add_return(&fs->damages, 1);

	if (nr <= MAX_REPORTS)
		log_error("ext2: %s: inode %llu: %s%s", sb->device->name,
			  (unsigned long long)inode_number, what,
			  nr == MAX_REPORTS ? " (and so on)" : "");
	else
		atomic_dec(&fs->damages);
	return -EIO;
}

/* Copy bytes that lie within one page. Returns 0, -EIO, -ENOMEM or -ERESTARTSYS. */
static int read_bytes(struct mapping *mapping, uint64_t offset, void *to, unsigned int len)
{
	struct page *page = mapping_read_page(mapping, offset >> PAGE_SHIFT);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(to, address + (offset & (PAGE_SIZE - 1)), len);
	kunmap_local(address);
	page_put(page);
	return 0;
}

static int ext2_read_metadata(struct ext2_fs *fs, uint64_t offset, void *to, unsigned int len)
{
	return read_bytes(fs->device, offset, to, len);
}

/* ---- where the blocks of a file are ---- */

/* How many of the `nr` pointers, from the first one on, are consecutive blocks, or are all holes. */
static unsigned int count_run(const uint32_t *pointers, unsigned int nr)
{
	unsigned int n = 1;

	while (n < nr && pointers[n] == (pointers[0] ? pointers[0] + n : 0))
		n++;
	return n;
}

static int check_run(struct inode *inode, uint32_t first, unsigned int n)
{
	const struct ext2_layout *layout = &ext2_fs(inode)->layout;

	if (first == 0 || (ext2_block_ok(layout, first) && ext2_block_ok(layout, first + n - 1)))
		return 0;
	return ext2_damaged(inode->sb, inode->number, "a block that is not on the file system");
}

/*
 * Follow the path of a block (see block_lookup in fs/cache/pageio.h). After each step `pointers`
 * holds the pointers in the last block on the path, from the path's place in it on.
 */
static int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = inode->private;
	uint32_t pointers[POINTERS_AT_ONCE];
	unsigned int path[4], left, n, level = 1;
	unsigned int length = ext2_block_path(&fs->layout, block, path, &left);
	int error;

	if (length == 0)
		return -EIO;
	max = MIN(MIN(max, left), POINTERS_AT_ONCE);
	n = length == 1 ? max : 1;
	memcpy(pointers, &own->block[path[0]], n * sizeof(*pointers));
	for (;;) {
		n = count_run(pointers, n);
		error = check_run(inode, pointers[0], n);
		if (error)
			return error;
		*first = pointers[0];
		if (level == length)
			return n;
		if (pointers[0] == 0)
			return max;
		n = level == length - 1 ? max : 1;
		error = ext2_read_metadata(fs,
					   ((uint64_t)pointers[0] << fs->layout.block_shift) +
						   path[level++] * sizeof(*pointers),
					   pointers, n * sizeof(*pointers));
		if (error)
			return error;
	}
}

static void ext2_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct inode *inode = mapping->inode;

	pageio_read(inode->sb->device, mapping, ext2_fs(inode)->layout.block_shift,
		    ext2_lookup_block, pages, nr);
}

static const struct mapping_ops ext2_mapping_ops = {
	.read_pages = ext2_read_pages,
	.has_store = true,
};

/* ---- directories ---- */

/* The bits of S_IFMT for the `type` of an entry (4.1). */
static unsigned int mode_of_type(unsigned int type)
{
	static const uint16_t modes[] = {
		0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK,
	};

	return type < ARRAY_SIZE(modes) ? modes[type] : 0;
}

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
			return ext2_damaged(dir->sb, dir->number, "a damaged directory entry");
		if (!entry.inode || start + offset < context->pos)
			continue;
		context->pos = start + offset;
		if (!context->emit(context, entry.name, entry.name_len, entry.inode,
				   DT_OF_MODE(mode_of_type(entry.type))))
			return 1;
		/* If the next entry is damaged, this one must not be emitted again. */
		context->pos++;
	}
	context->pos = start + layout->block_size;
	return 0;
}

static int ext2_readdir(struct dentry *dentry, struct dir_context *context)
{
	struct inode *dir = dentry->inode;
	file_off_t mask = ext2_fs(dir)->layout.block_size - 1;
	int result = context->pos < 0 ? -EINVAL : 0;

	while (result == 0 && context->pos < dir->size) {
		file_off_t start = context->pos & ~mask;
		struct page *page = mapping_read_page(&dir->mapping, start >> PAGE_SHIFT);
		char *address;

		if (IS_ERR(page))
			return PTR_ERR(page);
		address = kmap_local(page);
		result = emit_block(dir, address + (start & (PAGE_SIZE - 1)), start, context);
		kunmap_local(address);
		page_put(page);
	}
	return MIN(result, 0);
}

/* ---- files and symbolic links: all through the page cache ---- */

static ssize_t ext2_readlink(struct inode *inode, char *buf, size_t size)
{
	struct ext2_inode *own = inode->private;
	size_t len = inode->size;
	int error = 0;

	if (len >= size)
		return -ENAMETOOLONG;
	if (own->fast_symlink)
		memcpy(buf, own->block, len);
	else /* the target is the file's data, and is less than a block */
		error = read_bytes(&inode->mapping, 0, buf, len);
	if (error)
		return error;
	buf[len] = '\0';
	return strlen(buf);
}

static const struct inode_ops ext2_inode_ops = {
	.readdir = ext2_readdir,
	.readlink = ext2_readlink,
};

static const struct file_ops ext2_file_ops = {
	.read = generic_file_read,
	.llseek = regular_llseek,
	.mmap = generic_file_mmap,
	.fsync = generic_file_fsync,
	.splice_read = generic_splice_read,
};

/* ---- inodes ---- */

static int read_disk_inode(struct super_block *sb, uint32_t number, struct ext2_disk_inode *disk)
{
	struct ext2_fs *fs = sb->private;
	const struct ext2_layout *layout = &fs->layout;
	struct ext2_disk_group group;
	const char *wrong;
	int error;

	error = ext2_read_metadata(fs, ext2_group_offset(layout, number), &group, sizeof(group));
	if (error)
		return error;
	if (!ext2_inode_table_ok(layout, group.inode_table))
		return ext2_damaged(sb, number, "its inode table is not on the file system");
	error = ext2_read_metadata(fs, ext2_inode_offset(layout, number, group.inode_table), disk,
				   sizeof(*disk));
	if (error)
		return error;
	wrong = ext2_check_inode(layout, disk);
	return wrong ? ext2_damaged(sb, number, wrong) : 0;
}

static void set_operations(struct inode *inode, const struct ext2_disk_inode *disk)
{
	inode->ops = &ext2_inode_ops;
	if (S_ISREG(inode->mode)) {
		inode->file_ops = &ext2_file_ops;
	} else if (S_ISDIR(inode->mode)) {
		inode->file_ops = &dir_file_ops;
	} else if (!S_ISLNK(inode->mode)) {
		inode_init_special(inode, inode->mode, ext2_device_number(disk));
	}
}

static int ext2_read_inode(struct inode *inode)
{
	struct ext2_disk_inode disk;
	struct ext2_inode *own;
	int error = read_disk_inode(inode->sb, inode->number, &disk);

	if (error)
		return error;
	own = kmalloc(sizeof(*own), 0);
	if (!own)
		return -ENOMEM;
	memcpy(own->block, disk.block, sizeof(own->block));
	own->fast_symlink = ext2_is_fast_symlink(&ext2_fs(inode)->layout, &disk);
	inode->private = own;
	inode->mode = disk.mode;
	inode->nr_links = disk.links;
	inode->uid = disk.uid | (uint32_t)disk.uid_high << 16;
	inode->gid = disk.gid | (uint32_t)disk.gid_high << 16;
	inode->size = ext2_inode_size(&disk);
	inode->blocks = disk.sectors;
	inode->atime = (struct timespec64){ (int32_t)disk.atime, 0 };
	inode->mtime = (struct timespec64){ (int32_t)disk.mtime, 0 };
	inode->ctime = (struct timespec64){ (int32_t)disk.ctime, 0 };
	inode->mapping.ops = &ext2_mapping_ops;
	set_operations(inode, &disk);
	return 0;
}

static void ext2_free_inode(struct inode *inode)
{
	kfree(inode->private);
}

/* ---- the file system ---- */

static void ext2_statfs(struct super_block *sb, struct fs_statistics *st)
{
	const struct ext2_layout *layout = &((struct ext2_fs *)sb->private)->layout;

	st->blocks = layout->blocks;
	st->free = layout->free_blocks;
	st->files = layout->inodes;
	st->files_free = layout->free_inodes;
}

static const struct super_ops ext2_super_ops = {
	.read_inode = ext2_read_inode,
	.free_inode = ext2_free_inode,
	.statfs = ext2_statfs,
};

static int read_super(struct super_block *sb, struct ext2_fs *fs)
{
	struct ext2_disk_super super;
	const char *wrong, *name = sb->device->name;
	uint32_t features;
	int error;

	error = ext2_read_metadata(fs, EXT2_SUPER_OFFSET, &super, sizeof(super));
	if (error) {
		log_error("ext2: %s: cannot read the superblock", name);
		return error;
	}
	wrong = ext2_check_super(&super, sb->device->sectors << SECTOR_SHIFT, &fs->layout,
				 &features);
	if (!wrong)
		return 0;
	log_error("ext2: %s: %s (features 0x%x)", name, wrong, features);
	return -EINVAL;
}

static int ext2_mount(struct super_block *sb, const char *options)
{
	struct inode *raw = block_inode(sb->device), *root;
	struct ext2_fs *fs;
	int error;

	if (IS_ERR(raw))
		return PTR_ERR(raw);
	if (options && *options) {
		log_error("ext2: %s: unknown options: %s", sb->device->name, options);
		return -EINVAL;
	}
	fs = kzalloc(sizeof(*fs), 0);
	if (!fs)
		return -ENOMEM;
	fs->device = &raw->mapping;
	sb->private = fs;
	error = read_super(sb, fs);
	if (error)
		return error;
	sb->ops = &ext2_super_ops;
	sb->block_size = fs->layout.block_size;
	atomic_set(&sb->writers, -1);
	root = inode_get_number(sb, EXT2_ROOT_INODE);
	if (IS_ERR(root) || S_ISDIR(root->mode))
		return super_set_root(sb, root);
	inode_put(root);
	ext2_damaged(sb, EXT2_ROOT_INODE, "the root is not a directory");
	return -EINVAL;
}
FILE_SYSTEM(ext2, .needs_device = true, .magic = EXT2_MAGIC, .mount = ext2_mount);
