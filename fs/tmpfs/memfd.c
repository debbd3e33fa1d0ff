/*
 * memfd_create(2): files in memory that no directory names. Segments of shared memory
 * (kernel/ipc/shm.c) are such files, too.
 *
 * 1. They belong to a tmpfs of their own, which is mounted nowhere. Its limits are those of every
 *    tmpfs, so all these files together take half of the memory at most.
 * 2. A file can have seals (fs/file/seal.h) if it was made with MFD_ALLOW_SEALING.
 */
#include "fs/file/file.h"
#include "fs/file/seal.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "fs/tmpfs/tmpfs.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

enum memfd_flags { /* linux/memfd.h */
		   MFD_CLOEXEC = 1,
		   MFD_ALLOW_SEALING = 2,
};
#define PREFIX	       "memfd:"
#define PREFIX_LEN     6u
#define MEMFD_NAME_MAX (NAME_MAX - PREFIX_LEN)

static struct mount *memory;

/*
 * Copy the name of a file from user memory, with the prefix. Returns a string that the caller
 * frees, or ERR_PTR(-EFAULT, -EINVAL, -ENOMEM). May sleep.
 */
static char *name_for(const char __user *user_name)
{
	char *name = kmalloc(PREFIX_LEN + MEMFD_NAME_MAX + 1, 0);
	ssize_t len;

	if (!name)
		return ERR_PTR(-ENOMEM);
	memcpy(name, PREFIX, PREFIX_LEN);
	len = strncpy_from_user(name + PREFIX_LEN, user_name, MEMFD_NAME_MAX + 1);
	if (len >= 0)
		return name;
	kfree(name);
	return ERR_PTR(len == -EFAULT ? -EFAULT : refuse(EINVAL, "the name is too long"));
}

int tmpfs_make_nameless(const char *text, struct path *result)
{
	struct dentry *root = memory->root;
	struct name name = { text, strlen(text), 0 };
	struct inode *inode = root->inode->ops->nameless(root->inode, S_IFREG | 0777);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	result->dentry = dentry_make_deleted(root, &name, inode);
	if (!result->dentry)
		return -ENOMEM;
	result->mount = memory;
	mount_get(memory);
	return 0;
}

static struct file *open_file(const char __user *user_name, unsigned int flags)
{
	char *name = name_for(user_name);
	struct path path;
	struct file *file;
	int error;

	if (IS_ERR(name))
		return (void *)name;
	error = tmpfs_make_nameless(name, &path);
	kfree(name);
	if (error)
		return ERR_PTR(error);
	if (flags & MFD_ALLOW_SEALING)
		path.dentry->inode->mapping.seals = SEALABLE;
	file = file_open_path(&path, O_RDWR | O_LARGEFILE);
	path_put(&path);
	return file;
}

long sys_memfd_create(const char __user *name, unsigned int flags)
{
	struct file *file;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return refuse(EINVAL, "a flag that is not supported");
	file = open_file(name, flags);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & MFD_CLOEXEC);
}

static void __init memfd_init(void)
{
	memory = mount_nowhere("tmpfs");
	if (IS_ERR(memory))
		cannot_start("too little memory for files without a name");
}
INITCALL(3, memfd_init);
