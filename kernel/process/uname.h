/*
 * The names that uname(2), /proc/version and /proc/sys/kernel report.
 */
#ifndef KERNEL_PROCESS_UNAME_H
#define KERNEL_PROCESS_UNAME_H

#include "lib/types.h"

#define UTS_FIELD      65      /* bytes of a field of struct new_utsname, with its NUL */
#define UTS_SYSNAME    "Linux" /* the system calls are those of Linux */
#define UTS_RELEASE    "6.8.0-sluice"
#define UTS_RELEASE_26 "2.6.68-sluice" /* for a program whose personality wants a release 2.6 */
#define UTS_VERSION    "#1 SMP"
#define UTS_MACHINE    "i686"

enum uname_field { /* the fields that change, or are told differently; their places in struct new_utsname */
		   UNAME_HOST = 1,
		   UNAME_RELEASE = 2,
		   UNAME_DOMAIN = 5,
};
/* Copy a name, terminated by NUL, or set it to `len` bytes, at most UTS_FIELD - 1. Never sleep. */
void uname_copy(enum uname_field field, char name[UTS_FIELD]);
void uname_set(enum uname_field field, const char *name, size_t len);

#endif
