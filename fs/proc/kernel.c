/*
 * Files of /proc about the kernel: its names, its load, and its settings in sys/kernel.
 */
#include "drivers/disk/block.h"
#include "fs/proc/proc.h"
#include "kernel/capability.h"
#include "kernel/param.h"
#include "kernel/process/process.h"
#include "kernel/process/uname.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/page.h"

/* ---- names ---- */

static void version_show(struct text *text)
{
	text_printf(text, "%s version %s %s\n", UTS_SYSNAME, UTS_RELEASE, UTS_VERSION);
}
PROC_FILE(version, "version", 0444, version_show, NULL);

static void ostype_show(struct text *text)
{
	text_printf(text, "%s\n", UTS_SYSNAME);
}
PROC_FILE(ostype, "sys/kernel/ostype", 0444, ostype_show, NULL);

static void osrelease_show(struct text *text)
{
	text_printf(text, "%s\n", UTS_RELEASE);
}
PROC_FILE(osrelease, "sys/kernel/osrelease", 0444, osrelease_show, NULL);

static void kernel_version_show(struct text *text)
{
	text_printf(text, "%s\n", UTS_VERSION);
}
PROC_FILE(kernel_version, "sys/kernel/version", 0444, kernel_version_show, NULL);

static void show_name(struct text *text, enum uname_field field)
{
	char name[UTS_FIELD];

	uname_copy(field, name);
	text_printf(text, "%s\n", name);
}

/* The name ends with the line. A longer one is cut. */
static int store_name(enum uname_field field, const char *input)
{
	const char *end = strchr(input, '\n');
	size_t len = end ? (size_t)(end - input) : strlen(input);

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	uname_set(field, input, MIN(len, UTS_FIELD - 1u));
	return 0;
}

static void hostname_show(struct text *text)
{
	show_name(text, UNAME_HOST);
}

static int hostname_store(char *input, size_t len)
{
	return store_name(UNAME_HOST, input);
}
PROC_FILE(hostname, "sys/kernel/hostname", 0644, hostname_show, hostname_store);

static void domainname_show(struct text *text)
{
	show_name(text, UNAME_DOMAIN);
}

static int domainname_store(char *input, size_t len)
{
	return store_name(UNAME_DOMAIN, input);
}
PROC_FILE(domainname, "sys/kernel/domainname", 0644, domainname_show, domainname_store);

static void cmdline_show(struct text *text)
{
	text_printf(text, "%s\n", kernel_command_line);
}
PROC_FILE(cmdline, "cmdline", 0444, cmdline_show, NULL);

/* ---- limits of the kernel ---- */

static void pid_max_show(struct text *text)
{
	text_printf(text, "%u\n", PID_MAX);
}
PROC_FILE(pid_max, "sys/kernel/pid_max", 0444, pid_max_show, NULL);

static void ngroups_max_show(struct text *text)
{
	text_printf(text, "%u\n", NR_GROUPS);
}
PROC_FILE(ngroups_max, "sys/kernel/ngroups_max", 0444, ngroups_max_show, NULL);

static void cap_last_cap_show(struct text *text)
{
	text_printf(text, "%u\n", NR_CAPABILITIES - 1);
}
PROC_FILE(cap_last_cap, "sys/kernel/cap_last_cap", 0444, cap_last_cap_show, NULL);

/* ---- load ---- */

static unsigned int newest_pid(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock), newest;

	newest = list_empty(&all_processes)
			 ? 0
			 : container_of(all_processes.prev, struct process, all_link)->pid;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return newest;
}

static void loadavg_show(struct text *text)
{
	for (unsigned int i = 0; i < NR_LOADS; i++) {
		uint32_t load = sched_loads[i] + LOAD_ONE / 200; /* rounded to hundredths */

		text_printf(text, "%u.%02u ", load / LOAD_ONE, load % LOAD_ONE * 100 / LOAD_ONE);
	}
	text_printf(text, "%u/%d %u\n", sched_runnable(), atomic_read(&nr_tasks), newest_pid());
}
PROC_FILE(loadavg, "loadavg", 0444, loadavg_show, NULL);

/* ---- memory and disks ---- */

static void swaps_show(struct text *text)
{
	text_printf(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}
PROC_FILE(swaps, "swaps", 0444, swaps_show, NULL);

static void vmstat_show(struct text *text)
{
	struct memory_stats memory;

	memory_stats(&memory);
	text_printf(text, "nr_free_pages %u\npswpin 0\npswpout 0\n", memory.free);
}
PROC_FILE(vmstat, "vmstat", 0444, vmstat_show, NULL);

static void partitions_show(struct text *text)
{
	struct block_device *device;

	text_printf(text, "major minor  #blocks  name\n\n");
	list_for_each(device, &block_devices, link)
		text_printf(text, "%4u  %7u %10llu %s\n", device->major, device->minor,
			    (unsigned long long)device->sectors / 2, device->name);
}
PROC_FILE(partitions, "partitions", 0444, partitions_show, NULL);
