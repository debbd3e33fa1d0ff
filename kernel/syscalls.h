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

#endif
