/*
 * Where a file lies on its disk: the ioctls FS_IOC_FIEMAP and FIBMAP.
 *
 * 1. An extent is a run of whole blocks that lie in a row in the file and on the disk. Holes have
 *    none.
 * 2. A file system that can tell provides extent_ops (inode_ops.extents). They are asked about
 *    regular files and directories only.
 * 3. Each extent is looked up with inode->lock held, and copied to the program without it, so no
 *    page fault happens under the lock. Between two extents the file may change. The extents that a
 *    call returns ascend and do not overlap, whatever happens.
 * 4. The answers are those of Linux for files with block pointers. An extent is cut off at the
 *    edges of the blocks in which the range of the call begins and ends. It carries EXTENT_MERGED,
 *    because its blocks have one pointer each. The last extent of the range carries EXTENT_LAST, if
 *    the program's array has room for it.
 */
#ifndef FS_FILE_EXTENTS_H
#define FS_FILE_EXTENTS_H

#include "lib/types.h"

struct inode;

struct file_extent {
	file_off_t start, len; /* bytes of the file */
	uint64_t place;	       /* byte of the disk */
	bool in_inode;	       /* attributes: they are not in a block of their own */
};

struct extent_ops {
	/*
	 * Find the first extent of the bytes [start, end). `end` is not beyond sb->size_max, and
	 * `start` is below it. Returns 1, 0 if there is none, -EIO, -ENOMEM, or -EINTR or
	 * -ERESTARTSYS after a SIGKILL. inode->lock is held. May sleep.
	 */
	int (*find)(struct inode *inode, file_off_t start, file_off_t end,
		    struct file_extent *extent);
	/*
	 * The same for the inode's extended attributes. They are one extent from offset 0 on, which
	 * is never cut off.
	 */
	int (*find_attributes)(struct inode *inode, file_off_t start, file_off_t end,
			       struct file_extent *extent);
};

/*
 * FS_IOC_FIEMAP. `argument` points to a struct fiemap, behind which there is room for extents.
 * Returns 0, -EOPNOTSUPP for a file without extent_ops, -EFAULT, -EINVAL for an empty range or too
 * many extents, -EFBIG for a range beyond sb->size_max, -EBADR for unknown flags, which are written
 * back, or an error of extent_ops. May sleep.
 */
long extents_map(struct inode *inode, void __user *argument);
/*
 * FIBMAP of a regular file. `argument` points to the number of a block of the file, and gets that
 * of the disk, or 0 for a hole. Returns 0, -EPERM without CAP_SYS_RAWIO, -EFAULT, -EINVAL, -ERANGE,
 * or -ERESTARTSYS after a SIGKILL. May sleep.
 */
long extents_block(struct inode *inode, void __user *argument);

#endif
