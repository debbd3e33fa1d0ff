/*
 * Interrupts of devices and between CPUs.
 */
#ifndef KERNEL_CPU_IRQ_H
#define KERNEL_CPU_IRQ_H

#include "lib/types.h"

struct cpu;

typedef void (*irq_handler)(void *context);

/*
 * Call handler(context) on each interrupt of ISA line or PCI line `irq` (0..23), with interrupts
 * off; several handlers may share a line, each must find out whether its device asked.
 * Level-triggered PCI lines pass `level`. The line is unmasked. -EINVAL, -ENOMEM. May not be called
 * from interrupts.
 */
int irq_request(unsigned int irq, bool level, irq_handler handler, void *context);

/* Ask another CPU to look at need_resched (it leaves its halt). Never sleeps. */
void smp_send_reschedule(struct cpu *cpu);

#endif
