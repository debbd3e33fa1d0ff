/*
 * The modes of fallocate(2), and the call itself for other parts of the kernel.
 */
#ifndef FS_FILE_ALLOCATE_H
#define FS_FILE_ALLOCATE_H

#include "lib/types.h"

struct file;

enum allocate_mode { /* linux/falloc.h */
		     FALLOC_KEEP_SIZE = 0x01,
		     FALLOC_PUNCH_HOLE = 0x02,
		     FALLOC_COLLAPSE_RANGE = 0x08,
		     FALLOC_ZERO_RANGE = 0x10,
		     FALLOC_INSERT_RANGE = 0x20,
		     FALLOC_UNSHARE_RANGE = 0x40,
};
#define FALLOC_KNOWN 0x7b

/*
 * Do what fallocate(2) does with the `len` bytes from `start` on. Both are positive or zero.
 * Returns 0 or an error. May sleep. Takes inode->lock.
 */
int file_allocate(struct file *file, unsigned int mode, file_off_t start, file_off_t len);

#endif
