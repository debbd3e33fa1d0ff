/*
 * What the loader left: command line, memory map, the first module. Everything that lies in memory
 * that will be allocated is copied or reserved here. Multiboot 0.6.96 section 3.3; Multiboot 2.0
 * section 3.6.
 */
#include "kernel/machine.h"
#include "kernel/param.h"
#include "kernel/log.h"
#include "mm/page.h"
#include "lib/string.h"

#define MB1_LOADED	0x2badb002
#define MB2_LOADED	0x36d76289

#define MB1_HAS_CMDLINE (1 << 2)
#define MB1_HAS_MODULES (1 << 3)
#define MB1_HAS_MAP	(1 << 6)
#define MEMORY_RAM	1

struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4], mmap_length, mmap_addr;
};
struct mb1_module {
	uint32_t start, end, string, reserved;
};
struct mb1_map {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __packed;

enum { MB2_END = 0, MB2_CMDLINE = 1, MB2_MODULE = 3, MB2_MAP = 6 };
struct mb2_tag {
	uint32_t type, size;
};
struct mb2_module {
	struct mb2_tag tag;
	uint32_t start, end;
};
struct mb2_map {
	struct mb2_tag tag;
	uint32_t entry_size, version;
};
struct mb2_map_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

phys_addr_t boot_module_start, boot_module_end;

/* The loader's data lies below 1 GiB, which the boot page tables map. */
static const void *loader_data(uint32_t phys)
{
	return phys < (1u << 30) ? phys_to_virt(phys) : NULL;
}

/* QEMU puts the kernel's file name in front: no parameter's name has a slash or a dot in it. */
static bool starts_with_file(const char *line)
{
	while (*line && *line != ' ' && *line != '=' && *line != '/' && *line != '.')
		line++;
	return *line == '/' || *line == '.';
}

static void set_command_line(const char *line)
{
	if (line && starts_with_file(line))
		line = strchr(line, ' ');
	while (line && *line == ' ')
		line++;
	if (line)
		strlcpy(kernel_command_line, line, COMMAND_LINE_MAX);
}

//BOOK: memory-map
static void add_memory(uint64_t base, uint64_t length, uint32_t type)
{
	uint64_t start = (base + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t end = (base + length) & ~(uint64_t)(PAGE_SIZE - 1);

	if (type != MEMORY_RAM || base + length < base || start >= end ||
	    nr_boot_memory == MAX_BOOT_MEMORY)
		return;
	boot_memory[nr_boot_memory].start = start;
	boot_memory[nr_boot_memory++].end = end;
}

static void set_module(uint32_t start, uint32_t end)
{
	if (boot_module_end || end <= start)
		return;
	boot_module_start = start;
	boot_module_end = end;
}

static void read_mb1(const struct mb1_info *info)
{
	if (info->flags & MB1_HAS_CMDLINE)
		set_command_line(loader_data(info->cmdline));
	if (info->flags & MB1_HAS_MODULES && info->mods_count) {
		const struct mb1_module *module = loader_data(info->mods_addr);

		if (module)
			set_module(module->start, module->end);
	}
	if (info->flags & MB1_HAS_MAP) {
		const char *at = loader_data(info->mmap_addr), *end = at + info->mmap_length;

		while (at && at + sizeof(struct mb1_map) <= end) {
			const struct mb1_map *entry = (const void *)at;

			add_memory(entry->base, entry->length, entry->type);
			at += entry->size + sizeof(entry->size);
		}
	}
}

static void read_mb2_map(const struct mb2_map *map)
{
	const char *at = (const char *)(map + 1), *end = (const char *)map + map->tag.size;

	if (map->entry_size < sizeof(struct mb2_map_entry))
		return;
	for (; at + map->entry_size <= end; at += map->entry_size) {
		const struct mb2_map_entry *entry = (const void *)at;

		add_memory(entry->base, entry->length, entry->type);
	}
}

static void read_mb2(const char *info)
{
	const char *at = info + 8, *end = info + *(const uint32_t *)info;

	while (at + sizeof(struct mb2_tag) <= end) {
		const struct mb2_tag *tag = (const void *)at;

		if (tag->type == MB2_END || tag->size < sizeof(*tag))
			break;
		if (tag->type == MB2_CMDLINE)
			set_command_line((const char *)(tag + 1));
		else if (tag->type == MB2_MODULE)
			set_module(((const struct mb2_module *)tag)->start,
				   ((const struct mb2_module *)tag)->end);
		else if (tag->type == MB2_MAP)
			read_mb2_map((const struct mb2_map *)tag);
		at += ALIGN_UP(tag->size, 8);
	}
}

void multiboot_init(uint32_t magic, uint32_t info)
{
	const void *data = loader_data(info);
	extern char _boot_start[], _kernel_end[];

	if (magic == MB1_LOADED && data)
		read_mb1(data);
	else if (magic == MB2_LOADED && data)
		read_mb2(data);
	else
		panic("not started by a Multiboot loader (magic %08x): use qemu -kernel or GRUB",
		      magic);
	if (!nr_boot_memory)
		panic("the loader gave no memory map");
	boot_memory_reserve(0, 1 << 20);
	boot_memory_reserve((uintptr_t)_boot_start, virt_to_phys(_kernel_end));
	if (boot_module_end)
		boot_memory_reserve(boot_module_start & ~(phys_addr_t)(PAGE_SIZE - 1),
				    PAGE_ALIGN(boot_module_end));
}
