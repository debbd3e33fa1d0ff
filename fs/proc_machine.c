/*
 * /proc: what there is of machine and kernel. Each file is a function and a line that registers it.
 */
#include "drivers/block.h"
#include "fs/pagecache.h"
#include "fs/proc.h"
#include "fs/vfs.h"
#include "kernel/loadavg.h"
#include "kernel/param.h"
#include "kernel/task.h"
#include "kernel/uname.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/huge.h"
#include "mm/slab.h"

#define KB_A_PAGE (PAGE_SIZE / 1024)
#define NS_A_TICK (NSEC_PER_SEC / 100) /* USER_HZ */

static void count_slab_pages(void *context, const char *name, size_t size, unsigned int in_use,
			     unsigned int pages)
{
	*(unsigned int *)context += pages;
}

static void show_kb(struct text *text, const char *name, unsigned int pages)
{
	text_printf(text, "%s:%*s%8u kB\n", name, 15 - (int)strlen(name), "", pages * KB_A_PAGE);
}

static void meminfo_show(struct text *text)
{
	unsigned int cached = atomic_read(&nr_cached_pages), slab = 0, total, free;
	struct memory_stats memory;

	memory_stats(&memory);
	slab_walk(count_slab_pages, &slab);
	show_kb(text, "MemTotal", memory.total);
	show_kb(text, "MemFree", memory.free);
	show_kb(text, "MemAvailable", memory.free + cached);
	show_kb(text, "Buffers", 0);
	show_kb(text, "Cached", cached);
	show_kb(text, "HighTotal", memory.total - memory.low_total);
	show_kb(text, "HighFree", memory.free - memory.low_free);
	show_kb(text, "LowTotal", memory.low_total);
	show_kb(text, "LowFree", memory.low_free);
	show_kb(text, "SwapTotal", 0);
	show_kb(text, "SwapFree", 0);
	show_kb(text, "Dirty", atomic_read(&nr_dirty_pages));
	show_kb(text, "Slab", slab);
	huge_stats(&total, &free);
	text_printf(text, "HugePages_Total: %7u\nHugePages_Free:  %7u\n", total, free);
	show_kb(text, "Hugepagesize", HUGE_PAGES);
}
PROC_FILE(meminfo, "meminfo", 0444, meminfo_show, NULL);

/* CPUID leaves 0, 1 and 0x80000002.. (Intel SDM vol. 2, CPUID). All CPUs are taken to be alike. */
static void cpuid_names(char vendor[13], char model[49])
{
	uint32_t r[4];

	memset(vendor, 0, 13);
	memset(model, 0, 49);
	cpuid(0, 0, r);
	memcpy(vendor, &r[1], 4);
	memcpy(vendor + 4, &r[3], 4);
	memcpy(vendor + 8, &r[2], 4);
	cpuid(0x80000000, 0, r);
	if (r[0] < 0x80000004 || r[0] > 0x8000ffff)
		return;
	for (unsigned int i = 0; i < 3; i++) {
		cpuid(0x80000002 + i, 0, r);
		memcpy(model + 16 * i, r, 16);
	}
}

static void show_flags(struct text *text)
{
	const struct {
		bool has;
		const char *name;
	} flags[] = {
		{ cpu_has.tsc, "tsc" },	  { cpu_has.pae, "pae" },	{ cpu_has.apic, "apic" },
		{ cpu_has.pge, "pge" },	  { cpu_has.fxsr, "fxsr" },	{ cpu_has.sse, "sse" },
		{ cpu_has.nx, "nx" },	  { cpu_has.rdrand, "rdrand" }, { cpu_has.smep, "smep" },
		{ cpu_has.smap, "smap" }, { cpu_has.umip, "umip" },
	};

	text_printf(text, "flags\t\t:");
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].has)
			text_printf(text, " %s", flags[i].name);
	text_printf(text, "\n\n");
}

static void cpuinfo_show(struct text *text)
{
	char vendor[13], model[49];
	uint32_t r[4], family, number;

	cpuid_names(vendor, model);
	cpuid(1, 0, r);
	family = r[0] >> 8 & 15;
	number = r[0] >> 4 & 15;
	if (family == 6 || family == 15)
		number |= r[0] >> 12 & 0xf0;
	if (family == 15)
		family += r[0] >> 20 & 0xff;
	for (unsigned int i = 0; i < nr_cpus; i++) {
		text_printf(text, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", i, vendor,
			    family);
		text_printf(text, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", number,
			    model, r[0] & 15);
		show_flags(text);
	}
}
PROC_FILE(cpuinfo, "cpuinfo", 0444, cpuinfo_show, NULL);

/* ---- time ---- */

static uint64_t idle_ns(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < nr_cpus; i++)
		sum += cpus[i].idle_ns;
	return sum;
}

static void show_seconds(struct text *text, uint64_t ns, const char *behind)
{
	uint32_t hundredths;
	uint64_t seconds = div_u64(div_u64(ns, NS_A_TICK, NULL), 100, &hundredths);

	text_printf(text, "%llu.%02u%s", (unsigned long long)seconds, hundredths, behind);
}

static void uptime_show(struct text *text)
{
	show_seconds(text, time_now(), " ");
	show_seconds(text, idle_ns(), "\n");
}
PROC_FILE(uptime, "uptime", 0444, uptime_show, NULL);

static void loadavg_show(struct text *text)
{
	struct task_counts counts;
	unsigned int loads[3];

	load_averages(loads);
	tasks_count(&counts);
	for (unsigned int i = 0; i < 3; i++)
		text_printf(text, "%u.%02u ", loads[i] >> LOAD_SHIFT,
			    (loads[i] & ((1u << LOAD_SHIFT) - 1)) * 100 >> LOAD_SHIFT);
	text_printf(text, "%u/%u %u\n", counts.running, counts.tasks, counts.last_pid);
}
PROC_FILE(loadavg, "loadavg", 0444, loadavg_show, NULL);

/* User and system time are not told apart: all that is not idle counts as the first. */
static void show_cpu_time(struct text *text, const char *name, uint64_t idle, uint64_t all)
{
	uint64_t busy = all > idle ? all - idle : 0;

	text_printf(text, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name,
		    (unsigned long long)div_u64(busy, NS_A_TICK, NULL),
		    (unsigned long long)div_u64(idle, NS_A_TICK, NULL));
}

static void stat_show(struct text *text)
{
	uint64_t now = time_now();
	struct task_counts counts;
	char name[8];

	show_cpu_time(text, "cpu ", idle_ns(), now * nr_cpus);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		snprintf(name, sizeof(name), "cpu%u", i);
		show_cpu_time(text, name, cpus[i].idle_ns, now);
	}
	tasks_count(&counts);
	text_printf(text, "btime %llu\nprocs_running %u\nprocs_blocked %u\n",
		    (unsigned long long)div_u64(time_wall() - now, NSEC_PER_SEC, NULL),
		    counts.running, counts.blocked);
}
PROC_FILE(stat, "stat", 0444, stat_show, NULL);

/* ---- names ---- */

static void version_show(struct text *text)
{
	text_printf(text, "%s version %s (gcc " __VERSION__ ") %s\n", UTS_SYSNAME, UTS_RELEASE,
		    UTS_VERSION);
}
PROC_FILE(version, "version", 0444, version_show, NULL);

static void cmdline_show(struct text *text)
{
	text_printf(text, "%s\n", kernel_command_line);
}
PROC_FILE(cmdline, "cmdline", 0444, cmdline_show, NULL);

PROC_FILE(mounts, "mounts", 0444, mounts_show, NULL);
PROC_FILE(filesystems, "filesystems", 0444, file_systems_show, NULL);

static void partitions_show(struct text *text)
{
	const struct block_device *device;

	text_printf(text, "major minor  #blocks  name\n\n");
	list_for_each(device, &block_devices, link)
		text_printf(text, "%4u  %7u %10llu %s\n", device->major, device->minor,
			    (unsigned long long)device->sectors / 2, device->name);
}
PROC_FILE(partitions, "partitions", 0444, partitions_show, NULL);

static void show_slab(void *context, const char *name, size_t size, unsigned int in_use,
		      unsigned int pages)
{
	text_printf(context, "%-20s %8u %8zu %8u\n", name, in_use, size, pages);
}

static void slabinfo_show(struct text *text)
{
	text_printf(text, "# %-18s %8s %8s %8s\n", "name", "objects", "size", "pages");
	slab_walk(show_slab, text);
}
PROC_FILE(slabinfo, "slabinfo", 0400, slabinfo_show, NULL);
