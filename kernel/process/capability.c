/*
 * Capabilities: how calls and exec change the sets of a process, and the calls that ask and set
 * them.
 *
 * 1. Files have no capabilities of their own here. A process gets more than it has only by running
 *    a program with the set-user-ID bit, or as root.
 * 2. The rules are those of capabilities(7) and execve(2).
 */
#include "kernel/capability.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

/* The capabilities that come and go with the user id for files. */
#define CAPABILITIES_OF_FILES                                                            \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
	 CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) |      \
	 CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

static struct credentials *own(void)
{
	return &current->process->cred;
}

static bool is_subset(uint64_t part, uint64_t whole)
{
	return (part & ~whole) == 0;
}

void credentials_set(const struct credentials *wanted)
{
	struct credentials *old = own();

	if (wanted->euid != old->euid || wanted->egid != old->egid || wanted->fsuid != old->fsuid ||
	    wanted->fsgid != old->fsgid || !is_subset(wanted->permitted, old->permitted)) {
		current->process->undumpable = true;
		current->death_signal = 0;
	}
	*old = *wanted;
}

/* The same with the ids that are to count for the caller. */
static bool may_inspect(const struct process *process, uint32_t uid, uint32_t gid)
{
	const struct credentials *other = &process->cred;

	if (!current->process || current->process == process || capable(CAP_SYS_PTRACE))
		return true;
	if (process->undumpable || process->changing ||
	    !is_subset(other->permitted, own()->permitted))
		return false;
	return uid == other->uid && uid == other->euid && uid == other->suid && gid == other->gid &&
	       gid == other->egid && gid == other->sgid;
}

bool process_may_inspect(const struct process *process)
{
	return may_inspect(process, own()->fsuid, own()->fsgid);
}

bool process_may_trace(const struct process *process)
{
	return may_inspect(process, own()->uid, own()->gid);
}

bool credentials_in_group(uint32_t group, uint32_t gid)
{
	const struct credentials *cred = own();

	if (group == gid)
		return true;
	for (unsigned int i = 0; i < cred->nr_groups; i++)
		if (cred->groups[i] == group)
			return true;
	return false;
}

/* ---- the rules ---- */

static bool has_root_id(const struct credentials *cred)
{
	return cred->uid == 0 || cred->euid == 0 || cred->suid == 0;
}

void credentials_fix_capabilities(struct credentials *new, const struct credentials *old)
{
	if (old->securebits & SECURE_NO_SETUID_FIXUP)
		return;
	if (has_root_id(old) && !has_root_id(new)) {
		if (!(old->securebits & SECURE_KEEP_CAPS))
			new->permitted = new->effective = 0;
		new->ambient = 0;
	}
	if (old->euid == 0 && new->euid != 0)
		new->effective = 0;
	if (old->euid != 0 && new->euid == 0)
		new->effective = new->permitted;
	if (old->fsuid == 0 && new->fsuid != 0)
		new->effective &= ~CAPABILITIES_OF_FILES;
	if (old->fsuid != 0 && new->fsuid == 0)
		new->effective |= new->permitted &CAPABILITIES_OF_FILES;
}

bool credentials_for_exec(struct credentials *new, const struct program_rights *rights, bool shared)
{
	const struct credentials *old = own();
	bool all_effective = false, other_id;

	*new = *old;
	if (!old->no_new_privileges) {
		if (rights->set_uid)
			new->euid = rights->uid;
		if (rights->set_gid)
			new->egid = rights->gid;
	}
	new->permitted = 0;
	if (!(old->securebits & SECURE_NOROOT) && (new->euid == 0 || new->uid == 0)) {
		new->permitted = old->bounding | old->inheritable;
		all_effective = new->euid == 0;
	}
	if (shared && (new->euid != old->uid || new->egid != old->gid ||
		       !is_subset(new->permitted, old->permitted))) {
		if (!capable(CAP_SETUID)) {
			new->euid = old->uid;
			new->egid = old->gid;
		}
		new->permitted &= old->permitted;
	}
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;
	other_id = new->euid != old->uid || new->egid != old->gid;
	if (other_id)
		new->ambient = 0;
	new->permitted |= new->ambient;
	new->effective = all_effective ? new->permitted : new->ambient;
	new->securebits &= ~SECURE_KEEP_CAPS;
	return other_id || (new->uid != 0 && !is_subset(new->permitted, new->ambient));
}

/* ---- capget and capset ---- */

/* Version 1 has one word for each set, the later versions have two. */
#define CAPABILITY_V1 0x19980330u
#define CAPABILITY_V2 0x20071026u
#define CAPABILITY_V3 0x20080522u

/*
 * Read the header: the version and the number of a thread. Returns the bytes of the data, -EFAULT,
 * or -EINVAL for an unknown version, in whose place the header then has the newest one.
 */
static long read_header(uint32_t __user *header, int *tid)
{
	uint32_t words[2];

	if (copy_from_user(words, header, sizeof(words)) < 0)
		return -EFAULT;
	*tid = words[1];
	if (words[0] == CAPABILITY_V1)
		return 3 * sizeof(uint32_t);
	if (words[0] == CAPABILITY_V2 || words[0] == CAPABILITY_V3)
		return 6 * sizeof(uint32_t);
	if (put_user_u32(CAPABILITY_V3, header) < 0)
		return -EFAULT;
	return refuse(EINVAL, "an unknown version of the capability structure");
}

long sys_capget(uint32_t __user *header, void __user *data)
{
	struct credentials cred;
	struct task *task;
	unsigned int flags;
	int tid;
	long size = read_header(header, &tid);

	if (size < 0)
		return size == -EINVAL && !data ? 0 : size;
	if (tid < 0)
		return refuse(EINVAL, "no process has that number");
	flags = spin_lock_irqsave(&tasks_lock);
	task = tid ? task_find_locked(tid) : current;
	if (task)
		cred = task->process->cred;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (!task)
		return -ESRCH;
	/* Effective, permitted, inheritable; then their upper halves. */
	const uint32_t sets[6] = { cred.effective,	 cred.permitted,
				   cred.inheritable,	 cred.effective >> 32,
				   cred.permitted >> 32, cred.inheritable >> 32 };

	return data ? copy_to_user(data, sets, size) : 0;
}

long sys_capset(uint32_t __user *header, const void __user *data)
{
	struct credentials new = *own();
	uint64_t old_permitted = new.permitted, old_inheritable = new.inheritable;
	uint32_t sets[6] = { 0 };
	int tid;
	long size = read_header(header, &tid);

	if (size < 0)
		return size;
	if (tid != 0 && tid != current->tid && tid != current->process->pid)
		return refuse(EPERM, "only for the calling process");
	if (copy_from_user(sets, data, size) < 0)
		return -EFAULT;
	new.effective = (sets[0] | (uint64_t)sets[3] << 32) & CAP_ALL;
	new.permitted = (sets[1] | (uint64_t)sets[4] << 32) & CAP_ALL;
	new.inheritable = (sets[2] | (uint64_t)sets[5] << 32) & CAP_ALL;
	if (!capable(CAP_SETPCAP) && !is_subset(new.inheritable, old_inheritable | old_permitted))
		return refuse(EPERM, "an inheritable capability that the process does not have");
	if (!is_subset(new.inheritable, old_inheritable | new.bounding))
		return refuse(EPERM, "an inheritable capability outside the bounding set");
	if (!is_subset(new.permitted, old_permitted) || !is_subset(new.effective, new.permitted))
		return refuse(EPERM, "a capability that the process does not have");
	new.ambient &= new.permitted &new.inheritable;
	credentials_set(&new);
	return 0;
}

/* ---- prctl ---- */

enum {
	PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS = 8,
	PR_CAPBSET_READ = 23,
	PR_CAPBSET_DROP = 24,
	PR_GET_SECUREBITS = 27,
	PR_SET_SECUREBITS = 28,
	PR_SET_NO_NEW_PRIVS = 38,
	PR_GET_NO_NEW_PRIVS = 39,
	PR_CAP_AMBIENT = 47,
	/* the second argument of PR_CAP_AMBIENT */
	AMBIENT_IS_SET = 1,
	AMBIENT_RAISE = 2,
	AMBIENT_LOWER = 3,
	AMBIENT_CLEAR_ALL = 4,
};

static long drop_from_bounding(unsigned long capability)
{
	if (!capable(CAP_SETPCAP))
		return refuse(EPERM, "CAP_SETPCAP is missing");
	if (capability >= NR_CAPABILITIES)
		return refuse(EINVAL, "no such capability");
	own()->bounding &= ~CAP_BIT(capability);
	return 0;
}

static long set_securebits(unsigned long wanted)
{
	unsigned int old = own()->securebits;

	if ((old & SECURE_LOCKS) >> 1 & (old ^ wanted) || old & SECURE_LOCKS & ~wanted ||
	    wanted & ~(unsigned long)(SECURE_BITS | SECURE_LOCKS) || !capable(CAP_SETPCAP))
		return refuse(EPERM, "a locked or unknown secure bit, or no CAP_SETPCAP");
	own()->securebits = wanted;
	return 0;
}

static long set_keep_capabilities(unsigned long keep)
{
	struct credentials *cred = own();

	if (keep > 1)
		return refuse(EINVAL, "0 or 1");
	if (cred->securebits & SECURE_KEEP_CAPS << 1)
		return refuse(EPERM, "the secure bit is locked");
	cred->securebits = (cred->securebits & ~SECURE_KEEP_CAPS) | (keep ? SECURE_KEEP_CAPS : 0);
	return 0;
}

static long change_ambient(const unsigned long arguments[4])
{
	unsigned long action = arguments[0], capability = arguments[1];
	struct credentials *cred = own();

	if (arguments[2] || arguments[3])
		return refuse(EINVAL, "arguments that must be 0");
	if (action == AMBIENT_CLEAR_ALL && capability == 0) {
		cred->ambient = 0;
		return 0;
	}
	if (action < AMBIENT_IS_SET || action > AMBIENT_LOWER || capability >= NR_CAPABILITIES)
		return refuse(EINVAL, "no such action or capability");
	if (action == AMBIENT_IS_SET)
		return !!(cred->ambient & CAP_BIT(capability));
	if (action == AMBIENT_RAISE) {
		if (!(cred->permitted & cred->inheritable & CAP_BIT(capability)) ||
		    cred->securebits & SECURE_NO_CAP_AMBIENT_RAISE)
			return refuse(EPERM, "not both permitted and inheritable");
		cred->ambient |= CAP_BIT(capability);
	} else {
		cred->ambient &= ~CAP_BIT(capability);
	}
	return 0;
}

static long set_no_new_privileges(const unsigned long arguments[4])
{
	if (arguments[0] != 1 || arguments[1] || arguments[2] || arguments[3])
		return refuse(EINVAL, "the arguments are 1, 0, 0, 0");
	own()->no_new_privileges = true;
	return 0;
}

long credentials_prctl(unsigned long option, const unsigned long arguments[4])
{
	switch (option) {
	case PR_GET_KEEPCAPS:
		return !!(own()->securebits & SECURE_KEEP_CAPS);
	case PR_SET_KEEPCAPS:
		return set_keep_capabilities(arguments[0]);
	case PR_CAPBSET_READ:
		if (arguments[0] >= NR_CAPABILITIES)
			return refuse(EINVAL, "no such capability");
		return !!(own()->bounding & CAP_BIT(arguments[0]));
	case PR_CAPBSET_DROP:
		return drop_from_bounding(arguments[0]);
	case PR_GET_SECUREBITS:
		return own()->securebits;
	case PR_SET_SECUREBITS:
		return set_securebits(arguments[0]);
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privileges(arguments);
	case PR_GET_NO_NEW_PRIVS:
		if (arguments[0] || arguments[1] || arguments[2] || arguments[3])
			return refuse(EINVAL, "arguments that must be 0");
		return own()->no_new_privileges;
	case PR_CAP_AMBIENT:
		return change_ambient(arguments);
	}
	return refuse(EINVAL, "a prctl option that is not supported");
}
