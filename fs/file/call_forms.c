/*
 * System calls that are another one with something given: name, parameters, what it comes to.
 */
#include "kernel/syscalls.h"
#include "fs/names/vfs_internal.h"

#define FORM(name, parameters, call) \
	long sys_##name parameters   \
	{                            \
		return call;         \
	}

FORM(dup, (unsigned int number), fd_duplicate(number, 0, false))
FORM(open, (const char __user *name, unsigned int flags, unsigned int mode),
     sys_openat(AT_FDCWD, name, flags, mode))
FORM(mknod, (const char __user *name, unsigned int mode, unsigned int dev),
     sys_mknodat(AT_FDCWD, name, mode, dev))
FORM(mkdir, (const char __user *name, unsigned int mode), sys_mkdirat(AT_FDCWD, name, mode))
FORM(symlink, (const char __user *target, const char __user *name),
     sys_symlinkat(target, AT_FDCWD, name))
FORM(link, (const char __user *old, const char __user *name),
     sys_linkat(AT_FDCWD, old, AT_FDCWD, name, 0))
FORM(unlink, (const char __user *name), sys_unlinkat(AT_FDCWD, name, 0))
FORM(rmdir, (const char __user *name), sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR))
FORM(rename, (const char __user *old, const char __user *name),
     sys_renameat(AT_FDCWD, old, AT_FDCWD, name))
FORM(readlink, (const char __user *name, char __user *result, int size),
     sys_readlinkat(AT_FDCWD, name, result, size))
FORM(access, (const char __user *name, unsigned int may), sys_faccessat2(AT_FDCWD, name, may, 0))
FORM(faccessat, (int dirfd, const char __user *name, unsigned int may),
     sys_faccessat2(dirfd, name, may, 0))
FORM(chmod, (const char __user *name, unsigned int mode), sys_fchmodat(AT_FDCWD, name, mode))
FORM(chown32, (const char __user *name, uint32_t uid, uint32_t gid),
     sys_fchownat(AT_FDCWD, name, uid, gid, 0))
FORM(lchown32, (const char __user *name, uint32_t uid, uint32_t gid),
     sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW))
FORM(stat64, (const char __user *name, void __user *result),
     sys_fstatat64(AT_FDCWD, name, result, 0))
FORM(lstat64, (const char __user *name, void __user *result),
     sys_fstatat64(AT_FDCWD, name, result, AT_SYMLINK_NOFOLLOW))
FORM(umount, (const char __user *target), sys_umount2(target, 0))
FORM(fchmod, (int fd, unsigned int mode), sys_fchmodat(fd, this_file, mode))
FORM(fchown32, (int fd, uint32_t uid, uint32_t gid), sys_fchownat(fd, this_file, uid, gid, 0))
FORM(fstat64, (int fd, void __user *result), sys_fstatat64(fd, this_file, result, 0))
FORM(fstatfs64, (int fd, size_t size, void __user *result),
     size == STATFS64_SIZE ? statfs_at(fd, this_file, true, result) : -EINVAL)
FORM(statfs64, (const char __user *name, size_t size, void __user *result),
     size == STATFS64_SIZE ? statfs_at(AT_FDCWD, name, true, result) : -EINVAL)
FORM(chdir, (const char __user *name), chdir_at(AT_FDCWD, name))
FORM(fchdir, (int fd), chdir_at(fd, this_file))

/* ---- older forms: other C libraries use them, and programs that were built long ago ---- */

FORM(creat, (const char __user *name, unsigned int mode),
     sys_openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode))
FORM(truncate, (const char __user *name, int32_t size), sys_truncate64(name, size, size >> 31))
FORM(ftruncate, (int fd, int32_t size), sys_ftruncate64(fd, size, size >> 31))
FORM(fadvise64, (int fd, uint32_t low, uint32_t high, uint32_t len, unsigned int advice),
     sys_fadvise64_64(fd, low, high, len, 0, advice))
FORM(fstatfs, (int fd, void __user *result), statfs_at(fd, this_file, false, result))
FORM(statfs, (const char __user *name, void __user *result),
     statfs_at(AT_FDCWD, name, false, result))
