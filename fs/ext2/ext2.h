/*
 * ext2, read-only: what its files share.
 */
#ifndef FS_EXT2_EXT2_H
#define FS_EXT2_EXT2_H

#include "fs/ext2/format.h"
#include "fs/vfs.h"

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

/* super.c: copy metadata from byte `offset` of the device; within one page. 0, -EIO, -ENOMEM,
 * -ERESTARTSYS. */
int ext2_read_metadata(struct ext2_fs *fs, uint64_t offset, void *to, unsigned int len);
/* The inode of that number, with a reference; ERR_PTR. */
struct inode *ext2_get_inode(struct super_block *sb, uint32_t number);
/* Something on the disk is wrong: a line in the log, up to a number of them. Returns -EIO. */
int ext2_damaged(const struct super_block *sb, uint64_t inode_number, const char *what);

/* map.c */
extern const struct mapping_ops ext2_mapping_ops;

/* dir.c, file.c */
extern const struct inode_ops ext2_dir_inode_ops, ext2_file_inode_ops, ext2_symlink_inode_ops;
extern const struct file_ops ext2_dir_ops, ext2_file_ops;

#endif
