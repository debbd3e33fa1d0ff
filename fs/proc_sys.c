/*
 * /proc/sys and what else can be written to: settings, and what tests need.
 */
#include "drivers/block.h"
#include "fs/pagecache.h"
#include "fs/proc.h"
#include "fs/vfs.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/task.h"
#include "kernel/uname.h"
#include "lib/string.h"
#include "mm/huge.h"
#include "mm/slab.h"

/* ---- sys/vm ---- */

static void drop_pages(struct super_block *sb)
{
	struct inode *inode = inode_next(sb, NULL);

	for (; inode; inode = inode_next(sb, inode))
		mapping_drop_clean(&inode->mapping, 0, UINT32_MAX);
}

/* What stands in no file: the raw devices' pages, which file systems' metadata live in. */
static void drop_device_pages(void)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		if (device->inode)
			mapping_drop_clean(&device->inode->mapping, 0, UINT32_MAX);
}

/* 1: pages, 2: names and inodes, 3: both. Only what is clean; sync(2) before it makes everything
 * clean. */
static int drop_caches_store(char *input, size_t len)
{
	uint32_t what;
	int error = parse_u32(input, &what);

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

static int fail_nth_store(char *input, size_t len)
{
	uint32_t nth;
	int error = parse_u32(input, &nth);

	if (error || nth > INT32_MAX)
		return error ? error : -ERANGE;
	atomic_set(&page_fail_nth, nth);
	return 0;
}
PROC_FILE(fail_nth, "sys/vm/fail_nth", 0600, fail_nth_show, fail_nth_store);

/* ---- sys/kernel ---- */

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

static void version_show(struct text *text)
{
	text_printf(text, "%s\n", UTS_VERSION);
}
PROC_FILE(kernel_version, "sys/kernel/version", 0444, version_show, NULL);

static void hostname_show(struct text *text)
{
	char name[UTS_FIELD];

	hostname_get(name);
	text_printf(text, "%s\n", name);
}

static int hostname_store(char *input, size_t len)
{
	const char *end = memchr(input, '\n', len);

	return hostname_set(input, end ? end - input : len);
}
PROC_FILE(hostname, "sys/kernel/hostname", 0644, hostname_show, hostname_store);

static void pid_max_show(struct text *text)
{
	text_printf(text, "%u\n", PID_MAX);
}
PROC_FILE(pid_max, "sys/kernel/pid_max", 0444, pid_max_show, NULL);

/* ---- sys/fs ---- */

static void file_max_show(struct text *text)
{
	text_printf(text, "%u\n", max_open_files);
}

static int file_max_store(char *input, size_t len)
{
	uint32_t files;
	int error = parse_u32(input, &files);

	if (!error)
		max_open_files = MIN(files, (uint32_t)INT32_MAX);
	return error;
}
PROC_FILE(file_max, "sys/fs/file-max", 0644, file_max_show, file_max_store);

/* ---- what tests need ---- */

/* `c`: a panic, to see what one looks like. */
static int sysrq_store(char *input, size_t len)
{
	if (input[0] != 'c')
		return -EINVAL;
	panic("sysrq: crash requested");
}
PROC_FILE(sysrq_trigger, "sysrq-trigger", 0200, NULL, sysrq_store);

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

/*
 * What must be the same before and after a program has run, a line each: a name and a number. Slabs
 * count as free pages, since how many of them are half empty is chance; their objects are counted.
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
