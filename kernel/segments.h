/*
 * Segments and gates of each CPU: GDT, TSS, IDT, the double fault's task.
 */
#ifndef KERNEL_SEGMENTS_H
#define KERNEL_SEGMENTS_H

#include "kernel/trap.h"

struct cpu;

/*
 * Load this CPU's GDT (with %fs on `cpu`), TSS and the common IDT. The first thing a CPU does in C.
 */
void segments_init_cpu(struct cpu *cpu);
/* The stack for the next entry from user mode. */
void segments_set_stack(struct cpu *cpu, void *top);
/* The page tables that the double fault's task uses. */
void segments_set_fault_cr3(uint32_t cr3);

#endif
