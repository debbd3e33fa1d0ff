/*
 * Seals: promises about a file in memory that can be given once and never taken back (F_ADD_SEALS).
 *
 * 1. inode->mapping.seals is set with inode->lock held, and every write, truncate and fallocate
 *    looks at it with that lock held. So a change is either complete when the seal is set, or
 *    refused.
 * 2. A program can also write through a shared mapping. F_SEAL_WRITE is refused (EBUSY) while there
 *    is a mapping that allows it, and afterwards none can be made (mapping_seal).
 * 3. Pages that are lent to pipes need no care. The bytes of a slot never change, and a page that
 *    is moved into a file is moved by a splice, which is a write.
 */
#ifndef FS_FILE_SEAL_H
#define FS_FILE_SEAL_H

#include "fs/names/inode_flags.h"

enum seals { /* linux/fcntl.h */
	     SEAL_SEAL = 0x01,
	     SEAL_SHRINK = 0x02,
	     SEAL_GROW = 0x04,
	     SEAL_WRITE = 0x08,
	     SEAL_FUTURE_WRITE = 0x10,
	     SEAL_ALL = 0x1f,
	     SEALABLE = 0x80, /* the file can have seals */
};

/* Are the file's bytes sealed, or is it immutable? inode->lock is held. */
static inline bool sealed_against_writing(const struct inode *inode)
{
	return inode->mapping.seals & (SEAL_WRITE | SEAL_FUTURE_WRITE) || inode_is_immutable(inode);
}
/* Do the seals forbid that size? inode->lock is held. */
static inline bool sealed_against_size(const struct inode *inode, file_off_t size)
{
	return (inode->mapping.seals & SEAL_GROW && size > inode->size) ||
	       (inode->mapping.seals & SEAL_SHRINK && size < inode->size);
}
/*
 * fcntl's F_ADD_SEALS. Returns 0, -EPERM if the file is not open for writing or takes no more
 * seals, -EINVAL for an unknown seal or a file that can have none, -EBUSY for SEAL_WRITE while the
 * file is mapped for writing, or -ERESTARTSYS. May sleep.
 */
long file_add_seals(struct file *file, unsigned int seals);
/* F_GET_SEALS. Returns the seals, or -EINVAL if the file can have none. */
long file_get_seals(const struct file *file);

#endif
