/*
 * Links that one user lays for another one: /proc/sys/fs/protected_symlinks and
 * protected_hardlinks.
 *
 * A user could make a link in /tmp and wait for a program of another user, perhaps root, to write
 * through it. So a symbolic link at the end of a path that lies in a directory which is sticky and
 * writable for all is followed only by its owner, or if the directory has the same owner. And a
 * user makes no further name of a file that is not the user's, unless it is an ordinary file
 * without special rights that the user may read and write.
 */
#ifndef FS_NAMES_PROTECT_H
#define FS_NAMES_PROTECT_H

#include "fs/names/vfs.h"

extern bool protected_symlinks, protected_hardlinks;

/*
 * May the current process follow the symbolic link at the end of a path, in `dir`? Returns 0 or
 * -EACCES.
 */
int may_follow_last(const struct inode *dir, const struct inode *link);
/* May the current process give the inode a further name? Returns 0 or -EPERM. */
int may_link(struct inode *inode);

#endif
