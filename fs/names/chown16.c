/*
 * The older calls that change a file's owner, with ids of 16 bits. See kernel/process/ids16.c.
 */
#include "kernel/syscalls.h"

static uint32_t widen(uint16_t id)
{
	return id == UINT16_MAX ? UINT32_MAX : id;
}

long sys_chown16(const char __user *name, uint16_t uid, uint16_t gid)
{
	return sys_chown32(name, widen(uid), widen(gid));
}
long sys_lchown16(const char __user *name, uint16_t uid, uint16_t gid)
{
	return sys_lchown32(name, widen(uid), widen(gid));
}
long sys_fchown16(int fd, uint16_t uid, uint16_t gid)
{
	return sys_fchown32(fd, widen(uid), widen(gid));
}
