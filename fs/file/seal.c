/*
 * Adding seals. See fs/file/seal.h.
 */
#include "fs/file/open_file.h"
#include "fs/file/seal.h"
#include "kernel/syscall.h"
#include "mm/vm/vm.h"

static long add_locked(struct inode *inode, unsigned int seals)
{
	if (!(inode->mapping.seals & SEALABLE))
		return refuse(EINVAL, "the file cannot have seals");
	if (inode->mapping.seals & SEAL_SEAL)
		return refuse(EPERM, "the file takes no more seals");
	if (seals & ~inode->mapping.seals & SEAL_WRITE && !mapping_seal(&inode->mapping))
		return refuse(EBUSY, "the file is mapped for writing");
	inode->mapping.seals |= seals;
	return 0;
}

long file_add_seals(struct file *file, unsigned int seals)
{
	struct inode *inode = file->inode;
	long error;

	if (!file->writable)
		return refuse(EPERM, "the file is not open for writing");
	if (seals & ~SEAL_ALL)
		return refuse(EINVAL, "an unknown seal");
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	error = add_locked(inode, seals);
	mutex_unlock(&inode->lock);
	return error;
}

long file_get_seals(const struct file *file)
{
	unsigned int seals = READ_ONCE(file->inode->mapping.seals);

	return seals & SEALABLE ? (long)(seals & SEAL_ALL) : refuse(EINVAL, "no file with seals");
}
