/*
 * ext2: mounting, and reading inodes.
 *
 * 1. The file system is read-only, however it is mounted: /proc/mounts says so, and writes are
 *    EROFS.
 * 2. Metadata is read through the page cache of the raw device and copied out of it; nothing points
 *    into those pages, so they may be given up at any time.
 * 3. What is damaged gives a line in the log and -EINVAL from mount, -EIO elsewhere.
 */
#include "fs/ext2/ext2.h"
#include "drivers/block.h"
#include "fs/pagecache.h"
#include "kernel/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define MAX_REPORTS 20 /* lines in the log for one mount */

/* Whoever reads a damaged file again and again must not fill the log. */
int ext2_damaged(const struct super_block *sb, uint64_t inode_number, const char *what)
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

int ext2_read_metadata(struct ext2_fs *fs, uint64_t offset, void *to, unsigned int len)
{
	struct page *page = mapping_read_page(fs->device, offset >> PAGE_SHIFT);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(to, address + (offset & (PAGE_SIZE - 1)), len);
	kunmap_local(address);
	page_put(page);
	return 0;
}

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
	unsigned int major, minor;

	if (S_ISREG(inode->mode)) {
		inode->ops = &ext2_file_inode_ops;
		inode->file_ops = &ext2_file_ops;
	} else if (S_ISDIR(inode->mode)) {
		inode->ops = &ext2_dir_inode_ops;
		inode->file_ops = &ext2_dir_ops;
	} else if (S_ISLNK(inode->mode)) {
		inode->ops = &ext2_symlink_inode_ops;
	} else {
		inode->ops = &ext2_file_inode_ops;
		ext2_device_number(disk, &major, &minor);
		inode_init_special(inode, inode->mode, MAKEDEV(major, minor));
	}
}

static int ext2_read_inode(struct inode *inode, const void *context)
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

struct inode *ext2_get_inode(struct super_block *sb, uint32_t number)
{
	return inode_get_number(sb, number, ext2_read_inode, NULL);
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

static void ext2_unmount(struct super_block *sb)
{
	kfree(sb->private);
}

static const struct super_ops ext2_super_ops = {
	.free_inode = ext2_free_inode,
	.statfs = ext2_statfs,
	.unmount = ext2_unmount,
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

static int mount_root_inode(struct super_block *sb)
{
	struct inode *root = ext2_get_inode(sb, EXT2_ROOT_INODE);

	if (IS_ERR(root))
		return PTR_ERR(root);
	if (!S_ISDIR(root->mode)) {
		inode_put(root);
		ext2_damaged(sb, EXT2_ROOT_INODE, "the root is not a directory");
		return -EINVAL;
	}
	sb->root = dentry_make_root(sb, root);
	return sb->root ? 0 : -ENOMEM;
}

static int ext2_mount(struct super_block *sb, const char *options)
{
	struct inode *raw = block_inode(sb->device);
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
	error = read_super(sb, fs);
	if (error)
		goto free_fs;
	sb->private = fs;
	sb->ops = &ext2_super_ops;
	sb->block_size = fs->layout.block_size;
	sb->read_only = true;
	error = mount_root_inode(sb);
	if (error)
		goto free_fs;
	return 0;

free_fs:
	sb->private = NULL;
	kfree(fs);
	return error;
}
FILE_SYSTEM(ext2, .needs_device = true, .magic = EXT2_MAGIC, .mount = ext2_mount);
