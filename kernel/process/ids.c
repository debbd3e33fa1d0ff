/*
 * The ids of a process: its numbers, its users and groups.
 *
 * 1. Credentials belong to the process with all its threads. Only its own calls change them. Other
 *    processes may read them without a lock; they never see half of a number.
 * 2. Effective user 0 has all privileges. Others have none.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define ID_NONE 0xffffffffu

static struct credentials *cred(void)
{
	return &current->process->cred;
}

long sys_getpid(void)
{
	return current->process->pid;
}
long sys_gettid(void)
{
	return current->tid;
}
long sys_getppid(void)
{
	return current->process->parent_pid;
}

long sys_set_tid_address(void __user *address)
{
	current->clear_child_tid = address;
	return current->tid;
}

long sys_getuid32(void)
{
	return cred()->uid;
}
long sys_getgid32(void)
{
	return cred()->gid;
}
long sys_geteuid32(void)
{
	return cred()->euid;
}
long sys_getegid32(void)
{
	return cred()->egid;
}

/* The older calls have ids of 16 bits. They report a larger id as 65534. */
static long narrow(uint32_t id)
{
	return MIN(id, UINT16_MAX - 1u);
}

long sys_getuid(void)
{
	return narrow(cred()->uid);
}
long sys_getgid(void)
{
	return narrow(cred()->gid);
}
long sys_geteuid(void)
{
	return narrow(cred()->euid);
}
long sys_getegid(void)
{
	return narrow(cred()->egid);
}

/* Set the real, effective and saved id. ID_NONE leaves an id as it is. Returns 0 or -EPERM. */
static long set_ids(uint32_t *const ids[3], const uint32_t wanted[3])
{
	const uint32_t old[3] = { *ids[0], *ids[1], *ids[2] };

	for (unsigned int i = 0; i < 3; i++)
		if (cred()->euid != 0 && wanted[i] != ID_NONE && wanted[i] != old[0] &&
		    wanted[i] != old[1] && wanted[i] != old[2])
			return refuse(EPERM, "not one of the process's own ids");
	for (unsigned int i = 0; i < 3; i++)
		if (wanted[i] != ID_NONE)
			*ids[i] = wanted[i];
	/* The new user must not read secrets that the old one left in memory. */
	if (*ids[1] != old[1])
		current->process->undumpable = true;
	return 0;
}

long sys_setresuid(uint32_t uid, uint32_t euid, uint32_t suid)
{
	struct credentials *c = cred();

	return set_ids((uint32_t *[]){ &c->uid, &c->euid, &c->suid },
		       (uint32_t[]){ uid, euid, suid });
}

long sys_setresgid(uint32_t gid, uint32_t egid, uint32_t sgid)
{
	struct credentials *c = cred();

	return set_ids((uint32_t *[]){ &c->gid, &c->egid, &c->sgid },
		       (uint32_t[]){ gid, egid, sgid });
}

/* Root changes all three ids for good. Others may switch only between their real and their saved id. */
static long become(uint32_t id, long (*set)(uint32_t, uint32_t, uint32_t))
{
	uint32_t others = cred()->euid == 0 ? id : ID_NONE;

	if (id == ID_NONE)
		return refuse(EINVAL, "no user or group can have that number");
	return set(others, id, others);
}

long sys_setuid(uint32_t uid)
{
	return become(uid, sys_setresuid);
}

long sys_setgid(uint32_t gid)
{
	return become(gid, sys_setresgid);
}

long sys_getgroups(int room, void __user *to)
{
	struct credentials *c = cred();

	if (room == 0)
		return c->nr_groups;
	if (room < (int)c->nr_groups)
		return refuse(EINVAL, "the array is too small for the groups");
	if (copy_to_user(to, c->groups, c->nr_groups * sizeof(c->groups[0])) < 0)
		return -EFAULT;
	return c->nr_groups;
}

long sys_setgroups(unsigned int nr, const void __user *from)
{
	struct credentials *c = cred();
	uint32_t groups[ARRAY_SIZE(c->groups)];

	if (c->euid != 0)
		return refuse(EPERM, "only root may set groups");
	if (nr > ARRAY_SIZE(groups))
		return refuse(EINVAL, "more than 32 groups");
	if (copy_from_user(groups, from, nr * sizeof(groups[0])) < 0)
		return -EFAULT;
	memcpy(c->groups, groups, nr * sizeof(groups[0]));
	c->nr_groups = nr;
	return 0;
}

/*
 * capget(2). Root has all capabilities, and others have none. They are not stored anywhere. Version 1 has
 * one word for each set, the later versions have two.
 */
#define CAPABILITY_V1  0x19980330u
#define CAPABILITY_V2  0x20071026u
#define CAPABILITY_V3  0x20080522u
#define CAPABILITY_ALL 0x1ffffffffffull

long sys_capget(uint32_t __user *header, void __user *data)
{
	uint64_t all = cred()->euid == 0 ? CAPABILITY_ALL : 0;
	/* Effective, permitted, inheritable; their upper halves. */
	uint32_t sets[6] = { all, all, 0, all >> 32, all >> 32, 0 }, head[2];

	if (copy_from_user(head, header, sizeof(head)))
		return -EFAULT;
	if (head[0] != CAPABILITY_V1 && head[0] != CAPABILITY_V2 && head[0] != CAPABILITY_V3) {
		if (put_user_u32(CAPABILITY_V3, header))
			return -EFAULT;
		return data ? refuse(EINVAL, "an unknown version of the capability structure") : 0;
	}
	if ((int32_t)head[1] < 0)
		return refuse(EINVAL, "no process has that number");
	if (head[1] != 0 && head[1] != current->tid)
		return refuse(EPERM, "only for the calling process");
	return data ? copy_to_user(data, sets, head[0] == CAPABILITY_V1 ? 12 : 24) : 0;
}
