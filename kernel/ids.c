/*
 * Who a process is: its numbers, its users and groups, its capabilities.
 *
 * 1. Credentials belong to the process (all its threads) and are changed by its own calls only.
 *    Others that read them see each number whole.
 * 2. The old calls carry 16-bit ids: -1 there is 0xffff, and an id that does not fit is shown as
 *    65534.
 * 3. The only privilege is effective user 0: it has all capabilities, everybody else none.
 */
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/uaccess.h"

#define ID_NONE	    0xffffffffu
#define ID_OVERFLOW 65534u

static struct credentials *cred(void)
{
	return &current->process->cred;
}

static bool is_root(void)
{
	return cred()->euid == 0;
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

long sys_set_tid_address(unsigned long address)
{
	current->clear_child_tid = (void __user *)address;
	return current->tid;
}

/* ---- users and groups ---- */

static uint32_t to16(uint32_t id)
{
	return id > 0xffff ? ID_OVERFLOW : id;
}
static uint32_t from16(unsigned long id)
{
	return (uint16_t)id == 0xffff ? ID_NONE : (uint16_t)id;
}

long sys_getuid(void)
{
	return cred()->uid;
}
long sys_geteuid(void)
{
	return cred()->euid;
}
long sys_getgid(void)
{
	return cred()->gid;
}
long sys_getegid(void)
{
	return cred()->egid;
}
long sys_getuid16(void)
{
	return to16(cred()->uid);
}
long sys_geteuid16(void)
{
	return to16(cred()->euid);
}
long sys_getgid16(void)
{
	return to16(cred()->gid);
}
long sys_getegid16(void)
{
	return to16(cred()->egid);
}

static bool is_my_uid(uint32_t id)
{
	return id == cred()->uid || id == cred()->euid || id == cred()->suid;
}

static bool is_my_gid(uint32_t id)
{
	return id == cred()->gid || id == cred()->egid || id == cred()->sgid;
}

long sys_setresuid(unsigned long uid, unsigned long euid, unsigned long suid)
{
	struct credentials *c = cred();

	if (!is_root() &&
	    ((uid != ID_NONE && !is_my_uid(uid)) || (euid != ID_NONE && !is_my_uid(euid)) ||
	     (suid != ID_NONE && !is_my_uid(suid))))
		return refuse(EPERM, "not one of the process's users");
	if (uid != ID_NONE)
		c->uid = uid;
	if (suid != ID_NONE)
		c->suid = suid;
	if (euid != ID_NONE)
		c->euid = euid;
	c->fsuid = c->euid;
	return 0;
}

long sys_setresgid(unsigned long gid, unsigned long egid, unsigned long sgid)
{
	struct credentials *c = cred();

	if (!is_root() &&
	    ((gid != ID_NONE && !is_my_gid(gid)) || (egid != ID_NONE && !is_my_gid(egid)) ||
	     (sgid != ID_NONE && !is_my_gid(sgid))))
		return refuse(EPERM, "not one of the process's groups");
	if (gid != ID_NONE)
		c->gid = gid;
	if (sgid != ID_NONE)
		c->sgid = sgid;
	if (egid != ID_NONE)
		c->egid = egid;
	c->fsgid = c->egid;
	return 0;
}

/* Root becomes that user for good; another one may only move between its own. */
long sys_setuid(unsigned long uid)
{
	if (uid == ID_NONE)
		return refuse(EINVAL, "no user has that number");
	if (is_root())
		return sys_setresuid(uid, uid, uid);
	if (uid != cred()->uid && uid != cred()->suid)
		return refuse(EPERM, "not one of the process's users");
	return sys_setresuid(ID_NONE, uid, ID_NONE);
}

long sys_setgid(unsigned long gid)
{
	if (gid == ID_NONE)
		return refuse(EINVAL, "no group has that number");
	if (is_root())
		return sys_setresgid(gid, gid, gid);
	if (gid != cred()->gid && gid != cred()->sgid)
		return refuse(EPERM, "not one of the process's groups");
	return sys_setresgid(ID_NONE, gid, ID_NONE);
}

/*
 * The saved id follows when the real one is set, or the effective one to something else than the
 * real one.
 */
long sys_setreuid(unsigned long uid, unsigned long euid)
{
	struct credentials *c = cred();
	uint32_t old = c->uid;

	if (!is_root() && ((uid != ID_NONE && uid != c->uid && uid != c->euid) ||
			   (euid != ID_NONE && !is_my_uid(euid))))
		return refuse(EPERM, "not one of the process's users");
	if (uid != ID_NONE)
		c->uid = uid;
	if (euid != ID_NONE)
		c->euid = euid;
	if (uid != ID_NONE || (euid != ID_NONE && euid != old))
		c->suid = c->euid;
	c->fsuid = c->euid;
	return 0;
}

long sys_setregid(unsigned long gid, unsigned long egid)
{
	struct credentials *c = cred();
	uint32_t old = c->gid;

	if (!is_root() && ((gid != ID_NONE && gid != c->gid && gid != c->egid) ||
			   (egid != ID_NONE && !is_my_gid(egid))))
		return refuse(EPERM, "not one of the process's groups");
	if (gid != ID_NONE)
		c->gid = gid;
	if (egid != ID_NONE)
		c->egid = egid;
	if (gid != ID_NONE || (egid != ID_NONE && egid != old))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return 0;
}

/* These return the old id, whether they changed it or not. */
long sys_setfsuid(unsigned long uid)
{
	uint32_t old = cred()->fsuid;

	if (uid != ID_NONE && (is_root() || is_my_uid(uid) || uid == old))
		cred()->fsuid = uid;
	return old;
}

long sys_setfsgid(unsigned long gid)
{
	uint32_t old = cred()->fsgid;

	if (gid != ID_NONE && (is_root() || is_my_gid(gid) || gid == old))
		cred()->fsgid = gid;
	return old;
}

static long put_ids(const uint32_t ids[3], unsigned long a, unsigned long b, unsigned long c)
{
	if (put_user_u32(ids[0], (void __user *)a) < 0 ||
	    put_user_u32(ids[1], (void __user *)b) < 0 ||
	    put_user_u32(ids[2], (void __user *)c) < 0)
		return -EFAULT;
	return 0;
}

static long put_ids16(const uint32_t ids[3], unsigned long a, unsigned long b, unsigned long c)
{
	uint16_t id[3] = { to16(ids[0]), to16(ids[1]), to16(ids[2]) };

	if (copy_to_user((void __user *)a, &id[0], sizeof(id[0])) < 0 ||
	    copy_to_user((void __user *)b, &id[1], sizeof(id[1])) < 0 ||
	    copy_to_user((void __user *)c, &id[2], sizeof(id[2])) < 0)
		return -EFAULT;
	return 0;
}

long sys_getresuid(unsigned long uid, unsigned long euid, unsigned long suid)
{
	return put_ids((uint32_t[]){ cred()->uid, cred()->euid, cred()->suid }, uid, euid, suid);
}

long sys_getresgid(unsigned long gid, unsigned long egid, unsigned long sgid)
{
	return put_ids((uint32_t[]){ cred()->gid, cred()->egid, cred()->sgid }, gid, egid, sgid);
}

long sys_getresuid16(unsigned long uid, unsigned long euid, unsigned long suid)
{
	return put_ids16((uint32_t[]){ cred()->uid, cred()->euid, cred()->suid }, uid, euid, suid);
}

long sys_getresgid16(unsigned long gid, unsigned long egid, unsigned long sgid)
{
	return put_ids16((uint32_t[]){ cred()->gid, cred()->egid, cred()->sgid }, gid, egid, sgid);
}

long sys_setuid16(unsigned long uid)
{
	return sys_setuid(from16(uid));
}
long sys_setgid16(unsigned long gid)
{
	return sys_setgid(from16(gid));
}
long sys_setfsuid16(unsigned long uid)
{
	return to16(sys_setfsuid(from16(uid)));
}
long sys_setfsgid16(unsigned long gid)
{
	return to16(sys_setfsgid(from16(gid)));
}

long sys_setreuid16(unsigned long uid, unsigned long euid)
{
	return sys_setreuid(from16(uid), from16(euid));
}

long sys_setregid16(unsigned long gid, unsigned long egid)
{
	return sys_setregid(from16(gid), from16(egid));
}

long sys_setresuid16(unsigned long uid, unsigned long euid, unsigned long suid)
{
	return sys_setresuid(from16(uid), from16(euid), from16(suid));
}

long sys_setresgid16(unsigned long gid, unsigned long egid, unsigned long sgid)
{
	return sys_setresgid(from16(gid), from16(egid), from16(sgid));
}

/* ---- supplementary groups ---- */

static long get_groups(unsigned long room, unsigned long to, size_t width)
{
	struct credentials *c = cred();

	if (room == 0)
		return c->nr_groups;
	if ((int)room < 0 || room < c->nr_groups)
		return refuse(EINVAL, "the list is too short");
	for (unsigned int i = 0; i < c->nr_groups; i++) {
		uint32_t id = width == sizeof(uint16_t) ? to16(c->groups[i]) : c->groups[i];

		if (copy_to_user((char __user *)to + i * width, &id, width) < 0)
			return -EFAULT;
	}
	return c->nr_groups;
}

static long set_groups(unsigned long nr, unsigned long from, size_t width)
{
	struct credentials *c = cred();
	uint32_t groups[ARRAY_SIZE(c->groups)];

	if (!is_root())
		return refuse(EPERM, "only root sets groups");
	if (nr > ARRAY_SIZE(groups))
		return refuse(EINVAL, "more than 32 groups");
	memset(groups, 0, sizeof(groups));
	for (unsigned int i = 0; i < nr; i++)
		if (copy_from_user(&groups[i], (char __user *)from + i * width, width) < 0)
			return -EFAULT;
	memcpy(c->groups, groups, sizeof(groups));
	c->nr_groups = nr;
	return 0;
}

long sys_getgroups(unsigned long room, unsigned long to)
{
	return get_groups(room, to, sizeof(uint32_t));
}
long sys_setgroups(unsigned long nr, unsigned long from)
{
	return set_groups(nr, from, sizeof(uint32_t));
}
long sys_getgroups16(unsigned long room, unsigned long to)
{
	return get_groups(room, to, sizeof(uint16_t));
}
long sys_setgroups16(unsigned long nr, unsigned long from)
{
	return set_groups(nr, from, sizeof(uint16_t));
}

/* ---- capabilities: capget(2) ---- */

#define CAPABILITY_VERSION_1 0x19980330u /* one word a set */
#define CAPABILITY_VERSION_2 0x20071026u /* two words */
#define CAPABILITY_VERSION_3 0x20080522u
#define CAPABILITIES	     41u /* as many as Linux 6.8 has */

struct capability_header {
	uint32_t version, pid;
};
struct capability_word {
	uint32_t effective, permitted, inheritable;
};

/* The number of words a set for the header's version; else the header is told ours. */
static long capability_words(struct capability_header *header, unsigned long address)
{
	if (copy_from_user(header, (void __user *)address, sizeof(*header)) < 0)
		return -EFAULT;
	if (header->version == CAPABILITY_VERSION_1)
		return 1;
	if (header->version == CAPABILITY_VERSION_2 || header->version == CAPABILITY_VERSION_3)
		return 2;
	if (put_user_u32(CAPABILITY_VERSION_3, (void __user *)address) < 0)
		return -EFAULT;
	return refuse(EINVAL, "unknown version");
}

static void capabilities_of(uint32_t euid, struct capability_word words[2])
{
	memset(words, 0, 2 * sizeof(words[0]));
	if (euid != 0)
		return;
	words[0].effective = words[0].permitted = 0xffffffffu;
	words[1].effective = words[1].permitted = (1u << (CAPABILITIES - 32)) - 1;
}

long sys_capget(unsigned long header_address, unsigned long data)
{
	struct capability_header header;
	struct capability_word words[2];
	struct task *task;
	long nr = capability_words(&header, header_address);

	if (nr < 0)
		return nr == -EINVAL && data == 0 ? 0 : nr;
	if ((int)header.pid < 0)
		return refuse(EINVAL, "no process id");
	task = task_find(header.pid ? header.pid : current->tid);
	if (!task)
		return -ESRCH;
	capabilities_of(task->process->cred.euid, words);
	task_put(task);
	return copy_to_user((void __user *)data, words, nr * sizeof(words[0]));
}

/*
 * Capabilities go with user 0 and cannot be dropped one by one: only what is the case can be set.
 */
long sys_capset(unsigned long header_address, unsigned long data)
{
	struct capability_header header;
	struct capability_word words[2], now[2];
	long nr = capability_words(&header, header_address);

	if (nr < 0)
		return nr;
	if (header.pid != 0 && header.pid != current->tid)
		return refuse(EPERM, "only of oneself");
	capabilities_of(cred()->euid, now);
	if (copy_from_user(words, (void __user *)data, nr * sizeof(words[0])) < 0)
		return -EFAULT;
	if (memcmp(words, now, nr * sizeof(words[0])) != 0)
		return refuse(EPERM, "capabilities go with user 0, all or none");
	return 0;
}
