/*
 * The bits of a mode and of a device number. The host's unit tests use them too.
 */
#ifndef FS_NAMES_MODE_H
#define FS_NAMES_MODE_H

#include "lib/types.h"

/* File types and modes, as in st_mode. */
#define S_IFMT	    0170000
#define S_IFSOCK    0140000
#define S_IFLNK	    0120000
#define S_IFREG	    0100000
#define S_IFBLK	    0060000
#define S_IFDIR	    0040000
#define S_IFCHR	    0020000
#define S_IFIFO	    0010000
#define S_ISUID	    0004000
#define S_ISGID	    0002000
#define S_ISVTX	    0001000
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

/* d_type of getdents64, the `type` of dir_context.emit: S_IFMT's bits moved down; 0 is unknown. */
#define DT_OF_MODE(mode)      (((mode)&S_IFMT) >> 12)

#define MAKEDEV(major, minor) ((major) << 20 | (minor)) /* in the kernel */
#define MAJOR(dev)	      ((dev) >> 20)
#define MINOR(dev)	      ((dev)&0xfffff)

/*
 * Programs and disks have the minor number in bits 0..7 and 20..31, and the major number between.
 */
static inline unsigned int device_decode(uint32_t dev)
{
	return MAKEDEV(dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
}
static inline uint32_t device_encode(unsigned int dev)
{
	return (MINOR(dev) & 0xff) | MAJOR(dev) << 8 | (MINOR(dev) & ~0xffu) << 12;
}

#endif
