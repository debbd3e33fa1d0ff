/*
 * Reading the loader's information: command line, memory map, first module. Everything in memory
 * that the page allocator will give out is copied or reserved here. Multiboot 0.6.96, section 3.3;
 * Multiboot 2.0, section 3.6.
 */
#include "boot/machine.h"
#include "kernel/param.h"
#include "kernel/log.h"
#include "mm/boot_memory.h"
#include "lib/string.h"
#include "mm/direct_map.h"

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
struct map_entry { /* the same in both versions, but Multiboot 1 puts its size in front */
	uint64_t base, length;
	uint32_t type;
} __packed;

enum {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_MODULE = 3,
	MB2_MAP = 6,
	MB2_FRAMEBUFFER = 8,
	MB2_RSDP_1 = 14,
	MB2_RSDP_2 = 15
};
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
#define FRAMEBUFFER_RGB 1
struct mb2_framebuffer {
	struct mb2_tag tag;
	uint64_t phys;
	uint32_t pitch, width, height;
	uint8_t bits, type;
	uint16_t reserved;
	struct {
		uint8_t at, bits;
	} colour[3];
} __packed;
phys_addr_t boot_module_start, boot_module_end;
struct boot_framebuffer boot_framebuffer;
char boot_rsdp[36];

/*
 * Returns a pointer to the loader's data, or NULL if it is not in the first GiB, which is mapped.
 */
static const void *loader_data(uint32_t phys)
{
	return phys < (1u << 30) ? phys_to_virt(phys) : NULL;
}

/*
 * QEMU puts the kernel's file name before the parameters. It can be told apart: it contains a
 * slash, as no parameter's name does, or it contains a dot and no '='. A parameter whose name has a
 * dot has a value.
 */
static bool starts_with_file(const char *line)
{
	bool dot = false;

	for (; *line && *line != ' ' && *line != '='; line++) {
		if (*line == '/')
			return true;
		dot |= *line == '.';
	}
	return dot && *line != '=';
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
static void add_memory(const struct map_entry *entry, bool ram)
{
	uint64_t start = entry->base, end = start + entry->length;

	if (end < start || (entry->type == MEMORY_RAM) != ram)
		return;
	if (ram) {
		start = ALIGN_UP(start, (uint64_t)PAGE_SIZE);
		end &= ~(uint64_t)(PAGE_SIZE - 1);
	}
	/* Reserve first, so that memory with two entries is added only once. */
	if (start < end)
		boot_memory_reserve(start, end);
	if (ram)
		boot_memory_add(start, end);
}

/*
 * Add the RAM of the memory map, and then reserve everything in it that is not RAM. `step` is the
 * size of an entry in bytes, or 0 if each entry has its size in front.
 */
static void read_map(const char *start, const char *end, unsigned int step)
{
	unsigned int front = step ? 0 : sizeof(uint32_t);

	for (int pass = 0; pass < 2; pass++) {
		const char *at = start;

		while (at + front + sizeof(struct map_entry) <= end) {
			uint32_t size = step ? step : *(const uint32_t *)at;

			add_memory((const void *)(at + front), pass == 0);
			if (size < sizeof(struct map_entry) || size > (size_t)(end - at) - front)
				break;
			at += size + front;
		}
	}
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
		const char *map = loader_data(info->mmap_addr);

		if (map)
			read_map(map, map + info->mmap_length, 0);
	}
}

static void read_mb2_map(const struct mb2_map *map)
{
	if (map->entry_size >= sizeof(struct map_entry))
		read_map((const char *)(map + 1), (const char *)map + map->tag.size,
			 map->entry_size);
}

static void read_mb2_framebuffer(const struct mb2_framebuffer *tag)
{
	struct boot_framebuffer *to = &boot_framebuffer;

	if (tag->tag.size < sizeof(*tag) || tag->type != FRAMEBUFFER_RGB)
		return;
	*to = (struct boot_framebuffer){
		.pitch = tag->pitch, .width = tag->width, .height = tag->height, .bits = tag->bits
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(to->colour); i++) {
		if (tag->colour[i].bits > 8 || tag->colour[i].at + tag->colour[i].bits > 32)
			return;
		to->colour[i].at = tag->colour[i].at;
		to->colour[i].bits = tag->colour[i].bits;
	}
	to->phys = tag->phys;
}

static void read_mb2_device(const struct mb2_tag *tag)
{
	if (tag->type == MB2_FRAMEBUFFER)
		read_mb2_framebuffer((const void *)tag);
	else if (tag->type == MB2_RSDP_2 || (tag->type == MB2_RSDP_1 && !boot_rsdp[0]))
		memcpy(boot_rsdp, tag + 1, MIN(tag->size - sizeof(*tag), sizeof(boot_rsdp)));
}

static void read_mb2_memory(const struct mb2_tag *tag)
{
	if (tag->type == MB2_CMDLINE)
		set_command_line((const char *)(tag + 1));
	else if (tag->type == MB2_MODULE)
		set_module(((const struct mb2_module *)tag)->start,
			   ((const struct mb2_module *)tag)->end);
	else if (tag->type == MB2_MAP)
		read_mb2_map((const struct mb2_map *)tag);
}

static void read_mb2(const char *info, void (*read)(const struct mb2_tag *))
{
	const char *at = info + 8, *end = info + *(const uint32_t *)info;

	while (at + sizeof(struct mb2_tag) <= end) {
		const struct mb2_tag *tag = (const void *)at;

		if (tag->type == MB2_END || tag->size < sizeof(*tag) ||
		    tag->size > (size_t)(end - at))
			break;
		read(tag);
		at += ALIGN_UP(tag->size, 8);
	}
}

void multiboot_devices(uint32_t magic, uint32_t info)
{
	const void *data = loader_data(info);

	if (magic == MB2_LOADED && data)
		read_mb2(data, read_mb2_device);
}

void multiboot_init(uint32_t magic, uint32_t info)
{
	const void *data = loader_data(info);
	extern char _boot_start[], _kernel_end[];

	if (magic == MB1_LOADED && data)
		read_mb1(data);
	else if (magic == MB2_LOADED && data)
		read_mb2(data, read_mb2_memory);
	else
		cannot_start(
			"not started by a Multiboot loader (magic %08x): use qemu -kernel or GRUB",
			magic);
	if (!nr_boot_memory)
		cannot_start("the loader gave no memory map");
	boot_memory_reserve(0, 1 << 20);
	boot_memory_reserve((uintptr_t)_boot_start, virt_to_phys(_kernel_end));
	if (boot_module_end)
		boot_memory_reserve(boot_module_start & ~(phys_addr_t)(PAGE_SIZE - 1),
				    PAGE_ALIGN(boot_module_end));
}
