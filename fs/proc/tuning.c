/*
 * What a program may read, and partly set, about the kernel as a whole: /proc/sys, /proc/diskstats,
 * /proc/devices, the CPUs in /sys. And what makes a process more or less likely to be killed when
 * memory runs out, which is a number of each process.
 */
#include "drivers/disk/block.h"
#include "fs/file/dnotify.h"
#include "fs/file/file.h"
#include "fs/file/lease.h"
#include "fs/names/mount.h"
#include "fs/names/protect.h"
#include "fs/proc/proc.h"
#include "kernel/capability.h"
#include "kernel/process/oom.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/page.h"

/* ---- numbers in /proc/sys ---- */

int proc_store_number(uint32_t *number, const char *input, uint32_t low, uint32_t high)
{
	uint32_t value;
	int error = parse_u32(input, &value);

	if (error || value < low || value > high)
		return refuse(EINVAL, "not a number that the file takes");
	WRITE_ONCE(*number, value);
	return 0;
}

PROC_NUMBER(threads_max, "sys/kernel/threads-max", threads_max, 1, INT32_MAX / 2);

PROC_NUMBER(file_max, "sys/fs/file-max", max_open_files, 0, INT32_MAX);

static void file_nr_show(struct text *text)
{
	text_printf(text, "%d\t0\t%u\n", atomic_read(&nr_open_files), max_open_files);
}
PROC_FILE(file_nr, "sys/fs/file-nr", 0444, file_nr_show, NULL);

/* As many as a file table has at least. */
PROC_NUMBER(nr_open, "sys/fs/nr_open", most_descriptors, FD_INITIAL, MOST_DESCRIPTORS_MAX);
PROC_NUMBER(mount_max, "sys/fs/mount-max", mounts_max, 1, INT32_MAX);
PROC_NUMBER(lease_break_time, "sys/fs/lease-break-time", lease_break_time, 0, UINT32_MAX);

/* A file that allows something with a number other than 0. */
#define SWITCH_FILE(variable, path)                          \
	static void variable##_show(struct text *text)       \
	{                                                    \
		text_printf(text, "%u\n", variable);         \
	}                                                    \
	static int variable##_store(char *input, size_t len) \
	{                                                    \
		uint32_t value;                              \
		int error = parse_u32(input, &value);        \
                                                             \
		if (!error)                                  \
			WRITE_ONCE(variable, value != 0);    \
		return error;                                \
	}                                                    \
	PROC_FILE(variable, path, 0644, variable##_show, variable##_store)

SWITCH_FILE(leases_enabled, "sys/fs/leases-enable");
SWITCH_FILE(dir_notify_enabled, "sys/fs/dir-notify-enable");
SWITCH_FILE(protected_symlinks, "sys/fs/protected_symlinks");
SWITCH_FILE(protected_hardlinks, "sys/fs/protected_hardlinks");

/* ---- devices ---- */

/* The times, and what is not counted (merged requests), are 0. */
static void diskstats_show(struct text *text)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		text_printf(text, "%4u %7u %s %u 0 %u 0 %u 0 %u 0 %d 0 0 0 0 0 0 0 0\n",
			    device->major, device->minor, device->name,
			    (unsigned int)atomic_read(&device->reads),
			    (unsigned int)atomic_read(&device->sectors_read),
			    (unsigned int)atomic_read(&device->writes),
			    (unsigned int)atomic_read(&device->sectors_written),
			    atomic_read(&device->in_flight));
}
PROC_FILE(diskstats, "diskstats", 0444, diskstats_show, NULL);

/* ---- CPUs, in /sys/devices/system/cpu ---- */

PROC_ENTRY(sysfs_devices, .path = "/sys/devices", .mode = S_IFDIR | 0555);
PROC_ENTRY(sysfs_system, .path = "/sys/devices/system", .mode = S_IFDIR | 0555);
PROC_ENTRY(sysfs_cpu, .path = "/sys/devices/system/cpu", .mode = S_IFDIR | 0555);

/* All CPUs that were found have been started. */
static void cpus_show(struct text *text)
{
	text_printf(text, nr_cpus > 1 ? "0-%u\n" : "0\n", nr_cpus - 1);
}
PROC_FILE(cpus_online, "/sys/devices/system/cpu/online", 0444, cpus_show, NULL);
PROC_FILE(cpus_possible, "/sys/devices/system/cpu/possible", 0444, cpus_show, NULL);
PROC_FILE(cpus_present, "/sys/devices/system/cpu/present", 0444, cpus_show, NULL);

static void kernel_max_show(struct text *text)
{
	text_printf(text, "%u\n", MAX_CPUS - 1);
}
PROC_FILE(cpus_max, "/sys/devices/system/cpu/kernel_max", 0444, kernel_max_show, NULL);

#define CPU_FOLDER(n)                                                                        \
	static bool cpu##n##_exists(void)                                                    \
	{                                                                                    \
		return n < nr_cpus;                                                          \
	}                                                                                    \
	PROC_ENTRY(cpu##n, .path = "/sys/devices/system/cpu/cpu" #n, .mode = S_IFDIR | 0555, \
		   .exists = cpu##n##_exists)
CPU_FOLDER(0);
CPU_FOLDER(1);
CPU_FOLDER(2);
CPU_FOLDER(3);
CPU_FOLDER(4);
CPU_FOLDER(5);
CPU_FOLDER(6);
CPU_FOLDER(7);
_Static_assert(MAX_CPUS == 8, "each CPU has a folder");

/* ---- who gives way when memory runs out ---- */

#define OLD_ADJUST_MIN (-17) /* the scale of oom_adj */
#define OLD_ADJUST_MAX 15

static int oom_adjust_of(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int adjust = process->oom_adjust;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return adjust;
}

static int show_oom_adjust(struct process *process, unsigned int number, struct text *text)
{
	text_printf(text, "%d\n", oom_adjust_of(process));
	return 0;
}

/* Anybody may offer a process of his. To spare it takes a capability. */
static int set_oom_adjust(struct process *process, int adjust)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int error = 0;

	if (adjust < process->oom_adjust && !capable(CAP_SYS_RESOURCE))
		error = refuse(EACCES, "only root may spare a process");
	else
		process->oom_adjust = adjust;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

static int store_oom_adjust(struct process *process, unsigned int number, char *input, size_t len)
{
	bool negative = input[0] == '-';
	uint32_t value;

	if (parse_u32(input + negative, &value) < 0 || value > OOM_ADJUST_MAX)
		return -EINVAL;
	return set_oom_adjust(process, negative ? -(int)value : (int)value);
}
PROC_ENTRY(pid_oom_score_adj, .path = "/pid/oom_score_adj", .mode = 0644,
	   .show_process = show_oom_adjust, .store_process = store_oom_adjust);
PROC_ENTRY(task_oom_score_adj, .path = "/pid/task/N/oom_score_adj", .mode = 0644,
	   .show_process = show_oom_adjust, .store_process = store_oom_adjust);

/* The same on the scale of old programs, whose ends are -17 and 15, for -1000 and 1000. */
static int show_oom_adj(struct process *process, unsigned int number, struct text *text)
{
	int adjust = oom_adjust_of(process);

	text_printf(text, "%d\n",
		    adjust == OOM_ADJUST_MAX ? OLD_ADJUST_MAX
					     : adjust * -OLD_ADJUST_MIN / OOM_ADJUST_MAX);
	return 0;
}

static int store_oom_adj(struct process *process, unsigned int number, char *input, size_t len)
{
	bool negative = input[0] == '-';
	uint32_t value;

	if (parse_u32(input + negative, &value) < 0 ||
	    value > (negative ? -OLD_ADJUST_MIN : OLD_ADJUST_MAX))
		return -EINVAL;
	if (!negative && value == OLD_ADJUST_MAX)
		return set_oom_adjust(process, OOM_ADJUST_MAX);
	value = value * OOM_ADJUST_MAX / -OLD_ADJUST_MIN;
	return set_oom_adjust(process, negative ? -(int)value : (int)value);
}
PROC_ENTRY(pid_oom_adj, .path = "/pid/oom_adj", .mode = 0644, .show_process = show_oom_adj,
	   .store_process = store_oom_adj);
PROC_ENTRY(task_oom_adj, .path = "/pid/task/N/oom_adj", .mode = 0644, .show_process = show_oom_adj,
	   .store_process = store_oom_adj);

static int show_oom_score(struct process *process, unsigned int number, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock), score = oom_score(process);

	spin_unlock_irqrestore(&tasks_lock, flags);
	text_printf(text, "%u\n", score);
	return 0;
}
PROC_ENTRY(pid_oom_score, .path = "/pid/oom_score", .mode = 0444, .show_process = show_oom_score);
PROC_ENTRY(task_oom_score, .path = "/pid/task/N/oom_score", .mode = 0444,
	   .show_process = show_oom_score);
