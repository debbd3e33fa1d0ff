/*
 * tmpfs: for file systems that are a tmpfs with something in it (fs/dev.c), and among its own
 * files.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "fs/vfs.h"

/* file_system.mount: an empty tree. options: size=, nr_inodes=, mode=. */
int tmpfs_mount(struct super_block *sb, const char *options);

/* Put a node into the root directory while it is being mounted: a device, a directory (rdev 0).
 * 0, -ENOMEM, -ENOSPC. */
int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev);
/* The same for a symbolic link. */
int tmpfs_add_symlink(struct super_block *sb, const char *name, const char *target);

/* ---- between tmpfs.c and tmpfs_dir.c ---- */

/* super_block->private. */
struct tmpfs {
	spinlock_t lock; /* plain */
	unsigned int pages, max_pages;
	unsigned int inodes, max_inodes;
	uint64_t last_number;
	bool mounted;
	unsigned int root_mode;
	struct inode *root; /* a reference */
};

/* inode->private. */
struct tmpfs_inode {
	struct list entries;   /* of a directory */
	file_off_t names_made; /* in all, for cookies */
	uint64_t parent;       /* of a directory: the number of the one above it */
	unsigned int pages;    /* counted in tmpfs->pages; tmpfs->lock, as the next */
	bool refused;	       /* there may be pages that found no room */
	char *target;	       /* of a symbolic link */
	struct mutex refused_lock;
	unsigned int first_refused, nr_refused; /* the last pages that had no room */
};

/* A new inode with one reference and no name. ERR_PTR(-ENOMEM, -ENOSPC). */
struct inode *tmpfs_inode_new(struct super_block *sb, const struct inode *dir, unsigned int mode,
			      unsigned int rdev);
int tmpfs_truncate(struct inode *inode, file_off_t size);

extern const struct inode_ops tmpfs_inode_ops;
extern const struct file_ops tmpfs_dir_ops;
/* Make a new inode and its name: with a reference; ERR_PTR. target: of a symbolic link, else NULL.
 * */
struct inode *tmpfs_add(struct inode *dir, const char *name, unsigned int len, unsigned int mode,
			unsigned int rdev, const char *target);
/* Unmount: no directory has a name any more. */
void tmpfs_forget_names(struct super_block *sb);

#endif
