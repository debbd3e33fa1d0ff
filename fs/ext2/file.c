/*
 * ext2 files and symbolic links: all through the page cache.
 */
#include "fs/ext2/ext2.h"
#include "fs/splice.h"
#include "lib/string.h"
#include "mm/kmap.h"

/* A target that is too long for the inode is the file's data. Its size is less than a block. */
static ssize_t read_target(struct inode *inode, char *buf, size_t len)
{
	struct page *page = mapping_read_page(&inode->mapping, 0);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(buf, address, len);
	kunmap_local(address);
	page_put(page);
	return 0;
}

static ssize_t ext2_readlink(struct inode *inode, char *buf, size_t size)
{
	struct ext2_inode *own = inode->private;
	size_t len = inode->size;
	int error = 0;

	if (len >= size)
		return -ENAMETOOLONG;
	if (own->fast_symlink)
		memcpy(buf, own->block, len);
	else
		error = read_target(inode, buf, len);
	if (error)
		return error;
	buf[len] = '\0';
	return strlen(buf);
}

const struct inode_ops ext2_symlink_inode_ops = {
	.readlink = ext2_readlink,
};

const struct inode_ops ext2_file_inode_ops = { 0 };

const struct file_ops ext2_file_ops = {
	.read = generic_file_read,
	.llseek = generic_llseek,
	.mmap = generic_file_mmap,
	.fsync = generic_file_fsync,
	.splice_read = generic_splice_read,
};
