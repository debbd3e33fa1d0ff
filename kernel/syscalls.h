/*
 * Declarations of the functions behind the system calls, file by file.
 * kernel/process/syscall_list.h has their numbers. The arguments are the unchecked values of the
 * caller's registers ebx, ecx, edx, esi, edi and ebp. Each function returns the result of its call,
 * or a negative errno value. All may sleep.
 */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

#include "kernel/syscall.h"

struct iovec;
struct pollfd;

/* ---- fs/file/allocate.c ---- */

long sys_fallocate(int number, unsigned int mode, uint32_t low, uint32_t high, uint32_t len_low,
		   uint32_t len_high);

/* ---- fs/file/fcntl.c ---- */

long sys_ioctl(unsigned int number, unsigned int command, unsigned long argument);
long sys_fcntl64(unsigned int number, unsigned int command, unsigned long argument);

/* ---- fs/file/lock_calls.c ---- */

long sys_flock(unsigned int number, unsigned int operation);

/* ---- fs/file/file_table.c ---- */

long sys_close(unsigned int fd);
long sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
long sys_dup(unsigned int number);
long sys_dup2(unsigned int from, unsigned int to);
long sys_dup3(unsigned int from, unsigned int to, unsigned int flags);

/* ---- fs/file/open.c ---- */

long sys_open(const char __user *name, unsigned int flags, unsigned int mode);
long sys_creat(const char __user *name, unsigned int mode);
long sys_openat2(int dirfd, const char __user *name, const void __user *how, size_t size);
long sys_openat(int dirfd, const char __user *user_name, unsigned int flags, unsigned int mode);

/* ---- fs/file/poll.c ---- */

long sys_poll(struct pollfd __user *fds, unsigned int nr, int milliseconds);
long sys_ppoll(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
	       const sigmask_t __user *mask, size_t mask_size);

/* ---- fs/file/read_write.c ---- */

long sys_read(unsigned int fd, void __user *buf, size_t len);
long sys_write(unsigned int fd, void __user *buf, size_t len);
long sys_lseek(unsigned int fd, long offset, unsigned int whence);
long sys_llseek(unsigned int fd, uint32_t high, uint32_t low, void __user *result,
		unsigned int whence);
long sys_readv(unsigned int fd, const struct iovec __user *iov, unsigned int nr);
long sys_writev(unsigned int fd, const struct iovec __user *iov, unsigned int nr);
long sys_pread64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high);
long sys_pwrite64(unsigned int fd, void __user *buf, size_t len, uint32_t low, uint32_t high);
long sys_preadv(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		uint32_t high);
long sys_pwritev(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		 uint32_t high);
long sys_preadv2(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		 uint32_t high, unsigned int flags);
long sys_pwritev2(unsigned int fd, const struct iovec __user *iov, unsigned int nr, uint32_t low,
		  uint32_t high, unsigned int flags);

/* ---- fs/file/readdir.c ---- */

long sys_getdents64(unsigned int number, void __user *result, size_t size);
long sys_getdents(unsigned int number, void __user *result, size_t size);
long sys_readdir(unsigned int number, void __user *result);

/* ---- fs/file/select.c ---- */

long sys_old_select(const uint32_t __user *arguments);
long sys_select(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		void __user *timeout);
long sys_pselect6(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		  void __user *timeout, const uint32_t __user *mask_and_size);

/* ---- fs/file/old_stat.c ---- */

long sys_stat(const char __user *name, void __user *result);
long sys_lstat(const char __user *name, void __user *result);
long sys_fstat(int fd, void __user *result);
long sys_oldstat(const char __user *name, void __user *result);
long sys_oldlstat(const char __user *name, void __user *result);
long sys_oldfstat(int fd, void __user *result);

/* ---- fs/file/stat.c ---- */

long sys_ustat(unsigned int device, void __user *result);
long sys_statfs(const char __user *name, void __user *result);
long sys_fstatfs(int fd, void __user *result);
long sys_stat64(const char __user *name, void __user *result);
long sys_lstat64(const char __user *name, void __user *result);
long sys_fstat64(int fd, void __user *result);
long sys_statfs64(const char __user *name, size_t size, void __user *result);
long sys_fstatfs64(int fd, size_t size, void __user *result);
long sys_fstatat64(int dirfd, const char __user *name, void __user *result, unsigned int flags);
long sys_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	       void __user *result);

/* ---- fs/file/handle.c ---- */

long sys_name_to_handle_at(int dirfd, const char __user *name, void __user *handle,
			   void __user *mount, unsigned int flags);
long sys_open_by_handle_at(int fd, const void __user *handle, unsigned int flags);

/* ---- fs/file/sync.c ---- */

long sys_sync(void);
long sys_fsync(int number);
long sys_fadvise64(int fd, uint32_t low, uint32_t high, uint32_t len, unsigned int advice);
long sys_fadvise64_64(int number, uint32_t low, uint32_t high, uint32_t len_low, uint32_t len_high,
		      unsigned int advice);
long sys_readahead(int number, uint32_t low, uint32_t high, size_t len);
long sys_sync_file_range(int number, uint32_t low, uint32_t high, uint32_t len_low,
			 uint32_t len_high, unsigned int flags);
long sys_syncfs(int number);

/* ---- fs/names/attr.c ---- */

long sys_chmod(const char __user *name, unsigned int mode);
long sys_access(const char __user *name, unsigned int may);
long sys_fchmod(int fd, unsigned int mode);
long sys_lchown32(const char __user *name, uint32_t uid, uint32_t gid);
long sys_fchown32(int fd, uint32_t uid, uint32_t gid);
long sys_chown32(const char __user *name, uint32_t uid, uint32_t gid);
long sys_fchownat(int dirfd, const char __user *name, uint32_t uid, uint32_t gid,
		  unsigned int flags);
long sys_fchmodat(int dirfd, const char __user *name, unsigned int mode);
long sys_faccessat(int dirfd, const char __user *name, unsigned int may);
long sys_utimensat(int dirfd, const char __user *name, const void __user *times,
		   unsigned int flags);
long sys_faccessat2(int dirfd, const char __user *name, unsigned int may, unsigned int flags);

/* ---- fs/names/truncate.c ---- */

long sys_truncate(const char __user *name, int32_t size);
long sys_ftruncate(int fd, int32_t size);
long sys_truncate64(const char __user *name, uint32_t low, uint32_t high);
long sys_ftruncate64(int number, uint32_t low, uint32_t high);

/* ---- fs/names/mount_calls.c ---- */

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned int flags, const char __user *data);
long sys_umount(const char __user *target);
long sys_umount2(const char __user *target, unsigned int flags);

/* ---- fs/names/old_times.c ---- */

struct timeval32;
long sys_utime(const char __user *name, const int32_t __user *times);
long sys_utimes(const char __user *name, const struct timeval32 __user *times);
long sys_futimesat(int dirfd, const char __user *name, const struct timeval32 __user *times);

/* ---- fs/names/chown16.c ---- */

long sys_chown16(const char __user *name, uint16_t uid, uint16_t gid);
long sys_lchown16(const char __user *name, uint16_t uid, uint16_t gid);
long sys_fchown16(int fd, uint16_t uid, uint16_t gid);

/* ---- fs/names/cwd.c ---- */

long sys_chdir(const char __user *name);
long sys_umask(unsigned int mask);
long sys_fchdir(int fd);
long sys_acct(const char __user *name);
long sys_chroot(const char __user *name);
long sys_getcwd(char __user *user_buf, size_t size);

/* ---- fs/names/namespace.c ---- */

long sys_link(const char __user *old, const char __user *name);
long sys_unlink(const char __user *name);
long sys_mknod(const char __user *name, unsigned int mode, unsigned int dev);
long sys_mkdir(const char __user *name, unsigned int mode);
long sys_rmdir(const char __user *name);
long sys_symlink(const char __user *target, const char __user *name);
long sys_readlink(const char __user *name, char __user *result, int size);
long sys_mkdirat(int dirfd, const char __user *name, unsigned int mode);
long sys_mknodat(int dirfd, const char __user *name, unsigned int mode, unsigned int dev);
long sys_unlinkat(int dirfd, const char __user *name, unsigned int flags);
long sys_linkat(int old_dirfd, const char __user *old_name, int new_dirfd,
		const char __user *new_name, unsigned int flags);
long sys_symlinkat(const char __user *user_target, int dirfd, const char __user *name);
long sys_readlinkat(int dirfd, const char __user *name, char __user *result, int size);

/* ---- fs/names/rename.c ---- */

long sys_renameat2(int old_dirfd, const char __user *old_name, int new_dirfd,
		   const char __user *new_name, unsigned int flags);
long sys_rename(const char __user *old, const char __user *name);
long sys_renameat(int old_dirfd, const char __user *old_name, int new_dirfd,
		  const char __user *new_name);

/* ---- fs/names/super.c ---- */

long sys_sysfs(int option, unsigned long first, unsigned long second);

/* ---- fs/names/xattr.c ---- */

long sys_setxattr(const char __user *path, const char __user *name, void __user *value, size_t size,
		  unsigned int flags);
long sys_lsetxattr(const char __user *path, const char __user *name, void __user *value,
		   size_t size, unsigned int flags);
long sys_fsetxattr(int fd, const char __user *name, void __user *value, size_t size,
		   unsigned int flags);
long sys_getxattr(const char __user *path, const char __user *name, void __user *value,
		  size_t size);
long sys_lgetxattr(const char __user *path, const char __user *name, void __user *value,
		   size_t size);
long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size);
long sys_listxattr(const char __user *path, void __user *list, size_t size);
long sys_llistxattr(const char __user *path, void __user *list, size_t size);
long sys_flistxattr(int fd, void __user *list, size_t size);
long sys_removexattr(const char __user *path, const char __user *name);
long sys_lremovexattr(const char __user *path, const char __user *name);
long sys_fremovexattr(int fd, const char __user *name);

/* ---- fs/pipe/open.c ---- */

long sys_pipe(int32_t __user *fds);
long sys_pipe2(int32_t __user *fds, unsigned int flags);

/* ---- fs/events/eventfd.c ---- */

long sys_eventfd(unsigned int initial);
long sys_eventfd2(unsigned int initial, unsigned int flags);

/* ---- fs/events/epoll_calls.c ---- */

struct epoll_event;
long sys_epoll_create(int size);
long sys_epoll_create1(unsigned int flags);
long sys_epoll_ctl(int epfd, unsigned int op, int fd, const struct epoll_event __user *event);
long sys_epoll_wait(int epfd, struct epoll_event __user *events, int max, int milliseconds);
long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int max, int milliseconds,
		     const sigmask_t __user *mask, size_t mask_size);
long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int max,
		      const void __user *timeout, const sigmask_t __user *mask, size_t mask_size);

/* ---- fs/events/inotify.c ---- */

long sys_inotify_init(void);
long sys_inotify_init1(unsigned int flags);
long sys_inotify_add_watch(int fd, const char __user *name, uint32_t mask);
long sys_inotify_rm_watch(int fd, int wd);

/* ---- fs/events/timerfd.c ---- */

long sys_timerfd_create(unsigned int clock, unsigned int flags);
long sys_timerfd_settime(int fd, unsigned int flags, const void __user *new, void __user *old);
long sys_timerfd_gettime(int fd, void __user *to);

/* ---- fs/events/signalfd.c ---- */

long sys_signalfd(int fd, const sigmask_t __user *mask, size_t size);
long sys_signalfd4(int fd, const sigmask_t __user *mask, size_t size, unsigned int flags);

/* ---- fs/splice/copy_range.c ---- */

long sys_copy_file_range(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out,
			 size_t len, unsigned int flags);

/* ---- fs/splice/sendfile.c ---- */

long sys_sendfile(int fd_out, int fd_in, int32_t __user *offset, size_t count);
long sys_sendfile64(int fd_out, int fd_in, int64_t __user *offset, size_t count);

/* ---- fs/splice/splice.c ---- */

long sys_splice(int fd_in, int64_t __user *off_in, int fd_out, int64_t __user *off_out, size_t len,
		unsigned int flags);

/* ---- fs/splice/tee.c ---- */

long sys_tee(int fd_in, int fd_out, size_t len, unsigned int flags);

/* ---- fs/splice/vmsplice.c ---- */

long sys_vmsplice(int number, const struct iovec __user *segments, size_t nr, unsigned int flags);

/* ---- kernel/cpu/ports.c ---- */

long sys_ioperm(unsigned long from, unsigned long nr, int on);
long sys_iopl(unsigned int level);

/* ---- kernel/cpu/reboot.c ---- */

long sys_reboot(unsigned long magic, unsigned long magic2, unsigned long command);

/* ---- kernel/process/clock_adjust.c ---- */

long sys_adjtimex(void __user *user);
long sys_clock_adjtime(int clock, void __user *user);

/* ---- kernel/process/clock_set.c ---- */

long sys_settimeofday(const void __user *tv, const void __user *tz);
long sys_stime(const void __user *from);
long sys_clock_settime(int clock, const void __user *from);

/* ---- kernel/process/exec.c ---- */

long sys_execveat(int dirfd, const char __user *user_name, const void __user *argv,
		  const void __user *envp, unsigned int flags);
long sys_execve(const char __user *user_path, const void __user *argv, const void __user *envp);

/* ---- kernel/process/capability.c ---- */

long sys_capget(uint32_t __user *header, void __user *data);
long sys_capset(uint32_t __user *header, const void __user *data);

/* ---- kernel/process/exit.c ---- */

long sys_exit(unsigned long code);
long sys_exit_group(unsigned long code);

/* ---- kernel/process/fork.c ---- */

long sys_fork(void);
long sys_clone(unsigned int flags, uint32_t stack, void __user *parent_tid, void __user *tls,
	       void __user *child_tid);
long sys_vfork(void);
long sys_clone3(const void __user *from, size_t size);

/* ---- kernel/process/futex.c ---- */

long sys_futex(unsigned long address, unsigned int op, uint32_t value, unsigned long fourth,
	       unsigned long address2, uint32_t bits);

/* ---- fs/proc/kcmp.c ---- */

long sys_kcmp(int first, int second, unsigned int type, unsigned int fd1, unsigned int fd2);

/* ---- fs/proc/pidfd.c ---- */

long sys_pidfd_open(int pid, unsigned int flags);
long sys_pidfd_send_signal(unsigned int number, unsigned int signo, const void __user *from,
			   unsigned int flags);
long sys_pidfd_getfd(unsigned int number, unsigned int target, unsigned int flags);

/* ---- kernel/process/io_priority.c ---- */

long sys_ioprio_set(unsigned int which, unsigned int who, unsigned int priority);
long sys_ioprio_get(unsigned int which, unsigned int who);

/* ---- kernel/process/membarrier.c ---- */

long sys_membarrier(unsigned int command, unsigned int flags, int cpu);

/* ---- kernel/process/futex_waitv.c ---- */

long sys_futex_waitv(const void __user *waiters, unsigned int nr, unsigned int flags,
		     const void __user *timeout, int clock);

/* ---- kernel/process/unshare.c ---- */

long sys_unshare(unsigned int what);

/* ---- kernel/process/futex_exit.c ---- */

long sys_set_robust_list(void __user *head, size_t size);
long sys_get_robust_list(int tid, void __user *head, void __user *size);

/* ---- kernel/process/ids.c ---- */

long sys_getpid(void);
long sys_getppid(void);
long sys_getuid32(void);
long sys_getgid32(void);
long sys_geteuid32(void);
long sys_getegid32(void);
long sys_getgroups(int room, void __user *to);
long sys_setgroups(unsigned int nr, const void __user *from);
long sys_setresuid(uint32_t uid, uint32_t euid, uint32_t suid);
long sys_setresgid(uint32_t gid, uint32_t egid, uint32_t sgid);
long sys_setuid(uint32_t uid);
long sys_setgid(uint32_t gid);
long sys_setreuid(uint32_t uid, uint32_t euid);
long sys_setregid(uint32_t gid, uint32_t egid);
long sys_setfsuid(uint32_t uid);
long sys_setfsgid(uint32_t gid);
long sys_getresuid(void __user *uid, void __user *euid, void __user *suid);
long sys_getresgid(void __user *gid, void __user *egid, void __user *sgid);
long sys_gettid(void);
long sys_set_tid_address(void __user *address);

/* ---- kernel/process/ids16.c ---- */

long sys_getuid(void);
long sys_getgid(void);
long sys_geteuid(void);
long sys_getegid(void);
long sys_setuid16(uint16_t uid);
long sys_setgid16(uint16_t gid);
long sys_setreuid16(uint16_t uid, uint16_t euid);
long sys_setregid16(uint16_t gid, uint16_t egid);
long sys_setresuid16(uint16_t uid, uint16_t euid, uint16_t suid);
long sys_setresgid16(uint16_t gid, uint16_t egid, uint16_t sgid);
long sys_setfsuid16(uint16_t uid);
long sys_setfsgid16(uint16_t gid);
long sys_getresuid16(void __user *uid, void __user *euid, void __user *suid);
long sys_getresgid16(void __user *gid, void __user *egid, void __user *sgid);
long sys_getgroups16(int room, void __user *to);
long sys_setgroups16(unsigned int nr, const void __user *from);

/* ---- kernel/process/jobs.c ---- */

long sys_setpgid(int pid, int pgid);
long sys_getpgrp(void);
long sys_setsid(void);
long sys_getpgid(unsigned long pid);
long sys_getsid(unsigned long pid);

/* ---- kernel/process/limits.c ---- */

long sys_setrlimit(unsigned int resource, const void __user *from);
long sys_getrlimit(unsigned int resource, void __user *to);
long sys_ugetrlimit(unsigned int resource, void __user *to);
long sys_prlimit64(unsigned int pid, unsigned int resource, const void __user *from,
		   void __user *to);

/* ---- kernel/process/personality.c ---- */

long sys_personality(uint32_t wanted);

/* ---- kernel/process/priority.c ---- */

long sys_nice(int increment);
long sys_getpriority(unsigned int which, unsigned int who);
long sys_setpriority(unsigned int which, unsigned int who, int nice);
long sys_sched_setparam(int tid, const void __user *param);
long sys_sched_getparam(int tid, void __user *to);
long sys_sched_setscheduler(int tid, int policy, const void __user *param);
long sys_sched_setattr(int tid, void __user *from, unsigned int flags);
long sys_sched_getattr(int tid, void __user *to, unsigned int size, unsigned int flags);
long sys_sched_getscheduler(int tid);
long sys_sched_yield(void);
long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_min(int policy);
long sys_sched_rr_get_interval(int tid, void __user *to);
long sys_sched_setaffinity(int tid, unsigned int size, const void __user *from);
long sys_sched_getaffinity(int tid, unsigned int size, void __user *to);
long sys_getcpu(void __user *cpu, void __user *node);

/* ---- kernel/process/prctl.c ---- */

long sys_prctl(unsigned long option, unsigned long argument, unsigned long third,
	       unsigned long fourth, unsigned long fifth);

/* ---- kernel/process/sleep.c ---- */

long sys_restart_syscall(void);
long sys_nanosleep(const void __user *from, void __user *rest);
long sys_clock_nanosleep(int clock, unsigned int flags, const void __user *from, void __user *rest);

/* ---- kernel/process/sysinfo.c ---- */

long sys_sysinfo(void __user *buf);

/* ---- kernel/process/syslog.c ---- */

long sys_syslog(int action, char __user *buf, int len);
/* Returns the position in the log, as log_read() counts, of the last clearing. Never sleeps. */
unsigned int syslog_cleared(void);

/* ---- kernel/process/timecalls.c ---- */

long sys_gettimeofday(void __user *tv, void __user *tz);
long sys_time(void __user *to);
long sys_clock_getres(int clock, void __user *to);
long sys_clock_gettime(int clock, void __user *to);

/* ---- kernel/process/tls.c ---- */

long sys_set_thread_area(void __user *address);
long sys_get_thread_area(void __user *address);

/* ---- kernel/process/ptrace.c ---- */

long sys_ptrace(long request, long pid, unsigned long address, unsigned long data);

/* ---- kernel/process/process_vm.c ---- */

long sys_process_vm_readv(int pid, const struct iovec __user *own, unsigned int nr_own,
			  const struct iovec __user *other, unsigned int nr_other,
			  unsigned long flags);
long sys_process_vm_writev(int pid, const struct iovec __user *own, unsigned int nr_own,
			   const struct iovec __user *other, unsigned int nr_other,
			   unsigned long flags);
long sys_process_madvise(unsigned int pidfd, const struct iovec __user *ranges, unsigned int nr,
			 int advice, unsigned int flags);

/* ---- kernel/process/uname.c ---- */

long sys_uname(void __user *buf);
long sys_olduname(void __user *buf);
long sys_oldolduname(void __user *buf);
long sys_sethostname(const char __user *name, int len);
long sys_setdomainname(const char __user *name, int len);

/* ---- kernel/process/usage.c ---- */

long sys_times(void __user *to);
long sys_getrusage(int who, void __user *to);

/* ---- kernel/process/wait4.c ---- */

long sys_waitid(unsigned int which, int id, void __user *to, unsigned int options,
		void __user *rusage);
long sys_waitpid(int pid, void __user *status, unsigned int options);
long sys_wait4(int pid, void __user *status, unsigned int options, void __user *rusage);

/* ---- kernel/signals/alarm.c ---- */

long sys_alarm(unsigned int seconds);
long sys_getitimer(unsigned int which, void __user *to);
long sys_setitimer(unsigned int which, const void __user *from, void __user *to);

/* ---- kernel/signals/altstack.c ---- */

long sys_sigaltstack(const void __user *from, void __user *to);

/* ---- kernel/signals/calls.c ---- */

long sys_pause(void);
long sys_kill(int pid, unsigned int signo);
long sys_rt_sigaction(unsigned int signo, const void __user *from, void __user *to, size_t size);
long sys_rt_sigprocmask(unsigned int how, const void __user *from, void __user *to, size_t size);
long sys_rt_sigpending(void __user *to, size_t size);
long sys_rt_sigsuspend(const void __user *from, size_t size);
long sys_tkill(int tid, unsigned int signo);
long sys_tgkill(int tgid, int tid, unsigned int signo);

/* ---- kernel/signals/frame.c ---- */

long sys_sigreturn(void);
long sys_rt_sigreturn(void);

/* ---- kernel/signals/old_calls.c ---- */

long sys_sigaction(unsigned int signo, const void __user *from, void __user *to);
long sys_signal(unsigned int signo, uint32_t handler);
long sys_sgetmask(void);
long sys_ssetmask(uint32_t mask);
long sys_sigprocmask(unsigned int how, const void __user *from, void __user *to);
long sys_sigpending(void __user *to);
long sys_sigsuspend(long first, long second, uint32_t mask);

/* ---- kernel/signals/queue_calls.c ---- */

long sys_rt_sigqueueinfo(int pid, unsigned int signo, const void __user *from);
long sys_rt_tgsigqueueinfo(int tgid, int tid, unsigned int signo, const void __user *from);
long sys_rt_sigtimedwait(const void __user *from, void __user *to, const void __user *timeout,
			 size_t size);

/* ---- kernel/signals/timer_calls.c ---- */

long sys_timer_create(int clock, const void __user *from, void __user *to);
long sys_timer_delete(int id);
long sys_timer_settime(int id, unsigned int options, const void __user *from, void __user *to);
long sys_timer_gettime(int id, void __user *to);
long sys_timer_getoverrun(int id);

/* ---- kernel/random.c ---- */

long sys_getrandom(void __user *buf, size_t n, unsigned int flags);

/* ---- mm/vm/advice.c ---- */

long sys_madvise(uintptr_t start, size_t len, int advice);
long sys_msync(uintptr_t start, size_t len, unsigned int flags);
long sys_mincore(uintptr_t start, size_t len, char __user *result);

/* ---- mm/vm/mlock.c ---- */

long sys_mlock(uintptr_t start, size_t len);
long sys_mlock2(uintptr_t start, size_t len, unsigned int flags);
long sys_munlock(uintptr_t start, size_t len);
long sys_mlockall(unsigned int flags);
long sys_munlockall(void);

/* ---- mm/vm/mmap.c ---- */

long sys_brk(uintptr_t to);
long sys_old_mmap(const uint32_t __user *arguments);
long sys_munmap(uintptr_t start, size_t len);
long sys_remap_file_pages(uintptr_t start, size_t len, unsigned int prot, uint32_t page_offset,
			  unsigned int flags);
long sys_mprotect(uintptr_t start, size_t len, unsigned int prot);
long sys_mmap2(uintptr_t hint, size_t len, unsigned int prot, unsigned int flags, int fd,
	       uint32_t page_offset);

/* ---- mm/vm/mremap.c ---- */

long sys_mremap(uintptr_t start, size_t old_len, size_t new_len, unsigned int flags, uintptr_t to);

/* ---- drivers/tty/job.c ---- */

long sys_vhangup(void);

/* ---- kernel/ipc ---- */

long sys_ipc(unsigned int word, int first, unsigned long second, unsigned long third,
	     void __user *pointer, long fifth);
long sys_shmget(int32_t key, size_t size, unsigned int flags);
long sys_shmat(int id, uintptr_t at, unsigned int flags);
long sys_shmdt(uintptr_t at);
long sys_shmctl(int id, int command, void __user *argument);
long sys_semget(int32_t key, int nr, unsigned int flags);
long sys_semctl(int id, int number, int command, unsigned long argument);
long sys_semtimedop_time64(int id, const void __user *ops, unsigned int nr,
			   const void __user *timeout);
long sys_msgget(int32_t key, unsigned int flags);
long sys_msgsnd(int id, const void __user *from, size_t len, unsigned int flags);
long sys_msgrcv(int id, void __user *to, size_t max_len, int32_t type, unsigned int flags);
long sys_msgctl(int id, int command, void __user *argument);
long sys_mq_open(const char __user *user_name, unsigned int flags, unsigned int mode,
		 const void __user *user_attr);
long sys_mq_unlink(const char __user *user_name);
long sys_mq_timedsend(unsigned int number, const void __user *text, size_t len,
		      unsigned int priority, const void __user *timeout);
long sys_mq_timedreceive(unsigned int number, void __user *text, size_t len, void __user *priority,
			 const void __user *timeout);
long sys_mq_notify(unsigned int number, const void __user *event);
long sys_mq_getsetattr(unsigned int number, const void __user *new_attr, void __user *old_attr);

/* ---- net/calls.c ---- */

long sys_socketcall(unsigned int call, const void __user *from);
long sys_socket(int family, int type, int protocol);
long sys_socketpair(int family, int type, int protocol, int32_t __user *fds);
long sys_bind(int number, const void __user *address, unsigned int len);
long sys_connect(int number, const void __user *address, unsigned int len);
long sys_listen(int number, unsigned int backlog);
long sys_accept4(int number, void __user *address, int32_t __user *len, unsigned int flags);
long sys_getsockopt(int number, int level, unsigned int option, void __user *to,
		    uint32_t __user *len);
long sys_setsockopt(int number, int level, unsigned int option, const void __user *from,
		    uint32_t len);
long sys_getsockname(int number, void __user *address, int32_t __user *len);
long sys_getpeername(int number, void __user *address, int32_t __user *len);
long sys_sendto(int number, void __user *base, size_t len, unsigned int flags,
		const void __user *address, unsigned int address_len);
long sys_sendmsg(int number, const void __user *user, unsigned int flags);
long sys_recvfrom(int number, void __user *base, size_t len, unsigned int flags,
		  void __user *address, int32_t __user *address_len);
long sys_recvmsg(int number, void __user *user, unsigned int flags);
long sys_recvmmsg(int number, void __user *messages, unsigned int nr, unsigned int flags,
		  void __user *timeout);
long sys_sendmmsg(int number, void __user *messages, unsigned int nr, unsigned int flags);
long sys_shutdown(int number, unsigned int how);

/* ---- fs/tmpfs/memfd.c ---- */

long sys_memfd_create(const char __user *name, unsigned int flags);

#endif
