/*
 * Memory at boot: what the loader says is RAM, cut down to what is free.
 *
 * 1. The loader's memory map fills boot_memory, and boot_memory_reserve() removes what is in use:
 *    the kernel's image and the modules. Memory that is in no range is never touched.
 * 2. boot_alloc() takes memory from the lowest range that has room in low memory. It never takes
 *    the first MiB, which belongs to the firmware.
 * 3. page_init() gives the rest to the page allocator. boot_alloc() must not be called after that.
 * 4. Only one CPU runs at this stage, so nothing is locked.
 */
#include "mm/boot_memory.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/pgtable.h"

#define FIRST_MIB (1ull << 20)
#define RAM_LIMIT (64ull << 30) /* of PAE's classic 36 address bits */

struct boot_memory boot_memory[MAX_BOOT_MEMORY];
unsigned int nr_boot_memory;
static phys_addr_t highest; /* end of all RAM, reserved or not */

void boot_memory_add(phys_addr_t start, phys_addr_t end)
{
	if (start < end && nr_boot_memory < MAX_BOOT_MEMORY)
		boot_memory[nr_boot_memory++] = (struct boot_memory){ start, end };
}

phys_addr_t boot_memory_top(void)
{
	for (unsigned int i = 0; i < nr_boot_memory; i++)
		highest = MAX(highest, boot_memory[i].end);
	return MIN(highest, RAM_LIMIT);
}

phys_addr_t boot_memory_usable(void)
{
	phys_addr_t sum = 0;

	for (unsigned int i = 0; i < nr_boot_memory; i++)
		sum += boot_memory[i].end - boot_memory[i].start;
	return sum;
}

void boot_memory_reserve(phys_addr_t start, phys_addr_t end)
{
	boot_memory_top(); /* remember RAM that is only reserved */
	start &= ~(phys_addr_t)(PAGE_SIZE - 1);
	end = ALIGN_UP(end, (phys_addr_t)PAGE_SIZE);
	for (unsigned int i = nr_boot_memory; i-- > 0;) {
		struct boot_memory range = boot_memory[i];

		/* The last one, which was looked at already, takes its place. */
		boot_memory[i] = boot_memory[--nr_boot_memory];
		boot_memory_add(range.start, MIN(range.end, start));
		boot_memory_add(MAX(range.start, end), range.end);
	}
}

phys_addr_t boot_memory_largest(phys_addr_t end)
{
	phys_addr_t largest = 0;

	for (unsigned int i = 0; i < nr_boot_memory; i++) {
		phys_addr_t from = MAX(boot_memory[i].start, FIRST_MIB);
		phys_addr_t to = MIN(boot_memory[i].end, end);

		if (from < to)
			largest = MAX(largest, to - from);
	}
	return largest;
}

/* The lowest place for `size` bytes; 0: none. */
static phys_addr_t find_place(size_t size, size_t align)
{
	phys_addr_t best = 0;

	for (unsigned int i = 0; i < nr_boot_memory; i++) {
		phys_addr_t start = MAX(boot_memory[i].start, FIRST_MIB);
		phys_addr_t end = MIN(boot_memory[i].end, (phys_addr_t)lowmem_frames << PAGE_SHIFT);

		start = ALIGN_UP(start, (phys_addr_t)align);
		if (start < end && end - start >= size && (!best || start < best))
			best = start;
	}
	return best;
}

void *boot_alloc(size_t size, size_t align)
{
	phys_addr_t at;

	size = PAGE_ALIGN(size);
	at = find_place(size, MAX(align, (size_t)PAGE_SIZE));
	if (!at)
		cannot_start("too little memory: no %u KiB in one piece below %u MiB",
			     (unsigned int)(size / 1024), lowmem_frames >> (20 - PAGE_SHIFT));
	boot_memory_reserve(at, at + size);
	return memset(phys_to_virt(at), 0, size);
}

/*
 * mem_map may take half of the largest piece of low memory. RAM behind what it then describes is
 * not used.
 */
static unsigned int frames_described(void)
{
	phys_addr_t frames = boot_memory_top() >> PAGE_SHIFT;
	phys_addr_t low = boot_memory_largest((phys_addr_t)lowmem_frames << PAGE_SHIFT);
	unsigned int most = (unsigned int)low / 2 / sizeof(struct page);

	if (frames <= most)
		return frames;
	log_warning("memory: %u MiB are not used: low memory has no room for their page structs",
		    (unsigned int)((frames - most) >> 8));
	return most;
}

void page_init(void)
{
	unsigned int frames = frames_described();

	mem_map = boot_alloc(frames * sizeof(struct page), PAGE_SIZE);
	nr_frames = frames;
	boot_memory_reserve(0, FIRST_MIB);
	for (unsigned int frame = 0; frame < frames; frame++) {
		atomic_set(&mem_map[frame].refs, 1);
		mem_map[frame].flags = PG_RESERVED | (frame < lowmem_frames ? 0 : PG_HIGH);
	}
	for (unsigned int i = 0; i < nr_boot_memory; i++) {
		phys_addr_t last = MIN(boot_memory[i].end >> PAGE_SHIFT, (phys_addr_t)frames);

		if (boot_memory[i].start >> PAGE_SHIFT < last)
			page_add_frames(boot_memory[i].start >> PAGE_SHIFT, last);
	}
	nr_boot_memory = 0;
	zero_page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);
	if (!zero_page)
		cannot_start("too little memory: no free page");
	set_bits(&zero_page->flags, PG_RESERVED | PG_UPTODATE);
}
