/*
 * The system calls that tell about the machine as a whole: uname, sethostname, sysinfo, syslog.
 *
 * 1. host_lock guards the host's and the domain's name. It is held for a copy within the kernel
 *    only.
 * 2. Structures are those of Linux/i386.
 */
#include "kernel/uname.h"
#include "kernel/atomic.h"
#include "kernel/loadavg.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

struct new_utsname {
	char sysname[UTS_FIELD], nodename[UTS_FIELD], release[UTS_FIELD], version[UTS_FIELD],
		machine[UTS_FIELD], domainname[UTS_FIELD];
};

static spinlock_t host_lock = SPINLOCK_INIT("hostname");
static char hostname[UTS_FIELD] = "sluice";
static char domainname[UTS_FIELD] = "(none)";

static void name_get(const char *name, char *buf)
{
	spin_lock(&host_lock);
	memcpy(buf, name, UTS_FIELD);
	spin_unlock(&host_lock);
}

static int name_set(char *name, const char *value, unsigned int len)
{
	if (len >= UTS_FIELD)
		return -EINVAL;
	spin_lock(&host_lock);
	memset(name, 0, UTS_FIELD);
	memcpy(name, value, len);
	spin_unlock(&host_lock);
	return 0;
}

void hostname_get(char *buf)
{
	name_get(hostname, buf);
}

int hostname_set(const char *name, unsigned int len)
{
	return name_set(hostname, name, len);
}

long sys_uname(void __user *buf)
{
	struct new_utsname names = {
		.sysname = UTS_SYSNAME,
		.release = UTS_RELEASE,
		.version = UTS_VERSION,
		.machine = UTS_MACHINE,
	};

	name_get(hostname, names.nodename);
	name_get(domainname, names.domainname);
	return copy_to_user(buf, &names, sizeof(names));
}

static long set_name_from_user(char *name, const char __user *value, unsigned int len)
{
	char copy[UTS_FIELD];

	if (current->process->cred.euid != 0)
		return -EPERM;
	if (len >= UTS_FIELD)
		return refuse(EINVAL, "the name is longer than 64 bytes");
	if (copy_from_user(copy, value, len) < 0)
		return -EFAULT;
	return name_set(name, copy, len);
}

long sys_sethostname(const char __user *name, unsigned int len)
{
	return set_name_from_user(hostname, name, len);
}

long sys_setdomainname(const char __user *name, unsigned int len)
{
	return set_name_from_user(domainname, name, len);
}

/* struct sysinfo of Linux/i386; memory is counted in units of `mem_unit` bytes. */
struct sysinfo {
	int32_t uptime;
	uint32_t loads[3];
	uint32_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
	uint16_t procs, pad;
	uint32_t total_high, free_high;
	uint32_t mem_unit;
	char padding[8];
};

long sys_sysinfo(void __user *buf)
{
	struct sysinfo info = { .uptime = div_u64(time_now(), NSEC_PER_SEC, NULL) };
	struct memory_stats memory;
	unsigned int shift;

	memory_stats(&memory);
	/* Bytes, where they can be counted in 32 bits; else pages. */
	shift = memory.total < 1u << (32 - PAGE_SHIFT) ? PAGE_SHIFT : 0;
	info.mem_unit = shift ? 1 : PAGE_SIZE;
	info.total_ram = memory.total << shift;
	info.free_ram = memory.free << shift;
	info.total_high = (memory.total - memory.low_total) << shift;
	info.free_high = (memory.free - memory.low_free) << shift;
	info.procs = MIN(atomic_read(&nr_tasks), UINT16_MAX);
	load_averages(info.loads);
	return copy_to_user(buf, &info, sizeof(info));
}

/* ---- syslog ---- */

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_UNREAD,
	SYSLOG_BUFFER,
};

/* The position in the log up to which SYSLOG_READ_ALL shows nothing. */
static volatile unsigned int cleared;

/* Copies the newest len bytes that were logged since the last clear, from the start of a line on.
 * */
static long syslog_read(char __user *to, int len, bool clear)
{
	unsigned int position = cleared;
	char *copy, *start;
	size_t got;
	long done;

	if (!to || len < 0)
		return -EINVAL;
	copy = kmalloc(LOG_RING_SIZE, 0);
	if (!copy)
		return -ENOMEM;
	got = log_read(&position, copy, LOG_RING_SIZE);
	start = copy;
	if (got > len) {
		start = memchr(copy + got - len - 1, '\n', len + 1);
		start = start ? start + 1 : copy + got;
	}
	done = copy + got - start;
	if (copy_to_user(to, start, done) < 0)
		done = -EFAULT;
	else if (clear)
		cleared = position;
	kfree(copy);
	return done;
}

static long syslog_clear(void)
{
	unsigned int position = cleared;
	char bytes[256];

	while (log_read(&position, bytes, sizeof(bytes)) > 0)
		;
	cleared = position;
	return 0;
}

/* SYSLOG_READ and SYSLOG_UNREAD, for a daemon that carries the log away, are not there. */
long sys_syslog(int action, char __user *buf, int len)
{
	bool harmless = action == SYSLOG_READ_ALL || action == SYSLOG_BUFFER;

	if (!harmless && current->process->cred.euid != 0)
		return -EPERM;
	switch (action) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		return syslog_read(buf, len, action == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR:
		return syslog_clear();
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > 8)
			return -EINVAL;
		log_set_console_level(len - 1); /* lines below `len` are shown */
		return 0;
	case SYSLOG_BUFFER:
		return LOG_RING_SIZE;
	default:
		return refuse(EINVAL, "this action of syslog is not there");
	}
}
