/*
 * Interrupts from devices, and between CPUs.
 */
#ifndef KERNEL_CPU_IRQ_H
#define KERNEL_CPU_IRQ_H

#include "lib/types.h"

struct cpu;

typedef void (*irq_handler)(void *context);

/*
 * Have handler(context) called, with interrupts off, on each interrupt of the line `irq`. The lines
 * 0 to 15 are those of the ISA bus. A higher number is one of ACPI's global interrupts, an input of
 * an IO-APIC. Several handlers may share a line, so each must find out whether its device has
 * raised the interrupt. Pass `level` for level-triggered lines, such as those of PCI. Unmasks the
 * line. Never sleeps. Returns 0, -EINVAL if there is no such line, or -ENOMEM if there are too many
 * handlers. Several CPUs may call it at the same time, but not in an interrupt.
 */
int irq_request(unsigned int irq, bool level, irq_handler handler, void *context);

/* Returns true if irq_request() knows this line. */
bool irq_exists(unsigned int irq);

/* Make another CPU check need_resched. This also wakes it from its halt. Never sleeps. */
void smp_send_reschedule(struct cpu *cpu);

#endif
