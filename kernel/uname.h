/*
 * What the kernel calls itself: uname(2), /proc/version, /proc/sys/kernel.
 */
#ifndef KERNEL_UNAME_H
#define KERNEL_UNAME_H

#define UTS_FIELD   65	    /* bytes of a field of struct new_utsname, with its NUL */
#define UTS_SYSNAME "Linux" /* whose system calls these are */
#define UTS_RELEASE "6.8.0-sluice"
#define UTS_VERSION "#1 SMP"
#define UTS_MACHINE "i686"

/* The host's name, into buf (UTS_FIELD bytes). */
void hostname_get(char *buf);
/* 0, or -EINVAL if it does not fit. len bytes of name need not end in a NUL. */
int hostname_set(const char *name, unsigned int len);

#endif
