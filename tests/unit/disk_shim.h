/*
 * The kernel around the driver of a disk in unit tests: memory, and a device that acts while the
 * driver runs. It stands before the driver's file. tests/unit/bio_shim.h stands behind it.
 */
#ifndef TESTS_UNIT_DISK_SHIM_H
#define TESTS_UNIT_DISK_SHIM_H

#include "tests/unit/memory_shim.h"

static struct page frames[ARENA_FRAMES];
struct page *mem_map = frames;

/* The device may act where the driver has a barrier. */
static void (*meanwhile)(void);
#undef barrier
#define barrier()                    \
	do {                         \
		if (meanwhile)       \
			meanwhile(); \
	} while (0)

static unsigned int next_frame = 1;

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = frame_page(next_frame);

	next_frame += 1u << order;
	return page;
}

void *kzalloc(size_t size, unsigned int flags)
{
	return calloc(1, size);
}

#endif
