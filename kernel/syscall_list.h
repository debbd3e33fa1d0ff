/*
 * The system calls: number, name, function, arguments for trace=syscalls (d signed, u unsigned, x hex, p pointer,
 * s string, f descriptor, o octal). No include guard: included where SYSCALL() is defined.
 */
SYSCALL(74, sethostname, sys_sethostname, "su")
SYSCALL(103, syslog, sys_syslog, "dpd")
SYSCALL(116, sysinfo, sys_sysinfo, "p")
SYSCALL(121, setdomainname, sys_setdomainname, "su")
SYSCALL(122, uname, sys_uname, "p")
SYSCALL(355, getrandom, sys_getrandom, "pux")
