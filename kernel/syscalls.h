/*
 * The functions behind the system call table (kernel/syscall_list.h), grouped by the folder that has them.
 * Arguments are the caller's registers, unchecked.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include "kernel/syscall.h"

/* ---- fs: pipes, splice, poll ---- */
long sys_pipe(int32_t __user *fds);
long sys_pipe2(int32_t __user *fds, unsigned int flags);
long sys_splice(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len, unsigned int flags);
long sys_tee(int fd_in, int fd_out, size_t len, unsigned int flags);
long sys_sendfile(int fd_out, int fd_in, int32_t __user *offset, size_t count);
long sys_sendfile64(int fd_out, int fd_in, int64_t __user *offset, size_t count);
long sys_copy_file_range(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len,
			 unsigned int flags);
struct pollfd;
long sys_poll(struct pollfd __user *fds, unsigned int nr, int milliseconds);
long sys_ppoll(struct pollfd __user *fds, unsigned int nr, void __user *timeout, const sigmask_t __user *mask,
	       size_t mask_size);
long sys_ppoll_time64(struct pollfd __user *fds, unsigned int nr, void __user *timeout, const sigmask_t __user *mask,
		      size_t mask_size);
long sys_select(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except, void __user *timeout);
long sys_old_select(const uint32_t __user *arguments);
long sys_pselect6(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except, void __user *timeout,
		  const uint32_t __user *mask_and_size);
long sys_pselect6_time64(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
			 void __user *timeout, const uint32_t __user *mask_and_size);

/* kernel/sysinfo.c, kernel/random.c */
long sys_uname(void __user *buf);
long sys_sethostname(const char __user *name, unsigned int len);
long sys_setdomainname(const char __user *name, unsigned int len);
long sys_sysinfo(void __user *buf);
long sys_syslog(int action, char __user *buf, int len);
long sys_getrandom(void __user *buf, size_t n, unsigned int flags);

/* ---- fs: files, names, mounts ---- */
struct iovec;
long sys_faccessat2(int dirfd, const char __user *user_name, unsigned int may, unsigned int flags);
long sys_faccessat(int dirfd, const char __user *name, unsigned int may);
long sys_access(const char __user *name, unsigned int may);
long sys_fchmodat(int dirfd, const char __user *name, unsigned int mode);
long sys_chmod(const char __user *name, unsigned int mode);
long sys_fchmod(int number, unsigned int mode);
long sys_fchownat(int dirfd, const char __user *name, uint32_t uid, uint32_t gid,
		  unsigned int flags);
long sys_chown32(const char __user *name, uint32_t uid, uint32_t gid);
long sys_lchown32(const char __user *name, uint32_t uid, uint32_t gid);
long sys_fchown32(int number, uint32_t uid, uint32_t gid);
long sys_chown(const char __user *name, unsigned int uid, unsigned int gid);
long sys_lchown(const char __user *name, unsigned int uid, unsigned int gid);
long sys_fchown(int number, unsigned int uid, unsigned int gid);
long sys_utimensat_time64(int dirfd, const char __user *name, const void __user *user_times,
			  unsigned int flags);
long sys_utimensat(int dirfd, const char __user *name, const void __user *times,
		   unsigned int flags);
long sys_utimes(const char __user *name, const void __user *times);
long sys_utime(const char __user *name, const uint32_t __user *user_times);
long sys_truncate(const char __user *name, long size);
long sys_ftruncate(int number, long size);
long sys_truncate64(const char __user *name, uint32_t low, uint32_t high);
long sys_ftruncate64(int number, uint32_t low, uint32_t high);
long sys_umask(unsigned int mask);
long sys_chdir(const char __user *name);
long sys_fchdir(int number);
long sys_chroot(const char __user *name);
long sys_getcwd(char __user *user_buf, size_t size);
long sys_fcntl64(unsigned int number, unsigned int command, unsigned long argument);
long sys_ioctl(unsigned int number, unsigned int command, unsigned long argument);
long sys_close(unsigned int fd);
long sys_dup(unsigned int number);
long sys_dup3(unsigned int from, unsigned int to, unsigned int flags);
long sys_dup2(unsigned int from, unsigned int to);
long sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data);
long sys_umount2(const char __user *target, unsigned int flags);
long sys_umount(const char __user *target);
long sys_mknodat(int dirfd, const char __user *name, unsigned int mode, unsigned int dev);
long sys_mknod(const char __user *name, unsigned int mode, unsigned int dev);
long sys_mkdirat(int dirfd, const char __user *name, unsigned int mode);
long sys_mkdir(const char __user *name, unsigned int mode);
long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *name);
long sys_symlink(const char __user *target, const char __user *name);
long sys_linkat(int old_dirfd, const char __user *old_name, int new_dirfd,
		const char __user *new_name, unsigned int flags);
long sys_link(const char __user *old_name, const char __user *new_name);
long sys_unlinkat(int dirfd, const char __user *name, unsigned int flags);
long sys_unlink(const char __user *name);
long sys_rmdir(const char __user *name);
long sys_renameat2(int old_dirfd, const char __user *old_name, int new_dirfd,
		   const char __user *new_name, unsigned int flags);
long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name);
long sys_rename(const char __user *old_name, const char __user *new_name);
long sys_readlinkat(int dirfd, const char __user *name, char __user *result, int size);
long sys_readlink(const char __user *name, char __user *result, int size);
long sys_openat(int dirfd, const char __user *user_name, unsigned int flags, unsigned int mode);
long sys_open(const char __user *name, unsigned int flags, unsigned int mode);
long sys_creat(const char __user *name, unsigned int mode);
long sys_read(unsigned int number, void __user *buf, size_t len);
long sys_write(unsigned int number, void __user *buf, size_t len);
long sys_pread64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high);
long sys_pwrite64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high);
long sys_readv(unsigned int fd, const struct iovec __user *iov, unsigned int nr);
long sys_writev(unsigned int fd, const struct iovec __user *iov, unsigned int nr);
long sys_preadv(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		uint32_t high);
long sys_pwritev(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		 uint32_t high);
long sys_lseek(unsigned int fd, long offset, unsigned int whence);
long sys_llseek(unsigned int fd, uint32_t high, uint32_t low, void __user *result,
		unsigned int whence);
long sys_getdents(unsigned int fd, void __user *result, size_t size);
long sys_getdents64(unsigned int fd, void __user *result, size_t size);
long sys_stat(const char __user *name, void __user *result);
long sys_lstat(const char __user *name, void __user *result);
long sys_fstat(int fd, void __user *result);
long sys_fstatat64(int dirfd, const char __user *name, void __user *result, unsigned int flags);
long sys_stat64(const char __user *name, void __user *result);
long sys_lstat64(const char __user *name, void __user *result);
long sys_fstat64(int fd, void __user *result);
long sys_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	       void __user *result);
long sys_statfs(const char __user *name, void __user *result);
long sys_fstatfs(int fd, void __user *result);
long sys_statfs64(const char __user *name, size_t size, void __user *result);
long sys_fstatfs64(int fd, size_t size, void __user *result);
long sys_sync(void);
long sys_syncfs(int number);
long sys_fsync(int number);
long sys_fdatasync(int number);
long sys_fadvise64(int fd, uint32_t low, uint32_t high, uint32_t len, unsigned int advice);
long sys_fadvise64_64(int fd, uint32_t low, uint32_t high, uint32_t len_low, uint32_t len_high,
		      unsigned int advice);

#endif
