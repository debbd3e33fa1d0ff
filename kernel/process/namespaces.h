/*
 * Namespaces. There is one of each kind. clone(2) and unshare(2) refuse to make others, as a Linux
 * kernel that was built without them does.
 */
#ifndef KERNEL_PROCESS_NAMESPACES_H
#define KERNEL_PROCESS_NAMESPACES_H

#define CLONE_NEWTIME	 0x00000080u /* linux/sched.h; clone(2) has a part of the exit signal there */
#define CLONE_NEWNS	 0x00020000u
#define CLONE_NEWCGROUP	 0x02000000u
#define CLONE_NEWUTS	 0x04000000u
#define CLONE_NEWIPC	 0x08000000u
#define CLONE_NEWUSER	 0x10000000u
#define CLONE_NEWPID	 0x20000000u
#define CLONE_NEWNET	 0x40000000u
#define CLONE_NAMESPACES 0x7e020000u /* all of them but CLONE_NEWTIME */

/*
 * Returns the error for flags that ask for a new namespace: -EPERM if the caller must not make one,
 * or else -EINVAL. Everybody may ask for CLONE_NEWUSER. Never sleeps.
 */
long namespace_refused(unsigned int flags);

#endif
