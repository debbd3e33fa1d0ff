/*
 * Which ports of IO a program may use: ioperm(2) and iopl(2).
 *
 * 1. The rights belong to a thread. A new thread or process has those of its maker, and exec keeps
 *    them. They are shared until one of the sharers changes its own.
 * 2. The CPU looks in the map behind its TSS. A thread with rights has its map copied there when it
 *    is switched to. For every other thread the map lies beyond the TSS, which forbids all ports.
 * 3. iopl(3) only allows all ports. It does not let a program disable interrupts.
 */
#ifndef KERNEL_CPU_PORTS_H
#define KERNEL_CPU_PORTS_H

#include "kernel/task.h"

#define NR_PORTS     65536u
#define IO_LEVEL_ALL 3 /* of iopl(2): all ports; lower levels mean nothing here */

struct port_rights {
	struct atomic refs;
	uint8_t denied[NR_PORTS / 8]; /* a bit for each port */
};

/*
 * Give a new task the rights of the current one, or drop those of a task that is freed. Never
 * sleep.
 */
void ports_inherit(struct task *task);
void ports_drop(struct task *task);

/* Change what the CPU allows. For ports_switch(). Interrupts are off. */
void ports_load(struct cpu *cpu, const struct task *next);
/* The CPU is about to run `next`. Interrupts are off. */
static inline void ports_switch(struct cpu *cpu, const struct task *next)
{
	if (unlikely(next->ports || next->io_level == IO_LEVEL_ALL || cpu->ports_open))
		ports_load(cpu, next);
}

#endif
