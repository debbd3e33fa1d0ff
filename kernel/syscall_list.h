/*
 * The system calls: number, name, function, arguments for trace=syscalls (d signed, u unsigned, x hex, p pointer,
 * s string, f descriptor, o octal). No include guard: included where SYSCALL() is defined.
 */
SYSCALL(42, pipe, sys_pipe, "p")
SYSCALL(74, sethostname, sys_sethostname, "su")
SYSCALL(82, select, sys_old_select, "p")
SYSCALL(103, syslog, sys_syslog, "dpd")
SYSCALL(116, sysinfo, sys_sysinfo, "p")
SYSCALL(121, setdomainname, sys_setdomainname, "su")
SYSCALL(122, uname, sys_uname, "p")
SYSCALL(142, _newselect, sys_select, "dpppp")
SYSCALL(168, poll, sys_poll, "pud")
SYSCALL(187, sendfile, sys_sendfile, "ffpu")
SYSCALL(239, sendfile64, sys_sendfile64, "ffpu")
SYSCALL(308, pselect6, sys_pselect6, "dppppp")
SYSCALL(309, ppoll, sys_ppoll, "puppu")
SYSCALL(313, splice, sys_splice, "fpfpux")
SYSCALL(315, tee, sys_tee, "ffux")
SYSCALL(331, pipe2, sys_pipe2, "px")
SYSCALL(355, getrandom, sys_getrandom, "pux")
SYSCALL(377, copy_file_range, sys_copy_file_range, "fpfpux")
SYSCALL(413, pselect6_time64, sys_pselect6_time64, "dppppp")
SYSCALL(414, ppoll_time64, sys_ppoll_time64, "puppu")
