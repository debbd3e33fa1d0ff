/*
 * The names of the machine: uname, and the calls that change its host and domain name.
 */
#include "kernel/process/uname.h"
#include "kernel/process/personality.h"
#include "kernel/capability.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define NR_NAMES (UNAME_DOMAIN + 1)

static spinlock_t names_lock = SPINLOCK_INIT("names");
/*
 * struct new_utsname: the last field is the domain. Only the second one and that change;
 * names_lock.
 */
static char names[NR_NAMES][UTS_FIELD] = { UTS_SYSNAME, "sluice",    UTS_RELEASE,
					   UTS_VERSION, UTS_MACHINE, "(none)" };

void uname_copy(enum uname_field field, char name[UTS_FIELD])
{
	spin_lock(&names_lock);
	memcpy(name, names[field], UTS_FIELD);
	spin_unlock(&names_lock);
}

void uname_set(enum uname_field field, const char *name, size_t len)
{
	spin_lock(&names_lock);
	memset(names[field], 0, UTS_FIELD);
	memcpy(names[field], name, len);
	spin_unlock(&names_lock);
}

/* Copy all names as the current program is to see them. */
static void names_for_program(char copy[NR_NAMES][UTS_FIELD])
{
	spin_lock(&names_lock);
	memcpy(copy, names, sizeof(names));
	spin_unlock(&names_lock);
	if (current->personality & UNAME26) {
		memset(copy[UNAME_RELEASE], 0, UTS_FIELD);
		strlcpy(copy[UNAME_RELEASE], UTS_RELEASE_26, UTS_FIELD);
	}
}

long sys_uname(void __user *buf)
{
	char copy[NR_NAMES][UTS_FIELD];

	names_for_program(copy);
	return copy_to_user(buf, copy, sizeof(copy));
}

/* The form before that has no domain. */
long sys_olduname(void __user *buf)
{
	char copy[NR_NAMES][UTS_FIELD];

	names_for_program(copy);
	return copy_to_user(buf, copy, UNAME_DOMAIN * UTS_FIELD);
}

/* In the first form, names have up to eight bytes. */
long sys_oldolduname(void __user *buf)
{
	char copy[NR_NAMES][UTS_FIELD], old[UNAME_DOMAIN][9];

	names_for_program(copy);
	memset(old, 0, sizeof(old)); /* the bytes after a name go to the program, too */
	for (unsigned int i = 0; i < UNAME_DOMAIN; i++)
		strlcpy(old[i], copy[i], sizeof(old[i]));
	return copy_to_user(buf, old, sizeof(old));
}

static long set_name(enum uname_field field, const char __user *from, int len)
{
	char name[UTS_FIELD];

	if (!capable(CAP_SYS_ADMIN))
		return refuse(EPERM, "CAP_SYS_ADMIN is missing");
	if (len < 0 || len >= UTS_FIELD)
		return refuse(EINVAL, "a name has up to 64 bytes");
	if (copy_from_user(name, from, len) < 0)
		return -EFAULT;
	uname_set(field, name, len);
	return 0;
}

long sys_sethostname(const char __user *name, int len)
{
	return set_name(UNAME_HOST, name, len);
}

long sys_setdomainname(const char __user *name, int len)
{
	return set_name(UNAME_DOMAIN, name, len);
}
