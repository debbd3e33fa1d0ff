/*
 * The names that uname(2), /proc/version and /proc/sys/kernel report.
 */
#ifndef KERNEL_PROCESS_UNAME_H
#define KERNEL_PROCESS_UNAME_H

#define UTS_FIELD    65	     /* bytes of a field of struct new_utsname, with its NUL */
#define UTS_SYSNAME  "Linux" /* the system calls are those of Linux */
#define UTS_NODENAME "sluice"
#define UTS_RELEASE  "6.8.0-sluice"
#define UTS_VERSION  "#1 SMP"
#define UTS_MACHINE  "i686"

#endif
