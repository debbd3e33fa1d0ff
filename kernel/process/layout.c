/* The places of a program's memory. See kernel/process/layout.h for the contract. */
#include "kernel/process/layout.h"
#include "fs/proc/proc.h"
#include "kernel/param.h"
#include "kernel/process/personality.h"
#include "kernel/random.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/vm/vdso.h"
#include "mm/vm/vm.h"

#define STACK_PAGES   2048u /* the top of the stack is up to 8 MiB lower */
#define MMAP_PAGES    256u  /* the top of the mappings and a relocatable program: up to 1 MiB */
#define BRK_PAGES     8192u /* the heap: up to 32 MiB */
#define STACK_TOP_MAX (USER_END - PAGE_SIZE - VDSO_SIZE - PAGE_SIZE)

static unsigned int randomizes = 2; /* 0: all places are fixed; 1: only the heap's is; 2: none is */

static int set_norandmaps(const char *value)
{
	randomizes = 0;
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

	if (READ_ONCE(randomizes) && (privileged || !(current->personality & ADDR_NO_RANDOMIZE)))
		random_bytes(&by, sizeof(by));
	if (READ_ONCE(randomizes) < 2)
		by.brk = 0;
	layout->stack_top = STACK_TOP_MAX - by.stack % STACK_PAGES * PAGE_SIZE;
	layout->vdso = layout->stack_top + PAGE_SIZE;
	layout->stack_gap = by.gap % LAYOUT_STACK_GAP_MAX & ~15u;
	layout->mmap_top = MMAP_TOP - by.mmap % MMAP_PAGES * PAGE_SIZE;
	layout->program_gap = by.program % MMAP_PAGES * PAGE_SIZE;
	layout->brk_gap = by.brk % BRK_PAGES * PAGE_SIZE;
}

/* ---- /proc/sys/kernel/randomize_va_space ---- */

static void randomize_show(struct text *text)
{
	text_printf(text, "%u\n", READ_ONCE(randomizes));
}

static int randomize_store(char *input, size_t len)
{
	uint32_t value;
	int error = parse_u32(input, &value);

	if (error == 0 && value > 2)
		error = -EINVAL;
	if (error == 0)
		WRITE_ONCE(randomizes, value);
	return error;
}
PROC_FILE(randomize_va_space, "sys/kernel/randomize_va_space", 0644, randomize_show,
	  randomize_store);
