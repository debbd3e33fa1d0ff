/*
 * Capabilities: the privileges of root, one by one (capabilities(7)).
 *
 * A process may do what its effective set allows. Kernel tasks may do everything. Only the
 * capabilities that this kernel asks for have a name here; the others are kept and handed on like
 * these.
 */
#ifndef KERNEL_CAPABILITY_H
#define KERNEL_CAPABILITY_H

#include "kernel/task.h"

enum {
	CAP_CHOWN = 0,
	CAP_DAC_OVERRIDE = 1,
	CAP_DAC_READ_SEARCH = 2,
	CAP_FOWNER = 3,
	CAP_FSETID = 4,
	CAP_KILL = 5,
	CAP_SETGID = 6,
	CAP_SETUID = 7,
	CAP_SETPCAP = 8,
	CAP_LINUX_IMMUTABLE = 9,
	CAP_NET_ADMIN = 12,
	CAP_NET_RAW = 13,
	CAP_IPC_LOCK = 14,
	CAP_IPC_OWNER = 15,
	CAP_SYS_RAWIO = 17,
	CAP_SYS_PTRACE = 19,
	CAP_SYS_CHROOT = 18,
	CAP_SYS_PACCT = 20,
	CAP_SYS_ADMIN = 21,
	CAP_SYS_BOOT = 22,
	CAP_SYS_NICE = 23,
	CAP_SYS_RESOURCE = 24,
	CAP_SYS_TIME = 25,
	CAP_SYS_TTY_CONFIG = 26,
	CAP_MKNOD = 27,
	CAP_SETFCAP = 31,
	CAP_LEASE = 28,
	CAP_MAC_OVERRIDE = 32,
	CAP_SYSLOG = 34,
	CAP_WAKE_ALARM = 35,
	CAP_CHECKPOINT_RESTORE = 40,
	NR_CAPABILITIES = 41,
};
#define CAP_BIT(capability) (1ull << (capability))
#define CAP_ALL		    (CAP_BIT(NR_CAPABILITIES) - 1)

/*
 * Returns true if the current task may use the capability. Then its process has used one, which
 * acct(2) tells. Never sleeps.
 */
static inline bool capable(unsigned int capability)
{
	if (!current->process)
		return true;
	if (!(current->process->cred.effective & CAP_BIT(capability)))
		return false;
	WRITE_ONCE(current->process->privileged, true);
	return true;
}

#endif
