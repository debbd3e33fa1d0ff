/*
 * Debug registers: breakpoints and watchpoints that the CPU looks for itself.
 *
 * 1. A breakpoint lies in user memory. debug_set() refuses all others, so the kernel never stops in
 *    its own code. The kernel can still hit one while it copies to or from user memory. It then
 *    notes that, and goes on.
 * 2. The scheduler loads the registers of a task that has a breakpoint, and clears them for the
 *    next one that has none (debug_switch).
 * 3. Exec clears them. A new task starts without.
 */
#ifndef KERNEL_CPU_DEBUG_H
#define KERNEL_CPU_DEBUG_H

#include "kernel/task.h"

#define NR_DEBUG_REGISTERS 8

/* Returns the debug register, as ptrace(2) shows it. The task is current or does not run. */
uint32_t debug_get(const struct task *task, unsigned int nr);
/*
 * Set it. Returns 0, -EINVAL if a breakpoint would not lie in user memory or is not aligned, or has
 * a kind that is not supported, or -EIO if there is no such register. The task does not run; the
 * CPU gets the values when it runs again.
 */
int debug_set(struct task *task, unsigned int nr, uint32_t value);
/* Clear all breakpoints of the current task. */
void debug_reset(void);

/*
 * Load the registers of a task with a breakpoint, or none. For debug_switch(). Interrupts are off.
 */
void debug_load(struct cpu *cpu, const struct task *next);
/* The CPU is about to run `next`. Interrupts are off. */
static inline void debug_switch(struct cpu *cpu, const struct task *next)
{
	if (unlikely(next->debug.loaded | cpu->debug_control))
		debug_load(cpu, next);
}

/*
 * A debug trap of the current task. Notes the cause in its debug state. Returns the si_code of its
 * SIGTRAP, which only a trap in user mode causes. Interrupts are off.
 */
int debug_trap(struct trap_frame *frame);

#endif
