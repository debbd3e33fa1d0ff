/*
 * Tests boot/multiboot.c with memory maps of both versions, whose entries overlap and come in any
 * order.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"
#include "mm/page.c"
#include "mm/boot_memory.c"

#define KERNEL_PARAM_H
#define COMMAND_LINE_MAX 1024
static char kernel_command_line[COMMAND_LINE_MAX];
char _boot_start[1], _kernel_end[1];

size_t strlcpy(char *dst, const char *src, size_t size)
{
	return snprintf(dst, size, "%s", src);
}

#include "boot/multiboot.c"

#define FRAMES	  64u
#define RAM_BYTES (FRAMES * PAGE_SIZE)

static void add_entry(char **to, bool front, uint64_t base, uint64_t length, uint32_t type)
{
	struct map_entry entry = { base, length, type };

	if (front) {
		*(uint32_t *)*to = sizeof(entry);
		*to += sizeof(uint32_t);
	}
	memcpy(*to, &entry, sizeof(entry));
	*to += front ? sizeof(entry) : 24;
}

/*
 * Makes random entries. A page is free if RAM covers the whole page and no other entry touches it.
 */
static bool round_is_right(bool sizes_in_front)
{
	static char map[4096];
	bool taken[FRAMES] = { false }, got[FRAMES] = { false };
	unsigned int nr = 1 + random_u32() % 8;
	char *end = map;

	for (unsigned int i = 0; i < nr; i++) {
		uint32_t base = random_u32() % RAM_BYTES, type = 1 + random_u32() % 2;
		uint32_t length = random_u32() % (RAM_BYTES - base);

		if (random_u32() % 2) { /* whole pages, as RAM mostly is */
			base &= PAGE_MASK;
			length &= PAGE_MASK;
		}
		add_entry(&end, sizes_in_front, base, length, type);
		for (unsigned int f = 0; f < FRAMES; f++) {
			uint32_t first = f * PAGE_SIZE, last = first + PAGE_SIZE;

			if (type == 1 && base <= first && base + length >= last)
				got[f] = true;
			if (type != 1 && length > 0 && base < last && base + length > first)
				taken[f] = true;
		}
	}
	nr_boot_memory = 0;
	read_map(map, end, sizes_in_front ? 0 : 24);
	for (unsigned int f = 0; f < FRAMES; f++) {
		unsigned int times = 0;

		for (unsigned int i = 0; i < nr_boot_memory; i++)
			times += boot_memory[i].start <= f * PAGE_SIZE &&
				 boot_memory[i].end > f * PAGE_SIZE;
		/* A page is not used if it consists of several pieces of RAM. */
		if (times > 1 || (times && taken[f]) || (times && !got[f]))
			return false;
		if (!times && got[f] && !taken[f])
			return false;
	}
	return true;
}

static bool often(bool sizes_in_front)
{
	for (int i = 0; i < 20000; i++)
		if (!round_is_right(sizes_in_front))
			return false;
	return true;
}

CASE(version_1)
{
	ok(often(true), "a map of Multiboot 1: only RAM is found, and no page twice");
}

CASE(version_2)
{
	ok(often(false), "a map of Multiboot 2");
}

CASE(command_line)
{
	set_command_line("build/sluice.elf quiet init=/bin/x");
	ok(!strcmp(kernel_command_line, "quiet init=/bin/x"), "the kernel's file name is left out");
	set_command_line("quiet init=/bin/x");
	ok(!strcmp(kernel_command_line, "quiet init=/bin/x"), "but a first parameter stays");
	set_command_line("sluice.elf quiet");
	ok(!strcmp(kernel_command_line, "quiet"), "the file's name may have a dot and no slash");
	set_command_line("virtio_mmio.device=512@0xfeb00000:5 quiet");
	ok(!strcmp(kernel_command_line, "virtio_mmio.device=512@0xfeb00000:5 quiet"),
	   "a parameter whose name has a dot stays");
}
