/*
 * The functions behind the system call table (kernel/syscall_list.h), grouped by the folder that
 * has them. Arguments are the caller's registers, unchecked.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include "kernel/syscall.h"

/* ---- fs: pipes, splice, poll ---- */
long sys_pipe(int32_t __user *fds);
long sys_pipe2(int32_t __user *fds, unsigned int flags);
long sys_splice(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len,
		unsigned int flags);
long sys_tee(int fd_in, int fd_out, size_t len, unsigned int flags);
struct iovec;
long sys_vmsplice(int fd, const struct iovec __user *segments, size_t nr, unsigned int flags);
long sys_sendfile(int fd_out, int fd_in, int32_t __user *offset, size_t count);
long sys_sendfile64(int fd_out, int fd_in, int64_t __user *offset, size_t count);
long sys_copy_file_range(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out,
			 size_t len, unsigned int flags);
struct pollfd;
long sys_poll(struct pollfd __user *fds, unsigned int nr, int milliseconds);
long sys_ppoll(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
	       const sigmask_t __user *mask, size_t mask_size);
long sys_ppoll_time64(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
		      const sigmask_t __user *mask, size_t mask_size);
long sys_select(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		void __user *timeout);
long sys_old_select(const uint32_t __user *arguments);
long sys_pselect6(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		  void __user *timeout, const uint32_t __user *mask_and_size);
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
#define FORM(name, parameters, call) long sys_##name parameters;
#include "fs/call_forms.h"
#undef FORM
struct iovec;
long sys_faccessat2(int dirfd, const char __user *user_name, unsigned int may, unsigned int flags);
long sys_fchmodat(int dirfd, const char __user *name, unsigned int mode);
long sys_fchownat(int dirfd, const char __user *name, uint32_t uid, uint32_t gid,
		  unsigned int flags);
long sys_utimensat(int dirfd, const char __user *name, const void __user *times,
		   unsigned int flags);
long sys_utimensat_time64(int dirfd, const char __user *name, const void __user *user_times,
			  unsigned int flags);
long sys_truncate64(const char __user *name, uint32_t low, uint32_t high);
long sys_ftruncate64(int number, uint32_t low, uint32_t high);
long sys_umask(unsigned int mask);
long sys_getcwd(char __user *user_buf, size_t size);
long sys_fcntl64(unsigned int number, unsigned int command, unsigned long argument);
long sys_ioctl(unsigned int number, unsigned int command, unsigned long argument);
long sys_close(unsigned int fd);
long sys_dup3(unsigned int from, unsigned int to, unsigned int flags);
long sys_dup2(unsigned int from, unsigned int to);
long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data);
long sys_umount2(const char __user *target, unsigned int flags);
long sys_mknodat(int dirfd, const char __user *name, unsigned int mode, unsigned int dev);
long sys_mkdirat(int dirfd, const char __user *name, unsigned int mode);
long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *name);
long sys_linkat(int old_dirfd, const char __user *old_name, int new_dirfd,
		const char __user *new_name, unsigned int flags);
long sys_unlinkat(int dirfd, const char __user *name, unsigned int flags);
long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name);
long sys_readlinkat(int dirfd, const char __user *name, char __user *result, int size);
long sys_openat(int dirfd, const char __user *user_name, unsigned int flags, unsigned int mode);
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
long sys_getdents64(unsigned int fd, void __user *result, size_t size);
long sys_fstatat64(int dirfd, const char __user *name, void __user *result, unsigned int flags);
long sys_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	       void __user *result);
long sys_sync(void);
long sys_fsync(int number);
long sys_fadvise64_64(int fd, uint32_t low, uint32_t high, uint32_t len_low, uint32_t len_high,
		      unsigned int advice);

/* ---- kernel: processes, signals, times, limits ---- */
long sys_fork(void);
long sys_vfork(void);
long sys_clone(unsigned long flags, unsigned long stack, unsigned long parent_tid,
	       unsigned long tls, unsigned long child_tid);
long sys_execve(unsigned long path_address, unsigned long argv, unsigned long envp);
long sys_exit(unsigned long code);
long sys_exit_group(unsigned long code);
long sys_wait4(unsigned long pid_argument, unsigned long status, unsigned long options,
	       unsigned long rusage);
long sys_waitpid(unsigned long pid, unsigned long status, unsigned long options);
long sys_waitid(unsigned long which, unsigned long id, unsigned long info_address,
		unsigned long options, unsigned long rusage);
long sys_rt_sigaction(unsigned long signo, unsigned long new_address, unsigned long old_address,
		      unsigned long mask_size);
long sys_sigaction(unsigned long signo, unsigned long new_address, unsigned long old_address);
long sys_signal(unsigned long signo, unsigned long handler);
long sys_rt_sigprocmask(unsigned long how, unsigned long set, unsigned long old_set,
			unsigned long size);
long sys_sigprocmask(unsigned long how, unsigned long set, unsigned long old_set);
long sys_rt_sigpending(unsigned long set, unsigned long size);
long sys_sigpending(unsigned long set);
long sys_pause(void);
long sys_rt_sigsuspend(unsigned long set, unsigned long size);
long sys_sigsuspend(unsigned long unused1, unsigned long unused2, unsigned long mask);
long sys_rt_sigtimedwait(unsigned long set, unsigned long info, unsigned long timeout,
			 unsigned long size);
long sys_rt_sigtimedwait_time64(unsigned long set, unsigned long info, unsigned long timeout,
				unsigned long size);
long sys_kill(unsigned long pid, unsigned long signo);
long sys_tkill(unsigned long tid, unsigned long signo);
long sys_tgkill(unsigned long tgid, unsigned long tid, unsigned long signo);
long sys_rt_sigqueueinfo(unsigned long pid, unsigned long signo, unsigned long info_address);
long sys_rt_tgsigqueueinfo(unsigned long tgid, unsigned long tid, unsigned long signo,
			   unsigned long info_address);
long sys_sigaltstack(unsigned long new_address, unsigned long old_address);
long sys_sigreturn(void);
long sys_rt_sigreturn(void);
long sys_getpid(void);
long sys_gettid(void);
long sys_getppid(void);
long sys_set_tid_address(unsigned long address);
long sys_getuid(void);
long sys_geteuid(void);
long sys_getgid(void);
long sys_getegid(void);
long sys_getuid16(void);
long sys_geteuid16(void);
long sys_getgid16(void);
long sys_getegid16(void);
long sys_setresuid(unsigned long uid, unsigned long euid, unsigned long suid);
long sys_setresgid(unsigned long gid, unsigned long egid, unsigned long sgid);
long sys_setuid(unsigned long uid);
long sys_setgid(unsigned long gid);
long sys_setreuid(unsigned long uid, unsigned long euid);
long sys_setregid(unsigned long gid, unsigned long egid);
long sys_setfsuid(unsigned long uid);
long sys_setfsgid(unsigned long gid);
long sys_getresuid(unsigned long uid, unsigned long euid, unsigned long suid);
long sys_getresgid(unsigned long gid, unsigned long egid, unsigned long sgid);
long sys_getresuid16(unsigned long uid, unsigned long euid, unsigned long suid);
long sys_getresgid16(unsigned long gid, unsigned long egid, unsigned long sgid);
long sys_setuid16(unsigned long uid);
long sys_setgid16(unsigned long gid);
long sys_setfsuid16(unsigned long uid);
long sys_setfsgid16(unsigned long gid);
long sys_setreuid16(unsigned long uid, unsigned long euid);
long sys_setregid16(unsigned long gid, unsigned long egid);
long sys_setresuid16(unsigned long uid, unsigned long euid, unsigned long suid);
long sys_setresgid16(unsigned long gid, unsigned long egid, unsigned long sgid);
long sys_getgroups(unsigned long room, unsigned long to);
long sys_setgroups(unsigned long nr, unsigned long from);
long sys_getgroups16(unsigned long room, unsigned long to);
long sys_setgroups16(unsigned long nr, unsigned long from);
long sys_capget(unsigned long header_address, unsigned long data);
long sys_capset(unsigned long header_address, unsigned long data);
long sys_setpgid(unsigned long pid_argument, unsigned long pgid_argument);
long sys_getpgid(unsigned long pid);
long sys_getsid(unsigned long pid);
long sys_getpgrp(void);
long sys_setsid(void);
long sys_set_thread_area(unsigned long address);
long sys_get_thread_area(unsigned long address);
long sys_futex(unsigned long address, unsigned long op, unsigned long value, unsigned long timeout,
	       unsigned long address2, unsigned long value3);
long sys_futex_time64(unsigned long address, unsigned long op, unsigned long value,
		      unsigned long timeout, unsigned long address2, unsigned long value3);
long sys_set_robust_list(unsigned long head, unsigned long size);
long sys_get_robust_list(unsigned long tid, unsigned long head, unsigned long size);
long sys_getrlimit(unsigned long resource, unsigned long to);
long sys_ugetrlimit(unsigned long resource, unsigned long to);
long sys_setrlimit(unsigned long resource, unsigned long from);
long sys_prlimit64(unsigned long pid, unsigned long resource, unsigned long from, unsigned long to);
long sys_getrusage(unsigned long who, unsigned long to);
long sys_times(unsigned long to);
long sys_getpriority(unsigned long which, unsigned long who);
long sys_setpriority(unsigned long which, unsigned long who, unsigned long nice);
long sys_sched_yield(void);
long sys_sched_getaffinity(unsigned long tid, unsigned long size, unsigned long to);
long sys_sched_setaffinity(unsigned long tid, unsigned long size, unsigned long from);
long sys_prctl(unsigned long option, unsigned long argument);
long sys_personality(unsigned long persona);
long sys_clock_gettime(unsigned long clock, unsigned long to);
long sys_clock_gettime64(unsigned long clock, unsigned long to);
long sys_clock_getres(unsigned long clock, unsigned long to);
long sys_clock_getres_time64(unsigned long clock, unsigned long to);
long sys_clock_settime(unsigned long clock, unsigned long from);
long sys_clock_settime64(unsigned long clock, unsigned long from);
long sys_time(unsigned long to);
long sys_gettimeofday(unsigned long tv_address, unsigned long tz_address);
long sys_settimeofday(unsigned long tv_address, unsigned long tz_address);
long sys_restart_syscall(void);
long sys_nanosleep(unsigned long from, unsigned long rest);
long sys_clock_nanosleep(unsigned long clock, unsigned long flags, unsigned long from,
			 unsigned long rest);
long sys_clock_nanosleep_time64(unsigned long clock, unsigned long flags, unsigned long from,
				unsigned long rest);
long sys_alarm(unsigned long seconds);
long sys_getitimer(unsigned long which, unsigned long to);
long sys_setitimer(unsigned long which, unsigned long new_address, unsigned long old_address);
long sys_reboot(unsigned long magic, unsigned long magic2, unsigned long command);

/* mm/mmap.c */
long sys_mmap(const void __user *arguments);
long sys_mmap2(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags, int fd,
	       uint32_t page_offset);
long sys_munmap(uintptr_t start, size_t len);
long sys_mprotect(uintptr_t start, size_t len, unsigned int prot);
long sys_brk(uintptr_t to);
long sys_mremap(uintptr_t start, size_t len, size_t new_len, unsigned int flags, uintptr_t target);
long sys_madvise(uintptr_t start, size_t len, int advice);
long sys_msync(uintptr_t start, size_t len, unsigned int flags);

#endif
