/*
 * tmpfs, for file systems that are a tmpfs with something in it (fs/dev/devfs.c).
 */
#ifndef FS_TMPFS_TMPFS_H
#define FS_TMPFS_TMPFS_H

#include "fs/names/vfs.h"

/*
 * Mount an empty tree whose root has `mode`. `options` is "" or "size=" and a number of bytes.
 * Returns 0, -ENOMEM, or -EINVAL for other options. May sleep.
 */
int tmpfs_mount_mode(struct super_block *sb, const char *options, unsigned int mode);

/*
 * Add a node to the tree while it is being mounted: a device, a directory (with rdev 0), or a
 * symbolic link to `target`. For others `target` is NULL. Missing directories on the way are made.
 * Returns 0 or -ENOMEM. May sleep.
 */
int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev,
		   const char *target);

/*
 * Make a file in memory that no lookup finds, and that `text` names in /proc/PID/maps. Anybody may
 * open it. Writes its path, with references, to `result`. Returns 0, -ENOMEM, or -ENOSPC if there
 * are too many such files. May sleep. fs/tmpfs/memfd.c
 */
int tmpfs_make_nameless(const char *text, struct path *result);

#endif
