/*
 * The ids of a process: its numbers, its users and groups.
 *
 * 1. Credentials belong to the process with all its threads. Only its own calls change them. Other
 *    processes may read them without a lock; they never see half of a number.
 * 2. Each call works out the new credentials, checks that they are allowed, and then sets them all
 *    at once. kernel/process/capability.c has the rules for capabilities.
 * 3. The ids for files follow the effective ones, until setfsuid(2) or setfsgid(2) changes them.
 */
#include "kernel/capability.h"
#include "kernel/process/credentials.h"
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

/* ---- changing them ---- */

static bool is_one_of(uint32_t id, const uint32_t *allowed, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (id == allowed[i])
			return true;
	return id == ID_NONE;
}

static long not_own(void)
{
	return refuse(EPERM, "not one of the process's own ids");
}

static uint32_t choose(uint32_t wanted, uint32_t old)
{
	return wanted == ID_NONE ? old : wanted;
}

static long set_users(struct credentials *new)
{
	new->fsuid = new->euid;
	credentials_fix_capabilities(new, cred());
	credentials_set(new);
	return 0;
}

static long set_groups_ids(struct credentials *new)
{
	new->fsgid = new->egid;
	credentials_set(new);
	return 0;
}

long sys_setresuid(uint32_t uid, uint32_t euid, uint32_t suid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.uid, new.euid, new.suid };

	if (!capable(CAP_SETUID) &&
	    !(is_one_of(uid, ids, 3) && is_one_of(euid, ids, 3) && is_one_of(suid, ids, 3)))
		return not_own();
	new.uid = choose(uid, ids[0]);
	new.euid = choose(euid, ids[1]);
	new.suid = choose(suid, ids[2]);
	return set_users(&new);
}

long sys_setresgid(uint32_t gid, uint32_t egid, uint32_t sgid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.gid, new.egid, new.sgid };

	if (!capable(CAP_SETGID) &&
	    !(is_one_of(gid, ids, 3) && is_one_of(egid, ids, 3) && is_one_of(sgid, ids, 3)))
		return not_own();
	new.gid = choose(gid, ids[0]);
	new.egid = choose(egid, ids[1]);
	new.sgid = choose(sgid, ids[2]);
	return set_groups_ids(&new);
}

/* The saved id follows the effective one, unless the call only switches back to the real one. */
long sys_setreuid(uint32_t uid, uint32_t euid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.uid, new.euid, new.suid };

	if (!capable(CAP_SETUID) && !(is_one_of(uid, ids, 2) && is_one_of(euid, ids, 3)))
		return not_own();
	new.uid = choose(uid, ids[0]);
	new.euid = choose(euid, ids[1]);
	if (uid != ID_NONE || (euid != ID_NONE && euid != ids[0]))
		new.suid = new.euid;
	return set_users(&new);
}

long sys_setregid(uint32_t gid, uint32_t egid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.gid, new.egid, new.sgid };

	if (!capable(CAP_SETGID) && !(is_one_of(gid, ids, 2) && is_one_of(egid, ids, 3)))
		return not_own();
	new.gid = choose(gid, ids[0]);
	new.egid = choose(egid, ids[1]);
	if (gid != ID_NONE || (egid != ID_NONE && egid != ids[0]))
		new.sgid = new.egid;
	return set_groups_ids(&new);
}

/*
 * With the capability, all three ids change for good. Others switch between their real and saved
 * id.
 */
long sys_setuid(uint32_t uid)
{
	struct credentials new = *cred();

	if (uid == ID_NONE)
		return refuse(EINVAL, "no user can have that number");
	if (capable(CAP_SETUID))
		new.uid = new.suid = uid;
	else if (uid != new.uid && uid != new.suid)
		return not_own();
	new.euid = uid;
	return set_users(&new);
}

long sys_setgid(uint32_t gid)
{
	struct credentials new = *cred();

	if (gid == ID_NONE)
		return refuse(EINVAL, "no group can have that number");
	if (capable(CAP_SETGID))
		new.gid = new.sgid = gid;
	else if (gid != new.gid && gid != new.sgid)
		return not_own();
	new.egid = gid;
	return set_groups_ids(&new);
}

/* These two return the old id, and never an error. */
long sys_setfsuid(uint32_t uid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.uid, new.euid, new.suid, new.fsuid };

	if (uid != ID_NONE && (capable(CAP_SETUID) || is_one_of(uid, ids, 4))) {
		new.fsuid = uid;
		credentials_fix_capabilities(&new, cred());
		credentials_set(&new);
	}
	return ids[3];
}

long sys_setfsgid(uint32_t gid)
{
	struct credentials new = *cred();
	const uint32_t ids[] = { new.gid, new.egid, new.sgid, new.fsgid };

	if (gid != ID_NONE && (capable(CAP_SETGID) || is_one_of(gid, ids, 4))) {
		new.fsgid = gid;
		credentials_set(&new);
	}
	return ids[3];
}

static long put_three(const uint32_t ids[3], void __user *const to[3])
{
	for (unsigned int i = 0; i < 3; i++)
		if (put_user_u32(ids[i], to[i]) < 0)
			return -EFAULT;
	return 0;
}

long sys_getresuid(void __user *uid, void __user *euid, void __user *suid)
{
	return put_three((uint32_t[]){ cred()->uid, cred()->euid, cred()->suid },
			 (void __user *[]){ uid, euid, suid });
}

long sys_getresgid(void __user *gid, void __user *egid, void __user *sgid)
{
	return put_three((uint32_t[]){ cred()->gid, cred()->egid, cred()->sgid },
			 (void __user *[]){ gid, egid, sgid });
}

/* ---- groups ---- */

long sys_getgroups(int room, void __user *to)
{
	struct credentials *c = cred();

	if (room < 0)
		return refuse(EINVAL, "a negative number of groups");
	if (room == 0)
		return c->nr_groups;
	if (room < (int)c->nr_groups)
		return refuse(EINVAL, "the array is too small for the groups");
	if (copy_to_user(to, c->groups, c->nr_groups * sizeof(c->groups[0])) < 0)
		return -EFAULT;
	return c->nr_groups;
}

long groups_set(unsigned int nr, const uint32_t *groups)
{
	struct credentials *c = cred();

	memcpy(c->groups, groups, nr * sizeof(groups[0]));
	c->nr_groups = nr;
	return 0;
}

long groups_check(unsigned int nr)
{
	if (!capable(CAP_SETGID))
		return refuse(EPERM, "only root may set groups");
	return nr > NR_GROUPS ? refuse(EINVAL, "more than 32 groups") : 0;
}

long sys_setgroups(unsigned int nr, const void __user *from)
{
	uint32_t groups[NR_GROUPS];
	long error = groups_check(nr);

	if (error)
		return error;
	if (copy_from_user(groups, from, nr * sizeof(groups[0])) < 0)
		return -EFAULT;
	for (unsigned int i = 0; i < nr; i++)
		if (groups[i] == ID_NONE)
			return refuse(EINVAL, "no group can have that number");
	return groups_set(nr, groups);
}
