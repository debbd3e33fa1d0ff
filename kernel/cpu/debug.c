/* Debug registers. See kernel/cpu/debug.h for the contract. Intel SDM vol. 3, 17.2. */
#include "kernel/cpu/debug.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/mm.h"

#define DR6_ONES	0xffff0ff0u /* these bits are the other way round: 1 means nothing */
#define DR6_SINGLE_STEP (1u << 14)
#define DR6_HITS	0xfu

#define DR7_ALWAYS	(1u << 10)
#define DR7_ENABLES(i) \
	(3u << 2 * (i)) /* local and global, which are the same without hardware tasks */
#define DR7_KIND(v, i) ((v) >> (16 + 4 * (i)) & 3)
#define DR7_SIZE(v, i) (((v) >> (18 + 4 * (i)) & 3) + 1) /* in bytes; 3 would be 8 */

enum { KIND_EXECUTE, KIND_WRITE, KIND_IO, KIND_READ_WRITE };

#define TRAP_BRKPT  1 /* si_code */
#define TRAP_TRACE  2
#define TRAP_HWBKPT 4

/* ---- reading and writing ---- */

uint32_t debug_get(const struct task *task, unsigned int nr)
{
	const struct debug_state *state = &task->debug;

	if (nr < NR_BREAKPOINTS)
		return state->address[nr];
	return nr == 6 ? state->status ^ DR6_ONES : nr == 7 ? state->control : 0;
}

/* May the CPU look for breakpoint i of this state? */
static bool is_valid(const struct debug_state *state, unsigned int i)
{
	unsigned int kind = DR7_KIND(state->control, i), size = DR7_SIZE(state->control, i);

	if (kind == KIND_IO || size == 3 || (kind == KIND_EXECUTE && size != 1))
		return false;
	return state->address[i] < USER_END && !(state->address[i] & (size - 1));
}

/* Take over a state if all of it is valid. */
static int take(struct task *task, struct debug_state *state)
{
	state->loaded = 0;
	for (unsigned int i = 0; i < NR_BREAKPOINTS; i++) {
		if (!(state->control & DR7_ENABLES(i)))
			continue;
		if (!is_valid(state, i))
			return -EINVAL;
		/*
		 * The kind and the size of this breakpoint, and its two enabling bits. Nothing else
		 * of DR7.
		 */
		state->loaded |= state->control & (0xfu << (16 + 4 * i) | DR7_ENABLES(i));
	}
	task->debug = *state;
	return 0;
}

int debug_set(struct task *task, unsigned int nr, uint32_t value)
{
	struct debug_state state = task->debug;

	if (nr < NR_BREAKPOINTS) {
		if (value >= USER_END)
			return -EINVAL;
		state.address[nr] = value;
	} else if (nr == 6) {
		state.status = value ^ DR6_ONES;
	} else if (nr == 7) {
		state.control = value;
	} else {
		return -EIO;
	}
	return take(task, &state);
}

/* ---- the CPU ---- */

static void write_control(uint32_t value)
{
	__asm__ volatile("movl %0, %%dr7" ::"r"(value | DR7_ALWAYS));
}

void debug_load(struct cpu *cpu, const struct task *next)
{
	const uint32_t *address = next->debug.address;

	write_control(0);
	cpu->debug_control = next->debug.loaded;
	if (!next->debug.loaded)
		return;
	__asm__ volatile("movl %0, %%dr0" ::"r"(address[0]));
	__asm__ volatile("movl %0, %%dr1" ::"r"(address[1]));
	__asm__ volatile("movl %0, %%dr2" ::"r"(address[2]));
	__asm__ volatile("movl %0, %%dr3" ::"r"(address[3]));
	write_control(next->debug.loaded);
}

void debug_reset(void)
{
	struct task *task = current;
	unsigned int flags = irq_save();

	memset(&task->debug, 0, sizeof(task->debug));
	debug_switch(this_cpu(), task);
	irq_restore(flags);
}

/* Returns the breakpoints that have been hit. The CPU also reports some that are not enabled. */
static uint32_t hits_of(const struct debug_state *state, uint32_t dr6)
{
	uint32_t hits = 0;

	for (unsigned int i = 0; i < NR_BREAKPOINTS; i++)
		if (dr6 & 1u << i && state->loaded & DR7_ENABLES(i))
			hits |= 1u << i;
	return hits;
}

/*
 * Has the trap come from the first instructions of a call by sysenter? They still have the
 * program's trap flag, which belongs into the frame that they make.
 */
static bool enters_by_sysenter(const struct trap_frame *frame)
{
	extern const char sysenter_entry[], sysenter_flags_cleared[];

	return frame->eip >= (uint32_t)sysenter_entry &&
	       frame->eip <= (uint32_t)sysenter_flags_cleared;
}

int debug_trap(struct trap_frame *frame)
{
	struct debug_state *state = &current->debug;
	uint32_t dr6 = read_dr6() ^ DR6_ONES, hits = hits_of(state, dr6);

	write_dr6(DR6_ONES);
	if (!trap_from_user(frame)) {
		/*
		 * A copy from or to user memory has hit a watchpoint. The kernel does not take
		 * single steps.
		 */
		state->status |= hits;
		if (!enters_by_sysenter(frame))
			frame->eflags &= ~EFLAGS_TF;
		return 0;
	}
	state->status = (dr6 & DR6_SINGLE_STEP) | hits;
	/*
	 * A breakpoint on an instruction comes before it. Without this flag it would come again and
	 * again.
	 */
	for (unsigned int i = 0; i < NR_BREAKPOINTS; i++)
		if (hits & 1u << i && DR7_KIND(state->loaded, i) == KIND_EXECUTE)
			frame->eflags |= EFLAGS_RF;
	return dr6 & DR6_SINGLE_STEP ? TRAP_TRACE : dr6 & DR6_HITS ? TRAP_HWBKPT : TRAP_BRKPT;
}
