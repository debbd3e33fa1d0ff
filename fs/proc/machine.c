/*
 * Files of /proc about the machine and the kernel, settings, and files for tests. Each file is a
 * function and a line that registers it.
 */
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/names/lookup.h"
#include "fs/proc/proc.h"
#include "fs/file/open_file.h"
#include "kernel/log.h"
#include "kernel/process/report.h"
#include "kernel/task.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/fail.h"
#include "mm/huge.h"
#include "mm/slab.h"

#define KB_A_PAGE (PAGE_SIZE / 1024)
#define NS_A_TICK (NSEC_PER_SEC / 100) /* USER_HZ */

struct slab_counts {
	unsigned int objects, pages;
};

static void count_slab(void *context, const char *name, size_t size, unsigned int in_use,
		       unsigned int pages)
{
	struct slab_counts *counts = context;

	counts->objects += in_use;
	counts->pages += pages;
}

static void show_kb(struct text *text, const char *name, unsigned int pages)
{
	text_printf(text, "%s:%*s%8u kB\n", name, 15 - (int)strlen(name), "", pages * KB_A_PAGE);
}

static void meminfo_show(struct text *text)
{
	unsigned int cached = atomic_read(&nr_cached_pages), total, free;
	struct slab_counts slabs = { 0 };
	struct memory_stats memory;

	memory_stats(&memory);
	slab_walk(count_slab, &slabs);
	huge_stats(&total, &free);
	show_kb(text, "MemTotal", memory.total);
	show_kb(text, "MemFree", memory.free);
	show_kb(text, "MemAvailable", memory.free + cached);
	show_kb(text, "Buffers", 0);
	show_kb(text, "Cached", cached);
	show_kb(text, "HighTotal", memory.total - memory.low_total);
	show_kb(text, "HighFree", memory.free - memory.low_free);
	show_kb(text, "SwapTotal", 0);
	show_kb(text, "SwapFree", 0);
	show_kb(text, "Dirty", atomic_read(&nr_dirty_pages));
	show_kb(text, "Slab", slabs.pages);
	text_printf(text, "HugePages_Total: %7u\nHugePages_Free:  %7u\n", total, free);
	show_kb(text, "Hugepagesize", HUGE_PAGES);
}
PROC_FILE(meminfo, "meminfo", 0444, meminfo_show, NULL);

/* CPUID leaves from 0x80000002 on (Intel SDM vol. 2, CPUID). All CPUs are assumed to be alike. */
static void cpuinfo_show(struct text *text)
{
	char model[49] = "";
	uint32_t r[4];

	cpuid(0x80000000, 0, r);
	for (unsigned int i = 0; i < 3 && r[0] >= 0x80000004; i++)
		cpuid(0x80000002 + i, 0, (uint32_t *)(model + 16 * i));
	for (unsigned int i = 0; i < nr_cpus; i++)
		text_printf(text, "processor\t: %u\nmodel name\t: %s\n\n", i,
			    *model ? model : "unknown");
}
PROC_FILE(cpuinfo, "cpuinfo", 0444, cpuinfo_show, NULL);

/* ---- time ---- */

static uint64_t idle_ns(struct cpu *cpu)
{
	return cpu->online ? time_of_cycles(sched_idle_cycles(cpu)) : 0;
}

static void show_seconds(struct text *text, uint64_t ns, const char *behind)
{
	uint32_t hundredths;
	uint64_t seconds = div_u64(div_u64(ns, NS_A_TICK, NULL), 100, &hundredths);

	text_printf(text, "%llu.%02u%s", (unsigned long long)seconds, hundredths, behind);
}

static void uptime_show(struct text *text)
{
	uint64_t idle = 0;

	for (unsigned int i = 0; i < nr_cpus; i++)
		idle += idle_ns(&cpus[i]);
	show_seconds(text, time_now(), " ");
	show_seconds(text, idle, "\n");
}
PROC_FILE(uptime, "uptime", 0444, uptime_show, NULL);

struct cpu_times { /* in nanoseconds */
	uint64_t user, system, idle;
};

static void show_cpu_time(struct text *text, const char *name, const struct cpu_times *times)
{
	text_printf(text, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name,
		    (unsigned long long)div_u64(times->user, NS_A_TICK, NULL),
		    (unsigned long long)div_u64(times->system, NS_A_TICK, NULL),
		    (unsigned long long)div_u64(times->idle, NS_A_TICK, NULL));
}

/* What ticks have told apart. The time with a nice value counts as other user time. */
static struct cpu_times times_of(struct cpu *cpu)
{
	return (struct cpu_times){ time_of_cycles(cpu->user_cycles),
				   time_of_cycles(cpu->system_cycles), idle_ns(cpu) };
}

static void show_cpu_times(struct text *text)
{
	struct cpu_times sum = { 0, 0, 0 };
	char name[8];

	for (unsigned int i = 0; i < nr_cpus; i++) {
		struct cpu_times times = times_of(&cpus[i]);

		sum.user += times.user;
		sum.system += times.system;
		sum.idle += times.idle;
	}
	show_cpu_time(text, "cpu ", &sum);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		struct cpu_times times = times_of(&cpus[i]);

		snprintf(name, sizeof(name), "cpu%u", i);
		show_cpu_time(text, name, &times);
	}
}

/* Tasks that sleep and cannot be interrupted, mostly because they wait for a disk. */
static unsigned int nr_blocked(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock), nr = 0;
	struct process *process;
	struct task *task;

	list_for_each(process, &all_processes, all_link)
		list_for_each(task, &process->threads, thread_link)
			nr += task->state != TASK_RUNNING && task->state != TASK_INTERRUPTIBLE &&
			      task->state != TASK_STOPPED && task->state != TASK_TRACED &&
			      task->state != TASK_DEAD;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return nr;
}

static void stat_show(struct text *text)
{
	unsigned int switches = 0, interrupts = 0;

	show_cpu_times(text);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		switches += cpus[i].switches;
		interrupts += cpus[i].interrupts;
	}
	text_printf(text, "intr %u\nctxt %u\nbtime %llu\nprocesses %d\n", interrupts, switches,
		    (unsigned long long)div_u64(time_wall() - time_now(), NSEC_PER_SEC, NULL),
		    atomic_read(&tasks_made));
	text_printf(text, "procs_running %u\nprocs_blocked %u\n", sched_runnable(), nr_blocked());
}
PROC_FILE(stat, "stat", 0444, stat_show, NULL);

PROC_FILE(filesystems, "filesystems", 0444, file_systems_show, NULL);

/* ---- sys/vm ---- */

static void drop_pages(struct super_block *sb)
{
	struct inode *inode = inode_next(sb, NULL);

	for (; inode; inode = inode_next(sb, inode))
		mapping_drop_clean(&inode->mapping, 0, UINT32_MAX);
	if (sb->metadata)
		mapping_drop_clean(sb->metadata, 0, UINT32_MAX);
}

/* Drop the pages of the raw devices. */
static void drop_device_pages(void)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		if (device->inode)
			mapping_drop_clean(&device->inode->mapping, 0, UINT32_MAX);
}

/* A number with blanks and ends of lines around it. 0, -EINVAL, -ERANGE. */
static int parse_number(char *input, uint32_t *value)
{
	size_t len = strlen(input);

	while (len > 0 && strchr(" \t\n", input[len - 1]))
		input[--len] = '\0';
	while (*input && strchr(" \t\n", *input))
		input++;
	return parse_u32(input, value);
}

/*
 * 1 drops pages, 2 drops names and inodes, 3 drops both. Only clean pages are dropped. A sync(2)
 * before makes all of them clean.
 */
static int drop_caches_store(char *input, size_t len)
{
	uint32_t what;
	int error = parse_number(input, &what);

	if (error)
		return error;
	if (what < 1 || what > 3)
		return -EINVAL;
	if (what & 2)
		dcache_shrink(UINT32_MAX);
	if (what & 1) {
		mounts_walk(drop_pages);
		drop_device_pages();
	}
	return 0;
}
PROC_FILE(drop_caches, "sys/vm/drop_caches", 0200, NULL, drop_caches_store);

static void fail_nth_show(struct text *text)
{
	text_printf(text, "%d\n", atomic_read(&page_fail_nth));
}

static int set_fail_nth(char *input, unsigned int tid)
{
	uint32_t nth;
	int error = parse_number(input, &nth);

	if (error || nth > INT32_MAX)
		return error ? error : -ERANGE;
	atomic_set(&page_fail_nth, 0);
	WRITE_ONCE(page_fail_tid, tid);
	atomic_set(&page_fail_nth, nth);
	return 0;
}

/* The nth allocation of the task that writes here. */
static int fail_nth_store(char *input, size_t len)
{
	return set_fail_nth(input, current->tid);
}
PROC_FILE(fail_nth, "sys/vm/fail_nth", 0600, fail_nth_show, fail_nth_store);

/* The same for anybody's. */
static int fail_nth_any_store(char *input, size_t len)
{
	return set_fail_nth(input, 0);
}
PROC_FILE(fail_nth_any, "sys/vm/fail_nth_any", 0600, fail_nth_show, fail_nth_any_store);

/* ---- for tests ---- */

/*
 * `t` prints the report on tasks that hang to the log. `c` panics, so that a panic can be tested.
 */
static int sysrq_store(char *input, size_t len)
{
	if (input[0] == 't') {
		report_print();
		return 0;
	}
	if (input[0] != 'c')
		return -EINVAL;
	panic("sysrq: crash requested");
}
PROC_FILE(sysrq_trigger, "sysrq-trigger", 0200, NULL, sysrq_store);

static void show_slab(void *context, const char *name, size_t size, unsigned int in_use,
		      unsigned int pages)
{
	text_printf(context, "%-20s %8u %8zu %8u\n", name, in_use, size, pages);
}

static void slabinfo_show(struct text *text)
{
	slab_walk(show_slab, text);
}
PROC_FILE(slabinfo, "slabinfo", 0400, slabinfo_show, NULL);

/*
 * Numbers that must be the same before and after a program has run. Each line has a name and a
 * number. The pages of slabs count as free, because it is chance how many slabs are half empty.
 * Their objects are counted instead.
 */
static void leaks_show(struct text *text)
{
	struct slab_counts slabs = { 0 };
	struct memory_stats memory;
	unsigned int huge, free_huge;

	memory_stats(&memory);
	huge_stats(&huge, &free_huge);
	slab_walk(count_slab, &slabs);
	text_printf(text, "free_pages %u\ncached_pages %d\nopen_files %d\n",
		    memory.free + slabs.pages, atomic_read(&nr_cached_pages),
		    atomic_read(&nr_open_files));
	text_printf(text, "tasks %d\nslab_objects %u\nfree_huge_pages %u\n", atomic_read(&nr_tasks),
		    slabs.objects, free_huge);
}
PROC_FILE(leaks, "leaks", 0444, leaks_show, NULL);

/* ---- disks ---- */

/* max_in_flight shows how many bios a device had at once. */
static void disks_show(struct text *text)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		text_printf(text,
			    "%s sectors %llu reads %d writes %d errors %d in_flight %d "
			    "max_in_flight %d queue %u\n",
			    device->name, (unsigned long long)device->sectors,
			    atomic_read(&device->reads), atomic_read(&device->writes),
			    atomic_read(&device->errors), atomic_read(&device->in_flight),
			    atomic_read(&device->max_in_flight), device->queue_depth);
}
PROC_FILE(disks, "disks", 0444, disks_show, NULL);
