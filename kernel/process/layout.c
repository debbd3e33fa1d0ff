/* The places of a program's memory. See kernel/process/layout.h for the contract. */
#include "kernel/process/layout.h"
#include "kernel/param.h"
#include "kernel/process/personality.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "mm/vm/vm.h"

#define STACK_PAGES   2048u /* the top of the stack is up to 8 MiB lower */
#define MMAP_PAGES    256u  /* the top of the mappings and a relocatable program: up to 1 MiB */
#define BRK_PAGES     8192u /* the heap: up to 32 MiB */
#define STACK_TOP_MAX (USER_END - PAGE_SIZE)

static bool fixed_places;

static int set_norandmaps(const char *value)
{
	fixed_places = true;
	return 0;
}
KERNEL_PARAM(norandmaps, set_norandmaps, "off",
	     "all programs have their memory at the same addresses");

//BOOK: layout
void layout_choose(struct layout *layout, bool privileged)
{
	struct {
		uint32_t stack, gap, mmap, program, brk;
	} by = { 0 };

	if (!fixed_places && (privileged || !(current->personality & ADDR_NO_RANDOMIZE)))
		random_bytes(&by, sizeof(by));
	layout->stack_top = STACK_TOP_MAX - by.stack % STACK_PAGES * PAGE_SIZE;
	layout->stack_gap = by.gap % LAYOUT_STACK_GAP_MAX & ~15u;
	layout->mmap_top = MMAP_TOP - by.mmap % MMAP_PAGES * PAGE_SIZE;
	layout->program_gap = by.program % MMAP_PAGES * PAGE_SIZE;
	layout->brk_gap = by.brk % BRK_PAGES * PAGE_SIZE;
}
