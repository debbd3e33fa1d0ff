/*
 * Interrupts from devices, and between CPUs.
 */
#ifndef KERNEL_CPU_IRQ_H
#define KERNEL_CPU_IRQ_H

#include "lib/types.h"

struct cpu;

typedef void (*irq_handler)(void *context);

/*
 * Have handler(context) called, with interrupts off, on each interrupt of the ISA or PCI line `irq`
 * (0 to 23). Several handlers may share a line, so each must find out whether its device has raised
 * the interrupt. Pass `level` for level-triggered PCI lines. Unmasks the line. Never sleeps. Returns 0,
 * -EINVAL if there is no such line, or -ENOMEM if there are too many handlers. Must not be called in an
 * interrupt.
 */
int irq_request(unsigned int irq, bool level, irq_handler handler, void *context);

/* Make another CPU check need_resched. This also wakes it from its halt. Never sleeps. */
void smp_send_reschedule(struct cpu *cpu);

#endif
