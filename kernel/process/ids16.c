/*
 * The older calls about users and groups, with ids of 16 bits. A larger id is reported as
 * OVERFLOW_ID. The largest number of 16 bits means "no id", as the largest of 32 bits does in the
 * newer calls.
 */
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

static uint32_t widen(uint16_t id)
{
	return id == UINT16_MAX ? UINT32_MAX : id;
}

static const struct credentials *cred(void)
{
	return &current->process->cred;
}

long sys_getuid(void)
{
	return id_narrow(cred()->uid);
}
long sys_getgid(void)
{
	return id_narrow(cred()->gid);
}
long sys_geteuid(void)
{
	return id_narrow(cred()->euid);
}
long sys_getegid(void)
{
	return id_narrow(cred()->egid);
}

long sys_setuid16(uint16_t uid)
{
	return sys_setuid(widen(uid));
}
long sys_setgid16(uint16_t gid)
{
	return sys_setgid(widen(gid));
}
long sys_setreuid16(uint16_t uid, uint16_t euid)
{
	return sys_setreuid(widen(uid), widen(euid));
}
long sys_setregid16(uint16_t gid, uint16_t egid)
{
	return sys_setregid(widen(gid), widen(egid));
}
long sys_setresuid16(uint16_t uid, uint16_t euid, uint16_t suid)
{
	return sys_setresuid(widen(uid), widen(euid), widen(suid));
}
long sys_setresgid16(uint16_t gid, uint16_t egid, uint16_t sgid)
{
	return sys_setresgid(widen(gid), widen(egid), widen(sgid));
}
long sys_setfsuid16(uint16_t uid)
{
	return id_narrow(sys_setfsuid(widen(uid)));
}
long sys_setfsgid16(uint16_t gid)
{
	return id_narrow(sys_setfsgid(widen(gid)));
}

static long put_three(const uint32_t ids[3], void __user *const to[3])
{
	for (unsigned int i = 0; i < 3; i++) {
		uint16_t id = id_narrow(ids[i]);

		if (copy_to_user(to[i], &id, sizeof(id)) < 0)
			return -EFAULT;
	}
	return 0;
}

long sys_getresuid16(void __user *uid, void __user *euid, void __user *suid)
{
	return put_three((uint32_t[]){ cred()->uid, cred()->euid, cred()->suid },
			 (void __user *[]){ uid, euid, suid });
}

long sys_getresgid16(void __user *gid, void __user *egid, void __user *sgid)
{
	return put_three((uint32_t[]){ cred()->gid, cred()->egid, cred()->sgid },
			 (void __user *[]){ gid, egid, sgid });
}

long sys_getgroups16(int room, void __user *to)
{
	uint16_t groups[NR_GROUPS];
	unsigned int nr = cred()->nr_groups;

	if (room < 0 || (room > 0 && (unsigned int)room < nr))
		return refuse(EINVAL, "the array is too small for the groups");
	for (unsigned int i = 0; i < nr; i++)
		groups[i] = id_narrow(cred()->groups[i]);
	if (room && copy_to_user(to, groups, nr * sizeof(groups[0])) < 0)
		return -EFAULT;
	return nr;
}

long sys_setgroups16(unsigned int nr, const void __user *from)
{
	uint16_t narrow_groups[NR_GROUPS];
	uint32_t groups[NR_GROUPS];
	long error = groups_check(nr);

	if (error)
		return error;
	if (copy_from_user(narrow_groups, from, nr * sizeof(narrow_groups[0])) < 0)
		return -EFAULT;
	for (unsigned int i = 0; i < nr; i++) {
		groups[i] = widen(narrow_groups[i]);
		if (groups[i] == UINT32_MAX)
			return refuse(EINVAL, "no group can have that number");
	}
	return groups_set(nr, groups);
}
