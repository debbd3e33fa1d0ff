/* Links that one user lays for another one. The contract is in fs/names/protect.h. */
#include "fs/names/protect.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscall.h"

#define WRITABLE_FOR_ALL  0002u
#define EXECUTED_BY_GROUP 0010u

bool protected_symlinks = true, protected_hardlinks = true;

int may_follow_last(const struct inode *dir, const struct inode *link)
{
	const unsigned int shared = S_ISVTX | WRITABLE_FOR_ALL;

	if (!protected_symlinks || (dir->mode & shared) != shared || link->uid == current_uid() ||
	    link->uid == dir->uid)
		return 0;
	return refuse(EACCES, "another user's link in a shared directory");
}

/* Is it a file that a user who can write it may as well have under another name? */
static bool is_harmless(struct inode *inode)
{
	const unsigned int group = S_ISGID | EXECUTED_BY_GROUP;

	return S_ISREG(inode->mode) && !(inode->mode & S_ISUID) && (inode->mode & group) != group &&
	       !inode_permission(inode, MAY_READ | MAY_WRITE);
}

int may_link(struct inode *inode)
{
	if (!protected_hardlinks || inode_owner_or_root(inode) || is_harmless(inode))
		return 0;
	return refuse(EPERM, "another user's file");
}
