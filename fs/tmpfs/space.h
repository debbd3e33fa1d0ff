/*
 * What the sources of tmpfs share: the room that files take, and their attributes.
 */
#ifndef FS_TMPFS_SPACE_H
#define FS_TMPFS_SPACE_H

#include "fs/file/open_file.h"
#include "kernel/spinlock.h"

struct tmpfs {		     /* super_block->private */
	uint32_t generation; /* in the handles of its files; never changes */
	spinlock_t lock;
	/* The limits; 0: there is none. */
	unsigned int pages, max_pages;
	unsigned int inodes, max_inodes; /* inodes, and names beyond the first of each */
};

/*
 * Count the pages of the inode again. Returns true if there is room for them. If there is no room,
 * the new count is kept only without `must_fit`. With `present`, the caller wants a page that may
 * have been counted before, and a count that has not grown fits. If the file system is gone (a pipe
 * still holds the inode), nothing is counted. Never sleeps.
 */
bool tmpfs_count(struct inode *inode, bool must_fit, bool present);

/* ---- fs/tmpfs/options.c ---- */

/* What the options of a mount say of its root directory. */
struct tmpfs_root {
	unsigned int mode;
	uint32_t uid, gid;
};

/*
 * Parse the options of a mount, into the limits of the file system and the attributes of its root
 * directory. What they do not name stays as it is. Returns 0 or -EINVAL. Never sleeps.
 */
int tmpfs_parse_options(struct tmpfs *tmpfs, struct tmpfs_root *root, const char *options);
/*
 * super_ops.change_options: new limits, which must not lie below what is in use. The attributes of
 * the root directory do not change.
 */
int tmpfs_change_options(struct super_block *sb, const char *options);

/* ---- fs/tmpfs/space.c ---- */

/* file_ops.llseek, with SEEK_DATA and SEEK_HOLE. Returns the new position, -EINVAL or -ENXIO. */
file_off_t tmpfs_llseek(struct file *file, file_off_t offset, int whence);
/* inode_ops.allocate: the default mode, KEEP_SIZE and PUNCH_HOLE. */
int tmpfs_allocate(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end);

/* ---- fs/tmpfs/xattr.c, and the last one in tmpfs.c ---- */

extern const struct xattr_ops tmpfs_xattr_ops;
/* Free the attributes of a file that leaves memory. */
void tmpfs_xattrs_free(struct inode *inode);
/* The list of the file's attributes. */
struct list *tmpfs_xattrs(struct inode *inode);

#endif
