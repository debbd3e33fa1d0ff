/*
 * tmpfs's functions, for file systems that are a tmpfs with something in it (fs/dev.c).
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "fs/vfs.h"

/* file_system.mount: an empty tree. options: size=, nr_inodes=, mode=. */
int tmpfs_mount(struct super_block *sb, const char *options);

/* Put a node into the root directory while it is being mounted: a device, a directory (rdev 0). 0, -ENOMEM, -ENOSPC. */
int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev);
/* The same for a symbolic link. */
int tmpfs_add_symlink(struct super_block *sb, const char *name, const char *target);

#endif
