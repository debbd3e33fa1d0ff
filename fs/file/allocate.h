/*
 * The modes of fallocate(2).
 */
#ifndef FS_FILE_ALLOCATE_H
#define FS_FILE_ALLOCATE_H

enum allocate_mode { /* linux/falloc.h */
		     FALLOC_KEEP_SIZE = 0x01,
		     FALLOC_PUNCH_HOLE = 0x02,
		     FALLOC_COLLAPSE_RANGE = 0x08,
		     FALLOC_ZERO_RANGE = 0x10,
		     FALLOC_INSERT_RANGE = 0x20,
		     FALLOC_UNSHARE_RANGE = 0x40,
};
#define FALLOC_KNOWN 0x7b

#endif
