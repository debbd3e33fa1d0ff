/*
 * The system calls: number, name, function, arguments for trace=syscalls (d signed, u unsigned, x hex, p pointer,
 * s string, f descriptor, o octal). No include guard: included where SYSCALL() is defined.
 */
