/*
 * tmpfs, for file systems that are a tmpfs with something in it (fs/dev/devfs.c).
 */
#ifndef FS_TMPFS_TMPFS_H
#define FS_TMPFS_TMPFS_H

#include "fs/names/vfs.h"

/* file_system.mount: an empty tree with a root of `mode`. options: "" or "size=" bytes. */
int tmpfs_mount_mode(struct super_block *sb, const char *options, unsigned int mode);

/*
 * Put a node into the tree while it is being mounted: a device, a directory (rdev 0), a symbolic
 * link with `target`, else NULL. Directories on the way to it are made. 0, -ENOMEM.
 */
int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev,
		   const char *target);

#endif
